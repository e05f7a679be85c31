/** What a page is shown of a run: bounded, in order, and after a resume as if the old steps had never been. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogRecord } from './record.ts';
import { makeSeries, makeThinned } from './series.ts';
import { makeView } from './view.ts';

describe('a series', () => {
  test('of few points is what was added', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(50), fc.integer()), { maxLength: 60 }), (added) => {
        const series = makeSeries(64);
        let expected: [number, number][] = [];
        for (const [step, value] of added) {
          series.add(step, step / 2, value);
          expected = [...expected.filter(([before]) => before < step), [step, value]];
        }
        expect(series.steps.map((step, i) => [step, series.values[i]])).toEqual(expected);
        expect(series.seconds).toEqual(series.steps.map((step) => step / 2));
      }),
    );
  });

  test('of many keeps few, and their mean', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), (count) => {
        const series = makeSeries(16);
        let sum = 0;
        for (let step = 0; step < count; step++) {
          series.add(step, step, step % 7);
          sum += step % 7;
        }
        const { steps, values } = series;
        expect(steps.length).toBeLessThanOrEqual(16);
        expect(steps.length).toBeGreaterThanOrEqual(Math.min(count, 8));
        expect(steps.at(-1)).toBe(count - 1);
        const total = values.reduce((all, value, i) => all + value * (steps[i] - (steps[i - 1] ?? -1)), 0);
        expect(total).toBeCloseTo(sum, 6);
      }),
      { numRuns: 50 },
    );
  });

  test('says when points that were there have changed', () => {
    const series = makeSeries(4);
    for (let step = 0; step < 4; step++) series.add(step, 0, 0);
    const { generation } = series;
    series.cut(9);
    expect(series.generation).toBe(generation);
    series.add(4, 0, 0);
    expect(series.generation).toBeGreaterThan(generation);
    expect(series.steps).toEqual([1, 3, 4]);
    series.cut(3);
    expect(series.steps).toEqual([1, 2]);
  });
});

test('a thinned list keeps first and latest, and never more than it may', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), (count) => {
      const list = makeThinned<{ step: number }>(10);
      for (let step = 0; step < count; step++) {
        list.add({ step });
        expect(list.entries.length).toBeLessThanOrEqual(11);
        expect([list.entries[0].step, list.entries.at(-1)?.step]).toEqual([0, step]);
      }
      const gaps = list.entries.slice(1, -1).map(({ step }, i) => step - list.entries[i].step);
      expect(new Set(gaps).size).toBeLessThanOrEqual(1);
    }),
    { numRuns: 40 },
  );
});

describe('a run that was resumed', () => {
  const place = { segment: 0, offset: 0, length: 0 };
  const open = (time: number, config = {}): LogRecord => ({ kind: 'open', format: 1, time, run: 'r', process: { pid: 1, host: 'h' }, config });
  const scalars = (time: number, step: number, values: Record<string, number | string>): LogRecord => ({ kind: 'scalars', time, step, values });
  const view = (records: readonly (LogRecord | undefined)[]) => {
    const made = makeView('r');
    for (const record of records) made.add(record, place);
    return made;
  };
  const points = (records: readonly LogRecord[], name: string) => {
    const series = view(records).series.get(name);
    return series && series.steps.map((step, i) => [step, series.values[i]]);
  };

  test('shows new steps in place of old ones, and time without the pause', () => {
    const records = [open(0, { lr: 1 }), scalars(1000, 1, { loss: 3, old: 1 }), scalars(2000, 2, { loss: 2 }), scalars(3000, 3, { loss: 'NaN', late: 1 }), open(90_000, { more: 2 }), scalars(91_000, 2, { loss: 2.5 })];
    expect(points(records, 'loss')).toEqual([[1, 3], [2, 2.5]]);
    expect(points(records, 'old')).toEqual([[1, 1]]);
    expect(points(records, 'late')).toBeUndefined();
    expect(view(records).series.get('loss')?.seconds).toEqual([1, 2]);
    expect(view(records).summary(true)).toMatchObject({ status: 'running', step: 2, openings: 2, config: { lr: 1, more: 2 }, notFinite: null });
    expect(view(records.slice(0, 4)).summary(false)).toMatchObject({ status: 'stopped', step: 3, notFinite: { name: 'loss', step: 3 } });
  });

  test('is equal to one that never had the old steps, wherever it begins anew', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 25 }), fc.integer({ min: 1, max: 10 }), (before, from, after) => {
        const first = Array.from({ length: before }, (_, step) => scalars(step, step, { loss: step }));
        const second = Array.from({ length: after }, (_, i) => scalars(100 + i, from + i, { loss: 1000 + i }));
        const whole = [...Array.from({ length: Math.min(before, from) }, (_, step) => [step, step]), ...second.map((_, i) => [from + i, 1000 + i])];
        expect(points([open(0), ...first, open(99), ...second], 'loss')).toEqual(whole);
      }),
    );
  });

  test('counts lines that cannot be read', () => {
    expect(view([open(0), undefined, undefined, { kind: 'close', time: 1, ok: true }]).summary(false)).toMatchObject({ damaged: 2, status: 'finished' });
  });
});
