/**
 * Prepares a kernel for allocation: drops what computes nothing that is read, joins comparisons with the branch behind
 * them, turns unread loop counters into countdowns, and notes for each instruction left which registers it touches.
 */
import type { Inst, KernelCode, Reg } from '../ir.ts';
import { GENERAL, MASK, VECTOR } from './frame.ts';
import { IN_MEMORY, type Lowering, type MemorySource, type Sources, sortSources, type Target } from './lower.ts';
import { controlRows, countDown } from './lower-control.ts';
import { integerRows, wideTemp } from './lower-integer.ts';
import { memoryRows } from './lower-memory.ts';
import { vectorRows } from './lower-vector.ts';

const rows: Record<string, Lowering | undefined> = { ...vectorRows, ...memoryRows, ...integerRows, ...controlRows };

/** The kernel's instructions as they will be emitted; the arrays run in parallel. */
export interface Analysis {
  readonly insts: Inst[];
  readonly rows: Lowering[];
  /** The comparison, or constant, that an instruction carries within it. */
  readonly fused: (Inst | undefined)[];
  /** Temporaries of instruction i, the row's own first: files, from tempStart[i] on. */
  readonly tempStart: number[];
  readonly tempFiles: number[];
  /** Whether the temporary lasts until dst has been written. */
  readonly tempHeld: boolean[];
  /** How many temporaries of instruction i are the row's own; the others hold sources loaded for it. */
  readonly ownTemps: number[];
  /** Registers that instruction i reads, from readStart[i] on. */
  readonly readStart: number[];
  readonly reads: number[];
  /** The register that instruction i writes, or -1. */
  readonly writes: number[];
  /** Register file by register. */
  readonly files: Uint8Array;
}

export function analyse(kernel: KernelCode, target: Target): Analysis {
  const { reads: readCounts, writes: writeCounts } = countUses(kernel);
  const alive = markAlive(kernel, readCounts);
  const out: Analysis = {
    insts: [],
    rows: [],
    fused: [],
    tempStart: [],
    tempFiles: [],
    tempHeld: [],
    ownTemps: [],
    readStart: [],
    reads: [],
    writes: [],
    files: new Uint8Array(kernel.registers),
  };
  const fileOf = (reg: Reg): number => {
    if (reg.cls === 'vec' || (reg.cls === 'mask' && !target.avx512)) return VECTOR;
    return reg.cls === 'mask' ? MASK : GENERAL;
  };
  const sources: Sources = { ids: [], memory: undefined, loads: [], swapped: false };
  const readMemory = (source: MemorySource | undefined): void => {
    if (source === undefined || 'cls' in source) return;
    out.reads.push(source.base.id);
    if (source.index) out.reads.push(source.index.id);
  };
  const push = (inst: Inst, row: Lowering, fused: Inst | undefined): void => {
    const { dst, mem } = inst;
    const own = (row.temps ? row.temps(inst, target) : '') + (fused ? wideTemp(fused) : '');
    sortSources(inst, row, target, kernel.registers, sources);
    out.insts.push(inst);
    out.rows.push(row);
    out.fused.push(fused);
    out.tempStart.push(out.tempFiles.length);
    out.readStart.push(out.reads.length);
    out.writes.push(dst ? dst.id : -1);
    out.ownTemps.push(own.length);
    for (const letter of own) {
      const kind = letter.toLowerCase();
      out.tempFiles.push(kind === 'g' ? GENERAL : kind === 'v' || !target.avx512 ? VECTOR : MASK);
      out.tempHeld.push(kind !== letter);
    }
    for (const id of sources.ids) if (id !== IN_MEMORY && id < kernel.registers) out.reads.push(id);
    for (const load of sources.loads) {
      out.tempFiles.push(VECTOR);
      out.tempHeld.push(false);
      readMemory(load);
    }
    readMemory(row.folds ? sources.memory : mem);
    if (dst) out.files[dst.id] = fileOf(dst);
  };

  for (const param of kernel.params) out.files[param.id] = GENERAL;
  const { body } = kernel;
  const onlyHere = (reg: Reg): boolean => readCounts[reg.id] === 1 && writeCounts[reg.id] === 1;
  const counters = findCountdowns(body, readCounts, writeCounts);
  for (let k = 0; k < body.length; k++) {
    if (!alive[k]) continue;
    const inst = body[k];
    const row = rows[inst.op];
    if (!row) throw new Error(`kernel ${kernel.name}: unknown operation ${inst.op}`);
    const rounds = counters.get(inst);
    if (rounds !== undefined) {
      if (inst.op === 'constant') push({ ...inst, imm: rounds }, row, undefined);
      else push({ ...inst, limit: undefined, imm: -1 }, countDown, undefined);
      continue;
    }
    const after = alive[k + 1] ? body[k + 1] : undefined;
    const isCondition = after && conditional.has(after.op) && after.src[0].id === inst.dst?.id && onlyHere(inst.dst!);
    if (isCondition && inst.op === 'icompare') {
      push(withCondition(after, inst.src), rows[after.op]!, inst);
      k++;
    } else if (isCondition && inst.op === 'constant' && jumps.has(after.op) && BigInt(inst.imm!) !== 0n) {
      push(withCondition(after, []), rows[after.op]!, inst);
      k++;
    } else push(inst.op === 'iselect' ? withCondition(inst, [inst.src[0]]) : inst, row, undefined);
  }
  out.tempStart.push(out.tempFiles.length);
  out.readStart.push(out.reads.length);
  return out;
}

