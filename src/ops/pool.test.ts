import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bool, expectClose, f32, f64, numbers, random, run, runDecomposed } from '../../test/support/ops.ts';
import { type Attrs, type DType, fromNumbers, input, makeNode, sizeOf, toNumbers } from '../graph/index.ts';
import { poolCounts, poolGeometry } from './index.ts';

const iota = (size: number, start = 1) => Array.from({ length: size }, (_, i) => start + i);
const image = f32([1, 1, 5, 5], iota(25));
const [kernel3, kernel2] = [{ kernel_shape: [3, 3] }, { kernel_shape: [2, 2] }];
const typesOf = (op: string, shape: readonly number[], attrs: Attrs, dtype: DType = 'float32') => makeNode(op, [input('x', dtype, shape)], attrs).outputs;

describe('MaxPool', () => {
  test.each<[Attrs, number[]]>([
    [{ ...kernel2, strides: [2, 2] }, [7, 9, 17, 19]],
    [{ kernel_shape: [5, 5], pads: [2, 2, 2, 2] }, [13, 14, 15, 15, 15, 18, 19, 20, 20, 20, 23, 24, 25, 25, 25, 23, 24, 25, 25, 25, 23, 24, 25, 25, 25]],
    [{ ...kernel3, strides: [2, 2], auto_pad: 'SAME_UPPER' }, [7, 9, 10, 17, 19, 20, 22, 24, 25]],
    [{ ...kernel2, strides: [2, 2], ceil_mode: 1 }, [7, 9, 10, 17, 19, 20, 22, 24, 25]],
    [{ ...kernel2, dilations: [2, 2], strides: [2, 2] }, [13, 15, 23, 25]],
  ])('%o', (attrs, expected) => expect(numbers('MaxPool', [image], attrs)).toEqual(expected));

  test('one axis, three axes', () => {
    expect(numbers('MaxPool', [f32([1, 2, 3], [1, 3, 2, 6, 5, 4])], { kernel_shape: [2] })).toEqual([3, 3, 6, 5]);
    expect(numbers('MaxPool', [f32([1, 1, 2, 2, 2], iota(8))], { kernel_shape: [2, 1, 2] })).toEqual([6, 8]);
  });
  test('indices count over all channels, in rows or in columns', () => {
    const x = f32([1, 2, 2, 3], [1, 2, 9, 4, 5, 6, 9, 1, 1, 1, 1, 1]);
    const attrs = { kernel_shape: [2, 2] };
    const indices = (storage_order: number) => toNumbers(run('MaxPool', [x], { ...attrs, storage_order })[1]);
    expect(indices(0)).toEqual([4, 2, 6, 7]);
    // Column-major: row + 2 * column in each plane of 6; of equal elements the first in row order.
    expect(indices(1)).toEqual([3, 4, 6, 8]);
  });
  test('padding is lower than every element, NaN higher', () => {
    expect(numbers('MaxPool', [f32([1, 1, 2], [-5, -3])], { kernel_shape: [2], pads: [1, 1] })).toEqual([-5, -3, -3]);
    expect(numbers('MaxPool', [f32([1, 1, 3], [1, Number.NaN, 2])], { kernel_shape: [2] })).toEqual([Number.NaN, Number.NaN]);
    expect(numbers('MaxPool', [f32([1, 1, 2], [-Infinity, -Infinity])], { kernel_shape: [2] })).toEqual([-Infinity]);
  });
  test('integers', () => {
    expect(numbers('MaxPool', [fromNumbers('uint8', [1, 1, 3], [1, 200, 7])], { kernel_shape: [2] })).toEqual([200, 200]);
  });
  test('a window that meets no element has the lowest value and no index', () => {
    const [y, indices] = run('MaxPool', [fromNumbers('int8', [1, 1, 2], [-3, -4])], { kernel_shape: [2], dilations: [3], pads: [2, 2] });
    expect([toNumbers(y), toNumbers(indices)]).toEqual([[-4, -128, -3], [1, -1, 0]]);
  });
  test('each result is the element its index names, and no element of its window is larger', () => {
    const shape = fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 }), fc.integer({ min: 3, max: 6 }), fc.integer({ min: 3, max: 6 }));
    fc.assert(fc.property(shape, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 }), fc.nat(), (dims, kernel, stride, seed) => {
      const next = random(seed);
      const x = f32(dims, Array.from({ length: sizeOf(dims) }, () => Math.floor(next() * 8)));
      const [y, indices] = run('MaxPool', [x], { kernel_shape: [kernel, kernel], strides: [stride, stride] });
      const [n, c, h, w] = y.shape;
      expect(toNumbers(indices).map((i) => x.data[i])).toEqual(toNumbers(y));
      for (let i = 0; i < n * c * h * w; i++) {
        const [plane, row, column] = [Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w];
        for (let k = 0; k < kernel * kernel; k++) {
          const [r, s] = [row * stride + Math.floor(k / kernel), column * stride + (k % kernel)];
          expect(Number(x.data[(plane * dims[2] + r) * dims[3] + s])).toBeLessThanOrEqual(Number(y.data[i]));
        }
      }
    }), { numRuns: 40 });
  });
  test('both results have types', () => {
    expect(typesOf('MaxPool', [2, 3, 8, 8], { ...kernel2, strides: [2, 2] })).toMatchObject([
      { dtype: 'float32', shape: [2, 3, 4, 4] },
      { dtype: 'int64', shape: [2, 3, 4, 4] },
    ]);
  });
});

