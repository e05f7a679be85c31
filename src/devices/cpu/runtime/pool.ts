/**
 * The threads: runs a job's parts on the calling thread and helpers (`run`), or on workers alone while the event loop stays
 * free (`submit`). Asynchronous jobs start in the order they came, each on workers of its own, so the threads of a job are
 * always all there and its barriers cannot deadlock. All state is in the mailboxes; messages from workers only say "look".
 */
import { reasonOf, RuntimeError } from './errors.ts';
import { outcome } from './executor.ts';
import { type CodePayload, sleepMs } from './mailbox.ts';
import { canSleep, isNode, sleep } from './platform.ts';
import { callerMailbox, napMs, type Worker, Workers } from './workers.ts';

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
  /** The memory that the context lies in. */
  readonly memory: object;
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

interface Waiting {
  readonly job: Job;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}
/** An asynchronous job on its workers, the first of which leads. */
interface Run extends Waiting {
  readonly team: readonly Worker[];
  part: number;
  threads: number;
  failure?: RuntimeError;
}

const startSeconds = 30;
/** A thread that got nowhere for so long never will. No single task takes nearly as long. */
const stallSeconds = 120;

const threadsOf = (job: Job): number => Math.max(...job.parts.map((part) => part.threads));

export class Pool {
  /** Threads of a run that does not say. */
  readonly size: number;
  private readonly workers: Workers;
  private readonly runs = new Set<Run>();
  /** Workers that belong to a run. */
  private readonly taken = new Set<Worker>();
  private readonly queue: Waiting[] = [];
  /** Why no thread is used any more. */
  private broken?: RuntimeError;
  /** Jobs that were under way then: kept, and never run again, since a thread may still be in their memory. */
  private readonly lost = new Set<Job>();
  private held = false;

  constructor(size: number) {
    this.workers = new Workers({ news: () => this.pump(), lost: (worker, reason) => this.lose(worker, reason) });
    this.size = this.workers.possible ? size : 1;
  }

  /** Starts workers until there are `count`, without waiting for them. Throws RuntimeError if the pool is broken. */
  start(count: number): void {
    if (this.broken) throw this.broken;
    try {
      this.workers.start(count);
    } catch (error) {
      throw this.breakDown(`could not be started: ${reasonOf(error)}`, error);
    }
  }

  /** Runs the job on the calling thread, helped by workers that are free. Throws RuntimeError if a kernel or a thread fails. */
  run(job: Job): void {
    this.finishOwner(job.owner);
    job.parts.forEach((part, index) => {
      const helpers = part.threads > 1 ? this.helpers(part.threads - 1) : [];
      if (helpers.length === 0) return runAlone(job, index);
      const threads = helpers.length + 1;
      job.prepare(part, threads);
      const started = performance.now();
      this.lead(job, helpers);
      job.done?.(index, threads, performance.now() - started);
    });
    if (this.queue.length > 0) this.pump();
  }

  /** Runs the job on workers. Rejects with RuntimeError as `run` throws. */
  submit(job: Job): Promise<void> {
    return new Promise((resolve, reject) => {
      // Jobs of few threads run side by side, as many as the pool is meant to have threads.
      const wanted = [...this.runs, ...this.queue].reduce((sum, waiting) => sum + threadsOf(waiting.job), threadsOf(job));
      this.start(Math.max(threadsOf(job), Math.min(this.size, wanted)));
      this.queue.push({ job, resolve, reject });
      this.pump();
    });
  }

  /** Forgets a code in all workers, no job of which may be running. Whether no thread is in it after that. */
  drop(code: number): boolean {
    if (this.broken) return false;
    this.free(Infinity);
    this.workers.drop(code);
    return true;
  }

  // ---- synchronous runs

  private free(count: number): Worker[] {
    const free = this.workers.all.filter((worker) => !this.taken.has(worker)).slice(0, count);
    // They belong to no run, but may not quite have left their last synchronous one.
    for (const worker of free) this.workers.settle(worker);
    return free;
  }

  /** Up to `count` workers that are free now and have started. */
  private helpers(count: number): Worker[] {
    this.start(count);
    if (!this.workers.possible) return [];
    this.pump();
    const free = this.free(count);
    // The page's own thread in a browser must not sleep, and threads start only when it is idle: it takes those there are.
    if (!canSleep) return free.filter((worker) => this.workers.isReady(worker));
    for (const worker of free) {
      if (!this.workers.waitUntilReady(worker, startSeconds)) throw this.breakDown(`did not start within ${startSeconds} s`);
    }
    return free;
  }

  private lead(job: Job, helpers: readonly Worker[]): void {
    const { code, context, memory } = job;
    const { workers } = this;
    helpers.forEach((worker, index) =>
      workers.command(worker, { code, context, memory, thread: index + 1, parallel: true, gang: callerMailbox }),
    );
    const patience = new Patience(job);
    try {
      // Read before the code runs: if we are woken between its return and our sleep, we do not fall asleep.
      let wakes = workers.wakes(callerMailbox);
      let state = code.parallel(context, 0, 0);
      while (state === outcome.sleep || state === outcome.wake) {
        if (state === outcome.wake) workers.wake(callerMailbox);
        else patience.wait(sleepMs, (limit) => canSleep && workers.sleep(callerMailbox, wakes, limit));
        const failed = helpers.find((worker) => workers.hasFailed(worker));
        if (failed) throw workers.errorOf(failed);
        wakes = workers.wakes(callerMailbox);
        state = code.parallel(context, 0, state);
      }
    } catch (error) {
      this.abort(job, callerMailbox);
      while (!helpers.every((worker) => workers.isIdle(worker))) {
        try {
          patience.wait(napMs, sleep);
        } catch (stalled) {
          this.lost.add(job);
          throw this.breakDown(reasonOf(stalled), error);
        }
      }
      throw asRuntimeError(error);
    }
  }

