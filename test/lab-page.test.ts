/** What the lab's page computes before it draws. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatNumber, formatSeconds } from '../lab/src/format.ts';
import { epochsOf, smooth } from '../lab/src/lines.ts';
import { densities, extentOf } from '../lab/src/ridges.ts';
import { withoutOutliers, yRange } from '../lab/src/scales.ts';
import { binValues } from '../src/lab/shared/index.ts';

const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });

describe('smoothing', () => {
  test('stays within what was logged, keeps gaps, and is a weighted mean', () => {
    fc.assert(
      fc.property(fc.array(fc.option(finite), { minLength: 1 }), fc.double({ min: 0, max: 0.99, noNaN: true }), (values, weight) => {
        const result = smooth(values, weight);
        const seen: number[] = [];
        values.forEach((value, i) => {
          if (value === null) return expect(result[i]).toBeNull();
          seen.push(value);
          const weights = seen.map((_, k) => weight ** (seen.length - 1 - k));
          const mean = seen.reduce((sum, one, k) => sum + one * weights[k], 0) / weights.reduce((sum, one) => sum + one, 0);
          expect(Math.abs(result[i]! - mean)).toBeLessThan(1e-6);
        });
      }),
    );
  });
});

test('epochs are straight between the steps where they change, and go on beyond', () => {
  const points = { steps: [1, 10, 11, 20, 21, 30], seconds: [], values: [1, 1, 2, 2, 3, null] };
  const at = epochsOf(points)!;
  expect([1, 6, 11, 16, 21, 31].map(at)).toEqual([1, 1.5, 2, 2.5, 3, 4]);
  expect(epochsOf({ steps: [1, 2], seconds: [], values: [1, 1] })).toBeUndefined();
  expect(epochsOf(undefined)).toBeUndefined();
});

test('a histogram brought to another axis keeps all that lies on it', () => {
  fc.assert(
    fc.property(fc.array(fc.array(finite, { minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 5 }), (lists) => {
      const entries = lists.map((values, step) => ({ ...binValues(values), step }));
      const extent = extentOf(entries);
      for (const entry of entries) {
        expect(densities(entry, extent).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      }
    }),
  );
});

describe('the vertical axis', () => {
  test('shows everything with room, from 0 where nothing is negative, and a flat line in the middle', () => {
    fc.assert(
      fc.property(finite, finite, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const [bottom, top] = yRange(low, high);
        expect(bottom).toBeLessThan(top);
        expect(bottom <= low && top >= high).toBe(true);
        if (low >= 0) expect(bottom).toBeGreaterThanOrEqual(0);
      }),
    );
    expect([yRange(0.001, 0.001), yRange(0, 0), yRange(-2, -2), yRange(null, null)]).toEqual([[0, 0.002], [-1, 1], [-4, 0], [0, 1]]);
  });

  test('leaves out what is far from all curves, and nothing else', () => {
    const places = Array.from({ length: 100 }, (_, i) => i);
    const usual = places.map((i) => 1 + (i % 10) / 10);
    const all = { min: 0, max: 99 };
    const range = (...curves: (number | null)[][]) => {
      const numbers = curves.flat().filter((value) => value !== null);
      return withoutOutliers({ data: [places, ...curves] }, all, Math.min(...numbers), Math.max(...numbers));
    };
    expect(range(usual)).toEqual([1, 1.9]);
    expect(range(usual, places.map((i) => (i === 3 ? 1000 : i < 6 ? i : null)))).toEqual([0, 5]);
    expect(range(usual, usual.map((value) => value + 3))).toEqual([1, 4.9]);
    expect(range(places.map(() => 5))).toEqual([5, 5]);
  });
});

test('numbers and times are short', () => {
  expect([0, 1, 0.12345, 1234.5, 1e-9, -2.5e8, 0.0008, null].map(formatNumber)).toEqual(['0', '1', '0.1235', '1,235', '1e-9', '-2.5e8', '0.0008', '–']);
  expect([0.52, 59, 61, 3725].map(formatSeconds)).toEqual(['0.52 s', '59 s', '1 min 01 s', '1 h 02 min']);
});
