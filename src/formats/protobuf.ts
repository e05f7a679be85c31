/**
 * Protocol buffers by table: a schema names the fields of each message; one function reads, one writes. Bytes fields and
 * aligned packed numbers are views of what was read, never copies. No length is believed before it is checked.
 * Wire format: https://protobuf.dev/programming-guides/encoding/
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { FormatError } from './errors.ts';

/** Field number, type (a scalar or a message of the schema), and whether it repeats; `packed` gives a typed array. */
export type FieldRow = readonly [number: number, type: string, label?: 'repeated' | 'packed'];
export type Schema = Readonly<Record<string, Readonly<Record<string, FieldRow>>>>;

/** int64 is read as the nearest number, which is exact for every size, axis and offset there is. */
interface Scalars {
  string: string;
  bytes: Uint8Array;
  int32: number;
  int64: number;
  uint64: number;
  float: number;
  double: number;
}

interface Packed {
  int32: Int32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  float: Float32Array;
  double: Float64Array;
}

type One<S extends Schema, T> = T extends keyof Scalars ? Scalars[T] : T extends keyof S ? Message<S, T> : never;
type DraftOne<S extends Schema, T> = T extends keyof Scalars ? Scalars[T] : T extends keyof S ? Draft<S, T> : never;
type PackedOf<T> = T extends keyof Packed ? Packed[T] : never;

/** A message as it was read: repeated fields always there, others undefined where absent. */
export type Message<S extends Schema, K extends keyof S> = {
  readonly [F in keyof S[K]]: S[K][F] extends readonly [number, infer T, 'repeated']
    ? readonly One<S, T>[]
    : S[K][F] extends readonly [number, infer T, 'packed']
      ? PackedOf<T> | undefined
      : S[K][F] extends readonly [number, infer T]
        ? One<S, T> | undefined
        : never;
};

/** A message to be written: every field may be left out. */
export type Draft<S extends Schema, K extends keyof S> = {
  [F in keyof S[K]]?: S[K][F] extends readonly [number, infer T, 'repeated']
    ? readonly DraftOne<S, T>[]
    : S[K][F] extends readonly [number, infer T, 'packed']
      ? PackedOf<T>
      : S[K][F] extends readonly [number, infer T]
        ? DraftOne<S, T>
        : never;
};

/** More than any real model has; a file of empty messages must not grow a hundredfold in memory. */
const maxMessages = 1_000_000;
const maxDepth = 100;

interface Field {
  readonly name: string;
  readonly type: string;
  readonly label: FieldRow[2];
  readonly scalar: ScalarCodec | undefined;
}

interface ScalarCodec {
  readonly wire: WireType;
  read(reader: BinaryReader): unknown;
  write(writer: BinaryWriter, value: never): void;
  /** The array a packed field becomes, and its element where it differs from what `read` gives. */
  readonly array?: { new (length: number): PackedArray; new (values: Iterable<number> & Iterable<bigint>): PackedArray };
  readonly readElement?: (reader: BinaryReader) => unknown;
}

type PackedArray = Packed[keyof Packed];

const big = (value: bigint | string): bigint => BigInt(value);
const scalars: Readonly<Record<keyof Scalars, ScalarCodec>> = {
  string: { wire: WireType.LengthDelimited, read: (r) => r.string(), write: (w, v) => void w.string(v) },
  bytes: { wire: WireType.LengthDelimited, read: (r) => r.bytes(), write: (w, v) => void w.bytes(v) },
  int32: { wire: WireType.Varint, read: (r) => r.int32(), write: (w, v) => void w.int32(v), array: Int32Array as never },
  int64: {
    wire: WireType.Varint,
    read: (r) => Number(r.int64()),
    write: (w, v) => void w.int64(typeof v === 'bigint' ? v : BigInt(v)),
    array: BigInt64Array as never,
    readElement: (r) => big(r.int64()),
  },
  uint64: {
    wire: WireType.Varint,
    read: (r) => Number(r.uint64()),
    write: (w, v) => void w.uint64(typeof v === 'bigint' ? v : BigInt(v)),
    array: BigUint64Array as never,
    readElement: (r) => big(r.uint64()),
  },
  float: { wire: WireType.Bit32, read: (r) => r.float(), write: (w, v) => void w.float(v), array: Float32Array as never },
  double: { wire: WireType.Bit64, read: (r) => r.double(), write: (w, v) => void w.double(v), array: Float64Array as never },
};
const scalarOf = (type: string): ScalarCodec | undefined => (Object.hasOwn(scalars, type) ? scalars[type as keyof Scalars] : undefined);

