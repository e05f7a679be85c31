/** The host under the runtime: Node or a browser. The only file here that knows which; no Node module is imported statically. */

interface Builtins {
  'node:fs': typeof import('node:fs');
  'node:os': typeof import('node:os');
  'node:path': typeof import('node:path');
  'node:worker_threads': typeof import('node:worker_threads');
}

/** A Node built-in module, or undefined where there is no Node. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  return globalThis.process?.getBuiltinModule?.(name) as Builtins[Name] | undefined;
}

export const isNode = builtin('node:worker_threads') !== undefined;

/** Whether memory can be shared between threads: always in Node, in a browser only on a cross-origin isolated page. */
export const canShareMemory = (): boolean =>
  typeof SharedArrayBuffer === 'function' && (isNode || globalThis.crossOriginIsolated === true);

const napWord = typeof SharedArrayBuffer === 'function' ? new Int32Array(new SharedArrayBuffer(4)) : undefined;

/** Whether this thread may sleep: not the page's own thread in a browser. */
export const canSleep = ((): boolean => {
  try {
    return napWord !== undefined && Atomics.wait(napWord, 0, 0, 0) === 'timed-out';
  } catch {
    return false;
  }
})();

/** Sleeps about `milliseconds`, or returns at once where this thread may not sleep. */
export function sleep(milliseconds: number): void {
  if (canSleep) Atomics.wait(napWord!, 0, 0, milliseconds);
}

/** What the pool needs of a thread, whichever host made it. */
export interface Thread {
  post(message: unknown): void;
  /** Keeps the process alive while true. */
  hold(on: boolean): void;
}
export interface ThreadEvents {
  message(): void;
  /** The thread failed to start or ended by itself. */
  died(reason: string): void;
}

/** Starts worker.js with `data`, or undefined where the host has no threads to give. */
export function startThread(data: unknown, events: ThreadEvents): Thread | undefined {
  // Resolved beside this file: src/ under vitest, dist/ when built. The pattern bundlers look for.
  const threads = builtin('node:worker_threads');
  if (threads) {
    const file = new URL('./worker.js', import.meta.url);
    // Told at once: that a thread could not load its file is otherwise heard of only when the event loop turns.
    if (file.protocol === 'file:' && !builtin('node:fs')!.existsSync(file)) {
      throw new Error(`${file.pathname} is missing: bundlers must keep it beside the module`);
    }
    const worker = new threads.Worker(file, {
      workerData: data,
      name: 'whetstone',
      // The parent's loaders and profilers are not wanted in the pool.
      execArgv: [],
      argv: [],
    });
    worker.on('message', events.message);
    worker.on('error', (error) => events.died(error instanceof Error ? error.message : String(error)));
    worker.on('exit', (code) => events.died(`it ended with code ${code}`));
    worker.unref();
    return {
      post: (message) => worker.postMessage(message),
      hold: (on) => (on ? worker.ref() : worker.unref()),
    };
  }
  if (typeof Worker !== 'function') return undefined;
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'whetstone' });
  worker.onmessage = events.message;
  worker.onerror = (event) => events.died(event.message || 'worker.js could not be loaded');
  worker.postMessage({ start: data });
  return { post: (message) => worker.postMessage(message), hold: () => {} };
}

/** Writes one line to stderr (the console in a browser). */
export function writeLine(line: string): void {
  const stderr = globalThis.process?.stderr;
  if (stderr) stderr.write(`${line}\n`);
  else console.error(line);
}
