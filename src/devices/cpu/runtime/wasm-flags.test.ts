import { afterEach, expect, test, vi } from 'vitest';
import { isas, KernelBuilder, pairedWasm, relaxedWasm } from '../codegen/index.ts';
import { compileWasm, relaxedFusesMultiplyAdd, wasmSupport } from '../codegen/wasm/index.ts';
import { compileModule, wasmIsa } from './wasm-flags.ts';
import { pairsModule, provesPairs, tryModule } from './wasm-pairs.ts';

afterEach(() => vi.unstubAllGlobals());

test('the instruction set chosen is the one that the engine was seen to run', () => {
  const isa = wasmIsa();
  expect(wasmSupport()).toEqual({ simd: true, relaxedSimd: isa?.fma, threads: true });
  const relaxed = isa?.pairs ? pairedWasm : relaxedWasm;
  expect(isa).toBe(relaxedFusesMultiplyAdd() ? relaxed : isas.wasm);
  expect(wasmIsa()).toBe(isa);
});

test('a module compiled with the optimizing compiler runs, with and without V8 at hand', () => {
  const b = new KernelBuilder('answer', isas.wasm);
  b.return(b.integer('imul', b.param(), 6));
  const bytes = compileWasm([b.finish({ entry: true, returns: true })]);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
  const run = (): number => {
    const { exports } = new WebAssembly.Instance(compileModule(bytes), { env: { memory } });
    return (exports['k0'] as (x: number) => number)(7);
  };
  expect(run()).toBe(42);
  vi.stubGlobal('process', undefined);
  expect(run()).toBe(42);
});

test('flags are set for the compilation alone, even where it fails', () => {
  const seen: string[] = [];
  const setFlagsFromString = (flags: string): void => void seen.push(flags);
  vi.stubGlobal('process', { versions: { v8: '11' }, getBuiltinModule: () => ({ setFlagsFromString }) });
  expect(() => compileModule(new Uint8Array([1, 2, 3]), false)).toThrow(WebAssembly.CompileError);
  expect(seen).toEqual(['--no-liftoff', '--no-wasm-lazy-compilation', '--liftoff', '--wasm-lazy-compilation']);
  seen.length = 0;
  expect(() => compileModule(new Uint8Array([1, 2, 3]), true)).toThrow(WebAssembly.CompileError);
  expect(seen.filter((flag) => flag.includes('revectorize'))).toEqual(['--experimental-wasm-revectorize', '--no-experimental-wasm-revectorize']);
});

test.skipIf(!wasmIsa()?.fma)('the proof of pairing looks at many results, and refuses another one', () => {
  const modules = [0, 1].map((salt) => compileModule(pairsModule(salt), false));
  const [one, other] = modules.map((module) => tryModule(module).results);
  expect(other).toEqual(one);
  expect(new Set(one).size).toBeGreaterThan(200);
  const b = new KernelBuilder('other', isas.wasm);
  b.param();
  const nothing = compileModule(compileWasm([0, 1, 2].map(() => ({ ...b.finish({ entry: true }) }))), false);
  expect(provesPairs(modules[0], nothing)).toBe(false);
});

test('an engine without shared memories has no instruction set for kernels; one that only hides SharedArrayBuffer has', () => {
  vi.stubGlobal('SharedArrayBuffer', undefined);
  expect(wasmSupport().threads).toBe(true);
  const { validate } = WebAssembly;
  vi.stubGlobal('WebAssembly', { validate, Memory: class { buffer = new ArrayBuffer(0); } });
  expect(wasmSupport()).toMatchObject({ simd: true, threads: false });
  vi.stubGlobal('WebAssembly', undefined);
  expect(wasmSupport()).toEqual({ simd: false, relaxedSimd: false, threads: false });
});
