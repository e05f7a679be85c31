/** Arithmetic, maths, comparisons and logic, element by element, with broadcasting. Numbers stand for scalars. */
import type { DType } from '../graph/index.ts';
import { asFloat, isFloat, lift, make, meet, type Operand, resultType } from './make.ts';
import type { Tensor } from './tensor.ts';

const binary = (op: string) => (self: Operand, other: Operand): Tensor => make(op, meet(self, other));
const unary = (op: string) => (self: Tensor): Tensor => make(op, [self]);
/** Integers are taken as float32. */
const float = (op: string) => (self: Tensor): Tensor => make(op, [asFloat(self)]);
/** Integers and truths stay as they are. */
const rounding = (op: string) => (self: Tensor): Tensor => (isFloat(self.dtype) ? make(op, [self]) : self);
const truth = (operand: Operand): Tensor => lift(operand, 'bool');
/** Truths take part in arithmetic as integers. */
const numeric = (op: string) => (self: Operand, other: Operand): Tensor => make(op, meet(self, other).map((x) => (x.dtype === 'bool' ? lift(x, 'int64') : x)));

// ---- arithmetic

/** self + other */
export const add = numeric('Add');
/** self - other */
export const sub = numeric('Sub');
/** self * other */
export const mul = numeric('Mul');
/** self / other; of integers as floats. */
export const div = (self: Operand, other: Operand): Tensor => make('Div', meet(self, other).map(asFloat));
/** The quotient rounded down. */
export function floorDivide(self: Operand, other: Operand): Tensor {
  const [a, b] = meet(self, other);
  return isFloat(a.dtype) ? make('Floor', [make('Div', [a, b])]) : make('Div', [make('Sub', [a, remainder(a, b)]), b]);
}
/** What is left of division, with the divisor's sign. */
export function remainder(self: Operand, other: Operand): Tensor {
  const [a, b] = meet(self, other);
  if (!isFloat(a.dtype)) return make('Mod', [a, b]);
  const rest = make('Mod', [a, b], { fmod: 1 });
  const crossed = logicalAnd(ne(rest, 0), ne(lt(rest, 0), lt(b, 0)));
  return where(crossed, add(rest, b), rest);
}
/** What is left of division, with the dividend's sign. */
export const fmod = (self: Operand, other: Operand): Tensor => make('Mod', meet(self, other), { fmod: 1 });
/** self to the power `exponent` */
export function pow(self: Operand, exponent: Operand): Tensor {
  const dtype = resultType(self, exponent);
  // A number stays one: squares and the like need no logarithm.
  return make('Pow', [lift(self, dtype), lift(exponent, dtype)]);
}
/** -self */
export const neg = unary('Neg');
/** |self| */
export const abs = unary('Abs');
/** self times itself */
export const square = (self: Tensor): Tensor => mul(self, self);
/** 1 / self */
export const reciprocal = float('Reciprocal');
/** -1, 0 or 1 */
export const sign = unary('Sign');
/** self + weight * (end - self) */
export const lerp = (self: Tensor, end: Operand, weight: Operand): Tensor => add(self, mul(sub(end, self), weight));
/** self + value * a * b */
export const addcmul = (self: Tensor, a: Operand, b: Operand, value: Operand = 1): Tensor => add(self, mul(mul(lift(a, self.dtype), b), value));
/** self + value * a / b */
export const addcdiv = (self: Tensor, a: Operand, b: Operand, value: Operand = 1): Tensor => add(self, mul(div(lift(a, self.dtype), b), value));
/** The larger one of each pair; NaN where there is one. */
export const maximum = binary('Max');
/** The smaller one of each pair; NaN where there is one. */
export const minimum = binary('Min');

/** Within bounds; null leaves one out. */
export function clamp(self: Tensor, min: Operand | null = null, max: Operand | null = null): Tensor {
  const scalars = [min, max].every((bound) => bound === null || typeof bound === 'number' || bound.ndim === 0);
  const dtype = resultType(self, ...[min, max].filter((bound) => bound !== null));
  const [x, low, high] = [self, min, max].map((operand) => (operand === null ? null : lift(operand, dtype)));
  if (scalars) return make('Clip', [x, low, high]);
  const above = low ? make('Max', [x, low]) : x!;
  return high ? make('Min', [above, high]) : above;
}

// ---- maths

