/** Picture files in Node: decoded with sharp, turned upright, always as RGB; broken ones are a VisionError. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metadata, Sharp } from 'sharp';
import { VisionError } from './errors.ts';
import type { Image } from './image.ts';

export interface ReadImageOptions {
  /** A picture with more pixels is refused before it is decoded. Default 100 million (300 MB as RGB). */
  readonly maxPixels?: number;
}

/** What is decoded, by sharp's name, and the file names that promise it. */
const extensionsOf: Readonly<Record<string, readonly string[]>> = {
  jpeg: ['jpg', 'jpeg'],
  png: ['png'],
  webp: ['webp'],
  gif: ['gif'],
  tiff: ['tif', 'tiff'],
  heif: ['avif'],
};
const extensions = new Set(Object.values(extensionsOf).flat());
const defaultMaxPixels = 100_000_000;
const maxSeconds = 60;

/**
 * Decodes a file, or the bytes of one: RGB, upright (EXIF orientation applied), in sRGB. Transparency shows white, as a
 * page would; of an animation, the first frame.
 * @throws VisionError for a file that is missing, broken, cut short, too large, or no picture.
 */
export async function readImage(source: string | Uint8Array, options: ReadImageOptions = {}): Promise<Image> {
  const { maxPixels = defaultMaxPixels } = options;
  const name = typeof source === 'string' ? source : 'image';
  if (typeof source === 'string') await mustBeFile(source);
  else if (source.length === 0) throw new VisionError(name, { expected: 'a picture', got: 'an empty file' });
  const { default: sharp } = await import('sharp');
  try {
    // 'error' refuses what is cut short or corrupt, and lets pass what decoders only remark on.
    const picture = sharp(source, { limitInputPixels: maxPixels, failOn: 'error', sequentialRead: true });
    const metadata = await picture.metadata();
    checkKind(name, metadata, maxPixels);
    return await decode(picture);
  } catch (error) {
    throw error instanceof VisionError ? error : explained(name, error as Error, maxPixels);
  }
}

async function mustBeFile(path: string): Promise<void> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new VisionError(path, { expected: 'a picture', got: error.code === 'ENOENT' ? 'no such file' : error.message });
  });
  if (!info.isFile()) throw new VisionError(path, { expected: 'a file', got: info.isDirectory() ? 'a folder' : 'something else' });
  if (info.size === 0) throw new VisionError(path, { expected: 'a picture', got: 'an empty file' });
}

function checkKind(name: string, { format, width, height }: Metadata, maxPixels: number): void {
  // SVG and PDF are programs to be run rather than samples to be read.
  if (!Object.hasOwn(extensionsOf, format)) {
    throw new VisionError(name, { expected: `one of ${Object.keys(extensionsOf).join(', ')}`, got: format });
  }
  if (width * height > maxPixels) throw tooLarge(name, maxPixels, `${width} x ${height}`);
}

const tooLarge = (name: string, maxPixels: number, got: string): VisionError =>
  new VisionError(name, { expected: `at most ${maxPixels} pixels`, got, hint: 'scale it down, or raise maxPixels' });

async function decode(picture: Sharp): Promise<Image> {
  const { data, info } = await picture
    .autoOrient()
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .timeout({ seconds: maxSeconds })
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: info.channels as Image['channels'], data };
}

function explained(name: string, { message }: Error, maxPixels: number): VisionError {
  if (/pixel limit/.test(message)) return tooLarge(name, maxPixels, 'more');
  const unknown = /unsupported image format/.test(message);
  const expected = unknown ? `one of ${Object.keys(extensionsOf).join(', ')}` : 'a whole picture';
  return new VisionError(name, { expected, got: unknown ? 'a file of another kind' : message.trim().replaceAll('\n', '; ') });
}

/**
 * The picture files of a folder (by name, not its subfolders), sorted; of a file, itself.
 * @throws VisionError where the path does not exist or holds no picture.
 */
export async function listImages(path: string): Promise<string[]> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new VisionError(path, { expected: 'a picture or a folder of pictures', got: error.code === 'ENOENT' ? 'no such file' : error.message });
  });
  if (!info.isDirectory()) return [path];
  const entries = await readdir(path, { withFileTypes: true });
  const found = entries.filter((entry) => !entry.isDirectory() && extensions.has(entry.name.split('.').at(-1)!.toLowerCase()));
  if (found.length === 0) throw new VisionError(path, { expected: 'pictures', got: 'a folder without any' });
  return found.map((entry) => join(path, entry.name)).sort();
}
