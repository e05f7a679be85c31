/** Datasets on other threads give what they would give on this one, in the same order, and say which item failed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DataLoader, mapDataset, randomNumbers } from './index.ts';
import { type WorkerDataset, workerDataset, type WorkerDatasetOptions } from './node.ts';

let folder: string;
// Within node_modules, so that packages are found.
beforeAll(() => void (folder = mkdtempSync(fileURLToPath(new URL('../../node_modules/.whetstone-', import.meta.url)))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open: WorkerDataset<unknown>[] = [];
afterAll(() => Promise.all(open.map((dataset) => dataset.close())));
async function datasetOf<T>(source: string, options?: WorkerDatasetOptions): Promise<WorkerDataset<T>> {
  const file = join(folder, `${Math.random().toString(36).slice(2)}.mjs`);
  writeFileSync(file, source);
  const dataset = await workerDataset<T>(pathToFileURL(file), options);
  open.push(dataset);
  return dataset;
}

describe('workerDataset', () => {
  test('gives the items that the module makes, in order, whatever time each takes', async () => {
    const dataset = await datasetOf<{ index: number; epoch: number; thread: number }>(
      `import { threadId } from 'node:worker_threads';
       export const numbers = async ({ count }) => ({
         length: count,
         async get(index, epoch = 0) {
           await new Promise((resolve) => setTimeout(resolve, (index * 7) % 5));
           return { index, epoch, thread: threadId };
         },
       });`,
      { name: 'numbers', options: { count: 23 }, workers: 2 },
    );
    expect(dataset.length).toBe(23);
    const order = (loader: DataLoader<number, number[]>): number[] => [...loader].flat();
    const threads = new Set<number>();
    for (const batchSize of [1, 4, 23]) {
      const loader = new DataLoader(dataset, { batchSize, shuffle: true, seed: 3, collate: (items) => [...items] });
      const plain = new DataLoader({ length: 23, get: (i: number) => i }, { batchSize, shuffle: true, seed: 3, collate: (items) => [...items] });
      for (const epoch of [0, 1]) {
        const items: { index: number; epoch: number; thread: number }[] = [];
        for await (const batch of loader) items.push(...batch);
        expect(items.map(({ index }) => index)).toEqual(order(plain));
        expect(items.every((item) => item.epoch === epoch)).toBe(true);
        for (const { thread } of items) threads.add(thread);
      }
    }
    expect(threads.size).toBe(2);
  });

  test('hands over tensors, arrays and what is made of them; what they are views of stays', async () => {
    const dataset = await datasetOf<{ image: { width: number; data: Uint8Array }; label: number; x: Float32Array; name: string; list: (bigint | boolean | null)[] }>(
      `const all = Float32Array.from({ length: 40 }, (_, i) => i);
       export default {
         length: 10,
         get: (i) => ({ image: { width: 1, data: Buffer.from([i, i, i]) }, label: i, x: all.subarray(i * 4, i * 4 + 4), name: 'n' + i, list: [BigInt(i), true, null] }),
       };`,
    );
    for (const i of [3, 3]) {
      expect(await dataset.get(i)).toEqual({ image: { width: 1, data: Uint8Array.of(i, i, i) }, label: i, x: Float32Array.of(12, 13, 14, 15), name: 'n3', list: [3n, true, null] });
    }
  });

  test('gives the batches of the same dataset on this thread', async () => {
    await build({
      stdin: {
        resolveDir: fileURLToPath(new URL('.', import.meta.url)),
        loader: 'ts',
        contents: `import { mapDataset } from './index.ts'; import { tensor } from '../tensor/index.ts';
          export default mapDataset({ length: 12, get: (i: number) => i }, (i, random) => [tensor([i, random()]), tensor(i, { dtype: 'int64' })] as const, { seed: 5 });`,
      },
      bundle: true,
      format: 'esm',
      platform: 'node',
      outfile: join(folder, 'tensors.mjs'),
      logLevel: 'silent',
    });
    const dataset = await workerDataset<readonly [never, never]>(join(folder, 'tensors.mjs'), { workers: 1 });
    open.push(dataset);
    const plain = mapDataset({ length: 12, get: (i: number) => i }, (i, random) => [i, random()], { seed: 5 });
    const loader = new DataLoader(dataset, { batchSize: 5 });
    for (const epoch of [0, 1]) {
      let at = 0;
      for await (const [x, label] of loader as unknown as AsyncIterable<[import('../tensor/index.ts').Tensor, import('../tensor/index.ts').Tensor]>) {
        expect(label.dtype).toBe('int64');
        for (const [i, value] of x.tolist() as number[][]) {
          expect([i, value]).toEqual([at, Math.fround((plain.get(at, epoch) as number[])[1])]);
          at++;
        }
      }
      expect(at).toBe(12);
    }
    expect(randomNumbers(5, 0, 'items')()).toBe((plain.get(0, 0) as number[])[1]);
  });

  test('says which item failed, and gives the others', async () => {
    const dataset = await datasetOf<number>(`export default { length: 8, get: (i) => { if (i === 5) throw new RangeError('torn picture'); return i === 6 ? { call() {} } : i; } };`, { workers: 2 });
    const settled = await Promise.allSettled([0, 1, 2, 3, 4, 5, 6, 7].map((i) => dataset.get(i)));
    expect(settled.map(({ status }) => status === 'fulfilled')).toEqual([true, true, true, true, true, false, false, true]);
    await expect(dataset.get(5)).rejects.toThrow(/^item 5 of file:.*: expected an item, got torn picture$/);
    await expect(dataset.get(6)).rejects.toThrow(/^item 6 of .* could not be cloned/);
    await expect(dataset.get(8)).rejects.toThrow(/index: expected a whole number below 8, got 8/);
    const seen: unknown[] = [];
    const loop = async (): Promise<void> => {
      for await (const batch of new DataLoader(dataset, { batchSize: 2 })) seen.push(...(batch.tolist() as number[]));
    };
    await expect(loop()).rejects.toThrow(/item 5 of/);
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  test('says that a thread has died', async () => {
    const dataset = await datasetOf<number>(`export default { length: 8, get: (i) => (i === 3 ? process.exit(7) : i) };`, { workers: 1 });
    expect(await dataset.get(1)).toBe(1);
    await expect(Promise.all([dataset.get(3), dataset.get(4)])).rejects.toThrow(/a thread of .*: expected it to go on, got its end, with code 7/);
    await expect(dataset.get(1)).rejects.toThrow(/with code 7/);
    const broken = await datasetOf<number>(`export default { length: 8, get: (i) => new Promise(() => { setTimeout(() => { throw new Error('beyond'); }); }) };`, { workers: 1 });
    await expect(broken.get(0)).rejects.toThrow(/a thread of .*: expected it to go on, got beyond/);
  });

  test.each<[string, string, WorkerDatasetOptions | undefined, RegExp]>([
    ['no such export', 'export const a = 1;', undefined, /expected a module with a dataset, got it exports no 'default'/],
    ['no dataset', 'export default { length: 2 };', undefined, /its 'default' is no dataset/],
    ['an error at the start', `throw new Error('no data here');`, undefined, /expected a module with a dataset, got no data here/],
    ['other lengths', 'import { threadId } from "node:worker_threads"; export default { length: threadId, get: () => 0 };', { workers: 2 }, /expected \d+ items on every thread, got \d+/],
    ['no workers', 'export default [];', { workers: 0 }, /workers: expected a whole number from 1 on/],
  ])('refuses a module with %s', async (_what, source, options, message) => {
    await expect(datasetOf(source, options)).rejects.toThrow(message);
  });

  test('refuses a module that is not there, and is closed once', async () => {
    await expect(workerDataset(join(folder, 'none.mjs'))).rejects.toThrow(/none\.mjs: expected a module with a dataset, got .*(Cannot find|ENOENT)/);
    const dataset = await datasetOf<number>('export default { length: 1, get: () => 0 };');
    const waiting = dataset.get(0);
    const ended = expect(waiting).rejects.toThrow(/closed/);
    await dataset.close();
    await dataset.close();
    await ended;
    await expect(dataset.get(0)).rejects.toThrow(/expected a dataset that is open, got one that was closed/);
  });
});
