/** The pool's worker threads as the thread that owns them sees them: starting them, commands and results by mailbox. */
import { maxThreads } from './environment.ts';
import { RuntimeError } from './errors.ts';
import { outcome } from './executor.ts';
import { type CodePayload, mailbox, type Message, results, sleepMs, states, type WorkerData } from './mailbox.ts';
import { canShareMemory, isNode, sleep, startThread, type Thread } from './platform.ts';

export interface Worker {
  readonly thread: Thread;
  /** First word of its mailbox. */
  readonly at: number;
  /** Codes it was sent. */
  readonly codes: Set<number>;
  /** Number of the last command given. */
  given: number;
  /** What its last command reads to the very end: a thread that leaves a synchronous run may be a little late. */
  keeps?: object;
}

export interface Command {
  readonly code: { readonly id: number; readonly payload: CodePayload };
  readonly context: number;
  /** The memory that the context lies in. */
  readonly memory: object;
  /** Which thread of the run it is; of a run of one, the executor without synchronisation runs. */
  readonly thread: number;
  readonly parallel: boolean;
  /** The mailbox on whose `wake` the threads of the run sleep. */
  readonly gang: number;
  /** The mailbox in which the threads of the run are counted down; the last one sends a message. */
  readonly leader?: number;
}

/** The mailbox after the workers' ones belongs to the thread that owns them. */
export const callerMailbox = maxThreads * mailbox.words;
/** How long a worker looks for the next command before it sleeps. */
const idleSpinMs = 0.1;
export const napMs = 0.05;
/** Loading koffi takes about 10 ms. */
const longestLinkMs = 2000;

export interface WorkersEvents {
  /** A run ended, or one of its threads failed. */
  news(): void;
  /** A thread ended by itself, or never started. */
  lost(worker: Worker, reason: string): void;
}

export class Workers {
  readonly all: Worker[] = [];
  /** Whether there can be any: not in a browser without shared memory or workers. */
  possible = canShareMemory();
  private readonly events: WorkersEvents;
  private readonly words: Int32Array;
  private readonly doubles: Float64Array;

  constructor(events: WorkersEvents) {
    this.events = events;
    const bytes = (maxThreads + 1) * mailbox.words * 4;
    const control = this.possible ? new SharedArrayBuffer(bytes) : new ArrayBuffer(0);
    this.words = new Int32Array(control);
    this.doubles = new Float64Array(control);
    if (isNode) process.once('exit', () => this.close());
  }

  /** The process ends: waits for workers that must not be ended just now (worker.js, linkSafely). */
  private close(): void {
    for (const { at } of this.all) Atomics.store(this.words, at + mailbox.closing, 1);
    for (const { at } of this.all) Atomics.wait(this.words, at + mailbox.linking, 1, longestLinkMs);
  }

  /** Starts workers until there are `count`, without waiting for them. Throws what the host throws. */
  start(count: number): void {
    while (this.possible && this.all.length < Math.min(count, maxThreads)) {
      const index = this.all.length;
      const control = this.words.buffer as SharedArrayBuffer;
      const data: WorkerData = { control, index, mailbox, states, results, outcome, sleepMs, spinMs: idleSpinMs };
      const thread = startThread(data, {
        message: () => this.events.news(),
        died: (reason) => this.events.lost(this.all[index], reason),
      });
      if (thread) this.all.push({ thread, at: index * mailbox.words, codes: new Set(), given: 0 });
      else this.possible = false;
    }
  }

  /** Gives an idle worker something to run. */
  command(worker: Worker, { code, context, memory, thread, parallel, gang, leader = -1 }: Command): void {
    if (!worker.codes.has(code.id)) {
      this.post(worker, { add: code.id, code: code.payload });
      worker.codes.add(code.id);
    }
    const { words } = this;
    const { at } = worker;
    words[at + mailbox.code] = code.id;
    words[at + mailbox.thread] = thread;
    words[at + mailbox.parallel] = Number(parallel);
    words[at + mailbox.gang] = gang;
    words[at + mailbox.leader] = leader;
    this.doubles[(at + mailbox.context) >> 1] = context;
    worker.keeps = memory;
    worker.given = (worker.given + 1) | 0;
    Atomics.store(words, at + mailbox.command, worker.given);
    if (!isNode) this.post(worker, { wake: true });
    else if (Atomics.load(words, at + mailbox.asleep) === 1) Atomics.notify(words, at + mailbox.command);
  }

  /** Forgets a code in all workers. */
  drop(code: number): void {
    for (const worker of this.all) if (worker.codes.delete(code)) this.post(worker, { drop: code });
  }

  isReady(worker: Worker): boolean {
    return Atomics.load(this.words, worker.at + mailbox.state) === states.ready;
  }
  /** Waits for a worker to start; false if it did not. */
  waitUntilReady(worker: Worker, seconds: number): boolean {
    Atomics.wait(this.words, worker.at + mailbox.state, states.starting, seconds * 1000);
    return this.isReady(worker);
  }
  isIdle(worker: Worker): boolean {
    return Atomics.load(this.words, worker.at + mailbox.finished) === worker.given;
  }
  /** Waits until a worker has left a run that is over: a matter of a microsecond. */
  settle(worker: Worker): void {
    for (let round = 0; !this.isIdle(worker); round++) if (round > 1000) sleep(napMs);
  }
  hasFailed(worker: Worker): boolean {
    return this.isIdle(worker) && this.words[worker.at + mailbox.result] === results.failed;
  }
  errorOf({ at }: Worker): RuntimeError {
    const text = new Uint8Array(this.words.buffer, (at + mailbox.text) * 4, this.words[at + mailbox.textBytes]);
    // A copy: decoders refuse shared memory.
    return new RuntimeError(`a kernel failed on a pool thread: ${new TextDecoder().decode(text.slice())}`);
  }
  /** Milliseconds its last command took. */
  elapsed(worker: Worker): number {
    return this.doubles[(worker.at + mailbox.elapsed) >> 1];
  }

  /** How many threads of the run that this worker leads have not ended. */
  remaining(leader: Worker): number {
    return Atomics.load(this.words, leader.at + mailbox.remaining);
  }
  setRemaining(leader: Worker, count: number): void {
    Atomics.store(this.words, leader.at + mailbox.remaining, count);
  }

  /** Sleeping at barriers: how often a gang was woken, waking it, and waiting to be woken. */
  wakes(gang: number): number {
    return Atomics.load(this.words, gang + mailbox.wake);
  }
  wake(gang: number): void {
    Atomics.add(this.words, gang + mailbox.wake, 1);
    Atomics.notify(this.words, gang + mailbox.wake);
  }
  sleep(gang: number, wakes: number, milliseconds: number): void {
    Atomics.wait(this.words, gang + mailbox.wake, wakes, milliseconds);
  }

  private post(worker: Worker, message: Message): void {
    worker.thread.post(message);
    Atomics.add(this.words, worker.at + mailbox.posted, 1);
  }
}