interface Layout {
  readonly byNumber: ReadonlyMap<number, Field>;
  /** What a message holds before any field was read. */
  readonly blank: Readonly<Record<string, unknown>>;
  readonly hasPacked: boolean;
}

const noParts = new Map<string, PackedParts>();
const none: readonly never[] = Object.freeze([]);
const layouts = new WeakMap<Schema[string], Layout>();

function layoutOf(schema: Schema, kind: string): Layout {
  const known = layouts.get(schema[kind]);
  if (known) return known;
  const byNumber = new Map<number, Field>();
  const blank: Record<string, unknown> = {};
  for (const [name, [number, type, label]] of Object.entries(schema[kind])) {
    byNumber.set(number, { name, type, label, scalar: scalarOf(type) });
    blank[name] = label === 'repeated' ? none : undefined;
  }
  const layout = { byNumber, blank, hasPacked: [...byNumber.values()].some(({ label }) => label === 'packed') };
  layouts.set(schema[kind], layout);
  return layout;
}

/** Reads `bytes` as a message. @throws FormatError naming the file and the field where reading failed. */
export function decode<S extends Schema, K extends keyof S & string>(schema: S, kind: K, bytes: Uint8Array, file?: string): Message<S, K> {
  const state: State = { schema, bytes, reader: new BinaryReader(bytes), path: [kind], left: maxMessages };
  try {
    return decodeMessage(state, kind, bytes.length) as Message<S, K>;
  } catch (error) {
    throw new FormatError(`broken protobuf at byte ${Math.min(state.reader.pos, bytes.length)}, in ${state.path.join('.')}`, {
      file,
      hint: error instanceof Error ? error.message : String(error),
    });
  }
}

interface State {
  readonly schema: Schema;
  readonly bytes: Uint8Array;
  readonly reader: BinaryReader;
  readonly path: string[];
  left: number;
}

function decodeMessage(state: State, kind: string, end: number): Record<string, unknown> {
  const { reader, path } = state;
  if (path.length > maxDepth) throw new Error(`nested deeper than ${maxDepth}`);
  const { byNumber, blank, hasPacked } = layoutOf(state.schema, kind);
  const message: Record<string, unknown> = { ...blank };
  const packed = hasPacked ? new Map<string, PackedParts>() : noParts;
  while (reader.pos < end) {
    const [number, wire] = reader.tag();
    const field = byNumber.get(number);
    if (field === undefined) {
      reader.skip(wire, number);
    } else {
      path.push(field.name);
      readField(state, message, packed, field, wire, end);
      path.pop();
    }
    if (reader.pos > end) throw new Error('a field runs past the end of its message');
  }
  for (const [name, parts] of packed) message[name] = joinParts(parts);
  return message;
}

function readField(
  state: State,
  message: Record<string, unknown>,
  packed: Map<string, PackedParts>,
  { name, type, label, scalar }: Field,
  wire: WireType,
  end: number,
): void {
  const { reader } = state;
  const expected = scalar?.wire ?? WireType.LengthDelimited;
  const isList = label !== undefined && wire === WireType.LengthDelimited && expected !== WireType.LengthDelimited;
  if (wire !== expected && !isList) throw new Error(`wire type ${wire}, not ${expected}`);
  // Whatever has a length must end inside its parent, before anything is made of it.
  const stop = wire === WireType.LengthDelimited ? boundOf(reader, end) : end;

  if (label === 'packed') {
    const parts = packed.get(name) ?? { codec: scalar!, whole: [], loose: [] };
    packed.set(name, parts);
    if (isList) readPacked(state, parts, stop);
    else parts.loose.push((scalar!.readElement ?? scalar!.read)(reader));
    return;
  }
  if (isList) {
    const list = listOf(message, name);
    reader.uint32();
    while (reader.pos < stop) list.push(scalar!.read(reader));
    return;
  }
  if (expected === WireType.LengthDelimited && --state.left < 0) throw new Error(`more than ${maxMessages} fields`);
  let value: unknown;
  if (scalar) {
    value = scalar.read(reader);
  } else {
    reader.uint32();
    value = decodeMessage(state, type, stop);
  }
  if (label === 'repeated') listOf(message, name).push(value);
  else message[name] = value;
}

