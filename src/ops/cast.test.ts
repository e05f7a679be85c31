import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { i64, nodeOf, numbers, run, vector } from '../../test/support/ops.ts';
import { type DType, tensorData, toNumbers } from '../graph/index.ts';
import { castData } from './cast.ts';

const cast = (values: number[], from: DType, to: DType): number[] => numbers('Cast', [vector(values, from)], { to });

it('converts between the kinds', () => {
  expect(cast([1.9, -1.9, -0.5], 'float32', 'int32')).toEqual([1, -1, 0]);
  expect(cast([0, -0, 0.1, NaN, -2], 'float32', 'bool')).toEqual([0, 0, 1, 1, 1]);
  expect(cast([0, 7], 'int64', 'bool')).toEqual([0, 1]);
  expect(cast([0, 7], 'uint8', 'bool')).toEqual([0, 1]);
  expect(cast([0, 1], 'bool', 'float64')).toEqual([0, 1]);
  expect(cast([0, 1], 'bool', 'int64')).toEqual([0, 1]);
  expect(cast([200, -1], 'int16', 'int8')).toEqual([-56, -1]);
  expect(cast([-1], 'int32', 'uint16')).toEqual([65535]);
  expect(cast([0.1], 'float64', 'float32')).toEqual([Math.fround(0.1)]);
  expect(cast([5], 'float32', 'uint64')).toEqual([5]);
});

it('saturates floats beyond the integer range, and takes NaN as 0', () => {
  expect(cast([3e9, -3e9, NaN, Infinity], 'float32', 'int32')).toEqual([2 ** 31 - 1, -(2 ** 31), 0, 2 ** 31 - 1]);
  expect(cast([-1, 300], 'float32', 'uint8')).toEqual([0, 255]);
  expect(run('Cast', [vector([1e19], 'float64')], { to: 'int64' })[0].data[0]).toBe(2n ** 63n - 1n);
});

it('keeps 64-bit integers exact, and rounds them once to floats', () => {
  const big = tensorData('int64', [2], BigInt64Array.of(2n ** 53n + 1n, -(2n ** 62n)));
  expect(castData(big, 'uint64').data).toEqual(BigUint64Array.of(2n ** 53n + 1n, 3n * 2n ** 62n));
  // Just above the middle of two float32; through a double it would be the middle itself, and round to even.
  const tie = tensorData('int64', [2], BigInt64Array.of(2n ** 60n + 2n ** 36n + 1n, -(2n ** 60n + 2n ** 36n + 1n)));
  expect(toNumbers(castData(tie, 'float32'))).toEqual([2 ** 60 + 2 ** 37, -(2 ** 60 + 2 ** 37)]);
});

it('rounds every int64 to the nearest float32', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const [rounded] = castData(tensorData('int64', [1], BigInt64Array.of(value)), 'float32').data as Float32Array;
      const distance = (x: number) => (BigInt(x) > value ? BigInt(x) - value : value - BigInt(x));
      const bits = new DataView(new ArrayBuffer(4));
      bits.setFloat32(0, rounded);
      for (const step of rounded === 0 ? [] : [-1, 1]) {
        const neighbour = new DataView(new ArrayBuffer(4));
        neighbour.setInt32(0, bits.getInt32(0) + step);
        const other = neighbour.getFloat32(0);
        // Beside small integers lie fractions.
        if (Number.isInteger(other)) expect(distance(rounded) <= distance(other)).toBe(true);
      }
    }),
  );
});

it('goes through the 16-bit floats', () => {
  const half = castData(vector([1, 65504, 1e6, 2 ** -25]), 'float16');
  expect(Array.from(half.data as Uint16Array)).toEqual([0x3c00, 0x7bff, 0x7c00, 0]);
  expect(toNumbers(castData(half, 'float32'))).toEqual([1, 65504, Infinity, 0]);
  expect(toNumbers(castData(castData(i64([1], [257]), 'bfloat16'), 'int32'))).toEqual([256]);
});

it('asks for a dtype it knows', () => {
  expect(() => nodeOf('Cast', [vector([1])], { to: 'complex64' })).toThrow('attribute to: expected one of float32');
  expect(() => nodeOf('Cast', [vector([1])])).toThrow('got nothing');
});