describe('AveragePool', () => {
  test.each<[Attrs, number[]]>([
    [{ ...kernel2, strides: [2, 2] }, [4, 6, 14, 16]],
    [{ ...kernel3, strides: [2, 2], auto_pad: 'SAME_UPPER' }, [4, 5.5, 7, 11.5, 13, 14.5, 19, 20.5, 22]],
    [{ ...kernel3, strides: [2, 2], ceil_mode: 1 }, [7, 9, 17, 19]],
    [{ ...kernel2, strides: [3, 3], pads: [1, 1, 1, 1] }, [1, 3.5, 13.5, 16]],
    [{ ...kernel2, strides: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }, [0.25, 1.75, 6.75, 16]],
    [{ ...kernel2, strides: [3, 3], dilations: [2, 2] }, [7]],
  ])('%o', (attrs, expected) => expect(numbers('AveragePool', [image], attrs)).toEqual(expected));

  test('what ceil_mode reads beyond the padding is never counted', () => {
    const x = f32([1, 1, 4], [1, 2, 3, 4]);
    const attrs = { kernel_shape: [3], strides: [3], pads: [0, 1], ceil_mode: 1 };
    expect(numbers('AveragePool', [x], { ...attrs, count_include_pad: 1 })).toEqual([2, 2]);
    expect(numbers('AveragePool', [x], attrs)).toEqual([2, 4]);
  });
  test('of ones it is one, and its divisors are poolCounts', () => {
    const node = makeNode('AveragePool', [input('x', 'float32', [1, 1, 5, 4])], { ...kernel3, pads: [1, 1, 2, 0], strides: [2, 1] });
    expect(poolCounts(poolGeometry(node)).map((counts) => Array.from(counts))).toEqual([[2, 3, 2], [2, 3, 3]]);
    expect(numbers('AveragePool', [f32([1, 1, 5, 4], new Array(20).fill(1))], node.attrs)).toEqual(new Array(9).fill(1));
  });
});

test.each<[string, DType, number[], Attrs, RegExp]>([
  ['MaxPool', 'float32', [3, 3], kernel2, /X: expected N, C and at least one spatial axis/],
  ['MaxPool', 'float32', [1, 1, 4, 4], {}, /attribute kernel_shape: expected one size a spatial axis, got nothing/],
  ['MaxPool', 'float32', [1, 1, 4, 4], { kernel_shape: [2] }, /kernel_shape: expected 2 values, got 1/],
  ['MaxPool', 'float32', [1, 1, 1, 1], kernel2, /spatial axis 0: expected a padded input of at least 2/],
  ['MaxPool', 'float32', [1, 1, 4, 4], { ...kernel2, pads: [2, 0, 0, 0] }, /pads: expected less than 2/],
  ['MaxPool', 'float32', [1, 1, 1], { kernel_shape: [2 ** 30], pads: [2 ** 30 - 1, 0] }, /kernel_shape: expected at most 16777216 elements/],
  ['MaxPool', 'bool', [1, 1, 4, 4], kernel2, /X: expected a numeric tensor, got bool/],
  ['AveragePool', 'int32', [1, 1, 4, 4], kernel2, /X: expected a float tensor, got int32/],
  ['GlobalAveragePool', 'float32', [1, 1, 0], {}, /at least one element a channel/],
  ['LpPool', 'float32', [1, 1, 4], { kernel_shape: [2], p: 0 }, /attribute p/],
])('%s refuses %s %j %o', (op, dtype, shape, attrs, message) => expect(() => typesOf(op, shape, attrs, dtype)).toThrow(message));

test('bool is refused with its own name', () => expect(() => run('GlobalMaxPool', [bool([1, 1, 1], [1])])).toThrow(/GlobalMaxPool\(bool\[1,1,1\]\)/));

describe('taken apart', () => {
  test('global pooling', () => {
    const x = f32([1, 2, 2, 2], [1, 2, 3, 4, -1, -2, -3, -4]);
    expect(runDecomposed('GlobalAveragePool', [x])[0]).toEqual(f32([1, 2, 1, 1], [2.5, -2.5]));
    expect(runDecomposed('GlobalMaxPool', [x])[0]).toEqual(f32([1, 2, 1, 1], [4, -1]));
    expectClose(runDecomposed('GlobalLpPool', [x])[0], f32([1, 2, 1, 1], [Math.sqrt(30), Math.sqrt(30)]), { ulp: 2 });
  });
  test('LpPool, also where windows reach over the edges', () => {
    const x = f64([1, 1, 4], [3, -4, 0, 5]);
    expectClose(runDecomposed('LpPool', [x], { kernel_shape: [2], pads: [1, 0] })[0], f64([1, 1, 4], [3, 5, 4, 5]), { ulp: 4 });
    expectClose(runDecomposed('LpPool', [x], { kernel_shape: [3], strides: [3], ceil_mode: 1, p: 1 })[0], f64([1, 1, 2], [7, 5]), { ulp: 4 });
  });
});
