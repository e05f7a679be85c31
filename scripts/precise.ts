/**
 * Real numbers to 256 significant bits, slowly: the reference that the vector maths is checked against and from which
 * its coefficients are derived. Every function is the textbook series after an exact or extended-precision reduction.
 */

/** m * 2^e. */
export interface Real {
  readonly m: bigint;
  readonly e: number;
}

const precision = 256;

const bitLength = (m: bigint): number => {
  const hex = (m < 0n ? -m : m).toString(16);
  return hex === '0' ? 0 : hex.length * 4 - Math.clz32(parseInt(hex[0], 16)) + 28;
};

/** m * 2^e rounded to `bits` significant bits, half away from zero. */
function round(m: bigint, e: number, bits = precision): Real {
  const extra = bitLength(m) - bits;
  if (extra <= 0) return { m, e };
  const half = 1n << BigInt(extra - 1);
  const magnitude = ((m < 0n ? -m : m) + half) >> BigInt(extra);
  return { m: m < 0n ? -magnitude : magnitude, e: e + extra };
}

/** A finite double, exactly. */
export function real(x: number): Real {
  if (!Number.isFinite(x)) throw new RangeError(`real: expected a finite number, got ${x}`);
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const m = exponent === 0 ? fraction : fraction | (1n << 52n);
  return { m: bits >> 63n ? -m : m, e: Math.max(exponent, 1) - 1075 };
}

export const zero: Real = { m: 0n, e: 0 };
export const one: Real = { m: 1n, e: 0 };
export const two: Real = { m: 1n, e: 1 };
export const half: Real = { m: 1n, e: -1 };

export const neg = ({ m, e }: Real): Real => ({ m: -m, e });
export const abs = ({ m, e }: Real): Real => ({ m: m < 0n ? -m : m, e });
export const scale = ({ m, e }: Real, power: number): Real => ({ m, e: e + power });
/** x lies in [2^(exponent-1), 2^exponent). */
export const exponent = ({ m, e }: Real): number => bitLength(m) + e;

export function add(a: Real, b: Real): Real {
  if (a.m === 0n) return b;
  if (b.m === 0n) return a;
  // One far below the other's last bit cannot be seen.
  if (exponent(a) - exponent(b) > precision + 8) return a;
  if (exponent(b) - exponent(a) > precision + 8) return b;
  const e = Math.min(a.e, b.e);
  return round((a.m << BigInt(a.e - e)) + (b.m << BigInt(b.e - e)), e);
}
export const sub = (a: Real, b: Real): Real => add(a, neg(b));
export const mul = (a: Real, b: Real): Real => round(a.m * b.m, a.e + b.e);
export function div(a: Real, b: Real): Real {
  if (b.m === 0n) throw new RangeError('div: expected a divisor other than 0');
  const shift = Math.max(0, precision + 8 + bitLength(b.m) - bitLength(a.m));
  return round((a.m << BigInt(shift)) / b.m, a.e - b.e - shift);
}
export const compare = (a: Real, b: Real): number => {
  const { m } = sub(a, b);
  return m < 0n ? -1 : m > 0n ? 1 : 0;
};

/** The integer nearest to x; x below 2^2000. */
export function nearest({ m, e }: Real): bigint {
  if (e >= 0) return m << BigInt(e);
  return ((m >> BigInt(-e - 1)) + 1n) >> 1n;
}
export const integer = (n: bigint): Real => round(n, 0);

export function sqrt(a: Real): Real {
  if (a.m < 0n) throw new RangeError('sqrt: expected at least 0');
  if (a.m === 0n) return zero;
  let shift = Math.max(0, 2 * precision + 16 - bitLength(a.m));
  if ((a.e - shift) % 2 !== 0) shift++;
  const n = a.m << BigInt(shift);
  let root = 1n << BigInt((bitLength(n) >> 1) + 1);
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) break;
    root = next;
  }
  return round(root, (a.e - shift) / 2);
}

