/** `whet train`: the examples, trained with progress, live curves and checkpoints. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Example, examples } from '../../examples/index.ts';
import { configure, type IsaName } from '../../index.ts';
import { openRun, type Run } from '../../lab/index.ts';
import { checkpoints, progress as trainingProgress } from '../../train/node.ts';
import { UsageError } from '../failure.ts';
import { fetchEntry } from '../load.ts';
import { addVerb, type CommonOptions, isaOption, offlineOption, threadsOption, wholeNumber } from '../options.ts';
import { startProgress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';

interface Options extends CommonOptions {
  readonly config?: string;
  readonly epochs?: number;
  readonly seed: number;
  readonly isa?: IsaName;
  readonly threads?: number;
  readonly offline?: boolean;
  readonly data?: string;
  readonly out?: string;
  readonly run?: string;
  readonly runs: string;
  readonly checkpoint?: string;
  readonly resume?: boolean;
  readonly anomaly?: boolean;
}

export function addTrain(program: Command, terminal: Terminal): void {
  const list = Object.entries(examples).flatMap(([name, { summary, configs }]) => [
    `  ${name}: ${summary}`,
    ...Object.entries(configs).map(([config, about]) => `    --config ${config.padEnd(11)} ${about.summary}`),
  ]);
  addVerb(program, 'train <example>', `train an example: ${Object.keys(examples).join(', ')}`, [
    'whet train seq2seq',
    'whet train mnist --epochs 2 --run first',
    'whet train transfer --data my-photos/ --out results/',
    'whet train seq2seq --config reference --checkpoint reference/ --resume',
  ])
    .option('--config <name>', "one of the example's configurations (default: its first)")
    .option('--epochs <n>', "times through the data (default: the configuration's)", wholeNumber(1))
    .option('--seed <n>', 'of first weights, order, dropout and data that are made', wholeNumber(0), 0)
    .option('--data <folder>', 'data of your own, where the example takes them')
    .option('--out <folder>', 'where results are written (default: a temporary folder)')
    .optionsGroup('Watching and going on:')
    .option('--run <name>', 'log curves under this name, for whet lab')
    .option('--runs <folder>', 'where runs are kept', 'runs')
    .option('--checkpoint <folder>', 'keep checkpoints there')
    .option('--resume', 'go on from the newest of them')
    .optionsGroup('How it is computed:')
    .option('--anomaly', 'name the operator that makes the first NaN or infinity; several times as slow')
    .addOption(isaOption())
    .addOption(threadsOption())
    .addOption(offlineOption())
    .addHelpText('after', `\nThe examples and their configurations:\n${list.join('\n')}`)
    .action((example: string, options: Options) => train(example, options, terminal));
}

const printLine = (terminal: Terminal, value: object): void => terminal.print(JSON.stringify(value));

async function train(name: string, options: Options, terminal: Terminal): Promise<void> {
  const { seed, epochs, data, resume = false, anomaly = false } = options;
  const [example, config] = chosen(name, options);
  const { isa, threads } = options;
  const before = configure({ isa, threads });
  const abort = new AbortController();
  const interrupted = (): void => abort.abort();
  const runs: Run[] = [];
  // Once ends the training where it stands, with its results; twice ends the process.
  process.once('SIGINT', interrupted);
  try {
    const report = await example.train({
      config,
      epochs,
      seed,
      data,
      out: options.out ?? join(tmpdir(), `whet-${name}`),
      compile: { isa, threads },
      print: (line) => options.json || terminal.print(line),
      fetch: (entry) => fetchEntry(entry, terminal, options),
      progress(label, total) {
        const progress = startProgress(terminal, label, { total, format: String });
        return (done) => (done < total ? progress.update(done) : progress.stop());
      },
      watch(phase) {
        const named = (text: string): string => (phase === undefined ? text : `${text}-${phase}`);
        const run = options.run === undefined ? undefined : openRun(named(options.run), { folder: options.runs, resume, config: { example: name, config, seed } });
        if (run) runs.push(run);
        if (phase !== undefined) {
          terminal.note(`${phase}:`);
          if (options.json) printLine(terminal, { event: 'phase', phase });
        }
        const onStderr = trainingProgress({ stream: terminal.stderr });
        return {
          callbacks: options.json ? [onStderr, trainingProgress({ mode: 'json', stream: terminal.stdout })] : [onStderr],
          recorder: run,
          checkpoint: options.checkpoint === undefined ? undefined : checkpoints(phase === undefined ? options.checkpoint : join(options.checkpoint, phase)),
          resume,
          anomaly,
          signal: abort.signal,
        };
      },
    });
    if (options.json) printLine(terminal, { event: 'done', example: name, config, seed, ...report });
  } finally {
    process.off('SIGINT', interrupted);
    for (const run of runs) run.close();
    configure(before);
  }
}

/** @throws UsageError for an example, or a configuration of it, that there is not; and for --resume without a place to resume from */
function chosen(name: string, { config, checkpoint, resume }: Options): [example: Example, config: string] {
  if (!Object.hasOwn(examples, name)) throw new UsageError(`train: expected one of ${Object.keys(examples).join(', ')}, got '${name}'`);
  const known = Object.keys(examples[name].configs);
  if (config !== undefined && !known.includes(config)) throw new UsageError(`--config: expected one of ${known.join(', ')}, got '${config}'`);
  if (resume && checkpoint === undefined) throw new UsageError('--resume: expected --checkpoint FOLDER with it');
  return [examples[name], config ?? known[0]];
}
