/** The words through which the pool and a worker thread talk: one mailbox a worker in one shared buffer. worker.js gets these tables. */
import type { outcome } from './executor.ts';

/** Offsets in 32-bit words from the mailbox's start; the two numbers of type double are aligned to 8 bytes. */
export const mailbox = {
  /** Words of a mailbox: four cache lines, the last three for the text of an error. */
  words: 64,
  /** Number of the last command given; the worker runs when it changes. */
  command: 0,
  /** Number of the last command done. */
  finished: 1,
  /** 1 while the worker sleeps and must be notified. */
  asleep: 2,
  /** Messages posted to the worker; it reads them before a command. */
  posted: 3,
  /** One of `states`. */
  state: 4,
  /** The command: which code, as which thread, alone or with others. */
  code: 5,
  thread: 6,
  parallel: 7,
  /** double: address of the execution's context. */
  context: 8,
  /** double: milliseconds the command took. */
  elapsed: 10,
  /** One of `results`. */
  result: 12,
  /** Mailbox of the run's thread 0, whose `remaining` counts down; -1 where nobody wants to be told. */
  leader: 13,
  /** Threads of the run that this worker leads which have not finished; the last one tells the pool. */
  remaining: 14,
  /** Bytes of `text` in use. */
  textBytes: 15,
  /** Mailbox of the run's thread 0, on whose `wake` threads sleep at barriers; the caller of a synchronous run has one too. */
  gang: 16,
  wake: 17,
  /** 1 while the worker is inside koffi, where it must not be ended; 1 in `closing` keeps it from going there. */
  linking: 18,
  closing: 19,
  text: 20,
} as const;

/** A thread asleep at a barrier looks up after so long although nobody woke it: another may have failed. */
export const sleepMs = 5;

export const states = { starting: 0, ready: 1, failed: 2 } as const;
export const results = { done: 0, aborted: 1, failed: 2 } as const;

/** What a worker needs to run a code. */
export type CodePayload =
  | { readonly kind: 'wasm'; readonly module: WebAssembly.Module; readonly memory: WebAssembly.Memory; readonly serial: string; readonly parallel: string }
  | { readonly kind: 'native'; readonly serial: bigint; readonly parallel: bigint };

/** Messages from the pool to a worker. */
export type Message =
  | { readonly add: number; readonly code: CodePayload }
  | { readonly drop: number }
  /** Browsers only, whose workers do not sleep on the mailbox. */
  | { readonly wake: true }
  | { readonly start: WorkerData };

export interface WorkerData {
  readonly control: SharedArrayBuffer;
  readonly index: number;
  readonly mailbox: typeof mailbox;
  readonly states: typeof states;
  readonly results: typeof results;
  readonly outcome: typeof outcome;
  readonly sleepMs: number;
  /** How long a worker looks for the next command before it sleeps. */
  readonly spinMs: number;
}
