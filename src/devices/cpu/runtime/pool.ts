/**
 * The threads: runs a job's parts on the calling thread and helpers (`run`), or on workers alone while the event loop stays
 * free (`submit`). Asynchronous jobs start in the order they came, each on workers of its own, so the threads of a job are
 * always all there and its barriers cannot deadlock. All state is in the mailboxes; messages from workers only say "look".
 */
import { maxThreads } from './environment.ts';
import { reasonOf, RuntimeError } from './errors.ts';
import { outcome } from './executor.ts';
import { type CodePayload, mailbox, type Message, results, sleepMs, states, type WorkerData } from './mailbox.ts';
import { builtin, canShareMemory, canSleep, sleep, startThread, type Thread } from './platform.ts';

/** A loaded program: what a worker needs to link it, and its executor linked for this thread. */
export interface PoolCode {
  readonly id: number;
  readonly payload: CodePayload;
  serial(context: number): void;
  parallel(context: number, thread: number, resume: number): number;
}

/** Steps begin..end-1 on so many threads. */
export interface Part {
  readonly begin: number;
  readonly end: number;
  readonly threads: number;
}

export interface Job {
  /** Jobs of one owner share its context: they run one at a time. */
  readonly owner: object;
  /** Not used, but kept while the job is pending. */
  readonly keeps?: object;
  readonly code: PoolCode;
  readonly context: number;
  /** Run one after the other. */
  readonly parts: readonly Part[];
  /** Sets the context up for a part on `threads` threads (fewer than asked, where workers were busy). */
  prepare(part: Part, threads: number): void;
  /** Makes threads that wait at a barrier leave. */
  abort(): void;
  /** A number that changes while any thread gets on. */
  progress(): number;
  /** Called after each part where given. */
  done?(part: number, threads: number, milliseconds: number): void;
}

interface Slot {
  readonly thread: Thread;
  /** First word of its mailbox. */
  readonly at: number;
  readonly sent: Set<number>;
  /** Number of the last command given. */
  given: number;
  /** The asynchronous run it belongs to. */
  run?: Run;
}

interface Run {
  readonly job: Job;
  readonly slots: readonly Slot[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  part: number;
  threads: number;
  failure?: RuntimeError;
}
type Waiting = Pick<Run, 'job' | 'resolve' | 'reject'>;

/** A worker's part in a run: mailboxes of those it waits with and of the one whose count it keeps (worker.js, mailbox.ts). */
interface Role {
  readonly thread: number;
  readonly parallel: boolean;
  readonly gang: number;
  readonly leader?: number;
}

/** The mailbox after the workers' ones belongs to the thread that calls `run`. */
const callerMailbox = maxThreads * mailbox.words;
const idleSpinMs = 0.1;
const napMs = 0.05;
const startSeconds = 30;
/** A thread that got nowhere for so long never will. No single task takes nearly as long. */
const stallSeconds = 120;

const threadsOf = (job: Job): number => Math.max(...job.parts.map((part) => part.threads));

export class Pool {
  /** Threads of a run that does not say. */
  readonly size: number;
  private readonly slots: Slot[] = [];
  private readonly runs = new Set<Run>();
  private readonly queue: Waiting[] = [];
  private readonly words: Int32Array;
  private readonly doubles: Float64Array;
  /** Why there are no threads any more. */
  private broken?: RuntimeError;
  /** Everything runs on the calling thread: a browser without shared memory or workers. */
  private alone: boolean;
  private held = false;
  private closed = false;

  constructor(size: number) {
    this.alone = !canShareMemory();
    this.size = this.alone ? 1 : size;
    const bytes = this.alone ? 0 : (maxThreads + 1) * mailbox.words * 4;
    const control = this.alone ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes);
    this.words = new Int32Array(control);
    this.doubles = new Float64Array(control);
  }

  /** Threads started so far. */
  get started(): number {
    return this.slots.length;
  }

