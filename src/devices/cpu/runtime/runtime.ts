/** The CPU as a device that runs generated code: memory, loading, executions. One for each instruction set and JavaScript thread. */
import type { Isa, IsaName, KernelCode } from '../codegen/index.ts';
import { chooseIsa } from './choose.ts';
import { type Loader, type Loaded, nativeLoader, wasmLoader } from './code.ts';
import { countCores } from './cores.ts';
import { dump } from './dump.ts';
import { readEnvironment } from './environment.ts';
import { RuntimeError } from './errors.ts';
import { type Execution, makeExecution } from './execution.ts';
import { type Block, type Memory, nativeMemory, type TypedArray, type TypedArrayType, wasmMemory } from './memory.ts';
import { loadNative } from './native.ts';
import { Pool } from './pool.ts';
import { checkKernels, checkSteps, type StepSpec } from './program.ts';

/** Kernels that were loaded. Their code lives as long as this object, or an execution of it, or until it is disposed of. */
export interface Code {
  readonly kernels: readonly KernelCode[];
  /** Bytes of machine code or of the wasm module. */
  readonly bytes: number;
  /** No more executions of it: frees it now where none is left, else when they are collected. */
  dispose(): void;
}

export interface Runtime {
  readonly isa: Isa;
  /** Threads of a run that does not say. */
  readonly threads: number;
  /** Zeroed memory, aligned to 64 bytes. Throws RuntimeError when there is none left. */
  allocate(bytes: number): Block;
  /** A block with these values, without a copy where that can be; they must stay as they are while it is in use. */
  wrap(values: ArrayBufferView): Block;
  /** The block that these values lie in, where generated code reads and writes them as they are; else undefined. */
  reach(values: ArrayBufferView): Block | undefined;
  /** An array within reach of generated code, of zeros; its memory is given back with the last view of it. */
  resident<T extends TypedArray>(Type: TypedArrayType<T>, length: number): T;
  /** Memory for results that belong to the caller, which generated code writes fast once it is wrapped. */
  array(bytes: number): { readonly buffer: ArrayBuffer; readonly byteOffset: number };
  /** Frees a block now rather than when it is collected; nothing may use it after. */
  free(block: Block): void;
  /** Compiles kernels (kernel(args, task), not entries) and makes them callable. */
  load(kernels: readonly KernelCode[]): Code;
  /** A program ready to run, with an arena of its own; no run has more than `threads`, where given. Throws RuntimeError on steps that do not fit the code or the memory. */
  createExecution(code: Code, steps: readonly StepSpec[], arenaBytes: number, threads?: number): Execution;
  /** Starts the threads of a later run now, without waiting for them: they start while a program is compiled. */
  startThreads(threads?: number): void;
}

/** All of them share the threads. */
let pool: Pool | undefined;
let codesLoaded = 0;
const runtimes = new Map<IsaName, Runtime>();

/**
 * The runtime for an instruction set: the one named, else WHET_ISA, else the best that this process can run (avx512, avx2,
 * wasm). The same object each time. Throws RuntimeError, with the reason, where it cannot run.
 */
export function getRuntime(name?: IsaName): Runtime {
  const environment = readEnvironment();
  const wanted = name ?? environment.isa;
  const known = wanted && runtimes.get(wanted);
  if (known) return known;
  const isa = chooseIsa(wanted, environment);
  let runtime = runtimes.get(isa.name);
  if (!runtime) {
    pool ??= new Pool(environment.threads ?? countCores().usable);
    runtime = isa.name === 'wasm' ? makeWasmRuntime(isa, pool) : makeNativeRuntime(isa, pool);
    runtimes.set(isa.name, runtime);
  }
  return runtime;
}

function makeWasmRuntime(isa: Isa, threads: Pool): Runtime {
  const memory = wasmMemory();
  return makeRuntime(isa, memory, wasmLoader(isa, memory.wasm!), threads);
}

function makeNativeRuntime(isa: Isa, threads: Pool): Runtime {
  const native = loadNative();
  if ('unavailable' in native) throw new RuntimeError(`instruction set ${isa.name}`, { got: native.unavailable });
  return makeRuntime(isa, nativeMemory(native.addressOf, native.preferLargePages), nativeLoader(isa, native), threads);
}

interface CodeState {
  readonly loaded: Loaded;
  executions: number;
}

export function makeRuntime(isa: Isa, memory: Memory, load: Loader, pool: Pool): Runtime {
  const states = new WeakMap<Code, CodeState>();
  const release = (loaded: Loaded): void => {
    if (pool.drop(loaded.id)) loaded.free();
  };
  const collected = new FinalizationRegistry(release);

  return {
    isa,
    threads: pool.size,
    allocate: (bytes) => memory.allocate(bytes),
    wrap: (values) => memory.wrap(values),
    reach: (values) => memory.reach(values),
    resident: (Type, length) => memory.resident(Type, length),
    array: (bytes) => memory.array(bytes),
    free: (block) => memory.free(block),
    startThreads: (count = pool.size) => {
      // The calling thread is one of them.
      if (count > 1) pool.start(count - 1);
    },
    load(kernels) {
      checkKernels(kernels, isa.name);
      const loaded = load(kernels, codesLoaded++);
      const folder = readEnvironment().dump;
      if (folder !== undefined) dump(folder, loaded, kernels);
      const code: Code = {
        kernels,
        bytes: loaded.image.length,
        dispose() {
          const state = states.get(code);
          states.delete(code);
          // Else it is freed with the last execution, which holds this object.
          if (state?.executions === 0 && collected.unregister(code)) release(loaded);
        },
      };
      states.set(code, { loaded, executions: 0 });
      collected.register(code, loaded, code);
      return code;
    },
    createExecution(code, steps, arenaBytes, threads) {
      const state = states.get(code);
      if (!state) throw new RuntimeError('createExecution', { expected: 'code of this runtime', got: 'code that was disposed of, or of another' });
      checkSteps(steps, code.kernels.length, arenaBytes, memory.isLive, threads);
      const arena = memory.allocate(arenaBytes);
      // The execution holds the code object, whose collection frees the code.
      const verbose = readEnvironment().verbose;
      const onDispose = (): void => void state.executions--;
      const execution = makeExecution({ isa: isa.name, owner: code, code: state.loaded, steps, arena, memory, pool, mostThreads: threads, verbose, onDispose });
      state.executions++;
      return execution;
    },
  };
}
