/**
 * The notation in which the vector maths is written: the builder with its element type fixed and numbers allowed as operands,
 * and the few bit-level and double-length steps that its functions share.
 */
import type { KernelBuilder, Mask, Pred, Vec } from '../../codegen/index.ts';

export type FloatElem = 'f32' | 'f64';
export type Operand = Vec | number;

/** What IEEE 754 says of each type. */
const formats = {
  f32: { int: 'i32', bits: 24, mantissa: 23, bias: 127, one: 0x3f800000n, fractionMask: 0x7fffffn, upperMask: 0xfffff000n, minNormal: 2 ** -126 },
  f64: {
    int: 'i64', bits: 53, mantissa: 52, bias: 1023, one: 0x3ff0000000000000n, fractionMask: 0xfffffffffffffn,
    upperMask: 0xfffffffff8000000n, minNormal: 2 ** -1022,
  },
} as const;

/** A value to twice the precision: upper + lower, where lower is at most half a unit of upper's last place. */
export interface Double {
  readonly upper: Vec;
  readonly lower: Vec;
}

export type Floats = ReturnType<typeof makeFloats>;

const known = new WeakMap<KernelBuilder, Partial<Record<FloatElem, Floats>>>();

/** The same for the same builder: it is asked for at every instruction. */
export function floats(b: KernelBuilder, elem: FloatElem): Floats {
  let ofBuilder = known.get(b);
  if (!ofBuilder) known.set(b, (ofBuilder = {}));
  return (ofBuilder[elem] ??= makeFloats(b, elem));
}

function makeFloats(b: KernelBuilder, elem: FloatElem) {
  const format = formats[elem];
  const v = (x: Operand): Vec => (typeof x === 'number' ? b.splat(elem, x) : x);
  const bits = (x: bigint): Vec => b.splat(format.int, x);
  const add = (x: Operand, y: Operand): Vec => b.add(elem, v(x), v(y));
  const sub = (x: Operand, y: Operand): Vec => b.sub(elem, v(x), v(y));
  const mul = (x: Operand, y: Operand): Vec => b.mul(elem, v(x), v(y));
  const fma = (x: Operand, y: Operand, z: Operand): Vec => b.fma(elem, v(x), v(y), v(z));
  const select = (mask: Mask, x: Operand, y: Operand): Vec => b.select(elem, mask, v(x), v(y));

  return {
    b,
    elem,
    ...format,
    v,
    /** An integer vector constant, of the lanes' width. */
    pattern: bits,
    add,
    sub,
    mul,
    div: (x: Operand, y: Operand): Vec => b.div(elem, v(x), v(y)),
    /** x where either is NaN. */
    min: (x: Vec, y: Operand): Vec => b.min(elem, x, v(y)),
    max: (x: Vec, y: Operand): Vec => b.max(elem, x, v(y)),
    /** x y + z */
    fma,
    /** z - x y */
    fnma: (x: Operand, y: Operand, z: Operand): Vec => b.fnma(elem, v(x), v(y), v(z)),
    sqrt: (x: Vec): Vec => b.unary('sqrt', elem, x),
    round: (x: Vec): Vec => b.unary('round', elem, x),
    floor: (x: Vec): Vec => b.unary('floor', elem, x),
    trunc: (x: Vec): Vec => b.unary('trunc', elem, x),
    compare: (pred: Pred, x: Vec, y: Operand): Mask => b.compare(elem, pred, x, v(y)),
    select,
    and: (p: Mask, q: Mask): Mask => b.maskLogic('maskAnd', p, q),
    or: (p: Mask, q: Mask): Mask => b.maskLogic('maskOr', p, q),
    not: (p: Mask): Mask => b.maskNot(p),

    // ---- bits
    shl: (x: Vec, count: number): Vec => b.shift('shl', format.int, x, count),
    shr: (x: Vec, count: number): Vec => b.shift('shr', format.int, x, count),
    addBits: (x: Vec, y: Vec): Vec => b.add(format.int, x, y),
    subBits: (x: Vec, y: Vec): Vec => b.sub(format.int, x, y),
    bitAnd: (x: Vec, y: Vec): Vec => b.bits('and', format.int, x, y),
    bitOr: (x: Vec, y: Vec): Vec => b.bits('or', format.int, x, y),
    abs: (x: Vec): Vec => b.bits('andNot', elem, v(-0), x),
    minusAbs: (x: Vec): Vec => b.bits('or', elem, x, v(-0)),
    neg: (x: Vec): Vec => b.bits('xor', elem, x, v(-0)),
    signOf: (x: Vec): Vec => b.bits('and', elem, x, v(-0)),
    /** x with its sign changed where the sign bit of `sign` (a vector whose other bits are 0) is set. */
    flip: (x: Vec, sign: Vec): Vec => b.bits('xor', elem, x, sign),
    /** The magnitude of x, x not negative, with the sign of y. */
    copySign: (x: Vec, y: Vec): Vec => b.bits('or', elem, x, b.bits('and', elem, y, v(-0))),

    /** c[0] + c[1] x + ..., by Horner. */
    polynomial(x: Vec, coefficients: readonly number[]): Vec {
      return coefficients.slice(0, -1).reduceRight((sum: Operand, c) => fma(sum, x, c), coefficients[coefficients.length - 1]) as Vec;
    },

    // ---- double length (T. J. Dekker, A floating-point technique for extending the available precision, 1971)
    /** x + y exactly, where |x| >= |y| or x = 0. */
    fastTwoSum(x: Operand, y: Vec): Double {
      const upper = add(x, y);
      return { upper, lower: sub(y, sub(upper, x)) };
    },
    /** x + y exactly (D. E. Knuth, The Art of Computer Programming 2, 4.2.2). */
    twoSum(x: Vec, y: Vec): Double {
      const upper = add(x, y);
      const yPart = sub(upper, x);
      const xPart = sub(upper, yPart);
      return { upper, lower: add(sub(x, xPart), sub(y, yPart)) };
    },
    /** x cut to half its bits, and the rest. */
    halves(x: Vec): Double {
      const upper = b.bits('and', format.int, x, bits(format.upperMask));
      return { upper, lower: sub(x, upper) };
    },
    /** x y exactly, but for underflow; y at most 2^1023. */
    twoProduct(x: Vec, y: Vec): Double {
      const upper = mul(x, y);
      if (b.isa.fma) return { upper, lower: fma(x, y, b.bits('xor', elem, upper, v(-0))) };
      const p = this.halves(x);
      // Of 53 bits the half is 26 and 27; rounded instead of cut, the second factor has 26 and 26 and a sign.
      const q = elem === 'f64' ? this.halves(b.add('i64', y, bits(1n << 26n))) : this.halves(y);
      const qLower = elem === 'f64' ? sub(y, q.upper) : q.lower;
      const rest = sub(mul(p.upper, q.upper), upper);
      return { upper, lower: add(add(add(rest, mul(p.upper, qLower)), mul(p.lower, q.upper)), mul(p.lower, qLower)) };
    },
  };
}
