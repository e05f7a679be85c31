/**
 * Walks a program's steps on all its threads, without JavaScript in between. It is itself written in the kernel language
 * and compiled with the program's kernels.
 *
 * Each step's tasks are divided into one range a thread; a thread takes the tasks of its own range one by one, then helps
 * with the ranges of the others. So a thread meets the same part of the data in step after step (its own cache has it),
 * and a thread that the system has stopped delays no more than the task it is in. A barrier follows each step but
 * between two serial ones, which thread 0 runs alone.
 */
import { KernelBuilder } from '../codegen/builder.ts';
import type { Int, KernelCode, Mem } from '../codegen/ir.ts';
import type { Isa } from '../codegen/isa.ts';

/**
 * An execution's context in shared memory, byte offsets. The header's first line is only read while running; the second has
 * the barrier's counts, of threads that arrived (ever growing) and of those asleep; then each thread has three lines: its
 * cursors (tasks taken from its range in even and in odd steps) and where it stood when it last returned to JavaScript. A thread's own arguments lie
 * `threadArgs` bytes after those of the thread before it; 0 where all have the same.
 */
export const context = {
  threads: 0,
  begin: 4,
  end: 8,
  abort: 12,
  steps: 16,
  barrier: 64,
  sleepers: 68,
  thread: { start: 128, bytes: 192, cursors: [0, 64], step: 128, target: 132, spin: 136 },
  step: { bytes: 32, kernel: 0, args: 8, tasks: 16, flags: 20, threadArgs: 24 },
} as const;

export const contextBytes = (threads: number): number => context.thread.start + threads * context.thread.bytes;

/** Flags of a step: only thread 0 runs it; a barrier follows. */
export const stepFlags = { serial: 1, barrier: 2 } as const;

/**
 * What `parallel` returns: all done; asleep at a barrier, until woken; another thread failed; threads asleep at the barrier
 * that is now complete must be woken, before going on or at the end. After `sleep` and `wake` it is called again with
 * that as `resume`; after the others the context may be another run's at once.
 */
export const outcome = { finished: 0, sleep: 1, aborted: 2, wake: 3, finishedWake: 4 } as const;

/**
 * Rounds that a thread waits at a barrier before it goes to sleep: at first 0.1 ms or more, half as many each time that was in
 * vain (where the system runs two threads on one core, waiting keeps the other from arriving), twice as many each time
 * it was not; at least about what going to sleep costs. `pause` takes 10 ns (Sapphire Rapids) to 45 ns (Skylake);
 * wasm has none, and a round takes a cycle.
 */
const spinRounds = {
  avx512: { most: 12_000, least: 500 },
  avx2: { most: 12_000, least: 500 },
  wasm: { most: 800_000, least: 50_000 },
} as const;

/** serial(context): all steps on the calling thread, with no synchronisation at all. */
export function serialExecutor(isa: Isa): KernelCode {
  const b = new KernelBuilder('executor.serial', isa);
  const ctx = b.param();
  const record = stepAt(b, ctx, int32(b, ctx, context.begin));
  const end = stepAt(b, ctx, int32(b, ctx, context.end));
  b.forever(() => {
    b.breakIf(b.icompare('ge', record, end));
    runAll(b, record);
    b.advance(record, context.step.bytes);
  });
  b.return();
  return b.finish({ entry: true });
}

/** parallel(context, thread, resume) -> outcome: this thread's share of all steps. `resume` is 0 at first. */
export function parallelExecutor(isa: Isa): KernelCode {
  const b = new KernelBuilder('executor.parallel', isa);
  const ctx = b.param();
  const thread = b.param();
  const resume = b.param();
  const { cursors } = context.thread;
  const rounds = spinRounds[isa.name];
  const barrier = b.at(ctx, context.barrier);
  const sleepers = b.at(ctx, context.sleepers);

  const mine = threadAt(b, ctx, thread);
  const threads = int32(b, ctx, context.threads);
  const end = int32(b, ctx, context.end);
  const step = int32(b, ctx, context.begin);
  /** Arrivals that complete the barrier this thread is at. */
  const target = b.int(0);
  const spin = b.int(rounds.most);
  const atBarrier = b.move(resume);
  b.if(resume, () => {
    b.if(b.icompare('eq', resume, outcome.sleep), () => void b.atomicAdd(sleepers, -1));
    b.if(b.atomicLoad(b.at(ctx, context.abort)), () => b.return(b.int(outcome.aborted)));
    b.move(int32(b, mine, context.thread.step), step);
    b.move(int32(b, mine, context.thread.target), target);
    b.move(int32(b, mine, context.thread.spin), spin);
  });
  const record = stepAt(b, ctx, step);
  const leave = (result: number): void => {
    b.istore(b.at(mine, context.thread.step), step, 32);
    b.istore(b.at(mine, context.thread.target), target, 32);
    b.istore(b.at(mine, context.thread.spin), spin, 32);
    b.return(b.int(result));
  };

  b.forever(() => {
    b.if(b.icompare('eq', atBarrier, 0), () => {
      const flags = int32(b, record, context.step.flags);
      const parity = b.integer('imul', b.integer('iand', step, 1), cursors[1] - cursors[0]);
      // The next step's cursor: its last users, in the step before this, are all past a barrier, its next behind one.
      const next = b.integer('ixor', parity, cursors[1] - cursors[0]);
      b.istore(b.at(mine, cursors[0], next), b.int(0), 32);

      b.if(
        b.integer('iand', flags, stepFlags.serial),
        () => b.if(b.icompare('eq', thread, 0), () => runAll(b, record)),
        () => runShared(b, { ctx, thread, threads, record, parity }),
      );
      b.if(b.integer('iand', flags, stepFlags.barrier), () => {
        const arrived = b.integer('iadd', b.atomicAdd(barrier, 1), 1);
        b.integer('iadd', target, threads, target);
        b.move(b.int(1), atBarrier);
        const isLast = b.icompare('eq', arrived, target);
        const mustWake = b.integer('iand', isLast, b.icompare('gt', b.atomicLoad(sleepers), 0));
        // After the last step only thread 0 waits: it is the one that reports. The others touch the context no more.
        const isOver = b.icompare('ge', b.integer('iadd', step, 1), end);
        b.if(b.integer('iand', isOver, b.icompare('ne', thread, 0)), () =>
          b.return(b.iselect(mustWake, b.int(outcome.finishedWake), b.int(outcome.finished))),
        );
        b.if(mustWake, () => leave(outcome.wake));
      });
    });
    b.if(atBarrier, () => {
      waitAtBarrier(b, { isComplete: () => b.icompare('ge', b.atomicLoad(barrier), target), sleepers, spin, rounds, leave });
      b.move(b.int(0), atBarrier);
    });
    b.integer('iadd', step, 1, step);
    b.advance(record, context.step.bytes);
    b.breakIf(b.icompare('ge', step, end));
  });
  b.return(b.int(outcome.finished));
  return b.finish({ entry: true, returns: true });
}

