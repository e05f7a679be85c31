/** Operators of one operand, element by element: arithmetic, exponentials, trigonometry, rounding, predicates. */
import { apply, type Value } from '../graph/index.ts';
import { roundHalfEven } from './half.ts';
import { scalar } from './helpers.ts';
import { erf } from './math.ts';
import { definePointwise, type PointwiseRow } from './pointwise.ts';
import * as t from './terms.ts';

const row = (name: string, float: (x: number) => number | boolean, rest: Partial<PointwiseRow> = {}): PointwiseRow => ({
  name,
  inputs: 1,
  group: 'float',
  float: () => float,
  ...rest,
});

/** A rule in terms of the cotangent, the operand and the result. */
const slope = (rule: (dy: Value, x: Value, y: Value) => Value): Pick<PointwiseRow, 'gradient'> => ({ gradient: (dy, [x], y) => [rule(dy, x, y)] });
/** Of what is constant but for its steps. */
const flat: Pick<PointwiseRow, 'gradient'> = { gradient: () => [null] };

const magnitude = (x: bigint): bigint => (x < 0n ? -x : x);

const rows: PointwiseRow[] = [
  { name: 'Identity', inputs: 1, group: 'any', any: (x: unknown) => x, decompose: ([x]) => x, ...slope((dy) => dy) },
  // PyTorch's detach: the same value, through which nothing is differentiated.
  { name: 'StopGradient', inputs: 1, group: 'any', any: (x: unknown) => x, decompose: ([x]) => x, ...flat },
  { name: 'Not', inputs: 1, group: 'bool', any: (x: number) => x === 0 },

  row('Neg', (x) => -x, { group: 'signed', int: () => (x) => -x, ...slope((dy) => t.neg(dy)) }),
  row('Abs', Math.abs, { group: 'numeric', int: () => magnitude, ...slope((dy, x) => t.mul(dy, apply('Sign', [x]))) }),
  // Adding 0 makes -0 into 0, as NumPy has it.
  row('Sign', (x) => Math.sign(x) + 0, { group: 'numeric', int: () => (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n), ...flat }),
  row('Reciprocal', (x) => 1 / x, slope((dy, _x, y) => t.neg(t.mul(dy, t.mul(y, y))))),
  row('Sqrt', Math.sqrt, slope((dy, _x, y) => t.div(t.mul(dy, 0.5), y))),
  row('Exp', Math.exp, slope((dy, _x, y) => t.mul(dy, y))),
  row('Log', Math.log, slope((dy, x) => t.div(dy, x))),
  row('Erf', erf, slope((dy, x) => t.mul(dy, t.mul(t.exp(t.neg(t.mul(x, x))), 2 / Math.sqrt(Math.PI))))),

  row('Floor', Math.floor, flat),
  row('Ceil', Math.ceil, flat),
  row('Round', roundHalfEven, flat),

  row('Sin', Math.sin, slope((dy, x) => t.mul(dy, t.cos(x)))),
  row('Cos', Math.cos, slope((dy, x) => t.neg(t.mul(dy, t.sin(x))))),
  row('Tan', Math.tan, { decompose: ([x]) => t.div(t.sin(x), t.cos(x)), ...slope((dy, _x, y) => t.mul(dy, t.add(1, t.mul(y, y)))) }),
  row('Atan', Math.atan, { decompose: ([x]) => atan(x), ...slope((dy, x) => t.div(dy, t.add(1, t.mul(x, x)))) }),
  row('Asin', Math.asin, {
    decompose: ([x]) => atan(t.div(x, cosineOf(x))),
    ...slope((dy, x) => t.div(dy, cosineOf(x))),
  }),
  row('Acos', Math.acos, {
    decompose: ([x]) => t.mul(2, atan(t.sqrt(t.div(t.sub(1, x), t.add(1, x))))),
    ...slope((dy, x) => t.neg(t.div(dy, cosineOf(x)))),
  }),

  row('Tanh', Math.tanh, slope((dy, _x, y) => t.mul(dy, t.sub(1, t.mul(y, y))))),
  row('Cosh', Math.cosh, { decompose: ([x]) => cosh(x), ...slope((dy, x) => t.mul(dy, apply('Sinh', [x]))) }),
  // sinh itself as (e^x - e^-x) / 2 cancels near 0; this does not.
  row('Sinh', Math.sinh, { decompose: ([x]) => t.mul(t.tanh(x), cosh(x)), ...slope((dy, x) => t.mul(dy, apply('Cosh', [x]))) }),
  row('Asinh', Math.asinh, { decompose: ([x]) => asinh(x), ...slope((dy, x) => t.div(dy, t.sqrt(t.add(t.mul(x, x), 1)))) }),
  row('Acosh', Math.acosh, { decompose: ([x]) => acosh(x), ...slope((dy, x) => t.div(dy, t.sqrt(t.mul(t.sub(x, 1), t.add(x, 1))))) }),
  row('Atanh', Math.atanh, { decompose: ([x]) => atanh(x), ...slope((dy, x) => t.div(dy, t.mul(t.sub(1, x), t.add(1, x)))) }),

  row('IsNaN', (x) => Number.isNaN(x), { result: 'bool' }),
  {
    name: 'IsInf',
    inputs: 1,
    group: 'float',
    result: 'bool',
    params: { detect_negative: 1, detect_positive: 1 },
    float: (p) => (x) => (x === Infinity && p.detect_positive !== 0) || (x === -Infinity && p.detect_negative !== 0),
    decompose: ([x], p) => isInf(x, p.detect_negative !== 0, p.detect_positive !== 0),
  },
];