/** Nearest number with `bits` significant bits (24: a float32, 53: a float64), where that is a normal one. */
export function toNumber(a: Real, bits: 24 | 53): number {
  const { m, e } = round(a.m, a.e, bits);
  return Number(m) * 2 ** e;
}
/** A double near x: for printing and for choosing a path. */
export const approximate = (a: Real): number => {
  const { m, e } = round(a.m, a.e, 53);
  const lower = Math.max(e, -1000);
  return Number(m) * 2 ** lower * 2 ** (e - lower);
};

/** 2 atanh(1/n) scaled by 2^bits. */
function logRatio(n: bigint, bits: number, alternating: boolean): bigint {
  let term = (2n << BigInt(bits)) / n;
  let sum = term;
  for (let k = 3n; term !== 0n; k += 2n) {
    term /= alternating ? -n * n : n * n;
    sum += term / k;
  }
  return sum;
}

/** Machin: pi = 16 atan(1/5) - 4 atan(1/239). */
const piScaled = (bits: number): bigint => (8n * logRatio(5n, bits + 16, true) - 2n * logRatio(239n, bits + 16, true)) >> 16n;
const piBits = 1600;
const piWide = piScaled(piBits);
export const pi: Real = round(piWide, -piBits);
export const ln2: Real = round(logRatio(3n, precision + 32, false), -precision - 32);

function series(first: Real, next: (term: Real, k: number) => Real): Real {
  let term = first;
  let sum = first;
  for (let k = 1; term.m !== 0n && exponent(term) > exponent(sum) - precision - 8; k++) {
    term = next(term, k);
    sum = add(sum, term);
  }
  return sum;
}
const small = (n: number): Real => ({ m: BigInt(n), e: 0 });

export function exp(x: Real): Real {
  const n = Number(nearest(div(x, ln2)));
  const r = scale(sub(x, mul(small(n), ln2)), -8);
  let result = series(one, (term, k) => div(mul(term, r), small(k)));
  for (let i = 0; i < 8; i++) result = mul(result, result);
  return scale(result, n);
}
export function expm1(x: Real): Real {
  if (exponent(x) > -2) return sub(exp(x), one);
  return series(x, (term, k) => div(mul(term, x), small(k + 1)));
}

/** 2 atanh(s) */
const twoAtanh = (s: Real): Real => {
  const z = mul(s, s);
  let power = scale(s, 1);
  return series(power, (_, k) => div((power = mul(power, z)), small(2 * k + 1)));
};
export function log(x: Real): Real {
  if (x.m <= 0n) throw new RangeError('log: expected more than 0');
  let n = exponent(x);
  let m = scale(x, -n);
  if (approximate(m) < Math.SQRT1_2) {
    m = scale(m, 1);
    n--;
  }
  // Two roots bring m to within 9% of 1, where the series is quick.
  const near = n === 0 && Math.abs(approximate(m) - 1) < 0.1;
  const root = near ? m : sqrt(sqrt(m));
  const part = twoAtanh(div(sub(root, one), add(root, one)));
  return add(mul(small(n), ln2), near ? part : scale(part, 2));
}
export const log1p = (x: Real): Real => (exponent(x) > -3 ? log(add(one, x)) : twoAtanh(div(x, add(two, x))));

/** sin and cos of x, by the nearest multiple of pi/2 subtracted at full precision. */
function sinCos(x: Real): { sin: Real; cos: Real } {
  // x * 2^piBits as an integer, so that nothing of a double as large as 2^1024 is lost.
  const shift = x.e + piBits;
  const scaled = shift >= 0 ? x.m << BigInt(shift) : x.m >> BigInt(-shift);
  const quarter = piWide >> 1n;
  const n = exponent(x) < 0 ? 0n : (scaled + (quarter >> 1n)) / quarter - (scaled + (quarter >> 1n) < 0n ? 1n : 0n);
  // n * pi/2 needs as many more bits of pi as n has; recompute the remainder with pi to 1600 + 1100 bits.
  const r = n === 0n ? x : round((scaled << 1100n) - n * (piExtended >> 1n), -piBits - 1100);
  const z = mul(r, r);
  const sin = series(r, (term, k) => neg(div(mul(term, z), small(2 * k * (2 * k + 1)))));
  const cos = series(one, (term, k) => neg(div(mul(term, z), small((2 * k - 1) * 2 * k))));
  switch (((n % 4n) + 4n) % 4n) {
    case 0n: return { sin, cos };
    case 1n: return { sin: cos, cos: neg(sin) };
    case 2n: return { sin: neg(sin), cos: neg(cos) };
    default: return { sin: neg(cos), cos: sin };
  }
}
const piExtended = piScaled(piBits + 1100);
export const sin = (x: Real): Real => sinCos(x).sin;
export const cos = (x: Real): Real => sinCos(x).cos;
export const tan = (x: Real): Real => {
  const both = sinCos(x);
  return div(both.sin, both.cos);
};

