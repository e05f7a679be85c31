/** Thousands of training steps and as many reads in a process of its own, where nobody disposes of anything: its memory stays flat. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isas } from './support/cpu.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
let folder: string;

beforeAll(async () => {
  // Within node_modules, so that koffi is found.
  folder = mkdtempSync(`${root}node_modules/.whetstone-`);
  const contents = `export * from '../src/tensor/index.ts'; export { Linear, ReLU, Sequential, CrossEntropyLoss } from '../src/nn/index.ts'; export { Adam } from '../src/optim/index.ts';`;
  await build({ stdin: { resolveDir: fileURLToPath(new URL('.', import.meta.url)), loader: 'ts', contents }, bundle: true, format: 'esm', platform: 'node', outfile: `${folder}/whetstone.mjs`, logLevel: 'silent' });
  copyFileSync(`${root}src/devices/cpu/runtime/worker.js`, `${folder}/worker.js`);
  writeFileSync(`${folder}/train.mjs`, program);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** 5,000 steps after 1,000, each with its loss read, and a parameter now and then. No turn of the event loop between them. */
const program = `
import { Adam, compile, configure, CrossEntropyLoss, fromTypedArray, Linear, manualSeed, realize, ReLU, Sequential } from './whetstone.mjs';
const [manner, isa] = process.argv.slice(2);
configure({ isa, threads: 1 });
manualSeed(1);
const model = new Sequential(new Linear(64, 128), new ReLU(), new Linear(128, 10));
realize(...model.parameters());
const optimizer = new Adam(model.parameters());
const loss = new CrossEntropyLoss();
const train = (x, y) => {
  optimizer.zeroGrad();
  const result = loss.call(model.call(x), y);
  result.backward();
  optimizer.step();
  return result;
};
const step = manner === 'compiled' ? compile(train) : train;
const labels = fromTypedArray(BigInt64Array.from({ length: 32 }, (_, i) => BigInt(i % 10)), [32]);
let last = 0;
const run = (steps) => {
  for (let i = 0; i < steps; i++) {
    const x = fromTypedArray(Float32Array.from({ length: 32 * 64 }, (_, j) => Math.sin(j * j * 0.1) + 0.01 * (i % 7)), [32, 64]);
    last = step(x, labels).item();
    if (i % 100 === 0) model.parameters()[0].toArray();
  }
  gc();
  gc();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rss, heapUsed, arrayBuffers };
};
const before = run(1000);
const after = run(5000);
console.log(JSON.stringify({ last, before, after }));
`;

test.each([['compiled', isas[0]], ['retraced', isas[0]], ['compiled', 'wasm']] as const)('memory stays flat over 5,000 steps, %s on %s', (manner, isa) => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--expose-gc', `${folder}/train.mjs`, manner, isa], { encoding: 'utf8', timeout: 110_000 });
  expect(status, stderr).toBe(0);
  const { last, before, after } = JSON.parse(stdout) as { last: number; before: NodeJS.MemoryUsage; after: NodeJS.MemoryUsage };
  expect(last).toBeLessThan(0.1);
  // One of the model's weights kept at every fiftieth step would be seen; what the engine learns takes a megabyte.
  expect(after.heapUsed - before.heapUsed).toBeLessThan(3 * 2 ** 20);
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(2 ** 20);
  expect(after.rss - before.rss).toBeLessThan(24 * 2 ** 20);
}, 120_000);
