/** What is marked as overfitting, what names mean. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Curve, direction, findOverfitting, groupOf, metricOf, splitOf } from './index.ts';

const steps = (count: number): number[] => Array.from({ length: count }, (_, i) => i * 10);
const curve = (values: readonly number[]): Curve => ({ steps: steps(values.length), values });
const falling = (count: number): Curve => curve(steps(count).map((step) => 2 * Math.exp(-step / 200)));

describe('overfitting', () => {
  test('is where validation was best, once it has risen while training falls', () => {
    const validation = curve([2, 1, 0.5, 0.4, 0.42, 0.45, 0.5, 0.6]);
    expect(findOverfitting(falling(8), validation)).toMatchObject({ step: 30, value: 0.4 });
  });

  test.each<[string, Curve, Curve]>([
    ['validation goes on falling', falling(20), falling(20)],
    ['it rises with training: the rate is too high', curve([2, 1, 0.5, 0.4, 0.8, 1, 2, 3]), curve([2, 1, 0.5, 0.4, 0.9, 1, 2, 3])],
    ['two validations alone are worse', falling(6), curve([2, 1, 0.5, 0.4, 0.6, 0.7])],
    ['the rise is less than its noise', falling(12), curve([2, 1.4, 1.2, 1.35, 1.15, 1.4, 1.1, 1.3, 1.12, 1.36, 1.15, 1.3])],
    ['nothing was logged', curve([]), curve([])],
    ['all of it is NaN', falling(5), curve([NaN, NaN, NaN, NaN, NaN])],
  ])('is not marked where %s', (_, train, validation) => expect(findOverfitting(train, validation)).toBeUndefined());

  test('is never marked on a curve that only falls, whatever the numbers', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { maxLength: 60 }), (values) => {
        const sorted = curve(values.sort((a, b) => b - a));
        expect(findOverfitting(falling(sorted.values.length), sorted)).toBeUndefined();
      }),
    );
  });

  test('when it is marked, it is at the lowest value', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 9, arbitrary: fc.double({ min: 0.01, max: 3, noNaN: true }) }, { weight: 1, arbitrary: fc.constant(NaN) }), { maxLength: 30 }), (values) => {
        const found = findOverfitting(falling(values.length), curve(values));
        if (found) expect(found.value).toBe(Math.min(...values.filter(Number.isFinite)));
      }),
    );
  });
});

test.each([
  ['loss/train', 'loss', 'train', 'loss', 'lower'],
  ['loss/validation', 'loss', 'validation', 'loss', 'lower'],
  ['val_loss', 'val_loss', 'validation', 'loss', 'lower'],
  ['accuracy/validation', 'accuracy', 'validation', 'accuracy', 'higher'],
  ['top-5/test', 'top-5', 'validation', 'top-5', 'higher'],
  ['learning-rate', 'learning-rate', undefined, 'learning-rate', 'none'],
  ['classic', 'classic', undefined, 'classic', 'none'],
])('%s: group %s, split %s, metric %s, %s is better', (name, group, split, metric, better) => {
  expect([groupOf(name), splitOf(name), metricOf(name), direction(name)]).toEqual([group, split, metric, better]);
});
