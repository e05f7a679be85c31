/** Element types: one table row each. Everything that depends on an element type reads it from here. */

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | BigUint64Array;

export type DType =
  | 'float32'
  | 'float64'
  | 'int32'
  | 'int64'
  | 'bool'
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'uint64'
  | 'float16'
  | 'bfloat16';

interface TypedArrayConstructor {
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
}

export interface DTypeInfo {
  readonly bytes: number;
  readonly kind: 'float' | 'int' | 'bool';
  /** float16 and bfloat16 are held as their bits, bool as 0 or 1. */
  readonly array: TypedArrayConstructor;
}

const row = (array: unknown, kind: DTypeInfo['kind']): DTypeInfo => {
  const constructor = array as TypedArrayConstructor;
  return { array: constructor, kind, bytes: constructor.BYTES_PER_ELEMENT };
};

export const dtypes: Readonly<Record<DType, DTypeInfo>> = {
  float32: row(Float32Array, 'float'),
  float64: row(Float64Array, 'float'),
  int32: row(Int32Array, 'int'),
  int64: row(BigInt64Array, 'int'),
  bool: row(Uint8Array, 'bool'),
  uint8: row(Uint8Array, 'int'),
  int8: row(Int8Array, 'int'),
  uint16: row(Uint16Array, 'int'),
  int16: row(Int16Array, 'int'),
  uint32: row(Uint32Array, 'int'),
  uint64: row(BigUint64Array, 'int'),
  float16: row(Uint16Array, 'float'),
  bfloat16: row(Uint16Array, 'float'),
};
