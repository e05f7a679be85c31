/** sin, cos, tan and their inverses. Polynomials: our own minimax; reduction over the whole range: reduction.ts. */
import type { KernelBuilder, Mask, Vec } from '../../codegen/index.ts';
import { arcsine, arctangent, cosine, halfPi, sine } from './coefficients.ts';
import { type FloatElem, type Floats, floats } from './floats.ts';
import { reduceByHalfPi } from './reduction.ts';

/** sin r and cos r for |r| <= pi/4; sin -0 = 0. */
function kernels(m: Floats, r: Vec): { sin: Vec; cos: Vec } {
  const z = m.mul(r, r);
  const sin = m.fma(m.mul(r, z), m.polynomial(z, sine[m.elem]), r);
  const cos = m.fma(m.mul(z, z), m.polynomial(z, cosine[m.elem]), m.fnma(z, 0.5, 1));
  return { sin, cos };
}

/** f(x), an odd function, where f(-0) came out as 0. */
const keepZero = (m: Floats, x: Vec, y: Vec): Vec => m.select(m.compare('eq', x, 0), x, y);

/** Whether an integer in the low bits of a vector is odd: the bit becomes the sign of 1. */
const isOdd = (m: Floats, n: Vec): Mask => m.compare('lt', m.bitOr(m.shl(n, 8 * bytes(m) - 1), m.v(1)), 0);
/** The sign bit where bit 1 of n is set. */
const signFromBit1 = (m: Floats, n: Vec): Vec => m.signOf(m.shl(n, 8 * bytes(m) - 2));
const bytes = (m: Floats): number => (m.elem === 'f64' ? 8 : 4);

/** sin(x + shift pi/2) */
function sinAt(b: KernelBuilder, elem: FloatElem, x: Vec, shift: 0 | 1): Vec {
  const m = floats(b, elem);
  const { r, quadrant } = reduceByHalfPi(m, x);
  const n = shift === 0 ? quadrant : m.addBits(quadrant, m.pattern(1n));
  const { sin, cos } = kernels(m, r);
  const y = m.flip(m.select(isOdd(m, n), cos, sin), signFromBit1(m, n));
  return shift === 0 ? keepZero(m, x, y) : y;
}

export const sin = (b: KernelBuilder, elem: FloatElem, x: Vec): Vec => sinAt(b, elem, x, 0);
export const cos = (b: KernelBuilder, elem: FloatElem, x: Vec): Vec => sinAt(b, elem, x, 1);

/** sin r / cos r, or -cos r / sin r where n is odd. */
export function tan(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const { r, quadrant } = reduceByHalfPi(m, x);
  const { sin, cos } = kernels(m, r);
  const odd = isOdd(m, quadrant);
  return keepZero(m, x, m.div(m.select(odd, m.neg(cos), sin), m.select(odd, sin, cos)));
}

/** atan a = pi/2 + atan(-1/a) = pi/4 + atan((a-1)/(a+1)): one division brings any a to tan(pi/8). */
export function atan(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const a = m.abs(x);
  const isLarge = m.compare('gt', a, Math.SQRT2 + 1);
  const isMiddle = m.compare('gt', a, Math.SQRT2 - 1);
  const numerator = m.select(isLarge, -1, m.select(isMiddle, m.sub(a, 1), a));
  const denominator = m.select(isLarge, a, m.select(isMiddle, m.add(a, 1), 1));
  const t = m.div(numerator, denominator);
  const z = m.mul(t, t);
  const [upper, lower] = halfPi[elem];
  const offset = (part: number): Vec => m.select(isLarge, part, m.select(isMiddle, part / 2, 0));
  const tail = m.fma(m.mul(t, z), m.polynomial(z, arctangent[elem]), offset(lower));
  return m.copySign(m.add(offset(upper), m.add(t, tail)), x);
}

/** asin(s) for the reduced argument: a itself up to 1/2, above it s = sqrt((1-a)/2), with asin a = pi/2 - 2 asin s. */
function arcsineOfReduced(m: Floats, x: Vec): { isLarge: Mask; value: Vec } {
  const a = m.abs(x);
  const isLarge = m.compare('gt', a, 0.5);
  const z = m.select(isLarge, m.fnma(a, 0.5, 0.5), m.mul(a, a));
  const s = m.select(isLarge, m.sqrt(z), a);
  return { isLarge, value: m.fma(m.mul(s, z), m.polynomial(z, arcsine[m.elem]), s) };
}

export function asin(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const { isLarge, value } = arcsineOfReduced(m, x);
  const [upper, lower] = halfPi[elem];
  const large = m.sub(upper, m.fma(value, 2, -lower));
  return m.copySign(m.select(isLarge, large, value), x);
}

/** pi/2 - asin x up to 1/2; above it 2 asin s, below -1/2 pi minus that. */
export function acos(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const { isLarge, value } = arcsineOfReduced(m, x);
  const [upper, lower] = halfPi[elem];
  const twice = m.add(value, value);
  const negative = m.sub(2 * upper, m.sub(twice, 2 * lower));
  const large = m.select(m.compare('lt', x, 0), negative, twice);
  const signed = m.flip(value, m.signOf(x));
  return m.select(isLarge, large, m.sub(upper, m.sub(signed, lower)));
}
