/** Making tensors from numbers and from nothing, and putting several together. */
import { type DType, dtypes, sizeOf, type TensorData, tensorData, type TypedArray } from '../graph/index.ts';
import { fromElements } from '../ops/index.ts';
import { known } from './cells.ts';
import { TensorError } from './errors.ts';
import { dimOf, int64s, lift, make, meet, scalar } from './make.ts';
import { reshape, unsqueeze } from './shape.ts';
import { type Nested, Tensor } from './tensor.ts';

export interface TensorOptions {
  readonly dtype?: DType;
  readonly requiresGrad?: boolean;
}

/** Numbers as they are, in lists within lists, or a typed array. */
export type TensorLike = Nested<number> | Nested<boolean> | Nested<bigint> | readonly TensorLike[] | TypedArray;

const finish = (tensor: Tensor, { dtype, requiresGrad = false }: TensorOptions): Tensor => {
  const result = dtype && tensor.dtype !== dtype ? lift(tensor, dtype) : tensor;
  return requiresGrad ? result.detach().requiresGrad_() : result;
};
const isTyped = (data: unknown): data is TypedArray => ArrayBuffer.isView(data) && !(data instanceof DataView);

/**
 * A tensor of these values, copied: `tensor([[1, 2], [3, 4]])`. float32 unless told otherwise; truths are bool, bigints int64, typed
 * arrays what they hold (Uint16Array: uint16).
 * @throws TensorError where lists are of different lengths
 */
export function tensor(data: TensorLike, options: TensorOptions = {}): Tensor {
  if (isTyped(data)) return finish(fromTypedArray(data.slice() as TypedArray, [data.length]), options);
  const shape: number[] = [];
  for (let at: unknown = data; Array.isArray(at) || isTyped(at); at = at[0]) shape.push(at.length);
  const flat: (number | boolean | bigint)[] = [];
  const walk = (part: unknown, axis: number): void => {
    const isList = Array.isArray(part) || isTyped(part);
    const length = isList ? (part as ArrayLike<unknown>).length : undefined;
    if (length !== shape[axis]) {
      throw new TensorError('tensor', { expected: `lists of equal lengths, [${shape.join(',')}]`, got: isList ? `a list of ${length} at level ${axis}` : `a ${typeof part} at level ${axis}` });
    }
    if (isList) for (const element of part as Iterable<unknown>) walk(element, axis + 1);
    else if (typeof part === 'number' || typeof part === 'boolean' || typeof part === 'bigint') flat.push(part);
    else throw new TensorError('tensor', { expected: 'numbers, truths or bigints', got: part === null ? 'null' : typeof part });
  };
  walk(data, 0);
  const held = new Set(flat.map((element) => typeof element));
  const dtype = options.dtype ?? (held.size !== 1 ? 'float32' : held.has('boolean') ? 'bool' : held.has('bigint') ? 'int64' : 'float32');
  const isInt = dtypes[dtype].kind === 'int' && held.has('bigint');
  const elements = isInt ? BigInt64Array.from(flat, BigInt) : Float64Array.from(flat, Number);
  return finish(new Tensor(known(fromElements({ dtype, shape }, elements as unknown as ArrayLike<number>))), options);
}

const dtypeOf = (data: TypedArray): DType =>
  (Object.keys(dtypes) as DType[]).find((dtype) => dtype !== 'bool' && data instanceof dtypes[dtype].array) ?? 'float32';

/** A tensor over a typed array, which is not copied and must not be changed afterwards. */
export function fromTypedArray(data: TypedArray, shape: readonly number[] = [data.length], dtype: DType = dtypeOf(data)): Tensor {
  return new Tensor(known(tensorData(dtype, shape, data)));
}
/** A tensor over TensorData, such as `preprocess` and `readSafetensors` give; not copied. */
export const fromTensorData = (data: TensorData): Tensor => new Tensor(known(data));

/** A tensor of this shape, all of one number. */
export const full = (shape: readonly number[], value: number, options: TensorOptions = {}): Tensor =>
  finish(shape.length === 0 ? scalar(options.dtype ?? 'float32', value) : make('Expand', [scalar(options.dtype ?? 'float32', value), int64s(shape)]), options);
