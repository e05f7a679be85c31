/**
 * pow: exp(y log x) with the logarithm, and its product with y, to twice the precision, as the exponent's absolute error is
 * the result's relative one. Special cases as C (7.12.7.4 and annex F.10.4.4) has them.
 */
import type { KernelBuilder, Vec } from '../../codegen/index.ts';
import { ln2, powerTail, twoThirds } from './coefficients.ts';
import { expOfSum } from './exponential.ts';
import { type Double, type FloatElem, type Floats, floats } from './floats.ts';
import { normalise, splitExponent } from './logarithm.ts';

/** log a for positive finite a: 2 atanh(s) with s = f / (2 + f), its first two terms in double length. */
function logDouble(m: Floats, a: Vec): Double {
  const { normal, lift } = normalise(m, a);
  const { exponent, fraction: f } = splitExponent(m, normal, lift);
  // s = f / (2 + f)
  const d = m.fastTwoSum(2, f);
  const sUpper = m.div(f, d.upper);
  const product = m.twoProduct(sUpper, d.upper);
  const remainder = m.fnma(sUpper, d.lower, m.sub(m.sub(f, product.upper), product.lower));
  const sLower = m.div(remainder, d.upper);
  // z = s^2
  const square = m.twoProduct(sUpper, sUpper);
  const zLower = m.fma(m.add(sUpper, sUpper), sLower, square.lower);
  // w = 2/3 + z (2/5 + ...)
  const [third, thirdLower] = twoThirds[m.elem];
  const w = m.fastTwoSum(third, m.fma(square.upper, m.polynomial(square.upper, powerTail[m.elem]), thirdLower));
  // t = 2 + z w
  const zw = m.twoProduct(square.upper, w.upper);
  const zwLower = m.fma(square.upper, w.lower, m.fma(zLower, w.upper, zw.lower));
  const t = m.fastTwoSum(2, zw.upper);
  const tLower = m.add(t.lower, zwLower);
  // s t + exponent ln 2
  const st = m.twoProduct(sUpper, t.upper);
  const stLower = m.fma(sUpper, tLower, m.fma(sLower, t.upper, st.lower));
  const [ln2Upper, ln2Lower] = ln2[m.elem];
  const sum = m.fastTwoSum(m.mul(exponent, ln2Upper), st.upper);
  return m.fastTwoSum(sum.upper, m.add(sum.lower, m.fma(exponent, ln2Lower, stLower)));
}

export function pow(b: KernelBuilder, elem: FloatElem, x: Vec, y: Vec): Vec {
  const m = floats(b, elem);
  const a = m.abs(x);
  const log = logDouble(m, a);
  // The logarithms of 0, infinity and NaN.
  const finite = m.select(m.compare('lt', a, Infinity), log.upper, a);
  const upper = m.select(m.compare('eq', a, 0), -Infinity, finite);
  const product = m.twoProduct(y, upper);
  const exponent = product.upper;
  // Beyond any exponent of interest the lower half may be NaN.
  const tail = m.select(m.compare('lt', m.abs(exponent), 1024), m.fma(y, log.lower, product.lower), 0);
  const magnitude = expOfSum(m, exponent, tail);

  // Negative x: NaN for y that are no integers, the sign of x for odd ones. Integers from 2^bits on are even.
  const isInteger = m.compare('eq', m.trunc(y), y);
  const half = m.mul(y, 0.5);
  const isOdd = m.and(isInteger, m.compare('ne', m.trunc(half), half));
  const signed = m.flip(magnitude, m.select(isOdd, m.signOf(x), 0));
  const isUndefined = m.and(m.not(isInteger), m.and(m.compare('lt', x, 0), m.compare('lt', a, Infinity)));
  const result = m.select(isUndefined, NaN, signed);

  // 1 whatever the other operand: x = 1, y = 0; and |x| = 1 to an infinite power.
  const unit = m.and(m.compare('eq', a, 1), m.compare('eq', m.abs(y), Infinity));
  const isOne = m.or(m.or(m.compare('eq', x, 1), m.compare('eq', y, 0)), unit);
  return m.select(isOne, 1, result);
}
