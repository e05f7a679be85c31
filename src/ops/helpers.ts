/**
 * What every operator family shares: shape and axis rules, checked attributes, dtype groups, and element access for
 * reference evaluation. All checks throw GraphError; `makeNode` puts the operator and its operands in front.
 */
import {
  apply,
  type Attrs,
  constant,
  type DType,
  dtypes,
  formatType,
  GraphError,
  type InferContext,
  type Shape,
  sizeOf,
  stridesOf,
  type TensorData,
  tensorData,
  type TensorType,
  type TypedArray,
  type Value,
} from '../graph/index.ts';
import { decodeHalf, encodeHalf, isHalf } from './half.ts';

// ---- shapes and axes

/** NumPy's broadcast of shapes. @throws GraphError where two dimensions differ and neither is 1. */
export function broadcastShapes(...shapes: Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = Array.from({ length: rank }, () => 1);
  for (const shape of shapes) {
    for (let i = 0; i < shape.length; i++) {
      const axis = rank - shape.length + i;
      if (shape[i] === result[axis] || shape[i] === 1) continue;
      if (result[axis] !== 1) {
        throw new GraphError('broadcast', {
          expected: 'equal dimensions, or 1',
          got: `${shapes.map((s) => `[${s.join(',')}]`).join(' and ')} (axis ${axis - rank})`,
        });
      }
      result[axis] = shape[i];
    }
  }
  return result;
}

/** Strides in elements that read `shape` as if it had been broadcast to `target`: 0 along repeated axes. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const strides = stridesOf(shape);
  const lead = target.length - shape.length;
  return target.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : strides[axis - lead]));
}

/** A non-negative axis. @throws GraphError outside [-rank, rank-1]. */
export function normalizeAxis(axis: number, rank: number, what = 'axis'): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new GraphError(what, { expected: `an integer in [${-rank}, ${rank - 1}] for rank ${rank}`, got: `${axis}` });
  }
  return axis < 0 ? axis + rank : axis;
}

/** Non-negative axes in the order given. @throws GraphError out of range or named twice. */
export function normalizeAxes(axes: readonly number[], rank: number, what = 'axes'): number[] {
  const result = axes.map((axis) => normalizeAxis(axis, rank, what));
  if (new Set(result).size !== result.length) throw new GraphError(what, { expected: 'distinct axes', got: `[${axes.join(',')}]` });
  return result;
}

// ---- attributes: a missing one takes the default; a default of undefined makes it required

function readAttr<T>(attrs: Attrs, name: string, fallback: T | undefined, expected: string, ok: (value: unknown) => boolean): T {
  const value = attrs[name] ?? fallback;
  if (value === undefined || !ok(value)) {
    const got = value === undefined ? 'nothing' : typeof value === 'object' && !Array.isArray(value) ? 'a tensor' : JSON.stringify(value);
    throw new GraphError(`attribute ${name}`, { expected, got });
  }
  return value as T;
}

const isNumber = (value: unknown): boolean => typeof value === 'number';
const isInt = (value: unknown): boolean => Number.isSafeInteger(value);

export const numberAttr = (attrs: Attrs, name: string, fallback?: number): number =>
  readAttr(attrs, name, fallback, 'a number', isNumber);

export function intAttr(attrs: Attrs, name: string, fallback?: number, min = -Infinity): number {
  const expected = min === -Infinity ? 'an integer' : `an integer of at least ${min}`;
  return readAttr(attrs, name, fallback, expected, (value) => isInt(value) && (value as number) >= min);
}

/** ONNX's integer 0 or 1, or a boolean. */
export const flagAttr = (attrs: Attrs, name: string, fallback?: boolean): boolean =>
  Boolean(readAttr<unknown>(attrs, name, fallback, '0 or 1', (value) => value === 0 || value === 1 || typeof value === 'boolean'));

