/** The methods of Tensor: every function of these families, with the tensor as its first argument. Importing this attaches them. */
import { backward } from './autograd.ts';
import { tril, triu } from './create.ts';
import * as functional from './functional.ts';
import { addmm, bmm, dot, linear, matmul, mm, mv, outer } from './linalg.ts';
import * as pointwise from './pointwise.ts';
import { dropout } from './random.ts';
import * as reduce from './reduce.ts';
import * as resample from './resample.ts';
import * as shape from './shape.ts';
import { Tensor } from './tensor.ts';

/** Functions of a tensor as methods: without their first parameter. */
type Bound<T> = {
  readonly [K in keyof T]: T[K] extends (self: Tensor, ...args: infer A) => infer R ? (...args: A) => R : never;
};

const single = { backward, tril, triu, addmm, bmm, dot, linear, matmul, mm, mv, outer, dropout };
const { max, min, ...reductions } = reduce;

/** What several ways of calling mean; the others have one. */
interface Extremes {
  /** The largest element of all. */
  max(): Tensor;
  /** The larger one of each pair. */
  max(other: Tensor): Tensor;
  /** The largest elements along a dimension, and the first place of each. */
  max(dim: number, keepdim?: boolean): reduce.ValuesAndIndices;
  /** The smallest element of all. */
  min(): Tensor;
  /** The smaller one of each pair. */
  min(other: Tensor): Tensor;
  /** The smallest elements along a dimension, and the first place of each. */
  min(dim: number, keepdim?: boolean): reduce.ValuesAndIndices;
}

type Several = Omit<typeof reduce, 'max' | 'min'>;
export interface Methods extends Bound<typeof pointwise>, Bound<typeof shape>, Bound<Several>, Bound<typeof functional>, Bound<typeof resample>, Bound<typeof single>, Extremes {}

for (const family of [pointwise, shape, reductions, { max, min }, functional, resample, single]) {
  for (const [name, fn] of Object.entries(family) as [string, (...args: unknown[]) => unknown][]) {
    Object.defineProperty(Tensor.prototype, name, {
      configurable: true,
      writable: true,
      value(this: Tensor, ...args: unknown[]) {
        return fn(this, ...args);
      },
    });
  }
}
