/**
 * workerDataset: a dataset whose items are made on threads of their own, for items that take JavaScript's time. A DataLoader over
 * it prefetches as over any other: the items of the batches that it asks for ahead are shared out to the threads. Order and
 * items do not depend on them.
 */
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { TensorData } from '../../graph/index.ts';
import { fromTensorData } from '../../tensor/index.ts';
import type { Dataset } from '../datasets.ts';
import { checkCount, DataError } from '../errors.ts';

export interface WorkerDatasetOptions {
  /** What the module exports: a Dataset, or a function that makes one (or a promise of one). Default: 'default'. */
  readonly name?: string;
  /** What that function is called with: plain data. */
  readonly options?: unknown;
  /** Threads. Default: 2. */
  readonly workers?: number;
}

/** A dataset on other threads. */
export interface WorkerDataset<T> extends Dataset<T> {
  get(index: number, epoch?: number): Promise<T>;
  /** Ends the threads. Idle ones keep no process alive. */
  close(): Promise<void>;
}

// ---- messages

export interface Start {
  readonly module: string;
  readonly name: string;
  readonly options: unknown;
}
export interface Request {
  readonly id: number;
  readonly indices: readonly number[];
  readonly epoch: number | undefined;
}
export interface Problem {
  readonly message: string;
  readonly stack?: string;
}
/** One for each item of a request; `place` is which. */
export interface Reply {
  readonly id: number;
  readonly place: number;
  readonly item?: unknown;
  readonly problem?: Problem;
}
type Message = Reply | { readonly ready: number } | { readonly failed: Problem };

interface Wanted {
  readonly index: number;
  readonly epoch: number | undefined;
  readonly resolve: (item: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Tensors, of their data. */
function decode(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || ArrayBuffer.isView(item)) return item;
  if ('$tensor' in item) return fromTensorData(item.$tensor as TensorData);
  if (Array.isArray(item)) return item.map(decode);
  if (Object.getPrototypeOf(item) !== Object.prototype) return item;
  return Object.fromEntries(Object.entries(item).map(([name, part]) => [name, decode(part)]));
}

function causedBy(problem: Problem, where: string, expected: string): DataError {
  return Object.assign(new DataError(where, { expected, got: problem.message }), { cause: Object.assign(new Error(problem.message), { stack: problem.stack }) });
}

// ---- a thread

interface Thread {
  /** Items of the dataset. */
  readonly length: number;
  ask(wanted: readonly Wanted[]): void;
  close(): Promise<void>;
}

function startThread(start: Start): Promise<Thread> {
  // Where its items need tensors, one thread each is enough.
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: start, name: 'whetstone data', env: { ...process.env, WHET_THREADS: '1' } });
  const asked = new Map<number, Map<number, Wanted>>();
  let next = 0;
  let dead: DataError | undefined;
  const die = (error: DataError): void => {
    dead ??= error;
    for (const places of asked.values()) for (const { reject } of places.values()) reject(dead);
    asked.clear();
    worker.unref();
  };
  const settle = ({ id, place, item, problem }: Reply): void => {
    const places = asked.get(id);
    const wanted = places?.get(place);
    if (!places || !wanted) return;
    places.delete(place);
    if (places.size === 0) asked.delete(id);
    if (asked.size === 0) worker.unref();
    if (problem) wanted.reject(causedBy(problem, `item ${wanted.index} of ${start.module}`, 'an item'));
    else wanted.resolve(decode(item));
  };
  const send = (indices: readonly number[], epoch: number | undefined, wanted: readonly Wanted[]): void => {
    const id = next++;
    asked.set(id, new Map(wanted.map((one, place) => [place, one])));
    worker.ref();
    worker.postMessage({ id, indices, epoch } satisfies Request);
  };
  return new Promise((resolve, reject) => {
    const fail = (error: DataError): void => {
      die(error);
      reject(error);
    };
    worker.on('message', (message: Message) => {
      if ('failed' in message) {
        fail(causedBy(message.failed, start.module, 'a module with a dataset'));
        void worker.terminate();
      } else if ('ready' in message) {
        worker.unref();
        resolve({
          length: message.ready,
          ask(wanted) {
            if (dead) for (const one of wanted) one.reject(dead);
            else for (const epoch of new Set(wanted.map((one) => one.epoch))) {
              const same = wanted.filter((one) => one.epoch === epoch);
              send(same.map(({ index }) => index), epoch, same);
            }
          },
          async close() {
            die(new DataError(`a thread of ${start.module}`, { expected: 'a dataset that is open', got: 'one that was closed' }));
            await worker.terminate();
          },
        });
      } else settle(message);
    });
    worker.on('error', (error) => fail(causedBy(error instanceof Error ? error : { message: String(error) }, `a thread of ${start.module}`, 'it to go on')));
    worker.on('exit', (code) => fail(new DataError(`a thread of ${start.module}`, { expected: 'it to go on', got: `its end, with code ${code}` })));
  });
}

// ---- the dataset

/**
 * The dataset that a module exports, on `workers` threads: each imports the module. Items are tensors, numbers, typed arrays,
 * strings, and lists and records of them. What an item is must depend on its index and the epoch alone.
 * @param module its URL, such as `new URL('./pictures.js', import.meta.url)`, or path
 * @throws DataError where the module exports no dataset; from `get`, with the item's index, what the module throws, and what ended a thread
 */
export async function workerDataset<T>(module: URL | string, { name = 'default', options, workers = 2 }: WorkerDatasetOptions = {}): Promise<WorkerDataset<T>> {
  checkCount('workers', workers, 1);
  const start: Start = { module: module instanceof URL ? module.href : /^\w\w+:/.test(module) ? module : pathToFileURL(module).href, name, options };
  const starting = Array.from({ length: workers }, () => startThread(start));
  const settled = await Promise.allSettled(starting);
  const threads = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const close = async (): Promise<void> => void (await Promise.all(threads.map((thread) => thread.close())));
  const failure = settled.find((result) => result.status === 'rejected');
  const [length] = threads.map((thread) => thread.length);
  const odd = threads.find((thread) => thread.length !== length);
  if (failure || odd) {
    await close();
    throw failure?.reason ?? new DataError(start.module, { expected: `${length} items on every thread`, got: `${odd!.length}` });
  }

  let queue: Wanted[] = [];
  let turn = 0;
  /** What was asked for at once is shared out, in runs, so that a batch takes few messages. */
  const flush = (): void => {
    const wanted = queue;
    queue = [];
    const each = Math.ceil(wanted.length / threads.length);
    for (let at = 0; at < wanted.length; at += each) threads[turn++ % threads.length].ask(wanted.slice(at, at + each));
  };
  return {
    length,
    get: (index, epoch) =>
      new Promise((resolve, reject) => {
        if (!(Number.isInteger(index) && index >= 0 && index < length)) return reject(new DataError('index', { expected: `a whole number below ${length}`, got: `${index}` }));
        if (queue.push({ index, epoch, resolve: resolve as (item: unknown) => void, reject }) === 1) queueMicrotask(flush);
      }),
    close,
  };
}
