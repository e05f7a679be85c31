/**
 * Gets the best out of V8's WebAssembly where the process may change V8's flags (Node 20.16 and newer); elsewhere, browsers
 * included, everything here still works, with what the engine does by itself. Imports no Node module.
 *
 * Flags belong to the process, worker threads included. Measured on Node 20.20, 22, 24 and 26, changing them after other
 * WebAssembly was compiled is fine: V8 reads them at each compilation.
 */
import { isas, type Isa, pairedWasm, relaxedWasm } from '../codegen/index.ts';
import { relaxedFusesMultiplyAdd, wasmSupport } from '../codegen/wasm/index.ts';
import { pairsModule, provesPairs } from './wasm-pairs.ts';

interface V8 {
  setFlagsFromString(flags: string): void;
}

function v8(): V8 | undefined {
  const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown; versions?: { v8?: string } } };
  return host.process?.versions?.v8 ? (host.process.getBuiltinModule?.('node:v8') as V8 | undefined) : undefined;
}
function setFlags(flags: readonly string[]): void {
  const engine = v8();
  if (engine) for (const flag of flags) engine.setFlagsFromString(flag);
}

/**
 * Relaxed SIMD is behind a flag in Node 20 and on from 22; V8 prints a complaint about a flag it does not know, so this one
 * is set only where it is missed.
 */
const relaxedSimdFlags = ['--experimental-wasm-relaxed-simd'];

/** V8 14 (Node 26): pairs 128-bit operations into 256-bit ones. Known to be there, and seen to work, in this version alone. */
const pairing = { version: /^14\./, on: '--experimental-wasm-revectorize', off: '--no-experimental-wasm-revectorize' };

let chosen: Isa | undefined;
/**
 * The instruction set to compile WebAssembly kernels for: `relaxedWasm` where a test run shows that fma rounds once, and
 * `pairedWasm` where another shows that V8 pairs vectors rightly; else `isas.wasm`; undefined where the engine lacks SIMD or
 * shared memory.
 */
export function wasmIsa(): Isa | undefined {
  if (chosen) return chosen;
  if (!wasmSupport().relaxedSimd) setFlags(relaxedSimdFlags);
  const { simd, threads } = wasmSupport();
  if (!simd || !threads) return undefined;
  const relaxed = relaxedFusesMultiplyAdd();
  return (chosen = !relaxed ? isas.wasm : pairs() ? pairedWasm : relaxedWasm);
}

function pairs(): boolean {
  const host = globalThis as { process?: { versions?: { v8?: string } } };
  if (!v8() || !pairing.version.test(host.process?.versions?.v8 ?? '')) return false;
  return provesPairs(compileModule(pairsModule(0), false), compileModule(pairsModule(1), true));
}

/**
 * Compiles a module at once and with V8's optimizing compiler alone. By default V8 compiles a function when it is first
 * called, without optimization, and optimizes it only after some megabytes of work: a program of 60 gemm kernels ran at a
 * third of its speed for its first 30 to 100 runs. With these flags it runs at full speed from the first, for about 40 ms
 * of compilation. They are set for this compilation only, since they would delay the start of other WebAssembly.
 */
export function compileModule(bytes: Uint8Array<ArrayBuffer>, paired = chosen?.pairs === true): WebAssembly.Module {
  setFlags(['--no-liftoff', '--no-wasm-lazy-compilation', ...(paired ? [pairing.on] : [])]);
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    setFlags(['--liftoff', '--wasm-lazy-compilation', ...(paired ? [pairing.off] : [])]);
  }
}
