/**
 * What a value is while its expression is emitted, and how it comes from memory, goes there, and changes its type.
 * In vector mode floats (of one type) are vectors and bools masks. In scalar mode there is one element at a time: floats in
 * lane 0 of a vector, everything else a 64-bit integer, bools 0 or 1.
 */
import type { DType } from '../../../../graph/index.ts';
import type { Int, KernelBuilder, Long, Mask, Mem, Pred, Vec } from '../../codegen/index.ts';
import { type FloatElem, halved, reordered } from '../math/index.ts';

export type Lane =
  | { readonly kind: 'vec'; readonly elem: FloatElem; readonly reg: Vec }
  | { readonly kind: 'mask'; readonly elem: FloatElem; readonly reg: Mask }
  | { readonly kind: 'long'; readonly reg: Long };

export type EmitMode = { readonly kind: 'vector'; readonly elem: FloatElem } | { readonly kind: 'scalar' };

export const elemOf = (dtype: DType): FloatElem | undefined =>
  dtype === 'float32' ? 'f32' : dtype === 'float64' ? 'f64' : undefined;

interface Integer {
  readonly width: 8 | 16 | 32 | 64;
  readonly unsigned: boolean;
}
/** Integer dtypes as 64-bit registers hold them: as numbers, but for uint64, whose upper half looks negative. */
const integers: Partial<Record<DType, Integer>> = {
  bool: { width: 8, unsigned: true },
  int8: { width: 8, unsigned: false },
  uint8: { width: 8, unsigned: true },
  int16: { width: 16, unsigned: false },
  uint16: { width: 16, unsigned: true },
  int32: { width: 32, unsigned: false },
  uint32: { width: 32, unsigned: true },
  int64: { width: 64, unsigned: false },
  uint64: { width: 64, unsigned: true },
};

/** Whether emitted code can hold values of this dtype. */
export const isEmittable = (dtype: DType): boolean => elemOf(dtype) !== undefined || dtype in integers;

function integerOf(dtype: DType): Integer {
  const found = integers[dtype];
  if (!found) throw new Error(`pointwise: values of ${dtype} cannot be computed with; cast them first`);
  return found;
}
function notInVectors(what: string): never {
  throw new Error(`pointwise: ${what} in vector mode; canVectorise tells which expressions have one`);
}

export const vec = (elem: FloatElem, reg: Vec): Lane => ({ kind: 'vec', elem, reg });
export const mask = (elem: FloatElem, reg: Mask): Lane => ({ kind: 'mask', elem, reg });
export const long = (reg: Long): Lane => ({ kind: 'long', reg });

export function asVec(lane: Lane): Vec {
  if (lane.kind !== 'vec') throw new Error(`pointwise: expected a float, got a ${lane.kind}`);
  return lane.reg;
}
export function asLong(lane: Lane): Long {
  if (lane.kind !== 'long') throw new Error(`pointwise: expected an integer, got a ${lane.kind}`);
  return lane.reg;
}

// ---- memory

/** Reads an element (scalar mode) or a vector whose first `count` lanes count. */
export function emitLoad(b: KernelBuilder, mode: EmitMode, dtype: DType, mem: Mem, count?: number): Lane {
  const elem = elemOf(dtype);
  if (mode.kind === 'vector') {
    return elem === mode.elem ? vec(elem, b.load(elem, mem, count)) : notInVectors(`reads ${dtype} beside ${mode.elem}`);
  }
  if (elem) return vec(elem, b.load(elem, mem, 1));
  const { width, unsigned } = integerOf(dtype);
  return long(b.iload('long', mem, width, unsigned && width < 64));
}

/** Writes an element (scalar mode) or the first `count` lanes of a vector. */
export function emitStore(b: KernelBuilder, mode: EmitMode, dtype: DType, mem: Mem, lane: Lane, count?: number): void {
  const elem = elemOf(dtype);
  if (mode.kind === 'vector') {
    return elem === mode.elem ? b.store(elem, mem, asVec(lane), count) : notInVectors(`writes ${dtype} beside ${mode.elem}`);
  }
  if (elem) b.store(elem, mem, asVec(lane), 1);
  else b.istore(mem, asLong(lane), integerOf(dtype).width);
}

// ---- truth

/** 1 where lane 0 of the mask is set, else 0. */
const lane0 = (b: KernelBuilder, elem: FloatElem, a: Mask): Int => b.integer('iand', b.maskBits(elem, a), 1);

/** A truth as the mode holds it. */
export const truth = (b: KernelBuilder, mode: EmitMode, elem: FloatElem, a: Mask): Lane =>
  mode.kind === 'vector' ? mask(elem, a) : long(b.extend(lane0(b, elem, a)));

