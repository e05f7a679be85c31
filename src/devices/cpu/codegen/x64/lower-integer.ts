/** Integers and addresses as x64 instructions. `int` and `long` are both 64-bit registers. */
import type { Inst, Op, Pred } from '../ir.ts';
import { fitsInt32, Operand } from './encode.ts';
import { cc, cmovcc, G, type GprRow, setcc } from './encode-table.ts';
import type { Emitter, Lowering } from './lower.ts';

const RAX = 0;
const RDX = 2;

/** The constant second source, where there is one. */
const constantOf = (inst: Inst): number | undefined => (inst.imm === undefined ? undefined : Number(inst.imm));
/** A constant that no instruction takes as an immediate goes through a temporary. */
export const wideTemp = ({ imm }: Inst): string => (imm === undefined || fitsInt32(Number(imm)) ? '' : 'g');

/** The second source: an immediate, or a register (into which a wide constant has been put). */
function second(e: Emitter, inst: Inst, temp = 0): { imm: number } | { reg: number } {
  const imm = constantOf(inst);
  if (imm === undefined) return { reg: e.reg(1) };
  if (fitsInt32(imm)) return { imm };
  e.asm.constant(e.temp(temp), inst.imm!);
  return { reg: e.temp(temp) };
}

const address = (base: number, disp: number, index = -1, scale = 0): Operand => new Operand(base, disp, index, scale);

const iadd: Lowering = {
  temps: wideTemp,
  emit: (e, inst) => {
    const [dst, a, b] = [e.dst(inst), e.reg(0), second(e, inst)];
    if ('imm' in b) addConstant(e, dst, a, b.imm);
    else if (dst === a) e.asm.gpr(G.add, dst, b.reg);
    else if (dst === b.reg) e.asm.gpr(G.add, dst, a);
    else e.asm.gpr(G.lea, dst, address(a, 0, b.reg));
  },
};

function addConstant(e: Emitter, dst: number, a: number, value: number): void {
  if (value === 0) e.asm.move(dst, a);
  else if (dst !== a) e.asm.gpr(G.lea, dst, address(a, value));
  else if (value === 128) e.asm.gpr(G.subImm, 0, dst, -128);
  else e.asm.gpr(G.addImm, 0, dst, value);
}

const isub: Lowering = {
  temps: wideTemp,
  emit: (e, inst) => {
    const { asm } = e;
    const [dst, a, b] = [e.dst(inst), e.reg(0), second(e, inst)];
    if ('imm' in b) {
      if (fitsInt32(-b.imm)) return addConstant(e, dst, a, -b.imm);
      asm.move(dst, a);
      asm.gpr(G.subImm, 0, dst, b.imm);
    } else if (dst === b.reg && dst !== a) {
      asm.gpr(G.neg, 0, dst);
      asm.gpr(G.add, dst, a);
    } else {
      asm.move(dst, a);
      asm.gpr(G.sub, dst, b.reg);
    }
  },
};

const logic = (row: GprRow, immRow: GprRow): Lowering => ({
  temps: wideTemp,
  emit: (e, inst) => {
    const [dst, a, b] = [e.dst(inst), e.reg(0), second(e, inst)];
    if (!('imm' in b) && dst === b.reg) return e.asm.gpr(row, dst, a);
    e.asm.move(dst, a);
    if ('imm' in b) e.asm.gpr(immRow, 0, dst, b.imm);
    else e.asm.gpr(row, dst, b.reg);
  },
});

/** The k of 2 ** k, or -1. */
const log2 = (x: number): number => {
  const k = Math.log2(x);
  return x > 0 && Number.isInteger(k) && 2 ** k === x ? k : -1;
};

function shiftLeft(e: Emitter, dst: number, a: number, bits: number): void {
  if (dst === a || bits === 0 || bits > 3) {
    e.asm.move(dst, a);
    if (bits > 0) e.asm.gpr(G.shlImm, 0, dst, bits);
  } else if (bits === 1) e.asm.gpr(G.lea, dst, address(a, 0, a));
  else e.asm.gpr(G.lea, dst, address(-1, 0, a, bits));
}

const imul: Lowering = {
  temps: wideTemp,
  emit: (e, inst) => {
    const { asm } = e;
    const [dst, a, b] = [e.dst(inst), e.reg(0), second(e, inst)];
    if (!('imm' in b)) {
      if (dst === b.reg) return asm.gpr(G.imul, dst, a);
      asm.move(dst, a);
      return asm.gpr(G.imul, dst, b.reg);
    }
    const bits = log2(b.imm);
    if (b.imm === 0) asm.constant(dst, 0);
    else if (bits >= 0) shiftLeft(e, dst, a, bits);
    else if (b.imm === 3 || b.imm === 5 || b.imm === 9) asm.gpr(G.lea, dst, address(a, 0, a, Math.log2(b.imm - 1)));
    else asm.gpr(G.imulImm, dst, a, b.imm);
  },
};

