import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { RuntimeError } from './errors.ts';
import { type Block, view, wasmMemory } from './memory.ts';

test('blocks are aligned, zeroed again after use, and outlive growth', () => {
  const memory = wasmMemory(64);
  const first = memory.allocate(100);
  expect(Number(first.address) % 64).toBe(0);
  const floats = view(first, Float32Array);
  floats.fill(1.5);
  const large = memory.allocate(1 << 20);
  expect(view(large, Uint8Array, 0, 1000).every((byte) => byte === 0)).toBe(true);
  expect(floats[24]).toBe(1.5);
  expect(view(first, Float32Array)[24]).toBe(1.5);
  memory.free(first);
  expect(view(memory.allocate(100), Float32Array).every((x) => x === 0)).toBe(true);
});

test('a block is freed once, by the memory it came from', () => {
  const memory = wasmMemory(16);
  const block = memory.allocate(10);
  expect(() => wasmMemory(16).free(block)).toThrow(RuntimeError);
  memory.free(block);
  expect(memory.isLive(block)).toBe(false);
  expect(() => memory.free(block)).toThrow(/freed before/);
});

test('exhaustion, bad sizes and views out of bounds are errors', () => {
  const memory = wasmMemory(4);
  expect(() => memory.allocate(5 * 65536)).toThrow(/expected room for them below 262144 bytes/);
  // The failure took nothing.
  expect(memory.allocate(3 * 65536).bytes).toBe(3 * 65536);
  for (const bytes of [-1, 1.5, NaN, Infinity]) expect(() => memory.allocate(bytes)).toThrow(RuntimeError);
  const block = memory.allocate(64);
  expect(() => view(block, Float32Array, 0, 17)).toThrow(/within its 64 bytes/);
  expect(() => view(block, Float32Array, 2)).toThrow(RuntimeError);
  expect(() => view(block, Float32Array, -4, 1)).toThrow(RuntimeError);
  expect(() => view(block, Float32Array, 128)).toThrow(RuntimeError);
});

test('a block nobody holds is collected, one with a view on it is not', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const memory = wasmMemory(64);
  const kept = view(memory.allocate(65536), Uint8Array).fill(7);
  // 64 times what the memory holds.
  for (let round = 0; round < 128; round++) {
    const blocks: Block[] = [];
    for (let i = 0; i < 32; i++) blocks.push(memory.allocate(60_000));
    expect(view(blocks[31], Uint8Array)[59_999]).toBe(0);
    blocks.length = 0;
    gc();
    await new Promise((resolve) => setTimeout(resolve));
  }
  expect(kept.every((byte) => byte === 7)).toBe(true);
});
