/** What gradient rules share: undoing broadcasts and reductions, and adding elements up at the places they were read from. */
import { apply, type Shape, sameShape, sizeOf, type TensorType, type Value } from '../graph/index.ts';
import { int64s, reshape, scalar } from './helpers.ts';

/** The cotangent of what was broadcast: summed over the axes along which it was repeated. */
export function sumTo(dy: Value, shape: Shape): Value {
  const lead = dy.shape.length - shape.length;
  const axes = [...dy.shape.keys()].filter((axis) => axis < lead || (shape[axis - lead] === 1 && dy.shape[axis] !== 1));
  return reshape(axes.length === 0 ? dy : apply('ReduceSum', [dy, int64s(axes)], { keepdims: 0 }), shape);
}

export const expandTo = (x: Value, shape: Shape): Value => (sameShape(x.shape, shape) ? x : apply('Expand', [x, int64s(shape)]));

/** A value of this type, all of one number. */
export const filled = ({ dtype, shape }: TensorType, value: number): Value => expandTo(scalar(dtype, value), shape);

export const sumOver = (x: Value, axes: readonly number[], keepdims = 0): Value => apply('ReduceSum', [x, int64s(axes)], { keepdims });

/** Axes in another order; the value itself where that is the same. */
export const transposed = (x: Value, perm: readonly number[]): Value =>
  perm.every((axis, i) => axis === i) ? x : apply('Transpose', [x], { perm: [...perm] });

/**
 * The cotangent of a Gather: dy, whose axes `axis`, `axis + 1`, ... are those of `indices`, added up along one axis of `dim`
 * elements at the places that they name.
 */
export function scatterAxis(dy: Value, axis: number, indices: Value, dim: number): Value {
  const outer = dy.shape.slice(0, axis);
  const inner = dy.shape.slice(axis + indices.shape.length);
  const count = sizeOf(indices.shape);
  const rows = [sizeOf(outer), sizeOf(inner)];
  const updates = transposed(reshape(dy, [rows[0], count, rows[1]]), rows[0] === 1 ? [0, 1, 2] : [1, 0, 2]);
  const flat = sizeOf(rows);
  const sums = apply('ScatterND', [filled({ dtype: dy.dtype, shape: [dim, flat] }, 0), reshape(indices, [count, 1]), reshape(updates, [count, flat])], {
    reduction: 'add',
  });
  const shape = rows[0] === 1 ? [1, dim, rows[1]] : [dim, ...rows];
  return reshape(transposed(reshape(sums, shape), rows[0] === 1 ? [0, 1, 2] : [1, 0, 2]), [...outer, dim, ...inner]);
}
