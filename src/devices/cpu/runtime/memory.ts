/** Memory that JavaScript, generated code and all threads see alike: blocks aligned to 64 bytes, zeroed when handed out. */
import { alignment, alignUp, Allocator, type Region } from './allocator.ts';
import { reasonOf, RuntimeError } from './errors.ts';
import { isNode } from './platform.ts';

/** A piece of shared memory. It lives as long as this object, or a view made by `view`, or until it is freed. */
export interface Block {
  readonly bytes: number;
  /** The buffer it lies in, for views on it; stays valid when wasm memory grows. */
  readonly buffer: SharedArrayBuffer | ArrayBuffer;
  readonly byteOffset: number;
  /** What generated code calls it: an absolute address on x64, an offset in the memory on wasm. */
  readonly address: bigint;
}

export interface Memory {
  /** The wasm memory that all blocks lie in; undefined for native memory. */
  readonly wasm?: WebAssembly.Memory;
  /** Throws RuntimeError when there is no room. */
  allocate(bytes: number): Block;
  /** A block with these values: the very memory where generated code can read it there, a copy on wasm. Not to be written. */
  wrap(values: ArrayBufferView): Block;
  /** The block that these values lie in, where generated code reaches them; undefined elsewhere. */
  reach(values: ArrayBufferView): Block | undefined;
  /** An array within reach, of zeros. */
  resident<T extends TypedArray>(Type: TypedArrayType<T>, length: number): T;
  /**
   * `bytes` of fresh memory for the caller of a program, that generated code writes fast: on whole cache lines and, where
   * it is large, on large pages (1024 x 1024 results of a product: 4 KiB pages cost 8 %).
   */
  array(bytes: number): { readonly buffer: ArrayBuffer; readonly byteOffset: number };
  /** The block must not be used after. Throws RuntimeError if it is not this memory's, or was freed before. */
  free(block: Block): void;
  isLive(block: Block): boolean;
}

export type TypedArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array | BigInt64Array | BigUint64Array;
export interface TypedArrayType<T extends TypedArray> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: SharedArrayBuffer | ArrayBuffer, byteOffset: number, length: number): T;
}

/** Views made on a block keep it from being collected: a wasm region has no other owner that JavaScript knows of. */
const keptByView = new WeakMap<object, Block>();

/** A typed array over `length` elements at `offset` bytes into the block (the rest of it where left out). */
export function view<T extends TypedArray>(block: Block, Type: TypedArrayType<T>, offset = 0, length?: number): T {
  const count = length ?? Math.floor((block.bytes - offset) / Type.BYTES_PER_ELEMENT);
  if (offset < 0 || count < 0 || offset % Type.BYTES_PER_ELEMENT !== 0 || offset + count * Type.BYTES_PER_ELEMENT > block.bytes) {
    throw new RuntimeError('view on a block', {
      expected: `elements of ${Type.BYTES_PER_ELEMENT} bytes within its ${block.bytes} bytes`,
      got: `${count} at byte ${offset}`,
    });
  }
  const array = new Type(block.buffer, block.byteOffset + offset, count);
  keptByView.set(array, block);
  return array;
}

function checkSize(bytes: number): void {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new RuntimeError('allocate', { expected: 'a whole number of bytes', got: String(bytes) });
  }
}

const notOurs = (): RuntimeError =>
  new RuntimeError('free', { expected: 'a block of this runtime that is in use', got: 'one that was freed before, or is not its own' });

const largePage = 2 ** 21;
/** Results from this size on are worth the address space that a large page's alignment takes. */
const largeResult = 2 ** 20;

/**
 * Native memory: a buffer of its own for each block. Not a SharedArrayBuffer, although all threads use it, by address: V8
 * does not count those as memory in use, so that it collected them too late (7 GB of them where 0.2 were alive).
 */
