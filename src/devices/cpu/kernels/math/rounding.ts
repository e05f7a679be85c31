/** Sign and extremes as NumPy has them. */
import type { KernelBuilder, Vec } from '../../codegen/index.ts';
import { type FloatElem, floats } from './floats.ts';

/** -1, 0, 1; NaN for NaN; 0 for -0. */
export function sign(b: KernelBuilder, elem: FloatElem, x: Vec): Vec {
  const m = floats(b, elem);
  const signed = m.bitOr(m.signOf(x), m.v(1));
  const isOrdered = m.or(m.compare('lt', x, 0), m.compare('gt', x, 0));
  return m.select(isOrdered, signed, m.add(x, 0));
}

/** The smaller (larger); NaN where either is NaN. */
export function extreme(b: KernelBuilder, elem: FloatElem, op: 'min' | 'max', x: Vec, y: Vec): Vec {
  const m = floats(b, elem);
  // `min` and `max` give x where either is NaN.
  const pick = (p: Vec, q: Vec): Vec => (op === 'min' ? m.min(p, q) : m.max(p, q));
  if (isNumber(y)) return pick(x, y);
  if (isNumber(x)) return pick(y, x);
  return m.select(m.compare('ne', y, y), y, pick(x, y));
}
const isNumber = ({ splat }: Vec): boolean => splat !== undefined && !Number.isNaN(Number(splat.value));
