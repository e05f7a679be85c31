/** Examples that are not in the README run as well, and do what they say. */
import { expect, test, vi } from 'vitest';

test('linear-regression finds the line', async () => {
  const lines: unknown[][] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...args: unknown[]) => void lines.push(args));
  await import('../examples/linear-regression.ts');
  log.mockRestore();
  const [slope, offset] = lines.at(-1) as { item(): number }[];
  expect(slope.item()).toBeCloseTo(3, 1);
  expect(offset.item()).toBeCloseTo(0.5, 1);
  expect(lines).toHaveLength(5);
});
