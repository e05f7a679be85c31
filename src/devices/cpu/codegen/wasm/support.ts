/** What the running engine's WebAssembly offers, found by asking it to validate (and, for fma, to run) tiny kernels. */
import { KernelBuilder } from '../builder.ts';
import { isas, relaxedWasm } from '../isa.ts';
import type { KernelCode } from '../ir.ts';
import { lowerKernel } from './lower.ts';
import { TypeTable, writeModule } from './module.ts';

export interface WasmSupport {
  readonly simd: boolean;
  /** Relaxed multiply-add is accepted; whether it rounds once tells `relaxedFusesMultiplyAdd`. */
  readonly relaxedSimd: boolean;
  /** Shared memories and atomics. */
  readonly threads: boolean;
}

/** Stores a * b + c at its pointer: inputs chosen so that rounding once and twice differ (2^-24 against 0). */
function multiplyAddKernel(fma: boolean): KernelCode {
  const b = new KernelBuilder('multiplyAdd', fma ? relaxedWasm : isas.wasm);
  const at = b.param();
  const [x, y, z] = [0, 16, 32].map((offset) => b.load('f32', b.at(at, offset)));
  b.store('f32', b.at(at, 48), b.fma('f32', x!, y!, z!));
  return b.finish({ entry: true });
}
function moduleOf(kernel: KernelCode, shared: boolean): Uint8Array<ArrayBuffer> {
  const types = new TypeTable();
  return writeModule(types, { minPages: 1, maxPages: 1, shared }, [lowerKernel(kernel, types, 'k0')]);
}

export function wasmSupport(): WasmSupport {
  if (typeof WebAssembly === 'undefined') return { simd: false, relaxedSimd: false, threads: false };
  const atomics = new KernelBuilder('atomics', isas.wasm);
  atomics.atomicAdd(atomics.at(atomics.param()), 1);
  return {
    simd: WebAssembly.validate(moduleOf(multiplyAddKernel(false), false)),
    relaxedSimd: WebAssembly.validate(moduleOf(multiplyAddKernel(true), false)),
    threads: hasSharedMemory() && WebAssembly.validate(moduleOf(atomics.finish(), true)),
  };
}

/** A page that may not share memory with its workers (and has no SharedArrayBuffer) still has shared wasm memories of its own. */
function hasSharedMemory(): boolean {
  try {
    return new WebAssembly.Memory({ initial: 0, maximum: 0, shared: true }).buffer.constructor !== ArrayBuffer;
  } catch {
    return false;
  }
}

/** Runs a relaxed multiply-add and says whether it rounded once: the choice between `relaxedWasm` and `isas.wasm`. */
export function relaxedFusesMultiplyAdd(): boolean {
  const { simd, relaxedSimd } = wasmSupport();
  if (!simd || !relaxedSimd) return false;
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const module = new WebAssembly.Module(moduleOf(multiplyAddKernel(true), false));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const floats = new Float32Array(memory.buffer);
  // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24; in f32 the product alone rounds to 1 + 2^-11
  floats.fill(1 + 2 ** -12, 0, 8).fill(-(1 + 2 ** -11), 8, 12);
  (exports['k0'] as (at: number) => void)(0);
  return floats.subarray(12, 16).every((value) => value === 2 ** -24);
}
