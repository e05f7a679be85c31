/** Vector loads and stores: whole, partial (nothing outside the counted lanes is touched) and strided. */
import type { Inst, Op } from '../ir.ts';
import { elemBytes } from '../isa.ts';
import type { Operand } from './encode.ts';
import { V } from './encode-table.ts';
import { type Emitter, type Lowering, type Target } from './lower.ts';
import { firstLanesMask, firstLanesOperand } from './lower-vector.ts';

const bytesOf = (inst: Inst, target: Target): number =>
  inst.count === undefined ? target.vectorBytes : inst.count * elemBytes(inst.elem!);
/** Sizes that one plain move reads or writes. */
const isPlain = (bytes: number): boolean => bytes === 4 || bytes === 8 || bytes === 16 || bytes === 32 || bytes === 64;
const isWide = (inst: Inst): boolean => elemBytes(inst.elem!) === 8;

const load: Lowering = {
  temps: (inst, target) => (target.avx512 && !isPlain(bytesOf(inst, target)) ? 'k' : ''),
  emit: (e, inst) => {
    const { asm, target } = e;
    const dst = e.dst(inst);
    const mem = inst.mem!;
    const bytes = bytesOf(inst, target);
    if (mem.splat && bytes === target.vectorBytes) return e.load(dst, mem, inst.elem);
    const from = e.address(mem);
    if (mem.splat) return loadSplatPart(e, inst, dst, from);
    if (bytes >= 16 && isPlain(bytes)) asm.vec(V.vmovups, bytes >> 5, dst, 0, from);
    else if (isPlain(bytes)) asm.vec(bytes === 4 ? V.vmovss : V.vmovsd, 0, dst, 0, from);
    else if (target.avx512) {
      firstLanesMask(e, e.temp(0), inst.count!);
      asm.vec(isWide(inst) ? V.vmovupd : V.vmovups, 2, dst, 0, from, 0, e.temp(0), true);
    } else {
      asm.vec(V.vmovups, 1, dst, 0, firstLanesOperand(e, bytes));
      asm.vec(isWide(inst) ? V.vmaskmovpd : V.vmaskmovps, 1, dst, dst, from);
    }
  },
};

/** One element in the first `count` lanes. */
function loadSplatPart(e: Emitter, inst: Inst, dst: number, from: Operand): void {
  const row = isWide(inst) ? V.vbroadcastsd : V.vbroadcastss;
  const bytes = bytesOf(inst, e.target);
  if (inst.count === 1) e.xmm(isWide(inst) ? V.vmovsd : V.vmovss, dst, 0, from);
  else if (e.target.avx512 && !isPlain(bytes)) {
    firstLanesMask(e, e.temp(0), inst.count!);
    e.asm.vec(row, 2, dst, 0, from, 0, e.temp(0), true);
  } else {
    e.vec(row, dst, 0, from);
    if (bytes >= 16 && isPlain(bytes)) e.asm.vec(V.vmovaps, bytes >> 5, dst, 0, dst);
    else if (bytes === 8) e.xmm(V.vmovqLow, dst, 0, dst);
    else e.vec(V.vandps, dst, dst, firstLanesOperand(e, bytes));
  }
}

const store: Lowering = {
  effect: true,
  temps: (inst, target) => {
    const bytes = bytesOf(inst, target);
    return isPlain(bytes) ? '' : target.avx512 ? 'k' : bytes > 16 ? 'v' : '';
  },
  emit: (e, inst) => {
    const { asm, target } = e;
    const a = e.reg(0);
    const to = e.address(inst.mem!);
    const bytes = bytesOf(inst, target);
    if (isPlain(bytes)) storePlain(e, to, a, bytes);
    else if (target.avx512) {
      firstLanesMask(e, e.temp(0), inst.count!);
      asm.vec(isWide(inst) ? V.vmovupdStore : V.vmovupsStore, 2, a, 0, to, 0, e.temp(0));
    } else storePieces(e, to, a, bytes);
  },
};

function storePlain(e: Emitter, to: Operand, a: number, bytes: number): void {
  if (bytes >= 16) e.asm.vec(V.vmovupsStore, bytes >> 5, a, 0, to);
  else e.xmm(bytes === 4 ? V.vmovssStore : V.vmovsdStore, a, 0, to);
}

