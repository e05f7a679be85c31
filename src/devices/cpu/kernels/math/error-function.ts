/** erf, and gelu on it. The coefficients are our own minimax. */
import type { KernelBuilder, Vec } from '../../codegen/index.ts';
import { errorFunction, errorFunctionRatio, normalTail, normalTailRatio } from './coefficients.ts';
import { expInside, expm1Inside, sigmoid } from './exponential.ts';
import { type FloatElem, floats } from './floats.ts';

/**
 * By the exponent of erfc |x| = exp(-p): an error of p is damped by e^-p, and near 0 the result is p itself. f32: p is a
 * polynomial; f64: a rational function.
 */
export function erf(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const a = m.max(m.minusAbs(x), elem === 'f32' ? -4 : -5.95);
  const { numerator, denominator } = errorFunctionRatio.f64;
  const exponent =
    elem === 'f32'
      ? m.fma(a, m.polynomial(a, errorFunction.f32), a)
      : m.mul(a, m.div(m.polynomial(a, numerator), m.polynomial(a, denominator)));
  return m.copySign(m.abs(expm1Inside(m, exponent)), x);
}

/**
 * x Phi(x), with the normal distribution's cumulative function (Hendrycks and Gimpel, Gaussian error linear units, 2016).
 * Phi comes from its exponent, so that the left tail keeps relative accuracy far beyond where 1 + erf has lost it; from -7
 * (f64: -9.5) on, where the result is within 10^-11 (10^-20) of 0, it stays as it is.
 */
export function gelu(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const lowest = elem === 'f32' ? -7 : -9.5;
  const a = m.max(m.minusAbs(x), lowest);
  const { numerator, denominator } = normalTailRatio.f64;
  const ratio =
    elem === 'f32' ? m.polynomial(a, normalTail.f32) : m.div(m.polynomial(a, numerator), m.polynomial(a, denominator));
  const tail = m.mul(expInside(m, m.mul(a, ratio)), 0.5);
  return m.mul(m.max(x, lowest), m.select(m.compare('lt', x, 0), tail, m.sub(1, tail)));
}

/** Its approximation by tanh: (1 + tanh z) / 2 = sigmoid(2z), with 2z = sqrt(8/pi) (x + 0.044715 x^3). */
export function geluByTanh(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const scale = Math.sqrt(8 / Math.PI);
  return m.mul(x, sigmoid(b, elem, m.mul(x, m.fma(m.mul(x, x), 0.044715 * scale, scale))));
}
