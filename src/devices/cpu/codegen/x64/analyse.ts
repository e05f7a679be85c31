/**
 * Prepares a kernel for allocation: drops what computes nothing that is read, joins comparisons with the branch behind
 * them, turns unread loop counters into countdowns, and notes for each instruction left which registers it touches.
 */
import { type Inst, instruction, type KernelCode, type Reg } from '../ir.ts';
import { GENERAL, MASK, VECTOR } from './frame.ts';
import { IN_MEMORY, isPlain, type Lowering, type MemorySource, Sources, sortSources, type Target } from './lower.ts';
import { controlRows, countDown } from './lower-control.ts';
import { integerRows, wideTemp } from './lower-integer.ts';
import { memoryRows } from './lower-memory.ts';
import { vectorRows } from './lower-vector.ts';

/** All of one shape, as instructions are. */
const row = ({ folds, commutes, temps, early, clobbers, effect, emit }: Lowering): Lowering => ({ folds, commutes, temps, early, clobbers, effect, emit });
const rows = new Map<string, Lowering>();
for (const table of [vectorRows, memoryRows, integerRows, controlRows]) for (const [op, given] of Object.entries<Lowering>(table)) rows.set(op, row(given));
const countDownRow = row(countDown);

/** The kernel's instructions as they will be emitted; the arrays run in parallel. */
export interface Analysis {
  readonly insts: Inst[];
  readonly rows: Lowering[];
  /** The comparison, or constant, that an instruction carries within it. */
  readonly fused: (Inst | undefined)[];
  /** Whether all sources of an instruction are registers. */
  readonly plain: boolean[];
  /** Temporaries of instruction i, the row's own first: files, from tempStart[i] on. */
  readonly tempStart: Int32Array;
  readonly tempFiles: number[];
  /** Whether the temporary lasts until dst has been written. */
  readonly tempHeld: boolean[];
  /** How many temporaries of instruction i are the row's own; the others hold sources loaded for it. */
  readonly ownTemps: Uint8Array;
  /** Registers that instruction i reads, from readStart[i] on. */
  readonly readStart: Int32Array;
  readonly reads: number[];
  /** The register that instruction i writes, or -1. */
  readonly writes: Int32Array;
  /** Register file by register. */
  readonly files: Uint8Array;
}

export function analyse(kernel: KernelCode, target: Target): Analysis {
  const { body, registers } = kernel;
  const rowOf = body.map(({ op }) => {
    const known = rows.get(op);
    if (!known) throw new Error(`kernel ${kernel.name}: unknown operation ${op}`);
    return known;
  });
  const { reads: readCounts, writes: writeCounts } = countUses(body, registers);
  const alive = markAlive(body, rowOf, readCounts);
  const collector = new Collector(kernel, target);
  const onlyHere = (reg: Reg): boolean => readCounts[reg.id] === 1 && writeCounts[reg.id] === 1;
  const counters = findCountdowns(body, readCounts, writeCounts);
  for (let k = 0; k < body.length; k++) {
    if (!alive[k]) continue;
    const inst = body[k];
    const { op } = inst;
    if (op !== 'constant' && op !== 'icompare' && op !== 'next' && op !== 'iselect') {
      collector.push(inst, rowOf[k], undefined);
      continue;
    }
    const rounds = counters?.get(inst);
    if (rounds !== undefined) {
      if (op === 'constant') collector.push(instruction({ ...inst, imm: rounds }), rowOf[k], undefined);
      else collector.push(instruction({ ...inst, limit: undefined }), countDownRow, undefined);
      continue;
    }
    const after = k + 1 < body.length && alive[k + 1] ? body[k + 1] : undefined;
    const isCondition = after && conditional.has(after.op) && after.src[0].id === inst.dst?.id && onlyHere(inst.dst);
    if (isCondition && (op === 'icompare' || (op === 'constant' && jumps.has(after.op) && BigInt(inst.imm!) !== 0n))) {
      collector.push(withCondition(after, inst.src), rowOf[k + 1], inst);
      k++;
    } else collector.push(op === 'iselect' ? withCondition(inst, [inst.src[0]]) : inst, rowOf[k], undefined);
  }
  return collector.finish();
}

/** Notes what each instruction touches. */
class Collector {
  private readonly out: Analysis;
  private readonly sources = new Sources();
  private readonly target: Target;
  private readonly registers: number;
  private count = 0;

  constructor({ body, registers, params }: KernelCode, target: Target) {
    this.target = target;
    this.registers = registers;
    this.out = {
      insts: [],
      rows: [],
      fused: [],
      plain: [],
      tempStart: new Int32Array(body.length + 1),
      tempFiles: [],
      tempHeld: [],
      ownTemps: new Uint8Array(body.length),
      readStart: new Int32Array(body.length + 1),
      reads: [],
      writes: new Int32Array(body.length),
      files: new Uint8Array(registers),
    };
    for (const param of params) this.out.files[param.id] = GENERAL;
  }

