/** Floating-point arithmetic rounded exactly once, where JavaScript would round twice. For tests; slow. */

const f64 = new Float64Array(1);
const i64 = new BigInt64Array(f64.buffer);

/** To the nearest integer, ties to even. */
export function roundEven(x: number): number {
  if (!(Math.abs(x) < 2 ** 52)) return x;
  const rounded = Math.abs(x) + 2 ** 52 - 2 ** 52;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/** A 64-bit integer to the nearest f32, rounded once: long integers are rounded to odd on the way through f64. */
export function longToFloat(a: bigint): number {
  const magnitude = a < 0n ? -a : a;
  const excess = magnitude >> 53n === 0n ? 0n : 11n;
  const odd = magnitude & ((1n << excess) - 1n) ? 1n : 0n;
  const value = Math.fround(Number(((magnitude >> excess) | odd) << excess));
  return a < 0n ? -value : value;
}

/**
 * a * b + c rounded once to f32. The product is exact in f64; the sum is rounded to odd there, which makes the second
 * rounding harmless (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
 */
export function fma32(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  if (!Number.isFinite(sum)) return Math.fround(sum);
  const back = sum - product;
  const error = product - (sum - back) + (c - back);
  if (error === 0) return Math.fround(sum);
  f64[0] = sum;
  const isEven = (i64[0] & 1n) === 0n;
  if (isEven) i64[0] += error > 0 === sum > 0 ? 1n : -1n;
  return Math.fround(f64[0]);
}

/** a * b + c rounded once to f64, by exact integers. */
export function fma64(a: number, b: number, c: number): number {
  const rough = a * b + c;
  if (![a, b, c].every(Number.isFinite) || a === 0 || b === 0) return rough;
  const [am, ae] = exact(a);
  const [bm, be] = exact(b);
  const [cm, ce] = exact(c);
  const e = Math.min(ae + be, ce);
  const sum = ((am * bm) << BigInt(ae + be - e)) + (cm << BigInt(ce - e));
  return sum === 0n ? rough : scaled(sum, e);
}

/** A finite number as mantissa * 2 ** exponent. */
function exact(x: number): [bigint, number] {
  f64[0] = x;
  const bits = BigInt.asUintN(64, i64[0]);
  const field = Number((bits >> 52n) & 0x7ffn);
  const mantissa = (bits & ((1n << 52n) - 1n)) | (field > 0 ? 1n << 52n : 0n);
  return [bits >> 63n ? -mantissa : mantissa, Math.max(field, 1) - 1075];
}

/** mantissa * 2 ** e to the nearest f64, ties to even, denormals and overflow included. */
function scaled(mantissa: bigint, e: number): number {
  const negative = mantissa < 0n;
  let m = negative ? -mantissa : mantissa;
  const drop = Math.max(m.toString(2).length - 53, -1074 - e, 0);
  if (drop > 0) {
    const rest = m & ((1n << BigInt(drop)) - 1n);
    const half = 1n << BigInt(drop - 1);
    m >>= BigInt(drop);
    if (rest > half || (rest === half && m & 1n)) m++;
  }
  const value = e + drop > 971 ? Infinity : Number(m) * 2 ** Math.max(e + drop, -1074);
  return negative ? -value : value;
}
