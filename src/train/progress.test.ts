import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { Linear } from '../nn/index.ts';
import { manualSeed, rand, type Tensor } from '../tensor/index.ts';
import { accuracy, fit, type FitOptions, type Progress } from './index.ts';
import { progress, type ProgressOptions } from './node.ts';
import { formatSeconds, formatValue, formatValues } from './node/progress.ts';

async function shown(options: ProgressOptions, terminal = false, fitted: Partial<FitOptions<Tensor[]>> = {}, columns = 120): Promise<string> {
  let text = '';
  manualSeed(1);
  const data = [rand([40, 3]), rand([40]).gt(0.5).toLong()];
  const stream = { write: (part: string | Uint8Array) => ((text += part), true), isTTY: terminal as true, columns, on: () => stream, removeListener: () => stream };
  await fit(new Linear(3, 2), data, {
    loss: 'crossEntropy', batchSize: 8, epochs: 2, validation: data, metrics: { accuracy: accuracy() }, ...fitted, callbacks: [progress({ stream: stream as never, ...options })],
  });
  return text;
}

test('a line an epoch where nobody looks on', async () => {
  const lines = (await shown({})).split('\n');
  expect(lines).toHaveLength(3);
  const line = /^epoch \d\/2 {2}[\d.]+ s {2}[\d,]+\/s {2}loss [\d.]+ {2}accuracy [\d.]+ {2}validation: loss [\d.]+ {2}accuracy [\d.]+$/;
  for (const epoch of [0, 1]) expect(lines[epoch]).toMatch(line);
});

test('a bar on a terminal, and what each epoch came to', async () => {
  const text = await shown({}, true);
  expect(text).toMatch(/━/);
  expect(text).toMatch(/\d\/5 .*\/s .* left .*loss/);
  expect(text.match(/epoch \d\/2 {2}[\d.]+ s .*validation: loss/g)).toHaveLength(2);
  // The cursor is there again.
  expect(text.lastIndexOf('\u001B[?25h')).toBeGreaterThan(text.lastIndexOf('\u001B[?25l'));
});

test('a narrow terminal has fewer values, none of them cut', async () => {
  for (const columns of [50, 60, 70, 80]) {
    const text = await shown({}, true, {}, columns);
    const drawn = text.split('\u001B[1G').map((part) => stripVTControlCharacters(part.split('\n')[0]).trimEnd()).filter((part) => part.includes('━'));
    expect(drawn.length).toBeGreaterThan(0);
    for (const line of drawn) {
      expect(line.length).toBeLessThan(columns);
      expect(line).toMatch(/━ {2}\d\/5( {2}[\d,]+\/s( {2}[\d.]+ s left( {2}loss (0\.\d{4}|[1-9]\.\d{3})( {2}accuracy (0\.000|0\.\d{4}|1\.000))?)?)?)?$/);
    }
  }
});

test('JSON, one object a line', async () => {
  const objects = (await shown({ mode: 'json', every: 2 })).trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(objects.map(({ event, step }) => [event, step])).toEqual([
    ['begin', undefined], ['step', 2], ['step', 4], ['epoch', 5], ['step', 6], ['step', 8], ['step', 10], ['epoch', 10], ['end', undefined],
  ]);
  expect(Object.keys(objects[3])).toEqual(expect.arrayContaining(['epoch', 'loss/train', 'accuracy/validation', 'learning-rate', 'itemsPerSecond']));
  expect(objects[0]).toMatchObject({ epochs: 2, stepsPerEpoch: 5 });
  expect(objects[8]).toMatchObject({ epochs: 2, best: { monitor: 'loss/validation' } });
});

test('nothing, where it is to be quiet', async () => {
  expect(await shown({ mode: 'quiet' })).toBe('');
  expect(() => progress({ mode: 'loud' as never })).toThrow(/progress: expected one of bar, lines, json, quiet, got loud/);
});

test('says what stopped it', async () => {
  expect(await shown({}, false, { earlyStopping: { patience: 0, minDelta: 100 }, epochs: 9 })).toMatch(/\nstopped: loss\/validation was best in epoch 1, 1 epoch ago\n$/);
});

test('words', () => {
  expect([0, 0.5, 123.456, 1e-5, 2e6, NaN, -0.25].map(formatValue)).toEqual(['0.000', '0.5000', '123.5', '1.00e-5', '2.00e+6', 'NaN', '-0.2500']);
  expect([0.25, 59.4, 60, 3725, NaN].map(formatSeconds)).toEqual(['0.3 s', '59 s', '1 min 0 s', '1 h 2 min', '?']);
  expect(formatValues({ 'loss/train': 1, 'learning-rate': 0.1, 'loss/validation': 2 } satisfies Progress['values'])).toBe('loss 1.000  validation: loss 2.000');
});
