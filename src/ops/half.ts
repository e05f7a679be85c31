/** The 16-bit floats, held as their bits: decoding is exact, encoding rounds to nearest, ties to even. */

interface Format {
  readonly mantissaBits: number;
  /** Exponent of the smallest normal number; its negative plus one is the bias. */
  readonly minExponent: number;
}

const formats = {
  float16: { mantissaBits: 10, minExponent: -14 },
  bfloat16: { mantissaBits: 7, minExponent: -126 },
} as const satisfies Record<string, Format>;

export type HalfDType = keyof typeof formats;

export const isHalf = (dtype: string): dtype is HalfDType => dtype in formats;

/** The number that 16 bits stand for. */
export function decodeHalf(dtype: HalfDType, bits: number): number {
  const { mantissaBits, minExponent } = formats[dtype];
  const maxField = (1 << (15 - mantissaBits)) - 1;
  const sign = bits & 0x8000 ? -1 : 1;
  const field = (bits & 0x7fff) >> mantissaBits;
  const mantissa = bits & ((1 << mantissaBits) - 1);
  if (field === maxField) return mantissa === 0 ? sign * Infinity : NaN;
  const significand = field === 0 ? mantissa : mantissa + (1 << mantissaBits);
  return sign * significand * 2 ** (minExponent - mantissaBits + Math.max(field - 1, 0));
}

/** The nearest 16-bit float of a double, in one rounding. */
export function encodeHalf(dtype: HalfDType, value: number): number {
  const { mantissaBits, minExponent } = formats[dtype];
  const infinity = 0x7fff & ~((1 << mantissaBits) - 1);
  if (Number.isNaN(value)) return infinity | (1 << (mantissaBits - 1));
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return sign | infinity;
  // Scaled so that one unit is the last place kept, the significand rounds as an integer; a carry out of it runs into
  // the exponent field by itself. Doubles below 2^-1022 are far below half the smallest subnormal and round to zero.
  const exponent = Math.max(magnitude === 0 ? minExponent : floorLog2(magnitude), minExponent);
  const steps = roundHalfEven(magnitude * 2 ** (mantissaBits - exponent));
  return sign | Math.min(steps + (exponent - minExponent) * (1 << mantissaBits), infinity);
}

/** Nearest integer, ties to even, as IEEE 754 rounds and ONNX's Round. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor; // NaN for infinities, which are their own floor
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return rounded === 0 && value < 0 ? -0 : rounded;
}

function floorLog2(value: number): number {
  const guess = Math.floor(Math.log2(value));
  if (2 ** guess > value) return guess - 1;
  return 2 ** (guess + 1) <= value ? guess + 1 : guess;
}
