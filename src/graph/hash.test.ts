import { describe, expect, test } from 'vitest';
import { f32, i64, random, vector } from '../../test/support/ops.ts';
import { apply, constant, dtypes, type Graph, hashGraph, input, type TensorData, tensorData, type TypedArray, type Value } from './index.ts';
import { contentHash, hex } from './hash.ts';

const x = input('x', 'float32', [2, 100]);
const graphOf = (value: Value, inputs = [{ name: 'x', value: x }], output = 'y'): Graph => ({ name: 'g', inputs, outputs: [{ name: output, value }] });
const noise = (shape: number[], seed = 1): TensorData => {
  const next = random(seed);
  return f32(shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next));
};
const plus = (tensor: TensorData): Graph => graphOf(apply('Add', [x, constant(tensor)]));

describe('hashGraph', () => {
  test('is 32 hexadecimal digits', () => expect(hashGraph(plus(vector([1])))).toMatch(/^[0-9a-f]{32}$/));

  test('knows names and order of inputs and outputs, but no other name', () => {
    const [a, b] = [input('a', 'float32', [2]), input('b', 'float32', [2])];
    const sub = (name: string) => apply('Sub', [a, b], {}, name);
    const inputs = [{ name: 'a', value: a }, { name: 'b', value: b }];
    const graph = graphOf(sub('one'), inputs);
    expect(hashGraph({ ...graph, name: 'other', outputs: [{ name: 'y', value: sub('two') }] })).toBe(hashGraph(graph));
    expect(hashGraph(graphOf(sub(''), inputs, 'z'))).not.toBe(hashGraph(graph));
    expect(hashGraph(graphOf(sub(''), [...inputs].reverse()))).not.toBe(hashGraph(graph));
    expect(hashGraph(graphOf(sub(''), [{ name: 'q', value: a }, inputs[1]]))).not.toBe(hashGraph(graph));
    // What an Input node is called itself says nothing: the graph's declaration does.
    const renamed = input('other', 'float32', [2]);
    expect(hashGraph(graphOf(apply('Sub', [renamed, b]), [{ name: 'a', value: renamed }, inputs[1]]))).toBe(hashGraph(graph));
  });

  test('tells apart what only looks alike', () => {
    const relu = (attrs: Parameters<typeof apply>[2]) => hashGraph(graphOf(apply('Relu', [x], attrs)));
    const hashes = [
      relu({}), relu({ a: 0 }), relu({ a: -0 }), relu({ a: '' }), relu({ a: '0' }), relu({ a: false }), relu({ a: [] }), relu({ a: [0] }),
      relu({ a: ['0'] }), relu({ a: [0, 0] }), relu({ b: 0 }), relu({ a: 0, b: 0 }), relu({ ab: 0 }), relu({ a: vector([0]) }), relu({ a: [1, 2], b: [3] }),
      relu({ a: [1], b: [2, 3] }), relu({ a: 1e-300 }), relu({ a: 2 ** 40 }), relu({ a: Infinity }),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(relu({ b: 1, a: 2 })).toBe(relu({ a: 2, b: 1 }));
  });

  test('knows the element type and shape of a constant', () => {
    const bits = Float32Array.of(1, 2);
    const hashes = [
      hashGraph(plus(tensorData('float32', [2, 1], bits))),
      hashGraph(plus(tensorData('float32', [1, 2, 1], bits))),
      hashGraph(graphOf(apply('Add', [apply('Cast', [x], { to: 'int32' }), constant(tensorData('int32', [2, 1], new Int32Array(bits.buffer)))]))),
    ];
    expect(new Set(hashes).size).toBe(3);
  });

  test('takes constants by content, or large ones by identity', () => {
    const [large, copy, small] = [noise([2, 100]), noise([2, 100]), noise([2, 1])];
    const identity = { constants: 'identity' } as const;
    expect(hashGraph(plus(copy))).toBe(hashGraph(plus(large)));
    expect(hashGraph(plus(copy), identity)).not.toBe(hashGraph(plus(large), identity));
    expect(hashGraph(plus(large), identity)).toBe(hashGraph(plus({ ...large }), identity));
    expect(hashGraph(plus(noise([2, 1])), identity)).toBe(hashGraph(plus(small), identity));
    expect(hashGraph(plus(noise([2, 1], 2)), identity)).not.toBe(hashGraph(plus(small), identity));
  });

  test('takes deep graphs, and shared nodes once', () => {
    let value: Value = x;
    for (let i = 0; i < 20_000; i++) value = apply('Max', [value, value]);
    expect(hashGraph(graphOf(value))).toMatch(/^[0-9a-f]{32}$/);
  });

  test('orders operands that decide a shape', () => {
    const to = (...shape: number[]) => hashGraph(graphOf(apply('Reshape', [x, constant(i64([2], shape))])));
    expect(to(100, 2)).not.toBe(to(50, 4));
    expect(to(100, 2)).not.toBe(to(100, -1));
  });
});

describe('contentHash', () => {
  const bytesOf = (bytes: Uint8Array) => hex(contentHash(bytes));

  // As it was when it was written down: whoever changes it should know.
  test('stays what it is', () => {
    expect(bytesOf(new Uint8Array(0))).toMatchInlineSnapshot(`"00000000000000000000000000000000"`);
    expect(bytesOf(Uint8Array.from({ length: 100 }, (_, i) => i))).toMatchInlineSnapshot(`"d7839805c0f08b12236f23f59e830ec2"`);
  });

  test('is that of the bytes, wherever they lie', () => {
    const bytes = Uint8Array.from({ length: 70_001 }, (_, i) => (i * 31) % 251);
    const shifted = (by: number) => {
      const buffer = new Uint8Array(bytes.length + 8);
      buffer.set(bytes, by);
      return buffer.subarray(by, by + bytes.length);
    };
    for (const by of [0, 1, 2, 3, 4, 7]) expect(bytesOf(shifted(by))).toBe(bytesOf(bytes));
  });

  test('changes with every byte and with the length', () => {
    const hashes = new Set<string>();
    let count = 0;
    const add = (bytes: Uint8Array) => {
      hashes.add(bytesOf(bytes));
      count++;
    };
    for (let length = 0; length < 70; length++) {
      add(new Uint8Array(length));
      for (let at = 0; at < length; at++) for (const value of [1, 128]) add(new Uint8Array(length).fill(value, at, at + 1));
    }
    expect(hashes.size).toBe(count);
  });

  test('no two of many arrays of small numbers share 64 bits', () => {
    const halves = [new Set<string>(), new Set<string>()];
    const count = 20_000;
    for (let i = 0; i < count; i++) {
      const digest = hex(contentHash(Float32Array.of(i % 200, Math.floor(i / 200), 0, 1, 0, 0)));
      halves[0].add(digest.slice(0, 16));
      halves[1].add(digest.slice(16));
    }
    expect(halves.map(({ size }) => size)).toEqual([count, count]);
  });

  test('reads arrays of all element types', () => {
    const hashes = Object.values(dtypes).map(({ array }) => hex(contentHash(new array(3) as TypedArray)));
    const sizes = new Set(Object.values(dtypes).map(({ bytes }) => bytes));
    expect(new Set(hashes).size).toBe(sizes.size);
  });
});
