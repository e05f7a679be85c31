/**
 * argreduce: where the greatest or least of some elements lies; NaN counts as greater and less than all. ArgMax looks along an
 * axis, max pooling's Indices over a window: both only differ in how far element and index move along each axis.
 */
import type { DType } from '../../../graph/index.ts';
import { type Int, type Isa, KernelBuilder, type Long, type Vec } from '../codegen/index.ts';
import type { TaskedKernel } from './map.ts';
import { bytesOf, coalesce, enterTask, loadArguments, loopAxes, splitTasks } from './nest.ts';
import { compareLongs, emitLoad, type Lane } from './pointwise/index.ts';

export interface ArgReduceSpec {
  readonly name: string;
  readonly dtype: DType;
  /** Kept axes: strides of data and of the int64 result in elements, and what the index grows by. */
  readonly kept: readonly { readonly extent: number; readonly data: number; readonly result: number; readonly index: number }[];
  /** Axes that are searched. */
  readonly searched: readonly { readonly extent: number; readonly data: number; readonly index: number }[];
  /** The index of the first element; below 0 where a window begins in the padding. */
  readonly firstIndex: number;
  readonly greatest: boolean;
  readonly selectLast: boolean;
}

const grain = 16 * 1024;

/** Arguments: data, result. */
export function argReduceKernel(isa: Isa, spec: ArgReduceSpec): TaskedKernel {
  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const [data, result] = loadArguments(b, args, 2);
  // The index walks along as one more pointer, in steps of one byte.
  const pointers = [data, result, b.int(spec.firstIndex)];
  const axes = coalesce({
    extents: spec.kept.map(({ extent }) => extent),
    operands: [
      { dtype: spec.dtype, strides: spec.kept.map((axis) => axis.data) },
      { dtype: 'int64', strides: spec.kept.map((axis) => axis.result) },
      { dtype: 'uint8', strides: spec.kept.map((axis) => axis.index) },
    ],
  });
  const searched = spec.searched.reduce((count, { extent }) => count * extent, 1);
  const work = axes.extents.reduce((x, y) => x * y, 1) * searched;
  const split = splitTasks(axes.extents, work, grain);
  const { rounds } = enterTask(b, task, axes, split, pointers);
  const size = bytesOf(spec.dtype);
  const load = (at: Int): Lane => emitLoad(b, { kind: 'scalar' }, spec.dtype, b.at(at), 1);

  const search = () => {
    const at = b.move(pointers[0]);
    const index = b.move(pointers[2]);
    const first = load(at);
    if (first.kind === 'mask') throw new Error('argreduce of masks');
    const best = first.kind === 'long' ? b.move(first.reg) : b.move(first.reg);
    const place = b.move(index);
    const walk = (axis: number): void => {
      if (axis === spec.searched.length) {
        const x = load(at);
        const better = isBetter(b, spec, x, best);
        b.if(better, () => {
          b.move(index, place);
          if (x.kind === 'long') b.move(x.reg, best as Long);
          else b.move(x.reg as Vec, best as Vec);
        });
        return;
      }
      const { extent, data: stride, index: step } = spec.searched[axis];
      b.loop(extent, () => {
        walk(axis + 1);
        b.advance(at, stride * size);
        b.advance(index, step);
      });
      b.advance(at, -extent * stride * size);
      b.advance(index, -extent * step);
    };
    walk(0);
    b.istore(b.at(pointers[1]), b.extend(place), 64);
  };
  loopAxes(b, axes, split.axis, axes.extents.length, pointers, axes.extents.length === 0 ? undefined : rounds, search);
  return { code: b.finish(), tasks: split.tasks };
}

/** Whether `x` takes the place of the best so far: the first NaN (or the last) stays. */
function isBetter(b: KernelBuilder, { dtype, greatest, selectLast }: ArgReduceSpec, x: Lane, best: Vec | Long): Int {
  const pred = greatest ? (selectLast ? 'ge' : 'gt') : selectLast ? 'le' : 'lt';
  if (x.kind === 'long') return compareLongs(b, dtype, pred, x.reg, best as Long);
  const { elem, reg } = x as { elem: 'f32' | 'f64'; reg: Vec };
  const bestIsNumber = b.compare(elem, 'eq', best as Vec, best as Vec);
  const isNaN = b.compare(elem, 'ne', reg, reg);
  const nan = selectLast ? isNaN : b.maskLogic('maskAnd', isNaN, bestIsNumber);
  return b.integer('iand', b.maskBits(elem, b.maskLogic('maskOr', b.compare(elem, pred, reg, best as Vec), nan)), 1);
}
