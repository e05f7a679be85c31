/** Arithmetic on graph values, so that decompositions read like their formulas. Numbers become scalar constants. */
import { apply, type DType, type Value } from '../graph/index.ts';
import { scalar } from './helpers.ts';

export type Term = Value | number;

const value = (term: Term, dtype: DType): Value => (typeof term === 'number' ? scalar(dtype, term) : term);

const unary = (op: string) => (x: Value): Value => apply(op, [x]);

/** At least one operand must be a value: it gives the dtype of the numbers. */
const binary = (op: string) => (a: Term, b: Term): Value => {
  const { dtype } = (typeof a === 'number' ? b : a) as Value;
  return apply(op, [value(a, dtype), value(b, dtype)]);
};

export const add = binary('Add');
export const sub = binary('Sub');
export const mul = binary('Mul');
export const div = binary('Div');
export const min = binary('Min');
export const max = binary('Max');
export const pow = binary('Pow');
export const less = binary('Less');
export const greater = binary('Greater');
export const equal = binary('Equal');

export const neg = unary('Neg');
export const abs = unary('Abs');
export const sqrt = unary('Sqrt');
export const exp = unary('Exp');
export const log = unary('Log');
export const sin = unary('Sin');
export const cos = unary('Cos');
export const tanh = unary('Tanh');
export const sigmoid = unary('Sigmoid');
export const erf = unary('Erf');
export const reciprocal = unary('Reciprocal');
export const isNaN = unary('IsNaN');
export const or = binary('Or');
export const and = binary('And');

export const cast = (x: Value, to: DType): Value => (x.dtype === to ? x : apply('Cast', [x], { to }));

export function where(condition: Value, a: Term, b: Term): Value {
  const { dtype } = (typeof a === 'number' ? b : a) as Value;
  return apply('Where', [condition, value(a, dtype), value(b, dtype)]);
}

/** c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule. */
export const polynomial = (coefficients: readonly number[], x: Value): Value =>
  coefficients.slice(0, -1).reduceRight<Term>((sum, c) => add(c, mul(sum, x)), coefficients[coefficients.length - 1]) as Value;
