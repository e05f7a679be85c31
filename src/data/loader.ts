/**
 * DataLoader: a dataset in batches, once through for each loop over it. `for await` prefetches: the next batches are asked for
 * while this one is used. That happens on the event loop (reading and decoding go to Node's own threads, JavaScript does not).
 */
import { type Batch, collate as defaultCollate } from './collate.ts';
import { type Dataset, type IterableDataset, listDataset } from './datasets.ts';
import { checkCount, DataError } from './errors.ts';
import { batchSampler, type BatchSampler, randomSampler, type Sampler, sequentialSampler } from './samplers.ts';

export interface LoaderOptions<T, B> {
  /** Default: 1. */
  readonly batchSize?: number;
  /** Another order each epoch, a function of `seed` and the epoch's number. */
  readonly shuffle?: boolean;
  readonly seed?: number;
  /** Leave out the last batch where it is not full. */
  readonly dropLast?: boolean;
  /** The order of items, instead of `shuffle`. */
  readonly sampler?: Sampler;
  /** The items of each batch, instead of `batchSize`, `shuffle`, `sampler` and `dropLast`. */
  readonly batchSampler?: BatchSampler;
  /** Items to a batch. Default: tensors are stacked, and so on; see `collate`. */
  readonly collate?: (items: readonly T[]) => B;
  /** Batches asked for ahead of the one in use, with `for await`. Default: 2. */
  readonly prefetch?: number;
}

/** A dataset by numbers, a list, or items one after the other. */
export type Source<T> = Dataset<T> | readonly T[] | IterableDataset<T>;

export class DataLoader<T, B = Batch<T>> implements AsyncIterable<B>, Iterable<B> {
  readonly dataset: Dataset<T> | undefined;
  readonly batchSize: number;
  readonly #stream: IterableDataset<T> | undefined;
  readonly #sampler: BatchSampler | undefined;
  readonly #collate: (items: readonly T[]) => B;
  readonly #usesBatches: boolean;
  readonly #dropLast: boolean;
  readonly #prefetch: number;
  /** Where the next loop begins. */
  #next = { epoch: 0, batch: 0 };

  /** @throws DataError for options that exclude each other, and for an order of what has no numbers */
  constructor(source: Source<T>, options: LoaderOptions<T, B> = {}) {
    const { batchSize = 1, shuffle = false, seed = 0, dropLast = false, sampler, collate, prefetch = 2 } = options;
    this.batchSize = checkCount('batchSize', batchSize, 1);
    this.#prefetch = checkCount('prefetch', prefetch, 0);
    this.#dropLast = dropLast;
    this.#collate = collate ?? (defaultCollate as unknown as (items: readonly T[]) => B);
    const dataset = Array.isArray(source) ? listDataset(source as readonly T[]) : 'get' in source && 'length' in source ? source : undefined;
    this.dataset = dataset;
    this.#usesBatches = !collate && dataset?.getBatch !== undefined;
    const excluded = [shuffle && 'shuffle', sampler && 'sampler', options.batchSampler && 'batchSampler'].filter(Boolean);
    if (excluded.length > 1) throw new DataError('DataLoader', { expected: 'one of shuffle, sampler and batchSampler', got: excluded.join(' and ') });
    if (dataset) {
      const order = sampler ?? (shuffle ? randomSampler(dataset.length, { seed }) : sequentialSampler(dataset.length));
      this.#sampler = options.batchSampler ?? batchSampler(order, batchSize, dropLast);
      return;
    }
    if (excluded.length > 0) throw new DataError('DataLoader', { expected: 'a dataset with get and length', got: `${excluded[0]} of items that come one after the other` });
    this.#stream = source as IterableDataset<T>;
  }

