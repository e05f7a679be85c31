import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from './errors.ts';
import { concatBytes, decode, encode } from './protobuf.ts';

const schema = {
  Tree: {
    name: [1, 'string'],
    blob: [2, 'bytes'],
    size: [3, 'int64'],
    tiny: [4, 'int32'],
    ratio: [5, 'float'],
    exact: [6, 'double'],
    children: [7, 'Tree', 'repeated'],
    numbers: [8, 'int64', 'repeated'],
    longs: [9, 'int64', 'packed'],
    floats: [10, 'float', 'packed'],
    words: [11, 'string', 'repeated'],
    ids: [16, 'uint64', 'packed'],
  },
  Small: { tiny: [4, 'int32'] },
} as const;

const read = (bytes: Uint8Array) => decode(schema, 'Tree', bytes, 'tree.pb');

const tree = fc.letrec((tie) => ({
  tree: fc.record(
    {
      name: fc.string({ unit: 'grapheme', maxLength: 200 }),
      blob: fc.uint8Array({ maxLength: 300 }),
      size: fc.maxSafeInteger(),
      tiny: fc.integer(),
      ratio: fc.float(),
      exact: fc.double(),
      children: fc.array(tie('tree'), { maxLength: 3, depthIdentifier: 'tree' }),
      numbers: fc.array(fc.maxSafeInteger()),
      longs: fc.bigInt64Array(),
      floats: fc.float32Array(),
      words: fc.array(fc.string()),
      ids: fc.bigUint64Array(),
    },
    { requiredKeys: [] },
  ),
})).tree;

/** What reading gives where writing was given nothing. */
function withAbsent(message: Record<string, unknown>): Record<string, unknown> {
  const { children = [], longs, floats, ids } = message as { children?: Record<string, unknown>[]; [key: string]: unknown };
  return {
    name: undefined, blob: undefined, size: undefined, tiny: undefined, ratio: undefined, exact: undefined,
    numbers: [], words: [], ...message,
    children: children.map(withAbsent), longs, floats, ids,
  };
}

describe('protobuf', () => {
  test('what is written is read again', () => {
    fc.assert(
      fc.property(tree, (message) => {
        expect(read(concatBytes(encode(schema, 'Tree', message as object)))).toEqual(withAbsent(message as never));
      }),
      { numRuns: 300 },
    );
  });

  test('large bytes are handed through and read as views', () => {
    const blob = new Uint8Array(100_000).map((_, i) => i);
    const chunks = encode(schema, 'Tree', { children: [{ blob }] });
    expect(chunks).toContain(blob);
    const bytes = concatBytes(chunks);
    const seen = read(bytes).children[0].blob!;
    expect(seen).toEqual(blob);
    expect(seen.buffer).toBe(bytes.buffer);
  });

  test('packed numbers may come one by one, in pieces, or both', () => {
    // Field 9: varint 1; packed [2, 3]; varint 4.
    const bytes = Uint8Array.of(9 << 3, 1, (9 << 3) | 2, 2, 2, 3, 9 << 3, 4);
    expect(read(bytes).longs).toEqual(BigInt64Array.of(1n, 2n, 3n, 4n));
    // Field 8 is repeated, and may come packed all the same.
    expect(read(Uint8Array.of(8 << 3, 1, (8 << 3) | 2, 2, 2, 3)).numbers).toEqual([1, 2, 3]);
  });

  test('unknown fields are passed over', () => {
    const bytes = concatBytes(encode(schema, 'Tree', { name: 'n', floats: Float32Array.of(1), tiny: -7, children: [{ size: 3 }] }));
    expect(decode(schema, 'Small', bytes)).toEqual({ tiny: -7 });
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['a length beyond the end', Uint8Array.of((2 << 3) | 2, 200, 1, 5), /200 bytes announced/],
    ['a length beyond the parent', Uint8Array.of((7 << 3) | 2, 3, (2 << 3) | 2, 2, 5, 5, 5), /Tree\.children\.blob.*2 bytes announced/],
    ['4 GB announced', Uint8Array.of((2 << 3) | 2, 255, 255, 255, 255, 15), /4294967295 bytes announced/],
    ['a varint without end', new Uint8Array(20).fill(255), /invalid varint/],
    ['a cut off varint', Uint8Array.of(3 << 3, 255), /premature EOF/],
    ['a cut off double', Uint8Array.of((6 << 3) | 1, 0, 0), /byte 3/],
    ['a wrong wire type', Uint8Array.of((1 << 3) | 0, 1), /wire type 0, not 2/],
    ['packed floats of odd length', Uint8Array.of((10 << 3) | 2, 3, 0, 0, 0), /not a whole number/],
    ['field number 0', Uint8Array.of(0, 0), /illegal tag/],
  ])('%s is an error that says where', (_name, bytes, message) => {
    expect(() => read(bytes)).toThrow(FormatError);
    expect(() => read(bytes)).toThrow(message);
    expect(() => read(bytes)).toThrow(/^tree\.pb: broken protobuf at byte \d+, in Tree/);
  });

  test('nesting without end is refused', () => {
    let bytes: Uint8Array = new Uint8Array(0);
    for (let depth = 0; depth < 150; depth++) {
      const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
      bytes = concatBytes([Uint8Array.of((7 << 3) | 2, ...length), bytes]);
    }
    expect(() => read(bytes)).toThrow(/nested deeper than 100/);
  });

  test('millions of empty messages are refused', () => {
    const bytes = new Uint8Array(3_000_000);
    for (let at = 0; at < bytes.length; at += 2) bytes[at] = (7 << 3) | 2;
    expect(() => read(bytes)).toThrow(/more than 1000000 fields/);
  });
});
