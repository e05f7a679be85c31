/** The sequence-to-sequence experiment: a network learns to move a run of zeros right by its own length. */
import { DataLoader, listDataset } from 'whetstone/data';
import { NLLLoss } from 'whetstone/nn';
import { Adam, OneCycleLR } from 'whetstone/optim';
import { manualSeed, noGrad, type Tensor } from 'whetstone/tensor';
import { accuracy, fit, sequenceAccuracy } from 'whetstone/train';
import { type Example, percent, type Setting, type Watch } from '../example.ts';
import { type Config, configs } from './configs.ts';
import { collatePairs, filesIn, type Pair, readPairs, relabelled, writeFiles } from './data.ts';
import { Seq2Seq } from './model.ts';

/** What the model was asked, and what it said. */
export interface Sample {
  readonly call: string;
  readonly true: string;
  readonly resp: string;
  /** The part of digits that are right. */
  readonly accuracy: number;
}

export interface Outcome {
  /** Of the validation pairs: digits that are right, and sequences that are from end to end. NaN without an epoch. */
  readonly digits: number;
  readonly sequences: number;
  readonly samples: readonly Sample[];
}

/** Trains a model on pairs. It is validated as it is used: every digit from those that it said itself before. */
export async function trainSeq2Seq(config: Config, data: { readonly train: readonly Pair[]; readonly valid: readonly Pair[] }, { epochs = config.epochs, seed = 0, watch = {} }: { epochs?: number; seed?: number; watch?: Watch }): Promise<Outcome> {
  manualSeed(seed);
  const model = new Seq2Seq(config);
  const nll = new NLLLoss();
  const pairs = listDataset(data.train);
  // Batches that are not full are left out: another size is another program.
  const train = new DataLoader(config.relabel ? relabelled(pairs, data.valid, seed) : pairs, { batchSize: config.batch, shuffle: true, seed, dropLast: data.train.length >= config.batch, collate: collatePairs });
  const valid = new DataLoader(data.valid, { batchSize: 400, collate: collatePairs });

  const answered = (): Sample[] => {
    model.eval();
    return samplesOf(data.valid.slice(0, 5), (input) => noGrad(() => model.respond(input)));
  };
  const history = await fit(model, train, {
    ...watch,
    callbacks: [...(watch.callbacks ?? []), { onEpoch: ({ step }) => watch.recorder?.text('samples', answered().map((sample) => sampleLines(sample).join('\n')).join('\n\n'), step) }],
    seed,
    epochs,
    optimizer: (parameters) => new Adam(parameters, { lr: config.lr, betas: config.oneCycle ? [0.9, 0.98] : undefined }),
    schedule: config.oneCycle ? (optimizer, { totalSteps }) => new OneCycleLR(optimizer as Adam, { maxLr: config.lr, totalSteps, pctStart: 0.1, cycleMomentum: false }) : undefined,
    scheduleEvery: 'step',
    clipNorm: config.oneCycle ? 1 : undefined,
    step([input, target]) {
      const output = model.call(input, target);
      return { loss: nll.call(output.flatten(0, 1), target.flatten()), output, target };
    },
    validation: valid,
    evaluateStep([input, target]) {
      return { loss: nll.call(model.call(input, target).flatten(0, 1), target.flatten()), output: model.respond(input), target };
    },
    metrics: { digits: accuracy({ dim: -1 }), sequences: sequenceAccuracy() },
  });

  const values = history.epochs.at(-1)?.values ?? {};
  return { digits: values['digits/validation'] ?? NaN, sequences: values['sequences/validation'] ?? NaN, samples: answered() };
}

export function samplesOf(pairs: readonly Pair[], respond: (input: Tensor) => Tensor): Sample[] {
  const answers = respond(collatePairs(pairs)[0]).tolist() as number[][];
  return pairs.map(({ input, target }, i) => ({
    call: input.join(''),
    true: target.join(''),
    resp: answers[i].join(''),
    accuracy: target.filter((digit, j) => digit === answers[i][j]).length / target.length,
  }));
}

export const sampleLines = (sample: Sample): string[] => [`Call ${sample.call}`, `True ${sample.true}`, `Resp ${sample.resp}`, `Accuracy ${percent(sample.accuracy)}`];

export const seq2seq: Example = {
  summary: 'two GRUs learn to move a run of zeros right by its own length',
  configs,
  async train({ config: name, epochs, seed, data, out, watch, print }: Setting) {
    const config: Config = configs[name as keyof typeof configs];
    const files = data === undefined ? await writeFiles(out, config, seed) : filesIn(data);
    const [train, valid] = [await readPairs(files.train), await readPairs(files.valid)];
    const outcome = await trainSeq2Seq(config, { train, valid }, { epochs, seed, watch: watch() });
    for (const sample of outcome.samples) for (const line of [...sampleLines(sample), '']) print(line);
    print(`of ${valid.length} pairs never seen: digits right ${(100 * outcome.digits).toFixed(2)} %, whole sequences right ${(100 * outcome.sequences).toFixed(2)} %`);
    return { ...outcome, files };
  },
};
