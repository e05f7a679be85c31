/** WHET_DUMP: writes what was generated into a folder, for people and disassemblers. */
import type { KernelCode } from '../codegen/index.ts';
import type { Loaded } from './code.ts';
import { RuntimeError, reasonOf } from './errors.ts';
import { builtin } from './platform.ts';

/** Writes `<folder>/<id>-<name>` for each image and each kernel's listing. Throws RuntimeError if the folder cannot be written. */
/** One instruction a line. */
const print = (kernel: KernelCode): string => kernel.body.map((inst) => JSON.stringify(inst)).join('\n');

export function dump(folder: string, code: Loaded, kernels: readonly KernelCode[]): void {
  const fs = builtin('node:fs');
  const path = builtin('node:path');
  if (!fs || !path) return;
  const write = (name: string, content: Uint8Array | string): void =>
    fs.writeFileSync(path.join(folder, `${String(code.id).padStart(3, '0')}-${name.replace(/[^\w.+-]+/g, '_')}`), content);
  try {
    fs.mkdirSync(folder, { recursive: true });
    for (const { name, bytes } of code.images) write(name, bytes);
    kernels.forEach((kernel, index) => write(`${index}-${kernel.name}.txt`, print(kernel)));
  } catch (error) {
    throw new RuntimeError('WHET_DUMP', { expected: 'a folder that can be written', got: reasonOf(error) }, { cause: error });
  }
}
