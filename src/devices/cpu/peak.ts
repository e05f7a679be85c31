/** What a core can do at most: multiply-adds on registers alone. Speeds are told as fractions of it. */
import { KernelBuilder, lanesOf } from './codegen/index.ts';
import type { IsaName } from './codegen/index.ts';
import { getRuntime } from './runtime/index.ts';

export interface Peak {
  readonly isa: IsaName;
  readonly threads: number;
  /** Best of all rounds, all threads together. */
  readonly gflops: number;
}

const rounds = 20_000;

/** Measures for about `seconds`, with one task a thread. */
export function measurePeak(options: { isa?: IsaName; threads?: number; seconds?: number } = {}): Peak {
  const runtime = getRuntime(options.isa);
  const { isa } = runtime;
  const threads = options.threads ?? 1;
  // Independent sums enough to hide the latency (4 cycles x 2 units), few enough to stay in registers.
  const sums = Math.min(12, isa.vectorRegisters - 3);
  const b = new KernelBuilder('peak', isa);
  const args = b.param();
  b.param();
  const out = b.loadPointer(b.at(args));
  const vectors = Array.from({ length: isa.pairs ? 2 : 1 }, (_, v) => v * isa.vectorBytes);
  const y = b.load('f32', b.splatAt(out, 64));
  const x = vectors.map((at) => b.load('f32', b.at(out, at)));
  const accumulators = Array.from({ length: sums }, () => x.map(() => b.variable('f32', 0)));
  b.loop(rounds, () => accumulators.forEach((pair) => pair.forEach((sum, v) => b.accumulate('f32', sum, x[v], y))));
  const totals = x.map((_, v) => accumulators.map((pair) => pair[v]).reduce((a, c) => b.add('f32', a, c)));
  totals.forEach((total, v) => b.store('f32', b.at(out, vectors[v]), total));

  const code = runtime.load([b.finish()]);
  const block = runtime.allocate(128);
  const execution = runtime.createExecution(code, [{ kernel: 0, tasks: 4 * threads, args: [{ block, offset: 0 }], label: { op: 'peak' } }], 0);
  const flops = 4 * threads * rounds * sums * vectors.length * lanesOf(isa, 'f32') * 2;
  let best = Infinity;
  const end = performance.now() + 1000 * (options.seconds ?? 0.3);
  do {
    const start = performance.now();
    execution.run(threads);
    best = Math.min(best, performance.now() - start);
  } while (performance.now() < end);
  execution.dispose();
  code.dispose();
  runtime.free(block);
  return { isa: isa.name, threads, gflops: flops / best / 1e6 };
}
