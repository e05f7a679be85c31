import { describe, expect, test } from 'vitest';
import { apply, constant, tensorData } from '../graph/index.ts';
import { evaluateValues } from './index.ts';
import { philox } from './random.ts';

const words = (count: number, seed: bigint, offset: bigint): string[] => {
  const result = new Uint32Array(count);
  philox(result, seed, offset);
  return Array.from(result, (word) => word.toString(16).padStart(8, '0'));
};
const uniform = (dtype: 'float32' | 'float64', size: number, seed: bigint, offset: bigint): number[] => {
  const state = constant(tensorData('int64', [2], BigInt64Array.of(seed, offset)));
  return Array.from(evaluateValues([apply('PhiloxUniform', [state], { dtype, shape: [size] })])[0].data as Float64Array);
};

describe('philox', () => {
  // Known answer of the authors' Random123 for a counter and a key of zeros.
  test('known answer', () => expect(words(4, 0n, 0n)).toEqual(['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']));
  test('a counter is a pure function of its place', () => {
    expect(words(12, 7n, 40n).slice(4)).toEqual(words(8, 7n, 41n));
    expect(words(5, 7n, 0xffffffffn).slice(4)).toEqual(words(1, 7n, 0x1_0000_0000n));
    expect(words(4, -1n, 0n)).not.toEqual(words(4, 0xffffffffn, 0n));
  });
});

test.each(['float32', 'float64'] as const)('%s: from 0 to below 1, evenly', (dtype) => {
  const values = uniform(dtype, 40_000, 3n, 0n);
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...values)).toBeLessThan(1);
  const bins = Array.from({ length: 16 }, () => 0);
  for (const value of values) bins[Math.floor(value * 16)]++;
  // Chi-squared of 15 degrees of freedom: below 37.7 but for one seed in a thousand.
  expect(bins.reduce((sum, count) => sum + (count - 2500) ** 2 / 2500, 0)).toBeLessThan(37.7);
  expect(new Set(values).size).toBeGreaterThan(39_900);
});
