/** CSV, idx and folders of pictures, well-formed and broken; augmentation. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toNumbers } from '../graph/index.ts';
import type { Image } from '../vision/index.ts';
import * as data from './index.ts';
import { imageFolder, readCsv, readIdx } from './node.ts';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'whet-data-'))));
afterAll(() => rm(folder, { recursive: true }));

describe('CSV', () => {
  test('reads quotes, line ends and names', () => {
    const table = data.parseCsv('\uFEFFa,b\r\n1,"x, ""y""\nz"\r\n\r\n2.5,\r\n');
    expect(table).toEqual({ columns: ['a', 'b'], rows: [['1', 'x, "y"\nz'], ['2.5', '']] });
    expect(data.csvColumn(table, 'b')).toEqual(['x, "y"\nz', '']);
    expect(data.csvTensor(table, ['a']).tolist()).toEqual([[1], [2.5]]);
    expect(data.csvTensor(data.parseCsv('1 \t2\n-3e1\tNaN', { header: false })).tolist()).toEqual([[1, 2], [-30, NaN]]);
    expect(data.parseCsv('')).toEqual({ columns: [], rows: [] });
  });
  test('reads back any table', () => {
    const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', ' ', 'é', '0'), maxLength: 5 }).map((text) => `.${text}`);
    fc.assert(
      fc.property(fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 6 }), (rows) => {
        const text = rows.map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(',')).join('\n');
        expect(data.parseCsv(text, { header: false, delimiter: ',' }).rows).toEqual(rows);
      }),
    );
  });
  test.each([
    ['uneven rows', 'a,b\n1,2\n3', /row 3: expected 2 fields, got 1/],
    ['open quotes', 'a,b\n1,"2', /row 2: expected well-formed quotes/],
    ['names twice', 'a,a\n1,2', /different names/],
    ['texts for numbers', 'a,b\n1,2\n1,x', /column b, data row 2: expected a number, got 'x'/],
    ['nothing for a number', 'a,b\n1,2\n,1', /column a, data row 2/],
  ])('refuses %s', (_name, text, message) => expect(() => data.csvTensor(data.parseCsv(text))).toThrow(message));
  test('refuses files that are missing or no text', async () => {
    await writeFile(join(folder, 'good.csv'), 'a\n1');
    await writeFile(join(folder, 'bad.csv'), Uint8Array.of(0x61, 0xff, 0xfe));
    expect((await readCsv(join(folder, 'good.csv'))).rows).toEqual([['1']]);
    await expect(readCsv(join(folder, 'bad.csv'))).rejects.toThrow(/expected text in UTF-8/);
    await expect(readCsv(join(folder, 'none.csv'))).rejects.toThrow(/no such file/);
    await expect(readCsv(folder)).rejects.toThrow(/got a folder/);
    expect(() => data.csvColumn(data.parseCsv('a\n1'), 'b')).toThrow(/expected one of a, got b/);
  });
});

const idx = (type: number, shape: readonly number[], bytes: readonly number[]): Uint8Array =>
  Uint8Array.of(0, 0, type, shape.length, ...shape.flatMap((size) => [size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255]), ...bytes);

describe('idx', () => {
  test('reads bytes and wider elements, packed or not', async () => {
    const bytes = idx(8, [2, 1, 3], [1, 2, 3, 4, 5, 255]);
    expect(data.parseIdx(bytes)).toMatchObject({ dtype: 'uint8', shape: [2, 1, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 255) });
    const wide = data.parseIdx(idx(0x0c, [2], [0, 0, 1, 2, 255, 255, 255, 254]));
    expect([wide.dtype, toNumbers(wide)]).toEqual(['int32', [258, -2]]);
    expect(toNumbers(data.parseIdx(idx(0x0d, [1], [0x3f, 0xc0, 0, 0])))).toEqual([1.5]);
    await writeFile(join(folder, 'labels.gz'), gzipSync(bytes));
    expect((await readIdx(join(folder, 'labels.gz'))).shape).toEqual([2, 1, 3]);
    await writeFile(join(folder, 'cut.gz'), gzipSync(bytes).subarray(0, -9));
    await expect(readIdx(join(folder, 'cut.gz'))).rejects.toThrow(/whole gzip file/);
  });
  test('leaves the bytes as they are, of a Buffer too', () => {
    const bytes = Buffer.from(idx(0x0b, [1], [1, 2]));
    expect([toNumbers(data.parseIdx(bytes)), toNumbers(data.parseIdx(bytes))]).toEqual([[258], [258]]);
  });
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /at least 4 bytes/],
    ['another kind', Uint8Array.of(0x89, 0x50, 0x4e, 0x47), /two zero bytes/],
    ['an unknown type', idx(7, [1], [1]), /a type among/],
    ['too many dimensions', Uint8Array.of(0, 0, 8, 200), /at most 8 dimensions/],
    ['a header cut short', idx(8, [1, 1], []).subarray(0, 9), /12 bytes of header, got 9/],
    ['too few elements', idx(8, [2, 2], [1, 2, 3]), /expected 4 bytes of elements/],
    ['too many', idx(8, [2], [1, 2, 3]), /expected 2 bytes of elements for uint8 \[2\], got 3/],
    ['sizes beyond all memory', idx(14, [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], [1]), /bytes of elements/],
  ])('refuses %s', (_name, bytes, message) => expect(() => data.parseIdx(bytes, 'f')).toThrow(message));
  test('never fails otherwise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, fix) => {
        if (fix && bytes.length > 3) bytes.set([0, 0, 8 + (bytes[2] % 7), bytes[3] % 3]);
        try {
          data.parseIdx(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(data.DataError);
        }
      }),
    );
  });
});

describe('imageFolder', () => {
  test('numbers its classes, reads its pictures, makes batches', async () => {
    const root = join(folder, 'classes');
    for (const [name, red] of [['zebra', 200], ['ant', 10]] as const) {
      await mkdir(join(root, name), { recursive: true });
      for (const i of [1, 2]) await sharp({ create: { width: 3, height: 2, channels: 3, background: { r: red + i, g: 0, b: 0 } } }).png().toFile(join(root, name, `${i}.png`));
    }
    const set = await imageFolder(root);
    expect([set.classes, set.length, set.files.map(({ label }) => label)]).toEqual([['ant', 'zebra'], 4, [0, 0, 1, 1]]);
    const tensors = data.mapDataset(set, ([image, label]) => [data.imageTensor(image), label] as const);
    for await (const [x, y] of new data.DataLoader(tensors, { batchSize: 4 })) {
      expect([x.shape, y.dtype, y.tolist()]).toEqual([[4, 3, 2, 3], 'int64', [0, 0, 1, 1]]);
      expect((x.at(3, 0, 0, 0).item() * 255).toFixed(3)).toBe('202.000');
    }
    await expect(async () => set.get(4)).rejects.toThrow(data.DataError);
    await mkdir(join(root, 'none'));
    await expect(imageFolder(root)).rejects.toThrow(/without any/);
    await expect(imageFolder(join(root, 'ant'))).rejects.toThrow(/a folder for each class, got none/);
    await expect(imageFolder(join(root, 'no'))).rejects.toThrow(/no such folder/);
  });
});

describe('augmentation', () => {
  const image: Image = { width: 3, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
  const colour: Image = { width: 2, height: 1, channels: 4, data: Uint8Array.of(100, 50, 0, 9, 20, 40, 200, 8) };
  const always = () => 0;

  test('mirrors', () => {
    expect([...data.randomHorizontalFlip()(image, always).data]).toEqual([3, 2, 1, 6, 5, 4]);
    expect([...data.randomVerticalFlip()(image, always).data]).toEqual([4, 5, 6, 1, 2, 3]);
    expect(data.randomHorizontalFlip(0)(image, always)).toBe(image);
    expect([...data.randomHorizontalFlip()(colour, always).data]).toEqual([20, 40, 200, 8, 100, 50, 0, 9]);
  });
  test('crops everywhere inside, and no further', () => {
    const random = data.randomNumbers(5);
    const seen = new Set(Array.from({ length: 200 }, () => data.randomCrop(2, 1)(image, random).data.join()));
    expect([...seen].sort()).toEqual(['1,2', '2,3', '4,5', '5,6']);
    expect([...data.randomCrop(3, 2, { padding: 1 })(image, always).data]).toEqual([0, 0, 0, 0, 1, 2]);
    expect(() => data.randomCrop(4, 1)(image, random)).toThrow(/inside 3 x 2/);
    for (let i = 0; i < 50; i++) expect(data.randomResizedCrop(5, 4)(colour, random)).toMatchObject({ width: 5, height: 4, channels: 4 });
  });
  test('recolours within bounds', () => {
    const jitter = (options: data.ColourJitterOptions, random: data.Random) => [...data.colourJitter(options)(colour, random).data];
    expect(jitter({}, always)).toEqual([...colour.data]);
    // The lowest factors: black, the mean grey, the grey of each pixel.
    expect(jitter({ brightness: 1 }, always)).toEqual([0, 0, 0, 9, 0, 0, 0, 8]);
    expect(jitter({ contrast: 1 }, always)).toEqual([56, 56, 56, 9, 56, 56, 56, 8]);
    expect(jitter({ saturation: 1 }, always)).toEqual([59, 59, 59, 9, 52, 52, 52, 8]);
    expect(jitter({ brightness: 1 }, () => 0.75)).toEqual([150, 75, 0, 9, 30, 60, 255, 8]);
    expect(() => data.colourJitter({ contrast: -1 })).toThrow(data.DataError);
  });
  test('is the same for the same seed', () => {
    const all = data.compose(data.randomResizedCrop(4, 4), data.randomHorizontalFlip(), data.colourJitter({ brightness: 0.4, contrast: 0.4, saturation: 0.4 }));
    const run = (seed: number) => [...all(colour, data.randomNumbers(seed)).data];
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
  });
  test('pictures to tensors', () => {
    expect(data.imageTensor(image, { mean: [1 / 255], std: [1 / 255] }).tolist()).toEqual([[[0, 1, 2], [3, 4, 5]].map((row) => row.map((value) => expect.closeTo(value, 5)))]);
  });
});
