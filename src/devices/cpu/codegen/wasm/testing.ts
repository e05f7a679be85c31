/** For tests: runs kernels as WebAssembly in one small shared memory. */
import { wasmIsa } from '../../runtime/wasm-flags.ts';
import { type Isa, isas } from '../isa.ts';
import type { Elem, KernelCode } from '../ir.ts';
import { compileWasm } from './index.ts';

/** The instruction sets that this engine can run: with one rounding in fma, where it can, and without. */
export const runnable: readonly Isa[] = wasmIsa()?.fma ? [isas.wasm, wasmIsa()!] : [isas.wasm];

export const memoryBytes = 65536;

export interface Machine {
  readonly memory: SharedArrayBuffer;
  readonly call: (kernel: number, ...args: number[]) => number | undefined;
}

export function machine(kernels: readonly KernelCode[]): Machine {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const module = new WebAssembly.Module(compileWasm(kernels, { exportAll: true }));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return {
    memory: memory.buffer as unknown as SharedArrayBuffer,
    call: (kernel, ...args) => (exports[`k${kernel}`] as (...args: number[]) => number | undefined)(...args),
  };
}

export type Lane = number | bigint;
type LaneArray = Lane[] & { readonly buffer: ArrayBufferLike };

const arrays = { f32: Float32Array, f64: Float64Array, i32: Int32Array, i64: BigInt64Array };
/** The elements at `byteOffset`, as a typed array that takes and gives lanes. */
export function lanesAt(elem: Elem, buffer: ArrayBufferLike, byteOffset = 0, length?: number): LaneArray {
  const Type = arrays[elem] as unknown as new (buffer: ArrayBufferLike, byteOffset: number, length?: number) => LaneArray;
  return new Type(buffer, byteOffset, length);
}
/** The value as a lane of that type: rounded or wrapped. */
export function asLane(elem: Elem, value: Lane): Lane {
  const one = lanesAt(elem, new ArrayBuffer(8), 0, 1);
  one[0] = value;
  return one[0]!;
}