interface Wait {
  isComplete(): Int;
  sleepers: Mem;
  /** Rounds to wait, adjusted by how it went. */
  spin: Int;
  rounds: { most: number; least: number };
  leave(result: number): void;
}

function waitAtBarrier(b: KernelBuilder, { isComplete, sleepers, spin, rounds, leave }: Wait): void {
  const left = b.move(spin);
  b.forever(() => {
    b.breakIf(isComplete());
    b.pause();
    b.integer('isub', left, 1, left);
    b.if(b.icompare('le', left, 0), () => {
      // Counted as asleep before the last look: whoever completes the barrier after it sees the count and wakes us.
      b.atomicAdd(sleepers, 1);
      b.if(b.icompare('eq', isComplete(), 0), () => {
        const half = b.integer('isar', spin, 1);
        b.move(b.iselect(b.icompare('lt', half, rounds.least), b.int(rounds.least), half), spin);
        leave(outcome.sleep);
      });
      b.atomicAdd(sleepers, -1);
    });
  });
  b.if(b.icompare('lt', left, spin), () => {
    const twice = b.integer('ishl', spin, 1);
    b.move(b.iselect(b.icompare('gt', twice, rounds.most), b.int(rounds.most), twice), spin);
  });
}

const int32 = (b: KernelBuilder, base: Int, offset: number): Int => b.iload('int', b.at(base, offset), 32);

const stepAt = (b: KernelBuilder, ctx: Int, step: Int): Int =>
  b.offset(b.loadPointer(b.at(ctx, context.steps)), step, context.step.bytes);

const threadAt = (b: KernelBuilder, ctx: Int, thread: Int): Int =>
  b.integer('iadd', b.offset(ctx, thread, context.thread.bytes), context.thread.start);

/** All tasks of a step, on thread 0. */
function runAll(b: KernelBuilder, record: Int): void {
  const kernel = b.loadPointer(b.at(record, context.step.kernel));
  const args = b.loadPointer(b.at(record, context.step.args));
  b.loop(int32(b, record, context.step.tasks), (task) => b.call(kernel, args, task));
}

/** This thread's share of a step's tasks: its own range, then what is left of the ranges after it. */
function runShared(b: KernelBuilder, at: { ctx: Int; thread: Int; threads: Int; record: Int; parity: Int }): void {
  const { ctx, thread, threads, record, parity } = at;
  const kernel = b.loadPointer(b.at(record, context.step.kernel));
  const args = b.loadPointer(b.at(record, context.step.args));
  b.advance(args, b.integer('imul', thread, int32(b, record, context.step.threadArgs)));
  const tasks = int32(b, record, context.step.tasks);
  // The first `longer` ranges have one task more than the others.
  const share = b.integer('idiv', tasks, threads);
  const longer = b.integer('isub', tasks, b.integer('imul', share, threads));
  const owner = b.move(thread);
  b.loop(threads, () => {
    const isLonger = b.icompare('lt', owner, longer);
    const size = b.integer('iadd', share, isLonger);
    const first = b.integer('iadd', b.integer('imul', owner, share), b.iselect(isLonger, owner, longer));
    const cursor = b.integer('iadd', threadAt(b, ctx, owner), parity);
    b.forever(() => {
      // Looked at before it is taken from: an exhausted range is left alone by those that pass by.
      b.breakIf(b.icompare('ge', b.atomicLoad(b.at(cursor, context.thread.cursors[0])), size));
      const taken = b.atomicAdd(b.at(cursor, context.thread.cursors[0]), 1);
      b.breakIf(b.icompare('ge', taken, size));
      b.call(kernel, args, b.integer('iadd', first, taken));
    });
    b.integer('iadd', owner, 1, owner);
    b.if(b.icompare('eq', owner, threads), () => b.move(b.int(0), owner));
  });
}
