/** Nobody has to dispose of anything: what is dropped gives its memory and its code back. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { Isa } from '../../src/devices/cpu/codegen/index.ts';
import { type Loader, nativeLoader, wasmLoader } from '../../src/devices/cpu/runtime/code.ts';
import { nativeMemory, wasmMemory } from '../../src/devices/cpu/runtime/memory.ts';
import { loadNative } from '../../src/devices/cpu/runtime/native.ts';
import { Pool } from '../../src/devices/cpu/runtime/pool.ts';
import { makeRuntime } from '../../src/devices/cpu/runtime/runtime.ts';
import { type Code, type Execution, getRuntime, type Runtime, surveyIsas, view } from '../../src/devices/cpu/runtime/index.ts';
import { busyKernel } from './kernels.ts';

const usable = surveyIsas().filter(({ usable }) => usable).map(({ isa }) => isa);
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const megabytes = 32;

function runOnce(runtime: Runtime, arenaBytes: number) {
  const code = runtime.load([busyKernel(runtime.isa, 3)]);
  const execution = runtime.createExecution(code, [{ kernel: 0, tasks: 4, args: [{ arena: 0 }], label: { op: 'busy' } }], arenaBytes);
  view(execution.arena, Uint8Array).fill(1);
  execution.run(2);
  return { code, execution };
}

/** In functions of their own: the last one in a variable would be kept. */
function runAll(all: readonly { readonly execution: Execution }[]): void {
  for (const { execution } of all) execution.run(2);
}
function disposeAll(all: readonly { readonly code: Code }[]): void {
  for (const { code } of all) code.dispose();
}

/** A runtime of its own that says when code is loaded (1) and freed (-1). */
function countingRuntime(isa: Isa, count: (by: number) => void): Runtime {
  const native = loadNative();
  const memory = isa.name === 'wasm' || 'unavailable' in native ? wasmMemory() : nativeMemory(native.addressOf);
  const load = memory.wasm || 'unavailable' in native ? wasmLoader(isa, memory.wasm!) : nativeLoader(isa, native);
  const counting: Loader = (kernels, id) => {
    const loaded = load(kernels, id);
    count(1);
    return { ...loaded, free: () => (count(-1), loaded.free()) };
  };
  return makeRuntime(isa, memory, counting, new Pool(2));
}

describe.each(usable)('on %s', (isa) => {
  const runtime = getRuntime(isa);

  test.each(['dropped', 'disposed of'])('memory stays flat when executions are %s', async (how) => {
    const before = process.memoryUsage().rss;
    let peak = before;
    for (let i = 0; i < 50; i++) {
      const { code, execution } = runOnce(runtime, megabytes << 20);
      if (how === 'disposed of') {
        execution.dispose();
        code.dispose();
      }
      await turn();
      peak = Math.max(peak, process.memoryUsage().rss);
    }
    // Of 50 * 32 MB.
    expect((peak - before) / 2 ** 20).toBeLessThan(20 * megabytes);
  });

  test('code is freed when dropped or disposed of, not while an execution uses it', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const collect = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        gc();
        await turn();
      }
    };
    let loaded = 0;
    const counted = countingRuntime(runtime.isa, (by) => (loaded += by));
    let kept = Array.from({ length: 20 }, () => runOnce(counted, 64));
    disposeAll(kept);
    await collect();
    expect(loaded).toBe(20);
    runAll(kept);
    kept = kept.slice(0, 5);
    await collect();
    expect(loaded).toBe(5);
    runAll(kept);
    const { code, execution } = runOnce(counted, 64);
    expect(loaded).toBe(6);
    execution.dispose();
    code.dispose();
    expect(loaded).toBe(5);
  });
});
