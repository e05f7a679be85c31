/** TensorData: an element type, a shape and the values, row-major. It knows no device and computes nothing. */
import { type DType, dtypes, type TypedArray } from './dtype.ts';
import { GraphError } from './errors.ts';

export type Shape = readonly number[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface TensorData extends TensorType {
  readonly data: TypedArray;
}

/** Number of elements of a shape; 1 for a scalar (`[]`). */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dim, axis) => dim === b[axis]);

/** `float32[1,3,224,224]`, as messages and the printer show a type. */
export const formatType = (type: TensorType): string => `${type.dtype}[${type.shape.join(',')}]`;

/** Wraps values as a tensor without copying. @throws GraphError where length or array kind do not fit. */
export function tensorData(dtype: DType, shape: Shape, data: TypedArray): TensorData {
  const info = dtypes[dtype];
  if (!(data instanceof info.array)) {
    throw new GraphError(`a ${dtype} tensor`, { expected: info.array.name, got: data.constructor.name });
  }
  if (data.length !== sizeOf(shape)) {
    throw new GraphError(`the values of a ${formatType({ dtype, shape })} tensor`, {
      expected: `${sizeOf(shape)} elements`,
      got: `${data.length}`,
    });
  }
  return { dtype, shape: [...shape], data };
}

/** A zero-filled tensor. */
export const zeros = (dtype: DType, shape: Shape): TensorData =>
  tensorData(dtype, shape, new dtypes[dtype].array(sizeOf(shape)));

/** A tensor from plain numbers (rounded or truncated to the dtype as JavaScript does). */
export function fromNumbers(dtype: DType, shape: Shape, values: readonly number[]): TensorData {
  const tensor = zeros(dtype, shape);
  const big = tensor.data instanceof BigInt64Array || tensor.data instanceof BigUint64Array;
  if (values.length !== tensor.data.length) {
    throw new GraphError('fromNumbers', { expected: `${tensor.data.length} values`, got: `${values.length}` });
  }
  for (let i = 0; i < values.length; i++) tensor.data[i] = (big ? BigInt(Math.trunc(values[i])) : values[i]) as never;
  return tensor;
}

/** The values as plain numbers; int64 values must be safe integers or are rounded to the nearest double. */
export const toNumbers = (tensor: TensorData): number[] => Array.from(tensor.data as ArrayLike<number | bigint>, Number);
