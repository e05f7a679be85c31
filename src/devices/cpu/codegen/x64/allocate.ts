/**
 * Linear-scan register allocation (Poletto and Sarkar, "Linear scan register allocation", 1999). Nothing is held back as
 * scratch: where registers run out, the interval that is read least for its length moves to the stack, is cut into one
 * tiny interval for each instruction that touches it, and the scan starts again.
 */
import type { KernelCode } from '../ir.ts';
import type { Analysis } from './analyse.ts';
import { ARGUMENT_SCRATCH, type Convention, GENERAL } from './frame.ts';
import type { Liveness } from './liveness.ts';

/** A spilled register for the length of one instruction. */
export interface Visit {
  readonly id: number;
  readonly reads: boolean;
  readonly writes: boolean;
  phys: number;
}

export interface Allocation {
  /** Physical register by virtual one, -1 where it is spilled or untouched. */
  readonly phys: Int8Array;
  readonly spilled: readonly number[];
  /** Physical registers of the temporaries, as Analysis.tempFiles. */
  readonly temps: Int8Array;
  /** Spilled registers by the instruction that touches them. */
  readonly visits: ReadonlyMap<number, Visit[]>;
  /** Physical registers used, a bit mask by file. */
  readonly used: readonly [number, number, number];
}

/** What competes for a register: a virtual register, a visit to a spilled one, or a temporary. */
interface Interval {
  readonly start: number;
  readonly end: number;
  readonly file: number;
  /** The virtual register, or -1 - the temporary's number. */
  readonly id: number;
  readonly visit: Visit | undefined;
}

const FREE = -3;

export function allocate(kernel: KernelCode, analysis: Analysis, live: Liveness, convention: Convention): Allocation {
  const spilled = new Set<number>();
  const blocks = findBlocks(analysis);
  for (let round = 0; ; round++) {
    const before = spilled.size;
    const intervals = listIntervals(analysis, live, spilled);
    const result = scan(kernel, analysis, live, convention, blocks, intervals, spilled);
    if (spilled.size === before) return result;
    if (round > kernel.registers) throw new Error(`kernel ${kernel.name}: register allocation does not end`);
  }
}

/** Instructions that overwrite fixed general registers. */
function findBlocks({ rows, insts }: Analysis): { at: number; mask: number }[] {
  const blocks: { at: number; mask: number }[] = [];
  for (let k = 0; k < rows.length; k++) {
    const mask = rows[k].clobbers?.(insts[k]) ?? 0;
    if (mask !== 0) blocks.push({ at: 2 * k, mask });
  }
  return blocks;
}

function listIntervals(analysis: Analysis, live: Liveness, spilled: ReadonlySet<number>): Interval[] {
  const { files, insts, rows, reads, readStart, writes, tempStart, tempFiles, tempHeld } = analysis;
  const out: Interval[] = [];
  for (let id = 0; id < files.length; id++)
    if (live.end[id] > -2 && !spilled.has(id))
      out.push({ start: live.start[id], end: live.end[id], file: files[id], id, visit: undefined });
  for (let k = 0; k < insts.length; k++) {
    for (let t = tempStart[k]; t < tempStart[k + 1]; t++)
      out.push({ start: 2 * k, end: tempHeld[t] ? 2 * k + 1 : 2 * k, file: tempFiles[t], id: -1 - t, visit: undefined });
    if (spilled.size === 0) continue;
    const touched = new Set(reads.slice(readStart[k], readStart[k + 1]));
    const readsHere = new Set(touched);
    if (writes[k] >= 0) touched.add(writes[k]);
    for (const id of touched) {
      if (!spilled.has(id)) continue;
      const visit = { id, reads: readsHere.has(id), writes: writes[k] === id, phys: -1 };
      const start = visit.reads || rows[k].early ? 2 * k : 2 * k + 1;
      out.push({ start, end: visit.writes ? 2 * k + 1 : 2 * k, file: files[id], id, visit });
    }
  }
  return out.sort((a, b) => a.start - b.start);
}