  /** Starts workers until there are `count`, without waiting for them. Throws RuntimeError if the pool is broken. */
  start(count: number): void {
    if (this.broken) throw this.broken;
    while (!this.alone && this.slots.length < Math.min(count, maxThreads)) {
      const index = this.slots.length;
      const data: WorkerData = {
        control: this.words.buffer as SharedArrayBuffer,
        index, mailbox, states, results, outcome, sleepMs, spinMs: idleSpinMs,
      };
      const events = { message: () => this.pump(), died: (reason: string) => this.lose(index, reason) };
      let thread: Thread | undefined;
      try {
        thread = startThread(data, events);
      } catch (error) {
        throw this.breakDown(`could not be started: ${reasonOf(error)}`, error);
      }
      if (!thread) this.alone = true;
      else this.slots.push({ thread, at: index * mailbox.words, sent: new Set(), given: 0 });
    }
  }

  /** Runs the job on the calling thread, helped by workers that are free. Throws RuntimeError if a kernel or a thread fails. */
  run(job: Job): void {
    this.finishOwner(job.owner);
    job.parts.forEach((part, index) => {
      const helpers = part.threads > 1 ? this.helpers(part.threads - 1) : [];
      const threads = helpers.length + 1;
      job.prepare(part, threads);
      const started = job.done ? performance.now() : 0;
      if (helpers.length > 0) this.lead(job, helpers);
      else attempt(() => job.code.serial(job.context));
      job.done?.(index, threads, performance.now() - started);
    });
    if (this.queue.length > 0) this.pump();
  }

  /** Runs the job on workers. Rejects with RuntimeError as `run` throws. */
  submit(job: Job): Promise<void> {
    return new Promise((resolve, reject) => {
      this.start(threadsOf(job));
      this.queue.push({ job, resolve, reject });
      this.pump();
    });
  }

  /** Forgets a code in all workers. No job of it may be running. */
  drop(code: number): void {
    for (const slot of this.slots) if (slot.sent.delete(code)) this.post(slot, { drop: code });
  }

  /** Ends the threads; for tests. Nothing may be running. */
  close(): void {
    this.closed = true;
    for (const slot of this.slots) slot.thread.stop();
  }

  // ---- synchronous runs

  /** Up to `count` workers that are free now and have started. */
  private helpers(count: number): Slot[] {
    this.start(count);
    if (this.alone) return [];
    this.pump();
    const free = this.slots.filter((slot) => !slot.run).slice(0, count);
    for (const slot of free) this.settle(slot);
    // The page's own thread in a browser must not sleep, and threads start only when it is idle: it takes those there are.
    if (!canSleep) return free.filter((slot) => this.word(slot, mailbox.state) === states.ready);
    for (const slot of free) {
      Atomics.wait(this.words, slot.at + mailbox.state, states.starting, startSeconds * 1000);
      if (this.word(slot, mailbox.state) !== states.ready) throw this.breakDown(`did not start within ${startSeconds} s`);
    }
    return free;
  }

  /** Waits until a worker that belongs to no run has left its last, synchronous one, which is over: a microsecond. */
  private settle(slot: Slot): void {
    for (let round = 0; !this.isIdle(slot); round++) if (round > 1000) sleep(napMs);
  }

  private lead(job: Job, helpers: readonly Slot[]): void {
    const { code, context } = job;
    helpers.forEach((slot, index) => this.command(slot, job, { thread: index + 1, parallel: true, gang: callerMailbox }));
    const patience = new Patience(job);
    const wake = callerMailbox + mailbox.wake;
    try {
      let wakes = Atomics.load(this.words, wake);
      let state = code.parallel(context, 0, 0);
      while (state === outcome.sleep || state === outcome.wake) {
        if (state === outcome.wake) this.wakeAll(callerMailbox);
        else patience.wait(sleepMs, (limit) => canSleep && Atomics.wait(this.words, wake, wakes, limit));
        const failed = helpers.find((slot) => this.hasFailed(slot));
        if (failed) throw this.errorOf(failed);
        wakes = Atomics.load(this.words, wake);
        state = code.parallel(context, 0, state);
      }
    } catch (error) {
      this.abort(job, callerMailbox);
      while (!helpers.every((slot) => this.isIdle(slot))) {
        try {
          patience.wait(napMs, sleep);
        } catch (stalled) {
          throw this.breakDown(reasonOf(stalled), error);
        }
      }
      throw asRuntimeError(error);
    }
  }

