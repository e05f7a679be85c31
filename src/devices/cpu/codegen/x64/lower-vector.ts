/** Vector arithmetic, conversions, reductions, comparisons and masks as x64 instructions. */
import type { Elem, Inst, Op, Pred } from '../ir.ts';
import { elemBytes } from '../isa.ts';
import { Operand, type Rm } from './encode.ts';
import { V, type VecRow } from './encode-table.ts';
import { type Emitter, isZero, type Lowering } from './lower.ts';

const wide = (inst: Inst): boolean => elemBytes(inst.elem!) === 8;
type ByElem<R = VecRow> = Partial<Record<Elem, R>>;
const FIRST = 1;
const SECOND = 2;
const EITHER = 3;

/** dst = a op b; b may be memory. */
const binary = (rows: ByElem, options: { commutes?: boolean } = {}): Lowering => ({
  folds: () => (options.commutes ? EITHER : SECOND),
  commutes: options.commutes,
  emit: (e, inst) => e.vec(e.pick(inst, rows), e.dst(inst), e.reg(0), e.operands[1]),
});

/** minps and maxps give their second source where either is NaN, so a is the second: it may be memory. */
const extremum = (floats: ByElem, integer: VecRow): Lowering => ({
  folds: ({ elem }) => (elem === 'i32' ? EITHER : FIRST),
  emit: (e, inst) => {
    const [a, b] = e.operands;
    if (inst.elem !== 'i32') e.vec(e.pick(inst, floats), e.dst(inst), b as number, a);
    else if (typeof a === 'number') e.vec(integer, e.dst(inst), a, b);
    else e.vec(integer, e.dst(inst), b as number, a);
  },
});

const unary = (rows: ByElem): Lowering => ({
  folds: () => FIRST,
  emit: (e, inst) => e.vec(e.pick(inst, rows), e.dst(inst), 0, e.operands[0]),
});

/** Rounds by mode: 8 nearest even, 9 down, 10 up, 11 towards zero, none raising an exception. */
const rounding = (mode: number): Lowering => ({
  folds: () => FIRST,
  emit: (e, inst) => {
    const rows = e.target.avx512 ? { f32: V.vrndscaleps, f64: V.vrndscalepd } : { f32: V.vroundps, f64: V.vroundpd };
    e.vec(e.pick(inst, rows), e.dst(inst), 0, e.operands[0], mode);
  },
});

const shift = (rows: ByElem): Lowering => ({
  emit: (e, inst) => e.vec(e.pick(inst, rows), 0, e.dst(inst), e.reg(0), Number(inst.imm)),
});

/** The forms of a fused multiply-add over registers R (also dst), V and M, where M may be memory. */
interface FmaForms {
  /** R * M + V */
  readonly r132: VecRow;
  /** V * R + M */
  readonly r213: VecRow;
  /** V * M + R */
  readonly r231: VecRow;
}

/** a * b + c in the form that leaves the sum where it is wanted; a move only where dst is none of the sources. */
const multiplyAdd = (rows: ByElem<FmaForms>): Lowering => ({
  folds: () => 7,
  emit: (e, inst) => {
    const { r132, r213, r231 } = e.pick(inst, rows);
    const dst = e.dst(inst);
    let [a, b] = e.operands;
    const c = e.operands[2];
    if (typeof a !== 'number' || b === dst) [a, b] = [b, a];
    const factor = a as number;
    if (c === dst) return e.vec(r231, dst, factor, b);
    if (factor !== dst) {
      if (typeof c === 'number') {
        e.moveVec(dst, c);
        return e.vec(r231, dst, factor, b);
      }
      e.moveVec(dst, factor);
    }
    if (typeof c !== 'number') e.vec(r213, dst, b as number, c);
    else if (typeof b !== 'number') e.vec(r132, dst, c, b);
    else e.vec(r213, dst, b, c);
  },
});

const conversion = (row: VecRow): Lowering => ({
  emit: (e, inst) => e.vec(row, e.dst(inst), 0, e.reg(0)),
});

