/** Compiles one kernel: analysis, liveness, registers, frame, then its instructions in order. */
import type { KernelCode } from '../ir.ts';
import { type Allocation, allocate, type Visit } from './allocate.ts';
import { type Analysis, analyse } from './analyse.ts';
import type { Assembler } from './encode.ts';
import {
  type Abi,
  type ArgumentMove,
  type Convention,
  conventionOf,
  epilogue,
  type Frame,
  GENERAL,
  type Place,
  prologue,
  restore,
  save,
  VECTOR,
} from './frame.ts';
import { findIntervals, type Liveness } from './liveness.ts';
import { Emitter, type Target } from './lower.ts';

const targets: Record<string, Target | undefined> = {
  avx512: { avx512: true, length: 2, vectorBytes: 64 },
  avx2: { avx512: false, length: 1, vectorBytes: 32 },
};

/** Appends the kernel's code; returns how many registers were spilled. */
export function compileKernel(asm: Assembler, kernel: KernelCode, abi: Abi): number {
  const target = targets[kernel.isa.name];
  if (!target) throw new Error(`kernel ${kernel.name}: x64 compiles for avx512 and avx2, got ${kernel.isa.name}`);
  const analysis = analyse(kernel, target);
  const live = findIntervals(analysis, kernel.params, kernel.registers);
  const convention = conventionOf(kernel.entry, abi, target.avx512);
  const allocation = allocate(kernel, analysis, live, convention);
  const { frame, slots, saves } = layOut(kernel, analysis, live, allocation, convention, abi, target);
  const e = new Emitter(asm, target, kernel.name, kernel.registers);
  e.phys.set(allocation.phys);

  const moves: ArgumentMove[] = [];
  kernel.params.forEach(({ id }, arg) => {
    const offset = slots.get(id) ?? -1;
    if (live.end[id] >= 0) moves.push({ arg, phys: allocation.phys[id], offset });
  });
  prologue(e, frame, moves);
  emitBody(e, analysis, allocation, slots, saves);
  asm.bind(e.exit);
  epilogue(e, frame);
  asm.resolve();
  return allocation.spilled.length;
}

function emitBody(
  e: Emitter,
  { insts, rows, fused, plain, tempStart, ownTemps, files }: Analysis,
  { temps, visits }: Allocation,
  slots: ReadonlyMap<number, number>,
  saves: ReadonlyMap<number, Place[]>,
): void {
  const placeOf = ({ id, phys }: Visit): Place => ({ file: files[id], phys, offset: slots.get(id)! });
  const hasVisits = visits.size > 0;
  for (let k = 0; k < insts.length; k++) {
    const inst = insts[k];
    const row = rows[k];
    for (let t = tempStart[k]; t < tempStart[k + 1]; t++) e.phys[e.firstTemp + t - tempStart[k]] = temps[t];
    const spilled = hasVisits ? visits.get(k) : undefined;
    if (spilled) {
      for (const visit of spilled) {
        e.phys[visit.id] = visit.phys;
        if (visit.reads) restore(e, placeOf(visit));
      }
      let pending = true;
      e.flush = () => {
        if (pending) for (const visit of spilled) if (visit.writes) save(e, placeOf(visit));
        pending = false;
      };
    }
    e.fused = fused[k];
    e.isLast = k === insts.length - 1;
    if (saves.size > 0) e.saves = saves.get(k) ?? [];
    if (plain[k]) e.preparePlain(inst.src);
    else e.prepare(inst, row, ownTemps[k]);
    row.emit(e, inst);
    if (spilled) e.flush();
  }
}

interface Layout {
  readonly frame: Frame;
  /** Slot of each spilled register. */
  readonly slots: ReadonlyMap<number, number>;
  /** What each call keeps on the stack. */
  readonly saves: ReadonlyMap<number, Place[]>;
}

/** Decides what lies where on the stack: vectors first, then general and mask registers, then what calls keep. */
function layOut(
  kernel: KernelCode,
  { insts, files }: Analysis,
  live: Liveness,
  { phys, spilled, used }: Allocation,
  convention: Convention,
  abi: Abi,
  { vectorBytes }: Target,
): Layout {
  const saves = new Map<number, Place[]>();
  let [vectorSaves, otherSaves] = [0, 0];
  for (let k = 0; k < insts.length; k++) {
    if (insts[k].op !== 'call') continue;
    const places: Place[] = [];
    let [vectors, others] = [0, 0];
    for (let id = 0; id < files.length; id++) {
      if (phys[id] < 0 || live.start[id] > 2 * k || live.end[id] <= 2 * k) continue;
      const isVector = files[id] === VECTOR;
      places.push({ file: files[id], phys: phys[id], offset: isVector ? vectors++ : others++ });
    }
    vectorSaves = Math.max(vectorSaves, vectors);
    otherSaves = Math.max(otherSaves, others);
    saves.set(k, places);
  }
  const calls = saves.size > 0;
  const spilledVectors = spilled.filter((id) => files[id] === VECTOR);
  const spilledOthers = spilled.filter((id) => files[id] !== VECTOR);
  const hasVectors = spilledVectors.length + vectorSaves > 0;
  const align = hasVectors ? vectorBytes : 16;

  let at = hasVectors ? vectorBytes : 0; // the old rsp is kept at [rsp] where it is realigned
  const slots = new Map<number, number>();
  const place = (id: number, bytes: number): void => {
    slots.set(id, at);
    at += bytes;
  };
  for (const id of spilledVectors) place(id, vectorBytes);
  const vectorArea = at;
  at += vectorSaves * vectorBytes;
  const savedVectors = convention.savedVector
    .filter((v) => calls || (used[VECTOR] >> v) & 1)
    .map((v, k) => ({ phys: v, offset: at + 16 * k }));
  at += 16 * savedVectors.length;
  for (const id of spilledOthers) place(id, 8);
  const otherArea = at;
  at += otherSaves * 8;
  for (const places of saves.values())
    places.forEach(({ file, phys: p, offset }, k) => {
      const at2 = file === VECTOR ? vectorArea + offset * vectorBytes : otherArea + offset * 8;
      places[k] = { file, phys: p, offset: at2 };
    });
  const pushes = convention.savedGeneral.filter((r) => calls || (used[GENERAL] >> r) & 1);
  // At entry rsp is 8 above a multiple of 16; calls and vector slots need it to be one.
  const needsAlignment = calls || savedVectors.length > 0;
  if (hasVectors) at = Math.ceil(at / 16) * 16;
  else if (needsAlignment && (8 + 8 * pushes.length + at) % 16 !== 0) at += 8;
  const frame: Frame = { convention, abi, entry: kernel.entry, pushes, savedVectors, size: at, align };
  return { frame, slots, saves };
}
