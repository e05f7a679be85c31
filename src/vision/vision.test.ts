import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tensorData } from '../graph/index.ts';
import { centreCrop, crop, type Image, preprocess, type Recipe, resize, topK, VisionError } from './index.ts';

const grey = (width: number, height: number, ...samples: number[]): Image => ({ width, height, channels: 1, data: Uint8Array.from(samples) });
const anyImage: fc.Arbitrary<Image> = fc
  .record({ width: fc.integer({ min: 1, max: 12 }), height: fc.integer({ min: 1, max: 12 }), channels: fc.constantFrom(1 as const, 3 as const, 4 as const) })
  .chain((size) => {
    const length = size.width * size.height * size.channels;
    return fc.uint8Array({ minLength: length, maxLength: length }).map((data) => ({ ...size, data }));
  });
const side = fc.integer({ min: 1, max: 20 });
const options = fc.record({ interpolation: fc.constantFrom('bilinear' as const, 'nearest' as const), antialias: fc.boolean() });

describe('resize', () => {
  test('bilinear as Pillow does it: half-pixel centres, clamped borders, a wider triangle where it shrinks', () => {
    expect([...resize(grey(2, 1, 0, 100), 4, 1).data]).toEqual([0, 25, 75, 100]);
    // A triangle of half-width 4 around 2: weights 5, 7, 7, 5 of 24.
    expect([...resize(grey(4, 1, 0, 80, 160, 80), 1, 1).data]).toEqual([87]);
    // Half-width 2: weights 3 3 1 of 7 at the border, 1 3 3 1 of 8 inside, 1 3 3 of 7.
    expect([...resize(grey(6, 1, 10, 20, 40, 80, 160, 200), 3, 1).data]).toEqual([19, 68, 166]);
    expect([...resize(grey(4, 1, 0, 80, 160, 240), 2, 1, { antialias: false }).data]).toEqual([40, 200]);
    expect([...resize(grey(4, 1, 0, 80, 160, 240), 1, 1, { antialias: false }).data]).toEqual([120]);
  });

  test('nearest takes the pixel under the centre', () => {
    expect([...resize(grey(3, 1, 1, 2, 3), 6, 1, { interpolation: 'nearest' }).data]).toEqual([1, 1, 2, 2, 3, 3]);
    expect([...resize(grey(5, 1, 1, 2, 3, 4, 5), 2, 1, { interpolation: 'nearest' }).data]).toEqual([2, 4]);
  });

  test('to its own size is the same image; a flat image stays flat; nothing leaves the range it came in', () => {
    fc.assert(
      fc.property(anyImage, side, side, options, (image, width, height, how) => {
        expect([...resize(image, image.width, image.height, how).data]).toEqual([...image.data]);
        const { channels } = image;
        const flat = { ...image, data: image.data.map((_, i) => image.data[i % channels]) };
        resize(flat, width, height, how).data.forEach((sample, i) => expect(sample).toBe(image.data[i % channels]));
        const low = Math.min(...image.data);
        const high = Math.max(...image.data);
        expect(resize(image, width, height, how).data.every((sample) => sample >= low && sample <= high)).toBe(true);
      }),
    );
  });

  test('a region of the result is that part of it', () => {
    fc.assert(
      fc.property(anyImage, side, side, options, fc.nat(19), fc.nat(19), (image, width, height, how, x, y) => {
        const left = x % width;
        const top = y % height;
        const region = { left, top, width: Math.ceil((width - left) / 2), height: Math.ceil((height - top) / 2) };
        expect(resize(image, width, height, { ...how, region })).toEqual(crop(resize(image, width, height, how), region));
      }),
    );
  });

  test('refuses what makes no sense', () => {
    const image = grey(2, 1, 1, 2);
    expect(() => resize(image, 0, 5)).toThrow(/sides from 1/);
    expect(() => resize(image, 1e9, 1e9)).toThrow(VisionError);
    expect(() => resize({ ...image, width: 3 }, 1, 1)).toThrow(/expected 3 samples, got 2/);
    expect(() => resize(image, 2, 2, { region: { left: 1, top: 0, width: 2, height: 1 } })).toThrow(/inside 2 x 2, got 2 x 1 at 1, 0/);
    expect(() => crop(image, { left: -1, top: 0, width: 1, height: 1 })).toThrow(VisionError);
  });
});

test('centreCrop keeps the middle', () => {
  expect([...centreCrop(grey(4, 2, 1, 2, 3, 4, 5, 6, 7, 8), 2, 1).data]).toEqual([2, 3]);
  expect(() => centreCrop(grey(1, 1, 1), 2, 1)).toThrow(/inside 1 x 1/);
});

