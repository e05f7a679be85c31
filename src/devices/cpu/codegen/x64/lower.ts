/**
 * What lowering rows are made of: a row says for one IR operation which sources may stay in memory, which temporaries it
 * needs, and writes its instructions through an `Emitter`, which knows where every register lives.
 */
import type { Elem, Inst, Mem, Reg } from '../ir.ts';
import { elemBytes } from '../isa.ts';
import { Assembler, Operand, type Rm } from './encode.ts';
import { V, type VecRow } from './encode-table.ts';
import type { Place } from './frame.ts';

export interface Target {
  readonly avx512: boolean;
  /** VEX/EVEX vector length: 1 is 256 bits, 2 is 512. */
  readonly length: 1 | 2;
  readonly vectorBytes: 32 | 64;
}

/**
 * Temporaries, one letter each: g general, v vector, k mask register, free again when dst is written (so one of them may be
 * dst); G, V, K last to the instruction's end.
 */
export type Temps = string;

export interface Lowering {
  /** Bit k set: source k may be memory (one at a time). Vector operations only. */
  readonly folds?: (inst: Inst, target: Target) => number;
  /** Whether sources 0 and 1 may be swapped to bring memory to place 1; `compare` mirrors its predicate. */
  readonly commutes?: boolean;
  readonly temps?: (inst: Inst, target: Target) => Temps;
  /** dst is written before all sources are read, so it must not share their registers. */
  readonly early?: (inst: Inst, target: Target) => boolean;
  /** General registers (bit mask) that the row overwrites. */
  readonly clobbers?: (inst: Inst) => number;
  /** Does more than write dst, so it stays even when nobody reads dst. */
  readonly effect?: boolean;
  readonly emit: (e: Emitter, inst: Inst) => void;
}

// ---- sources
/** In place of a register id: this source is the memory operand. */
export const IN_MEMORY = -2;
export type MemorySource = Mem | Reg;
const isSplat = (source: MemorySource): source is Reg => 'cls' in source;
/** Whether all bits of a splat are zero (-0 is not). */
export const isZero = (source: MemorySource | undefined): boolean =>
  source !== undefined && isSplat(source) && (Object.is(source.splat!.value, 0) || source.splat!.value === 0n);

/** The sources of an instruction, sorted into registers, at most one memory operand, and loads that must come first. */
export class Sources {
  /** Register ids, or IN_MEMORY; a load's temporary has the id firstTemp + its place. */
  readonly ids = new Int32Array(8);
  count = 0;
  memory: MemorySource | undefined;
  /** Vector sources to be loaded into temporaries, one behind the other. */
  readonly loads: MemorySource[] = [];
  loadCount = 0;
  swapped = false;
}

/** Whether all sources are registers, so that there is nothing to sort. */
export function isPlain(inst: Inst, row: Lowering): boolean {
  const { src } = inst;
  for (let k = 0; k < src.length; k++) if (src[k].splat !== undefined) return false;
  return row.folds === undefined || inst.mem === undefined;
}

/** Sorts the sources of an instruction that is not plain; the same at analysis and at emission. */
export function sortSources(inst: Inst, row: Lowering, target: Target, firstTemp: number, out: Sources): void {
  const { src, op } = inst;
  out.loadCount = 0;
  out.memory = undefined;
  out.swapped = false;
  // An operation that does not fold addresses memory by itself (load, store).
  const mem = row.folds ? inst.mem : undefined;
  const place = mem ? (op === 'fma' || op === 'fnma' ? 1 : src.length) : -1;
  const count = (out.count = src.length + (mem ? 1 : 0));
  const folds = row.folds ? row.folds(inst, target) : 0;
  const { ids, loads } = out;
  for (let k = 0; k < count; k++) {
    const reg = k === place ? undefined : src[place >= 0 && k > place ? k - 1 : k];
    if (reg && !reg.splat) {
      ids[k] = reg.id;
      continue;
    }
    const source = reg ?? mem!;
    const canFold = (folds >> k) & 1 && !out.memory && (target.avx512 || isSplat(source) || !source.splat);
    if (canFold) {
      out.memory = source;
      ids[k] = IN_MEMORY;
    } else {
      loads[out.loadCount] = source;
      ids[k] = firstTemp + out.loadCount++;
    }
  }
  if (row.commutes && ids[0] === IN_MEMORY) {
    ids[0] = ids[1];
    ids[1] = IN_MEMORY;
    out.swapped = true;
  }
}

// ---- emission
interface Region {
  readonly loop: boolean;
  /** Where jumps back go (loop), or the else (if). */
  readonly head: number;
  readonly end: number;
  hasElse: boolean;
}

const nothing = (): void => {};

export class Emitter {
  readonly asm: Assembler;
  readonly target: Target;
  readonly name: string;
  /** Physical register of each virtual one, then of the current instruction's temporaries. */
  readonly phys: Int8Array;
  readonly firstTemp: number;
  /** The comparison (or constant) that the current branch or select carries within it. */
  fused: Inst | undefined;
  /** Sources of the current instruction: registers or memory. */
  readonly operands: Rm[] = new Array<Rm>(8).fill(-1);
  /** The source that is memory, where one is. */
  memory: MemorySource | undefined;
  readonly regions: Region[] = [];
  readonly exit: number;
  isLast = false;
  /** Registers to keep over the current call. */
  saves: readonly Place[] = [];
  /** Writes spilled results back; to be called before a jump (else it is done after the row). */
  flush: () => void = nothing;
  private readonly constants = new Map<number, number>();
  private readonly sources = new Sources();