export function atan(x: Real): Real {
  if (x.m < 0n) return neg(atan(neg(x)));
  if (compare(x, one) > 0) return sub(scale(pi, -1), atan(div(one, x)));
  // atan x = 2 atan(x / (1 + sqrt(1 + x^2))), three times; not for tiny x, where it would only cost bits.
  let t = x;
  const halvings = exponent(x) < -6 ? 0 : 3;
  for (let i = 0; i < halvings; i++) t = div(t, add(one, sqrt(add(one, mul(t, t)))));
  const z = neg(mul(t, t));
  let power = t;
  return scale(series(t, (_, k) => div((power = mul(power, z)), small(2 * k + 1))), halvings);
}
export function asin(x: Real): Real {
  if (compare(abs(x), one) === 0) return x.m < 0n ? neg(scale(pi, -1)) : scale(pi, -1);
  return atan(div(x, sqrt(mul(sub(one, x), add(one, x)))));
}
export function acos(x: Real): Real {
  if (compare(x, neg(one)) === 0) return pi;
  return scale(atan(sqrt(div(sub(one, x), add(one, x)))), 1);
}

export const sinh = (x: Real): Real => {
  if (x.m < 0n) return neg(sinh(neg(x)));
  const u = expm1(x);
  return scale(add(u, div(u, add(u, one))), -1);
};
export const cosh = (x: Real): Real => {
  const u = exp(x);
  return scale(add(u, div(one, u)), -1);
};
export const tanh = (x: Real): Real => {
  const u = expm1(scale(x, 1));
  return div(u, add(u, two));
};
export const sigmoid = (x: Real): Real => {
  const u = exp(x);
  return div(u, add(one, u));
};
export const softplus = (x: Real): Real => log1p(exp(x));
export const pow = (x: Real, y: Real): Real => exp(mul(y, log(x)));

const twoOverRootPi = div(two, sqrt(pi));
/** Abramowitz & Stegun 7.1.6: all terms positive. |x| below 40. */
export function erf(x: Real): Real {
  const z = scale(mul(x, x), 1);
  const sum = series(x, (term, k) => div(mul(term, z), small(2 * k + 1)));
  return mul(mul(twoOverRootPi, exp(neg(mul(x, x)))), sum);
}
/** 1 - erf(x); keeps 100 bits and more for x below 10. */
export const erfc = (x: Real): Real => sub(one, erf(x));

/**
 * How far `got` is from `exact` in units of the last place that a `bits`-bit float has at `exact` (24: float32, 53: float64);
 * 0 where it is what correct rounding gives. Overflow to infinity counts as the number after the largest.
 */
export function ulpError(got: number, exact: Real, bits: 24 | 53): number {
  const [lowest, highest] = bits === 24 ? [-149, 128] : [-1074, 1024];
  const ulp = Math.max(exponent(exact) - bits, lowest);
  if (!Number.isFinite(got)) {
    if (Number.isNaN(got)) return Infinity;
    const limit: Real = { m: got > 0 ? 1n : -1n, e: highest };
    const sameSide = exact.m > 0n === got > 0 && exponent(exact) > highest;
    return sameSide ? 0 : Math.abs(approximate(scale(sub(limit, exact), -(highest - bits))));
  }
  return Math.abs(approximate(scale(sub(real(got), exact), -ulp)));
}

/** floor(2/pi * 2^bits), for Payne and Hanek's reduction. */
export const twoOverPiScaled = (bits: number): bigint => (2n << BigInt(2 * bits + 64)) / piScaled(bits + 64);