const shiftRow = (left: boolean): Lowering => ({
  emit: (e, inst) => {
    const dst = e.dst(inst);
    const bits = Number(inst.imm) & 63;
    if (left) return shiftLeft(e, dst, e.reg(0), bits);
    e.asm.move(dst, e.reg(0));
    if (bits > 0) e.asm.gpr(G.sarImm, 0, dst, bits);
  },
});

// ---- division
/** How to divide by a constant. */
function divisor(inst: Inst): 'power' | 'magic' | 'general' {
  const d = constantOf(inst);
  if (d === undefined || !fitsInt32(d) || d === 0 || d === -1) return 'general';
  return log2(d) >= 0 && d < 2 ** 31 ? 'power' : 'magic';
}

/**
 * The multiplier and shift that divide a signed 64-bit number by the constant d, |d| >= 2, by its high product (Hacker's
 * Delight, 2nd edition, 10-1).
 */
export function magic(d: bigint): { multiplier: bigint; shift: number } {
  const magnitude = d < 0n ? -d : d;
  const t = (1n << 63n) + (d < 0n ? 1n : 0n);
  const limit = t - 1n - (t % magnitude);
  let p = 63n;
  let delta: bigint;
  do {
    p++;
    delta = magnitude - ((1n << p) % magnitude);
  } while ((1n << p) <= limit * delta);
  const multiplier = ((1n << p) + delta) / magnitude;
  return { multiplier: BigInt.asIntN(64, d < 0n ? -multiplier : multiplier), shift: Number(p) - 64 };
}

const division = (isRemainder: boolean): Lowering => ({
  temps: (inst) => (divisor(inst) === 'power' ? (constantOf(inst) === 1 ? '' : 'G') : divisor(inst) === 'general' && inst.imm !== undefined ? 'g' : ''),
  clobbers: (inst) => (divisor(inst) === 'power' ? 0 : (1 << RAX) | (1 << RDX)),
  emit: (e, inst) => {
    const { asm } = e;
    const [dst, a] = [e.dst(inst), e.reg(0)];
    const kind = divisor(inst);
    if (kind === 'power') return dividePower(e, inst, isRemainder);
    if (kind === 'magic') divideMagic(e, a, inst.imm!);
    else divideGeneral(e, inst, a);
    if (kind === 'general') return asm.move(dst, isRemainder ? RDX : RAX);
    if (!isRemainder) return asm.gpr(G.lea, dst, address(RAX, 0, RDX));
    asm.gpr(G.add, RAX, RDX);
    asm.gpr(G.imulImm, RAX, RAX, Number(inst.imm));
    asm.move(dst, a);
    asm.gpr(G.sub, dst, RAX);
  },
});

/** Shifts and masks, after adding what makes them round towards zero: 2 ** k - 1 to negative numbers. */
function dividePower(e: Emitter, inst: Inst, isRemainder: boolean): void {
  const { asm } = e;
  const [dst, a, bits] = [e.dst(inst), e.reg(0), log2(Number(inst.imm))];
  if (bits === 0) return isRemainder ? asm.constant(dst, 0) : asm.move(dst, a);
  const bias = e.temp(0);
  asm.move(bias, a);
  if (bits > 1) asm.gpr(G.sarImm, 0, bias, 63);
  asm.gpr(G.shrImm, 0, bias, 64 - bits);
  if (dst === a) asm.gpr(G.add, dst, bias);
  else asm.gpr(G.lea, dst, address(a, 0, bias));
  if (!isRemainder) return asm.gpr(G.sarImm, 0, dst, bits);
  asm.gpr(G.andImm, 0, dst, 2 ** bits - 1);
  asm.gpr(G.sub, dst, bias);
}

/** Leaves the quotient as rax + rdx. */
function divideMagic(e: Emitter, a: number, d: number | bigint): void {
  const { asm } = e;
  const { multiplier, shift } = magic(BigInt(d));
  asm.constant(RAX, multiplier);
  asm.gpr(G.imulWide, 0, a);
  if (d > 0 && multiplier < 0n) asm.gpr(G.add, RDX, a);
  if (d < 0 && multiplier > 0n) asm.gpr(G.sub, RDX, a);
  if (shift > 0) asm.gpr(G.sarImm, 0, RDX, shift);
  asm.move(RAX, RDX);
  asm.gpr(G.shrImm, 0, RAX, 63);
}

