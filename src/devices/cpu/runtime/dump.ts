/** WHET_DUMP: writes what was generated into a folder, for people and disassemblers. */
import { type KernelCode, printKernel } from '../codegen/index.ts';
import type { Loaded } from './code.ts';
import { reasonOf, RuntimeError } from './errors.ts';
import { builtin } from './platform.ts';

/**
 * Writes `<folder>/<program>-<file>`: the whole program (program.wasm, or program.bin with its constants behind the code),
 * and for each kernel its listing and, of machine code, its own bytes. Throws RuntimeError if the folder cannot be written.
 */
export function dump(folder: string, code: Loaded, kernels: readonly KernelCode[]): void {
  const fs = builtin('node:fs');
  const path = builtin('node:path');
  if (!fs || !path) return;
  const write = (name: string, content: Uint8Array | string): void =>
    fs.writeFileSync(path.join(folder, `${String(code.id).padStart(3, '0')}-${name.replace(/[^\w.+-]+/g, '_')}`), content);
  try {
    fs.mkdirSync(folder, { recursive: true });
    write(code.functions ? 'program.bin' : 'program.wasm', code.image);
    kernels.forEach((kernel, index) => {
      write(`${index}-${kernel.name}.txt`, printKernel(kernel));
      if (code.functions) write(`${index}-${kernel.name}.bin`, code.functions[index]);
    });
  } catch (error) {
    throw new RuntimeError('WHET_DUMP', { expected: 'a folder that can be written', got: reasonOf(error) }, { cause: error });
  }
}
