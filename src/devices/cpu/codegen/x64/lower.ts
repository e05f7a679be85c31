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
export const isSplat = (source: MemorySource): source is Reg => 'cls' in source;
/** Whether all bits of a splat are zero (-0 is not). */
export const isZero = (source: MemorySource | undefined): boolean =>
  source !== undefined && isSplat(source) && (Object.is(source.splat!.value, 0) || source.splat!.value === 0n);

/** The sources of an instruction, sorted into registers, at most one memory operand, and loads that must come first. */
export interface Sources {
  /** Register ids, or IN_MEMORY; a load's temporary has the id firstTemp + its place. */
  readonly ids: number[];
  memory: MemorySource | undefined;
  /** Vector sources to be loaded into temporaries, the k-th into temporary number `temps + k`. */
  readonly loads: MemorySource[];
  swapped: boolean;
}

/** Sorts the sources of a vector instruction; the same at analysis and at emission. */
export function sortSources(inst: Inst, row: Lowering, target: Target, firstTemp: number, out: Sources): void {
  const { src } = inst;
  out.ids.length = out.loads.length = 0;
  out.memory = undefined;
  out.swapped = false;
  // An operation that does not fold addresses memory by itself (load, store).
  const mem = row.folds ? inst.mem : undefined;
  const isFma = inst.op === 'fma' || inst.op === 'fnma';
  const place = mem ? (isFma ? 1 : src.length) : -1;
  const count = src.length + (mem ? 1 : 0);
  let hasInMemory = mem !== undefined;
  for (let k = 0; k < src.length && !hasInMemory; k++) hasInMemory = src[k].splat !== undefined;
  if (!hasInMemory) {
    for (let k = 0; k < src.length; k++) out.ids.push(src[k].id);
    return;
  }
  const folds = row.folds ? row.folds(inst, target) : 0;
  for (let k = 0; k < count; k++) {
    const reg = k === place ? undefined : src[mem && k > place ? k - 1 : k];
    if (reg && !reg.splat) {
      out.ids.push(reg.id);
      continue;
    }
    const source = reg ?? mem!;
    const canFold = (folds >> k) & 1 && !out.memory && (target.avx512 || isSplat(source) || !source.splat);
    if (canFold) {
      out.memory = source;
      out.ids.push(IN_MEMORY);
    } else out.ids.push(firstTemp + out.loads.push(source) - 1);
  }
  if (row.commutes && out.ids[0] === IN_MEMORY) {
    out.ids[0] = out.ids[1];
    out.ids[1] = IN_MEMORY;
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
  readonly operands: Rm[] = [];
  memory: MemorySource | undefined;
  swapped = false;
  readonly regions: Region[] = [];
  readonly exit: number;
  isLast = false;
  /** Registers to keep over the current call. */
  saves: readonly Place[] = [];
  /** Writes spilled results back; to be called before a jump (else it is done after the row). */
  flush: () => void = () => {};
  private readonly constants = new Map<number, number>();
  private readonly sources: Sources = { ids: [], memory: undefined, loads: [], swapped: false };

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
    const { operands, sources } = this;
    sortSources(inst, row, this.target, this.firstTemp + temps, sources);
    for (let k = 0; k < sources.loads.length; k++) this.load(this.phys[this.firstTemp + temps + k], sources.loads[k], inst.elem);
    this.memory = sources.memory;
    this.swapped = sources.swapped;
    operands.length = 0;
    for (const id of sources.ids) {
      if (id !== IN_MEMORY) operands.push(this.phys[id]);
      else operands.push(inst.elem ? this.operand(sources.memory!, inst.elem) : -1); // a move loads it by itself
    }
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

export const scaleBits = (scale: 1 | 2 | 4 | 8 | undefined): number => (scale === 8 ? 3 : scale === 4 ? 2 : scale === 2 ? 1 : 0);
