/** Both C conventions: a hand-written caller checks that arguments arrive and that what a callee must keep is kept. */
import { describe, expect, test } from 'vitest';
import { loadNative, type Native } from '../../runtime/native.ts';
import type { KernelCode } from '../ir.ts';
import { Assembler, Operand } from './encode.ts';
import { G, V } from './encode-table.ts';
import { type Abi, conventionOf, RAX, RCX, RDI, RDX, RSI, RSP } from './frame.ts';
import { compileX64 } from './index.ts';
import { alignedCopy, builderFor, missing, type X64Isa, x64Isas } from './testing.ts';

const ARGUMENTS = 7;
/** Where the caller notes the registers after the call. */
const GENERAL_AT = 1024;
const VECTOR_AT = 2048;
const general = (reg: number): number => 0x1111_0000 + reg;

/**
 * Code for caller(memory, target) in this system's convention, which calls target(memory, 1, 2, ...) in `abi`'s, with every
 * register that the callee must keep set to a value of its own, and notes what they hold afterwards.
 */
function caller(abi: Abi, native: Abi): Uint8Array {
  const asm = new Assembler();
  const { args, stackArgs, savedGeneral, savedVector } = conventionOf(true, abi, false);
  const keep = conventionOf(true, native, false).savedGeneral;
  const [memory, target] = native === 'sysv' ? [RDI, RSI] : [RCX, RDX];
  for (const reg of keep) asm.gpr(G.push, reg);
  asm.gpr(G.push, memory);
  const frame = 256 + (keep.length % 2 === 0 ? 0 : 8); // return address, pushes and frame: a multiple of 16
  asm.gpr(G.subImm, 0, RSP, frame);
  asm.move(RAX, target);
  asm.move(10, memory);
  for (let k = args.length; k < ARGUMENTS; k++) {
    asm.constant(11, k);
    asm.gpr(G.movStore, 11, new Operand(RSP, stackArgs - 8 + 8 * (k - args.length)));
  }
  for (const reg of savedGeneral) asm.constant(reg, general(reg));
  for (const reg of savedVector) asm.vec(V.vbroadcastss, 0, reg, 0, Operand.constant(asm.pool.splat('i32', reg, 4), false));
  args.forEach((reg, k) => (k === 0 ? asm.move(reg, 10) : asm.constant(reg, k)));
  asm.gpr(G.callReg, 0, RAX);
  asm.gpr(G.mov, 10, new Operand(RSP, frame)); // memory
  for (const reg of savedGeneral) asm.gpr(G.movStore, reg, new Operand(10, GENERAL_AT + 8 * reg));
  for (const reg of savedVector) asm.vec(V.vmovupsStore, 0, reg, 0, new Operand(10, VECTOR_AT + 16 * reg));
  asm.gpr(G.addImm, 0, RSP, frame + 8);
  for (const reg of [...keep].reverse()) asm.gpr(G.pop, reg);
  asm.plain('ret');
  return asm.finish();
}

/** Sums its arguments, each times its number, under such pressure that all registers are used. */
function callee(isa: X64Isa, calls: boolean, crowd: number): KernelCode {
  const b = builderFor(isa, 'callee');
  const args = Array.from({ length: ARGUMENTS }, () => b.param());
  const [memory] = args;
  const ints = Array.from({ length: crowd }, (_, k) => b.iload('int', b.at(memory, 8 * k), 8));
  const vecs = Array.from({ length: 2 * crowd }, (_, k) => b.load('f32', b.at(memory, 64 + 4 * k)));
  if (calls) b.if(b.icompare('eq', memory, 0), () => b.call(memory, memory, memory)); // never happens
  const sum = b.int(0);
  for (let k = 1; k < ARGUMENTS; k++) b.integer('iadd', sum, b.integer('imul', args[k], k), sum);
  for (const reg of ints) b.integer('iadd', sum, reg, sum);
  b.store('f32', b.at(memory, 512), vecs.reduce((x, y) => b.add('f32', x, y), b.splat('f32', 0)));
  b.return(sum);
  return b.finish({ entry: true, returns: true });
}

describe.each(x64Isas)('%s', (isa) => {
  for (const abi of ['sysv', 'win64'] as const)
    for (const crowd of [0, 6, 12, 20])
      for (const calls of [false, true])
        test.skipIf(missing(isa))(`${abi}, ${crowd} more integers and ${2 * crowd} vectors${calls ? ', calls' : ''}`, () => {
          const native = loadNative() as Native;
          const kernel = callee(isa, calls, crowd);
          const target = native.placeCode(compileX64([kernel], { abi }).code);
          const from = native.placeCode(caller(abi, native.abi));
          const memory = alignedCopy(new Uint8Array(4096).fill(1, 0, 512));
          const result = native.callable(from.address, 2)(native.addressOf(memory), target.address);
          expect(Number(result)).toBe([1, 2, 3, 4, 5, 6].reduce((sum, k) => sum + k * k, 0) + crowd);
          const view = new DataView(memory.buffer, memory.byteOffset);
          const { savedGeneral, savedVector } = conventionOf(true, abi, false);
          for (const reg of savedGeneral) expect(view.getBigInt64(GENERAL_AT + 8 * reg, true)).toBe(BigInt(general(reg)));
          for (const reg of savedVector)
            for (let l = 0; l < 4; l++) expect(view.getInt32(VECTOR_AT + 16 * reg + 4 * l, true)).toBe(reg);
          target.free();
          from.free();
        });
});
