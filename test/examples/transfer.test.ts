/** The transfer example on a small network of its own, and pictures whose colours are their classes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apply, constant, fromNumbers, type Graph, input, type Model } from '../../src/index.ts';
import { randomNumbers } from '../../src/data/index.ts';
import { cifarPictures, folderPictures } from '../../src/examples/transfer/data.ts';
import { Rows } from '../../src/examples/transfer/features.ts';
import { type Backbone, type Config, transferLearn } from '../../src/examples/transfer/index.ts';
import { confusionPng, confusionSvg } from '../../src/examples/transfer/picture.ts';
import { readImage } from '../../src/vision/node.ts';
import { temporaryFolder } from '../support/whet.ts';

const folder = temporaryFolder();
const file = (...names: string[]) => join(folder.path, ...names);
afterAll(() => folder.remove());

const colours: Record<string, [number, number, number]> = { blue: [30, 40, 200], green: [30, 190, 60], red: [210, 40, 40] };
beforeAll(async () => {
  const random = randomNumbers(1);
  for (const [name, rgb] of Object.entries(colours)) {
    mkdirSync(file('photos', name), { recursive: true });
    for (let i = 0; i < 10; i++) {
      const [r, g, b] = rgb.map((value) => Math.round(value + 40 * (random() - 0.5)));
      await sharp({ create: { width: 12, height: 10, channels: 3, background: { r, g, b } } }).png().toFile(file('photos', name, `${i}.png`));
    }
  }
});

const random = randomNumbers(2);
const weight = (name: string, ...shape: number[]) => constant(fromNumbers('float32', shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() - 0.5)), name);
const [first, second] = [weight('one/kernel', 6, 3, 3, 3), weight('two/kernel', 8, 6, 3, 3)];
/** Two convolutions, pooled: what a pretrained network is without its head. */
const model: Model = {
  name: 'small',
  inputs: [{ name: 'picture', dtype: 'float32', shape: ['batch', 3, 8, 8] }],
  outputs: ['pooled'],
  build(shapes): Graph {
    const picture = input('picture', 'float32', shapes!.picture);
    const one = apply('Relu', [apply('Conv', [picture, first], { pads: [1, 1, 1, 1], strides: [2, 2] }, 'one')], {}, 'one/relu');
    const two = apply('Relu', [apply('Conv', [one, second], { pads: [1, 1, 1, 1] }, 'two')], {}, 'two/relu');
    return { name: 'small', inputs: [{ name: 'picture', value: picture }], outputs: [{ name: 'pooled', value: apply('Flatten', [apply('GlobalAveragePool', [two])], {}, 'pooled') }] };
  },
};
const backbone: Backbone = {
  model,
  recipe: { fit: { mode: 'stretch', width: 8, height: 8 }, layout: 'NCHW', order: 'RGB', scale: 1 / 64, mean: [2, 2, 2], std: [1, 1, 1] },
  stage: 'one',
  pooled: 'pooled',
};
const config: Config = { summary: '', train: 24, test: 6, headEpochs: 30, epochs: 5, rates: { head: 0.05, stage: 0.01 } };

test('a new head learns classes of one’s own, then the last stage with it', async () => {
  const pictures = await folderPictures(file('photos'), config, 0);
  expect([pictures.classes, pictures.train.length, pictures.test.length]).toEqual([['blue', 'green', 'red'], 24, 6]);
  const seen: string[] = [];
  const done: number[] = [];
  const outcome = await transferLearn(backbone, pictures, config, {
    seed: 0,
    compile: { threads: 1 },
    progress: () => (count) => void done.push(count),
    watch: (phase) => ({ callbacks: [{ onEpoch: ({ values }) => void seen.push(`${phase} ${values['loss/train'] > 0}`) }] }),
  });
  expect(done.at(-1)).toBe(30);
  expect(seen).toEqual([...Array.from({ length: 30 }, () => 'head true'), ...Array.from({ length: 5 }, () => 'stage true')]);
  // Guessing gives a third.
  expect(outcome.headAccuracy).toBeGreaterThan(0.6);
  expect(outcome.accuracy).toBeGreaterThan(0.6);
  expect(outcome.confusion.flat().reduce((a, b) => a + b)).toBe(6);
  expect((await readImage(outcome.picture)).width).toBeGreaterThan(100);
});

test('CIFAR-10’s sheets are cut into pictures', async () => {
  mkdirSync(file('cifar'));
  const rows = 5;
  // Picture i is all i, but for a white pixel at x = 3, y = 1.
  const sheet = Buffer.from(Uint8Array.from({ length: rows * 1024 * 3 }, (_, at) => (Math.floor((at % 3072) / 3) === 35 ? 255 : Math.floor(at / 3072))));
  for (const name of ['data_batch_1.png', 'test_batch.png']) await sharp(sheet, { raw: { width: 1024, height: rows, channels: 3 } }).png().toFile(file('cifar', name));
  for (const name of ['train_labels.json', 'test_labels.json']) writeFileSync(file('cifar', name), '[3,1,4,1,5]');
  const { classes, train, test: tested } = await cifarPictures(file('cifar'), { train: 4, test: 99 });
  expect([classes.length, train.length, tested.length]).toEqual([10, 4, 5]);
  const { image, label } = await train.get(2);
  expect([label, image.width, image.height, image.data.length]).toEqual([4, 32, 32, 3072]);
  expect([...image.data.subarray(0, 3), ...image.data.subarray((32 + 3) * 3, (32 + 4) * 3)]).toEqual([2, 2, 2, 255, 255, 255]);
  writeFileSync(file('cifar', 'test_labels.json'), '[3,1,4,1,10]');
  await expect(cifarPictures(file('cifar'), { train: 4, test: 4 })).rejects.toThrow(/5 labels from 0 to 9/);
});

test('kept features are near to what they were', () => {
  const rows = new Rows(2, [3]);
  rows.set(0, Float32Array.of(1, 0.1, -3));
  rows.set(1, Float32Array.of(0, 1e-3, 12345));
  const got = rows.get([1, 0]).tolist() as number[][];
  [[0, 1e-3, 12345], [1, 0.1, -3]].forEach((row, i) => row.forEach((value, j) => expect(Math.abs(got[i][j] - value)).toBeLessThanOrEqual(Math.abs(value) / 256)));
});

test('the confusion matrix is a picture', async () => {
  const svg = confusionSvg([[8, 2], [0, 10]], ['<cat>', 'dog']);
  expect(svg).toContain('&#60;cat&#62;');
  expect(svg.match(/<rect /g)).toHaveLength(5);
  const image = await readImage(await confusionPng([[8, 2], [0, 10]], ['cat', 'dog']));
  const at = (x: number, y: number) => [...image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3)];
  // Right is green, wrong red, nothing white.
  const [[, green], [red], white] = [at(104, 94), at(148, 94), at(104, 138)];
  expect(green).toBeGreaterThan(at(104, 94)[0]);
  expect(red).toBeGreaterThan(at(148, 94)[1]);
  expect(white).toEqual([255, 255, 255]);
});
