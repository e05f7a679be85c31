/** Registers of the interpreter, and what each operation does to a lane. */
import { roundEven } from './exact-float.ts';
import type { Elem, Pred } from './ir.ts';

export type Lane = number | bigint;

/** One vector register, seen as each element type. */
export class Lanes {
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;

  constructor(bytes: number) {
    const buffer = new ArrayBuffer(bytes);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.i64 = new BigInt64Array(buffer);
  }
}

export const setLane = (lanes: Lanes, elem: Elem, l: number, value: Lane): void => {
  (lanes[elem] as unknown as Lane[])[l] = value;
};

export const integer = {
  iadd: (a: bigint, b: bigint) => a + b,
  isub: (a: bigint, b: bigint) => a - b,
  imul: (a: bigint, b: bigint) => a * b,
  idiv: (a: bigint, b: bigint) => a / b,
  irem: (a: bigint, b: bigint) => a % b,
  iand: (a: bigint, b: bigint) => a & b,
  ior: (a: bigint, b: bigint) => a | b,
  ixor: (a: bigint, b: bigint) => a ^ b,
  ishl: (a: bigint, b: bigint) => a << b,
  isar: (a: bigint, b: bigint) => a >> b,
};

/** Arithmetic on one lane; typed arrays round and wrap the result when it is stored. */
export const binary = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number, elem: Elem) => (elem === 'i32' ? Math.imul(a, b) : a * b),
  div: (a: number, b: number) => a / b,
  min: (a: number, b: number) => (b < a ? b : a),
  max: (a: number, b: number) => (a < b ? b : a),
  and: (a: Lane, b: Lane, elem: Elem) => bitwise(elem, a, b, (x, y) => x & y),
  or: (a: Lane, b: Lane, elem: Elem) => bitwise(elem, a, b, (x, y) => x | y),
  xor: (a: Lane, b: Lane, elem: Elem) => bitwise(elem, a, b, (x, y) => x ^ y),
  andNot: (a: Lane, b: Lane, elem: Elem) => bitwise(elem, a, b, (x, y) => ~x & y),
};

export const unary = {
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundEven,
  trunc: Math.trunc,
};

const scratch = new Lanes(8);
function bitwise(elem: Elem, a: Lane, b: Lane, f: (a: bigint, b: bigint) => bigint): Lane {
  const bitsOf = (value: Lane): bigint => {
    scratch.i64[0] = 0n;
    setLane(scratch, elem, 0, value);
    return scratch.i64[0];
  };
  scratch.i64[0] = f(bitsOf(a), bitsOf(b));
  return scratch[elem][0];
}

export const holds: Record<Pred, (a: Lane, b: Lane) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

export const read: Record<Elem, (view: DataView, at: number) => Lane> = {
  f32: (view, at) => view.getFloat32(at, true),
  f64: (view, at) => view.getFloat64(at, true),
  i32: (view, at) => view.getInt32(at, true),
  i64: (view, at) => view.getBigInt64(at, true),
};
export const write: Record<Elem, (view: DataView, at: number, from: Lanes, l: number) => void> = {
  f32: (view, at, from, l) => view.setInt32(at, from.i32[l], true),
  f64: (view, at, from, l) => view.setBigInt64(at, from.i64[l], true),
  i32: (view, at, from, l) => view.setInt32(at, from.i32[l], true),
  i64: (view, at, from, l) => view.setBigInt64(at, from.i64[l], true),
};
export function readBits(view: DataView, at: number, width: number): bigint {
  let bits = 0n;
  for (let k = 0; k < width / 8; k++) bits |= BigInt(view.getUint8(at + k)) << BigInt(8 * k);
  return bits;
}
