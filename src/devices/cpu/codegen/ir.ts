/**
 * The kernel language's instructions: what the builder writes and the back ends (x64, wasm) translate. A kernel is a flat
 * list over virtual registers with structured loops and ifs; registers may be written more than once (no SSA).
 */
import type { Elem, Isa } from './isa.ts';

export type { Elem } from './isa.ts';

/**
 * `int` is address-sized (64 bits on x64, 32 on wasm): pointers, counters, flags. `long` is a 64-bit integer that holds data.
 * `vec` is one vector register, `mask` the outcome of a vector comparison (a k register with AVX-512, else a vector of
 * all-ones and all-zeros lanes).
 */
export type RegClass = 'int' | 'long' | 'vec' | 'mask';

export interface Reg<C extends RegClass = RegClass> {
  readonly id: number;
  readonly cls: C;
  /**
   * A vector constant, the same in all lanes: it is defined by no instruction and lives in no register; a back end folds
   * it into its use as a memory operand or loads it just before.
   */
  readonly splat?: { readonly elem: Elem; readonly value: number | bigint };
}
export type Int = Reg<'int'>;
export type Long = Reg<'long'>;
export type Vec = Reg<'vec'>;
export type Mask = Reg<'mask'>;

/** base + index * scale + offset, in bytes. The offset is a 32-bit signed number. */
export interface Mem {
  readonly base: Int;
  readonly index?: Int;
  readonly scale?: 1 | 2 | 4 | 8;
  readonly offset: number;
  /** As a vector source: read one element and repeat it in all lanes. */
  readonly splat?: boolean;
}

export type Pred = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';

/**
 * Operations. `a`, `b`, `c` are src[0..2]; where `mem` is given it stands for the LAST source of a vector arithmetic
 * operation (which then has one src fewer); of fma and fnma it is the factor b, and src is [a, c]. IEEE arithmetic; comparisons with NaN are false but for `ne`.
 */
