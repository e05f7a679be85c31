/**
 * exp and what is made of it: expm1, sigmoid, tanh, sinh, cosh. No branches; the exponent's reduction is Cody and Waite's
 * (Software Manual for the Elementary Functions, 1980), the polynomial our own minimax.
 *
 * x = 2 h ln 2 + r with an integer h and |r| <= ln 2, so e^x = e^r 2^h 2^h: with an even power of two, one factor serves
 * twice, and neither overflow nor a denormal result needs a case of its own.
 */
import type { KernelBuilder, Vec } from '../../codegen/index.ts';
import { exponential, twoLn2 } from './coefficients.ts';
import { type FloatElem, type Floats, floats } from './floats.ts';

/** Arguments beyond which e^x is 0 or infinite in any rounding. */
const range = { f32: { low: -104, high: 89 }, f64: { low: -746, high: 710 } } as const;

interface Reduced {
  /** e^r - 1 */
  readonly u: Vec;
  /** 2^h */
  readonly scale: Vec;
}

/** x (+ tail) lies within a little more than `range`, or is NaN, in which case u is. */
function reduce(f: Floats, x: Vec, tail?: Vec): Reduced {
  // Adding 1.5 * 2^mantissa rounds to an integer, which then stands in the low bits; with the bias in there, they are those
  // of the exponent of 2^h.
  const magic = 1.5 * 2 ** f.mantissa + f.bias;
  const shifted = f.fma(x, 0.5 / Math.LN2, magic);
  const h = f.sub(shifted, magic);
  const [upper, lower] = twoLn2[f.elem];
  const coarse = f.fnma(h, upper, x);
  const exact = f.fnma(h, lower, coarse);
  const r = tail ? f.add(exact, tail) : exact;
  const q = f.polynomial(r, exponential[f.elem]);
  return { u: f.fma(f.mul(r, r), q, r), scale: f.shl(shifted, f.mantissa) };
}
const clamp = (f: Floats, x: Vec, low: number = range[f.elem].low): Vec => f.max(f.min(x, range[f.elem].high), low);

/** e^x for x that `reduce` takes. */
export function expInside(f: Floats, x: Vec, tail?: Vec): Vec {
  const { u, scale } = reduce(f, x, tail);
  return f.mul(f.mul(f.add(u, 1), scale), scale);
}
/** e^(x + tail), where the tail is less than a unit of x's last place. */
export const expOfSum = (f: Floats, x: Vec, tail?: Vec): Vec => expInside(f, clamp(f, x), tail);
/** e^-|x| */
export const expOfMinus = (f: Floats, x: Vec): Vec => expInside(f, f.max(f.minusAbs(x), range[f.elem].low));

export const exp = (b: KernelBuilder, elem: FloatElem, x: Vec): Vec => expOfSum(floats(b, elem), x);

/** (e^x - 1) / 2^h, and 2^h: e^x - 1 = (u 2^h + 2^h - 2^-h) 2^h. */
function scaledExpm1(f: Floats, x: Vec): { value: Vec; scale: Vec } {
  const { u, scale } = reduce(f, x);
  const inverse = f.subBits(f.pattern(f.one * 2n), scale);
  return { value: f.fma(u, scale, f.sub(scale, inverse)), scale };
}

/** e^x - 1 for x that `reduce` takes; +0 for -0. */
export function expm1Inside(f: Floats, x: Vec): Vec {
  const { value, scale } = scaledExpm1(f, x);
  return f.mul(value, scale);
}

/** Where e^x - 1 has become -1. */
const minusOneBelow = { f32: -18, f64: -38 } as const;

export function expm1(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const f = floats(b, elem);
  return b.bits('or', elem, expm1Inside(f, clamp(f, x, minusOneBelow[elem])), f.signOf(x));
}

/** 1 / (1 + e^-x), by an exponent that is never positive: e^x / (1 + e^x) for negative x keeps the left tail. */
export function sigmoid(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const f = floats(b, elem);
  const z = expOfMinus(f, x);
  return f.div(f.select(f.compare('lt', x, 0), z, 1), f.add(z, 1));
}

/** Where tanh has become 1. */
const tanhIsOne = { f32: 9.02, f64: 20 } as const;

/** u / (u + 2) with u = e^2|x| - 1 */
export function tanh(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const f = floats(b, elem);
  const a = f.min(f.abs(x), tanhIsOne[elem]);
  const u = expm1Inside(f, f.add(a, a));
  return f.copySign(f.div(u, f.add(u, 2)), x);
}

/** (u + u / (u + 1)) / 2 with u = e^|x| - 1, where one factor 2^h is left to the end, so that u itself may overflow. */
export function sinh(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const f = floats(b, elem);
  const { value, scale } = scaledExpm1(f, f.min(f.abs(x), range[elem].high + 1));
  const factor = f.add(f.div(1, f.fma(value, scale, 1)), 1);
  return f.copySign(f.mul(f.mul(value, factor), f.mul(scale, 0.5)), x);
}

/** w + 1/(4w) with w = e^|x| / 2 */
export function cosh(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const f = floats(b, elem);
  const { u, scale } = reduce(f, f.min(f.abs(x), range[elem].high + 1));
  const w = f.mul(f.mul(f.add(u, 1), scale), f.mul(scale, 0.5));
  return f.add(w, f.div(0.25, w));
}
