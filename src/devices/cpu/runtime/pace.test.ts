import { expect, test } from 'vitest';
import { makePace } from './pace.ts';

/** Threads of so many runs, where runs on one and on several threads take so long. */
function runs(count: number, one: number, several: number): number[] {
  const pace = makePace(4);
  return Array.from({ length: count }, () => {
    const threads = pace.threads();
    pace.note(threads, threads === 1 ? one : several);
    return threads;
  });
}
const share = (threads: readonly number[]): number => threads.filter((n) => n > 1).length / threads.length;

test('short runs are of the faster kind, but for a trial now and then', () => {
  expect(share(runs(1000, 0.2, 0.3))).toBeLessThan(0.03);
  expect(share(runs(1000, 0.3, 0.2))).toBeGreaterThan(0.97);
  expect(share(runs(1000, 0.3, 0.29))).toBeLessThan(0.03);
  expect(share(runs(1000, 0.2, 0.3).slice(100))).toBeGreaterThan(0);
});
test('long runs use all threads', () => {
  expect(runs(100, 20, 30).slice(2).every((threads) => threads === 4)).toBe(true);
});
test('follows the machine', () => {
  const pace = makePace(2);
  const step = (one: number, two: number): number => {
    const threads = pace.threads();
    pace.note(threads, threads === 1 ? one : two);
    return threads;
  };
  for (let i = 0; i < 200; i++) step(0.3, 0.2);
  expect(step(0.3, 0.2)).toBe(2);
  for (let i = 0; i < 2000; i++) step(0.3, 0.5);
  expect(step(0.3, 0.5)).toBe(1);
});
test('one thread is one thread', () => {
  expect(makePace(1).threads()).toBe(1);
});
