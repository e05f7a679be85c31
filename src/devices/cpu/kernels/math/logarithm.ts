/** log, log1p, softplus. The significand is brought to [sqrt(1/2), sqrt 2); the polynomials are our own minimax. */
import type { KernelBuilder, Vec } from '../../codegen/index.ts';
import { ln2, logarithm, logarithmOfRatio } from './coefficients.ts';
import { expOfMinus } from './exponential.ts';
import { type FloatElem, type Floats, floats, type Operand } from './floats.ts';

/** The bits of sqrt(1/2), cut. */
const rootHalf = { f32: 0x3f3504f3n, f64: 0x3fe6a09e667f3bcdn } as const;

/** x = 2^exponent (1 + f), x positive, finite and normal; `lift` is subtracted from the exponent. */
export function splitExponent(m: Floats, x: Vec, lift: Operand = 0): { exponent: Vec; fraction: Vec } {
  const root = rootHalf[m.elem];
  // The exponent field of this is right for significands from sqrt(1/2) on instead of from 1 on.
  const shifted = m.addBits(x, m.pattern(m.one - root));
  const fraction = m.sub(m.addBits(m.bitAnd(shifted, m.pattern(m.fractionMask)), m.pattern(root)), 1);
  // An integer below 2^mantissa in the low bits of 2^mantissa is that number plus 2^mantissa.
  const asFloat = m.bitOr(m.shr(shifted, m.mantissa), m.v(2 ** m.mantissa));
  const exponent = m.sub(asFloat, 2 ** m.mantissa + m.bias);
  return { exponent: lift === 0 ? exponent : m.sub(exponent, lift), fraction };
}

/** Denormals made normal by a power of two, and its exponent. */
export function normalise(m: Floats, x: Vec): { normal: Vec; lift: Vec } {
  const denormal = m.compare('lt', x, m.minNormal);
  return { normal: m.select(denormal, m.mul(x, 2 ** m.bits), x), lift: m.select(denormal, m.bits, 0) };
}

/** log x for positive, finite, normal x; `lift` as above. */
function logOfNormal(m: Floats, x: Vec, lift: Operand = 0): Vec {
  const { exponent, fraction: f } = splitExponent(m, x, lift);
  const [upper, lower] = ln2[m.elem];
  if (m.elem === 'f32') {
    const z = m.mul(f, f);
    const tail = m.fma(m.mul(f, z), m.polynomial(f, logarithm.f32), m.mul(exponent, lower));
    return m.fma(exponent, upper, m.add(f, m.fnma(z, 0.5, tail)));
  }
  // log(1+f) = f - (h - s (h + R)) with h = f^2 / 2, s = f / (2+f): P. T. P. Tang's form (as in fdlibm), so that the largest
  // term is exact.
  const s = m.div(f, m.add(f, 2));
  const z = m.mul(s, s);
  const h = m.mul(m.mul(f, 0.5), f);
  const tail = m.mul(z, m.polynomial(z, logarithmOfRatio.f64));
  const small = m.fma(s, m.add(h, tail), m.mul(exponent, lower));
  return m.fma(exponent, upper, m.sub(f, m.sub(h, small)));
}

export function log(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const { normal, lift } = normalise(m, x);
  const finite = m.select(m.compare('eq', x, Infinity), x, logOfNormal(m, normal, lift));
  return m.select(m.compare('gt', x, 0), finite, m.select(m.compare('eq', x, 0), -Infinity, NaN));
}

/**
 * log(1 + x): the logarithm of the rounded sum u, and what the rounding lost to first order (x - (u - 1)) / u.
 * (W. Kahan's HP-15C; cf. N. Higham, Accuracy and Stability of Numerical Algorithms, 1.14.)
 */
export function log1p(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const u = m.add(x, 1);
  const lost = m.div(m.sub(x, m.sub(u, 1)), u);
  const inside = m.and(m.compare('gt', u, 0), m.compare('lt', u, Infinity));
  const sum = m.add(log(b, elem, u), m.select(inside, lost, 0));
  // Where the sum is 1, x is the result, its sign included.
  return m.select(m.compare('eq', u, 1), x, sum);
}

/** log(1 + e^x) = max(x, 0) + log(1 + e^-|x|) */
export function softplus(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const z = expOfMinus(m, x);
  const u = m.add(z, 1);
  const lost = m.div(m.sub(z, m.sub(u, 1)), u);
  return m.add(m.max(x, 0), m.add(logOfNormal(m, u), lost));
}
