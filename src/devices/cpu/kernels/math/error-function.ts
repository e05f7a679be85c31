/** erf, and gelu on it. The coefficients are our own minimax. */
import type { KernelBuilder, Vec } from '../../codegen/index.ts';
import { errorFunction, errorFunctionRatio } from './coefficients.ts';
import { expm1Inside, sigmoid } from './exponential.ts';
import { type FloatElem, floats } from './floats.ts';

/**
 * By the exponent of erfc |x| = exp(-p): an error of p is damped by e^-p, and near 0 the result is p itself. f32: p is a
 * polynomial; f64: a rational function.
 */
export function erf(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const a = m.max(b.bits('or', elem, x, m.v(-0)), elem === 'f32' ? -3.9 : -5.95);
  const { numerator, denominator } = errorFunctionRatio.f64;
  const exponent =
    elem === 'f32'
      ? m.fma(a, m.polynomial(a, errorFunction.f32), a)
      : m.mul(a, m.div(m.polynomial(a, numerator), m.polynomial(a, denominator)));
  return m.copySign(m.abs(expm1Inside(m, exponent)), x);
}

/** x times the normal distribution's cumulative function (Hendrycks and Gimpel, 2016), or its approximation by tanh. */
export function gelu(b: KernelBuilder, elem: FloatElem, x: Vec, approximate: 'none' | 'tanh' = 'none'): Vec {
  const m = floats(b, elem);
  if (approximate === 'none') return m.mul(m.mul(x, 0.5), m.add(erf(b, elem, m.mul(x, Math.SQRT1_2)), 1));
  // (1 + tanh z) / 2 = sigmoid(2z), with 2z = sqrt(8/pi) (x + 0.044715 x^3)
  const scale = Math.sqrt(8 / Math.PI);
  return m.mul(x, sigmoid(b, elem, m.mul(x, m.fma(m.mul(x, x), 0.044715 * scale, scale))));
}
