/** Data in Node: CSV and idx files (packed with gzip or not), folders of pictures by class, datasets on other threads. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { TensorData } from '../graph/index.ts';
import { tensor, type Tensor } from '../tensor/index.ts';
import type { Image } from '../vision/index.ts';
import { listImages, readImage, type ReadImageOptions } from '../vision/node.ts';
import { type CsvOptions, type CsvTable, parseCsv } from './csv.ts';
import type { Dataset } from './datasets.ts';
import { DataError } from './errors.ts';
import { parseIdx } from './idx.ts';

export { type WorkerDataset, workerDataset, type WorkerDatasetOptions } from './node/worker-dataset.ts';

/** Larger files are refused before they are read. */
const mostBytes = 2 ** 30;

async function readWhole(path: string): Promise<Uint8Array> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new DataError(path, { expected: 'a file', got: error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 'no such file' : error.message });
  });
  if (!info.isFile()) throw new DataError(path, { expected: 'a file', got: info.isDirectory() ? 'a folder' : 'something else' });
  if (info.size > mostBytes) throw new DataError(path, { expected: `at most ${mostBytes} bytes`, got: `${info.size}` });
  const bytes = await readFile(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  return promisify(gunzip)(bytes, { maxOutputLength: mostBytes }).catch((error: Error) => {
    throw new DataError(path, { expected: 'a whole gzip file', got: error.message });
  });
}

/** @throws DataError where the file is missing, no UTF-8, or its rows differ in length */
export async function readCsv(path: string, options: CsvOptions = {}): Promise<CsvTable> {
  const bytes = await readWhole(path);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new DataError(path, { expected: 'text in UTF-8', got: 'other bytes' });
  }
  return parseCsv(text, { file: path, ...options });
}

/** An idx file, such as MNIST's `train-images-idx3-ubyte.gz`. @throws DataError where it is missing, broken or of another kind */
export const readIdx = async (path: string): Promise<TensorData> => parseIdx(await readWhole(path), path);

/** A picture and the number of its class (int64). */
export interface ImageFolder extends Dataset<readonly [Image, Tensor]> {
  /** Names of the classes, in order. */
  readonly classes: readonly string[];
  readonly files: readonly { readonly path: string; readonly label: number }[];
}

/**
 * A folder with a folder of pictures for each class; classes by name, in order. Pictures are read when they are asked for.
 * @throws DataError where there is no class; VisionError where a class has no picture, and (from `get`) where one is broken
 */
export async function imageFolder(path: string, options: ReadImageOptions = {}): Promise<ImageFolder> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new DataError(path, { expected: 'a folder with a folder for each class', got: error.code === 'ENOENT' ? 'no such folder' : error.code === 'ENOTDIR' ? 'a file' : error.message });
  });
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => join(path, name)).sort();
  if (folders.length === 0) throw new DataError(path, { expected: 'a folder for each class', got: 'none' });
  const files: { path: string; label: number }[] = [];
  for (const [label, folder] of folders.entries()) for (const file of await listImages(folder)) files.push({ path: file, label });
  return {
    classes: folders.map((folder) => basename(folder)),
    files,
    length: files.length,
    async get(index) {
      const file = files[index];
      if (!file) throw new DataError('index', { expected: `a whole number below ${files.length}`, got: `${index}` });
      return [await readImage(file.path, options), tensor(file.label, { dtype: 'int64' })];
    },
  };
}
