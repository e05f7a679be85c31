/** Schedules against PyTorch's learning rates; several in a row; going on from a state. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { tensor } from '../tensor/index.ts';
import * as optim from './index.ts';

interface Case {
  readonly schedule: string;
  readonly lr: number;
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly rates: readonly number[];
  readonly momenta?: readonly number[];
  readonly metrics?: readonly number[];
}
const { schedules } = JSON.parse(readFileSync(new URL('../../test/golden/schedules.json', import.meta.url), 'utf8')) as { schedules: Case[] };
interface Stepper {
  step(metric?: number): void;
  stateDict(): never;
  loadStateDict(state: never): void;
}
const optionsOf = ({ kwargs }: Case): Record<string, unknown> =>
  Object.fromEntries(Object.entries(kwargs).map(([name, value]) => [name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()), value]));
const makeOptimizer = (lr: number): optim.SGD => new optim.SGD([tensor([1], { requiresGrad: true })], { lr, momentum: 0.9 });
const make = (entry: Case, optimizer: optim.SGD): Stepper =>
  new (optim as unknown as Record<string, new (optimizer: optim.SGD, options: unknown) => Stepper>)[entry.schedule](optimizer, optionsOf(entry));

describe('golden', () => {
  test('is all there', () => expect(schedules).toHaveLength(14));
  test.each(schedules)('$schedule $kwargs', (entry) => {
    const optimizer = makeOptimizer(entry.lr);
    const [group] = optimizer.paramGroups;
    const scheduler = make(entry, optimizer);
    entry.rates.forEach((rate, i) => {
      expect(Math.abs(group.lr - rate)).toBeLessThan(1e-12);
      if (entry.momenta) expect(Math.abs(group.momentum - entry.momenta[i])).toBeLessThan(1e-12);
      scheduler.step(entry.metrics?.[i]);
    });
  });
  test.each(schedules)('$schedule $kwargs, from its middle', (entry) => {
    const first = makeOptimizer(entry.lr);
    const scheduler = make(entry, first);
    for (let i = 0; i < 5; i++) scheduler.step(entry.metrics?.[i]);
    const second = makeOptimizer(entry.lr);
    const other = make(entry, second);
    second.loadStateDict(first.stateDict());
    other.loadStateDict(scheduler.stateDict());
    entry.rates.slice(5).forEach((rate, i) => {
      expect(Math.abs(second.paramGroups[0].lr - rate)).toBeLessThan(1e-12);
      other.step(entry.metrics?.[i + 5]);
    });
  });
});

test('warm-up, then a cosine', () => {
  const optimizer = makeOptimizer(0.4);
  const parts = [new optim.LinearLR(optimizer, { startFactor: 0.25, totalIters: 3 }), new optim.CosineAnnealingLR(optimizer, { tMax: 4 })];
  const scheduler = new optim.SequentialLR(optimizer, parts, { milestones: [3] });
  const rates = Array.from({ length: 8 }, () => {
    const [rate] = scheduler.getLastLr();
    scheduler.step();
    return rate;
  });
  const expected = [0.1, 0.2, 0.3, 0.4, 0.2 + 0.2 * Math.SQRT1_2, 0.2, 0.2 - 0.2 * Math.SQRT1_2, 0];
  rates.forEach((rate, i) => expect(rate).toBeCloseTo(expected[i], 12));
});

test('groups keep their proportions', () => {
  const params = [0, 1].map(() => tensor([1], { requiresGrad: true }));
  const optimizer = new optim.SGD(params.map((param, i) => ({ params: [param], lr: 0.1 * (i + 1) })));
  new optim.LambdaLR(optimizer, (count) => 1 / (1 + count)).step();
  expect(optimizer.paramGroups.map(({ lr }) => lr)).toEqual([0.05, 0.1]);
});

test('steps of no length are refused', () => {
  expect(() => new optim.StepLR(makeOptimizer(1), { stepSize: 0 })).toThrow(/StepLR's stepSize: expected a whole number from 1 on, got 0/);
  expect(() => new optim.SequentialLR(makeOptimizer(1), [], { milestones: [1] })).toThrow(/milestones/);
});

test('one cycle of a few steps: a phase of one step, or of none, is at its end', () => {
  for (const totalSteps of [1, 2, 5, 7]) {
    const optimizer = makeOptimizer(0.1);
    const schedule = new optim.OneCycleLR(optimizer, { maxLr: 0.1, totalSteps, pctStart: 0.2 });
    const rates = Array.from({ length: totalSteps }, () => {
      const { lr } = optimizer.paramGroups[0];
      schedule.step();
      return lr;
    });
    expect(rates.every((rate) => rate > 0 && rate <= 0.1)).toBe(true);
    expect(rates.at(-1)).toBeLessThanOrEqual(rates[0]);
  }
});