function scan(
  kernel: KernelCode,
  analysis: Analysis,
  live: Liveness,
  convention: Convention,
  blocks: readonly { at: number; mask: number }[],
  intervals: readonly Interval[],
  spilled: Set<number>,
): Allocation {
  const phys = new Int8Array(kernel.registers).fill(-1);
  const temps = new Int8Array(analysis.tempFiles.length).fill(-1);
  const visits = new Map<number, Visit[]>();
  const used: [number, number, number] = [0, 0, 0];
  /** By file and physical register: until when it is taken, and by whom. */
  const takenUntil = [new Int32Array(16).fill(FREE), new Int32Array(32).fill(FREE), new Int32Array(8).fill(FREE)];
  const owner = takenUntil.map((registers) => new Array<Interval | undefined>(registers.length).fill(undefined));
  const argumentOf = new Map<number, number>();
  let argumentMask = 0;
  kernel.params.forEach(({ id }, k) => {
    if (live.end[id] < -1 || k >= convention.args.length) return;
    argumentOf.set(id, convention.args[k]);
    argumentMask |= 1 << convention.args[k];
  });

  /** General registers that an interval must avoid. */
  const forbidden = ({ start, end, file, id }: Interval): number => {
    if (file !== GENERAL) return 0;
    let mask = 0;
    for (const block of blocks) if (block.at <= end && block.at + 1 >= start) mask |= block.mask;
    if (start < 0) mask |= (argumentMask & ~(1 << (argumentOf.get(id) ?? 31))) | ARGUMENT_SCRATCH;
    return mask;
  };
  const isFree = (p: number, { start, file }: Interval, mask: number): boolean =>
    takenUntil[file][p] < start && ((mask >> p) & 1) === 0;

  /** Registers that would spare a move: the argument's own, or that of a source which dies here. */
  const preferred = (interval: Interval, mask: number): number => {
    const { id, file, start } = interval;
    const own = argumentOf.get(id);
    if (start < 0) return own !== undefined && isFree(own, interval, mask) ? own : -1;
    if (id < 0 || (start & 1) === 0) return -1;
    const k = start >> 1;
    const { reads, readStart, files, insts } = analysis;
    const from = readStart[k];
    const to = readStart[k + 1];
    const isFma = insts[k].op === 'fma' || insts[k].op === 'fnma';
    for (let n = 0; n < to - from; n++) {
      const source = reads[isFma ? to - 1 - n : from + n];
      if (files[source] !== file || live.end[source] !== 2 * k || phys[source] < 0) continue;
      if (isFree(phys[source], interval, mask)) return phys[source];
    }
    return -1;
  };

  const take = (interval: Interval, p: number): void => {
    const { id, file, end, visit } = interval;
    takenUntil[file][p] = end;
    owner[file][p] = interval;
    used[file] |= 1 << p;
    if (visit) {
      visit.phys = p;
      const k = interval.start >> 1;
      const list = visits.get(k);
      if (list) list.push(visit);
      else visits.set(k, [visit]);
    } else if (id >= 0) phys[id] = p;
    else temps[-1 - id] = p;
  };

  const cost = ({ id, start, end }: Interval): number => live.weight[id] / (end - start + 1);
  /** Moves the cheapest interval to the stack; true when that made room for this one. */
  const spill = (interval: Interval, mask: number): void => {
    const { file } = interval;
    let victim = interval.id >= 0 && !interval.visit ? interval : undefined;
    for (const p of convention.order[file]) {
      const candidate = owner[file][p];
      if ((mask >> p) & 1 || !candidate || candidate.id < 0 || candidate.visit || takenUntil[file][p] < interval.start) continue;
      if (!victim || cost(candidate) < cost(victim)) victim = candidate;
    }
    if (!victim) throw new Error(`kernel ${kernel.name}: an instruction needs more registers than there are`);
    spilled.add(victim.id);
    if (victim === interval) return;
    const p = phys[victim.id];
    phys[victim.id] = -1;
    take(interval, p);
  };

  for (const interval of intervals) {
    const mask = forbidden(interval);
    let p = preferred(interval, mask);
    const order = convention.order[interval.file];
    for (let n = 0; p < 0 && n < order.length; n++) if (isFree(order[n], interval, mask)) p = order[n];
    if (p >= 0) take(interval, p);
    else spill(interval, mask);
  }
  return { phys, spilled: [...spilled], temps, visits, used };
}
