/** One instance of a program that can run: its steps written out in shared memory, its own arena, its bindings. */
import type { IsaName } from '../codegen/index.ts';
import { maxThreads } from './environment.ts';
import { RuntimeError } from './errors.ts';
import { context, contextBytes, stepFlags } from './executor.ts';
import type { Loaded } from './code.ts';
import { type Block, type Memory, view } from './memory.ts';
import { makePace, type Pace } from './pace.ts';
import { writeLine } from './platform.ts';
import type { Job, Part, Pool } from './pool.ts';
import { isSerial, type StepRecord, type StepSpec } from './program.ts';

export interface Execution {
  /** Memory that `{arena}` arguments point into. */
  readonly arena: Block;
  /** Points a slot at `offset` bytes into a block. Throws RuntimeError on a name no step uses, or while a run is in flight. */
  bind(slot: string, block: Block, offset?: number): void;
  /**
   * Runs all steps and returns when done. At most `threads` threads (default: as the environment or the machine say), fewer
   * where the steps have less to share, are so short that one thread is faster, or workers are busy. Throws RuntimeError on unbound slots and failing kernels.
   */
  run(threads?: number): void;
  /** As `run`, on workers, while the event loop stays free. Runs of one execution follow each other. */
  runAsync(threads?: number): Promise<void>;
  /** From now on run step by step and keep a record of each. */
  profile(on: boolean): void;
  /** Records of the latest profiled run. */
  readonly records: readonly StepRecord[];
  /** Frees its memory now rather than when it is collected. Throws RuntimeError while a run is in flight. */
  dispose(): void;
}

export interface ExecutionParts {
  readonly isa: IsaName;
  /** Kept alive as long as the execution is: its collection frees the code. */
  readonly owner: object;
  readonly onDispose: () => void;
  readonly code: Loaded;
  readonly steps: readonly StepSpec[];
  readonly arena: Block;
  readonly memory: Memory;
  readonly pool: Pool;
  /** Of any run. */
  readonly mostThreads?: number;
  readonly verbose: boolean;
}

/** The steps are taken as checked. */
export function makeExecution({ isa, owner, onDispose, code, steps, arena, memory, pool, mostThreads: allowed = maxThreads, verbose }: ExecutionParts): Execution {
  const mostTasks = Math.max(0, ...steps.map((step) => (isSerial(step) ? 1 : step.tasks)));
  const mostThreads = Math.max(1, Math.min(mostTasks, allowed));
  const { block, slots } = writeContext(code, steps, arena, memory, mostThreads);
  const words = view(block, Int32Array);
  const pointers = view(block, BigUint64Array);
  const unbound = new Set(slots.keys());
  /** What is bound, so that it lives as long as it may be used. */
  const bound = new Map<string, Block>();
  const paces = new Map<number, Pace>();
  let profiling = verbose;
  let records: StepRecord[] = [];
  let inFlight = 0;
  let disposed = false;

  const word = (bytes: number): number => bytes >> 2;
  const cursor = (thread: number, parity: 0 | 1): number =>
    word(context.thread.start + thread * context.thread.bytes + context.thread.cursors[parity]);

  const prepare = (part: Part, threads: number): void => {
    words[word(context.threads)] = threads;
    words[word(context.begin)] = part.begin;
    words[word(context.end)] = part.end;
    words[word(context.abort)] = 0;
    words[word(context.barrier)] = 0;
    words[word(context.sleepers)] = 0;
    for (let thread = 0; thread < threads; thread++) words[cursor(thread, 0)] = words[cursor(thread, 1)] = 0;
  };
  const progress = (): number => {
    let sum = words[word(context.begin)] + words[word(context.barrier)];
    for (let thread = 0; thread < words[word(context.threads)]; thread++) sum += words[cursor(thread, 0)] + words[cursor(thread, 1)];
    return sum;
  };
  const record = (run: StepRecord[]) => (step: number, threads: number, milliseconds: number): void => {
    const { label, tasks } = steps[step];
    run.push({ ...label, step, tasks, threads, milliseconds });
    if (!verbose) return;
    const { op, name = '', shapes = '', layout = '', epilogue = '' } = label;
    writeLine(['whet', 'exec', isa, op, name, shapes, layout, epilogue, threads, milliseconds.toFixed(4)].join(','));
  };

  const job = (requested: number): Job => {
    if (disposed) throw new RuntimeError('run', { got: 'an execution that was disposed of' });
    if (!Number.isInteger(requested) || requested < 1 || requested > maxThreads) {
      throw new RuntimeError('run', { expected: `1 to ${maxThreads} threads`, got: String(requested) });
    }
    if (unbound.size > 0) {
      throw new RuntimeError('run', { expected: 'all slots bound', got: `nothing bound to ${[...unbound].join(', ')}` });
    }
    const threads = Math.min(requested, mostThreads);
    const base = { owner: execution, keeps: owner, code, context: Number(block.address), memory: block, prepare, progress, abort };
    if (!profiling) return { ...base, parts: steps.length > 0 ? [{ begin: 0, end: steps.length, threads }] : [] };
    const parts = steps.map((step, index) => ({
      begin: index,
      end: index + 1,
      threads: isSerial(step) ? 1 : Math.min(threads, step.tasks),
    }));
    return { ...base, parts, done: record((records = [])) };
  };
  const abort = (): void => void Atomics.store(words, word(context.abort), 1);
  const idle = (where: string): void => {
    if (inFlight > 0) {
      throw new RuntimeError(where, { expected: 'no run in flight', got: `${inFlight}`, hint: 'await them first' });
    }
  };

  const execution: Execution = {
    arena,
    bind(slot, target, offset = 0) {
      const uses = slots.get(slot);
      if (!uses) throw new RuntimeError('bind', { expected: `a slot among ${[...slots.keys()].join(', ') || 'none'}`, got: slot });
      if (!memory.isLive(target)) throw new RuntimeError('bind', { expected: 'a block of this runtime', got: 'one that was freed, or is not its own' });
      const reach = offset + Math.max(...uses.map((use) => use.offset));
      if (!(Number.isSafeInteger(offset) && offset >= 0 && reach <= target.bytes)) {
        throw new RuntimeError('bind', { expected: `${slot} within its block of ${target.bytes} bytes`, got: `offset ${offset}` });
      }
      idle('bind');
      for (const use of uses) pointers[use.pointer] = target.address + BigInt(offset + use.offset);
      bound.set(slot, target);
      unbound.delete(slot);
    },
    run(threads = pool.size) {
      const most = Math.min(threads, mostThreads);
      if (profiling || most <= 1) return pool.run(job(threads));
      let pace = paces.get(most);
      if (!pace) paces.set(most, (pace = makePace(most)));
      const used = pace.threads();
      const started = performance.now();
      pool.run(job(used));
      pace.note(used, performance.now() - started);
    },
    async runAsync(threads = pool.size) {
      const mine = job(threads);
      if (mine.parts.length === 0) return;
      inFlight++;
      try {
        await pool.submit(mine);
      } finally {
        inFlight--;
      }
    },
    profile(on) {
      profiling = on || verbose;
    },
    get records() {
      return records;
    },
    dispose() {
      if (disposed) return;
      idle('dispose');
      disposed = true;
      onDispose();
      memory.free(block);
      memory.free(arena);
    },
  };
  return execution;
}