  /** Lets all jobs of an owner end: they share its context with the run that comes now. */
  private finishOwner(owner: object): void {
    if (this.broken && [...this.lost].some((job) => job.owner === owner)) throw this.broken;
    const isPending = (): boolean => [...this.runs, ...this.queue].some(({ job }) => job.owner === owner);
    if (!isPending()) return;
    if (!canSleep) {
      throw new RuntimeError('run', { expected: 'no asynchronous run of the same program', got: 'one in flight', hint: 'await it first' });
    }
    const progress = (): number => [...this.runs].reduce((sum, { job }) => sum + job.progress(), this.queue.length);
    const patience = new Patience({ progress });
    for (this.pump(); isPending(); this.pump()) patience.wait(napMs, sleep);
  }

  // ---- asynchronous runs

  /** Looks at all runs, ends those that are done, starts those that can start. */
  private pump(): void {
    for (const run of this.runs) this.advance(run);
    while (this.queue.length > 0 && this.tryStart(this.queue[0])) this.queue.shift();
    this.hold(this.runs.size + this.queue.length > 0);
  }

  private advance(run: Run): void {
    const { job, team } = run;
    const { workers } = this;
    if (!run.failure) {
      const failed = team.slice(0, run.threads).find((worker) => workers.hasFailed(worker));
      if (failed) {
        run.failure = workers.errorOf(failed);
        this.abort(job, team[0].at);
      }
    }
    if (workers.remaining(team[0]) > 0) return;
    job.done?.(run.part, run.threads, workers.elapsed(team[0]));
    run.part++;
    if (!run.failure && run.part < job.parts.length) return this.startPart(run);
    for (const worker of team) this.taken.delete(worker);
    this.runs.delete(run);
    if (run.failure) run.reject(run.failure);
    else run.resolve();
  }

  /** Whether the job at the head of the queue is off it. */
  private tryStart({ job, resolve, reject }: Waiting): boolean {
    if ([...this.runs].some((run) => run.job.owner === job.owner)) return false;
    if (!this.workers.possible) {
      try {
        job.parts.forEach((_, index) => runAlone(job, index));
        resolve();
      } catch (error) {
        reject(error);
      }
      return true;
    }
    const count = threadsOf(job);
    const team = this.free(count);
    if (team.length < count) return false;
    const run: Run = { job, team, resolve, reject, part: 0, threads: 0 };
    for (const worker of team) this.taken.add(worker);
    this.runs.add(run);
    this.startPart(run);
    return true;
  }

  private startPart(run: Run): void {
    const { job, team } = run;
    const part = job.parts[run.part];
    const { code, context, memory } = job;
    const leader = team[0].at;
    run.threads = part.threads;
    job.prepare(part, part.threads);
    this.workers.setRemaining(team[0], part.threads);
    team.slice(0, part.threads).forEach((worker, thread) =>
      this.workers.command(worker, { code, context, memory, thread, parallel: part.threads > 1, gang: leader, leader }),
    );
  }

  private abort(job: Job, gang: number): void {
    job.abort();
    this.workers.wake(gang);
  }

  /** The process lives on while an asynchronous run is pending, and no longer. */
  private hold(on: boolean): void {
    if (on === this.held || this.workers.all.length === 0) return;
    this.held = on;
    this.workers.all[0].thread.hold(on);
  }

  // ---- failures

  private lose(worker: Worker | undefined, reason: string): void {
    if (this.broken) return;
    const started = worker !== undefined && this.workers.isReady(worker);
    if (isNode || started) return void this.breakDown(started ? `ended: ${reason}` : `could not start: ${reason}`);
    // A page whose bundle left worker.js out still works, on its own thread.
    this.workers.possible = false;
    this.queue.unshift(...this.runs);
    this.runs.clear();
    this.pump();
  }

  /** No thread will be used again; those in a run are told to leave it. */
  private breakDown(what: string, cause?: unknown): RuntimeError {
    const error = new RuntimeError(`a thread of the pool ${what}`, { hint: 'WHET_THREADS=1 runs everything on the calling thread' }, { cause });
    this.broken ??= error;
    for (const run of this.runs) {
      this.abort(run.job, run.team[0].at);
      this.lost.add(run.job);
      run.reject(error);
    }
    this.runs.clear();
    for (const waiting of this.queue.splice(0)) waiting.reject(error);
    this.hold(false);
    return error;
  }
}

/** Runs one part of a job on the calling thread. */
function runAlone(job: Job, index: number): void {
  job.prepare(job.parts[index], 1);
  const started = job.done ? performance.now() : 0;
  try {
    job.code.serial(job.context);
  } catch (error) {
    throw asRuntimeError(error);
  }
  job.done?.(index, 1, performance.now() - started);
}

const asRuntimeError = (error: unknown): RuntimeError =>
  error instanceof RuntimeError ? error : new RuntimeError(`a kernel failed: ${reasonOf(error)}`, {}, { cause: error });

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
