/**
 * Where each virtual register lives: one interval from its first write to its last read, stretched over every loop at whose
 * head it holds a value still to be read. Instruction k reads at position 2k and writes at 2k + 1.
 */
import type { Reg } from '../ir.ts';
import type { Analysis } from './analyse.ts';

export interface Liveness {
  /** First position; arguments start at -1. */
  readonly start: Int32Array;
  /** Last position; -2 where the register is never touched. */
  readonly end: Int32Array;
  /** Reads and writes, ten times as many for each loop around them. */
  readonly weight: Float64Array;
}

interface Loop {
  readonly head: number;
  readonly end: number;
  /** Length of the log at the first way out, or -1. */
  exit: number;
}

export function findIntervals(analysis: Analysis, params: readonly Reg[], registers: number): Liveness {
  const { insts, reads, readStart, writes } = analysis;
  const start = new Int32Array(registers).fill(0x7fffffff);
  const end = new Int32Array(registers).fill(-2);
  const weight = new Float64Array(registers);
  // The latest instruction that has surely written each register before this point; a log undoes what a branch assumed.
  const written = new Int32Array(registers).fill(-1);
  const log: number[] = []; // pairs: a register, and what stood in `written`
  const branches: { mark: number; inThen: Set<number> | undefined }[] = [];
  const loops: Loop[] = [];
  const loopEnds = matchLoops(analysis);
  let scale = 1;

  const write = (id: number, at: number): void => {
    log.push(id, written[id]);
    written[id] = at;
  };
  const undoTo = (mark: number): void => {
    while (log.length > mark) {
      const before = log.pop()!;
      written[log.pop()!] = before;
    }
    for (const loop of loops) if (loop.exit > mark) loop.exit = mark;
  };
  const writtenSince = (mark: number): Set<number> => {
    const ids = new Set<number>();
    for (let at = mark; at < log.length; at += 2) ids.add(log[at]);
    return ids;
  };

  for (const { id } of params) start[id] = -1;
  for (let k = 0; k < insts.length; k++) {
    const { op } = insts[k];
    for (let r = readStart[k]; r < readStart[k + 1]; r++) {
      const id = reads[r];
      if (2 * k > end[id]) end[id] = 2 * k;
      if (2 * k < start[id]) start[id] = 2 * k;
      weight[id] += scale;
      // The outermost loop entered since the register was written needs its value at the head of every round.
      for (let l = 0; l < loops.length; l++) {
        const loop = loops[l];
        if (loop.head < written[id]) continue;
        if (2 * loop.head < start[id]) start[id] = 2 * loop.head;
        if (2 * loop.end + 1 > end[id]) end[id] = 2 * loop.end + 1;
        break;
      }
    }
    const id = writes[k];
    if (id >= 0) {
      const at = analysis.rows[k].early ? 2 * k : 2 * k + 1;
      if (at < start[id]) start[id] = at;
      if (2 * k + 1 > end[id]) end[id] = 2 * k + 1;
      weight[id] += scale;
      write(id, k);
    }
    if (op === 'loop') {
      loops.push({ head: k, end: loopEnds[k], exit: -1 });
      scale *= 10;
    } else if (op === 'breakIf') {
      const loop = loops.length > 0 ? loops[loops.length - 1] : undefined;
      if (loop && loop.exit < 0) loop.exit = log.length;
    } else if (op === 'endLoop') {
      const loop = loops.pop()!;
      if (loop.exit >= 0) undoTo(loop.exit);
      scale /= 10;
    } else if (op === 'if') branches.push({ mark: log.length, inThen: undefined });
    else if (op === 'else') {
      const branch = branches[branches.length - 1];
      branch.inThen = writtenSince(branch.mark);
      undoTo(branch.mark);
    } else if (op === 'endIf') {
      const { mark, inThen } = branches.pop()!;
      const inElse = inThen && writtenSince(mark);
      undoTo(mark);
      if (inThen && inElse) for (const both of inElse) if (inThen.has(both)) write(both, k);
    }
  }
  return { start, end, weight };
}

/** The endLoop of each loop. */
function matchLoops({ insts }: Analysis): number[] {
  const ends: number[] = [];
  const open: number[] = [];
  for (let k = 0; k < insts.length; k++) {
    if (insts[k].op === 'loop') open.push(k);
    else if (insts[k].op === 'endLoop') ends[open.pop()!] = k;
  }
  return ends;
}
