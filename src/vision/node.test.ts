import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VisionError } from './index.ts';
import { listImages, readImage } from './node.ts';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'whet-vision-'))));
afterAll(() => rm(folder, { recursive: true }));
const put = async (name: string, bytes: Uint8Array | string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
};
const flat = (channels: 3 | 4, background: object, width = 3, height = 2) => sharp({ create: { width, height, channels, background: background as never } });
const red = { r: 255, g: 0, b: 0 };

describe('readImage', () => {
  test.each(['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif'] as const)('decodes %s', async (format) => {
    const path = await put(`red.${format}`, await flat(3, red).toFormat(format).toBuffer());
    const image = await readImage(path);
    expect([image.width, image.height, image.channels, image.data.length]).toEqual([3, 2, 3, 18]);
    const [r, g, b] = image.data;
    expect(r).toBeGreaterThan(245);
    expect(Math.max(g, b)).toBeLessThan(12);
  });

  test('makes RGB of grey, 16 bits, alpha and CMYK', async () => {
    const grey = await flat(3, { r: 90, g: 90, b: 90 }).toColourspace('b-w').png().toBuffer();
    expect(await readImage(grey)).toMatchObject({ channels: 3 });
    expect([...(await readImage(grey)).data.slice(0, 3)]).toEqual([90, 90, 90]);
    const deep = await flat(3, red).toColourspace('rgb16').png().toBuffer();
    expect([...(await readImage(deep)).data.slice(0, 3)]).toEqual([255, 0, 0]);
    const clear = await flat(4, { r: 0, g: 0, b: 0, alpha: 0 }).png().toBuffer();
    expect([...(await readImage(clear)).data]).toEqual(new Array(18).fill(255));
    const ink = await readImage(await flat(3, red).toColourspace('cmyk').jpeg().toBuffer());
    expect(ink.channels).toBe(3);
    expect(ink.data[0]).toBeGreaterThan(ink.data[1] + 100);
  });

  test('turns a picture the way its EXIF says', async () => {
    const turned = await flat(3, red).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await readImage(turned)).toMatchObject({ width: 2, height: 3 });
  });

  test('refuses what is broken, enormous or no picture', async () => {
    const jpeg = await sharp({ create: { width: 64, height: 64, channels: 3, background: red, noise: { type: 'gaussian', mean: 128, sigma: 60 } } }).jpeg().toBuffer();
    const bomb = await flat(3, red, 3000, 3000).png().toBuffer();
    const cases: [source: string | Uint8Array, message: RegExp, options?: object][] = [
      [jpeg.subarray(0, jpeg.length >> 1), /whole picture/],
      [await put('empty.png', ''), /empty file/],
      [await put('text.png', 'no picture at all'), /a file of another kind/],
      [await put('drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'), /expected one of jpeg.*got svg/],
      [join(folder, 'missing.png'), /missing\.png: expected a picture, got no such file/],
      [folder, /got a folder/],
      [new Uint8Array(0), /empty file/],
      [bomb, /at most 1000000 pixels, got/, { maxPixels: 1e6 }],
    ];
    for (const [source, message, options] of cases) {
      const error = await readImage(source, options).then(() => new Error('nothing was thrown'), (thrown: Error) => thrown);
      expect(error).toBeInstanceOf(VisionError);
      expect(error.message).toMatch(message);
    }
  });

  test('survives damage anywhere in a file', async () => {
    const png = await flat(3, red, 20, 20).png().toBuffer();
    for (let at = 0; at < png.length; at++) {
      const bytes = Buffer.from(png);
      bytes[at] ^= 0x55;
      await readImage(bytes).catch((error: Error) => expect(error).toBeInstanceOf(VisionError));
    }
  });
});

test('listImages gives a folder’s pictures, or the one named', async () => {
  const inner = await mkdtemp(join(folder, 'list-'));
  await Promise.all(['b.JPG', 'a.png', 'notes.txt'].map((name) => writeFile(join(inner, name), 'x')));
  expect(await listImages(inner)).toEqual([join(inner, 'a.png'), join(inner, 'b.JPG')]);
  expect(await listImages(join(inner, 'notes.txt'))).toEqual([join(inner, 'notes.txt')]);
  await expect(listImages(join(inner, 'none'))).rejects.toThrow(/no such file/);
  const empty = await mkdtemp(join(folder, 'empty-'));
  await expect(listImages(empty)).rejects.toThrow(/a folder without any/);
});
