/** `whet doctor`: what this machine offers, what of it Whetstone uses and why, and how close to its peak that comes. */
import { cpus } from 'node:os';
import type { Command } from 'commander';
import { apply, compileModel, constant, type Cores, countCores, type Graph, input, type IsaName, measurePeak, surveyIsas, version } from '../../index.ts';
import { measure } from '../measure.ts';
import { addVerb, type CommonOptions, isaOption, printJson, threadsOption } from '../options.ts';
import { sampleInput } from '../shapes.ts';
import { bar, columns, type Terminal } from '../terminal.ts';

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

function doctor(options: Options, terminal: Terminal): void {
  const report = examine(options);
  if (options.json) printJson(terminal, report);
  else print(report, terminal);
}

function examine({ isa, threads }: Options) {
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('WHET_')));
  const most = gemm(isa, threads);
  const gemms = most.threads === 1 ? [most] : [gemm(isa, 1), most];
  return {
    version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores: countCores(),
    threads: most.threads,
    isas: surveyIsas(),
    chosen: { isa: most.isa, reason: isa ? '--isa asks for it' : environment.WHET_ISA ? 'WHET_ISA asks for it' : 'the best of those that run' },
    environment,
    gemm: gemms,
  };
}

/** A product of two 1024 x 1024 matrices, one of them constant as a layer's weights are; and what the cores could do at most. */
function gemm(isa: IsaName | undefined, wanted: number | undefined) {
  const x = input('x', 'float32', [gemmSize, gemmSize]);
  const weights = constant(sampleInput('float32', [gemmSize, gemmSize], 2));
  const graph: Graph = { name: 'gemm', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'y', value: apply('MatMul', [x, weights]) }] };
  const model = compileModel(graph, 'cpu', { isa, threads: wanted });
  const executable = model.compile();
  const { threads } = executable.info;
  const data = sampleInput('float32', [gemmSize, gemmSize]);
  const { latencyMs } = measure(() => executable.run({ x: data }), gemmSeconds);
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

function print(report: ReturnType<typeof examine>, terminal: Terminal): void {
  const { style } = terminal;
  const { chosen } = report;
  terminal.print(`${style.strong('whetstone')} ${report.version}  ${style.faint(`node ${report.node}, ${report.platform}`)}`);
  terminal.print();
  const variables = Object.entries(report.environment).map(([name, value]) => `${name}=${value}`);
  const rows = [
    ['processor', report.cpu],
    ['threads', `${report.threads}  ${coresInWords(report.cores)}`],
    ...(variables.length > 0 ? [['environment', variables.join('  ')]] : []),
  ];
  for (const line of columns(rows)) terminal.print(`  ${line}`);
  terminal.print();
  for (const { isa, usable, reason } of report.isas) {
    const runs = isa === chosen.isa;
    const name = isa.padEnd(8);
    terminal.print(`  ${runs ? style.good(`▸ ${name}`) : style.faint(`${usable ? '·' : '✗'} ${name}`)}  ${runs ? reason : style.faint(reason)}`);
  }
  terminal.print(`  ${style.faint(`${chosen.isa} is taken: ${chosen.reason}`)}`);
  terminal.print();
  for (const { threads, size, gflops, peakGflops, fractionOfPeak } of report.gemm) {
    const of = `${String(Math.round(100 * fractionOfPeak)).padStart(3)} % of ${threads === 1 ? "the core's" : "the cores'"} peak of ${peakGflops}`;
    const line = `${String(gflops).padStart(5)} GFLOP/s  ${style.accent(bar(fractionOfPeak, 20).padEnd(20))} ${of}`;
    terminal.print(`  gemm ${size}, ${threads} thread${threads === 1 ? ' ' : 's'}  ${line}`);
  }
}