/** idiv, but for -1: there the smallest integer would raise an exception instead of wrapping. */
function divideGeneral(e: Emitter, inst: Inst, a: number): void {
  const { asm } = e;
  const b = constantOf(inst) === undefined ? e.reg(1) : e.temp(0);
  if (inst.imm !== undefined) asm.constant(b, inst.imm);
  const [plain, done] = [asm.label(), asm.label()];
  asm.move(RAX, a);
  asm.gpr(G.cmpImm, 0, b, -1);
  asm.jumpIf(cc.ne, plain);
  asm.gpr(G.neg, 0, RAX);
  asm.constant(RDX, 0);
  asm.jump(done);
  asm.bind(plain);
  asm.plain('cqo');
  asm.gpr(G.idiv, 0, b);
  asm.bind(done);
}

// ---- comparisons
const conditionOf: Record<Pred, number> = { eq: cc.e, ne: cc.ne, lt: cc.l, le: cc.le, gt: cc.g, ge: cc.ge };

/** Compares a with b (operands `first` and `first + 1`); returns the condition that is met. */
function emitCompare(e: Emitter, inst: Inst, first = 0): number {
  const a = e.reg(first);
  const imm = constantOf(inst);
  if (imm === undefined) e.asm.gpr(G.cmp, a, e.reg(first + 1));
  else if (imm === 0) e.asm.gpr(G.test, a, a);
  else if (fitsInt32(imm)) e.asm.gpr(G.cmpImm, 0, a, imm);
  else {
    e.asm.constant(e.temp(0), inst.imm!);
    e.asm.gpr(G.cmp, a, e.temp(0));
  }
  return conditionOf[inst.pred!];
}

const icompare: Lowering = {
  temps: wideTemp,
  emit: (e, inst) => {
    const dst = e.dst(inst);
    e.asm.gpr(setcc[emitCompare(e, inst)], 0, dst);
    e.asm.gpr(G.movzx8, dst, dst);
  },
};

/** Its operands are b, c, then those of the condition. */
const iselect: Lowering = {
  emit: (e, inst) => {
    const { asm } = e;
    const dst = e.dst(inst);
    const [yes, no] = [e.reg(0), e.reg(1)];
    const condition = emitCondition(e, 2);
    if (dst === yes) return asm.gpr(cmovcc[condition ^ 1], dst, no);
    asm.move(dst, no); // leaves the flags alone
    asm.gpr(cmovcc[condition], dst, yes);
  },
};

/** Sets the flags by the condition of a branch or select, whose operands start at `first`; returns the condition met. */
export function emitCondition(e: Emitter, first = 0): number {
  if (e.fused) return emitCompare(e, e.fused, first);
  e.asm.gpr(G.test, e.reg(first), e.reg(first));
  return cc.ne;
}

// ---- memory
const signedLoads: Record<number, GprRow> = { 8: G.movsx8, 16: G.movsx16, 32: G.movsxd, 64: G.mov };
const unsignedLoads: Record<number, GprRow> = { 8: G.movzx8, 16: G.movzx16, 32: G.mov32, 64: G.mov };
const stores: Record<number, GprRow> = { 8: G.mov8Store, 16: G.mov16Store, 32: G.mov32Store, 64: G.movStore };

const copy: Lowering = { emit: (e, inst) => e.asm.move(e.dst(inst), e.reg(0)) };
const loadRow = (row: (inst: Inst) => GprRow, effect = false): Lowering => ({
  effect,
  emit: (e, inst) => e.asm.gpr(row(inst), e.dst(inst), e.address(inst.mem!)),
});
const storeRow = (row: (inst: Inst) => GprRow): Lowering => ({
  effect: true,
  emit: (e, inst) => e.asm.gpr(row(inst), e.reg(0), e.address(inst.mem!)),
});

export const integerRows: Partial<Record<Op, Lowering>> = {
  constant: { emit: (e, inst) => e.asm.constant(e.dst(inst), inst.imm!) },
  iadd,
  isub,
  imul,
  idiv: division(false),
  irem: division(true),
  iand: logic(G.and, G.andImm),
  ior: logic(G.or, G.orImm),
  ixor: logic(G.xor, G.xorImm),
  ishl: shiftRow(true),
  isar: shiftRow(false),
  icompare,
  iselect,
  iload: loadRow((inst) => (inst.unsigned ? unsignedLoads : signedLoads)[inst.width!]),
  istore: storeRow((inst) => stores[inst.width!]),
  extend: copy,
  wrap: copy,
  loadPointer: loadRow(() => G.mov),
  atomicLoad: loadRow(() => G.movsxd, true),
  atomicStore: storeRow(() => G.mov32Store),
  atomicAdd: {
    effect: true,
    early: () => true,
    emit: (e, inst) => {
      const dst = e.dst(inst);
      e.asm.constant(dst, Number(inst.imm) | 0);
      e.asm.gpr(G.xadd32, dst, e.address(inst.mem!));
      e.asm.gpr(G.movsxd, dst, dst);
    },
  },
};
