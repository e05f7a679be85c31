/** The MNIST example on pictures made here: bars, whose place is the digit. */
import { gzipSync } from 'node:zlib';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomNumbers } from '../../src/data/index.ts';
import { draw, readDigits } from '../../src/examples/mnist/data.ts';
import { confusionTable, rightOf, sideBySide } from '../../src/examples/terminal.ts';
import { temporaryFolder, whet } from '../support/whet.ts';

const folder = temporaryFolder();
const side = 28;
const counts = { train: 256, t10k: 40 };

beforeAll(() => {
  for (const [part, count] of Object.entries(counts)) {
    const random = randomNumbers(count);
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
    const pictures = Uint8Array.from({ length: count * side * side }, (_, at) => {
      const row = Math.floor((at % (side * side)) / side);
      const isBar = Math.floor((row - 4) / 2) === labels[Math.floor(at / (side * side))];
      return isBar ? 200 + 55 * random() : 60 * random();
    });
    const idx = (magic: number[], sizes: number[], bytes: Uint8Array) => Buffer.concat([Buffer.from(magic), ...sizes.map((size) => Buffer.from(new Uint32Array([size]).buffer).reverse()), bytes]);
    writeFileSync(join(folder.path, `${part}-labels-idx1-ubyte`), idx([0, 0, 8, 1], [count], labels));
    // One file as LeCun's page has it.
    writeFileSync(join(folder.path, `${part}-images-idx3-ubyte.gz`), gzipSync(idx([0, 0, 8, 3], [count, side, side], pictures)));
  }
});
afterAll(() => folder.remove());

test('files come as they are, packed or not', async () => {
  const digits = await readDigits(folder.path, 't10k');
  const [picture, label] = digits.get(3);
  expect([digits.length, picture.dtype, picture.shape, label.item()]).toEqual([40, 'uint8', [1, 28, 28], 3]);
  const lines = draw(picture);
  expect(lines).toHaveLength(14);
  expect(lines.every(({ length }) => length === 28)).toBe(true);
  // The bar of a 3 is rows 10 and 11.
  expect(lines.map((line, i) => (/[#%@]{28}/.test(line) ? i : -1)).filter((i) => i >= 0)).toEqual([5]);
  mkdirSync(join(folder.path, 'empty'));
  await expect(readDigits(join(folder.path, 'empty'), 'train')).rejects.toThrow(/no such file/);
});

test('the command trains, and says what it got wrong', async () => {
  const { code, stdout, stderr } = await whet('train', 'mnist', '--data', folder.path, '--epochs', '6', '--threads', '1');
  expect({ code, epochs: stderr.match(/^epoch \d\/6 .*loss [\d.e-]+ {2}accuracy [\d.]+ {2}validation: loss [\d.e-]+ {2}accuracy [\d.]+$/gm)?.length }).toEqual({ code: 0, epochs: 6 });
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^ +0 +1 +2 .* 9 +right$/);
  const [, accuracy, wrong] = lines.at(-1)!.match(/^test accuracy ([\d.]+) %, (\d+) of 40 wrong$/)!;
  expect(Number(accuracy)).toBeCloseTo(100 * (1 - Number(wrong) / 40), 2);
  // Guessing gives 10.
  expect(Number(accuracy)).toBeGreaterThan(50);
  if (Number(wrong) > 0) expect(stdout).toMatch(/a \d, taken for a \d/);
});

test('tables', () => {
  const matrix = [[8, 0], [1, 11]];
  expect(confusionTable(matrix, ['cat', 'horse'])).toEqual(['       cat horse  right', '  cat    8     .  100.0 %', 'horse    1    11   91.7 %']);
  expect(rightOf(matrix)).toBe(0.95);
  expect(sideBySide([['a', 'b '], ['c', 'd ']])).toEqual(['a   c', 'b    d']);
});