/** The low `bytes` bytes in powers of two: plain stores are far cheaper than vmaskmovps on AMD, and no dearer on Intel. */
function storePieces(e: Emitter, to: Operand, a: number, bytes: number): void {
  let [from, at, rest] = [a, 0, bytes];
  if (rest > 16) {
    storePlain(e, to, from, 16);
    e.asm.vec(V.vextractf128, 1, from, 0, e.temp(0), 1);
    [from, at, rest] = [e.temp(0), 16, rest - 16];
  }
  if (rest >= 8) storePlain(e, to.plus(at), from, 8);
  if (rest === 4) storePlain(e, to.plus(at), from, 4);
  if (rest === 12) e.xmm(V.vextractps, from, 0, to.plus(at + 8), 2);
}

// ---- strided
const ELEMENTS_OF_16 = (inst: Inst): number => 16 / elemBytes(inst.elem!);
const countOf = (inst: Inst, target: Target): number => inst.count ?? target.vectorBytes / elemBytes(inst.elem!);
/** Every second element of two whole vectors. */
const isPairwise = (inst: Inst): boolean => inst.count === undefined && Number(inst.imm) === 2 * elemBytes(inst.elem!);
/** The lanes that vpermi2 takes from two vectors, the second starting one element early. */
const pairwiseLanes = (lanes: number): number[] =>
  Array.from({ length: lanes }, (_, l) => (l < lanes / 2 ? 2 * l : 2 * l + 1));

const loadStrided: Lowering = {
  temps: (inst, target) => (isPairwise(inst) || countOf(inst, target) > ELEMENTS_OF_16(inst) ? 'V' : ''),
  emit: (e, inst) => {
    const dst = e.dst(inst);
    const from = e.address(inst.mem!);
    if (isPairwise(inst)) return loadPairwise(e, inst, dst, from);
    const stride = Number(inst.imm);
    const group = ELEMENTS_OF_16(inst);
    const count = countOf(inst, e.target);
    for (let l = 0; l < count; l += group) {
      const into = l === 0 ? dst : e.temp(0);
      for (let k = 0; k < group && l + k < count; k++) {
        const at = from.plus((l + k) * stride);
        if (k === 0) e.xmm(isWide(inst) ? V.vmovsd : V.vmovss, into, 0, at);
        else if (isWide(inst)) e.xmm(V.vmovhps, into, into, at);
        else e.xmm(V.vinsertps, into, into, at, k << 4);
      }
      if (l > 0 && e.target.avx512) e.vec(V.vinsertf32x4, dst, dst, into, l / group);
      else if (l > 0) e.vec(V.vinsertf128, dst, dst, into, 1);
    }
  },
};

/**
 * Two whole loads and a shuffle. The second load starts one element early, so that it ends with the last element wanted
 * and nothing behind it is read.
 */
function loadPairwise(e: Emitter, inst: Inst, dst: number, from: Operand): void {
  const bytes = elemBytes(inst.elem!);
  const lanes = e.target.vectorBytes / bytes;
  const second = from.plus(e.target.vectorBytes - bytes);
  const first = e.temp(0);
  e.vec(V.vmovups, first, 0, from);
  if (e.target.avx512) {
    const index = pairwiseLanes(lanes).flatMap((l) => (isWide(inst) ? [l, 0] : [l]));
    e.vec(V.vmovups, dst, 0, e.words(index));
    e.vec(isWide(inst) ? V.vpermi2pd : V.vpermi2ps, dst, first, second);
    return;
  }
  if (isWide(inst)) e.vec(V.vshufpd, dst, first, second, 0b1010);
  else e.vec(V.vshufps, dst, first, second, 0b11_01_10_00);
  e.vec(V.vpermpd, dst, 0, dst, 0b11_01_10_00);
}

const storeStrided: Lowering = {
  effect: true,
  temps: (inst, target) => (countOf(inst, target) > ELEMENTS_OF_16(inst) ? 'v' : ''),
  emit: (e, inst) => {
    const to = e.address(inst.mem!);
    const stride = Number(inst.imm);
    const group = ELEMENTS_OF_16(inst);
    const count = countOf(inst, e.target);
    let from = e.reg(0);
    for (let l = 0; l < count; l++) {
      const k = l % group;
      if (l > 0 && k === 0) {
        if (e.target.avx512) e.vec(V.vextractf32x4, e.reg(0), 0, e.temp(0), l / group);
        else e.vec(V.vextractf128, e.reg(0), 0, e.temp(0), 1);
        from = e.temp(0);
      }
      const at = to.plus(l * stride);
      if (k === 0) e.xmm(isWide(inst) ? V.vmovsdStore : V.vmovssStore, from, 0, at);
      else if (isWide(inst)) e.xmm(V.vmovhpsStore, from, 0, at);
      else e.xmm(V.vextractps, from, 0, at, k);
    }
  },
};

export const memoryRows: Partial<Record<Op, Lowering>> = { load, store, loadStrided, storeStrided };
