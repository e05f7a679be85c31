/** `whet bench`: how long a model takes, and where the time goes. */
import type { Command } from 'commander';
import { compileModel, type IsaName, type Precision, type ProfileRecord } from '../../index.ts';
import { loadModel } from '../load.ts';
import { measure } from '../measure.ts';
import {
  addVerb,
  batchOption,
  type CommonOptions,
  isaOption,
  offlineOption,
  positive,
  precisionOption,
  printJson,
  shapeOption,
  threadsOption,
} from '../options.ts';
import { startProgress } from '../progress.ts';
import { concreteShapes, sampleInput } from '../shapes.ts';
import { bar, clip, columns, formatMs, type Terminal } from '../terminal.ts';

interface Options extends CommonOptions {
  readonly isa?: IsaName;
  readonly threads?: number;
  readonly precision?: Precision;
  readonly batch?: number;
  readonly seconds: number;
  readonly shape?: Record<string, readonly number[]>;
  readonly offline?: boolean;
  readonly profile?: boolean;
}

const round = (value: number): number => Number(value.toPrecision(5));

export function addBench(program: Command, terminal: Terminal): void {
  addVerb(program, 'bench <model>', 'measure a model of the zoo or a file', [
    'whet bench resnet50',
    'whet bench resnet50 --isa wasm --threads 1 --batch 8 --seconds 10',
    'whet bench model.onnx --shape input=1x3x640x640 --profile',
  ])
    .addOption(isaOption())
    .addOption(threadsOption())
    .addOption(precisionOption())
    .addOption(batchOption())
    .option('--seconds <s>', 'how long to measure', positive, 5)
    .addOption(shapeOption())
    .option('--profile', 'also say where the time goes, kernel by kernel')
    .addOption(offlineOption())
    .action((model: string, options: Options) => bench(model, options, terminal));
}

async function bench(name: string, options: Options, terminal: Terminal): Promise<void> {
  const { seconds, isa, threads, precision } = options;
  const { model, loadMs, files } = await loadModel(name, terminal, options);
  const shapes = concreteShapes(model, { ...options, known: files?.entry.input?.defaultShape });

  const start = performance.now();
  const compiled = compileModel(model, 'cpu', { isa, threads, precision });
  const executable = compiled.compile(shapes);
  const compileMs = performance.now() - start;

  const inputs = Object.fromEntries(executable.inputs.map(({ name, dtype, shape }, i) => [name, sampleInput(dtype, shape, i + 1)]));
  const progress = startProgress(terminal, `measuring ${name}`, { total: seconds, format: (s) => `${s.toFixed(0)} s`, quarters: false });
  const { runs, latencyMs } = measure(() => executable.run(inputs), seconds, (done) => progress.update(Math.min(done, seconds)));
  progress.stop();

  const batch = executable.inputs[0]?.shape[0] ?? 1;
  const total = runs.reduce((sum, ms) => sum + ms, 0);
  const result = {
    model: name,
    isa: executable.info.isa,
    threads: executable.info.threads,
    batch,
    latencyMs: { min: round(latencyMs.min), p50: round(latencyMs.p50), p90: round(latencyMs.p90), p99: round(latencyMs.p99) },
    throughputPerSecond: round((runs.length * batch * 1000) / total),
    loadMs: round(loadMs),
    compileMs: round(compileMs),
  };
  if (options.profile) executable.run(inputs, { profile: true });
  const records = options.profile ? executable.profile() : [];
  if (options.json) return printJson(terminal, options.profile ? { ...result, profile: records } : result);

  const { style } = terminal;
  const { min, p50, p90, p99 } = latencyMs;
  terminal.print(`${style.strong(name)}  ${style.accent(result.isa)}, ${count(result.threads, 'thread')}, batch ${batch}`);
  terminal.print();
  const rows = [
    ['latency', `${formatMs(p50)} median`, `${formatMs(min)} least, ${formatMs(p90)} in 9 of 10, ${formatMs(p99)} in 99 of 100`],
    ['throughput', `${result.throughputPerSecond.toFixed(1)} a second`, `${runs.length} runs of ${batch}`],
    ['load', formatMs(loadMs), 'reading and importing the model'],
    ['compile', formatMs(compileMs), `${count(executable.info.steps, 'step')}, ${count(executable.info.kernels, 'kernel')}`],
  ];
  for (const line of columns(rows, ' > ')) terminal.print(`  ${line}`);
  if (options.profile) printProfile(records, p50, terminal);
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** Steps of one kind together, the costliest first; what no step accounts for is said as well. */
function printProfile(records: readonly ProfileRecord[], p50: number, terminal: Terminal): void {
  const groups = new Map<string, { name: string; steps: number; ms: number }>();
  for (const { op, layout, epilogue, ms } of records) {
    const name = [op, epilogue !== op && epilogue && `+ ${epilogue}`, layout && `(${layout})`].filter(Boolean).join(' ');
    const group = groups.get(name) ?? { name, steps: 0, ms: 0 };
    groups.set(name, { name, steps: group.steps + 1, ms: group.ms + ms });
  }
  const total = records.reduce((sum, { ms }) => sum + ms, 0);
  const rows = [...groups.values()].sort((a, b) => b.ms - a.ms);
  terminal.print();
  const share = (ms: number): string => `${((100 * ms) / total).toFixed(1)} %`;
  const table = rows.map(({ name, steps, ms }) => [name, `${steps}`, formatMs(ms), share(ms), bar(ms / total, 20)]);
  for (const line of columns([['steps of one profiled run', '', 'time', 'share', ''], ...table, ['all', `${records.length}`, formatMs(total), '', '']], ' >>> ')) {
    terminal.print(`  ${line.trimEnd()}`);
  }
  terminal.print(terminal.style.faint(`  steps ran one by one for this; together a run takes ${formatMs(p50)}`));
  terminal.print();
  const slowest = records.toSorted((a, b) => b.ms - a.ms).slice(0, 5);
  const lines = slowest.map(({ op, name, shapes, ms }) => [op, clip(name, 32), clip(shapes, 60), formatMs(ms)]);
  for (const line of columns([['the slowest', '', '', ''], ...lines], '   >')) terminal.print(`  ${line.trimEnd()}`);
}
