import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DType, dtypes, fromNumbers, type TensorData, tensorData } from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import { readSafetensors, writeSafetensors } from './index.ts';

/** A file put together by hand, so that reader and writer are not only checked against each other. */
function fileOf(header: string | object, data: Uint8Array, headerBytes?: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + json.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerBytes ?? json.length), true);
  out.set(json, 8);
  out.set(data, 8 + json.length);
  return out;
}
const f32 = (...values: number[]) => new Uint8Array(new Float32Array(values).buffer);
const entry = (dtype: unknown, shape: unknown, begin: unknown, end: unknown) => ({ dtype, shape, data_offsets: [begin, end] });

describe('readSafetensors', () => {
  test('reads a file written by hand, aligned or not', () => {
    for (const pad of ['', ' ', '  ', '   ']) {
      const header = pad + JSON.stringify({ __metadata__: { format: 'pt' }, b: entry('F32', [2, 1], 4, 12), a: entry('F32', [], 0, 4) });
      const { tensors, metadata } = readSafetensors(Buffer.from(fileOf(header, f32(1.5, -2, 3))));
      expect(metadata).toEqual({ format: 'pt' });
      expect(tensors.get('a')).toEqual(fromNumbers('float32', [], [1.5]));
      expect(tensors.get('b')).toEqual(fromNumbers('float32', [2, 1], [-2, 3]));
    }
  });

  test('gives views, not copies, of aligned data', () => {
    const bytes = writeSafetensors({ w: fromNumbers('float32', [3], [1, 2, 3]) });
    expect(readSafetensors(bytes).tensors.get('w')!.data.buffer).toBe(bytes.buffer);
  });

  const a = entry('F32', [2], 0, 8);
  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /at least 8 bytes, got 0/],
    ['a header longer than the file', fileOf({ a }, f32(1, 2), 1e6), /header length: expected at most/],
    ['a header length of 2^63', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128, 123, 125), /got 9223372036854775808/],
    ['no JSON', fileOf('{"a":', f32()), /expected JSON/],
    ['a list', fileOf('[]', f32()), /expected a JSON object, got a list/],
    ['bad UTF-8', fileOf('{}', new Uint8Array(0)).map((byte, i) => (i === 8 ? 0xff : byte)), /expected JSON/],
    ['an unknown dtype', fileOf({ a: entry('F8_E4M3', [2], 0, 2) }, new Uint8Array(2)), /dtype: expected one of .* got "F8_E4M3"/],
    ['a negative size', fileOf({ a: entry('F32', [-2], 0, 8) }, f32(1, 2)), /shape: expected a list of sizes/],
    ['a fractional size', fileOf({ a: entry('F32', [0.5], 0, 2) }, new Uint8Array(2)), /shape/],
    ['a size that overflows', fileOf({ a: entry('F32', [2 ** 52, 2 ** 52], 0, 8) }, f32(1, 2)), /too many bytes/],
    ['an offset past the end', fileOf({ a: entry('F32', [4], 0, 16) }, f32(1, 2)), /within 8 bytes of data, got 0 to 16/],
    ['offsets the wrong way round', fileOf({ a: entry('F32', [2], 8, 0) }, f32(1, 2)), /got 8 to 0/],
    ['a shape that does not fit', fileOf({ a: entry('F32', [3], 0, 8) }, f32(1, 2)), /expected 12 bytes for float32\[3\], got 8/],
    ['an overlap', fileOf({ a, b: entry('F32', [1], 4, 8) }, f32(1, 2)), /'b'.*overlaps another/],
    ['a hole', fileOf({ a: entry('F32', [1], 4, 8) }, f32(1, 2)), /hole before it/],
    ['bytes at the end', fileOf({ a: entry('F32', [1], 0, 4) }, f32(1, 2)), /expected 4 bytes, got 8/],
    ['metadata that is no text', fileOf({ __metadata__: { a: 1 } }, f32()), /__metadata__: expected strings/],
    ['a bool of 2', fileOf({ a: entry('BOOL', [1], 0, 1) }, Uint8Array.of(2)), /bools of 0 or 1/],
  ])('refuses %s', (_what, bytes, message) => {
    expect(() => readSafetensors(bytes, { file: 'x.safetensors' })).toThrow(FormatError);
    expect(() => readSafetensors(bytes, { file: 'x.safetensors' })).toThrow(message);
    expect(() => readSafetensors(bytes, { file: 'x.safetensors' })).toThrow('x.safetensors');
  });

  test('any damage is a FormatError or a file that still reads', () => {
    const seed = writeSafetensors({ a: fromNumbers('float32', [2, 3], [1, 2, 3, 4, 5, 6]), b: fromNumbers('int64', [2], [7, 8]) }, { k: 'v' });
    fc.assert(
      fc.property(fc.nat(seed.length - 1), fc.nat(255), fc.nat(seed.length), (at, value, length) => {
        const bytes = seed.slice(0, length < 8 ? seed.length : length);
        if (at < bytes.length) bytes[at] = value;
        try {
          readSafetensors(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('writeSafetensors', () => {
  const anyTensor: fc.Arbitrary<TensorData> = fc
    .record({ dtype: fc.constantFrom(...(Object.keys(dtypes) as DType[])), shape: fc.array(fc.nat(4), { maxLength: 3 }) })
    .chain(({ dtype, shape }) =>
      fc.array(fc.nat(1), { minLength: 64, maxLength: 64 }).map((bits) => {
        const size = shape.reduce((product, dim) => product * dim, 1);
        return fromNumbers(dtype, shape, bits.slice(0, size));
      }),
    );

  test('what is written is read back, every tensor aligned', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string().filter((name) => name !== '__metadata__' && name !== '__proto__'), anyTensor), (tensors) => {
        const bytes = writeSafetensors(tensors, { by: 'whetstone' });
        const read = readSafetensors(bytes);
        expect(Object.fromEntries(read.tensors)).toEqual({ ...tensors });
        expect(read.metadata).toEqual({ by: 'whetstone' });
        for (const { data } of read.tensors.values()) if (data.length > 0) expect(data.buffer).toBe(bytes.buffer);
      }),
    );
  });

  test('refuses a reserved name and data that does not fit', () => {
    expect(() => writeSafetensors({ __metadata__: fromNumbers('float32', [1], [1]) })).toThrow(/reserves/);
    const broken = { ...tensorData('float32', [1], new Float32Array(1)), shape: [2] };
    expect(() => writeSafetensors({ a: broken })).toThrow(/expected 2 elements, got 1/);
  });
});
