/**
 * take: elements of one axis picked by a table of indices, or weighted sums of several: Gather, Resize, and the paddings that
 * repeat the input. result[o, i, r] = sum over t of weight[i, t] * data[o, index[i, t], r].
 */
import type { DType } from '../../../graph/index.ts';
import { dtypes } from '../../../graph/index.ts';
import { type Int, type Isa, KernelBuilder, lanesOf } from '../codegen/index.ts';
import type { TaskedKernel } from './map.ts';
import { enterTask, loadArguments, loopAxes, splitTasks } from './nest.ts';
import { indexAt, type IndexDType } from './places.ts';

export interface TakeSpec {
  readonly name: string;
  readonly dtype: DType;
  /** Axes before the one picked from: extents, and strides of data and result in elements. */
  readonly outer: readonly { readonly extent: number; readonly data: number; readonly result: number }[];
  readonly length: number;
  readonly taps: number;
  /** Elements of the axis; indices beyond are taken from its nearest end, negative ones counted from its end. */
  readonly dim: number;
  readonly stride: { readonly data: number; readonly result: number };
  /** Axes after it, the last one in lanes. */
  readonly inner: readonly { readonly extent: number; readonly data: number; readonly result: number }[];
  readonly indexDtype: IndexDType;
  /** float32 or float64 weights, as the data. */
  readonly weighted: boolean;
}

const grain = 16 * 1024;

/** Arguments: data, indices, weights where weighted, result. */
export function takeKernel(isa: Isa, spec: TakeSpec): TaskedKernel {
  const { dtype, taps, dim, weighted } = spec;
  const size = dtypes[dtype].bytes;
  const elem = size === 8 ? 'f64' : 'f32';
  const indexBytes = spec.indexDtype === 'int64' ? 8 : 4;
  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const loaded = loadArguments(b, args, weighted ? 4 : 3);
  const [data, indices] = loaded;
  const weights = weighted ? loaded[2] : undefined;
  const result = loaded[loaded.length - 1];

  const axis = spec.outer.length;
  const extents = [...spec.outer.map(({ extent }) => extent), spec.length];
  const zeros = spec.outer.map(() => 0);
  const moved = [
    { dtype, strides: [...spec.outer.map((o) => o.data), 0] },
    { dtype: spec.indexDtype, strides: [...zeros, taps] },
    { dtype, strides: [...spec.outer.map((o) => o.result), spec.stride.result] },
    ...(weighted ? [{ dtype, strides: [...zeros, taps] }] : []),
  ];
  const pointers = [data, indices, result, ...(weights ? [weights] : [])];
  const axes = { extents, operands: moved };
  const innerCount = spec.inner.reduce((p, { extent }) => p * extent, 1);
  const split = splitTasks(extents, extents.reduce((x, y) => x * y, 1) * innerCount * taps, grain);
  const { rounds } = enterTask(b, task, axes, split, pointers);

  /** Where tap t's elements begin. */
  const source = (t: number): Int =>
    b.offset(data, indexAt(b, spec.indexDtype, b.at(indices, t * indexBytes), dim).index, spec.stride.data * size);

  const copyInner = () => {
    const sources = Array.from({ length: taps }, (_, t) => source(t));
    const out = b.move(result);
    const walk = (at: number): void => {
      if (at < spec.inner.length - 1) {
        const { extent, data: d, result: r } = spec.inner[at];
        b.loop(extent, () => {
          walk(at + 1);
          sources.forEach((pointer) => b.advance(pointer, d * size));
          b.advance(out, r * size);
        });
        sources.forEach((pointer) => b.advance(pointer, -extent * d * size));
        b.advance(out, -extent * r * size);
        return;
      }
      const last = spec.inner[at] ?? { extent: 1, data: 1, result: 1 };
      lanesLoop(last.extent, last.data, last.result, sources, out);
    };
    walk(0);
  };

  const lanesLoop = (extent: number, dataStride: number, resultStride: number, sources: readonly Int[], out: Int) => {
    const vector = size >= 4 && dataStride === 1 && resultStride === 1;
    const lanes = vector ? lanesOf(isa, elem) : 1;
    const element = (count: number) => {
      if (size < 4) {
        const value = b.iload('long', b.at(sources[0]), (size * 8) as 8 | 16, true);
        return b.istore(b.at(out), value, (size * 8) as 8 | 16);
      }
      if (!weighted && lanes === 1) {
        const width = (size * 8) as 32 | 64;
        return b.istore(b.at(out), b.iload('long', b.at(sources[0]), width), width);
      }
      const terms = sources.map((pointer, t) => {
        const x = b.load(elem, b.at(pointer), count);
        return weights ? { x, w: b.load(elem, b.splatAt(weights, t * size)) } : { x };
      });
      let sum = terms[0].w ? b.mul(elem, terms[0].x, terms[0].w) : terms[0].x;
      for (const { x, w } of terms.slice(1)) if (w) sum = b.fma(elem, x, w, sum);
      b.store(elem, b.at(out), sum, count);
    };
    const move = (count: number) => {
      sources.forEach((pointer) => b.advance(pointer, count * dataStride * size));
      b.advance(out, count * resultStride * size);
    };
    const full = Math.floor(extent / lanes);
    b.loop(full, () => {
      element(lanes);
      move(lanes);
    });
    if (extent % lanes > 0) element(extent % lanes);
    move(-full * lanes);
  };

  loopAxes(b, axes, split.axis, axis + 1, pointers, rounds, copyInner);
  return { code: b.finish(), tasks: split.tasks };
}
