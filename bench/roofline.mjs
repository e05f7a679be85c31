// @ts-check
/** Each layer's time beside what the core could do: a work's steps one by one, in turns with measurements of the core itself. */
import { closeSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseLayer } from './layers.mjs';
import { forkRemote } from './remote.mjs';
import { median } from './statistics.mjs';
import { titleOf, works } from './works.mjs';

/** About the sizes of a second-level cache, of a last-level one, and of what is in neither. */
const sizes = [1.5, 6, 24, 192].map((mebibytes) => mebibytes * 2 ** 20);
const turns = 5;

/**
 * @param {string} work @param {number} batch @param {string} isa @param {import('./types.ts').ModelFile} model @param {{ readonly quick: boolean }} options
 * @returns {Promise<import('./types.ts').Roofline>}
 */
export async function measureRoofline(work, batch, isa, model, { quick }) {
  const log = join(tmpdir(), `whetstone-layers-${process.pid}.log`);
  const descriptor = openSync(log, 'w');
  const worker = forkRemote('contestant.mjs', undefined, { WHET_VERBOSE: '1' }, descriptor);
  const roofer = forkRemote('roof.mjs');
  /** @type {import('./types.ts').Layer[][]} */
  const runs = [];
  /** @type {number[]} */
  const peaks = [];
  /** @type {number[][]} */
  const bandwidths = sizes.map(() => []);
  try {
    await worker.ask('open', { backend: works[work].training ? 'whetstone-training' : 'whetstone', isa, threads: 1, model, from: 'file', tuneMs: 0 });
    const seconds = quick ? 0.01 : 0.05;
    for (let turn = 0; turn < (quick ? 1 : turns); turn++) {
      peaks.push(await roofer.ask('peak', { isa, seconds }));
      for (const [index, bytes] of sizes.entries()) bandwidths[index].push(await roofer.ask('bandwidth', { isa, bytes, seconds }));
      const { size } = statSync(log);
      const { times } = await worker.ask('round', { ms: quick ? 0 : 300, minIterations: 1 });
      runs.push(...runsOf(readFileSync(log).subarray(size).toString(), times.length));
    }
  } finally {
    await worker.end();
    await roofer.end();
    closeSync(descriptor);
    rmSync(log, { force: true });
  }
  const [first] = runs;
  return {
    work,
    isa,
    title: titleOf(work, batch),
    roof: { gflops: median(peaks), bandwidths: sizes.map((bytes, index) => ({ bytes, gbs: median(bandwidths[index]) })) },
    layers: first.map((layer, index) => ({ ...layer, ms: median(runs.map((run) => run[index].ms)) })),
  };
}

/** Steps of each run, which all have the same ones. @param {string} log @param {number} count */
function runsOf(log, count) {
  const layers = log.split('\n').flatMap((line) => parseLayer(line) ?? []);
  const steps = layers.length / count;
  if (steps === 0 || !Number.isInteger(steps)) throw new Error(`${layers.length} steps in ${count} runs: runs are expected to have the same steps`);
  return Array.from({ length: count }, (_, run) => layers.slice(run * steps, (run + 1) * steps));
}
