// @ts-check
/** Contests between backends that are made up, in real processes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { holdContest, notHeld } from './arena.mjs';

const model = { file: fileURLToPath(import.meta.url), inputs: [{ name: 'x', shape: [4, 4] }], scale: 1 };
/** @type {import('./types.ts').Pace} */
const pace = { roundMs: 1, minRounds: 3, minIterations: 3, warmMs: 0, tuneMs: 0, loads: 2, memoryRuns: 2, memoryRepeats: 1 };

/** @param {string} backend @param {string} [isa] */
const entry = (backend, isa) => ({ backend: `../testing/${backend}`, isa, threads: 1 });
/**
 * @param {import('./types.ts').Contest['kind']} kind @param {import('./types.ts').Entry} ours @param {import('./types.ts').Entry} theirs
 * @param {import('./types.ts').Bar} [bar] @returns {import('./types.ts').Contest}
 */
const contest = (kind, ours, theirs, bar) => ({ kind, work: 'gemm256', batch: 1, comparisons: [{ section: 'peer', ours, theirs, peer: 'other', bar }] });

test('the ratio says how many times as fast ours is, and the bar is held against it', async () => {
  const [row] = await holdContest(contest('speed', entry('steady', '4'), entry('steady', '16'), { atLeast: 1.5 }), model, pace, 0.05);
  assert.equal(row.verdict, 'met');
  assert.equal(row.difference, 0);
  assert.ok(row.ours && row.ours.median >= 4 && row.ours.min <= row.ours.median, 'time of an iteration');
  assert.ok(row.ratio && row.ratio.median > 1.5 && row.ratio.low <= row.ratio.median && row.ratio.median <= row.ratio.high);
  assert.ok(row.rounds && row.rounds.ours.length >= 3 && row.rounds.ours.length === row.rounds.theirs.length, 'rounds come in pairs');
  const [slower] = await holdContest(contest('speed', entry('steady', '16'), entry('steady', '4'), { atLeast: 0.9 }), model, pace, 0.05);
  assert.equal(slower.verdict, 'missed');
});

test('a wrong output is marked, however fast it came', async () => {
  const [row] = await holdContest(contest('speed', entry('wrong'), entry('steady', '5'), { atLeast: 0.1 }), model, pace, 0.01);
  assert.equal(row.verdict, 'wrong');
  assert.ok(row.difference && row.difference > 5e-4 && row.difference < 5e-3);
  assert.match(row.notes[0], /differ by/);
});

test('a process that dies or a backend that is not there is said, not thrown', async () => {
  const [dead] = await holdContest(contest('speed', entry('crashing'), entry('steady', '1'), { atLeast: 1 }), model, pace, 0.01);
  assert.equal(dead.verdict, 'not run');
  assert.match(dead.notes[0], /exit code 7/);
  const [absent] = await holdContest(contest('speed', entry('steady', '1'), entry('no-such-backend')), model, pace, 0.01);
  assert.equal(absent.verdict, 'not run');
  assert.match(absent.notes[0], /no-such-backend/);
  const [refused] = notHeld(contest('speed', entry('steady'), entry('steady')), 'no AVX-512 here');
  assert.deepEqual([refused.verdict, refused.notes], ['not run', ['no AVX-512 here']]);
});

test('loading and memory are of fresh processes', async () => {
  const sides = /** @type {const} */ ([entry('steady', '1'), entry('steady', '2')]);
  const loads = await holdContest(contest('load', ...sides), model, pace, 1);
  assert.equal(loads.length, 4);
  assert.ok(loads.every(({ ours, theirs }) => ours?.count === 2 && theirs?.count === 2));
  const firstRun = loads[3];
  assert.ok(firstRun.theirs && firstRun.theirs.median >= 2);
  const [memory] = await holdContest(contest('memory', ...sides, { atMost: 1.3 }), model, pace, 1);
  assert.equal(memory.unit, 'MB');
  assert.equal(memory.verdict, 'met');
  assert.ok(memory.ours && memory.ours.median > 20 && memory.ours.median < 1000);
});
