import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteWriter, TypeTable, writeModule } from './module.ts';
import { opcodes } from './opcodes.ts';

/** Decodes LEB128 as the specification writes it: seven bits a byte, the sign in the last. */
function decode(bytes: Uint8Array, signed: boolean): bigint {
  let value = 0n;
  bytes.forEach((byte, i) => {
    expect(byte >= 0x80).toBe(i < bytes.length - 1);
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
  });
  return signed ? BigInt.asIntN(7 * bytes.length, value) : value;
}
const shortest = (bits: number): number => Math.ceil(bits / 7);

test('LEB128 numbers read back, in no more bytes than they need', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value) => {
      const bytes = new ByteWriter().u32(value).finish();
      expect(decode(bytes, false)).toBe(BigInt(value));
      expect(bytes.length).toBe(shortest(Math.max(1, value.toString(2).length)));
    }),
  );
  fc.assert(
    fc.property(fc.integer(), (value) => {
      const bytes = new ByteWriter().s32(value).finish();
      expect(decode(bytes, true)).toBe(BigInt(value));
      expect(bytes.length).toBeLessThanOrEqual(5);
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const bytes = new ByteWriter().s64(value).finish();
      expect(decode(bytes, true)).toBe(value);
      expect(bytes.length).toBeLessThanOrEqual(10);
    }),
  );
  for (const edge of [0, -1, 63, 64, -64, -65, 2 ** 31 - 1, -(2 ** 31)]) {
    expect(decode(new ByteWriter().s32(edge).finish(), true)).toBe(BigInt(edge));
  }
});

test('a writer grows', () => {
  const writer = new ByteWriter(1);
  for (let i = 0; i < 1000; i++) writer.byte(i & 0xff);
  writer.bytes(new Uint8Array(5000).fill(7));
  expect(writer.finish().length).toBe(6000);
  expect(writer.finish()[999]).toBe(999 & 0xff);
  expect(writer.finish()[5999]).toBe(7);
});

test('no two instructions share an encoding', () => {
  const codes = Object.values(opcodes);
  expect(new Set(codes).size).toBe(codes.length);
});

test('a module may hold no function, or many of one type', () => {
  const limits = { minPages: 1, maxPages: 1, shared: true };
  expect(WebAssembly.validate(writeModule(new TypeTable(), limits, []))).toBe(true);
  const types = new TypeTable();
  const one = { type: { params: [], results: ['i32'] as const }, locals: [], code: new ByteWriter().op('i32.const').s32(-5).op('end') };
  const many = Array.from({ length: 300 }, (_, i) => ({ ...one, exportName: i === 299 ? 'last' : undefined }));
  const bytes = writeModule(types, limits, many);
  expect(types.types.length).toBe(1);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  expect(Object.keys(exports)).toEqual(['last']);
  expect((exports['last'] as () => number)()).toBe(-5);
});
