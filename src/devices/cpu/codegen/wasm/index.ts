/** The WebAssembly back end: kernels in, one binary module out. */
import type { KernelCode } from '../ir.ts';
import { lowerKernel } from './lower.ts';
import { TypeTable, writeModule } from './module.ts';

export { relaxedFusesMultiplyAdd, type WasmSupport, wasmSupport } from './support.ts';

export interface WasmOptions {
  /** Limits of the imported shared memory; the memory given must lie within them. 1 and 65536 accept any. */
  readonly minPages?: number;
  readonly maxPages?: number;
  /** Export every kernel, not only entries (for tests). */
  readonly exportAll?: boolean;
}

/**
 * One module for all kernels of a program. It imports the shared memory `env.memory`; kernel i is at table index i (what
 * `call` takes), and, where it is an entry, exported as `k<i>`.
 */
export function compileWasm(kernels: readonly KernelCode[], options: WasmOptions = {}): Uint8Array<ArrayBuffer> {
  const types = new TypeTable();
  const functions = kernels.map((kernel, index) =>
    lowerKernel(kernel, types, kernel.entry || options.exportAll ? `k${index}` : undefined),
  );
  return writeModule(types, { minPages: options.minPages ?? 1, maxPages: options.maxPages ?? 65536, shared: true }, functions);
}
