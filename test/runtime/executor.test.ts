/** Programs on all threads: every step complete before the next, every task once, errors instead of hangs. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { getRuntime, type Runtime, RuntimeError, type StepSpec, surveyIsas, view } from '../../src/devices/cpu/runtime/index.ts';
import { countKernel, mix, mixKernel, trapKernel } from './kernels.ts';

const label = { op: 'test' };
const usable = surveyIsas().filter(({ usable }) => usable).map(({ isa }) => isa);
const seed = (count: number): Int32Array<ArrayBuffer> => Int32Array.from({ length: count }, (_, i) => i * i + 1);

interface StepShape {
  tasks: number;
  shift: number;
  serial: boolean;
}

/** A program in which each step mixes all that the step before wrote; two buffers take turns. */
function mixProgram(runtime: Runtime, shapes: readonly StepShape[]) {
  const code = runtime.load(shapes.map(({ tasks, shift }) => mixKernel(runtime.isa, tasks, shift)));
  const size = Math.max(1, ...shapes.map(({ tasks }) => tasks));
  const steps = shapes.map(
    ({ tasks, serial }, i): StepSpec => ({
      kernel: i,
      tasks,
      serial,
      args: [{ arena: (1 - (i & 1)) * size * 4 }, { arena: (i & 1) * size * 4 }],
      label,
    }),
  );
  const execution = runtime.createExecution(code, steps, 2 * size * 4);
  const both = view(execution.arena, Int32Array);
  const reset = (): void => {
    both.fill(0);
    both.set(seed(size));
  };
  const expected = new Int32Array(2 * size);
  expected.set(seed(size));
  shapes.forEach(({ tasks, shift }, i) => {
    const from = (i & 1) * size;
    expected.set(mix(expected.slice(from, from + size), tasks, shift), (1 - (i & 1)) * size);
  });
  return { execution, both, reset, expected, dispose: () => (execution.dispose(), code.dispose()) };
}

const shape = fc.record({
  tasks: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 300 })),
  shift: fc.nat({ max: 100 }),
  serial: fc.boolean(),
});

