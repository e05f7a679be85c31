/** `whet start`: the first thing a newcomer sees. Fetches ResNet-50 and five photographs, and says what they show. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { listImages, readImage } from '../../vision/node.ts';
import { makeClassifier } from '../classifier.ts';
import { fetchEntry } from '../load.ts';
import { latencies } from '../measure.ts';
import { addVerb, type CommonOptions, isaOption, offlineOption, printJson, threadsOption } from '../options.ts';
import { labelWidthFor, printPredictions, toJson } from '../predictions.ts';
import { formatMs, type Terminal } from '../terminal.ts';
import { version } from '../../index.ts';

interface Options extends CommonOptions {
  readonly isa?: 'avx512' | 'avx2' | 'wasm';
  readonly threads?: number;
  readonly offline?: boolean;
}

const model = 'resnet50';
const top = 5;

export function addStart(program: Command, terminal: Terminal): void {
  addVerb(program, 'start', 'classify sample photos with ResNet-50', ['whet start', 'whet start --isa wasm --threads 1'])
    .addOption(isaOption())
    .addOption(threadsOption())
    .addOption(offlineOption())
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
    return printJson(terminal, { model, isa: info.isa, threads: info.threads, photos: results.map((result) => ({ ...toJson(result), ms: result.ms })) });
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
}
