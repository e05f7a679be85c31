import fc from 'fast-check';
import { expect, test } from 'vitest';
import { alignment, Allocator, type Region } from './allocator.ts';
import { RuntimeError } from './errors.ts';

const limit = 1 << 20;
const overlap = (a: Region, b: Region): boolean => a.offset < b.offset + b.size && b.offset < a.offset + a.size;

test('regions in use are aligned, large enough, within the range and never overlap', () => {
  const action = fc.oneof(
    fc.record({ allocate: fc.integer({ min: 0, max: 40_000 }) }),
    fc.record({ release: fc.nat({ max: 1000 }) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      let end = 0;
      const allocator = new Allocator(64, limit, (to) => ((end = Math.max(end, to)), true));
      const used: Region[] = [];
      for (const act of actions) {
        if ('allocate' in act) {
          let region: Region;
          try {
            region = allocator.allocate(act.allocate);
          } catch (error) {
            // Only ever for want of room: what is free is then in pieces or beyond the limit.
            expect(error).toBeInstanceOf(RuntimeError);
            expect(used.reduce((sum, { size }) => sum + size, 0) + act.allocate).toBeGreaterThan(limit / 8);
            continue;
          }
          expect(region.offset % alignment).toBe(0);
          expect(region.size).toBeGreaterThanOrEqual(act.allocate);
          expect(region.offset + region.size).toBeLessThanOrEqual(end);
          expect(used.some((other) => overlap(region, other))).toBe(false);
          used.push(region);
        } else if (used.length > 0) {
          allocator.release(used.splice(act.release % used.length, 1)[0]);
        }
      }
      const inUse = used.reduce((sum, { size }) => sum + size, 0);
      expect(allocator.freeBytes + inUse).toBe(end === 0 ? 0 : end - 64);
      // All freed, neighbours are one again: the whole range fits where pieces were.
      for (const region of used) allocator.release(region);
      if (end > 64) expect(allocator.allocate(end - 64).offset).toBe(64);
    }),
    { numRuns: 200 },
  );
});

test('memory above what was handed out counts as never used', () => {
  const allocator = new Allocator(0, limit, () => true);
  expect(allocator.allocate(100)).toEqual({ offset: 0, size: 128, used: 0 });
  const second = allocator.allocate(64);
  allocator.release(second);
  // Grows from the freed tail: only that was used before.
  expect(allocator.allocate(256)).toEqual({ offset: 128, size: 256, used: 64 });
});

test('a full range says how much was asked for and what is left', () => {
  const allocator = new Allocator(0, 1024, () => true);
  allocator.allocate(1000);
  expect(() => allocator.allocate(1)).toThrow(/allocate 1 bytes: expected room .* 1024 bytes, got 1024 bytes in use/);
  const refusing = new Allocator(0, 1024, () => false);
  expect(() => refusing.allocate(1)).toThrow(RuntimeError);
});