export function nativeMemory(addressOf: (view: Uint8Array) => bigint, prefersLargePages?: (address: bigint, bytes: number) => void): Memory {
  const live = new WeakSet<Block>();
  return {
    allocate(bytes) {
      checkSize(bytes);
      let buffer: ArrayBuffer;
      try {
        buffer = new ArrayBuffer(bytes + alignment);
      } catch (error) {
        throw new RuntimeError(`allocate ${bytes} bytes`, { got: reasonOf(error), hint: 'use a smaller batch' }, { cause: error });
      }
      const start = addressOf(new Uint8Array(buffer));
      prefersLargePages?.(start, buffer.byteLength);
      const byteOffset = Number(-start & BigInt(alignment - 1));
      const block: Block = { bytes, buffer, byteOffset, address: start + BigInt(byteOffset) };
      live.add(block);
      return block;
    },
    array(bytes) {
      const unit = bytes >= largeResult ? largePage : alignment;
      const buffer = new ArrayBuffer(bytes + unit);
      const start = addressOf(new Uint8Array(buffer));
      const byteOffset = Number(-start & BigInt(unit - 1));
      if (unit === largePage) prefersLargePages?.(start + BigInt(byteOffset), bytes);
      return { buffer, byteOffset };
    },
    wrap(values) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      const block: Block = { bytes: bytes.length, buffer: values.buffer, byteOffset: values.byteOffset, address: addressOf(bytes) };
      live.add(block);
      return block;
    },
    reach(values) {
      return this.wrap(values);
    },
    resident(Type, length) {
      const { buffer, byteOffset } = this.array(length * Type.BYTES_PER_ELEMENT);
      return new Type(buffer, byteOffset, length);
    },
    free(block) {
      if (!live.delete(block)) throw notOurs();
    },
    isLive: (block) => live.has(block),
  };
}

const pageBytes = 65536;
/** wasm addresses are 32 bits wide: at most 4 GiB. Hosts that cannot reserve so much are asked for less. */
const pageLimits = [65536, 32768, 16384, 4096];

/** One shared WebAssembly.Memory with an allocator over it. */
export function wasmMemory(maximumPages = pageLimits[0]): Memory {
  const { memory, maximum } = reserve(maximumPages);
  let pages = memory.buffer.byteLength / pageBytes;
  const grow = (end: number): boolean => {
    const needed = Math.ceil(end / pageBytes) - pages;
    if (needed <= 0) return true;
    // An eighth more than needed, so that many small needs do not grow it each time; just the need where that is too much.
    for (const more of [Math.min(Math.max(needed, pages >> 3), maximum - pages), needed]) {
      if (more < needed) continue;
      try {
        memory.grow(more);
        pages += more;
        return true;
      } catch {
        // tried with less, or reported as exhausted
      }
    }
    return false;
  };
  // The first line is nobody's, so that no block has address 0.
  const allocator = new Allocator(alignment, maximum * pageBytes, grow);
  const regions = new WeakMap<Block, Region>();
  // V8 does not see how large the regions are, and so would collect blocks too late. In Node an untouched buffer of the same
  // size, which takes addresses but no memory, tells it.
  const weights = new WeakMap<Block, ArrayBuffer>();
  const collected = new FinalizationRegistry<Region>((region) => allocator.release(region));

  return {
    wasm: memory,
    array: (bytes) => ({ buffer: new ArrayBuffer(bytes), byteOffset: 0 }),
    reach(values) {
      const block = keptByView.get(values);
      return block && regions.has(block) && block.byteOffset === values.byteOffset ? block : undefined;
    },
    resident(Type, length) {
      return view(this.allocate(length * Type.BYTES_PER_ELEMENT), Type, 0, length);
    },
    wrap(values) {
      const block = this.allocate(values.byteLength);
      view(block, Uint8Array).set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      return block;
    },
    allocate(bytes) {
      checkSize(bytes);
      const { used, ...region } = allocator.allocate(bytes);
      const buffer = memory.buffer;
      new Uint8Array(buffer, region.offset, Math.min(used, alignUp(bytes))).fill(0);
      const block: Block = { bytes, buffer, byteOffset: region.offset, address: BigInt(region.offset) };
      regions.set(block, region);
      collected.register(block, region, block);
      if (isNode && bytes >= pageBytes) weights.set(block, new ArrayBuffer(bytes));
      return block;
    },
    free(block) {
      const region = regions.get(block);
      if (!region) throw notOurs();
      regions.delete(block);
      weights.delete(block);
      collected.unregister(block);
      allocator.release(region);
    },
    isLive: (block) => regions.has(block),
  };
}

function reserve(maximumPages: number): { memory: WebAssembly.Memory; maximum: number } {
  let refused: unknown;
  for (const limit of pageLimits) {
    const maximum = Math.min(limit, maximumPages);
    try {
      return { memory: new WebAssembly.Memory({ initial: 1, maximum, shared: true }), maximum };
    } catch (error) {
      refused = error;
    }
  }
  throw new RuntimeError('shared WebAssembly memory', { got: reasonOf(refused), hint: 'allow this process more address space (ulimit -v)' }, { cause: refused });
}
