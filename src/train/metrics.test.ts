/** Metrics against the same, counted one by one; in any batches. */
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { DataLoader, type Dataset } from '../data/index.ts';
import { Linear, Module } from '../nn/index.ts';
import { tensor, type Tensor } from '../tensor/index.ts';
import { accuracy, type BatchOf, confusionMatrix, evaluate, meanAbsoluteError, meanSquaredError, type Metric, type Outcome, sequenceAccuracy, topKAccuracy, TrainError } from './index.ts';

function valueOf<R>(metric: Metric<R>, ...batches: readonly Outcome[]): R {
  let totals: Float64Array | undefined;
  for (const batch of batches) {
    const added = metric.update(batch).toDouble().toArray() as Float64Array;
    totals = totals ? totals.map((total, i) => total + added[i]) : added;
  }
  return metric.compute(totals!);
}
const labels = (values: number[] | number[][]): Tensor => tensor(values, { dtype: 'int64' });

const classes = 5;
/** Scores of a few values, so that some are equal, and labels. */
const items = fc.array(fc.record({ scores: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: classes, maxLength: classes }), label: fc.integer({ min: 0, max: classes - 1 }) }), { minLength: 1, maxLength: 7 });
type Items = { scores: number[]; label: number }[];
const outcome = (list: Items): Outcome => ({ output: tensor(list.map(({ scores }) => scores)).toFloat(), target: labels(list.map(({ label }) => label)) });
/** Classes by score, of equal ones the lower first. */
const ranked = ({ scores }: { scores: number[] }): number[] => [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b);
const part = (list: Items, right: (item: Items[number]) => boolean): number => list.filter(right).length / list.length;

describe('metrics', () => {
  test('of classes', () => {
    const top1 = accuracy();
    const top3 = topKAccuracy(3);
    const confusion = confusionMatrix(classes);
    fc.assert(
      fc.property(items, items, (a, b) => {
        const [all, batches] = [[...a, ...b], [outcome(a), outcome(b)]];
        expect(valueOf(top1, ...batches)).toBeCloseTo(part(all, (item) => ranked(item)[0] === item.label), 6);
        expect(valueOf(top3, ...batches)).toBeCloseTo(part(all, (item) => ranked(item).slice(0, 3).includes(item.label)), 6);
        const expected = Array.from({ length: classes }, (_, row) => Array.from({ length: classes }, (_, column) => all.filter((item) => item.label === row && ranked(item)[0] === column).length));
        expect(valueOf(confusion, ...batches)).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });

  test('of tokens and sequences, padding aside', () => {
    const target = labels([[1, 2, 0, 0], [2, 2, 1, 0]]);
    const scores = [[[0, 9, 0], [0, 0, 9], [0, 9, 0], [9, 0, 0]], [[0, 0, 9], [0, 9, 0], [0, 9, 0], [0, 9, 0]]];
    const output = tensor(scores).toFloat();
    expect(valueOf(accuracy({ dim: -1 }), { output, target })).toBeCloseTo(5 / 8, 6);
    expect(valueOf(accuracy({ dim: -1, ignoreIndex: 0 }), { output, target })).toBeCloseTo(4 / 5, 6);
    expect(valueOf(accuracy({ ignoreIndex: 0 }), { output: output.transpose(1, 2), target })).toBeCloseTo(4 / 5, 6);
    expect(valueOf(sequenceAccuracy({ ignoreIndex: 0 }), { output, target })).toBe(0.5);
    expect(valueOf(sequenceAccuracy(), { output, target })).toBe(0);
    expect(valueOf(sequenceAccuracy(), { output: target, target })).toBe(1);
    expect(valueOf(topKAccuracy(2, { dim: -1, ignoreIndex: 0 }), { output, target })).toBeCloseTo(4 / 5, 6);
    expect(valueOf(confusionMatrix(3, { dim: -1, ignoreIndex: 0 }), { output, target })).toEqual([[0, 0, 0], [0, 2, 0], [0, 1, 2]]);
  });

  test('of yes and no', () => {
    const target = tensor([1, 0, 1, 1]);
    expect(valueOf(accuracy(), { output: tensor([0.9, 0.4, 0.2, 0.6]), target })).toBe(0.75);
    expect(valueOf(accuracy({ threshold: 0 }), { output: tensor([1.5, -2, -0.1, 3]), target })).toBe(0.75);
  });

  test('of distances', () => {
    const outcomes = [{ output: tensor([1, 2, 3]).toFloat(), target: tensor([1, 4, 0]) }, { output: tensor([5]).toFloat(), target: tensor([4.5]) }];
    expect(valueOf(meanAbsoluteError(), ...outcomes)).toBeCloseTo(5.5 / 4, 6);
    expect(valueOf(meanSquaredError(), ...outcomes)).toBeCloseTo(13.25 / 4, 6);
  });

  test('refuse shapes that do not go together', () => {
    const [scores, target] = [tensor([[1, 2, 3]]).toFloat(), labels([1])];
    expect(() => accuracy({ dim: 0 }).update({ output: scores, target })).toThrow(TrainError);
    expect(() => accuracy({ dim: 0 }).update({ output: scores, target })).toThrow(/accuracy: expected scores of classes along dimension 0 for targets \[1\], got \[1,3\]; give `dim`/);
    expect(() => topKAccuracy(2).update({ output: target, target })).toThrow(/topKAccuracy/);
    expect(() => meanAbsoluteError().update({ output: scores, target })).toThrow(/meanAbsoluteError: expected an output of shape \[1\], got \[1,3\]/);
  });
});

test('types: values by metrics, batches by data', async () => {
  const data = [tensor([[1, 0], [0, 1]]).toFloat(), labels([0, 1])];
  const worth = await evaluate(new Linear(2, 2), data, { loss: 'crossEntropy', metrics: { a: accuracy(), c: confusionMatrix(2) } });
  expectTypeOf(worth).toEqualTypeOf<{ readonly loss: number } & { readonly a: number; readonly c: number[][] }>();
  expect(Object.keys(worth)).toEqual(['loss', 'a', 'c']);
  expectTypeOf<BatchOf<Tensor[]>>().toEqualTypeOf<Tensor[]>();
  expectTypeOf<BatchOf<DataLoader<number, { x: Tensor }>>>().toEqualTypeOf<{ x: Tensor }>();
  expectTypeOf<BatchOf<Dataset<readonly [Tensor, number]>>>().toEqualTypeOf<[Tensor, Tensor]>();
  expectTypeOf<BatchOf<AsyncIterable<Tensor>>>().toEqualTypeOf<Tensor>();
  expectTypeOf<Module['fit']>().toBeCallableWith([1, 2], [0, 1], { loss: 'mse' });
});