  constructor(asm: Assembler, target: Target, name: string, registers: number) {
    this.asm = asm;
    this.target = target;
    this.name = name;
    this.phys = new Int8Array(registers + 8).fill(-1);
    this.firstTemp = registers;
    this.exit = asm.label();
  }

  /** Puts the instruction's sources in place: loads what cannot be folded, names the rest in `operands`. */
  prepare(inst: Inst, row: Lowering, temps: number): void {
    const { operands, sources, phys } = this;
    const firstLoad = this.firstTemp + temps;
    sortSources(inst, row, this.target, firstLoad, sources);
    for (let k = 0; k < sources.loadCount; k++) this.load(phys[firstLoad + k], sources.loads[k], inst.elem);
    this.memory = sources.memory;
    for (let k = 0; k < sources.count; k++) {
      const id = sources.ids[k];
      if (id !== IN_MEMORY) operands[k] = phys[id];
      else operands[k] = inst.elem ? this.operand(sources.memory!, inst.elem) : -1; // a move loads it by itself
    }
  }

  /** The same where all sources are registers. */
  preparePlain(src: readonly Reg[]): void {
    const { operands, phys } = this;
    this.memory = undefined;
    for (let k = 0; k < src.length; k++) operands[k] = phys[src[k].id];
  }

  dst(inst: Inst): number {
    return this.phys[inst.dst!.id];
  }
  reg(k: number): number {
    return this.operands[k] as number;
  }
  temp(k: number): number {
    return this.phys[this.firstTemp + k];
  }

  address(mem: Mem): Operand {
    const index = mem.index ? this.phys[mem.index.id] : -1;
    return new Operand(this.phys[mem.base.id], mem.offset, index, scaleBits(mem.scale));
  }

  /** A memory operand for a source of a vector instruction over `elem`. */
  operand(source: MemorySource, elem: Elem): Operand {
    const { avx512, vectorBytes } = this.target;
    if (!isSplat(source)) {
      const index = source.index ? this.phys[source.index.id] : -1;
      return new Operand(this.phys[source.base.id], source.offset, index, scaleBits(source.scale), source.splat ?? false);
    }
    const bytes = elemBytes(elem);
    const broadcast = avx512 && elemBytes(source.splat!.elem) <= bytes;
    return Operand.constant(this.constant(source, broadcast ? bytes : vectorBytes), broadcast);
  }

  /** The pool entry of a splat repeated over `size` bytes. */
  private constant(splat: Reg, size: number): number {
    const key = splat.id * 128 + size;
    let entry = this.constants.get(key);
    if (entry === undefined) {
      entry = this.asm.pool.splat(splat.splat!.elem, splat.splat!.value, size);
      this.constants.set(key, entry);
    }
    return entry;
  }

  /** 32-bit words in the constant pool. */
  words(words: readonly number[]): Operand {
    return Operand.constant(this.asm.pool.words(words), false);
  }

  /** dst = the vector source, from memory. */
  load(dst: number, source: MemorySource, elem: Elem = 'f32'): void {
    if (isZero(source)) this.zero(dst);
    else if (isSplat(source)) {
      const bytes = elemBytes(source.splat!.elem);
      this.vec(bytes === 4 ? V.vbroadcastss : V.vbroadcastsd, dst, 0, Operand.constant(this.constant(source, bytes), false));
    } else if (source.splat) this.vec(elemBytes(elem) === 4 ? V.vbroadcastss : V.vbroadcastsd, dst, 0, this.address(source));
    else this.vec(V.vmovups, dst, 0, this.address(source));
  }

  vec(row: VecRow, reg: number, v: number, rm: Rm, imm = 0): void {
    this.asm.vec(row, this.target.length, reg, v, rm, imm);
  }
  xmm(row: VecRow, reg: number, v: number, rm: Rm, imm = 0): void {
    this.asm.vec(row, 0, reg, v, rm, imm);
  }
  /** A whole vector register. */
  moveVec(dst: number, src: Rm): void {
    if (dst !== src) this.vec(V.vmovaps, dst, 0, src);
  }
  zero(dst: number): void {
    this.xmm(V.vxorps, dst, dst, dst);
  }

  /** The row of a table by element type, or an error for an element the operation does not have. */
  pick<R>(inst: Inst, table: Partial<Record<Elem, R>>): R {
    const row = table[inst.elem!];
    if (row === undefined) throw new Error(`kernel ${this.name}: ${inst.op} is not defined for ${inst.elem}`);
    return row;
  }
}

const scaleBits = (scale: 1 | 2 | 4 | 8 | undefined): number => (scale === 8 ? 3 : scale === 4 ? 2 : scale === 2 ? 1 : 0);
