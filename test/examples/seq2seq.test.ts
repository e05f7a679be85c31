/** The sequence-to-sequence example: its data are what they should be, come back from disk, and a small model learns from them. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listDataset } from '../../src/data/index.ts';
import { type Config, configs } from '../../src/examples/seq2seq/configs.ts';
import { length, makePairs, type Pair, readPairs, relabelled, writeFiles } from '../../src/examples/seq2seq/data.ts';
import { samplesOf, trainSeq2Seq } from '../../src/examples/seq2seq/index.ts';
import { configure, tensor } from '../../src/tensor/index.ts';
import { temporaryFolder } from '../support/whet.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => void (folder = temporaryFolder()));
afterAll(() => folder.remove());

function expectPair({ input, target }: Pair): void {
  expect(input.join('')).toMatch(/^[1-9]*0{3,4}[1-9]*$/);
  const [zeros] = input.join('').match(/0+/)!;
  expect(input).toHaveLength(length);
  expect(target.indexOf(0)).toBe(input.indexOf(0) + zeros.length);
  expect(target.join('')).toContain(zeros);
  // What is no zero keeps its order.
  expect(target.filter(Boolean)).toEqual(input.filter(Boolean));
}

test('one run of three or four zeros moves right by its own length', () => {
  fc.assert(fc.property(seeds, (seed) => makePairs(20, seed).forEach(expectPair)), { numRuns: 50 });
});

test('pairs are different ones, the same for a seed, of both runs and in all places', () => {
  const pairs = makePairs(500, 1);
  expect(new Set(pairs.map(({ input }) => input.join(''))).size).toBe(500);
  expect(makePairs(500, 1)).toEqual(pairs);
  expect(makePairs(500, 2)).not.toEqual(pairs);
  const runs = new Set(pairs.map(({ input }) => `${input.filter((digit) => digit === 0).length} at ${input.indexOf(0)}`));
  expect([...runs].sort()).toEqual(['3 at 0', '3 at 1', '3 at 2', '3 at 3', '3 at 4', '4 at 0', '4 at 1', '4 at 2']);
});

test('CSV files come back as they were written', async () => {
  const paths = await writeFiles(join(folder.path, 'csv'), { train: 30, valid: 7 }, 3);
  const pairs = makePairs(37, 3);
  expect([await readPairs(paths.train), await readPairs(paths.valid)]).toEqual([pairs.slice(0, 30), pairs.slice(30)]);
  await writeFile(paths.valid, (await readFile(paths.valid, 'utf8')).replace(/\d\n$/, '10\n'));
  await expect(readPairs(paths.valid)).rejects.toThrow(/valid\.csv: expected digits from 0 to 9, got 10/);
});

test('digits that change places leave a pair a pair, anew each epoch, and never make one that is validated on', async () => {
  const pairs = makePairs(40, 7);
  const changed = relabelled(listDataset(pairs), [], 1);
  const [first, second] = await Promise.all([0, 1].map((epoch) => Promise.all(pairs.map((_, i) => changed.get(i, epoch)))));
  first.forEach((pair, i) => {
    expectPair(pair);
    expect(pair.input.indexOf(0)).toBe(pairs[i].input.indexOf(0));
    const renamed = new Map(pairs[i].input.map((digit, at) => [digit, pair.input[at]]));
    expect(pair.target).toEqual(pairs[i].target.map((digit) => renamed.get(digit)));
  });
  expect(second).not.toEqual(first);
  const careful = relabelled(listDataset(pairs), [...first.slice(0, 20)], 1);
  expect(await Promise.all(pairs.map((_, i) => careful.get(i, 0)))).toEqual([...pairs.slice(0, 20), ...first.slice(20)]);
});

const tiny: Config = { ...configs.tuned, hidden: 16, embedding: 8, batch: 20, epochs: 30, lr: 0.02 };
const pairs = makePairs(50, 5);
const data = { train: pairs.slice(0, 40), valid: pairs.slice(40) };
async function learn(config: Config, threads: number, seed = 1) {
  const before = configure({ threads });
  const losses: number[] = [];
  try {
    const outcome = await trainSeq2Seq(config, data, { seed, watch: { callbacks: [{ onEpoch: ({ values }) => losses.push(values['loss/train']) }] } });
    return { losses, outcome };
  } finally {
    configure(before);
  }
}

test('a small model learns, the same for a seed and for any number of threads', async () => {
  const run = await learn(tiny, 1);
  expect(run.losses).toHaveLength(30);
  expect(run.losses.at(-1)).toBeLessThan(0.8 * run.losses[0]);
  // Answering at random gives 0.1.
  expect(run.outcome.digits).toBeGreaterThan(0.2);
  expect(run.outcome.samples.map(({ call, resp }) => [call.length, resp.length])).toEqual(Array.from({ length: 5 }, () => [length, length]));
  expect(await learn(tiny, 2)).toEqual(run);
  expect((await learn({ ...tiny, epochs: 1 }, 1, 2)).losses).not.toEqual(run.losses.slice(0, 1));
});

test('the reference trains as well: layers, dropout, a rate that stays', async () => {
  const { losses } = await learn({ ...configs.reference, layers: 2, hidden: 8, embedding: 8, batch: 20, epochs: 2 }, 1);
  expect(losses).toHaveLength(2);
  expect(losses.every(Number.isFinite)).toBe(true);
});

test('samples say how many digits are right', () => {
  // Each answer has its first digit wrong.
  const respond = () => tensor(data.valid.map(({ target: [first, ...rest] }) => [(first + 1) % 10, ...rest]), { dtype: 'int64' });
  for (const [i, sample] of samplesOf(data.valid, respond).entries()) {
    expect(sample).toMatchObject({ call: data.valid[i].input.join(''), true: data.valid[i].target.join(''), accuracy: 0.9 });
    expect(sample.resp.slice(1)).toBe(sample.true.slice(1));
  }
});

test('configurations differ from the reference as their names say', () => {
  const { reference, tuned } = configs;
  expect(reference).toMatchObject({ layers: 4, hidden: 256, embedding: 256, dropout: 0.8, train: 14_000, valid: 2_800, epochs: 2_000, oneCycle: false, relabel: false });
  expect(configs['one-layer']).toMatchObject({ layers: 1, dropout: 0, hidden: 256 });
  expect(configs['no-dropout']).toMatchObject({ layers: 4, dropout: 0 });
  expect(configs['few-pairs']).toMatchObject({ layers: 4, dropout: 0.8, train: 2_800 });
  expect([tuned.train, tuned.valid]).toEqual([reference.train, reference.valid]);
});