  push(inst: Inst, row: Lowering, fused: Inst | undefined): void {
    const { out, target } = this;
    const { dst, mem, src } = inst;
    const k = this.count++;
    out.insts.push(inst);
    out.rows.push(row);
    out.fused.push(fused);
    out.writes[k] = dst ? dst.id : -1;
    if (dst) out.files[dst.id] = this.fileOf(dst);
    if (row.temps || fused) {
      const own = (row.temps ? row.temps(inst, target) : '') + (fused ? wideTemp(fused) : '');
      for (const letter of own) this.temp(letter);
      out.ownTemps[k] = own.length;
    }
    const plain = isPlain(inst, row);
    out.plain.push(plain);
    if (plain) {
      for (let s = 0; s < src.length; s++) out.reads.push(src[s].id);
      if (mem) this.readMemory(mem);
    } else {
      const { sources } = this;
      sortSources(inst, row, target, this.registers, sources);
      for (let s = 0; s < sources.count; s++) {
        const id = sources.ids[s];
        if (id !== IN_MEMORY && id < this.registers) out.reads.push(id);
      }
      for (let s = 0; s < sources.loadCount; s++) {
        out.tempFiles.push(VECTOR);
        out.tempHeld.push(false);
        this.readMemory(sources.loads[s]);
      }
      this.readMemory(row.folds ? sources.memory : mem);
    }
    out.tempStart[k + 1] = out.tempFiles.length;
    out.readStart[k + 1] = out.reads.length;
  }

  finish(): Analysis {
    return this.out;
  }

  private temp(letter: string): void {
    const kind = letter.toLowerCase();
    this.out.tempFiles.push(kind === 'g' ? GENERAL : kind === 'v' || !this.target.avx512 ? VECTOR : MASK);
    this.out.tempHeld.push(kind !== letter);
  }
  private readMemory(source: MemorySource | undefined): void {
    if (source === undefined || 'cls' in source) return;
    this.out.reads.push(source.base.id);
    if (source.index) this.out.reads.push(source.index.id);
  }
  private fileOf({ cls }: Reg): number {
    if (cls === 'vec' || (cls === 'mask' && !this.target.avx512)) return VECTOR;
    return cls === 'mask' ? MASK : GENERAL;
  }
}

const conditional = new Set(['if', 'breakIf', 'continueIf', 'iselect']);
const jumps = new Set(['breakIf', 'continueIf']);

/** The instruction with the condition's sources behind its own. */
const withCondition = (inst: Inst, condition: readonly Reg[]): Inst =>
  instruction({ ...inst, src: [...inst.src.slice(1), ...condition] });

function countUses(body: readonly Inst[], registers: number): { reads: Int32Array; writes: Int32Array } {
  const reads = new Int32Array(registers);
  const writes = new Int32Array(registers);
  for (let k = 0; k < body.length; k++) {
    const { dst } = body[k];
    countReads(body[k], reads, 1);
    if (dst) writes[dst.id]++;
  }
  return { reads, writes };
}

function countReads({ src, mem }: Inst, reads: Int32Array, by: number): void {
  for (let s = 0; s < src.length; s++) reads[src[s].id] += by;
  if (!mem) return;
  reads[mem.base.id] += by;
  if (mem.index) reads[mem.index.id] += by;
}

/** Which instructions have an effect, or a result that a later one reads; updates the counts. */
function markAlive(body: readonly Inst[], rowOf: readonly Lowering[], reads: Int32Array): boolean[] {
  const alive: boolean[] = new Array(body.length);
  for (let k = body.length - 1; k >= 0; k--) {
    const { dst } = body[k];
    alive[k] = rowOf[k].effect === true || dst === undefined || reads[dst.id] > 0;
    if (!alive[k]) countReads(body[k], reads, -1);
  }
  return alive;
}

/** Counters that only their own `next` reads: the constant that starts them and that `next`, with the rounds they count. */
function findCountdowns(body: readonly Inst[], reads: Int32Array, writes: Int32Array): Map<Inst, number> | undefined {
  let found: Map<Inst, number> | undefined;
  const starts: (Inst | undefined)[] = [];
  for (let k = 0; k < body.length; k++) {
    const inst = body[k];
    const { op } = inst;
    if (op === 'loop') starts.push(k > 0 ? body[k - 1] : undefined);
    else if (op === 'endLoop') starts.pop();
    if (op !== 'next' || inst.limit === undefined) continue;
    const start = starts.length > 0 ? starts[starts.length - 1] : undefined;
    const id = inst.dst!.id;
    if (start?.op !== 'constant' || start.dst!.id !== id || reads[id] !== 1 || writes[id] !== 2 || inst.imm! <= 0) continue;
    const rounds = Math.max(1, Math.ceil((inst.limit - Number(start.imm)) / Number(inst.imm)));
    found ??= new Map();
    found.set(start, rounds);
    found.set(inst, rounds);
  }
  return found;
}
