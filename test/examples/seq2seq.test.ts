/** The sequence-to-sequence example: its data are what they should be, come back from disk, and a small model learns from them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { configs } from '../../examples/seq2seq/configs.ts';
import { length, makePairs, readPairs, writeFiles } from '../../examples/seq2seq/data.ts';
import { makeTrainer, validate } from '../../examples/seq2seq/train.ts';
import { configure, fromTypedArray, programCounts } from '../../src/tensor/index.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

test('one run of three or four zeros moves right by its own length', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      for (const { input, target } of makePairs(20, seed)) {
        expect(input.join('')).toMatch(/^[1-9]*0{3,4}[1-9]*$/);
        const [zeros] = input.join('').match(/0+/)!;
        expect(input).toHaveLength(length);
        expect(target.indexOf(0)).toBe(input.indexOf(0) + zeros.length);
        expect(target.join('')).toContain(zeros);
        // What is no zero keeps its order.
        expect(target.filter(Boolean)).toEqual(input.filter(Boolean));
      }
    }),
    { numRuns: 50 },
  );
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
  const folder = mkdtempSync(join(tmpdir(), 'whet-seq2seq-'));
  try {
    const paths = await writeFiles(folder, { train: 30, valid: 7 }, 3);
    const pairs = makePairs(37, 3);
    for (const [path, expected] of [[paths.train, pairs.slice(0, 30)], [paths.valid, pairs.slice(30)]] as const) {
      const data = await readPairs(path);
      expect(data.length).toBe(expected.length);
      const [input, target] = data.getBatch(expected.map((_, i) => i));
      expect([input, target].map((tensor) => Array.from(tensor.toArray() as BigInt64Array, Number))).toEqual([expected.flatMap((pair) => pair.input), expected.flatMap((pair) => pair.target)]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const tensorOf = (rows: readonly (readonly number[])[]) => fromTypedArray(BigInt64Array.from(rows.flat(), BigInt), [rows.length, length]);

/** Losses of a small model's first steps, and its answers after them. */
function learn(seed: number, threads: number): { losses: number[]; answers: unknown; compiled: number } {
  const before = configure({ threads });
  try {
    const trainer = makeTrainer({ layers: 2, hidden: 16, dropout: 0.2, lr: 0.01 }, seed);
    const pairs = makePairs(16, 5);
    const [input, target] = [tensorOf(pairs.map((pair) => pair.input)), tensorOf(pairs.map((pair) => pair.target))];
    const first = trainer.step(input, target);
    const { compiled } = programCounts;
    const losses = [first, ...Array.from({ length: 24 }, () => trainer.step(input, target))];
    return { losses, compiled: programCounts.compiled - compiled, answers: trainer.respond(input).tolist() };
  } finally {
    configure(before);
  }
}

test('a small model learns, in one program, the same for a seed and for any number of threads', () => {
  const run = learn(1, 1);
  expect(run.losses.at(-1)).toBeLessThan(0.9 * run.losses[0]);
  expect(run.compiled).toBe(0);
  expect(learn(1, 1)).toEqual(run);
  expect(learn(1, 2)).toEqual(run);
  expect(learn(2, 1).losses).not.toEqual(run.losses);
});

test('validation counts digits and sequences', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'whet-seq2seq-'));
  try {
    const data = await readPairs((await writeFiles(folder, { train: 10, valid: 1 }, 4)).train);
    const targets = makePairs(11, 4).map(({ target }) => target);
    let at = 0;
    // Every second answer has one digit wrong.
    const respond = () => tensorOf(targets.slice(at, (at += 5)).map((row, i) => (i % 2 ? row : [(row[0] + 1) % 10, ...row.slice(1)])));
    expect(validate({ step: () => 0, respond }, data, 5)).toEqual({ digits: 0.94, sequences: 0.4 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('configurations differ from the reference as their names say', () => {
  const { reference } = configs;
  expect(reference).toMatchObject({ layers: 4, hidden: 256, dropout: 0.8, train: 14_000, valid: 2_800, epochs: 2_000 });
  expect(configs['one-layer']).toMatchObject({ layers: 1, dropout: 0, hidden: 256 });
  expect(configs['no-dropout']).toMatchObject({ layers: 4, dropout: 0 });
  expect(configs['few-pairs']).toMatchObject({ layers: 4, dropout: 0.8, train: 2_800 });
});

test('the command trains, says how it goes and shows samples', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'whet-seq2seq-'));
  const lines: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((text: string) => void lines.push(...text.trim().split('\n')));
  const before = process.argv;
  try {
    process.argv = [...before.slice(0, 2), '--config', 'quick', '--epochs', '1', '--data', folder];
    await import('../../examples/seq2seq/main.ts');
    const [, epoch, ...samples] = lines;
    const [, digits] = epoch.match(/^epoch 1\/1 {2}loss \d\.\d{4} {2}digits right ([\d.]+)% {2}sequences right [\d.]+% {2}\d+ sequences\/s$/)!;
    // An answer that is the input has about 30 in 100 right.
    expect(Number(digits)).toBeGreaterThan(60);
    expect(samples.map((line) => line.split(' ')[0])).toEqual(Array.from({ length: 5 }, () => ['Call', 'True', 'Resp', 'Accuracy']).flat());
  } finally {
    process.argv = before;
    log.mockRestore();
    rmSync(folder, { recursive: true });
  }
});