/** A truth as a mask for lanes of `elem`. */
export function asMask(b: KernelBuilder, elem: FloatElem, lane: Lane): Mask {
  if (lane.kind === 'mask') return lane.reg;
  return b.compare(elem, 'ne', b.laneFromLong(elem, asLong(lane)), b.splat(elem, 0));
}

// ---- order

/** 1 where `a pred c`, for integers of a dtype. */
export const compareLongs = (b: KernelBuilder, dtype: DType, pred: Pred, a: Long, c: Long): Int =>
  dtype === 'uint64' ? b.icompare(pred, reordered(b, a), reordered(b, c)) : b.icompare(pred, a, c);

// ---- casts

/** Keeps as many low bits as the dtype has. */
export function wrapTo(b: KernelBuilder, dtype: DType, a: Long): Long {
  const { width, unsigned } = integerOf(dtype);
  if (width === 64) return a;
  if (unsigned) return b.integer('iand', a, b.long((1n << BigInt(width)) - 1n));
  return b.integer('isar', b.integer('ishl', a, 64 - width), 64 - width);
}

/** Lane 0 as an integer: truncated, saturated, NaN as 0. */
function toInteger(b: KernelBuilder, dtype: DType, elem: FloatElem, a: Vec): Long {
  const { width, unsigned } = integerOf(dtype);
  const bits = BigInt(unsigned ? width : width - 1);
  const [low, high] = [unsigned ? 0n : -(1n << bits), (1n << bits) - 1n];
  // Both ends are powers of two, so floats themselves. Strictly inside, the conversion cannot overflow.
  const above = lane0(b, elem, b.compare(elem, 'ge', a, b.splat(elem, Number(high + 1n))));
  const below = lane0(b, elem, b.compare(elem, 'lt', a, b.splat(elem, Number(low))));
  const inside = b.maskLogic(
    'maskAnd',
    b.compare(elem, 'lt', a, b.splat(elem, Number(high + 1n))),
    b.compare(elem, 'ge', a, b.splat(elem, Number(low))),
  );
  const converted = toLong(b, elem, b.select(elem, inside, a, b.splat(elem, 0)), dtype);
  return b.iselect(above, b.long(BigInt.asIntN(64, high)), b.iselect(below, b.long(low), converted));
}

/** Lane 0, which the dtype can hold, towards zero. Conversions know signed numbers alone: from 2^63 on, less 2^63. */
function toLong(b: KernelBuilder, elem: FloatElem, a: Vec, dtype: DType): Long {
  if (dtype !== 'uint64') return b.laneToLong(elem, a);
  const top = b.splat(elem, 2 ** 63);
  const isLarge = b.compare(elem, 'ge', a, top);
  const low = b.laneToLong(elem, b.select(elem, isLarge, b.sub(elem, a, top), a));
  return b.iselect(lane0(b, elem, isLarge), reordered(b, low), low);
}

/** An integer as a float, rounded once: half of a large unsigned number, its last bit a sign of what was lost, twice. */
function toFloat(b: KernelBuilder, elem: FloatElem, a: Long, from: DType | undefined): Vec {
  if (from !== 'uint64') return b.laneFromLong(elem, a);
  const half = b.laneFromLong(elem, b.integer('ior', halved(b, a), b.integer('iand', a, 1)));
  const isLarge = b.compare(elem, 'lt', b.laneFromLong(elem, a), b.splat(elem, 0));
  return b.select(elem, isLarge, b.add(elem, half, half), b.laneFromLong(elem, a));
}

/** The value as another dtype. An integer's own dtype matters where it may be uint64. */
export function castLane(b: KernelBuilder, mode: EmitMode, lane: Lane, to: DType, from?: DType): Lane {
  const elem = elemOf(to);
  if (lane.kind === 'vec') {
    if (to === 'bool') return truth(b, mode, lane.elem, b.compare(lane.elem, 'ne', lane.reg, b.splat(lane.elem, 0)));
    if (elem === lane.elem) return lane;
    if (mode.kind === 'vector') return notInVectors(`casts ${lane.elem} to ${to}`);
    if (!elem) return long(toInteger(b, to, lane.elem, lane.reg));
    return vec(elem, b.convert(elem === 'f64' ? 'widen' : 'narrow', lane.reg));
  }
  if (lane.kind === 'mask') {
    if (to === 'bool') return lane;
    if (elem !== lane.elem) return notInVectors(`casts bool to ${to}`);
    return vec(elem, b.select(elem, lane.reg, b.splat(elem, 1), b.splat(elem, 0)));
  }
  if (elem) return vec(elem, toFloat(b, elem, lane.reg, from));
  if (to === 'bool') return long(b.extend(b.icompare('ne', lane.reg, 0)));
  return long(wrapTo(b, to, lane.reg));
}