  /** Lets all jobs of an owner end: they share its context with the run that comes now. */
  private finishOwner(owner: object): void {
    const isPending = (): boolean =>
      [...this.runs, ...this.queue].some(({ job }) => job.owner === owner);
    if (!isPending()) return;
    if (!canSleep) {
      throw new RuntimeError('run', { expected: 'no asynchronous run of the same program', got: 'one in flight', hint: 'await it first' });
    }
    const patience = new Patience({ progress: () => [...this.runs].reduce((sum, { job }) => sum + job.progress(), this.queue.length) });
    for (this.pump(); isPending(); this.pump()) patience.wait(napMs, sleep);
  }

  // ---- asynchronous runs

  /** Looks at all runs, ends those that are done, starts those that can start. */
  private pump(): void {
    for (const run of this.runs) this.advance(run);
    while (this.queue.length > 0 && this.tryStart(this.queue[0])) this.queue.shift();
    this.hold(!this.broken && this.runs.size + this.queue.length > 0);
  }

  private advance(run: Run): void {
    if (this.broken) return;
    const { job, slots } = run;
    if (!run.failure) {
      const failed = slots.slice(0, run.threads).find((slot) => this.hasFailed(slot));
      if (failed) {
        run.failure = this.errorOf(failed);
        this.abort(job, slots[0].at);
      }
    }
    if (this.word(slots[0], mailbox.remaining) > 0) return;
    job.done?.(run.part, run.threads, this.doubles[(slots[0].at + mailbox.elapsed) >> 1]);
    run.part++;
    if (!run.failure && run.part < job.parts.length) return this.startPart(run);
    for (const slot of slots) slot.run = undefined;
    this.runs.delete(run);
    if (run.failure) run.reject(run.failure);
    else run.resolve();
  }

  /** Whether the job at the head of the queue is off it. */
  private tryStart({ job, resolve, reject }: Waiting): boolean {
    if (this.broken) {
      reject(this.broken);
      return true;
    }
    if ([...this.runs].some((run) => run.job.owner === job.owner)) return false;
    if (this.alone) {
      try {
        this.runAlone(job);
        resolve();
      } catch (error) {
        reject(error);
      }
      return true;
    }
    const count = Math.min(threadsOf(job), this.slots.length);
    const slots = this.slots.filter((slot) => !slot.run).slice(0, count);
    if (slots.length < count) return false;
    for (const slot of slots) this.settle(slot);
    const run: Run = { job, slots, resolve, reject, part: 0, threads: 0 };
    for (const slot of slots) slot.run = run;
    this.runs.add(run);
    this.startPart(run);
    return true;
  }

  private startPart(run: Run): void {
    const { job, slots } = run;
    const part = job.parts[run.part];
    run.threads = Math.min(part.threads, slots.length);
    job.prepare(part, run.threads);
    const leader = slots[0].at;
    Atomics.store(this.words, leader + mailbox.remaining, run.threads);
    slots.slice(0, run.threads).forEach((slot, thread) => this.command(slot, job, { thread, parallel: run.threads > 1, gang: leader, leader }));
  }

  private runAlone(job: Job): void {
    job.parts.forEach((part, index) => {
      job.prepare(part, 1);
      const started = performance.now();
      attempt(() => job.code.serial(job.context));
      job.done?.(index, 1, performance.now() - started);
    });
  }

  /** The process lives on while an asynchronous run is pending, and no longer. */
  private hold(on: boolean): void {
    if (on === this.held || this.slots.length === 0) return;
    this.held = on;
    this.slots[0].thread.hold(on);
  }

  // ---- mailboxes

  private word(slot: Slot, word: number): number {
    return Atomics.load(this.words, slot.at + word);
  }
  private isIdle(slot: Slot): boolean {
    return this.word(slot, mailbox.finished) === slot.given;
  }
  private hasFailed(slot: Slot): boolean {
    return this.isIdle(slot) && this.words[slot.at + mailbox.result] === results.failed;
  }
  private errorOf(slot: Slot): RuntimeError {
    const text = new Uint8Array(this.words.buffer, (slot.at + mailbox.text) * 4, this.words[slot.at + mailbox.textBytes]);
    // A copy: decoders refuse shared memory.
    return new RuntimeError(`a kernel failed on a pool thread: ${new TextDecoder().decode(text.slice())}`);
  }

