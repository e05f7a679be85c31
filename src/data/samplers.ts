/** Samplers: in which order items come in an epoch. A function of the epoch's number, so that any epoch can be gone through again. */
import { checkCount, DataError } from './errors.ts';
import { randomNumbers, shuffledIndices } from './random.ts';

export interface Sampler {
  /** How many there are in an epoch. */
  readonly length: number;
  indices(epoch: number): Iterable<number>;
}

export interface BatchSampler {
  readonly length: number;
  batches(epoch: number): Iterable<readonly number[]>;
}

/** From the first to the last. */
export function sequentialSampler(length: number): Sampler {
  checkCount('sequentialSampler', length, 0);
  return { length, indices: () => Array.from({ length }, (_, i) => i) };
}

export interface RandomSamplerOptions {
  readonly seed?: number;
  /** Draw each anew, so that some come twice and others not at all. */
  readonly replacement?: boolean;
  /** How many to draw. Default: as many as there are. */
  readonly count?: number;
}

/** In random order, another one each epoch. */
export function randomSampler(length: number, { seed = 0, replacement = false, count = length }: RandomSamplerOptions = {}): Sampler {
  checkCount('randomSampler', length, 0);
  checkCount('count', count, 0);
  if (!replacement && count > length) throw new DataError('count', { expected: `at most ${length} without replacement`, got: `${count}` });
  return {
    length: count,
    indices(epoch) {
      const random = randomNumbers(seed, epoch, 'order');
      return replacement ? Array.from({ length: count }, () => Math.floor(random() * length)) : shuffledIndices(length, random).slice(0, count);
    },
  };
}

/** Each with a probability in proportion to its weight, with replacement: rare classes as often as others. */
export function weightedSampler(weights: readonly number[], count: number, { seed = 0 }: { readonly seed?: number } = {}): Sampler {
  checkCount('count', count, 0);
  let total = 0;
  const sums = weights.map((weight) => (total += weight));
  if (weights.some((weight) => !(weight >= 0)) || !(total > 0 && Number.isFinite(total))) throw new DataError('weightedSampler', { expected: 'weights from 0 on, one of them larger', got: `a sum of ${total}` });
  const find = (point: number): number => {
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] > point) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  return {
    length: count,
    indices(epoch) {
      const random = randomNumbers(seed, epoch, 'order');
      return Array.from({ length: count }, () => find(random() * total));
    },
  };
}

/** A sampler's indices, so many at a time; the last ones are fewer, or left out. */
export function batchSampler(sampler: Sampler, batchSize: number, dropLast = false): BatchSampler {
  checkCount('batchSize', batchSize, 1);
  return {
    length: dropLast ? Math.floor(sampler.length / batchSize) : Math.ceil(sampler.length / batchSize),
    *batches(epoch) {
      let batch: number[] = [];
      for (const index of sampler.indices(epoch)) {
        batch.push(index);
        if (batch.length < batchSize) continue;
        yield batch;
        batch = [];
      }
      if (batch.length > 0 && !dropLast) yield batch;
    },
  };
}