/** Halves folded onto each other until every lane holds the result. */
const reduction = (rows: ByElem, isExtremum: boolean): Lowering => ({
  temps: () => 'V',
  emit: (e, inst) => {
    const row = e.pick(inst, rows);
    const [dst, t] = [e.dst(inst), e.temp(0)];
    let from = e.reg(0);
    const fold = (): void => {
      if (isExtremum) e.vec(row, dst, t, from);
      else e.vec(row, dst, from, t);
      from = dst;
    };
    if (e.target.avx512) {
      e.vec(V.vshuff32x4, t, from, from, 0b01_00_11_10);
      fold();
      e.vec(V.vshuff32x4, t, from, from, 0b10_11_00_01);
    } else e.vec(V.vperm2f128, t, from, from, 1);
    fold();
    if (inst.elem === 'f64') e.vec(V.vpermilpd, t, 0, from, 0b01010101);
    else {
      e.vec(V.vpermilps, t, 0, from, 0b01_00_11_10);
      fold();
      e.vec(V.vpermilps, t, 0, from, 0b10_11_00_01);
    }
    fold();
  },
});

// ---- comparisons
const mirrored: Record<Pred, Pred> = { eq: 'eq', ne: 'ne', lt: 'gt', le: 'ge', gt: 'lt', ge: 'le' };
const floatPredicate: Record<Pred, number> = { eq: 0, ne: 4, lt: 0x11, le: 0x12, gt: 0x1e, ge: 0x1d };
const intPredicate: Record<Pred, number> = { eq: 0, lt: 1, le: 2, ne: 4, ge: 5, gt: 6 };
/** AVX2 only has integer == and >: which of them, with sources swapped, and the outcome inverted. */
const intByGreater: Record<Pred, { row: VecRow; swap: boolean; invert: boolean }> = {
  eq: { row: V.vpcmpeqd, swap: false, invert: false },
  ne: { row: V.vpcmpeqd, swap: false, invert: true },
  gt: { row: V.vpcmpgtd, swap: false, invert: false },
  le: { row: V.vpcmpgtd, swap: false, invert: true },
  lt: { row: V.vpcmpgtd, swap: true, invert: false },
  ge: { row: V.vpcmpgtd, swap: true, invert: true },
};

const ones = (e: Emitter): Operand => Operand.constant(e.asm.pool.splat('i32', -1, 32), false);

const compare: Lowering = {
  folds: ({ elem, pred }, { avx512 }) => (avx512 || elem !== 'i32' ? EITHER : intByGreater[pred!].swap ? FIRST : SECOND),
  emit: (e, inst) => {
    const dst = e.dst(inst);
    let [a, b] = e.operands;
    let pred = inst.pred!;
    if (!e.target.avx512 && inst.elem === 'i32') {
      const { row, swap, invert } = intByGreater[pred];
      if (swap) [a, b] = [b, a];
      e.vec(row, dst, a as number, b);
      if (invert) e.vec(V.vpxord, dst, dst, ones(e));
      return;
    }
    if (typeof a !== 'number') {
      [a, b] = [b, a];
      pred = mirrored[pred];
    }
    const rows = e.target.avx512
      ? { f32: V.vcmppsMask, f64: V.vcmppdMask, i32: V.vpcmpdMask }
      : { f32: V.vcmpps, f64: V.vcmppd };
    e.vec(e.pick(inst, rows), dst, a as number, b, (inst.elem === 'i32' ? intPredicate : floatPredicate)[pred]);
  },
};

const maskLogic = (k: VecRow, row: VecRow): Lowering => ({
  emit: (e, inst) => {
    if (e.target.avx512) e.asm.vec(k, 1, e.dst(inst), e.reg(0), e.reg(1));
    else e.vec(row, e.dst(inst), e.reg(0), e.reg(1));
  },
});

const bytesTable = (four: VecRow, eight: VecRow): ByElem => ({ f32: four, i32: four, f64: eight, i64: eight });
const blendMask = bytesTable(V.vblendmps, V.vblendmpd);
const blendVector = bytesTable(V.vblendvps, V.vblendvpd);
const moveMasked = bytesTable(V.vmovaps, V.vmovapd);

