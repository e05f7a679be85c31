/** Writes WebAssembly binary modules: bytes, LEB128 numbers, instructions, sections. (WebAssembly core specification, 5.) */
import { type Mnemonic, opcodes } from './opcodes.ts';

export class ByteWriter {
  private buffer: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity);
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.length + bytes));
    grown.set(this.buffer);
    this.buffer = grown;
  }
  finish(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.length);
  }

  byte(value: number): this {
    this.reserve(1);
    this.buffer[this.length++] = value;
    return this;
  }
  bytes(values: ArrayLike<number>): this {
    this.reserve(values.length);
    this.buffer.set(values, this.length);
    this.length += values.length;
    return this;
  }
  /** Unsigned LEB128 of an integer in 0..2^32-1. */
  u32(value: number): this {
    this.reserve(5);
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.buffer[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.buffer[this.length++] = rest;
    return this;
  }
  /** Signed LEB128 of the low 32 bits. */
  s32(value: number): this {
    this.reserve(5);
    let rest = value | 0;
    while (rest < -0x40 || rest >= 0x40) {
      this.buffer[this.length++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    this.buffer[this.length++] = rest & 0x7f;
    return this;
  }
  /** Signed LEB128 of the low 64 bits. */
  s64(value: bigint): this {
    let rest = BigInt.asIntN(64, value);
    while (rest < -0x40n || rest >= 0x40n) {
      this.byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    return this.byte(Number(rest & 0x7fn));
  }
  name(text: string): this {
    const utf8 = new TextEncoder().encode(text);
    return this.u32(utf8.length).bytes(utf8);
  }
  /** A vector of bytes: its length, then itself. */
  sized(content: ByteWriter): this {
    return this.u32(content.length).bytes(content.finish());
  }
  /** An instruction; its immediates follow by the calls above. */
  op(mnemonic: Mnemonic): this {
    const code = opcodes[mnemonic];
    return code < 0x100 ? this.byte(code) : this.byte(code >> 16).u32(code & 0xffff);
  }
}

const valueTypes = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const;
export type ValueType = keyof typeof valueTypes;

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export interface ModuleFunction {
  readonly type: FunctionType;
  /** Its index in the table is its index in the module; exported where it has a name. */
  readonly exportName?: string;
  /** Locals after the parameters, as runs of one type. */
  readonly locals: readonly (readonly [count: number, type: ValueType])[];
  /** Instructions, the closing `end` included. */
  readonly code: ByteWriter;
}

export interface MemoryLimits {
  readonly minPages: number;
  readonly maxPages: number;
  readonly shared: boolean;
}

/** The function types of a module, each once, by the index that instructions such as call_indirect name. */
export class TypeTable {
  private readonly indices = new Map<string, number>();
  readonly types: FunctionType[] = [];

  index(type: FunctionType): number {
    const key = `${type.params}:${type.results}`;
    let index = this.indices.get(key);
    if (index === undefined) this.indices.set(key, (index = this.types.push(type) - 1));
    return index;
  }
}

/** A module that imports `env.memory` and has its functions in one table, function i at index i. */
export function writeModule(types: TypeTable, memory: MemoryLimits, functions: readonly ModuleFunction[]): Uint8Array<ArrayBuffer> {
  const typeIndices = functions.map((f) => types.index(f.type));
  const size = functions.reduce((sum, f) => sum + f.code.length + 64, 1024);
  const out = new ByteWriter(size);
  out.bytes([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
  const section = (id: number, count: number, write: (content: ByteWriter) => void): void => {
    if (count === 0) return;
    const content = new ByteWriter(id === 10 ? size : 256).u32(count);
    write(content);
    out.byte(id).sized(content);
  };
  const typeList = (content: ByteWriter, list: readonly ValueType[]): void => {
    content.u32(list.length).bytes(list.map((type) => valueTypes[type]));
  };

  section(1, types.types.length, (content) => {
    for (const type of types.types) {
      content.byte(0x60);
      typeList(content, type.params);
      typeList(content, type.results);
    }
  });
  section(2, 1, (content) => {
    content.name('env').name('memory').byte(0x02);
    content.byte(memory.shared ? 0x03 : 0x01).u32(memory.minPages).u32(memory.maxPages);
  });
  section(3, functions.length, (content) => typeIndices.forEach((index) => content.u32(index)));
  section(4, 1, (content) => content.bytes([0x70, 0x01]).u32(functions.length).u32(functions.length));
  const exported = functions.flatMap((f, index) => (f.exportName === undefined ? [] : [{ name: f.exportName, index }]));
  section(7, exported.length, (content) => {
    for (const { name, index } of exported) content.name(name).byte(0x00).u32(index);
  });
  section(9, functions.length && 1, (content) => {
    content.byte(0x00).op('i32.const').s32(0).op('end').u32(functions.length);
    functions.forEach((_, index) => content.u32(index));
  });
  section(10, functions.length, (content) => {
    for (const f of functions) {
      const locals = new ByteWriter(32).u32(f.locals.length);
      for (const [count, type] of f.locals) locals.u32(count).byte(valueTypes[type]);
      content.u32(locals.length + f.code.length).bytes(locals.finish()).bytes(f.code.finish());
    }
  });
  return out.finish();
}
