/** Scalar functions that JavaScript's Math lacks, to double precision; for reference evaluation, so exact before fast. */

const twoOverSqrtPi = 1.1283791670955126;
const overSqrtPi = 0.5641895835477563;

/** exp(-x^2) without the error of rounding x^2: the square of x's upper half is exact, the rest is small. */
function expOfMinusSquare(x: number): number {
  const upper = Math.fround(x);
  return Math.exp(-upper * upper) * Math.exp((upper - x) * (upper + x));
}

/** The error function. Source: the series of DLMF 7.6.2, all of whose terms have one sign; above 2, 1 - erfc. */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude > 2) return Math.sign(x) * (1 - erfc(magnitude));
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return twoOverSqrtPi * expOfMinusSquare(x) * sum;
}

/** 1 - erf(x), without cancellation. Source: the continued fraction of DLMF 7.9.1, evaluated from its tail. */
export function erfc(x: number): number {
  if (x < 0.5 || Number.isNaN(x)) return 1 - erf(x);
  if (x > 28) return 0;
  let fraction = x;
  // So many terms give double precision down to x = 0.5; measured against Python's math.erfc.
  for (let k = Math.ceil(20 + 220 / (x * x)); k > 0; k--) fraction = x + k / 2 / fraction;
  return (expOfMinusSquare(x) * overSqrtPi) / fraction;
}

/** C's pow, which IEEE 754 follows and Math.pow does not: 1 to any power is 1, and so is -1 to an infinite one. */
export const pow = (base: number, exponent: number): number =>
  base === 1 || (base === -1 && Math.abs(exponent) === Infinity) ? 1 : base ** exponent;

/** The logistic function, without overflow at either end. */
export function sigmoid(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
