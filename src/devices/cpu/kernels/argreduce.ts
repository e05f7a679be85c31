/** argreduce: the index of the greatest or least element along one axis; NaN counts as greater and less than all. */
import type { DType } from '../../../graph/index.ts';
import { type Isa, KernelBuilder, type Long, type Vec } from '../codegen/index.ts';
import type { TaskedKernel } from './map.ts';
import { bytesOf, coalesce, enterTask, loadArguments, loopAxes, splitTasks } from './nest.ts';
import { emitLoad, type Lane } from './pointwise/index.ts';

export interface ArgReduceSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly extents: readonly number[];
  /** Strides of data and of the int64 result over the kept axes. */
  readonly data: readonly number[];
  readonly result: readonly number[];
  readonly length: number;
  readonly stride: number;
  readonly greatest: boolean;
  readonly selectLast: boolean;
}

export function argReduceKernel(isa: Isa, spec: ArgReduceSpec): TaskedKernel {
  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const pointers = loadArguments(b, args, 2);
  const axes = coalesce({
    extents: spec.extents,
    operands: [
      { dtype: spec.dtype, strides: spec.data },
      { dtype: 'int64', strides: spec.result },
    ],
  });
  const work = axes.extents.reduce((x, y) => x * y, 1) * spec.length;
  const split = splitTasks(axes.extents, work, 16 * 1024);
  const { rounds } = enterTask(b, task, axes, split, pointers);
  const step = spec.stride * bytesOf(spec.dtype);
  const pred = spec.greatest ? (spec.selectLast ? 'ge' : 'gt') : spec.selectLast ? 'le' : 'lt';

  const element = () => {
    const at = b.move(pointers[0]);
    const load = (): Lane => emitLoad(b, { kind: 'scalar' }, spec.dtype, b.at(at), 1);
    const first = load();
    const best = first.kind === 'long' ? b.move(first.reg) : b.move(first.reg as Vec);
    const place = b.long(0n);
    const index = b.long(0n);
    b.loop(spec.length - 1, () => {
      b.advance(at, step);
      b.integer('iadd', index, 1, index);
      const x = load();
      let better;
      if (x.kind === 'long') better = b.icompare(pred, x.reg, best as Long);
      else if (x.kind === 'vec') {
        const { elem, reg } = x;
        const compared = b.compare(elem, pred, reg, best as Vec);
        // A NaN beats all numbers; the first (or last) NaN stays.
        const isNaN = b.compare(elem, 'ne', reg, reg);
        const bestIsNumber = b.compare(elem, 'eq', best as Vec, best as Vec);
        const nan = spec.selectLast ? isNaN : b.maskLogic('maskAnd', isNaN, bestIsNumber);
        better = b.integer('iand', b.maskBits(elem, b.maskLogic('maskOr', compared, nan)), 1);
      } else throw new Error('argreduce of masks');
      b.move(b.iselect(better, index, place), place);
      if (x.kind === 'long') b.move(b.iselect(better, x.reg, best as Long), best as Long);
      else if (x.kind === 'vec') b.if(better, () => void b.move(x.reg, best as Vec));
    });
    b.istore(b.at(pointers[1]), place, 64);
  };
  loopAxes(b, axes, split.axis, axes.extents.length, pointers, axes.extents.length === 0 ? undefined : rounds, element);
  return { code: b.finish(), tasks: split.tasks };
}