/** Sources: 0 the mask, 1 when true, 2 when false; a zero for either needs no blend where the ISA can mask instead. */
const select: Lowering = {
  folds: ({ src: [, yes, no] }) => (no.splat && isZero(no) && !(yes.splat && isZero(yes)) ? 4 : 2),
  emit: (e, inst) => {
    const dst = e.dst(inst);
    const mask = e.reg(0);
    const [, yes, no] = e.operands as [number, Rm, Rm];
    const { asm, target } = e;
    if (typeof no !== 'number') {
      if (target.avx512) asm.vec(e.pick(inst, moveMasked), 2, dst, 0, yes, 0, mask, true);
      else e.vec(V.vandps, dst, mask, yes);
    } else if (target.avx512) {
      asm.vec(e.pick(inst, blendMask), 2, dst, no, yes, 0, mask);
    } else if (isZero(e.memory)) e.vec(V.vandnps, dst, mask, no);
    else e.vec(e.pick(inst, blendVector), dst, no, yes, mask << 4);
  },
};

/** A k register with the low `count` bits set, from the constant pool. */
export function firstLanesMask(e: Emitter, k: number, count: number): void {
  e.asm.vec(V.kmovw, 0, k, 0, Operand.constant(e.asm.pool.lowBits(count), false));
}

/** Memory with the low `bytes` bytes of a 256-bit vector set. */
export function firstLanesOperand(e: Emitter, bytes: number): Operand {
  const words = e.asm.pool.words([...Array(8).fill(-1), ...Array(8).fill(0)]);
  return Operand.constant(words, false, 32 - bytes);
}

const firstLanes: Lowering = {
  temps: ({ elem, count }, { avx512 }) => (avx512 && ![8, 16, 32].includes(count! * elemBytes(elem!)) ? 'k' : ''),
  emit: (e, inst) => {
    const bytes = inst.count! * elemBytes(inst.elem!);
    const [dst, a] = [e.dst(inst), e.reg(0)];
    if (bytes === 8) e.xmm(V.vmovqLow, dst, 0, a);
    else if (bytes === 16 || bytes === 32) e.asm.vec(V.vmovaps, bytes / 32, dst, 0, a);
    else if (e.target.avx512) {
      firstLanesMask(e, e.temp(0), inst.count!);
      e.asm.vec(e.pick(inst, moveMasked), 2, dst, 0, a, 0, e.temp(0), true);
    } else e.vec(V.vandps, dst, a, firstLanesOperand(e, bytes));
  },
};

const maskNot: Lowering = {
  emit: (e, inst) => {
    if (e.target.avx512) e.asm.vec(V.knotw, 0, e.dst(inst), 0, e.reg(0));
    else e.vec(V.vpxord, e.dst(inst), e.reg(0), ones(e));
  },
};

const maskBits: Lowering = {
  emit: (e, inst) => {
    if (!e.target.avx512) e.vec(wide(inst) ? V.vmovmskpd : V.vmovmskps, e.dst(inst), 0, e.reg(0));
    else e.asm.vec(wide(inst) ? V.kmovbTo : V.kmovwTo, 0, e.dst(inst), 0, e.reg(0));
  },
};

// ---- between integers and lane 0
const laneRows = {
  fromLong: { f32: V.vcvtsi2ss, f64: V.vcvtsi2sd },
  toLong: { f32: V.vcvttss2si, f64: V.vcvttsd2si },
};
const lane: Partial<Record<Op, Lowering>> = {
  laneFromLong: {
    emit: (e, inst) => {
      const dst = e.dst(inst);
      e.zero(dst); // or it would wait for whoever wrote dst last
      e.xmm(e.pick(inst, laneRows.fromLong), dst, dst, e.reg(0));
    },
  },
  laneToLong: { emit: (e, inst) => e.xmm(e.pick(inst, laneRows.toLong), e.dst(inst), 0, e.reg(0)) },
  laneBits: { emit: (e, inst) => e.xmm(wide(inst) ? V.vmovqTo : V.vmovdTo, e.reg(0), 0, e.dst(inst)) },
  laneFromBits: { emit: (e, inst) => e.xmm(wide(inst) ? V.vmovq : V.vmovd, e.dst(inst), 0, e.reg(0)) },
};

