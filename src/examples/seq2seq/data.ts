/** The task's data: digits 1-9 around one run of zeros, and the same with that run moved right by its own length; as CSV on disk. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { csvTensor, DataError, type Dataset, mapDataset, type Random, randomNumbers, shuffledIndices } from 'whetstone/data';
import { readCsv } from 'whetstone/data/node';
import { fromTypedArray, type Tensor } from 'whetstone/tensor';

/** Digits in a sequence. */
export const length = 10;

export interface Pair {
  readonly input: readonly number[];
  readonly target: readonly number[];
}

// ---- making them

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

// ---- on disk

const namesOf = (letter: string): string[] => Array.from({ length }, (_, i) => `${letter}${i}`);
const [inputNames, targetNames] = [namesOf('x'), namesOf('y')];

const toCsv = (pairs: readonly Pair[]): string =>
  [[...inputNames, ...targetNames], ...pairs.map(({ input, target }) => [...input, ...target])].map((row) => `${row.join(',')}\n`).join('');

/** @throws DataError where the file is missing or not such a table of digits */
export async function readPairs(path: string): Promise<Pair[]> {
  const table = await readCsv(path);
  const [inputs, targets] = [inputNames, targetNames].map((names) => csvTensor(table, names).tolist() as number[][]);
  const wrong = [...inputs, ...targets].flat().find((digit) => !(Number.isInteger(digit) && digit >= 0 && digit <= 9));
  if (wrong !== undefined) throw new DataError(path, { expected: 'digits from 0 to 9', got: `${wrong}` });
  return inputs.map((input, i) => ({ input, target: targets[i] }));
}

export const filesIn = (folder: string): { train: string; valid: string } => ({ train: join(folder, 'train.csv'), valid: join(folder, 'valid.csv') });

/** Writes train.csv and valid.csv, without an input in common, into the folder; gives their paths. */
export async function writeFiles(folder: string, counts: { readonly train: number; readonly valid: number }, seed: number): Promise<{ train: string; valid: string }> {
  const pairs = makePairs(counts.train + counts.valid, seed);
  const paths = filesIn(folder);
  await mkdir(folder, { recursive: true });
  await writeFile(paths.train, toCsv(pairs.slice(0, counts.train)));
  await writeFile(paths.valid, toCsv(pairs.slice(counts.train)));
  return paths;
}

// ---- on their way to the model

/**
 * Pairs whose digits 1-9 change places with each other, at random and anew each epoch. One that would come out as a pair that is
 * validated on stays as it is: nothing of those is ever trained on.
 */
export function relabelled(pairs: Dataset<Pair>, valid: readonly Pair[], seed: number): Dataset<Pair> {
  const kept = new Set(valid.map(({ input }) => input.join('')));
  return mapDataset(pairs, (pair, random) => {
    const changed = relabel(pair, random);
    return kept.has(changed.input.join('')) ? pair : changed;
  }, { seed });
}

function relabel({ input, target }: Pair, random: Random): Pair {
  const digits = [0, ...shuffledIndices(9, random).map((digit) => 1 + digit)];
  return { input: input.map((digit) => digits[digit]), target: target.map((digit) => digits[digit]) };
}

/** Inputs and targets, each int64 [pairs, length]. */
export const collatePairs = (pairs: readonly Pair[]): readonly [input: Tensor, target: Tensor] => [
  digitsOf(pairs.map(({ input }) => input)),
  digitsOf(pairs.map(({ target }) => target)),
];
const digitsOf = (rows: readonly (readonly number[])[]): Tensor => fromTypedArray(BigInt64Array.from(rows.flat(), BigInt), [rows.length, length]);
