/** Reductions and what goes along a dimension: sums, extremes, statistics, norms, cumulative sums, sorting. */
import { sizeOf } from '../graph/index.ts';
import { TensorError } from './errors.ts';
import { asFloat, dimOf, int64, int64s, isFloat, lift, make, makeAll, type Operand } from './make.ts';
import { abs, add, div, eq, exp, log, logicalNot, maximum, minimum, mul, ne, pow, sqrt, square, sub } from './pointwise.ts';
import { gather, reshape, squeeze } from './shape.ts';
import { Tensor } from './tensor.ts';

/** One dimension, several, or (left out) all. */
export type Dims = number | readonly number[];

/** Values along a dimension, and where they were (int64). */
export interface ValuesAndIndices {
  readonly values: Tensor;
  readonly indices: Tensor;
}

const dimsOf = (self: Tensor, dims: Dims | undefined): number[] =>
  self.ndim === 0 ? [] : dims === undefined ? [...self.shape.keys()] : (typeof dims === 'number' ? [dims] : [...dims]).map((dim) => dimOf(dim, self.ndim));

function reduced(op: string, self: Tensor, dims: Dims | undefined, keepdim: boolean): Tensor {
  const axes = dimsOf(self, dims);
  return make(op, [self, int64s(axes)], { keepdims: keepdim ? 1 : 0, noop_with_empty_axes: 1 });
}
const reduction = (op: string, as: (self: Tensor) => Tensor) => (self: Tensor, dims?: Dims, keepdim = false): Tensor => reduced(op, as(self), dims, keepdim);
const counted = (self: Tensor): Tensor => (isFloat(self.dtype) ? self : lift(self, 'int64'));

/** Sum over dimensions; of integers and truths as int64. */
export const sum = reduction('ReduceSum', counted);
/** Mean over dimensions; of integers as float32. */
export const mean = reduction('ReduceMean', asFloat);
/** Product over dimensions. */
export const prod = reduction('ReduceProd', counted);
/** Largest element over dimensions; equal ones share the gradient. */
export const amax = reduction('ReduceMax', (self) => self);
/** Smallest element over dimensions; equal ones share the gradient. */
export const amin = reduction('ReduceMin', (self) => self);
/** log(sum(exp(self))), without overflow. */
export const logsumexp = reduction('ReduceLogSumExp', asFloat);
/** Whether any element is true (not 0). */
export const any = (self: Tensor, dims?: Dims, keepdim = false): Tensor => ne(reduced('ReduceMax', lift(lift(self, 'bool'), 'int32'), dims, keepdim), 0);
/** Whether all elements are true (not 0). */
export const all = (self: Tensor, dims?: Dims, keepdim = false): Tensor => logicalNot(any(logicalNot(self), dims, keepdim));
/** How many elements are not 0, as int64. */
export const countNonzero = (self: Tensor, dims?: Dims): Tensor => sum(lift(self, 'bool'), dims);

const argument = (op: string) => (self: Tensor, dim?: number, keepdim = false): Tensor => {
  const x = self.dtype === 'bool' ? lift(self, 'uint8') : self;
  if (dim === undefined || self.ndim === 0) return make(op, [reshape(x, -1)], { axis: 0, keepdims: 0 });
  return make(op, [x], { axis: dimOf(dim, self.ndim), keepdims: keepdim ? 1 : 0 });
};
/** Where the largest element is, along a dimension or (left out) in the whole flat tensor. int64. */
export const argmax = argument('ArgMax');
/** Where the smallest element is. int64. */
export const argmin = argument('ArgMin');

function extreme(self: Tensor, arg: typeof argmax, dim: number, keepdim: boolean): ValuesAndIndices {
  const indices = arg(self, dim, true);
  const values = self.ndim === 0 ? self : gather(self, dim, indices);
  return keepdim || self.ndim === 0 ? { values, indices } : { values: squeeze(values, dim), indices: squeeze(indices, dim) };
}

/** The largest element of all. */
export function max(self: Tensor): Tensor;
/** The larger one of each pair. */
export function max(self: Tensor, other: Tensor): Tensor;
/** The largest elements along a dimension, and the first place of each. */
export function max(self: Tensor, dim: number, keepdim?: boolean): ValuesAndIndices;
export function max(self: Tensor, dim?: number | Tensor, keepdim = false): Tensor | ValuesAndIndices {
  if (dim instanceof Tensor) return maximum(self, dim);
  return dim === undefined ? amax(self) : extreme(self, argmax, dim, keepdim);
}