/** A whole register, of any class; a splat is loaded. */
const move: Lowering = {
  folds: ({ src: [a] }) => (a.splat ? FIRST : 0),
  emit: (e, inst) => {
    const dst = e.dst(inst);
    const { cls } = inst.src[0];
    if (e.memory) e.load(dst, e.memory);
    else if (cls === 'vec' || (cls === 'mask' && !e.target.avx512)) e.moveVec(dst, e.reg(0));
    else if (cls !== 'mask') e.asm.move(dst, e.reg(0));
    else if (dst !== e.reg(0)) e.asm.vec(V.kmovq, 0, dst, 0, e.reg(0));
  },
};

const fmaForms = (sign: 'vfmadd' | 'vfnmadd', elem: 'ps' | 'pd'): FmaForms => ({
  r132: V[`${sign}132${elem}`],
  r213: V[`${sign}213${elem}`],
  r231: V[`${sign}231${elem}`],
});
const adds = { f32: V.vaddps, f64: V.vaddpd, i32: V.vpaddd, i64: V.vpaddq };
const mins = { f32: V.vminps, f64: V.vminpd };
const maxs = { f32: V.vmaxps, f64: V.vmaxpd };

export const vectorRows: Partial<Record<Op, Lowering>> = {
  move,
  add: binary(adds, { commutes: true }),
  sub: binary({ f32: V.vsubps, f64: V.vsubpd, i32: V.vpsubd, i64: V.vpsubq }),
  mul: binary({ f32: V.vmulps, f64: V.vmulpd, i32: V.vpmulld }, { commutes: true }),
  div: binary({ f32: V.vdivps, f64: V.vdivpd }),
  min: extremum(mins, V.vpminsd),
  max: extremum(maxs, V.vpmaxsd),
  fma: multiplyAdd({ f32: fmaForms('vfmadd', 'ps'), f64: fmaForms('vfmadd', 'pd') }),
  fnma: multiplyAdd({ f32: fmaForms('vfnmadd', 'ps'), f64: fmaForms('vfnmadd', 'pd') }),
  sqrt: unary({ f32: V.vsqrtps, f64: V.vsqrtpd }),
  round: rounding(8),
  floor: rounding(9),
  ceil: rounding(10),
  trunc: rounding(11),
  and: binary({ f32: V.vandps, f64: V.vandpd, i32: V.vpandd, i64: V.vpandq }, { commutes: true }),
  or: binary({ f32: V.vorps, f64: V.vorpd, i32: V.vpord, i64: V.vporq }, { commutes: true }),
  xor: binary({ f32: V.vxorps, f64: V.vxorpd, i32: V.vpxord, i64: V.vpxorq }, { commutes: true }),
  andNot: binary({ f32: V.vandnps, f64: V.vandnpd, i32: V.vpandnd, i64: V.vpandnq }),
  shl: shift({ i32: V.vpslld, i64: V.vpsllq }),
  shr: shift({ i32: V.vpsrld, i64: V.vpsrlq }),
  sar: shift({ i32: V.vpsrad }),
  toInt: conversion(V.vcvtps2dq),
  toFloat: conversion(V.vcvtdq2ps),
  widen: conversion(V.vcvtps2pd),
  narrow: conversion(V.vcvtpd2ps),
  reduceAdd: reduction(adds, false),
  reduceMin: reduction(mins, true),
  reduceMax: reduction(maxs, true),
  firstLanes,
  compare,
  maskAnd: maskLogic(V.kandw, V.vandps),
  maskOr: maskLogic(V.korw, V.vorps),
  maskNot,
  select,
  maskBits,
  ...lane,
};
