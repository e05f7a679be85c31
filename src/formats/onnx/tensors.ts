/** TensorProto <-> TensorData. Sizes are checked against the bytes that are there before any memory is taken. */
import { type DType, dtypes, sizeOf, type TensorData, tensorData, type TypedArray } from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import { decode, viewAs } from '../protobuf.ts';
import { type Proto, type ProtoDraft, schema } from './schema.ts';

/** TensorProto.DataType by number; a dtype of ours, or the name of one that is not supported. */
const elementTypes: Readonly<Record<number, { dtype?: DType; name: string }>> = {
  1: { dtype: 'float32', name: 'float32' },
  2: { dtype: 'uint8', name: 'uint8' },
  3: { dtype: 'int8', name: 'int8' },
  4: { dtype: 'uint16', name: 'uint16' },
  5: { dtype: 'int16', name: 'int16' },
  6: { dtype: 'int32', name: 'int32' },
  7: { dtype: 'int64', name: 'int64' },
  8: { name: 'string' },
  9: { dtype: 'bool', name: 'bool' },
  10: { dtype: 'float16', name: 'float16' },
  11: { dtype: 'float64', name: 'float64' },
  12: { dtype: 'uint32', name: 'uint32' },
  13: { dtype: 'uint64', name: 'uint64' },
  14: { name: 'complex64' },
  15: { name: 'complex128' },
  16: { dtype: 'bfloat16', name: 'bfloat16' },
  17: { name: 'float8e4m3fn' },
  18: { name: 'float8e4m3fnuz' },
  19: { name: 'float8e5m2' },
  20: { name: 'float8e5m2fnuz' },
  21: { name: 'uint4' },
  22: { name: 'int4' },
  23: { name: 'float4e2m1' },
  24: { name: 'float8e8m0' },
  25: { name: 'uint2' },
  26: { name: 'int2' },
};

const numbersOfDType = Object.fromEntries(
  Object.entries(elementTypes).flatMap(([number, { dtype }]) => (dtype ? [[dtype, Number(number)]] : [])),
) as Record<DType, number>;

/** ONNX's number of a dtype. */
export const elementTypeOf = (dtype: DType): number => numbersOfDType[dtype];

/** The dtype of ONNX's number. @throws FormatError where it is none, or one that Whetstone does not have. */
export function dtypeOf(elementType: number | undefined, where: string, file?: string): DType {
  const row = elementTypes[elementType ?? 0];
  if (row?.dtype) return row.dtype;
  throw new FormatError(where, {
    file,
    expected: `one of ${Object.keys(dtypes).join(', ')}`,
    got: row ? row.name : `element type ${elementType ?? 0}`,
    hint: row ? `${row.name} tensors are not supported` : 'the file is damaged or newer than this reader',
  });
}

/** The largest there can be (as makeNode has it); beyond, a file is damaged or hostile. */
const maxRank = 64;
const maxElements = 2 ** 31 - 1;

/** @throws FormatError unless `dims` is the shape of something that could exist. */
export function checkShape(dims: readonly number[], where: string, file?: string): void {
  const fail = (expected: string, got: string) => {
    throw new FormatError(where, { file, expected, got });
  };
  if (dims.length > maxRank) fail(`a rank of at most ${maxRank}`, `${dims.length}`);
  let size = 1;
  for (const dim of dims) {
    if (!Number.isInteger(dim) || dim < 0) fail('dimensions of at least 0', `[${dims.join(',')}]`);
    size *= Math.max(dim, 1);
  }
  if (size > maxElements) fail('fewer than 2^31 elements', `[${dims.join(',')}]`);
}

/** Gives `length` bytes at `offset` of a file beside the model; all up to its end where `length` is undefined. */
export type ExternalData = (location: string, offset: number, length: number | undefined) => Uint8Array;

export interface TensorContext {
  readonly file?: string;
  readonly externalData?: ExternalData;
  /** Whether raw data may be moved within the file's bytes to where it is aligned. */
  readonly overwrite?: boolean;
}

/** The tensor as data. @throws FormatError where dims, type and bytes disagree or data is not to be had. */
export function readTensor(proto: Proto<'TensorProto'>, where: string, context: TensorContext = {}): TensorData {
  const { file } = context;
  const dtype = dtypeOf(proto.data_type, where, file);
  checkShape(proto.dims, where, file);
  const size = sizeOf(proto.dims);
  if (proto.segment) throw new FormatError(where, { file, hint: 'tensors in segments are not supported' });
  const raw = proto.data_location === 1 ? readExternal(proto, where, context) : proto.raw_data;
  const overwrite = context.overwrite && raw === proto.raw_data;
  const data = raw ? fromRaw(dtype, size, overwrite ? aligned(raw!, dtypes[dtype].bytes) : raw, where, file) : fromField(proto, dtype, size, where, file);
  return tensorData(dtype, proto.dims, dtype === 'bool' ? normalizeBools(data as Uint8Array) : data);
}