export const ops = {
  // vector, any elem that the comment names; lanes beyond `count` of a partial load are zero
  load: 'dst = mem (mem.splat: one element in all lanes); count: only the first `count` lanes are read, the rest are 0',
  store: 'mem = a; count: only the first `count` lanes are written',
  loadStrided: 'lane l = element at mem + l * imm bytes, imm constant; count as in load (f32, f64)',
  storeStrided: 'element at mem + l * imm bytes = lane l; count as in store (f32, f64)',
  move: 'dst = a (vec, int, long or mask; both of one class)',
  add: 'a + b (all elems)',
  sub: 'a - b (all elems)',
  mul: 'a * b (f32, f64, i32)',
  div: 'a / b (f32, f64)',
  min: 'b < a ? b : a, so a where either is NaN (f32, f64, i32 signed)',
  max: 'a < b ? b : a, so a where either is NaN (f32, f64, i32 signed)',
  fma: 'dst = a * b + c, rounded once where isa.fma (f32, f64)',
  fnma: 'dst = c - a * b, rounded once where isa.fma (f32, f64)',
  sqrt: '(f32, f64)',
  floor: '(f32, f64)',
  ceil: '(f32, f64)',
  round: 'to nearest, ties to even (f32, f64)',
  trunc: 'towards zero (f32, f64)',
  and: 'bitwise (any elem)',
  or: 'bitwise (any elem)',
  xor: 'bitwise (any elem)',
  andNot: '~a & b (any elem)',
  shl: 'a << imm (i32, i64)',
  shr: 'a >>> imm, logical (i32, i64)',
  sar: 'a >> imm, arithmetic (i32)',
  toInt: 'f32 lanes to i32 lanes, nearest even; out of range is unspecified (elem f32)',
  toFloat: 'i32 lanes to f32 lanes (elem i32)',
  widen: 'the low half of the f32 lanes to f64 lanes (elem f32)',
  narrow: 'f64 lanes to f32 in the low half (elem f64)',
  reduceAdd: 'the sum of all lanes, in every lane (f32, f64)',
  reduceMin: 'as reduceAdd with `min` (f32, f64)',
  reduceMax: 'as reduceAdd with `max` (f32, f64)',
  firstLanes: 'the first `count` lanes of a (1 to lanes-1), the others zero (any elem)',
  // masks
  compare: 'mask = a pred b, lane by lane (f32, f64, i32)',
  maskAnd: 'a & b',
  maskOr: 'a | b',
  maskNot: '~a',
  select: 'a is the mask: lane = mask ? b : c (f32, f64, i32, i64)',
  maskBits: 'int: bit l is lane l of mask a; elem tells the lane width',
  // integers: int or long, as dst; b may be imm instead
  constant: 'dst = imm',
  iadd: 'a + b',
  isub: 'a - b',
  imul: 'a * b',
  idiv: 'a / b towards zero, signed; the divisor is not zero',
  irem: 'a % b, sign of a; the divisor is not zero',
  iand: 'a & b',
  ior: 'a | b',
  ixor: 'a ^ b',
  ishl: 'a << imm',
  isar: 'a >> imm, arithmetic',
  icompare: 'int: a pred b ? 1 : 0, signed; a and b both int or both long',
  iselect: 'a (int) != 0 ? b : c; b, c, dst of one class',
  iload: 'width bits at mem, sign-extended unless `unsigned`, to int or long',
  istore: 'the low width bits of a to mem',
  extend: 'int to long, signed',
  wrap: 'long to int',
  loadPointer: 'int: the pointer at mem (8 bytes wide in memory on every ISA)',
  // between integers and lane 0
  laneFromLong: 'vec: lane 0 = a converted to elem (f32, f64), other lanes unspecified',
  laneToLong: 'long: lane 0 of a towards zero (elem f32, f64); out of range is unspecified',
  laneBits: 'long: the bits of lane 0, zero-extended (any elem)',
  laneFromBits: 'vec: lane 0 has the low bits of long a (any elem), other lanes zero',
  // control: regions nest
  loop: 'opens a loop; falls out at its endLoop unless `next`, `continueIf` jumped back',
  next: 'a += imm; if a < limit (imm2 or src[1]) go to the start of the innermost loop',
  continueIf: 'if int a != 0 go to the start of the innermost loop',
  breakIf: 'if int a != 0 leave the innermost loop',
  endLoop: '',
  if: 'opens a region run where int a != 0',
  else: '',
  endIf: '',
  return: 'leave the function; a, where given, is its result',
  // executor
  call: 'calls the function whose address (x64) or table index (wasm) is int a, with ints b and c; no result; every register but those live survives',
  atomicAdd: 'int: the 32-bit value at mem before imm was added, sequentially consistent',
  atomicLoad: 'int: the 32-bit value at mem, acquire',
  atomicStore: '32 bits of int a to mem, release',
  pause: 'tell the core that this is a spin loop',
  prefetch: 'fetch the cache line at mem into level imm (1, 2)',
  fence: 'in a loop: keeps apart what stands before and after it, where a compiler behind ours would move it; int a is an even number',
} as const;
export type Op = keyof typeof ops;

export interface Inst {
  readonly op: Op;
  readonly elem?: Elem;
  readonly dst?: Reg;
  readonly src: readonly Reg[];
  readonly mem?: Mem;
  readonly imm?: number | bigint;
  /** `next`: the limit where it is a constant. */
  readonly limit?: number;
  readonly pred?: Pred;
  /** iload, istore: 8, 16, 32 or 64. */
  readonly width?: 8 | 16 | 32 | 64;
  readonly unsigned?: boolean;
  /** Partial vectors: lanes that count, 1 to lanes-1; left out for a full one. */
  readonly count?: number;
}

/** Every instruction comes from here, and every register from `register`: objects of one shape keep the compilers fast. */
export const instruction = ({ op, elem, dst, src, mem, imm, limit, pred, width, unsigned, count }: Inst): Inst => ({
  op,
  elem,
  dst,
  src,
  mem,
  imm,
  limit,
  pred,
  width,
  unsigned,
  count,
});
export const register = <C extends RegClass>(id: number, cls: C, splat?: Reg['splat']): Reg<C> => ({ id, cls, splat });

/** A finished kernel, ready for a back end. */
export interface KernelCode {
  readonly name: string;
  readonly isa: Isa;
  /** Parameters, in order; all ints. */
  readonly params: readonly Int[];
  /** Whether it returns an int. */
  readonly returns: boolean;
  /**
   * Called from outside (through koffi, by the platform's C convention) instead of by `call`. Generated kernels call each
   * other by our own convention: arguments in the first registers, nothing preserved but the stack.
   */
  readonly entry: boolean;
  readonly body: readonly Inst[];
  /** Virtual registers are numbered 0..registers-1. */
  readonly registers: number;
}