describe.each(usable)('on %s', (isa) => {
  const runtime = getRuntime(isa);

  test('random programs give the same on 1 to 4 threads, synchronously and not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(shape, { minLength: 1, maxLength: 30 }), async (shapes) => {
        const { execution, both, reset, expected, dispose } = mixProgram(runtime, shapes);
        for (const threads of [1, 2, 3, 4]) {
          for (const run of [() => execution.run(threads), () => execution.runAsync(threads)]) {
            reset();
            await run();
            expect(both).toEqual(expected);
          }
        }
        dispose();
      }),
      { numRuns: 25 },
    );
  });

  test('thousands of runs of one program', async () => {
    const shapes = [7, 1, 64, 2, 2, 1, 1, 33, 128, 3].map((tasks, i) => ({ tasks, shift: i, serial: i === 3 }));
    const { execution, both, reset, expected } = mixProgram(runtime, shapes);
    for (let run = 0; run < 2500; run++) {
      reset();
      execution.run(1 + (run % 2));
      if (!both.every((x, i) => x === expected[i])) expect(both, `run ${run}`).toEqual(expected);
    }
    for (let run = 0; run < 200; run++) {
      reset();
      if (run % 3 === 0) execution.run(3);
      else await execution.runAsync(1 + (run % 4));
      if (!both.every((x, i) => x === expected[i])) expect(both, `run ${run}`).toEqual(expected);
    }
  });

  test('asynchronous runs of many programs at once, mixed with synchronous ones', async () => {
    const programs = Array.from({ length: 6 }, (_, p) =>
      mixProgram(runtime, Array.from({ length: 20 }, (_, i) => ({ tasks: 1 + ((i * 13 + p * 5) % 50), shift: i + p, serial: i % 4 === p % 4 }))),
    );
    for (let round = 0; round < 30; round++) {
      for (const { reset } of programs) reset();
      const runs = programs.slice(1).map(({ execution }, p) => execution.runAsync(1 + ((round + p) % 3)));
      programs[0].execution.run(2);
      await Promise.all(runs);
      for (const { both, expected } of programs) expect(both).toEqual(expected);
    }
  });

  test('runs of one execution follow each other, a synchronous one after those asked for before', async () => {
    const code = runtime.load([countKernel(runtime.isa)]);
    const counter = runtime.allocate(4);
    const step: StepSpec = { kernel: 0, tasks: 50, serial: true, args: [{ block: counter, offset: 0 }], label };
    const execution = runtime.createExecution(code, Array(20).fill(step), 0);
    const value = view(counter, Int32Array);
    const runs = [execution.runAsync(2), execution.runAsync(1), execution.runAsync(3)];
    execution.run(2);
    expect(value[0]).toBe(4000);
    expect(() => execution.bind('x', counter)).toThrow(RuntimeError);
    await Promise.all(runs);
    expect(value[0]).toBe(4000);
  });

  test('what has run may be disposed of at once', () => {
    for (let i = 0; i < 300; i++) {
      const { execution, both, reset, expected, dispose } = mixProgram(runtime, [{ tasks: 2, shift: i, serial: false }]);
      reset();
      execution.run(2);
      expect(both).toEqual(expected);
      dispose();
    }
  });

  test('slots are bound before a run, checked, and may be bound again', () => {
    const code = runtime.load([mixKernel(runtime.isa, 16, 3)]);
    const steps: StepSpec[] = [{ kernel: 0, tasks: 16, args: [{ slot: 'out', offset: 64 }, { slot: 'in', offset: 0 }], label }];
    const execution = runtime.createExecution(code, steps, 0);
    expect(() => execution.run()).toThrow(/expected all slots bound, got nothing bound to out, in/);
    const [out, input, other] = [256, 64, 128].map((bytes) => runtime.allocate(bytes));
    expect(() => execution.bind('output', out)).toThrow(/a slot among out, in, got output/);
    expect(() => execution.bind('out', input, 4)).toThrow(/within its block of 64 bytes/);
    execution.bind('out', out, 128);
    execution.bind('in', input);
    view(input, Int32Array).set(seed(16));
    execution.run(2);
    expect(view(out, Int32Array, 192, 16)).toEqual(mix(seed(16), 16, 3));
    view(other, Int32Array, 64).set(seed(16).map((x) => x + 7));
    execution.bind('in', other, 64);
    execution.run(1);
    expect(view(out, Int32Array, 192, 16)).toEqual(mix(seed(16).map((x) => x + 7), 16, 3));
    runtime.free(other);
    expect(() => execution.bind('in', other)).toThrow(/freed/);
  });

  test('steps that do not fit are refused', () => {
    const code = runtime.load([mixKernel(runtime.isa, 16, 3)]);
    const block = runtime.allocate(64);
    const refuse = (step: Partial<StepSpec>, message: RegExp): void =>
      expect(() => runtime.createExecution(code, [{ kernel: 0, tasks: 1, args: [], label, ...step }], 128)).toThrow(message);
    refuse({ kernel: 1 }, /step 0 \(test\): expected a kernel below 1, got 1/);
    refuse({ tasks: -1 }, /tasks, got -1/);
    refuse({ tasks: 2.5 }, /tasks, got 2.5/);
    refuse({ tasks: 2 ** 31 }, /tasks/);
    refuse({ args: [{ arena: 129 }] }, /within the arena of 128 bytes, got 129/);
    refuse({ args: [{ block, offset: 65 }] }, /within its block of 64 bytes/);
    runtime.free(block);
    refuse({ args: [{ block, offset: 0 }] }, /freed/);
    const execution = runtime.createExecution(code, [], 0);
    execution.run(2);
    for (const threads of [0, 1.5, 1000, NaN]) expect(() => execution.run(threads)).toThrow(/1 to 256 threads/);
    code.dispose();
    expect(() => runtime.createExecution(code, [], 0)).toThrow(/disposed/);
    execution.dispose();
    expect(() => execution.run()).toThrow(/disposed/);
  });

  test('profiling records every step', async () => {
    const shapes = [40, 1, 8, 8].map((tasks, i) => ({ tasks, shift: i, serial: i === 2 }));
    const { execution, both, reset, expected } = mixProgram(runtime, shapes);
    execution.profile(true);
    for (const run of [() => execution.run(2), () => execution.runAsync(2)]) {
      reset();
      await run();
      expect(both).toEqual(expected);
      expect(execution.records.map(({ step, tasks, threads, op }) => [step, tasks, threads, op])).toEqual([
        [0, 40, 2, 'test'],
        [1, 1, 1, 'test'],
        [2, 8, 1, 'test'],
        [3, 8, 2, 'test'],
      ]);
      expect(execution.records.every(({ milliseconds }) => milliseconds >= 0 && milliseconds < 1000)).toBe(true);
    }
    execution.profile(false);
    reset();
    execution.run(2);
    expect(both).toEqual(expected);
  });

  test.runIf(isa === 'wasm')('a kernel that traps is an error on every thread, and the threads go on', async () => {
    const code = runtime.load([trapKernel(runtime.isa), mixKernel(runtime.isa, 8, 1)]);
    const step: StepSpec = { kernel: 0, tasks: 8, args: [], label };
    const execution = runtime.createExecution(code, [step, step, step], 0);
    for (const threads of [1, 2, 3]) {
      expect(() => execution.run(threads)).toThrow(/kernel failed.*out of bounds/);
      await expect(execution.runAsync(threads)).rejects.toThrow(/kernel failed.*out of bounds/);
    }
    const { execution: sound, both, reset, expected } = mixProgram(runtime, [{ tasks: 30, shift: 1, serial: false }]);
    reset();
    sound.run(3);
    expect(both).toEqual(expected);
  });

  test('the event loop turns while an asynchronous run is under way', async () => {
    const { execution } = mixProgram(runtime, Array.from({ length: 200 }, (_, i) => ({ tasks: 200, shift: i, serial: false })));
    let turns = 0;
    let going = true;
    const turn = (): void => {
      turns++;
      if (going) setImmediate(turn);
    };
    turn();
    for (let i = 0; i < 20; i++) await execution.runAsync(2);
    going = false;
    expect(turns).toBeGreaterThan(20);
  });
});
