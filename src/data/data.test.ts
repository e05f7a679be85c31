/** Datasets, samplers and loaders: everything once an epoch, the same for the same seed, and on from the middle. */
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { arange, type Tensor, tensor } from '../tensor/index.ts';
import * as data from './index.ts';

const { DataLoader, TensorDataset } = data;
const list = (tensor: Tensor): number[] => tensor.tolist() as number[];
const counting = (n: number): data.Dataset<number> => ({ length: n, get: (i) => i });
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const item of items) result.push(item);
  return result;
}

describe('DataLoader', () => {
  test('gives every item once an epoch, in another order each', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 12 }), fc.boolean(), fc.nat(1000), (n, batchSize, dropLast, seed) => {
        const loader = new DataLoader(counting(n), { batchSize, shuffle: true, seed, dropLast });
        const batches = [...loader].map(list);
        expect(batches).toHaveLength(loader.length);
        const kept = dropLast ? n - (n % batchSize) : n;
        const seen = batches.flat();
        expect(seen).toHaveLength(kept);
        expect(new Set(seen).size).toBe(kept);
        expect(seen.every((i) => i >= 0 && i < n)).toBe(true);
        expect(batches.slice(0, -1).every((batch) => batch.length === batchSize)).toBe(true);
        const again = new DataLoader(counting(n), { batchSize, shuffle: true, seed, dropLast });
        expect([...again].map(list)).toEqual(batches);
      }),
    );
    const loader = new DataLoader(counting(50), { batchSize: 50, shuffle: true });
    expect([...loader].map(list)).not.toEqual([...loader].map(list));
  });

  test('for of and for await give the same, from the middle of an epoch as well', async () => {
    const make = () => new DataLoader(new TensorDataset(arange(23), arange(23).mul(2)), { batchSize: 4, shuffle: true, seed: 3 });
    const plain = (batches: readonly (readonly [Tensor, Tensor])[]) => batches.map((parts) => parts.map(list));
    const [one, two, middle] = [make(), make(), make()];
    for (let epoch = 0; epoch < 3; epoch++) {
      const expected = plain([...one]);
      expect(plain(await all(two))).toEqual(expected);
      expect(expected.flat(2).length).toBe(46);
      middle.resumeAt(epoch, 2);
      expect(plain(await all(middle))).toEqual(expected.slice(2));
      expect(middle.epoch).toBe(epoch + 1);
    }
  });

  test('asks for the next batches ahead, and no further', async () => {
    const asked: number[] = [];
    const slow: data.Dataset<number> = { length: 20, get: async (i) => (asked.push(i), i) };
    const seen: number[] = [];
    for await (const batch of new DataLoader(slow, { batchSize: 2, prefetch: 3 })) {
      seen.push(...list(batch));
      // The one in use and three ahead.
      expect(asked.length).toBeLessThanOrEqual(seen.length + 6);
      if (seen.length === 2) expect(asked).toHaveLength(8);
      if (seen.length === 10) break;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('an item that fails is an error at its batch', async () => {
    const broken: data.Dataset<number> = { length: 9, get: async (i) => { if (i === 7) throw new Error('item 7'); return i; } };
    const seen: number[] = [];
    await expect(async () => { for await (const batch of new DataLoader(broken, { batchSize: 2 })) seen.push(...list(batch)); }).rejects.toThrow('item 7');
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('takes what comes one after the other, and lets go of it', async () => {
    let open = 0;
    async function* stream(): AsyncGenerator<number> {
      open++;
      try {
        for (let i = 0; i < 7; i++) yield i;
      } finally {
        open--;
      }
    }
    const source = { [Symbol.asyncIterator]: stream };
    expect((await all(new DataLoader(source, { batchSize: 3 }))).map(list)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect((await all(new DataLoader(source, { batchSize: 3, dropLast: true }))).map(list)).toEqual([[0, 1, 2], [3, 4, 5]]);
    const resumed = new DataLoader(source, { batchSize: 3 });
    resumed.resumeAt(0, 1);
    expect((await all(resumed)).map(list)).toEqual([[3, 4, 5], [6]]);
    for await (const _ of new DataLoader(source, { batchSize: 2 })) break;
    await new Promise((done) => setTimeout(done, 5));
    expect(open).toBe(0);
    expect([...new DataLoader(new Set([5, 6, 7]), { batchSize: 2 })].map(list)).toEqual([[5, 6], [7]]);
    expect(() => [...new DataLoader(source)]).toThrow(/use for await/);
    expect(() => new DataLoader(source).length).toThrow(/with a length/);
    expect(() => new DataLoader(source, { shuffle: true })).toThrow(/expected a dataset with get and length, got shuffle/);
  });

  test('puts items together part by part', () => {
    const items = [0, 1, 2].map((i) => ({ x: tensor([i, i]), y: BigInt(i), name: `n${i}`, good: i > 0 }));
    const [batch] = new DataLoader(items, { batchSize: 3 });
    expectTypeOf(batch).toEqualTypeOf<{ x: Tensor; y: Tensor; name: string[]; good: Tensor }>();
    expect([batch.x.tolist(), batch.y.dtype, list(batch.y), batch.name, batch.good.tolist()]).toEqual([[[0, 0], [1, 1], [2, 2]], 'int64', [0, 1, 2], ['n0', 'n1', 'n2'], [false, true, true]]);
    const [own] = new DataLoader(items, { batchSize: 2, collate: (list) => list.length });
    expect(own).toBe(2);
    expect(() => [...new DataLoader([tensor([1]), tensor([1, 2])], { batchSize: 2 })]).toThrow(/expected tensors of float32 \[1\], got float32 \[2\]/);
    const pictures = [1, 2].map(() => [{ width: 1, height: 1, channels: 1, data: new Uint8Array(1) }, 1] as const);
    const [[images, labels]] = new DataLoader(pictures, { batchSize: 2 });
    expect([images.length, labels.shape]).toEqual([2, [2]]);
  });

  test('refuses orders that exclude each other', () => {
    expect(() => new DataLoader([1], { shuffle: true, sampler: data.sequentialSampler(1) })).toThrow(/got shuffle and sampler/);
    expect(() => new DataLoader([1], { batchSize: 0 })).toThrow(/batchSize: expected a whole number from 1 on, got 0/);
  });
});

describe('datasets', () => {
  test('TensorDataset gives parts of its tensors', () => {
    const set = new TensorDataset(tensor([[1, 2], [3, 4], [5, 6]]), tensor([7n, 8n, 9n]));
    expect(set.get(1).map((part) => part.tolist())).toEqual([[3, 4], 8]);
    expect(set.getBatch([2, 0]).map((part) => part.tolist())).toEqual([[[5, 6], [1, 2]], [9, 7]]);
    expect(() => set.get(3)).toThrow(/expected a whole number below 3, got 3/);
    expect(() => new TensorDataset(tensor([1]), tensor([1, 2]))).toThrow(/one length, got 1, 2/);
    expect(() => new TensorDataset(tensor(1))).toThrow(/a scalar/);
  });

  test('randomSplit deals everything out once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.nat(99), (n, seed) => {
        const parts = data.randomSplit(counting(n), [0.7, 0.2, 0.1], seed);
        const seen = parts.flatMap(({ indices }) => indices);
        expect([...seen].sort((a, b) => a - b)).toEqual([...Array(n).keys()]);
        expect(data.randomSplit(counting(n), [0.7, 0.2, 0.1], seed).map(({ indices }) => indices)).toEqual(parts.map(({ indices }) => indices));
      }),
    );
    expect(data.randomSplit(counting(10), [0.7, 0.2, 0.1]).map(({ length }) => length)).toEqual([7, 2, 1]);
    expect(data.randomSplit(counting(10), [8, 2]).map(({ length }) => length)).toEqual([8, 2]);
    expect(() => data.randomSplit(counting(10), [8, 1])).toThrow(/add up to 10/);
  });

  test('subsets and datasets end to end ask the right one', () => {
    const both = data.concatDatasets(counting(3), new data.Subset(counting(9), [8, 4]));
    expect([0, 1, 2, 3, 4].map((i) => both.get(i))).toEqual([0, 1, 2, 8, 4]);
    expect(() => both.get(5)).toThrow(data.DataError);
    expect(() => new data.Subset(counting(2), [2])).toThrow(data.DataError);
    const [batch] = new DataLoader(new data.Subset(new TensorDataset(arange(9)), [8, 4]), { batchSize: 2 });
    expect(list((batch as [Tensor])[0])).toEqual([8, 4]);
  });

  test('what is random about an item depends on seed, epoch and index alone', async () => {
    const make = (seed: number) => data.mapDataset(counting(6), (i, random) => i + random(), { seed });
    const once = [...new DataLoader(make(1), { batchSize: 6 })].map(list);
    const shuffled = new DataLoader(make(1), { batchSize: 6, shuffle: true });
    const [first, second] = [(await all(shuffled)).map(list), (await all(shuffled)).map(list)];
    expect(first.flat().sort()).toEqual(once.flat());
    expect(second.flat().sort()).not.toEqual(once.flat());
    expect([...new DataLoader(make(2), { batchSize: 6 })].map(list)).not.toEqual(once);
  });
});

describe('samplers', () => {
  test('draw evenly, or by weight', () => {
    const counts = (sampler: data.Sampler, n: number) => {
      const seen = Array<number>(n).fill(0);
      for (const i of sampler.indices(0)) seen[i]++;
      return seen;
    };
    for (const count of counts(data.randomSampler(4, { replacement: true, count: 8000 }), 4)) expect(Math.abs(count - 2000)).toBeLessThan(200);
    const [none, few, many] = counts(data.weightedSampler([0, 1, 3], 8000), 3);
    expect(none).toBe(0);
    expect(Math.abs(few - 2000)).toBeLessThan(200);
    expect(many).toBe(8000 - few);
    expect(() => data.weightedSampler([0, 0], 1)).toThrow(data.DataError);
    expect(() => data.randomSampler(3, { count: 4 })).toThrow(/at most 3 without replacement/);
  });
  test('random order has no favourites', () => {
    const firsts = Array<number>(5).fill(0);
    for (let epoch = 0; epoch < 5000; epoch++) firsts[[...data.randomSampler(5, { seed: 1 }).indices(epoch)][0]]++;
    for (const count of firsts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
