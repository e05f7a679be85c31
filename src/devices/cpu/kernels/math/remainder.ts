/** C's fmod, exactly, for any operands; and integer division and remainder that never trap. */
import type { KernelBuilder, Long, Vec } from '../../codegen/index.ts';
import { type FloatElem, floats } from './floats.ts';

/** Quotients of more than `factor` could overflow: then a multiple of the divisor is taken out first. */
const strides = { f32: { factor: 2 ** 64, levels: 4, huge: 2 ** 120 }, f64: { factor: 2 ** 600, levels: 3, huge: 2 ** 1000 } } as const;

/**
 * The remainder r - q d of a correctly rounded quotient q is a float itself (W. Kahan; cf. Handbook of Floating-Point
 * Arithmetic, 4.7), so steps of up to 2^23 (2^52) cost no accuracy: one for ordinary operands, a dozen (forty) at most.
 * The result has the sign of x; NaN for infinite x or zero y.
 */
export function fmod(b: KernelBuilder, elem: FloatElem, x: Vec, y: Vec): Vec {
  const m = floats(b, elem);
  const { factor, levels, huge } = strides[elem];
  const d = m.abs(y);
  const r = b.move(x);
  b.forever(() => {
    const size = m.abs(r);
    const active = m.compare('ge', size, d);
    b.breakIf(b.icompare('eq', b.maskBits(elem, active), 0));
    let step = d;
    for (let level = 1; level < levels; level++) {
      const larger = m.mul(step, factor);
      step = m.select(m.compare('ge', size, larger), larger, step);
    }
    const q = m.trunc(m.div(r, step));
    // q step may be a little more than r, and r the largest float.
    const isHuge = m.compare('gt', size, huge);
    const shrink = m.select(isHuge, 0.25, 1);
    const product = m.twoProduct(m.mul(step, shrink), q);
    const rest = m.sub(m.sub(m.mul(r, shrink), product.upper), product.lower);
    b.select(elem, active, m.mul(rest, m.select(isHuge, 4, 1)), r, r);
  });
  // A quotient rounded up leaves a remainder of the other sign.
  const towards = m.flip(r, m.signOf(x));
  const positive = m.select(m.compare('lt', towards, 0), m.add(towards, d), towards);
  return m.select(m.compare('eq', y, y), m.copySign(m.abs(positive), x), y);
}

/** The divisor, or 1 where x / divisor or x % divisor could trap: 0, and -1 (which overflows for the least number). */
const harmless = (b: KernelBuilder, y: Long): Long =>
  b.iselect(b.icompare('eq', y, 0), b.long(1n), b.iselect(b.icompare('eq', y, -1), b.long(1n), y));

/** x / y towards zero; 0 where y is 0. */
export function integerDivide(b: KernelBuilder, x: Long, y: Long): Long {
  const quotient = b.integer('idiv', x, harmless(b, y));
  const negated = b.iselect(b.icompare('eq', y, -1), b.integer('isub', b.long(0n), x), quotient);
  return b.iselect(b.icompare('eq', y, 0), b.long(0n), negated);
}

/** x % y with the sign of x; 0 where y is 0. */
export const integerRemainder = (b: KernelBuilder, x: Long, y: Long): Long => b.integer('irem', x, harmless(b, y));

/** x % y with the sign of y, as Python has it; 0 where y is 0. */
export function integerModulo(b: KernelBuilder, x: Long, y: Long): Long {
  const r = integerRemainder(b, x, y);
  const differs = b.icompare('lt', b.integer('ixor', r, y), 0);
  const moved = b.iselect(differs, b.integer('iadd', r, y), r);
  return b.iselect(b.icompare('eq', r, 0), r, moved);
}

const topBit = -(2n ** 63n);
/** Unsigned numbers in the order of signed ones; the other way round again. */
export const reordered = (b: KernelBuilder, x: Long): Long => b.integer('ixor', x, b.long(topBit));

/** x / y of unsigned numbers; 0 where y is 0. By signed division: Warren, Hacker's Delight, 9-3. */
export function unsignedDivide(b: KernelBuilder, x: Long, y: Long): Long {
  const positive = b.iselect(b.icompare('gt', y, 0), y, b.long(1n));
  const estimate = b.integer('ishl', b.integer('idiv', halved(b, x), positive), 1);
  const rest = b.integer('isub', x, b.integer('imul', estimate, positive));
  const quotient = b.integer('iadd', estimate, b.extend(b.icompare('ge', reordered(b, rest), reordered(b, positive))));
  // A divisor of 2^63 or more goes in once or not at all.
  const once = b.extend(b.icompare('ge', reordered(b, x), reordered(b, y)));
  return b.iselect(b.icompare('lt', y, 0), once, b.iselect(b.icompare('eq', y, 0), b.long(0n), quotient));
}

/** x % y of unsigned numbers; 0 where y is 0. */
export function unsignedRemainder(b: KernelBuilder, x: Long, y: Long): Long {
  const rest = b.integer('isub', x, b.integer('imul', unsignedDivide(b, x, y), y));
  return b.iselect(b.icompare('eq', y, 0), b.long(0n), rest);
}

/** x >>> 1 */
export const halved = (b: KernelBuilder, x: Long): Long => b.integer('iand', b.integer('isar', x, 1), b.long(~topBit));

/** x to the power y modulo 2^64, by squaring; negative powers truncate to 0 but for those of 1 and -1. */
export function integerPower(b: KernelBuilder, x: Long, y: Long, unsignedPower = false): Long {
  const isNegative = unsignedPower ? b.int(0) : b.icompare('lt', y, 0);
  const result = b.long(1n);
  const square = b.move(x);
  const rest = b.move(b.iselect(isNegative, b.integer('iand', y, 1), y));
  b.forever(() => {
    b.breakIf(b.icompare('eq', rest, 0));
    const isOdd = b.icompare('ne', b.integer('iand', rest, 1), 0);
    b.move(b.iselect(isOdd, b.integer('imul', result, square), result), result);
    b.integer('imul', square, square, square);
    b.move(halved(b, rest), rest);
  });
  // For a negative power `result` is that of its last bit, which is right for 1 and -1.
  const isUnit = b.integer('ior', b.icompare('eq', x, 1), b.icompare('eq', x, -1));
  const ofNegative = b.iselect(isUnit, result, b.long(0n));
  return b.iselect(isNegative, ofNegative, result);
}
