/**
 * safetensors: named tensors in one file, read without copying and written so that they can be.
 * The format is https://huggingface.co/docs/safetensors: u64 header length, JSON header, tensors end to end.
 */
import { dtypes, sizeOf, type TensorData, tensorData, type TypedArray } from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import { checkCoverage, codeOfDtype, type Entry, maxHeaderBytes, parseEntry, parseMetadata } from './header.ts';

export interface Safetensors {
  readonly tensors: Map<string, TensorData>;
  readonly metadata: Record<string, string>;
}

const lengthBytes = 8;

/**
 * Reads a file's bytes. Tensors are views into `bytes` where their place is aligned to their element, copies where it is
 * not; so `bytes` must not be changed afterwards. float16 and bfloat16 are kept as their bits.
 * @throws FormatError where the header, an offset, a dtype or the coverage of the data is wrong.
 */
export function readSafetensors(bytes: Uint8Array, options: { file?: string } = {}): Safetensors {
  const { file } = options;
  const headerBytes = readHeaderLength(bytes, file);
  const data = bytes.subarray(lengthBytes + headerBytes);
  const { __metadata__: metadata, ...rest } = readHeader(bytes.subarray(lengthBytes, lengthBytes + headerBytes), file);
  const entries = Object.entries(rest).map(([name, value]) => parseEntry(name, value, data.length, file));
  checkCoverage(entries, data.length, file);
  const tensors = new Map(entries.map((entry) => [entry.name, view(entry, data, file)]));
  return { tensors, metadata: parseMetadata(metadata, file) };
}

function readHeaderLength(bytes: Uint8Array, file?: string): number {
  if (bytes.length < lengthBytes) {
    throw new FormatError('safetensors header', { file, expected: 'at least 8 bytes', got: `${bytes.length}` });
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  const most = Math.min(maxHeaderBytes, bytes.length - lengthBytes);
  if (length > BigInt(most)) {
    throw new FormatError('safetensors header length', { file, expected: `at most ${most} bytes`, got: `${length}`, hint: 'the file is truncated or no safetensors file' });
  }
  return Number(length);
}

function readHeader(bytes: Uint8Array, file?: string): Record<string, unknown> {
  let header: unknown;
  try {
    // A copy, because browsers do not decode shared memory.
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array(bytes)));
  } catch (error) {
    throw new FormatError('safetensors header', { file, expected: 'JSON', got: (error as Error).message });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new FormatError('safetensors header', { file, expected: 'a JSON object', got: Array.isArray(header) ? 'a list' : String(header) });
  }
  return header as Record<string, unknown>;
}

function view({ name, dtype, shape, begin, end }: Entry, data: Uint8Array, file?: string): TensorData {
  const { array: Kind, bytes: width } = dtypes[dtype];
  const raw = data.subarray(begin, end);
  if (dtype === 'bool' && raw.some((value) => value > 1)) {
    throw new FormatError(`tensor '${name}'`, { file, expected: 'bools of 0 or 1', got: 'other bytes' });
  }
  // Not raw.slice(): a Node Buffer's slice is no copy.
  const place = raw.byteOffset % width === 0 ? raw : new Uint8Array(raw);
  return tensorData(dtype, shape, new Kind(place.buffer, place.byteOffset, place.length / width));
}

const bytesOfArray = (array: TypedArray): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/**
 * Writes tensors, widest element first and by name within, as the reference writer does, so that each lies aligned.
 * @throws FormatError for a tensor whose data does not fit its shape, or a name the format reserves.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, TensorData> | Readonly<Record<string, TensorData>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const list: [string, TensorData][] = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  list.sort(([a, x], [b, y]) => dtypes[y.dtype].bytes - dtypes[x.dtype].bytes || (a < b ? -1 : 1));
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  let dataBytes = 0;
  for (const [name, { dtype, shape, data }] of list) {
    if (name === '__metadata__') throw new FormatError(`tensor '${name}'`, { expected: 'another name', hint: 'the format reserves it' });
    if (data.length !== sizeOf(shape)) throw new FormatError(`tensor '${name}'`, { expected: `${sizeOf(shape)} elements`, got: `${data.length}` });
    const end = dataBytes + data.byteLength;
    header.push([name, { dtype: codeOfDtype.get(dtype), shape, data_offsets: [dataBytes, end] }]);
    dataBytes = end;
  }
  // Spaces after the JSON bring the data to a multiple of eight.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(lengthBytes + headerBytes + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerBytes), true);
  out.set(json, lengthBytes);
  out.fill(0x20, lengthBytes + json.length, lengthBytes + headerBytes);
  let at = lengthBytes + headerBytes;
  for (const [, { data }] of list) {
    out.set(bytesOfArray(data), at);
    at += data.byteLength;
  }
  return out;
}
