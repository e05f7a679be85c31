import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toNumbers } from '../graph/index.ts';
import { f64, i64, run } from '../../test/support/ops.ts';

test('NaN is larger than everything, equal elements keep their order', () => {
  const x = f64([6], [2, Number.NaN, 1, 2, -Infinity, Number.NaN]);
  expect(run('TopK', [x, i64([1], [4])]).map(toNumbers)).toEqual([[Number.NaN, Number.NaN, 2, 2], [1, 5, 0, 3]]);
  expect(run('TopK', [x, i64([1], [6])], { largest: 0 }).map(toNumbers)[1]).toEqual([4, 2, 0, 3, 1, 5]);
});

test('any axis: what JavaScript sorts', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 24, maxLength: 24 }), fc.nat(2), fc.nat(2), (values, axis, k) => {
      const shape = [2, 3, 4];
      const [sorted] = run('TopK', [f64(shape, values), i64([1], [Math.min(k, shape[axis])])], { axis });
      const strides = [12, 4, 1];
      const lines = Array.from({ length: 24 }, (_, i) => i).filter((i) => Math.floor(i / strides[axis]) % shape[axis] === 0);
      const expected = lines.map((start) => Array.from({ length: shape[axis] }, (_, i) => values[start + i * strides[axis]]).sort((a, b) => b - a).slice(0, sorted.shape[axis]));
      const inner = strides[axis];
      const outer = sorted.shape[axis] * inner;
      lines.forEach((start, line) => {
        const at = Math.floor(start / (shape[axis] * inner)) * outer + (start % inner);
        expect(expected[line].map((_, i) => toNumbers(sorted)[at + i * inner])).toEqual(expected[line]);
      });
    }),
  );
});

test('k is one number that there are elements for', () => {
  expect(() => run('TopK', [f64([3], [1, 2, 3]), i64([1], [4])])).toThrow('k: expected one number in [0, 3], got [4]');
  expect(() => run('TopK', [f64([3], [1, 2, 3]), i64([1], [-1])])).toThrow('k: expected');
});
