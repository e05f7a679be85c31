/** Training and validation: an epoch at a time, each step one compiled program. */
import { DataLoader } from '../../src/data/index.ts';
import { NLLLoss } from '../../src/nn/index.ts';
import { Adam } from '../../src/optim/index.ts';
import { compile, manualSeed, noGrad, realize, type Tensor } from '../../src/tensor/index.ts';
import type { Config } from './configs.ts';
import { type Digits, length } from './data.ts';
import { Seq2Seq } from './model.ts';

export interface Trainer {
  /** One step: loss before it. Inputs and targets are int64 [batch, length]. */
  readonly step: (input: Tensor, target: Tensor) => number;
  /** Answers [batch, length], without dropout. */
  readonly respond: (input: Tensor) => Tensor;
}

/** A model of its own with its optimizer; the same for the same seed. */
export function makeTrainer(config: Pick<Config, 'layers' | 'hidden' | 'dropout' | 'lr'>, seed: number): Trainer {
  manualSeed(seed);
  const model = new Seq2Seq(config);
  const loss = new NLLLoss();
  realize(...model.parameters());
  const optimizer = new Adam(model.parameters(), { lr: config.lr });
  const step = compile((input: Tensor, target: Tensor): Tensor => {
    model.train();
    optimizer.zeroGrad();
    const result = loss.call(model.call(input, target).flatten(0, 1), target.flatten());
    result.backward();
    optimizer.step();
    return result;
  });
  const respond = compile((input: Tensor): Tensor => {
    model.eval();
    return noGrad(() => model.respond(input));
  });
  return { step: (input, target) => step(input, target).item(), respond };
}

/** Digits and whole sequences that are right, as parts of all. */
export interface Score {
  readonly digits: number;
  readonly sequences: number;
}

export function validate({ respond }: Trainer, data: Digits, batch: number): Score {
  let [digits, sequences] = [0, 0];
  for (const [input, target] of new DataLoader(data, { batchSize: batch })) {
    const right = respond(input).eq(target).toLong().sum(1).toArray();
    for (const count of right) {
      digits += Number(count);
      sequences += Number(count) === length ? 1 : 0;
    }
  }
  return { digits: digits / (data.length * length), sequences: sequences / data.length };
}

export interface Epoch {
  readonly epoch: number;
  /** Mean over the epoch's steps. */
  readonly loss: number;
  readonly score: Score;
  /** Of training. */
  readonly sequencesPerSecond: number;
}

/** One result an epoch. Batches that are not full are left out: another size is another program. */
export function* train(trainer: Trainer, data: { readonly train: Digits; readonly valid: Digits }, { batch, epochs, seed }: { readonly batch: number; readonly epochs: number; readonly seed: number }): Generator<Epoch, void> {
  const loader = new DataLoader(data.train, { batchSize: batch, shuffle: true, seed, dropLast: true });
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const begin = performance.now();
    let total = 0;
    for (const [input, target] of loader) total += trainer.step(input, target);
    const seconds = (performance.now() - begin) / 1000;
    yield { epoch, loss: total / loader.length, score: validate(trainer, data.valid, 400), sequencesPerSecond: (loader.length * batch) / seconds };
  }
}
