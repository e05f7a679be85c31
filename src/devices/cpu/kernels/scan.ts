/**
 * scan: running sums along one axis. Sums stay in registers from element to element, those of float32 as float64, so that the
 * error does not grow with the length. Neighbouring lines (where another axis is the contiguous one) run in lanes.
 */
import type { DType } from '../../../graph/index.ts';
import { type Int, type Isa, KernelBuilder, lanesOf } from '../codegen/index.ts';
import type { TaskedKernel } from './map.ts';
import { bytesOf, coalesce, enterTask, loadArguments, loopAxes, splitTasks } from './nest.ts';
import { emitLoad, emitStore } from './pointwise/index.ts';

/** An axis; strides in elements, below 0 where it is walked from its end. */
interface ScanAxis {
  readonly extent: number;
  readonly data: number;
  readonly result: number;
}

export interface ScanSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly kept: readonly ScanAxis[];
  /** Lines side by side that are summed together; 1 for whole numbers. */
  readonly lines: number;
  readonly scanned: ScanAxis;
  /** Each sum is that of the elements before it. */
  readonly exclusive: boolean;
}

const grain = 16 * 1024;
/** Terms written out in the loop. */
const unroll = 8;

/** How many lines run side by side: 4 vectors hide the latency of an addition (4 cycles, one a cycle and more). */
export const scanLines = (isa: Isa, dtype: DType): number => (dtype === 'float32' || dtype === 'float64' ? 4 * lanesOf(isa, 'f64') : 1);

/** Arguments: data, result. */
export function scanKernel(isa: Isa, spec: ScanSpec): TaskedKernel {
  const { dtype, kept, lines, scanned } = spec;
  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const pointers = loadArguments(b, args, 2);
  const axes = coalesce({
    extents: kept.map(({ extent }) => extent),
    operands: [
      { dtype, strides: kept.map(({ data }) => data) },
      { dtype, strides: kept.map(({ result }) => result) },
    ],
  });
  const work = axes.extents.reduce((count, extent) => count * extent, scanned.extent * lines);
  const split = splitTasks(axes.extents, work, grain);
  const { rounds } = enterTask(b, task, axes, split, pointers);
  const dataBytes = scanned.data * bytesOf(dtype);
  const resultBytes = scanned.result * bytesOf(dtype);

  loopAxes(b, axes, split.axis, axes.extents.length, pointers, axes.extents.length === 0 ? undefined : rounds, () => {
    const [from, to] = pointers.map((pointer) => b.move(pointer));
    const sums = makeSums(b, dtype, lines);
    const terms = (count: number) => {
      for (let k = 0; k < count; k++) {
        if (spec.exclusive) sums.store(to, k * resultBytes);
        sums.add(from, k * dataBytes);
        if (!spec.exclusive) sums.store(to, k * resultBytes);
      }
      b.advance(from, count * dataBytes);
      b.advance(to, count * resultBytes);
    };
    b.loop(Math.floor(scanned.extent / unroll), () => terms(unroll));
    terms(scanned.extent % unroll);
  });
  return { code: b.finish(), tasks: split.tasks };
}

interface Sums {
  add(from: Int, offsetBytes: number): void;
  store(to: Int, offsetBytes: number): void;
}

/** Registers that start at zero: vectors of float64 for floats, one 64-bit integer for whole numbers (stores wrap it). */
function makeSums(b: KernelBuilder, dtype: DType, lines: number): Sums {
  const elem = dtype === 'float32' ? 'f32' : 'f64';
  if (dtype !== 'float32' && dtype !== 'float64') {
    const sum = b.move(b.long(0n));
    return {
      add(from, offsetBytes) {
        const x = emitLoad(b, { kind: 'scalar' }, dtype, b.at(from, offsetBytes));
        if (x.kind === 'long') b.integer('iadd', sum, x.reg, sum);
      },
      store: (to, offsetBytes) => emitStore(b, { kind: 'scalar' }, dtype, b.at(to, offsetBytes), { kind: 'long', reg: sum }),
    };
  }
  const lanes = lanesOf(b.isa, 'f64');
  const vectors = Array.from({ length: Math.ceil(lines / lanes) }, (_, v) => ({
    sum: b.variable('f64', 0),
    at: v * lanes * bytesOf(dtype),
    count: Math.min(lanes, lines - v * lanes),
  }));
  return {
    add(from, offsetBytes) {
      for (const { sum, at, count } of vectors) {
        const x = b.load(elem, b.at(from, offsetBytes + at), count);
        b.add('f64', sum, elem === 'f32' ? b.convert('widen', x) : x, sum);
      }
    },
    store(to, offsetBytes) {
      for (const { sum, at, count } of vectors) b.store(elem, b.at(to, offsetBytes + at), elem === 'f32' ? b.convert('narrow', sum) : sum, count);
    },
  };
}