describe('preprocess', () => {
  const pixel = (...rgb: number[]): Image => ({ width: 1, height: 1, channels: 3, data: Uint8Array.from(rgb) });
  const recipe: Recipe = { fit: { mode: 'stretch', width: 1, height: 1 }, layout: 'NCHW', order: 'RGB', scale: 1, mean: [0, 0, 0], std: [1, 1, 1] };

  test('scales, subtracts the mean and divides, in the order the model wants', () => {
    const run = (change: Partial<Recipe>, image = pixel(10, 20, 30)) => [...preprocess(image, { ...recipe, ...change }).data].map(Number);
    expect(run({})).toEqual([10, 20, 30]);
    expect(run({ order: 'BGR' })).toEqual([30, 20, 10]);
    expect(run({ order: 'BGR', mean: [1, 2, 3], std: [1, 2, 7] })).toEqual([29, 9, 1]);
    expect(run({ scale: 1 / 5, mean: [1, 1, 1] })).toEqual([1, 3, 5]);
    expect(run({}, grey(1, 1, 7))).toEqual([7, 7, 7]);
    expect(run({}, { ...pixel(1, 2, 3, 200), channels: 4 })).toEqual([1, 2, 3]);
  });

  test('lays samples out as planes or side by side, pictures of a batch one after the other', () => {
    const picture: Image = { width: 2, height: 1, channels: 3, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
    const wide: Recipe = { ...recipe, fit: { mode: 'stretch', width: 2, height: 1 } };
    expect(preprocess([picture, picture], wide)).toEqual(tensorData('float32', [2, 3, 1, 2], Float32Array.of(1, 4, 2, 5, 3, 6, 1, 4, 2, 5, 3, 6)));
    expect(preprocess(picture, { ...wide, layout: 'NHWC' })).toEqual(tensorData('float32', [1, 1, 2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)));
  });

  test('crop: the shorter side is resized, the middle kept', () => {
    const image = grey(8, 4, ...Array.from({ length: 32 }, (_, i) => (i % 8 < 2 || i % 8 > 5 ? 200 : 50)));
    const result = preprocess(image, { ...recipe, fit: { mode: 'crop', shorter: 4, width: 2, height: 2 } });
    expect(result.shape).toEqual([1, 3, 2, 2]);
    expect([...result.data].every((value) => value === 50)).toBe(true);
    // A crop larger than the shorter side still comes out at its size.
    expect(preprocess(image, { ...recipe, fit: { mode: 'crop', shorter: 2, width: 6, height: 6 } }).shape).toEqual([1, 3, 6, 6]);
  });

  test('line: one height, filled to the right with the mean', () => {
    const fit = { mode: 'line', height: 2, minWidth: 6, maxWidth: 10 } as const;
    const result = preprocess(grey(4, 2, 9, 9, 9, 9, 9, 9, 9, 9), { ...recipe, mean: [1, 1, 1], fit });
    expect(result.shape).toEqual([1, 3, 2, 6]);
    expect([...result.data].slice(0, 6)).toEqual([8, 8, 8, 8, 0, 0]);
    expect(preprocess([grey(8, 2, ...new Array<number>(16).fill(0)), grey(1, 1, 0)], { ...recipe, fit }).shape).toEqual([2, 3, 2, 8]);
    expect(preprocess(grey(90, 1, ...new Array<number>(90).fill(0)), { ...recipe, fit }).shape).toEqual([1, 3, 2, 10]);
  });

  test('whole: sides are multiples, at most the longest', () => {
    const fit = { mode: 'whole', longest: 64, multiple: 32 } as const;
    const shape = (width: number, height: number) => preprocess({ width, height, channels: 1, data: new Uint8Array(width * height) }, { ...recipe, fit }).shape.slice(2);
    expect(shape(50, 40)).toEqual([32, 64]);
    expect(shape(640, 10)).toEqual([32, 64]);
    const two = [grey(1, 1, 0), { width: 64, height: 20, channels: 1, data: new Uint8Array(1280) } as Image];
    expect(() => preprocess(two, { ...recipe, fit })).toThrow(/one size \(32 x 32\), got 64 x 32/);
    expect(() => preprocess([], recipe)).toThrow(/at least one/);
  });
});

describe('topK', () => {
  const scores = (classes: number, ...values: number[]) => tensorData('float32', [values.length / classes, classes], Float32Array.from(values));

  test('ranks each row and names what it finds', () => {
    const [first, second] = topK(scores(3, 0.2, 0.7, 0.1, 0.5, 0, 0.5), 2, ['ant', 'bee', 'cat']);
    expect(first.map(({ label, index }) => [label, index])).toEqual([['bee', 1], ['ant', 0]]);
    expect(first[0].probability).toBeCloseTo(0.7, 6);
    expect(second.map(({ label }) => label)).toEqual(['ant', 'cat']);
    expect(topK(scores(2, 0, 1), 5)[0].map(({ label }) => label)).toEqual(['class 1', 'class 0']);
  });

  test('turns logits into probabilities', () => {
    const [[top, other]] = topK(scores(2, 1000, 1000 + Math.log(3)), 2);
    expect(top.index).toBe(1);
    expect(top.probability).toBeCloseTo(0.75, 3);
    expect(other.probability).toBeCloseTo(0.25, 3);
  });

  test('refuses labels of another model and scores that are none', () => {
    expect(() => topK(scores(2, 0, 1), 1, ['a'])).toThrow(/labels: expected 2, one a class, got 1/);
    expect(() => topK(tensorData('float32', [4], new Float32Array(4)), 1)).toThrow(/shape \[N, classes\]/);
    expect(() => topK(scores(2, 0, 1), 0)).toThrow(VisionError);
  });
});
