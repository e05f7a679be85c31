/** `whet doctor`: what this machine offers, what of it Whetstone uses and why, and how close to its peak that comes. */
import { cpus } from 'node:os';
import type { Command } from 'commander';
import { apply, compileModel, constant, type Cores, countCores, type Graph, input, type IsaName, measurePeak, surveyIsas, version } from '../../index.ts';
import { measure } from '../measure.ts';
import { addVerb, type CommonOptions, isaOption, printJson, threadsOption } from '../options.ts';
import { sampleInput } from '../shapes.ts';
import { startProgress } from '../progress.ts';
import { bar, columns, type Terminal, wrap } from '../terminal.ts';

interface Options extends CommonOptions {
  readonly isa?: IsaName;
  readonly threads?: number;
}

const gemmSize = 1024;
const gemmSeconds = 1;

export function addDoctor(program: Command, terminal: Terminal): void {
  addVerb(program, 'doctor', 'say what this machine offers, what runs on it and why', ['whet doctor', 'WHET_NATIVE=0 whet doctor --json'])
    .addOption(isaOption())
    .addOption(threadsOption())
    .action((options: Options) => doctor(options, terminal));
}

/** What is learnt at once is printed at once; the measurements follow. */
function doctor(options: Options, terminal: Terminal): void {
  const found = examine(options);
  if (!options.json) print(found, terminal);
  const gemms: Gemm[] = [];
  for (const threads of new Set([1, found.threads])) {
    gemms.push(gemm(options.isa, threads, terminal));
    if (!options.json) printGemm(gemms[gemms.length - 1], terminal);
  }
  if (options.json) printJson(terminal, { ...found, gemm: gemms });
}

function examine({ isa, threads }: Options) {
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('WHET_')));
  const isas = surveyIsas();
  const cores = countCores();
  const best = isas.find(({ usable }) => usable)?.isa ?? 'none';
  return {
    version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores,
    threads: threads ?? (environment.WHET_THREADS ? Number(environment.WHET_THREADS) : cores.usable),
    isas,
    chosen: {
      isa: isa ?? environment.WHET_ISA ?? best,
      reason: isa ? '--isa asks for it' : environment.WHET_ISA ? 'WHET_ISA asks for it' : 'the best of those that run',
    },
    environment,
  };
}

type Gemm = ReturnType<typeof gemm>;

/** A product of two 1024 x 1024 matrices, one of them constant as a layer's weights are; and what the cores could do at most. */
function gemm(isa: IsaName | undefined, threads: number, terminal: Terminal) {
  const x = input('x', 'float32', [gemmSize, gemmSize]);
  const weights = constant(sampleInput('float32', [gemmSize, gemmSize], 2));
  const graph: Graph = { name: 'gemm', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'y', value: apply('MatMul', [x, weights]) }] };
  const model = compileModel(graph, 'cpu', { isa, threads });
  const executable = model.compile();
  const data = sampleInput('float32', [gemmSize, gemmSize]);
  const progress = terminal.stderr.isTTY ? startProgress(terminal, `gemm ${gemmSize}`, { total: gemmSeconds, format: (s) => `${s.toFixed(1)} s` }) : undefined;
  const { latencyMs } = measure(() => executable.run({ x: data }), gemmSeconds, (done) => progress?.update(Math.min(done, gemmSeconds)));
  progress?.stop();
  model.dispose();
  // The best of its runs, as the peak is of its own: what else the machine does counts for neither.
  const gflops = (2 * gemmSize ** 3) / latencyMs.min / 1e6;
  const peak = measurePeak({ isa, threads }).gflops;
  return {
    isa: executable.info.isa,
    threads,
    size: gemmSize,
    gflops: round(gflops),
    peakGflops: round(peak),
    fractionOfPeak: round(gflops / peak),
  };
}

const round = (value: number): number => Number(value.toPrecision(3));

function coresInWords({ logical, physical, quota }: Cores): string {
  const parts = [`${logical} processors this process may run on`];
  if (physical < logical) parts.push(`they are ${physical} cores, whose hyper-threads share one unit`);
  parts.push(quota === undefined ? 'no cgroup limits them' : `a cgroup grants the time of ${Number(quota.toFixed(2))}`);
  return parts.join('; ');
}

function print(found: ReturnType<typeof examine>, terminal: Terminal): void {
  const { style } = terminal;
  const { chosen, isas } = found;
  terminal.print(`${style.strong('whetstone')} ${found.version}  ${style.faint(`node ${found.node}, ${found.platform}`)}`);
  terminal.print();
  const variables = Object.entries(found.environment).map(([name, value]) => `${name}=${value}`);
  const rows = [
    ['processor', found.cpu],
    ['threads', `${found.threads}  ${coresInWords(found.cores)}`],
    ...(variables.length > 0 ? [['environment', variables.join('  ')]] : []),
  ];
  for (const line of columns(rows)) terminal.print(`  ${line}`);
  terminal.print();
  for (const { isa, usable, reason } of isas) {
    const runs = isa === chosen.isa;
    const [first, ...more] = wrap(reason, terminal.columns - 14);
    terminal.print(`  ${runs && usable ? style.good(`▸ ${isa.padEnd(8)}`) : style.faint(`${usable ? '·' : '✗'} ${isa.padEnd(8)}`)}  ${runs ? first : style.faint(first)}`);
    for (const line of more) terminal.print(`${' '.repeat(14)}${runs ? line : style.faint(line)}`);
  }
  terminal.print(`  ${style.faint(`${chosen.isa} is taken: ${chosen.reason}`)}`);
  terminal.print();
}

function printGemm({ threads, size, gflops, peakGflops, fractionOfPeak }: Gemm, { print: line, style }: Terminal): void {
  const of = `${String(Math.round(100 * fractionOfPeak)).padStart(3)} % of ${threads === 1 ? "the core's" : "the cores'"} peak of ${peakGflops}`;
  const speed = `${String(gflops).padStart(5)} GFLOP/s  ${style.accent(bar(fractionOfPeak, 20).padEnd(20))} ${of}`;
  line(`  gemm ${size}, ${threads} thread${threads === 1 ? ' ' : 's'}  ${speed}`);
}