  /** Wakes the threads of a run that sleep at its barrier. */
  private wakeAll(gang: number): void {
    Atomics.add(this.words, gang + mailbox.wake, 1);
    Atomics.notify(this.words, gang + mailbox.wake);
  }
  private abort(job: Job, gang: number): void {
    job.abort();
    this.wakeAll(gang);
  }

  private post(slot: Slot, message: Message): void {
    slot.thread.post(message);
    Atomics.add(this.words, slot.at + mailbox.posted, 1);
  }

  private command(slot: Slot, { code, context }: Job, { thread, parallel, gang, leader = -1 }: Role): void {
    if (!slot.sent.has(code.id)) {
      this.post(slot, { add: code.id, code: code.payload });
      slot.sent.add(code.id);
    }
    const { words } = this;
    words[slot.at + mailbox.code] = code.id;
    words[slot.at + mailbox.thread] = thread;
    words[slot.at + mailbox.parallel] = Number(parallel);
    words[slot.at + mailbox.gang] = gang;
    words[slot.at + mailbox.leader] = leader;
    this.doubles[(slot.at + mailbox.context) >> 1] = context;
    slot.given = (slot.given + 1) | 0;
    Atomics.store(words, slot.at + mailbox.command, slot.given);
    if (!isNode) this.post(slot, { wake: true });
    else if (this.word(slot, mailbox.asleep) === 1) Atomics.notify(words, slot.at + mailbox.command);
  }

  // ---- failures

  private lose(index: number, reason: string): void {
    if (this.closed || this.broken) return;
    const started = this.slots[index] !== undefined && this.word(this.slots[index], mailbox.state) === states.ready;
    if (!isNode && !started) {
      // A page whose bundle left worker.js out still works, on its own thread.
      this.alone = true;
      for (const run of this.runs) this.queue.unshift(run);
      this.runs.clear();
      return this.pump();
    }
    this.breakDown(started ? `ended: ${reason}` : `could not start: ${reason}`);
  }

  /** No thread will be used again. Runs in flight are told to leave and kept: threads may still be in their memory. */
  private breakDown(what: string, cause?: unknown): RuntimeError {
    const error = new RuntimeError(`a thread of the pool ${what}`, { hint: 'WHET_THREADS=1 runs everything on the calling thread' }, { cause });
    this.broken ??= error;
    for (const run of this.runs) {
      this.abort(run.job, run.slots[0].at);
      run.reject(error);
    }
    for (const waiting of this.queue.splice(0)) waiting.reject(error);
    if (this.held) this.hold(false);
    return error;
  }
}

const isNode = builtin('node:worker_threads') !== undefined;

const asRuntimeError = (error: unknown): RuntimeError =>
  error instanceof RuntimeError ? error : new RuntimeError(`a kernel failed: ${reasonOf(error)}`, {}, { cause: error });

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    throw asRuntimeError(error);
  }
}

/** Waits for other threads, and gives up when they get nowhere: a thread that died cannot say so. */
class Patience {
  private readonly job: Pick<Job, 'progress'>;
  private waitedMs = 0;
  private seconds = 0;
  private last?: number;

  constructor(job: Pick<Job, 'progress'>) {
    this.job = job;
  }
  /** One wait of at most `milliseconds`. Summed up rather than read off a clock: a process stopped for a while has not stalled. */
  wait(milliseconds: number, wait: (milliseconds: number) => unknown): void {
    wait(milliseconds);
    this.waitedMs += milliseconds;
    if (this.waitedMs < 1000 || !canSleep) return;
    this.waitedMs = 0;
    const now = this.job.progress();
    this.seconds = now === this.last ? this.seconds + 1 : 0;
    this.last = now;
    if (this.seconds >= stallSeconds) throw new RuntimeError(`got nowhere for ${stallSeconds} s`);
  }
}
