/** Datasets: items by number. Those made of others ask them when they are asked, so nothing is held twice. */
import type { TensorData } from '../graph/index.ts';
import { fromTypedArray, realize, type Tensor } from '../tensor/index.ts';
import { rows } from './collate.ts';
import { checkCount, DataError } from './errors.ts';
import { type Random, randomNumbers, shuffledIndices } from './random.ts';

export interface Dataset<T> {
  readonly length: number;
  /** Item `index`, at once or later. `epoch` is how often the data were gone through: what is random about an item depends on it. */
  get(index: number, epoch?: number): T | Promise<T>;
  /** Several items as a batch, where that is quicker than one by one. */
  getBatch?(indices: readonly number[]): unknown;
}

/** Items that come one after the other, without numbers: a stream, a generator. */
export type IterableDataset<T> = Iterable<T> | AsyncIterable<T>;

function checkIndex(index: number, length: number): number {
  if (!(Number.isInteger(index) && index >= 0 && index < length)) throw new DataError('index', { expected: `a whole number below ${length}`, got: `${index}` });
  return index;
}

/** Tensors side by side: item i is the i-th part of each along its first dimension. Values are taken now. */
export class TensorDataset<T extends readonly Tensor[]> implements Dataset<T> {
  readonly length: number;
  readonly #parts: readonly TensorData[];

  /** @throws DataError where there are none, or their first dimensions differ */
  constructor(...tensors: T) {
    realize(...tensors);
    this.#parts = tensors.map((tensor) => tensor.toTensorData());
    const sizes = tensors.map(({ shape }) => shape[0]);
    if (sizes.length === 0 || sizes.some((size) => size === undefined || size !== sizes[0])) {
      throw new DataError('TensorDataset', { expected: 'tensors of one length', got: sizes.length === 0 ? 'none' : sizes.map((size) => size ?? 'a scalar').join(', ') });
    }
    [this.length] = sizes;
  }

  get(index: number): T {
    checkIndex(index, this.length);
    return this.#parts.map(({ dtype, shape: [, ...shape], data }) => {
      const size = data.length / this.length;
      return fromTypedArray(data.slice(index * size, (index + 1) * size), shape, dtype);
    }) as unknown as T;
  }

  getBatch(indices: readonly number[]): T {
    for (const index of indices) checkIndex(index, this.length);
    return this.#parts.map(({ dtype, shape: [, ...shape], data }) => {
      const size = data.length / this.length;
      return rows(dtype, shape, indices.map((index) => ({ data, at: index * size })));
    }) as unknown as T;
  }
}

/** The items of a list. */
export const listDataset = <T>(items: readonly T[]): Dataset<T> => ({ length: items.length, get: (index) => items[checkIndex(index, items.length)] });

/** Those items of another dataset, in that order. */
export class Subset<T> implements Dataset<T> {
  readonly dataset: Dataset<T>;
  readonly indices: readonly number[];
  readonly getBatch?: (indices: readonly number[]) => unknown;

  constructor(dataset: Dataset<T>, indices: readonly number[]) {
    for (const index of indices) checkIndex(index, dataset.length);
    this.dataset = dataset;
    this.indices = indices;
    if (dataset.getBatch) this.getBatch = (wanted) => dataset.getBatch!(wanted.map((index) => indices[checkIndex(index, indices.length)]));
  }
  get length(): number {
    return this.indices.length;
  }
  get(index: number, epoch?: number): T | Promise<T> {
    return this.dataset.get(this.indices[checkIndex(index, this.length)], epoch);
  }
}

/**
 * Parts of these lengths, or of these fractions (which add up to 1), drawn at random without overlap; the same for the same seed.
 * @throws DataError where lengths do not add up to the dataset's
 */
export function randomSplit<T>(dataset: Dataset<T>, lengths: readonly number[], seed = 0): Subset<T>[] {
  const total = lengths.reduce((a, b) => a + b, 0);
  const isFractions = lengths.every((length) => length >= 0 && length <= 1) && Math.abs(total - 1) < 1e-9 && dataset.length !== 1;
  const sizes = isFractions ? lengths.map((part) => Math.floor(part * dataset.length + 1e-9)) : [...lengths];
  // What rounding left over goes round, as in PyTorch.
  if (isFractions) for (let i = 0, left = dataset.length - sizes.reduce((a, b) => a + b, 0); i < left; i++) sizes[i % sizes.length]++;
  for (const size of sizes) checkCount('randomSplit', size, 0);
  const sum = sizes.reduce((a, b) => a + b, 0);
  if (sum !== dataset.length) throw new DataError('randomSplit', { expected: `lengths that add up to ${dataset.length}, or fractions to 1`, got: lengths.join(', ') });
  const order = shuffledIndices(dataset.length, randomNumbers(seed, 0, 'split'));
  let start = 0;
  return sizes.map((size) => new Subset(dataset, order.slice(start, (start += size))));
}

/** Datasets end to end. */
export function concatDatasets<T>(...datasets: readonly Dataset<T>[]): Dataset<T> {
  const length = datasets.reduce((sum, dataset) => sum + dataset.length, 0);
  return {
    length,
    get(index, epoch) {
      let at = checkIndex(index, length);
      const found = datasets.find((dataset) => at < dataset.length || ((at -= dataset.length), false))!;
      return found.get(at, epoch);
    },
  };
}

/**
 * Every item as `change` makes it: to tensors, with augmentation. Its random numbers are a function of seed, epoch and index
 * alone, so what comes does not depend on who asks when.
 */
export function mapDataset<T, U>(dataset: Dataset<T>, change: (item: T, random: Random) => U | Promise<U>, { seed = 0 }: { readonly seed?: number } = {}): Dataset<Awaited<U>> {
  return {
    length: dataset.length,
    get(index, epoch = 0) {
      const random = randomNumbers(seed, epoch * dataset.length + index, 'items');
      const item = dataset.get(index, epoch);
      return (item instanceof Promise ? item.then((known) => change(known, random)) : change(item, random)) as Awaited<U> | Promise<Awaited<U>>;
    },
  };
}
