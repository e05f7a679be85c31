/** What the safetensors header may say: its element types, its limits, and the checks every entry must pass. */
import { type DType, dtypes, type TensorType } from '../../graph/index.ts';
import { FormatError } from '../errors.ts';

/** The format's own limit (safetensors' MAX_HEADER_SIZE), and ours on what one header may list. */
export const maxHeaderBytes = 100_000_000;

const rows: readonly [code: string, dtype: DType][] = [
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I64', 'int64'],
  ['I32', 'int32'],
  ['I16', 'int16'],
  ['I8', 'int8'],
  ['U64', 'uint64'],
  ['U32', 'uint32'],
  ['U16', 'uint16'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
];
const dtypeOfCode: ReadonlyMap<unknown, DType> = new Map(rows);
export const codeOfDtype: ReadonlyMap<DType, string> = new Map(rows.map(([code, dtype]) => [dtype, code]));

export interface Entry extends TensorType {
  readonly name: string;
  /** Byte range within the data that follows the header. */
  readonly begin: number;
  readonly end: number;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const show = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 80);

/** Bytes of a tensor, or undefined where the product is no longer exact. */
function bytesOf({ dtype, shape }: TensorType): number | undefined {
  let bytes = dtypes[dtype].bytes;
  if (shape.includes(0)) return 0;
  for (const dim of shape) {
    bytes *= dim;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}

/** One entry of the header, checked against the data's length. @throws FormatError */
export function parseEntry(name: string, value: unknown, dataBytes: number, file?: string): Entry {
  const where = `tensor '${name}'`;
  if (!isRecord(value)) throw new FormatError(where, { file, expected: 'an object', got: show(value) });
  const { shape, data_offsets: offsets } = value;
  const dtype = dtypeOfCode.get(value.dtype);
  if (dtype === undefined) {
    throw new FormatError(`${where}, dtype`, { file, expected: `one of ${rows.map(([code]) => code).join(' ')}`, got: show(value.dtype) });
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw new FormatError(`${where}, shape`, { file, expected: 'a list of sizes', got: show(shape) });
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw new FormatError(`${where}, data_offsets`, { file, expected: 'two offsets', got: show(offsets) });
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) {
    throw new FormatError(`${where}, data_offsets`, { file, expected: `a range within ${dataBytes} bytes of data`, got: `${begin} to ${end}` });
  }
  const bytes = bytesOf({ dtype, shape });
  if (bytes !== end - begin) {
    throw new FormatError(where, { file, expected: `${bytes ?? 'too many'} bytes for ${dtype}[${shape.join(',')}]`, got: `${end - begin}` });
  }
  return { name, dtype, shape, begin, end };
}

/** Tensors lie one after the other from byte 0 to the end, as the format demands: no overlap, no hole. */
export function checkCoverage(entries: readonly Entry[], dataBytes: number, file?: string): void {
  const sorted = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of sorted) {
    if (begin !== at) {
      const what = begin < at ? 'it overlaps another' : 'there is a hole before it';
      throw new FormatError(`tensor '${name}'`, { file, expected: `its data at byte ${at}`, got: `byte ${begin}`, hint: what });
    }
    at = end;
  }
  if (at !== dataBytes) {
    throw new FormatError('data after the header', { file, expected: `${at} bytes`, got: `${dataBytes}`, hint: 'the file is truncated or has bytes no tensor owns' });
  }
}

/** The `__metadata__` entry: strings by name. @throws FormatError */
export function parseMetadata(value: unknown, file?: string): Record<string, string> {
  if (value === undefined) return {};
  if (!isRecord(value) || !Object.values(value).every((text) => typeof text === 'string')) {
    throw new FormatError('__metadata__', { file, expected: 'strings by name', got: show(value) });
  }
  return value as Record<string, string>;
}