/** The smallest element of all. */
export function min(self: Tensor): Tensor;
/** The smaller one of each pair. */
export function min(self: Tensor, other: Tensor): Tensor;
/** The smallest elements along a dimension, and the first place of each. */
export function min(self: Tensor, dim: number, keepdim?: boolean): ValuesAndIndices;
export function min(self: Tensor, dim?: number | Tensor, keepdim = false): Tensor | ValuesAndIndices {
  if (dim instanceof Tensor) return minimum(self, dim);
  return dim === undefined ? amin(self) : extreme(self, argmin, dim, keepdim);
}

export interface VarianceOptions {
  /** Taken from the count in the divisor. Default 1: the unbiased estimate. */
  readonly correction?: number;
  readonly keepdim?: boolean;
}

/** Variance over dimensions. */
function variance(self: Tensor, dims?: Dims, { correction = 1, keepdim = false }: VarianceOptions = {}): Tensor {
  const x = asFloat(self);
  const count = sizeOf(dimsOf(self, dims).map((dim) => self.shape[dim]));
  const squares = sum(square(sub(x, mean(x, dims, true))), dims, keepdim);
  return div(squares, Math.max(0, count - correction));
}
export { variance as var };
/** Standard deviation over dimensions. */
export const std = (self: Tensor, dims?: Dims, options?: VarianceOptions): Tensor => sqrt(variance(self, dims, options));

/** Norm over dimensions: p is 2, 1, Infinity, -Infinity, 0 (how many are not 0) or any other number. */
export function norm(self: Tensor, p = 2, dims?: Dims, keepdim = false): Tensor {
  const x = asFloat(self);
  if (p === 2) return reduced('ReduceL2', x, dims, keepdim);
  if (p === 1) return reduced('ReduceL1', x, dims, keepdim);
  if (p === Infinity) return amax(abs(x), dims, keepdim);
  if (p === -Infinity) return amin(abs(x), dims, keepdim);
  if (p === 0) return sum(lift(ne(x, 0), x.dtype), dims, keepdim);
  return pow(sum(pow(abs(x), p), dims, keepdim), 1 / p);
}

/** Sums of all elements up to each, along a dimension. */
export const cumsum = (self: Tensor, dim: number): Tensor => make('CumSum', [counted(self), int64(dimOf(dim, self.ndim))]);

/** e^self over its sum along a dimension. */
export const softmax = (self: Tensor, dim: number): Tensor => make('Softmax', [asFloat(self)], { axis: dimOf(dim, self.ndim) });
/** log(softmax(self)), without overflow. */
export const logSoftmax = (self: Tensor, dim: number): Tensor => make('LogSoftmax', [asFloat(self)], { axis: dimOf(dim, self.ndim) });

// ---- sorting: computed on the host, between programs, since no device sorts yet

function ordered(self: Tensor, k: number, dim: number, largest: boolean): ValuesAndIndices {
  const [values, indices] = makeAll('TopK', [self, int64s([k])], { axis: dimOf(dim, self.ndim), largest: largest ? 1 : 0 });
  return { values, indices };
}
/** The k largest (or smallest) elements along a dimension, in order, and their places. Computed on the host. */
export function topk(self: Tensor, k: number, dim = -1, largest = true): ValuesAndIndices {
  const size = self.ndim === 0 ? 1 : self.shape[dimOf(dim, self.ndim)];
  if (!Number.isInteger(k) || k < 0 || k > size) throw new TensorError('topk', { expected: `k in [0, ${size}]`, got: `${k}` });
  return ordered(self, k, dim, largest);
}
/** All elements in order along a dimension, equal ones as they came, and their places. Computed on the host. */
export const sort = (self: Tensor, dim = -1, descending = false): ValuesAndIndices => ordered(self, self.shape[dimOf(dim, self.ndim)], dim, descending);
/** The places that put a dimension in order. Computed on the host. */
export const argsort = (self: Tensor, dim = -1, descending = false): Tensor => sort(self, dim, descending).indices;

// ---- comparing whole tensors: these read

/** Whether both have the same shape and elements. Reads. */
export const equal = (self: Tensor, other: Tensor): boolean =>
  self.shape.join() === other.shape.join() && all(eq(self, other)).item() === 1;
/** Whether |self - other| ≤ atol + rtol |other| everywhere. Reads. */
export function allClose(self: Tensor, other: Operand, { rtol = 1e-5, atol = 1e-8 }: { readonly rtol?: number; readonly atol?: number } = {}): boolean {
  const b = lift(other, self.dtype);
  const close = make('LessOrEqual', [abs(sub(self, b)), add(mul(abs(b), rtol), atol)]);
  return all(make('Or', [close, eq(self, b)])).item() === 1;
}
/** log(e^self + e^other), without overflow. */
export function logaddexp(self: Tensor, other: Operand): Tensor {
  const [a, b] = [asFloat(self), lift(other, asFloat(self).dtype)];
  return add(maximum(a, b), log(add(exp(mul(abs(sub(a, b)), -1)), 1)));
}