interface SlotUse {
  /** Index of the pointer in the context, in 8 bytes. */
  readonly pointer: number;
  readonly offset: number;
}

/** Lays out header, threads, steps and arguments in one block (executor.ts), and says where slots must be written. */
function writeContext(
  code: Loaded,
  steps: readonly StepSpec[],
  arena: Block,
  memory: Memory,
  threads: number,
): { block: Block; slots: Map<string, SlotUse[]> } {
  const stepsAt = contextBytes(threads);
  const argsAt = stepsAt + steps.length * context.step.bytes;
  const copiesOf = (step: StepSpec): number => (step.args.some((ref) => 'arena' in ref && ref.perThread) ? threads : 1);
  const argCount = steps.reduce((sum, step) => sum + step.args.length * copiesOf(step), 0);
  const block = memory.allocate(argsAt + argCount * 8);
  const words = view(block, Int32Array);
  const pointers = view(block, BigUint64Array);
  const slots = new Map<string, SlotUse[]>();

  pointers[context.steps >> 3] = block.address + BigInt(stepsAt);
  let arg = argsAt;
  steps.forEach((step, index) => {
    const at = stepsAt + index * context.step.bytes;
    const next = steps[index + 1];
    const needsBarrier = !isSerial(step) || next === undefined || !isSerial(next);
    pointers[(at + context.step.kernel) >> 3] = code.entries[step.kernel];
    pointers[(at + context.step.args) >> 3] = block.address + BigInt(arg);
    words[(at + context.step.tasks) >> 2] = step.tasks;
    words[(at + context.step.flags) >> 2] = (isSerial(step) ? stepFlags.serial : 0) | (needsBarrier ? stepFlags.barrier : 0);
    const copies = copiesOf(step);
    words[(at + context.step.threadArgs) >> 2] = copies > 1 ? step.args.length * 8 : 0;
    for (let thread = 0; thread < copies; thread++) for (const ref of step.args) {
      const pointer = arg >> 3;
      if ('slot' in ref) slots.set(ref.slot, [...(slots.get(ref.slot) ?? []), { pointer, offset: ref.offset }]);
      else pointers[pointer] = 'arena' in ref ? arena.address + BigInt(ref.arena + thread * (ref.perThread ?? 0)) : ref.block.address + BigInt(ref.offset);
      arg += 8;
    }
  });
  return { block, slots };
}
