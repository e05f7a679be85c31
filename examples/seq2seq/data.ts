/** The task's data: digits 1-9 around one run of zeros, and the same with that run moved right by its own length; as CSV on disk. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { csvTensor, randomNumbers, TensorDataset } from '../../src/data/index.ts';
import { readCsv } from '../../src/data/node.ts';
import type { Tensor } from '../../src/tensor/index.ts';

/** Digits in a sequence. */
export const length = 10;

export interface Pair {
  readonly input: readonly number[];
  readonly target: readonly number[];
}

/** Each of them another input; the same for the same seed. */
export function makePairs(count: number, seed: number): Pair[] {
  const random = randomNumbers(seed);
  const below = (bound: number): number => Math.floor(random() * bound);
  const pairs = new Map<string, Pair>();
  while (pairs.size < count) {
    const run = 3 + below(2);
    const start = below(length - 2 * run + 1);
    const input = Array.from({ length }, (_, i) => (i >= start && i < start + run ? 0 : 1 + below(9)));
    pairs.set(input.join(''), { input, target: moveZeros(input, start, run) });
  }
  return [...pairs.values()];
}

/** The `run` zeros from `start` on change places with the `run` digits after them. */
const moveZeros = (digits: readonly number[], start: number, run: number): number[] => [
  ...digits.slice(0, start),
  ...digits.slice(start + run, start + 2 * run),
  ...digits.slice(start, start + run),
  ...digits.slice(start + 2 * run),
];

const namesOf = (letter: string): string[] => Array.from({ length }, (_, i) => `${letter}${i}`);
const [inputNames, targetNames] = [namesOf('x'), namesOf('y')];

export const toCsv = (pairs: readonly Pair[]): string =>
  [[...inputNames, ...targetNames], ...pairs.map(({ input, target }) => [...input, ...target])].map((row) => `${row.join(',')}\n`).join('');

export type Digits = TensorDataset<readonly [input: Tensor, target: Tensor]>;

/** Inputs and targets, each int64 [pairs, length]. @throws DataError where the file is missing or not such a table */
export async function readPairs(path: string): Promise<Digits> {
  const table = await readCsv(path);
  return new TensorDataset(csvTensor(table, inputNames).toLong(), csvTensor(table, targetNames).toLong());
}

/** Writes train.csv and valid.csv, without an input in common, into the folder; gives their paths. */
export async function writeFiles(folder: string, counts: { readonly train: number; readonly valid: number }, seed: number): Promise<{ train: string; valid: string }> {
  const pairs = makePairs(counts.train + counts.valid, seed);
  const paths = { train: join(folder, 'train.csv'), valid: join(folder, 'valid.csv') };
  await mkdir(folder, { recursive: true });
  await writeFile(paths.train, toCsv(pairs.slice(0, counts.train)));
  await writeFile(paths.valid, toCsv(pairs.slice(counts.train)));
  return paths;
}
