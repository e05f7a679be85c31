/**
 * Tensor: what users hold. It feels eager and is lazy: an expression only builds graph nodes (so a wrong shape is an error at
 * its line), and values are computed when they are read. Methods of the families beside this file are attached in methods.ts.
 */
import { apply, constant, type DType, dtypes, formatType, type Node, sameShape, sizeOf, type TensorData, type TensorType, type TypedArray, type Value } from '../graph/index.ts';
import { castData, fromElements } from '../ops/index.ts';
import { alias, dataOf, known, literal, resolve } from './cells.ts';
import { compute, computeAsync, noteAssignment } from './compute.ts';
import { TensorError } from './errors.ts';
import type { Methods } from './methods.ts';
import { printTensor } from './print.ts';
import { type GradFn, gradFnOf, leaves } from './tape.ts';
import { currentTrace, expectNoTrace, noteUse } from './trace.ts';
import { currentWatch } from './watch.ts';

/** Numbers, and lists of them within lists, one level a dimension. */
export type Nested<T> = T | Nested<T>[];

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- methods.ts attaches what is declared here
export interface Tensor extends Methods {}

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging
export class Tensor {
  /** Gradient accumulated by `backward()`, in leaves that require it; null before the first. */
  grad: Tensor | null = null;
  #value: Value | undefined;
  /** In place of a value: data that no expression has seen, so that a program may write over it. */
  #own: TensorData | undefined;
  #requiresGrad: boolean;
  /** The operation a value came from, where its expression was let go of. */
  #past: GradFn | undefined;
  #spent = false;

  /** Not for users: `tensor()` and its like make tensors. */
  constructor(value: Value, requiresGrad = false) {
    this.#value = value;
    this.#requiresGrad = requiresGrad;
  }

  // ---- what it is

  /** The expression, or the cell that stands for it. */
  get value(): Value {
    if (this.#own) this.become(known(this.#own));
    return this.#value!;
  }
  get #type(): TensorType {
    return this.#own ?? this.#value!;
  }
  get dtype(): DType {
    return this.#type.dtype;
  }
  get shape(): readonly number[] {
    return this.#type.shape;
  }
  /** Number of dimensions. */
  get ndim(): number {
    return this.#type.shape.length;
  }
  /** Number of elements. */
  get numel(): number {
    return sizeOf(this.#type.shape);
  }
  /** The shape, or one dimension of it (from the end where negative). */
  size(): readonly number[];
  size(dim: number): number;
  size(dim?: number): readonly number[] | number {
    if (dim === undefined) return this.shape;
    const size = this.shape.at(dim);
    if (size === undefined) throw new TensorError('size', { expected: `a dimension of ${formatType(this.#type)}`, got: `${dim}` });
    return size;
  }
  /** Whether the value is known, so that reading it costs nothing. */
  get isRealized(): boolean {
    return this.#known !== undefined;
  }
  get #known(): TensorData | undefined {
    return this.#own ?? dataOf(this.#value!);
  }

  // ---- what it is worth: reading computes

