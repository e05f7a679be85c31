/** Vector maths in the kernel language: functions of whole vectors, without tables and, but for huge angles, without branches. */
export { cosh, exp, expm1, sigmoid, sinh, tanh } from './exponential.ts';
export { erf, gelu, geluByTanh } from './error-function.ts';
export { type FloatElem, type Floats, floats } from './floats.ts';
export { log, log1p, softplus } from './logarithm.ts';
export { pow } from './power.ts';
export {
  fmod,
  halved,
  integerDivide,
  integerModulo,
  integerPower,
  integerRemainder,
  reordered,
  unsignedDivide,
  unsignedRemainder,
} from './remainder.ts';
export { extreme, sign } from './rounding.ts';
export { acos, asin, atan, cos, sin, tan } from './trigonometric.ts';
