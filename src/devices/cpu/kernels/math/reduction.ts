/**
 * x = n pi/2 + r with |r| <= pi/4 (and a little), for sin, cos and tan over the whole range.
 *
 * Up to a limit: Cody and Waite's subtraction of n times pi/2 in parts (Software Manual for the Elementary Functions, 1980).
 * Beyond it, in a branch taken where any lane needs it: Payne and Hanek's multiplication by those bits of 2/pi alone that
 * matter (Radian reduction for trigonometric functions, SIGNUM 18, 1983), in floats whose products are exact.
 */
import type { Vec } from '../../codegen/index.ts';
import { halfPi, halfPiFused, halfPiShort, twoOverPiChunks } from './coefficients.ts';
import type { Double, Floats } from './floats.ts';

export interface Reduction {
  readonly r: Vec;
  /** n in the low bits, as an integer. */
  readonly quadrant: Vec;
}

/** Up to here n has no more bits than the short parts of pi/2 leave for an exact product: 13 of 24, 27 of 53. */
const limit = { f32: 12_000, f64: 2 ** 27 } as const;

export function reduceByHalfPi(m: Floats, x: Vec): Reduction {
  const { b, elem } = m;
  // Adding this rounds to an integer, which then stands in the low bits.
  const magic = 1.5 * 2 ** m.mantissa;
  const shifted = m.fma(x, 2 / Math.PI, magic);
  const n = m.sub(shifted, magic);
  const parts: readonly number[] = b.isa.fma ? halfPiFused[elem] : halfPiShort[elem];
  const r = b.move(parts.reduce((rest, part) => m.fnma(n, part, rest), x));
  const quadrant = b.move(shifted);
  const large = m.compare('gt', m.abs(x), limit[elem]);
  b.if(b.maskBits(elem, large), () => {
    const far = reduceLarge(m, m.abs(x));
    const sign = m.signOf(x);
    b.select(elem, large, m.flip(far.r, sign), r, r);
    b.select(elem, large, m.add(m.flip(far.n, sign), magic), quadrant, quadrant);
  });
  return { r, quadrant };
}

/**
 * Chunk j of 2/pi is an integer c[j] of `width` bits: 2/pi = sum of c[j] 2^(-width (j+1)). With y = a 2^(-width g), where g
 * is such that every bit of y is a multiple of 4, the products of a with the first g chunks are multiples of 4 and drop
 * out; eight chunks from there on are as many as can matter: the float nearest to a multiple of pi/2 is 2^-31 (f32), 2^-62
 * (f64) away from it. For a near the limit g is -1, and the first chunk 0.
 */
const chunking = { f32: { width: 12, shifts: [8, 4, 2, 1] }, f64: { width: 26, shifts: [32, 16, 8, 4, 2, 1] } } as const;
const terms = 8;

/** For a >= limit; NaN for infinity. n is a small integer, right modulo 4. */
function reduceLarge(m: Floats, a: Vec): { r: Vec; n: Vec } {
  const { width, shifts } = chunking[m.elem];
  // g + 1 = (exponent - (bits + 1)) / width + 1, floored, at least 0
  const exponent = m.sub(m.bitOr(m.shr(a, m.mantissa), m.v(2 ** m.mantissa)), 2 ** m.mantissa + m.bias);
  let g = m.max(m.floor(m.mul(m.sub(exponent, m.bits + 0.5 - width), 1 / width)), 0);
  // Chunks g to g + terms - 1 and the scaled y, by the bits of g.
  let chunks: (Vec | number)[] = [0, ...twoOverPiChunks[m.elem]];
  let y = a;
  shifts.forEach((shift, level) => {
    const isSet = m.compare('ge', g, shift);
    const needed = terms + shift - 1;
    chunks = Array.from({ length: Math.min(needed, chunks.length) }, (_, j) =>
      j + shift < chunks.length ? m.select(isSet, chunks[j + shift], chunks[j]) : chunks[j],
    );
    y = m.select(isSet, m.mul(y, 2 ** (-width * shift)), y);
    if (level < shifts.length - 1) g = m.select(isSet, m.sub(g, shift), g);
  });
  const halves = m.halves(m.mul(y, 2 ** width));
  const upper = chunks.map((chunk, k) => m.mul(m.mul(halves.upper, chunk), 2 ** (-width * (k + 1))));
  const lower = chunks.map((chunk, k) => m.mul(m.mul(halves.lower, chunk), 2 ** (-width * (k + 1))));

  // The terms above 4 are exact modulo 4, as is their sum: its bits span no more than a significand.
  const modulo4 = (x: Vec): Vec => m.fnma(m.round(m.mul(x, 0.25)), 4, x);
  const whole = [lower[0], upper[1], lower[1], upper[2]].reduce((sum, term) => modulo4(m.add(sum, modulo4(term))), modulo4(upper[0]));
  // The others by descending size, in double length; the integer part is taken out as soon as it is known.
  let sum: Double = { upper: whole, lower: m.v(0) };
  const add = (term: Vec): void => {
    const next = m.twoSum(sum.upper, term);
    sum = { upper: next.upper, lower: m.add(sum.lower, next.lower) };
  };
  add(lower[2]);
  add(upper[3]);
  const n = m.round(sum.upper);
  sum = m.fastTwoSum(m.sub(sum.upper, n), sum.lower);
  for (let k = 3; k < terms; k++) {
    add(lower[k]);
    if (k + 1 < terms) add(upper[k + 1]);
    sum = m.fastTwoSum(sum.upper, sum.lower);
  }
  const [first, second] = halfPi[m.elem];
  const r = m.twoProduct(sum.upper, m.v(first));
  return { r: m.add(r.upper, m.fma(sum.upper, second, m.fma(sum.lower, first, r.lower))), n };
}
