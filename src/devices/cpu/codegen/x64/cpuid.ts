/** Machine code that asks the processor about itself; called through the platform's C convention. */
import { Assembler, Operand } from './encode.ts';
import { G } from './encode-table.ts';
import { type Abi, RAX, RBX, RCX, RDI, RDX, RSI } from './frame.ts';

export interface CpuidCode {
  readonly code: Uint8Array;
  /** cpuid(leaf, subleaf, out): stores eax, ebx, ecx, edx as four 32-bit words. */
  readonly cpuid: number;
  /** xgetbv(out): stores eax, edx of XCR0 as two 32-bit words. */
  readonly xgetbv: number;
}

export function cpuidCode(abi: Abi): CpuidCode {
  const asm = new Assembler();
  const [first, second, third] = abi === 'sysv' ? [RDI, RSI, RDX] : [RCX, RDX, 8];
  const cpuid = asm.size;
  asm.gpr(G.push, RBX); // callee-saved, and cpuid overwrites it
  asm.move(9, third);
  asm.move(RAX, first);
  asm.move(RCX, second);
  asm.plain('cpuid');
  [RAX, RBX, RCX, RDX].forEach((reg, k) => asm.gpr(G.mov32Store, reg, new Operand(9, 4 * k)));
  asm.gpr(G.pop, RBX);
  asm.plain('ret');

  asm.align(64);
  const xgetbv = asm.size;
  asm.move(9, first);
  asm.constant(RCX, 0);
  asm.plain('xgetbv');
  [RAX, RDX].forEach((reg, k) => asm.gpr(G.mov32Store, reg, new Operand(9, 4 * k)));
  asm.plain('ret');
  return { code: asm.finish(), cpuid, xgetbv };
}