export function intsAttr(attrs: Attrs, name: string, fallback?: readonly number[], min = -Infinity): readonly number[] {
  const expected = min === -Infinity ? 'a list of integers' : `a list of integers of at least ${min}`;
  return readAttr(attrs, name, fallback, expected, (value) => Array.isArray(value) && value.every((v) => isInt(v) && v >= min));
}

/** A string, one of `allowed` where given. */
export const stringAttr = <T extends string>(attrs: Attrs, name: string, fallback?: T, allowed?: readonly T[]): T =>
  readAttr(attrs, name, fallback, allowed ? `one of ${allowed.join(', ')}` : 'a string', (value) =>
    allowed ? allowed.includes(value as T) : typeof value === 'string');

// ---- operands

const allDTypes = Object.keys(dtypes) as DType[];
const ofKind = (...kinds: string[]): DType[] => allDTypes.filter((dtype) => kinds.includes(dtypes[dtype].kind));

/** What an operator's type constraint may be. */
export const dtypeGroups = {
  any: allDTypes,
  float: ofKind('float'),
  int: ofKind('int'),
  numeric: ofKind('float', 'int'),
  signed: ofKind('float', 'int').filter((dtype) => !dtype.startsWith('u')),
  bool: ['bool'],
  index: ['int32', 'int64'],
} as const satisfies Record<string, readonly DType[]>;

export type DTypeGroup = keyof typeof dtypeGroups;

export const isFloat = (dtype: DType): boolean => dtypes[dtype].kind === 'float';

/** The type of operand i. @throws GraphError where it was left out or its dtype is not in the group. */
export function operand(context: InferContext, i: number, group: DTypeGroup = 'any', what = `input ${i}`): TensorType {
  const type = context.inputs[i];
  if (!type) throw new GraphError(what, { expected: 'a tensor', got: 'nothing' });
  if (!(dtypeGroups[group] as readonly DType[]).includes(type.dtype)) {
    throw new GraphError(what, { expected: group === 'any' ? 'a tensor' : `a ${group} tensor`, got: type.dtype });
  }
  return type;
}

/** Like `operand`, or undefined where it was left out. */
export const optionalOperand = (context: InferContext, i: number, group: DTypeGroup = 'any', what?: string): TensorType | undefined =>
  context.inputs[i] ? operand(context, i, group, what) : undefined;

/** The dtype all given types share. @throws GraphError where they differ. */
export function commonDType(types: readonly TensorType[]): DType {
  const [{ dtype }] = types;
  if (types.some((type) => type.dtype !== dtype)) {
    throw new GraphError('operands', { expected: 'one dtype', got: types.map((type) => type.dtype).join(' and '), hint: 'insert a Cast' });
  }
  return dtype;
}

/** @throws GraphError unless the tensor has exactly this shape. */
export function expectShape(type: TensorType, shape: Shape, what: string): void {
  if (type.shape.length !== shape.length || type.shape.some((dim, axis) => dim !== shape[axis])) {
    throw new GraphError(what, { expected: `shape [${shape.join(',')}]`, got: formatType(type) });
  }
}

/**
 * Operand i as integers, for operands that decide a shape (axes, sizes, ...): undefined where left out.
 * @throws GraphError where it is no integer tensor or not known when the graph is made.
 */
export function constantInts(context: InferContext, i: number, what = `input ${i}`): number[] | undefined {
  if (!optionalOperand(context, i, 'int', what)) return undefined;
  const value = context.constant(i);
  if (!value) {
    throw new GraphError(what, {
      expected: 'a constant',
      got: 'a computed value',
      hint: 'result shapes must be known when the graph is made; fold the constants that feed it first',
    });
  }
  return toInts(value);
}

/** An integer tensor's values. @throws GraphError on values beyond 2^53, which no shape or index can mean. */
export function toInts(value: TensorData): number[] {
  return Array.from(value.data as ArrayLike<number | bigint>, (v) => {
    const int = Number(v);
    if (!Number.isSafeInteger(int)) throw new GraphError('an integer operand', { expected: 'less than 2^53', got: `${v}` });
    return int;
  });
}