  /** Computes the value now; see `realize` for several at once. */
  realize(): this {
    if (!currentTrace()) this.#data();
    return this;
  }
  /** The only element, as a number (true and false as 1 and 0). @throws TensorError where there are none or several. */
  item(): number {
    if (this.numel !== 1) throw new TensorError('item', { expected: 'a tensor of one element', got: formatType(this.#type) });
    return Number(this.toArray()[0]);
  }
  /** The elements, row-major, as a copy: of this dtype's array, 16-bit floats as Float32Array, truths as 0 and 1 in a Uint8Array. */
  toArray(): TypedArray {
    return copyOut(this.#data());
  }
  /** As `toArray`, while the event loop stays free. */
  async data(): Promise<TypedArray> {
    expectNoTrace('reading a value');
    if (!this.#own) await computeAsync([this.#value!]);
    return copyOut(this.#data());
  }
  /** The elements as nested lists of numbers, of booleans where the dtype is bool. */
  tolist(): Nested<number | boolean> {
    const elements = Array.from(this.toArray() as ArrayLike<number | bigint>, (element) => (this.dtype === 'bool' ? element !== 0 : Number(element)));
    const nest = (axis: number, start: number, size: number): Nested<number | boolean> => {
      if (axis === this.ndim) return elements[start];
      const step = size / this.shape[axis];
      return Array.from({ length: this.shape[axis] }, (_, i) => nest(axis + 1, start + i * step, step));
    };
    return nest(0, 0, this.numel);
  }
  /** As PyTorch prints it, computed for that; large ones in outline. */
  toString(): string {
    return printTensor({ ...this.#data(), requiresGrad: this.isLeaf && this.#requiresGrad, gradFn: this.gradFn?.name });
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
  /** The value for formats and engines: type and elements, which are not copied and must not be changed. */
  toTensorData(): TensorData {
    this.#data();
    const data = dataOf(this.value)!;
    // Memory that threads share is not everybody's to read.
    return data.data.buffer instanceof ArrayBuffer ? data : { ...data, data: data.data.slice() as TypedArray };
  }

  #data(): TensorData {
    if (this.#own) return this.#own;
    const value = this.#value!;
    if (!dataOf(value)) expectNoTrace('reading a value');
    compute([value]);
    this.settle();
    return dataOf(value)!;
  }

  /** Lets go of the expression once its value is known, unless a backward pass may still go through it. */
  settle(): void {
    if (this.#own) return;
    const value = this.#value!;
    const data = dataOf(value);
    if (!data || resolve(value).node.op === 'Input' || (this.#requiresGrad && !this.#spent)) return;
    if (this.#requiresGrad) this.#past = { ...this.gradFn!, nextFunctions: [] };
    this.#value = known(data);
  }

  // ---- gradients

  /** Whether `backward()` leads here or through here. Setting it makes this a leaf. */
  get requiresGrad(): boolean {
    return this.#requiresGrad;
  }
  set requiresGrad(wanted: boolean) {
    if (wanted === this.#requiresGrad) return;
    if (!wanted && !this.isLeaf) throw new TensorError('requiresGrad', { expected: 'a leaf', got: `a result of ${this.gradFn!.name}`, hint: 'use detach()' });
    if (wanted && dtypes[this.dtype].kind !== 'float') throw new TensorError('requiresGrad', { expected: 'a float tensor', got: this.dtype });
    this.#requiresGrad = wanted;
    this.become(alias(this.value));
  }
  /** Sets `requiresGrad` and returns the tensor. */
  requiresGrad_(wanted = true): this {
    this.requiresGrad = wanted;
    return this;
  }
  /** Made by hand rather than by an operation that gradients go back through. */
  get isLeaf(): boolean {
    return this.gradFn === null;
  }
  /** The operation gradients go back through, null for leaves. Prints as `<MulBackward>`. */
  get gradFn(): GradFn | null {
    if (this.#past) return this.#past;
    return this.#requiresGrad && !this.#own ? gradFnOf(this.#value!) : null;
  }
  /** The same values, to which no gradient goes back. Memory is shared, nothing is computed. */
  detach(): Tensor {
    const trace = currentTrace();
    if (trace) noteUse(trace, this);
    return new Tensor(alias(this.value));
  }
  /** Keeps the gradient of a result as well, as `backward()` otherwise does for leaves alone. */
  retainGrad(): this {
    if (this.#requiresGrad) leaves.set(this.value, this);
    return this;
  }
  /** For `backward`: whether the expression is gone, and that it may go when its value is known. */
  get isSpent(): boolean {
    return this.#past !== undefined;
  }
  spend(): void {
    this.#spent = true;
    this.settle();
  }

  /**
   * From now on this tensor has that value (cast to this dtype), as parameters do after an optimizer's step. Lazy: computed with
   * whatever is computed next. What was made of the old value keeps it. No gradient goes back through an assignment.
   * @throws TensorError where shapes differ, or this is a result that gradients go back through
   */
  assign(value: Tensor | number): this {
    if (!this.isLeaf) throw new TensorError('assign', { expected: 'a leaf', got: `a result of ${this.gradFn!.name}`, hint: 'use detach()' });
    if (typeof value !== 'number' && !sameShape(value.shape, this.shape)) {
      throw new TensorError('assign', { expected: `shape [${this.shape.join(',')}]`, got: formatType(value.#type) });
    }
    const trace = currentTrace();
    if (trace) {
      noteUse(trace, this);
      if (typeof value !== 'number') noteUse(trace, value);
      trace.assigned.add(this);
    }
    const watch = currentWatch();
    if (watch && !watch.before.has(this)) watch.before.set(this, this.value);
    this.become(alias(assignable(value, this.#type, (node) => trace?.made.add(node))));
    noteAssignment(this);
    return this;
  }

  /**
   * Not for users: the data, in memory that nothing else sees and programs reach, to be written over; a copy, where something may
   * see it. So a parameter stays where it is from step to step, and whoever read it between two keeps what was there.
   */
  own(allocate: (type: TensorType) => TensorData): TensorData {
    if (!this.#own) this.hold(copyOf(this.peek(), allocate));
    return this.#own!;
  }
  /** Not for users: the data, to be read at once and not kept. */
  peek(): TensorData {
    if (this.#known === undefined) compute([this.#value!]);
    return this.#known!;
  }
  hold(data: TensorData): void {
    this.#own = data;
    this.#value = undefined;
    this.#past = undefined;
  }

  /** Not for users: from now on this is that cell. */
  become(value: Value): void {
    this.#value = value;
    this.#own = undefined;
    if (this.#requiresGrad) leaves.set(value, this);
  }
}

function assignable(value: Tensor | number, { dtype, shape }: TensorType, made: (node: Node) => void): Value {
  const from = typeof value === 'number' ? literal(fromElements({ dtype, shape: [] }, [value])) : value.value;
  const cast = from.dtype === dtype ? from : apply('Cast', [from], { to: dtype });
  made(cast.node);
  if (sameShape(cast.shape, shape)) return cast;
  const result = apply('Expand', [cast, constant(fromElements({ dtype: 'int64', shape: [shape.length] }, [...shape]))]);
  made(result.node);
  return result;
}

export function copyOf(data: TensorData, allocate: (type: TensorType) => TensorData): TensorData {
  const copy = allocate(data);
  (copy.data as Float32Array).set(data.data as Float32Array);
  return copy;
}

function copyOut(data: TensorData): TypedArray {
  const isHalf = data.dtype === 'float16' || data.dtype === 'bfloat16';
  return (isHalf ? castData(data, 'float32').data : data.data.slice()) as TypedArray;
}

/** Computes the tensors now, all by one program. Updates of parameters and the loss they come from belong in one call. */
export function realize(...tensors: readonly Tensor[]): void {
  if (currentTrace()) return;
  compute(tensors.flatMap((tensor) => (tensor.isRealized ? [] : [tensor.value])));
  for (const tensor of tensors) tensor.settle();
}

/** As `realize`, while the event loop stays free. */
export async function realizeAsync(...tensors: readonly Tensor[]): Promise<void> {
  if (currentTrace()) return;
  await computeAsync(tensors.flatMap((tensor) => (tensor.isRealized ? [] : [tensor.value])));
  for (const tensor of tensors) tensor.settle();
}