export const zeros = (shape: readonly number[], options?: TensorOptions): Tensor => full(shape, 0, options);
export const ones = (shape: readonly number[], options?: TensorOptions): Tensor => full(shape, 1, options);
/** Of another tensor's shape and, unless told otherwise, dtype. */
export const fullLike = (like: Tensor, value: number, options: TensorOptions = {}): Tensor => full(like.shape, value, { dtype: like.dtype, ...options });
export const zerosLike = (like: Tensor, options?: TensorOptions): Tensor => fullLike(like, 0, options);
export const onesLike = (like: Tensor, options?: TensorOptions): Tensor => fullLike(like, 1, options);

/** `arange(end)`, `arange(start, end)`, `arange(start, end, step)`: up to before the end. int64 where all are whole. */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step: number, options?: TensorOptions): Tensor;
export function arange(...args: readonly (number | TensorOptions | undefined)[]): Tensor {
  const numbers = args.filter((arg) => typeof arg === 'number');
  const options = args.find((arg) => typeof arg === 'object') ?? {};
  const [start, end, step] = numbers.length === 1 ? [0, numbers[0], 1] : [numbers[0], numbers[1], numbers[2] ?? 1];
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (!(Number.isFinite(count) && count < 2 ** 31)) throw new TensorError('arange', { expected: 'finite bounds and a step other than 0', got: `${start} to ${end} by ${step}` });
  const dtype = options.dtype ?? (numbers.every(Number.isInteger) ? 'int64' : 'float32');
  return fromNumbers(dtype, [count], (i) => start + i * step, options);
}
/** `steps` numbers from start to end, both included. */
export const linspace = (start: number, end: number, steps: number, options: TensorOptions = {}): Tensor =>
  // From both ends, so that both are exact.
  fromNumbers(options.dtype ?? 'float32', [steps], (i) => (i < steps / 2 ? start + (i * (end - start)) / Math.max(1, steps - 1) : end - ((steps - 1 - i) * (end - start)) / Math.max(1, steps - 1)), options);
/** 1 on the diagonal, 0 elsewhere. */
export const eye = (rows: number, columns = rows, options: TensorOptions = {}): Tensor =>
  fromNumbers(options.dtype ?? 'float32', [rows, columns], (i) => (Math.floor(i / columns) === i % columns ? 1 : 0), options);

function fromNumbers(dtype: DType, shape: readonly number[], value: (i: number) => number, options: TensorOptions): Tensor {
  const elements = new Float64Array(sizeOf(shape));
  for (let i = 0; i < elements.length; i++) elements[i] = value(i);
  return finish(new Tensor(known(fromElements({ dtype, shape }, elements))), options);
}

// ---- several together

/** End to end along a dimension. */
export const cat = (tensors: readonly Tensor[], dim = 0): Tensor => {
  if (tensors.length === 0) throw new TensorError('cat', { expected: 'at least one tensor', got: 'none' });
  return make('Concat', meet(...tensors), { axis: dimOf(dim, tensors[0].ndim) });
};
/** Side by side along a new dimension. */
export const stack = (tensors: readonly Tensor[], dim = 0): Tensor => cat(tensors.map((one) => unsqueeze(one, dim)), dim);

const triangle = (self: Tensor, keep: (row: number, column: number) => boolean): Tensor => {
  const [rows, columns] = self.shape.slice(-2);
  const mask = fromNumbers('bool', [rows, columns], (i) => Number(keep(Math.floor(i / columns), i % columns)), {});
  return make('Where', [mask, self, scalar(self.dtype, 0)]);
};
/** The lower triangle of matrices, up to the given diagonal; zeros above. */
export const tril = (self: Tensor, diagonal = 0): Tensor => triangle(self, (row, column) => column - row <= diagonal);
/** The upper triangle of matrices, from the given diagonal; zeros below. */
export const triu = (self: Tensor, diagonal = 0): Tensor => triangle(self, (row, column) => column - row >= diagonal);
/** A scalar or list as a tensor, tensors as they are. */
export const asTensor = (data: TensorLike | Tensor, options: TensorOptions = {}): Tensor => (data instanceof Tensor ? finish(data, options) : tensor(data, options));
/** The coordinates of the grid that vectors span, a tensor for each, the first vector along dimension 0. */
export const meshgrid = (...axes: readonly Tensor[]): Tensor[] => {
  const shape = axes.map((axis) => axis.numel);
  return axes.map((axis, i) => reshape(axis, shape.map((size, j) => (i === j ? size : 1))).expand(shape));
};