// ---- making values, for decompositions

/** A 0-d constant. */
export const scalar = (dtype: DType, value: number): Value => constant(fromElements({ dtype, shape: [] }, [value]));

/** A 1-d int64 constant: shapes, axes, pads. */
export const int64s = (values: readonly number[]): Value =>
  constant(tensorData('int64', [values.length], BigInt64Array.from(values, BigInt)));

/** `Reshape` to a known shape, unless it is that already. */
export function reshape(value: Value, shape: Shape): Value {
  const same = value.shape.length === shape.length && value.shape.every((dim, axis) => dim === shape[axis]);
  return same ? value : apply('Reshape', [value, int64s(shape)], { allowzero: 1 });
}

// ---- element access, for reference evaluation

const isBig = (data: TypedArray): data is BigInt64Array | BigUint64Array =>
  data instanceof BigInt64Array || data instanceof BigUint64Array;

/** The elements as numbers: 16-bit floats decoded, 64-bit integers rounded to doubles, all else as it is held. */
export function numbersOf({ dtype, data }: TensorData): ArrayLike<number> {
  if (isHalf(dtype)) return Float32Array.from(data as Uint16Array, (bits) => decodeHalf(dtype, bits));
  return isBig(data) ? Float64Array.from(data as BigInt64Array, Number) : data;
}

/** The elements of an integer or bool tensor as bigints, in which no integer operator is inexact. */
export function bigintsOf({ data }: TensorData): ArrayLike<bigint> {
  return isBig(data) ? data : Array.from(data, BigInt);
}

/**
 * A tensor of computed elements. Numbers round to nearest even (floats) or truncate and saturate, NaN as 0 (integers);
 * bigints wrap to the integer's width. A buffer that already is the dtype's array is taken as it is.
 */
export function fromElements(type: TensorType, elements: ArrayLike<number> | ArrayLike<bigint>): TensorData {
  const { dtype, shape } = type;
  const { array, kind, bytes } = dtypes[dtype];
  if (isHalf(dtype)) {
    return tensorData(dtype, shape, Uint16Array.from(elements as ArrayLike<number>, (value) => encodeHalf(dtype, value)));
  }
  if (elements instanceof array) return tensorData(dtype, shape, elements as TypedArray);
  const result = new array(elements.length) as Float64Array;
  const big = isBig(result);
  const [low, high] = kind === 'int' ? intRange(dtype) : [0n, 1n];
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i];
    if (kind === 'float') result[i] = element as number;
    else if (kind === 'bool') result[i] = Number(element) === 0 ? 0 : 1;
    else {
      const int =
        typeof element === 'number' ? saturate(element, low, high) : low < 0n ? BigInt.asIntN(bytes * 8, element) : BigInt.asUintN(bytes * 8, element);
      result[i] = (big ? int : Number(int)) as number;
    }
  }
  return tensorData(dtype, shape, result);
}

/** Smallest and largest value of an integer dtype. */
export function intRange(dtype: DType): [low: bigint, high: bigint] {
  const bits = BigInt(dtypes[dtype].bytes * 8);
  return dtype.startsWith('u') ? [0n, (1n << bits) - 1n] : [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n];
}

function saturate(value: number, low: bigint, high: bigint): bigint {
  if (Number.isNaN(value)) return 0n;
  if (value >= Number(high)) return high;
  return value <= Number(low) ? low : BigInt(Math.trunc(value));
}

/**
 * Offsets of the elements of `shape`, walked row-major, in a buffer with these strides:
 * `offsets(out, broadcastStrides(in, out))[i]` is where output element i reads its input.
 */
export function offsetsOf(shape: Shape, strides: readonly number[], start = 0): Uint32Array {
  const size = sizeOf(shape);
  const offsets = new Uint32Array(size);
  const index = shape.map(() => 0);
  let offset = start;
  for (let i = 0; i < size; i++) {
    offsets[i] = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += strides[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return offsets;
}
