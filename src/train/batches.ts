/** Batches: what a training may be given as data, and batches as the lists of tensors that compiled steps take. */
import { type Batch, DataLoader, type Dataset, randomSplit, TensorDataset } from '../data/index.ts';
import { Tensor, type TensorLike } from '../tensor/index.ts';
import { TrainError } from './errors.ts';

/** A tensor, or numbers that make one. */
export type Values = Tensor | TensorLike;

/**
 * Tensors side by side (inputs, then the target; their first dimension counts the items), a dataset of items, or batches: a
 * DataLoader, or anything that can be gone through once an epoch.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- what a batch is, is inferred
export type TrainData = readonly Tensor[] | Dataset<any> | AsyncIterable<any> | Iterable<any>;

/** What a batch of such data is. */
export type BatchOf<D> =
  // oxlint-disable-next-line typescript/no-explicit-any
  D extends DataLoader<any, infer B> ? B : D extends readonly Tensor[] ? Tensor[] : D extends Dataset<infer T> ? Batch<T> : D extends AsyncIterable<infer B> | Iterable<infer B> ? B : never;

export interface BatchOptions {
  /** Of data that are no batches yet. Default: 32. */
  readonly batchSize?: number;
  /** Of data that are no batches yet: another order each epoch. Default in training: true. */
  readonly shuffle?: boolean;
  readonly seed?: number;
}

/** Batches, once through for each loop over them. */
export interface Batches<B> {
  /** In an epoch, where that is known. */
  readonly length: number | undefined;
  /** The epoch that the first loop is over. */
  readonly start: number;
  /** The batches of an epoch, from that one on: the same ones whenever they are asked for. */
  of(epoch: number, from: number): AsyncIterable<B> | Iterable<B>;
}

const isLoader = (data: object): data is DataLoader<unknown, unknown> => 'resumeAt' in data;
const isParts = (data: unknown): data is readonly Tensor[] => Array.isArray(data) && data.length > 0 && data.every((part) => part instanceof Tensor);
const isDataset = (data: object): data is Dataset<unknown> => 'get' in data && 'length' in data;

/** @throws TrainError for what is no data */
export function batchesOf<D>(data: D, options: BatchOptions): Batches<BatchOf<D>> {
  return (isObject(data) ? make(data, options) : undefined) ?? fail(data);
}

function make<B>(data: object, { batchSize = 32, shuffle = false, seed = 0 }: BatchOptions): Batches<B> | undefined {
  if (isLoader(data)) return ofLoader(data as DataLoader<unknown, B>);
  if (isParts(data)) return make(new TensorDataset(...data), { batchSize, shuffle, seed });
  if (isDataset(data)) return ofLoader(new DataLoader(data, { batchSize, shuffle, seed }) as unknown as DataLoader<unknown, B>);
  if (Symbol.asyncIterator in data || Symbol.iterator in data) return ofIterable(data as Iterable<B> | AsyncIterable<B>);
  return undefined;
}

/**
 * Tensors side by side, or a dataset, in two: what is left, and a part of all items drawn at random, the same for the same seed.
 * @throws TrainError for a part that is none, and for batches
 */
export function holdOut(data: unknown, part: number, seed: number): [kept: Dataset<unknown>, held: Dataset<unknown>] {
  if (!(part > 0 && part < 1)) throw new TrainError('validation', { expected: 'data, or a part of them between 0 and 1', got: `${part}` });
  const dataset = isParts(data) ? new TensorDataset(...data) : isObject(data) && isDataset(data) ? data : undefined;
  if (!dataset) throw new TrainError('validation', { expected: 'tensors or a Dataset to take a part of', got: isObject(data) ? data.constructor.name : typeof data, hint: 'split them with randomSplit' });
  const [kept, held] = randomSplit(dataset, [1 - part, part], seed);
  return [kept, held];
}

function ofLoader<B>(loader: DataLoader<unknown, B>): Batches<B> {
  return {
    length: loader.dataset && loader.length,
    start: loader.epoch,
    of(epoch, from) {
      loader.resumeAt(epoch, from);
      return loader;
    },
  };
}

function ofIterable<B>(data: Iterable<B> | AsyncIterable<B>): Batches<B> {
  return {
    length: Array.isArray(data) ? data.length : undefined,
    start: 0,
    async *of(_epoch, from) {
      let seen = 0;
      for await (const batch of data) if (seen++ >= from) yield batch;
    },
  };
}

const isObject = (data: unknown): data is object => typeof data === 'object' && data !== null;
const fail = (data: unknown): never => {
  throw new TrainError('data', { expected: 'tensors, a Dataset, a DataLoader or batches', got: isObject(data) ? data.constructor.name : typeof data });
};

// ---- batches as lists

/** A batch's structure: the number of a tensor in each tensor's place. */
type Layout = number | readonly Layout[] | { readonly [name: string]: Layout };

/** A batch's tensors, and its structure, from which another batch can be made. */
export interface Flat {
  readonly tensors: readonly Tensor[];
  readonly layout: Layout;
}

/** @throws TrainError where a part of the batch is no tensor */
export function flatten(batch: unknown): Flat {
  const tensors: Tensor[] = [];
  const visit = (part: unknown, where: string): Layout => {
    if (part instanceof Tensor) return tensors.push(part) - 1;
    if (Array.isArray(part)) return part.map((item, i) => visit(item, `${where}, part ${i}`));
    if (isObject(part) && Object.getPrototypeOf(part) === Object.prototype) {
      return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, visit(value, `${where}, ${name}`)]));
    }
    throw new TrainError(where, { expected: 'tensors, or lists and records of them', got: isObject(part) ? part.constructor.name : typeof part, hint: 'give the DataLoader a `collate` that makes tensors' });
  };
  const layout = visit(batch, 'a batch');
  return { tensors, layout };
}

/** The batch of that structure. */
export function unflatten<B>(layout: Layout, tensors: readonly Tensor[]): B {
  const put = (part: Layout): unknown => {
    if (typeof part === 'number') return tensors[part];
    if (Array.isArray(part)) return part.map(put);
    return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, put(value)]));
  };
  return put(layout) as B;
}

/** Items in a batch: the first dimension of its first tensor. */
export const itemsIn = ({ tensors: [first] }: Flat): number => first?.shape[0] ?? 1;