const conditional = new Set(['if', 'breakIf', 'continueIf', 'iselect']);
const jumps = new Set(['breakIf', 'continueIf']);

/** The instruction with the condition's sources behind its own. */
const withCondition = (inst: Inst, condition: readonly Reg[]): Inst => ({ ...inst, src: [...inst.src.slice(1), ...condition] });

function countUses({ body, registers }: KernelCode): { reads: Int32Array; writes: Int32Array } {
  const reads = new Int32Array(registers);
  const writes = new Int32Array(registers);
  for (const { src, mem, dst } of body) {
    for (const reg of src) reads[reg.id]++;
    if (mem) {
      reads[mem.base.id]++;
      if (mem.index) reads[mem.index.id]++;
    }
    if (dst) writes[dst.id]++;
  }
  return { reads, writes };
}

/** Which instructions have an effect, or a result that a later one reads; updates the counts. */
function markAlive({ body }: KernelCode, reads: Int32Array): boolean[] {
  const alive: boolean[] = new Array(body.length);
  for (let k = body.length - 1; k >= 0; k--) {
    const { op, dst, src, mem } = body[k];
    alive[k] = rows[op]?.effect === true || dst === undefined || reads[dst.id] > 0;
    if (alive[k]) continue;
    for (const reg of src) reads[reg.id]--;
    if (mem) {
      reads[mem.base.id]--;
      if (mem.index) reads[mem.index.id]--;
    }
  }
  return alive;
}

/** Counters that only their own `next` reads: the constant that starts them and that `next`, with the rounds they count. */
function findCountdowns(body: readonly Inst[], reads: Int32Array, writes: Int32Array): Map<Inst, number> {
  const found = new Map<Inst, number>();
  const starts: (Inst | undefined)[] = [];
  for (let k = 0; k < body.length; k++) {
    const inst = body[k];
    if (inst.op === 'loop') starts.push(body[k - 1]);
    if (inst.op === 'endLoop') starts.pop();
    if (inst.op !== 'next' || inst.limit === undefined) continue;
    const start = starts[starts.length - 1];
    const id = inst.dst!.id;
    if (start?.op !== 'constant' || start.dst!.id !== id || reads[id] !== 1 || writes[id] !== 2 || inst.imm! <= 0) continue;
    const rounds = Math.max(1, Math.ceil((inst.limit - Number(start.imm)) / Number(inst.imm)));
    found.set(start, rounds);
    found.set(inst, rounds);
  }
  return found;
}