/** e to the power self */
export const exp = float('Exp');
/** 2 to the power self */
export const exp2 = (self: Tensor): Tensor => exp(mul(asFloat(self), Math.LN2));
/** e to the power self, minus 1 */
export const expm1 = (self: Tensor): Tensor => {
  // Through tanh, which is exact near 0: e^x - 1 = 2 t / (1 - t) with t = tanh(x / 2).
  const x = asFloat(self);
  const t = make('Tanh', [div(x, 2)]);
  return where(lt(abs(x), 1), div(mul(t, 2), sub(1, t)), sub(exp(x), 1));
};
/** Natural logarithm */
export const log = float('Log');
/** Logarithm to base 2 */
export const log2 = (self: Tensor): Tensor => mul(log(self), Math.LOG2E);
/** Logarithm to base 10 */
export const log10 = (self: Tensor): Tensor => mul(log(self), Math.LOG10E);
/** log(1 + self), exact near 0 */
export const log1p = (self: Tensor): Tensor => {
  // Source: W. Kahan's correction, as in Goldberg, "What every computer scientist should know", theorem 4.
  const x = asFloat(self);
  const sum = add(x, 1);
  const rounded = sub(sum, 1);
  const exact = eq(rounded, 0);
  return where(exact, x, where(eq(sum, Infinity), sum, mul(log(sum), div(x, where(exact, 1, rounded)))));
};
/** Square root */
export const sqrt = float('Sqrt');
/** 1 / square root */
export const rsqrt = (self: Tensor): Tensor => reciprocal(sqrt(self));
export const sin = float('Sin');
export const cos = float('Cos');
export const tan = float('Tan');
export const asin = float('Asin');
export const acos = float('Acos');
export const atan = float('Atan');
export const sinh = float('Sinh');
export const cosh = float('Cosh');
export const tanh = float('Tanh');
export const asinh = float('Asinh');
export const acosh = float('Acosh');
export const atanh = float('Atanh');
/** Error function */
export const erf = float('Erf');
/** Logistic function */
export const sigmoid = float('Sigmoid');
export const floor = rounding('Floor');
export const ceil = rounding('Ceil');
/** To the nearest integer, ties to the even one. */
export const round = rounding('Round');
/** Towards zero */
export const trunc = (self: Tensor): Tensor => (isFloat(self.dtype) ? mul(sign(self), floor(abs(self))) : self);
/** The part after the point, with its sign. */
export const frac = (self: Tensor): Tensor => sub(self, trunc(self));

// ---- comparisons and logic: results are bool

const comparison = (op: string) => (self: Operand, other: Operand): Tensor =>
  make(op, meet(self, other).map((x) => (x.dtype === 'bool' && op !== 'Equal' ? lift(x, 'uint8') : x)));
/** self = other */
export const eq = comparison('Equal');
/** self ≠ other */
export const ne = (self: Operand, other: Operand): Tensor => make('Not', [eq(self, other)]);
/** self < other */
export const lt = comparison('Less');
/** self ≤ other */
export const le = comparison('LessOrEqual');
/** self > other */
export const gt = comparison('Greater');
/** self ≥ other */
export const ge = comparison('GreaterOrEqual');
export const logicalAnd = (self: Operand, other: Operand): Tensor => make('And', [truth(self), truth(other)]);
export const logicalOr = (self: Operand, other: Operand): Tensor => make('Or', [truth(self), truth(other)]);
export const logicalXor = (self: Operand, other: Operand): Tensor => make('Xor', [truth(self), truth(other)]);
export const logicalNot = (self: Tensor): Tensor => make('Not', [truth(self)]);
export const isNaN = (self: Tensor): Tensor => make('IsNaN', [asFloat(self)]);
export const isInf = (self: Tensor): Tensor => make('IsInf', [asFloat(self)]);
export const isFinite = (self: Tensor): Tensor => lt(abs(asFloat(self)), Infinity);

/** a where the condition (self, or the first operand) is true, else b. */
export const where = (self: Tensor, a: Operand, b: Operand): Tensor => {
  const [x, y] = typeof a === 'number' && typeof b === 'number' ? [lift(a, 'float32'), lift(b, 'float32')] : meet(a, b);
  return make('Where', [truth(self), x, y]);
};
/** `value` where the mask is true, self elsewhere. */
export const maskedFill = (self: Tensor, mask: Tensor, value: Operand): Tensor => where(mask, lift(value, self.dtype), self);

// ---- dtypes

/** The same values in another dtype. */
export const to = (self: Tensor, dtype: DType): Tensor => lift(self, dtype);
/** As float32 */
export const toFloat = (self: Tensor): Tensor => lift(self, 'float32');
/** As float64 */
export const toDouble = (self: Tensor): Tensor => lift(self, 'float64');
/** As int64 */
export const toLong = (self: Tensor): Tensor => lift(self, 'int64');
/** As bool: true where not 0 */
export const toBool = (self: Tensor): Tensor => lift(self, 'bool');
