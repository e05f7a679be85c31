/** `whet start`: the first thing a newcomer sees. ResNet-50 says what five photographs show; then a network learns before one's eyes. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { makePairs, sampleLines, seq2seqConfigs, trainSeq2Seq } from '../../examples/index.ts';
import { progress } from '../../train/node.ts';
import { listImages, readImage } from '../../vision/node.ts';
import { makeClassifier } from '../classifier.ts';
import { fetchEntry } from '../load.ts';
import { latencies } from '../measure.ts';
import { addVerb, type CommonOptions, isaOption, offlineOption, printJson, threadsOption } from '../options.ts';
import { labelWidthFor, printPredictions, toJson } from '../predictions.ts';
import { formatMs, type Terminal } from '../terminal.ts';
import { configure, version } from '../../index.ts';

interface Options extends CommonOptions {
  readonly isa?: 'avx512' | 'avx2' | 'wasm';
  readonly threads?: number;
  readonly offline?: boolean;
  readonly training: boolean;
}

const model = 'resnet50';
const top = 5;

export function addStart(program: Command, terminal: Terminal): void {
  addVerb(program, 'start', 'classify sample photos with ResNet-50, then train a small network', ['whet start', 'whet start --isa wasm --threads 1'])
    .addOption(isaOption())
    .addOption(threadsOption())
    .addOption(offlineOption())
    .option('--no-training', 'the photos alone')
    .action((options: Options) => start(options, terminal));
}

async function start(options: Options, terminal: Terminal): Promise<void> {
  const { folder, entry } = await fetchEntry('samples', terminal, options);
  const classifier = await makeClassifier(model, terminal, options);
  const { info } = classifier.executable(1);

  const results = [];
  for (const file of await listImages(join(folder, entry.path))) {
    const image = await readImage(file);
    const { predictions, ms } = classifier.classify([image], top);
    results.push({ file, predictions: predictions[0], ms });
  }
  const { p50 } = latencies(results.map(({ ms }) => ms));
  if (options.json) {
    const photos = results.map((result) => ({ ...toJson(result), ms: result.ms }));
    const training = options.training ? { training: await train(options, terminal) } : {};
    return printJson(terminal, { model, isa: info.isa, threads: info.threads, photos, ...training });
  }

  const { style } = terminal;
  const width = labelWidthFor(results, terminal);
  for (const result of results) {
    terminal.print();
    printPredictions(result, result.ms, width, terminal);
  }
  terminal.print();
  const threads = `${info.threads} thread${info.threads === 1 ? '' : 's'}`;
  terminal.print(`${style.strong(formatMs(p50))} an image  ${style.faint('·')}  ${style.accent(info.isa)}  ${style.faint('·')}  ${threads}`);
  terminal.print(
    style.faint(
      `whetstone ${version}: ${model} loaded in ${formatMs(classifier.loadMs)}, compiled in ${formatMs(info.compileMs)} to ${info.kernels} kernels, ${info.steps} steps`,
    ),
  );
  if (!options.training) return;

  terminal.print();
  terminal.print(`${style.strong('Now a network learns')} ${style.faint(`to move a run of zeros right by its own length, from ${seq2seqConfigs.tuned.train} examples: whet train seq2seq`)}`);
  const { samples, digits, sequences } = await train(options, terminal);
  for (const sample of samples) for (const line of ['', ...sampleLines(sample)]) terminal.print(line);
  if (Number.isNaN(digits)) return;
  terminal.print();
  const percent = (part: number): string => style.strong(`${(100 * part).toFixed(2)} %`);
  terminal.print(`of ${seq2seqConfigs.tuned.valid} sequences it never saw: ${percent(digits)} of digits right, ${percent(sequences)} of whole sequences`);
}

/** Half a minute on two cores; where it would be more than a minute, training ends there. */
async function train({ isa, threads }: Options, terminal: Terminal): ReturnType<typeof trainSeq2Seq> {
  const { tuned } = seq2seqConfigs;
  const pairs = makePairs(tuned.train + tuned.valid, 0);
  const before = configure({ isa, threads });
  try {
    const watch = { callbacks: [progress({ stream: terminal.stderr })], signal: AbortSignal.timeout(60_000) };
    return await trainSeq2Seq(tuned, { train: pairs.slice(0, tuned.train), valid: pairs.slice(tuned.train) }, { watch });
  } finally {
    configure(before);
  }
}
