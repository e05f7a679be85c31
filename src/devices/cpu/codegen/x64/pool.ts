/** Constants that code reads relative to the instruction pointer: each kept once, laid out after the code by alignment. */
import type { Elem } from '../ir.ts';
import { elemBytes } from '../isa.ts';

interface Entry {
  readonly bytes: Uint8Array;
  offset: number;
}

export class ConstantPool {
  private readonly entries: Entry[] = [];
  private readonly index = new Map<string, number>();
  private readonly masks = new Map<number, number>();

  /** The entry holding `bytes` (a power of two of them, which is also its alignment). */
  add(bytes: Uint8Array): number {
    const key = `${bytes.length}:${String.fromCharCode(...bytes)}`;
    let id = this.index.get(key);
    if (id === undefined) {
      id = this.entries.push({ bytes, offset: -1 }) - 1;
      this.index.set(key, id);
    }
    return id;
  }

  /** The entry holding `value` repeated over `size` bytes. */
  splat(elem: Elem, value: number | bigint, size: number): number {
    const one = bytesOf(elem, value);
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += one.length) bytes.set(one.subarray(0, size), at);
    return this.add(bytes);
  }

  /** The two-byte entry with the low `count` bits set. */
  lowBits(count: number): number {
    let id = this.masks.get(count);
    if (id === undefined) {
      const bits = 2 ** count - 1;
      this.masks.set(count, (id = this.add(new Uint8Array([bits, bits >> 8]))));
    }
    return id;
  }

  /** The entry holding 32-bit `words`. */
  words(words: readonly number[]): number {
    return this.add(new Uint8Array(Int32Array.from(words).buffer));
  }

  /** Where an entry lies, once `place` has been called. */
  offsetOf(id: number): number {
    return this.entries[id].offset;
  }

  /** Gives every entry its place from `start` (a multiple of 64) on, the widest first; returns the end. */
  place(start: number): number {
    let at = start;
    const widestFirst = [...this.entries].sort((a, b) => b.bytes.length - a.bytes.length);
    for (const entry of widestFirst) {
      entry.offset = at;
      at += entry.bytes.length;
    }
    return at;
  }

  copyTo(code: Uint8Array): void {
    for (const { bytes, offset } of this.entries) code.set(bytes, offset);
  }
}

/** One element as it lies in memory. */
export function bytesOf(elem: Elem, value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(elemBytes(elem));
  const view = new DataView(bytes.buffer);
  if (elem === 'f32') view.setFloat32(0, Number(value), true);
  else if (elem === 'f64') view.setFloat64(0, Number(value), true);
  else if (elem === 'i32') view.setInt32(0, Number(BigInt.asIntN(32, BigInt(value))), true);
  else view.setBigInt64(0, BigInt.asIntN(64, BigInt(value)), true);
  return bytes;
}