/** Where the length-delimited field that starts here ends; the reader is left before the length. */
function boundOf(reader: BinaryReader, end: number): number {
  const start = reader.pos;
  const length = reader.uint32();
  const stop = reader.pos + length;
  reader.pos = start;
  if (stop > end) throw new Error(`${length} bytes announced, ${Math.max(0, end - start)} left`);
  return stop;
}

function listOf(message: Record<string, unknown>, name: string): unknown[] {
  if (message[name] === none) message[name] = [];
  return message[name] as unknown[];
}

/** A packed field may come in several pieces, and old writers put its elements one by one. */
interface PackedParts {
  readonly codec: ScalarCodec;
  readonly whole: PackedArray[];
  loose: unknown[];
}

function readPacked({ reader, bytes: all }: State, parts: PackedParts, stop: number): void {
  const { codec, whole } = parts;
  flushLoose(parts);
  if (codec.wire === WireType.Varint) {
    reader.uint32();
    // Every element ends in a byte below 128: counting those gives the exact length before memory is taken.
    let count = 0;
    for (let at = reader.pos; at < stop; at++) if (all[at] < 0x80) count++;
    const array = new codec.array!(count);
    for (let i = 0; i < count; i++) array[i] = (codec.readElement ?? codec.read)(reader) as never;
    whole.push(array);
    reader.pos = stop;
  } else {
    const bytes = reader.bytes();
    const size = codec.wire === WireType.Bit32 ? 4 : 8;
    if (bytes.length % size !== 0) throw new Error(`${bytes.length} bytes are not a whole number of elements`);
    whole.push(viewAs(codec.array as never, bytes));
  }
}

function flushLoose(parts: PackedParts): void {
  if (parts.loose.length === 0) return;
  parts.whole.push(new parts.codec.array!(parts.loose as never));
  parts.loose = [];
}

function joinParts(parts: PackedParts): PackedArray {
  flushLoose(parts);
  if (parts.whole.length === 1) return parts.whole[0];
  const joined = new parts.codec.array!(parts.whole.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts.whole) {
    joined.set(part as never, at);
    at += part.length;
  }
  return joined;
}

interface ArrayConstructor<T> {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

/** The bytes as little-endian elements: a view where alignment allows, else a copy. */
export function viewAs<T>(constructor: ArrayConstructor<T>, bytes: Uint8Array): T {
  const size = constructor.BYTES_PER_ELEMENT;
  // Not slice(): on a Node Buffer that is another view.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new constructor(aligned.buffer, aligned.byteOffset, aligned.length / size);
}

/** From this size on bytes are handed out as they are instead of being copied through the writer. */
const largeBytes = 4096;

/** Writes a message as chunks to be put one after another; large bytes fields are handed through, not copied. */
export function encode<S extends Schema, K extends keyof S & string>(schema: S, kind: K, message: Draft<S, K>): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  encodeMessage(schema, kind, message, chunks);
  return chunks;
}

function encodeMessage(schema: Schema, kind: string, message: Readonly<Record<string, unknown>>, chunks: Uint8Array[]): number {
  const writer = new BinaryWriter();
  let length = 0;
  const emit = (bytes: Uint8Array) => {
    if (bytes.length > 0) chunks.push(bytes);
    length += bytes.length;
  };
  const writeOne = (number: number, type: string, value: unknown) => {
    const scalar = scalarOf(type);
    writer.tag(number, scalar?.wire ?? WireType.LengthDelimited);
    if (value instanceof Uint8Array && value.length >= largeBytes) {
      writer.uint32(value.length);
      emit(writer.finish());
      emit(value);
    } else if (scalar) {
      scalar.write(writer, value as never);
    } else {
      // The length comes before the message but is known after it: its place is kept.
      emit(writer.finish());
      const place = chunks.push(writer.finish()) - 1;
      const inner = encodeMessage(schema, type, value as Record<string, unknown>, chunks);
      chunks[place] = new BinaryWriter().uint32(inner).finish();
      length += inner + chunks[place].length;
    }
  };
  for (const [name, value] of Object.entries(message)) {
    if (value === undefined) continue;
    const [number, type, label] = schema[kind][name];
    if (label === undefined) {
      writeOne(number, type, value);
    } else if (label === 'packed') {
      writer.tag(number, WireType.LengthDelimited).fork();
      for (const element of value as ArrayLike<never> & Iterable<never>) scalarOf(type)!.write(writer, element);
      writer.join();
    } else {
      for (const element of value as readonly unknown[]) writeOne(number, type, element);
    }
  }
  emit(writer.finish());
  return length;
}

/** One array of all chunks. */
export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}
