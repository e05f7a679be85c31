/**
 * Damaged files: each loads, or is refused by a FormatError or GraphError. Never another error, a hang or much memory.
 * WHET_FUZZ=100000 damages more files; the failing ones are named by seed and number, and are the same in every run.
 */
import { performance } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { GraphError } from '../src/graph/index.ts';
import { FormatError } from '../src/formats/index.ts';
import { mutateBytes } from './fuzz/mutate.ts';
import { random } from './fuzz/random.ts';
import { seeds } from './fuzz/seeds.ts';

const files = Number(process.env.WHET_FUZZ ?? 40_000);
const slowMs = 5_000;
const maxGrowthMiB = 700;

test('the seeds load', async () => {
  for (const { name, bytes, load, mayFail } of seeds) if (!mayFail) await expect((async () => load(bytes))(), name).resolves.toBeDefined();
});

test(`${files} damaged files`, { timeout: 300_000 }, async () => {
  const before = process.resourceUsage().maxRSS;
  const wrong: string[] = [];
  let loaded = 0;
  for (let i = 0; i < files; i++) {
    const { name, bytes, load, mutate } = seeds[i % seeds.length];
    const generator = random(i * 2654435761 + 1);
    const wellFormed = mutate && i % 2 === 0;
    const damaged = wellFormed ? mutate(bytes, generator) : mutateBytes(bytes, generator, generator.pick(seeds).bytes);
    const start = performance.now();
    try {
      await load(damaged);
      loaded++;
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof GraphError)) wrong.push(`${name}, file ${i}: ${String((error as Error).stack)}`);
    }
    const ms = performance.now() - start;
    if (ms > slowMs) wrong.push(`${name}, file ${i}: took ${Math.round(ms)} ms`);
  }
  expect(wrong.slice(0, 20)).toEqual([]);
  // Damage that never loads, or always does, tests nothing.
  expect(loaded).toBeGreaterThan(files * 0.02);
  expect(loaded).toBeLessThan(files * 0.9);
  expect((process.resourceUsage().maxRSS - before) / 1024).toBeLessThan(maxGrowthMiB);
});