rows.forEach(definePointwise);

/**
 * log(1 + x) for x > -1, finite: the logarithm of the rounded sum, and what the rounding lost to first order.
 * The way W. Kahan's HP-15C did it; cf. N. Higham, Accuracy and Stability of Numerical Algorithms, section 1.14.
 */
export function log1p(x: Value): Value {
  const sum = t.add(1, x);
  return t.add(t.log(sum), t.div(t.sub(x, t.sub(sum, 1)), sum));
}

/** e^x - 1, without cancellation: the identity e^x - 1 = tanh(x/2) (e^x + 1). */
export const expm1 = (x: Value): Value => t.mul(t.tanh(t.mul(x, 0.5)), t.add(t.exp(x), 1));

/** cos(asin(x)). Both factors under the root are exact near the ends, where 1 - x^2 would cancel. Outside [-1, 1] it is NaN. */
function cosineOf(x: Value): Value {
  return t.sqrt(t.mul(t.sub(1, x), t.add(1, x)));
}

/** An odd function by its values for x >= 0. */
const odd = (x: Value, ofMagnitude: Value): Value => t.where(t.less(x, 0), t.neg(ofMagnitude), ofMagnitude);

const tanPiOver8 = Math.SQRT2 - 1;
// J. F. Hart et al., Computer Approximations, 1968: ARCTN 5077, P(x^2) / Q(x^2) x on [-tan(pi/8), tan(pi/8)] to double precision.
const atanP = [896.7859740366387, 1780.406316433197, 1153.029351540485, 268.42548195503974, 16.15364129822302];
const atanQ = [896.7859740366387, 2079.33497444541, 1666.7838148816338, 536.2653740312153, 58.95697050844462, 1];

function atan(x: Value): Value {
  const a = t.abs(x);
  const isLarge = t.greater(a, Math.SQRT2 + 1);
  const isMiddle = t.greater(a, tanPiOver8);
  // atan(a) = pi/2 + atan(-1/a) = pi/4 + atan((a-1)/(a+1))
  const reduced = t.where(isLarge, t.neg(t.reciprocal(a)), t.where(isMiddle, t.div(t.sub(a, 1), t.add(a, 1)), a));
  const offset = t.where(isLarge, Math.PI / 2, t.where(isMiddle, scalar(a.dtype, Math.PI / 4), 0));
  const square = t.mul(reduced, reduced);
  const approximation = t.mul(reduced, t.div(t.polynomial(atanP, square), t.polynomial(atanQ, square)));
  return odd(x, t.add(offset, approximation));
}

/** Half of e^a + e^-a; the first factor 1/2 goes into the exponent, so that nothing overflows before the result does. */
function cosh(x: Value): Value {
  const a = t.abs(x);
  return t.add(t.mul(t.exp(t.sub(a, 1)), Math.E / 2), t.mul(t.exp(t.neg(a)), 0.5));
}

/** Above this, x^2 + 1 and x^2 - 1 are x^2, and x^2 may overflow. (fdlibm uses the same bound.) */
const large = 2 ** 28;

function asinh(x: Value): Value {
  const a = t.abs(x);
  const square = t.mul(a, a);
  const small = log1p(t.add(a, t.div(square, t.add(1, t.sqrt(t.add(1, square))))));
  return odd(x, t.where(t.greater(a, large), t.add(t.log(a), Math.LN2), small));
}

/** Two roots rather than one of the product: below 1 one of them is NaN, which is the result wanted there. */
function acosh(x: Value): Value {
  const d = t.sub(x, 1);
  const small = log1p(t.add(d, t.mul(t.sqrt(d), t.sqrt(t.add(d, 2)))));
  return t.where(t.greater(x, large), t.add(t.log(x), Math.LN2), small);
}

function atanh(x: Value): Value {
  const a = t.abs(x);
  const rest = t.sub(1, a);
  const inside = t.mul(0.5, log1p(t.div(t.mul(2, a), rest)));
  // At 1 the logarithm of 0, beyond it NaN.
  return odd(x, t.where(t.less(a, 1), inside, t.neg(t.log(rest))));
}

function isInf(x: Value, negative: boolean, positive: boolean): Value {
  if (negative && positive) return t.equal(t.abs(x), Infinity);
  // Nothing equals NaN: neither is asked for.
  return t.equal(x, positive ? Infinity : negative ? -Infinity : NaN);
}
