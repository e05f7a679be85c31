/**
 * Calling conventions and the stack frame. `entry` kernels keep to the platform's C convention; the others to our own:
 * arguments in rdi, rsi, rdx, rcx, r8, r9 on every platform, everything but rsp may be overwritten.
 */
import { Operand } from './encode.ts';
import { G, V } from './encode-table.ts';
import type { Emitter } from './lower.ts';

export type Abi = 'sysv' | 'win64';
/** Register files: 0 general, 1 vector, 2 mask. */
export const GENERAL = 0;
export const VECTOR = 1;
export const MASK = 2;

export const [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI] = [0, 1, 2, 3, 4, 5, 6, 7];
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, k) => from + k);

export interface Convention {
  /** Argument registers, in order. */
  readonly args: readonly number[];
  /** Registers by file, in the order to take them. */
  readonly order: readonly [general: readonly number[], vector: readonly number[], mask: readonly number[]];
  readonly savedGeneral: readonly number[];
  readonly savedVector: readonly number[];
  /** Where the arguments that find no register lie, from the stack pointer at entry. */
  readonly stackArgs: number;
}

const ownArgs = [RDI, RSI, RDX, RCX, 8, 9];
const anyOrder = [RAX, RCX, RDX, RSI, RDI, 8, 9, 10, 11, RBX, RBP, 14, 15, 12, 13];
const noSaves = { savedGeneral: [], savedVector: [], stackArgs: 8 };
const masks = range(1, 8);

const conventions = new Map<string, Convention>();

/** The convention that a kernel keeps to. */
export function conventionOf(entry: boolean, abi: Abi, avx512: boolean): Convention {
  const key = `${entry} ${abi} ${avx512}`;
  let convention = conventions.get(key);
  if (!convention) conventions.set(key, (convention = describe(entry, abi, avx512)));
  return convention;
}

function describe(entry: boolean, abi: Abi, avx512: boolean): Convention {
  const vectors = range(0, avx512 ? 32 : 16);
  if (!entry) return { args: ownArgs, order: [anyOrder, vectors, masks], ...noSaves };
  if (abi === 'sysv')
    return {
      args: ownArgs,
      order: [anyOrder, vectors, masks],
      savedGeneral: [RBX, RBP, 12, 13, 14, 15],
      savedVector: [],
      stackArgs: 8,
    };
  const saved = range(6, 16);
  return {
    args: [RCX, RDX, 8, 9],
    order: [
      [RAX, RCX, RDX, 8, 9, 10, 11, RBX, RSI, RDI, RBP, 14, 15, 12, 13],
      [...vectors.filter((v) => !saved.includes(v)), ...saved],
      masks,
    ],
    savedGeneral: [RBX, RSI, RDI, RBP, 12, 13, 14, 15],
    savedVector: saved,
    stackArgs: 40,
  };
}

/** A register and its slot, `offset` bytes above rsp. */
export interface Place {
  readonly file: number;
  readonly phys: number;
  readonly offset: number;
}

const slot = (offset: number): Operand => new Operand(RSP, offset);

export function save(e: Emitter, { file, phys, offset }: Place): void {
  if (file === GENERAL) e.asm.gpr(G.movStore, phys, slot(offset));
  else if (file === VECTOR) e.vec(V.vmovapsStore, phys, 0, slot(offset));
  else e.asm.vec(V.kmovqStore, 0, phys, 0, slot(offset));
}
export function restore(e: Emitter, { file, phys, offset }: Place): void {
  if (file === GENERAL) e.asm.gpr(G.mov, phys, slot(offset));
  else if (file === VECTOR) e.vec(V.vmovaps, phys, 0, slot(offset));
  else e.asm.vec(V.kmovq, 0, phys, 0, slot(offset));
}

/** What a kernel keeps on the stack. */
export interface Frame {
  readonly convention: Convention;
  readonly abi: Abi;
  readonly entry: boolean;
  /** Callee-saved registers that the kernel overwrites. */
  readonly pushes: readonly number[];
  readonly savedVectors: readonly { phys: number; offset: number }[];
  /** Bytes below the pushes. */
  readonly size: number;
  /** Above 16: rsp is rounded down to it and the old one kept at [rsp]. */
  readonly align: number;
}

/** Windows grows a stack by one page at a time, so a large frame must touch them in order. */
const WINDOWS_PAGE = 4096;

/** Where an argument goes: a register, or a slot where `phys` is -1. */
export interface ArgumentMove {
  readonly arg: number;
  readonly phys: number;
  readonly offset: number;
}
/** Registers that an argument must not be given: rax finds stack arguments, r11 carries them into slots. */
export const ARGUMENT_SCRATCH = (1 << RAX) | (1 << 11);

/** Opens the frame and brings the arguments into place. */
export function prologue(e: Emitter, frame: Frame, moves: readonly ArgumentMove[]): void {
  const { asm } = e;
  const { pushes, size, align } = frame;
  const { args, stackArgs } = frame.convention;
  for (const reg of pushes) asm.gpr(G.push, reg);
  const realigns = align > 16;
  const fromStack = moves.filter(({ arg }) => arg >= args.length);
  if (realigns || fromStack.length > 0) asm.move(RAX, RSP);
  if (frame.abi === 'win64')
    for (let at = WINDOWS_PAGE; at < size + align; at += WINDOWS_PAGE) asm.gpr(G.test, RSP, slot(-at));
  if (size > 0) asm.gpr(G.subImm, 0, RSP, size);
  if (realigns) {
    asm.gpr(G.andImm, 0, RSP, -align);
    asm.gpr(G.movStore, RAX, slot(0));
  }
  for (const { phys, offset } of frame.savedVectors) e.xmm(V.vmovapsStore, phys, 0, slot(offset));
  // What arrives in registers first: where it goes is no other argument's register.
  for (const { arg, phys, offset } of moves) {
    if (arg >= args.length) continue;
    if (phys >= 0) asm.move(phys, args[arg]);
    else asm.gpr(G.movStore, args[arg], slot(offset));
  }
  for (const { arg, phys, offset } of fromStack) {
    const from = new Operand(RAX, stackArgs + 8 * (pushes.length + arg - args.length));
    asm.gpr(G.mov, phys >= 0 ? phys : 11, from);
    if (phys < 0) asm.gpr(G.movStore, 11, slot(offset));
  }
}

/** Closes the frame and returns. */
export function epilogue(e: Emitter, frame: Frame): void {
  const { asm } = e;
  for (const { phys, offset } of frame.savedVectors) e.xmm(V.vmovaps, phys, 0, slot(offset));
  if (frame.align > 16) asm.gpr(G.mov, RSP, slot(0));
  else if (frame.size > 0) asm.gpr(G.addImm, 0, RSP, frame.size);
  for (const reg of [...frame.pushes].reverse()) asm.gpr(G.pop, reg);
  if (frame.entry) asm.plain('vzeroupper');
  asm.plain('ret');
}
