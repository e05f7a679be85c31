/** Products of vectors, matrices and batches of them. */
import { formatType } from '../graph/index.ts';
import { TensorError } from './errors.ts';
import { make, meet, type Operand } from './make.ts';
import { add, mul } from './pointwise.ts';
import { reshape, t } from './shape.ts';
import type { Tensor } from './tensor.ts';

function product(where: string, ranks: readonly [number, number]) {
  return (self: Tensor, other: Tensor): Tensor => {
    if (self.ndim !== ranks[0] || other.ndim !== ranks[1]) {
      throw new TensorError(where, { expected: `${ranks[0]} and ${ranks[1]} dimensions`, got: `${formatType(self.value)} and ${formatType(other.value)}`, hint: 'matmul takes any' });
    }
    return matmul(self, other);
  };
}

/** The product of vectors, matrices or batches of matrices, whose leading dimensions broadcast. */
export const matmul = (self: Tensor, other: Tensor): Tensor => make('MatMul', meet(self, other));
/** [n, k] times [k, m] */
export const mm = product('mm', [2, 2]);
/** [batch, n, k] times [batch, k, m] */
export const bmm = product('bmm', [3, 3]);
/** [n, k] times [k] */
export const mv = product('mv', [2, 1]);
/** The sum of the products of two vectors' elements. */
export const dot = product('dot', [1, 1]);
/** All products of two vectors' elements: [n, m]. */
export const outer = (self: Tensor, other: Tensor): Tensor => mul(reshape(self, [-1, 1]), reshape(other, [1, -1]));
/** self + a times b */
export const addmm = (self: Tensor, a: Tensor, b: Tensor): Tensor => add(matmul(a, b), self);
/** self times the transposed weight [out, in], plus bias [out]. */
export function linear(self: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  const result = matmul(self, t(weight));
  return bias ? add(result, bias) : result;
}

/** Einstein's summation: `einsum('bij,bjk->bik', a, b)`. */
export const einsum = (equation: string, ...operands: readonly Operand[]): Tensor => make('Einsum', meet(...operands), { equation });