  /** Batches in an epoch. @throws DataError for items that come one after the other: nobody knows how many */
  get length(): number {
    if (!this.#sampler) throw new DataError('length', { expected: 'a dataset with a length', got: 'an iterable' });
    return this.#sampler.length;
  }

  /** Where the next loop begins; with `resumeAt`, what a checkpoint needs. */
  get epoch(): number {
    return this.#next.epoch;
  }

  /** The next loop is over that epoch, from that batch on: the same batches as if all before had been gone through. */
  resumeAt(epoch: number, batch = 0): void {
    this.#next = { epoch: checkCount('epoch', epoch, 0), batch: checkCount('batch', batch, 0) };
  }

  #begin(): { epoch: number; batch: number } {
    const begin = this.#next;
    this.#next = { epoch: begin.epoch + 1, batch: 0 };
    return begin;
  }

  /** Batches one by one. @throws DataError where an item comes later: use `for await` */
  *[Symbol.iterator](): Generator<B, void, undefined> {
    const { epoch, batch } = this.#begin();
    if (this.#sampler) {
      for (const indices of skip(this.#sampler.batches(epoch), batch)) {
        yield now(this.#usesBatches ? this.dataset!.getBatch!(indices) : this.#collate(indices.map((index) => now(this.dataset!.get(index, epoch))))) as B;
      }
    } else if (Symbol.iterator in this.#stream!) yield* skip(this.#inBatches(this.#stream), batch);
    else throw new DataError('for of', { expected: 'items that are there', got: 'an asynchronous iterable', hint: 'use for await' });
  }

  /** Batches, the next ones asked for ahead. */
  async *[Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    const { epoch, batch } = this.#begin();
    const source = this.#sampler ? this.#loading(epoch, batch) : this.#streaming(batch);
    const queue: Promise<IteratorResult<B, void>>[] = [];
    try {
      for (;;) {
        while (queue.length <= this.#prefetch) {
          const job = source.next();
          // Its error is thrown when its turn comes, which may be never.
          job.catch(() => undefined);
          queue.push(job);
        }
        const result = await queue.shift()!;
        if (result.done) return;
        yield result.value;
      }
    } finally {
      // Not waited for: a stream may never deliver what was asked for ahead.
      source.return?.().catch(() => undefined);
    }
  }

  /** Several batches at a time, the items of each at a time. */
  #loading(epoch: number, batch: number): Asking<B> {
    const batches = skip(this.#sampler!.batches(epoch), batch);
    const { dataset } = this;
    return {
      next: async () => {
        const next = batches.next();
        if (next.done) return { done: true, value: undefined };
        if (this.#usesBatches) return { done: false, value: (await dataset!.getBatch!(next.value)) as B };
        return { done: false, value: this.#collate(await Promise.all(next.value.map((index) => dataset!.get(index, epoch)))) };
      },
    };
  }

  async *#streaming(batch: number): AsyncGenerator<B, void, undefined> {
    let items: T[] = [];
    let seen = 0;
    for await (const item of this.#stream as AsyncIterable<T>) {
      items.push(item);
      if (items.length < this.batchSize) continue;
      if (seen++ >= batch) yield this.#collate(items);
      items = [];
    }
    if (items.length > 0 && !this.#dropLast && seen >= batch) yield this.#collate(items);
  }

  *#inBatches(stream: Iterable<T>): Generator<B, void, undefined> {
    let items: T[] = [];
    for (const item of stream) {
      items.push(now(item));
      if (items.length < this.batchSize) continue;
      yield this.#collate(items);
      items = [];
    }
    if (items.length > 0 && !this.#dropLast) yield this.#collate(items);
  }
}

interface Asking<B> {
  next(): Promise<IteratorResult<B, void>>;
  return?(): Promise<unknown>;
}

function now<T>(item: T | Promise<T>): T {
  if (item instanceof Promise) {
    item.catch(() => undefined);
    throw new DataError('for of', { expected: 'items that are there', got: 'a promise', hint: 'use for await' });
  }
  return item;
}

function* skip<T>(items: Iterable<T>, count: number): Generator<T, void, undefined> {
  let seen = 0;
  for (const item of items) if (seen++ >= count) yield item;
}
