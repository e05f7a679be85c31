/** Loads kernels: compiles them together with the executor, links the executor for this thread, says where each kernel is. */
import type { Isa, KernelCode } from '../codegen/index.ts';
import { compileWasm } from '../codegen/wasm/index.ts';
import { compileX64 } from '../codegen/x64/index.ts';
import { parallelExecutor, serialExecutor } from './executor.ts';
import type { CodePayload } from './mailbox.ts';
import type { Native } from './native.ts';
import type { PoolCode } from './pool.ts';
import { compileModule } from './wasm-flags.ts';

/** Code that can run: for the pool, and for executions to point at. */
export interface Loaded extends PoolCode {
  /** By kernel: its address (x64) or table index (wasm). */
  readonly entries: readonly bigint[];
  /** What was generated: the wasm module, or machine code and constants. */
  readonly image: Uint8Array;
  /** By kernel, its part of the machine code (x64). */
  readonly functions?: readonly Uint8Array[];
  /** Gives executable memory back. */
  free(): void;
}

export type Loader = (kernels: readonly KernelCode[], id: number) => Loaded;

/** Kernels for one program and, after them, the two ways to walk it. */
const withExecutor = (kernels: readonly KernelCode[], isa: Isa): KernelCode[] => [...kernels, serialExecutor(isa), parallelExecutor(isa)];

export function wasmLoader(isa: Isa, memory: WebAssembly.Memory): Loader {
  return (kernels, id) => {
    const bytes = compileWasm(withExecutor(kernels, isa));
    const module = compileModule(bytes);
    const serial = `k${kernels.length}`;
    const parallel = `k${kernels.length + 1}`;
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    const payload: CodePayload = { kind: 'wasm', module, memory, serial, parallel };
    return {
      id,
      payload,
      serial: exports[serial] as Loaded['serial'],
      parallel: exports[parallel] as Loaded['parallel'],
      entries: kernels.map((_, index) => BigInt(index)),
      image: bytes,
      free: () => {},
    };
  };
}

export function nativeLoader(isa: Isa, native: Native): Loader {
  return (kernels, id) => {
    const { code, entries, sizes } = compileX64(withExecutor(kernels, isa), { abi: native.abi });
    const placed = native.placeCode(code);
    const addresses = entries.map((entry) => placed.address + BigInt(entry));
    const serial = addresses[kernels.length];
    const parallel = addresses[kernels.length + 1];
    return {
      id,
      payload: { kind: 'native', serial, parallel },
      serial: native.callable(serial, 1) as Loaded['serial'],
      parallel: native.callable(parallel, 3) as Loaded['parallel'],
      entries: addresses,
      image: code,
      functions: kernels.map((_, index) => code.subarray(entries[index], entries[index] + sizes[index])),
      free: () => placed.free(),
    };
  };
}
