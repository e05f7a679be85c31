/**
 * Keras sees channels last; the graph computes channels first. A Tensor is a value tagged with how it is held, and
 * moves only when a layer needs the other order, so a chain of convolutions transposes once at its start.
 */
import { apply, constant, type Shape, sizeOf, tensorData, type Value } from '../../graph/index.ts';

export interface Tensor {
  readonly value: Value;
  /** True where Keras's last axis is held as axis 1. Never true below rank 3, where the orders are the same. */
  readonly channelsFirst: boolean;
}

/** A value in Keras's own order. */
export const asIs = (value: Value): Tensor => ({ value, channelsFirst: false });

/** A value whose axis 1 is Keras's last axis. */
export const heldChannelsFirst = (value: Value): Tensor => ({ value, channelsFirst: value.shape.length > 2 });

/** The shape as Keras sees it. */
export function shapeOf({ value: { shape }, channelsFirst }: Tensor): Shape {
  return channelsFirst ? [shape[0], ...shape.slice(2), shape[1]] : shape;
}

/** Where a (non-negative) axis of Keras lies in the value. */
export function heldAxis({ value: { shape }, channelsFirst }: Tensor, axis: number): number {
  if (!channelsFirst || axis === 0) return axis;
  return axis === shape.length - 1 ? 1 : axis + 1;
}

/** The value in Keras's order. */
export function plain({ value, channelsFirst }: Tensor): Value {
  return channelsFirst ? moved(value, toLast, toFirst, [0, ...span(2, value.shape.length), 1]) : value;
}

/** The value with Keras's last axis as axis 1. */
export function channelsFirst(tensor: Tensor): Value {
  const { value } = tensor;
  const rank = value.shape.length;
  return tensor.channelsFirst || rank < 3 ? value : moved(value, toFirst, toLast, [0, rank - 1, ...span(1, rank - 1)]);
}

const span = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

// What was moved before: a value that several layers read is transposed once, and moving back is free.
const toFirst = new WeakMap<Value, Value>();
const toLast = new WeakMap<Value, Value>();

function moved(value: Value, there: WeakMap<Value, Value>, back: WeakMap<Value, Value>, perm: number[]): Value {
  const known = there.get(value);
  if (known) return known;
  const shape = perm.map((axis) => value.shape[axis]);
  const real = perm.filter((axis) => value.shape[axis] !== 1);
  const inOrder = real.every((axis, i) => i === 0 || real[i - 1] < axis);
  const result = inOrder ? reshape(value, shape) : apply('Transpose', [value], { perm }, `${value.node.name}/layout`);
  there.set(value, result);
  back.set(result, value);
  return result;
}

/** A one-dimensional int64 constant, as ONNX takes shapes, axes and pads. */
export const int64s = (values: readonly number[]): Value =>
  constant(tensorData('int64', [values.length], BigInt64Array.from(values, BigInt)));

/** A float32 scalar. */
export const scalar = (value: number): Value => constant(tensorData('float32', [], Float32Array.of(value)));

/** A float32 vector of one value. */
export const filled = (size: number, value: number): Value => constant(tensorData('float32', [size], new Float32Array(size).fill(value)));

export function reshape(value: Value, shape: Shape, name = ''): Value {
  return apply('Reshape', [value, int64s(shape)], sizeOf(shape) === 0 ? { allowzero: 1 } : {}, name);
}

export const transpose = (value: Value, perm: readonly number[], name = ''): Value => apply('Transpose', [value], { perm: [...perm] }, name);