function fromRaw(dtype: DType, size: number, raw: Uint8Array, where: string, file?: string): TypedArray {
  const { array, bytes } = dtypes[dtype];
  if (raw.length !== size * bytes) {
    throw new FormatError(where, { file, expected: `${size * bytes} bytes for ${size} ${dtype} elements`, got: `${raw.length}` });
  }
  return viewAs(array, raw);
}

/**
 * The bytes moved down to a multiple of `size`. What lies there is the field's own tag and length, which have been read;
 * where those are shorter than the move, the bytes stay. Copying 100 MB to fresh memory instead takes 40 ms.
 */
function aligned(raw: Uint8Array, size: number): Uint8Array {
  const move = raw.byteOffset % size;
  const header = 1 + Math.max(1, Math.ceil(Math.log2(raw.length + 1) / 7));
  if (move === 0 || move > header) return raw;
  const whole = new Uint8Array(raw.buffer, raw.byteOffset - move, raw.length + move);
  whole.copyWithin(0, move);
  return whole.subarray(0, raw.length);
}

/** Which typed field holds a dtype's elements when they are not raw. */
function fieldOf(dtype: DType): 'float_data' | 'double_data' | 'int64_data' | 'uint64_data' | 'int32_data' {
  if (dtype === 'float32') return 'float_data';
  if (dtype === 'float64') return 'double_data';
  if (dtype === 'int64') return 'int64_data';
  return dtype === 'uint32' || dtype === 'uint64' ? 'uint64_data' : 'int32_data';
}

function fromField(proto: Proto<'TensorProto'>, dtype: DType, size: number, where: string, file?: string): TypedArray {
  const field = fieldOf(dtype);
  const { array } = dtypes[dtype];
  const values = proto[field] ?? [];
  if (values.length !== size) {
    throw new FormatError(where, { file, expected: `${size} elements in ${field} or raw_data`, got: `${values.length}` });
  }
  if (values instanceof array) return values as TypedArray;
  const data = new array(size);
  for (let i = 0; i < size; i++) data[i] = (dtype === 'uint32' ? Number(values[i]) : values[i]) as never;
  return data;
}

const normalizeBools = (data: Uint8Array): Uint8Array => (data.some((byte) => byte > 1) ? data.map((byte) => (byte === 0 ? 0 : 1)) : data);

function readExternal(proto: Proto<'TensorProto'>, where: string, { file, externalData }: TensorContext): Uint8Array {
  const entries = new Map(proto.external_data.map(({ key, value }) => [key ?? '', value ?? '']));
  const location = entries.get('location');
  if (!location) throw new FormatError(where, { file, expected: 'a location of its external data', got: 'none' });
  const whole = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (!Number.isSafeInteger(value)) throw new FormatError(where, { file, expected: `a whole number as external ${key}`, got: `'${text}'` });
    return value;
  };
  if (!externalData) {
    throw new FormatError(where, {
      file,
      expected: `external data from '${location}'`,
      got: 'the model file alone',
      hint: 'load the model from disk, or pass externalData',
    });
  }
  return externalData(location, whole('offset') ?? 0, whole('length'));
}

/** External data out of files already in memory, by their names. */
export function externalDataFrom(files: Readonly<Record<string, Uint8Array>>): ExternalData {
  return (location, offset, length) => {
    const bytes = Object.hasOwn(files, location) ? files[location] : undefined;
    if (!bytes) throw new FormatError(`external data '${location}'`, { expected: `one of ${Object.keys(files).join(', ') || 'no files'}` });
    checkRange(location, bytes.length, offset, length);
    return bytes.subarray(offset, length === undefined ? undefined : offset + length);
  };
}

/** @throws FormatError where the range does not lie in a file of this size. */
export function checkRange(location: string, size: number, offset: number, length: number | undefined): void {
  if (offset + (length ?? 0) > size) {
    throw new FormatError(`external data '${location}'`, {
      expected: `at most ${size} bytes`,
      got: `offset ${offset}, length ${length ?? 'to the end'}`,
      hint: 'the data file is truncated or belongs to another model',
    });
  }
}

/** A whole file that holds one TensorProto, as ONNX's test data sets do. @throws FormatError */
export const readTensorFile = (bytes: Uint8Array, file?: string): TensorData =>
  readTensor(decode(schema, 'TensorProto', bytes, file), 'tensor', { file });

/** The values' bytes, little-endian, as a view. */
export const bytesOf = ({ data }: TensorData): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** A TensorProto whose raw data is a view of the tensor's values. */
export function writeTensor(tensor: TensorData, name?: string): ProtoDraft<'TensorProto'> {
  return { dims: tensor.shape, data_type: elementTypeOf(tensor.dtype), name, raw_data: bytesOf(tensor) };
}
