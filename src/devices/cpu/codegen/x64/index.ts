/** The x64 back end: kernels in, position-independent machine code for AVX-512 or AVX2 out. */
import type { KernelCode } from '../ir.ts';
import { compileKernel } from './compile.ts';
import { Assembler } from './encode.ts';
import type { Abi } from './frame.ts';

export { cpuidCode } from './cpuid.ts';
export type { Abi } from './frame.ts';

export interface X64Code {
  /** Code and constants; may be placed at any 64-byte aligned address. */
  readonly code: Uint8Array;
  /** Where each kernel starts in `code`, a multiple of 64. */
  readonly entries: number[];
  /** Code bytes of each kernel. */
  readonly sizes: number[];
  /** How many virtual registers of each kernel live on the stack. */
  readonly spills: number[];
}

/** Compiles kernels into one block of code. Throws on an operation or element type that the kernel language does not have. */
export function compileX64(kernels: readonly KernelCode[], options: { abi: Abi }): X64Code {
  const asm = new Assembler();
  const [entries, sizes, spills]: number[][] = [[], [], []];
  for (const kernel of kernels) {
    asm.align(64);
    const start = asm.size;
    entries.push(start);
    spills.push(compileKernel(asm, kernel, options.abi));
    sizes.push(asm.size - start);
  }
  return { code: asm.finish(), entries, sizes, spills };
}
