/** Models from disk, in Node. What a model may read beside itself stays inside its folder. */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, extname, isAbsolute, resolve, sep } from 'node:path';
import type { Model } from '../graph/index.ts';
import { FormatError } from './errors.ts';
import { checkRange, type ExternalData, importOnnx, type ImportOptions } from './onnx/index.ts';
import { importTfjs } from './tfjs/index.ts';

/** Protobuf ends at 2 GB; larger models keep their tensors in files beside them. */
const maxModelBytes = 2 ** 31 - 1;
/** Opening a pipe would otherwise wait for its writer. Windows does not have the flag. */
const readOnly = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Reads an ONNX model and the external data it names, which must lie in the model's folder or below.
 * @throws FormatError where the file is damaged, too large, or names data outside its folder; Node's error where it
 * cannot be read.
 */
export async function loadOnnxFile(path: string, options: Pick<ImportOptions, 'bind'> = {}): Promise<Model> {
  const bytes = await readModel(path);
  const data = folderData(dirname(path), path);
  try {
    return importOnnx(bytes, { ...options, name: basename(path), externalData: data.read, overwrite: true });
  } finally {
    data.close();
  }
}

/**
 * Reads a TF.js layers model: its model.json, and the shards, which must lie in the folder of model.json or below.
 * @throws FormatError where a file is damaged or names shards outside the folder; Node's error where one cannot be read.
 */
export async function loadTfjsFile(path: string): Promise<Model> {
  const json = new TextDecoder().decode(await readModel(path));
  const data = folderData(dirname(path), path, sideBySide(64 * 2 ** 20));
  try {
    return await importTfjs(json, (shard) => data.read(shard, 0, undefined), { file: basename(path) });
  } finally {
    data.close();
  }
}

/** Memory in pieces of a block: weights that span two shards then lie in one place and need not be copied together. */
function sideBySide(blockBytes: number): (bytes: number) => Uint8Array {
  let block = new Uint8Array(0);
  let used = 0;
  return (bytes) => {
    if (used + bytes > block.length) {
      block = new Uint8Array(Math.max(bytes, blockBytes));
      used = 0;
    }
    return block.subarray(used, (used += bytes));
  };
}

/** Which reader takes a file, by the end of its name. */
const loaders: Readonly<Record<string, (path: string) => Promise<Model>>> = { '.onnx': loadOnnxFile, '.json': loadTfjsFile };

/** Reads a model of any format, told by the file's name: `.onnx`, or a TF.js `model.json`. @throws FormatError and as the readers do. */
export async function loadModelFile(path: string): Promise<Model> {
  const extension = extname(path).toLowerCase();
  if (Object.hasOwn(loaders, extension)) return loaders[extension](path);
  throw new FormatError(path, { expected: 'the name of a .onnx file or of a model.json', got: extension === '' ? 'a name without an extension' : extension });
}

async function readModel(path: string): Promise<Uint8Array> {
  const file = await open(path, readOnly);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new FormatError(path, { expected: 'a file', got: stats.isDirectory() ? 'a folder' : 'something else' });
    if (stats.size > maxModelBytes) throw new FormatError(path, { expected: 'at most 2 GB', got: `${stats.size} bytes` });
    return await readAll(file, stats.size, path);
  } finally {
    await file.close();
  }
}

async function readAll(file: FileHandle, size: number, path: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let at = 0;
  while (at < size) {
    const { bytesRead } = await file.read(bytes, at, size - at, at);
    if (bytesRead === 0) throw new FormatError(path, { expected: `${size} bytes`, got: `${at}`, hint: 'the file shrank while it was read' });
    at += bytesRead;
  }
  return bytes;
}

/** Reads ranges of files in a folder; each file is opened once. */
function folderData(folder: string, model: string, allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes)): { read: ExternalData; close(): void } {
  const files = new Map<string, { descriptor: number; size: number }>();
  const openOnce = (location: string) => {
    const known = files.get(location);
    if (known) return known;
    const descriptor = openSync(insideFolder(folder, location, model), readOnly);
    const stats = fstatSync(descriptor);
    const opened = { descriptor, size: stats.size };
    files.set(location, opened);
    if (!stats.isFile()) throw new FormatError(`external data '${location}'`, { file: basename(model), expected: 'a file', got: 'something else' });
    return opened;
  };
  return {
    read(location, offset, length) {
      const { descriptor, size } = openOnce(location);
      checkRange(location, size, offset, length);
      const bytes = allocate(length ?? size - offset);
      for (let at = 0; at < bytes.length; ) {
        const count = readSync(descriptor, bytes, at, bytes.length - at, offset + at);
        if (count === 0) throw new FormatError(`external data '${location}'`, { file: basename(model), hint: 'the file shrank while it was read' });
        at += count;
      }
      return bytes;
    },
    close() {
      for (const { descriptor } of files.values()) closeSync(descriptor);
    },
  };
}

/** The file's real path. @throws FormatError where it leaves the folder, by its name or through links, or is missing. */
function insideFolder(folder: string, location: string, model: string): string {
  const refuse = (got: string): never => {
    throw new FormatError(`external data '${location}'`, {
      file: basename(model),
      expected: `a file in the folder of the model`,
      got,
      hint: 'a model may not read other files',
    });
  };
  if (isAbsolute(location) || /^[a-z]:|^[\\/]/i.test(location)) refuse('an absolute path');
  if (location.split(/[\\/]/).includes('..')) refuse('a path with ..');
  if (location.includes('\0')) refuse('a name with a zero byte');
  const real = realPath(resolve(folder, location)) ?? refuse('none of this name');
  const root = realpathSync(folder);
  if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) refuse('a link that leaves it');
  return real;
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
