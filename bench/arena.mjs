// @ts-check
/** Holds a contest: processes opened, rounds alternating, rows made of what they took. */
import { pytorch } from './pytorch/index.mjs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeOf } from './nodes.mjs';
import { forkRemote, spawnRemote } from './remote.mjs';
import { difference, median, pairedRatio, summarise } from './statistics.mjs';
import { titleOf, works } from './works.mjs';

/**
 * @typedef {import('./types.ts').Contest} Contest
 * @typedef {import('./types.ts').Comparison} Comparison
 * @typedef {import('./types.ts').Entry} Entry
 * @typedef {import('./types.ts').Row} Row
 * @typedef {import('./types.ts').ModelFile} ModelFile
 * @typedef {import('./types.ts').Pace} Pace
 */

/** Outputs may differ by this part of their scale. One library gives the same for any number of threads. */
const tolerance = 1e-4;

/** Processor time of contestants that have ended, in milliseconds: what they used, nobody else did. */
export const used = { ms: 0 };

/**
 * @param {Contest} contest @param {ModelFile} model @param {Pace} pace @param {number} seconds measured for each contestant
 * @returns {Promise<Row[]>}
 */
export function holdContest(contest, model, pace, seconds) {
  const { share } = works[contest.work];
  if (contest.kind === 'speed') return speed(contest, model, { ...pace, roundMs: pace.roundMs * share }, seconds * share);
  return { load, memory, once }[contest.kind](contest, model, pace);
}

/** @param {Contest} contest @param {string} reason @returns {Row[]} */
export const notHeld = (contest, reason) => contest.comparisons.map((comparison) => notRun(contest, comparison, reason));

/** A contestant in its process; what it took, round by round; why it is out, once it is. */
class Contestant {
  /** @param {Entry} entry @param {Readonly<Record<string, string>>} [env] */
  constructor(entry, env) {
    this.entry = entry;
    this.name = `${entry.backend}, ${entry.threads} ${entry.threads === 1 ? 'thread' : 'threads'}`;
    this.remote = entry.backend === 'pytorch' ? spawnRemote(pytorch()) : forkRemote('contestant.mjs', entry.node, env);
    /** @type {number[][]} */
    this.rounds = [];
    /** @type {import('./types.ts').Outputs} */
    this.outputs = {};
    /** @type {string | undefined} */
    this.failure = undefined;
    this.restless = false;
    this.note = '';
  }

  /** @param {ModelFile} model @param {'file' | 'memory'} [from] @param {number} [tuneMs] @returns {Promise<import('./types.ts').Opened>} */
  async open(model, from = 'file', tuneMs = 0) {
    const opened = await this.remote.ask('open', { ...this.entry, model, from, tuneMs });
    this.note = opened.note;
    return opened;
  }

  /** @param {import('./types.ts').RoundRequest} request @returns {Promise<import('./types.ts').Round>} */
  round = (request) => this.remote.ask('round', request);

  /** Does it unless the contestant is out; an error puts it out. @param {() => Promise<void>} step */
  async attempt(step) {
    if (this.failure !== undefined) return;
    try {
      await step();
    } catch (error) {
      this.failure = `${this.name}: ${error instanceof Error ? error.message : error}`;
      await this.remote.end();
    }
  }

  async end() {
    await this.attempt(async () => void (used.ms += await this.remote.ask('usage')));
    await this.remote.end();
  }
}

/** @param {Contest} contest @param {ModelFile} model @param {Pace} pace @param {number} seconds @returns {Promise<Row[]>} */
async function speed(contest, model, pace, seconds) {
  /** @type {Map<string, Contestant>} */
  const contestants = new Map();
  const of = (/** @type {Entry} */ entry) => /** @type {Contestant} */ (contestants.get(JSON.stringify(entry)));
  for (const { ours, theirs } of contest.comparisons) {
    for (const entry of [ours, theirs]) if (!of(entry)) contestants.set(JSON.stringify(entry), new Contestant(entry));
  }
  const all = [...contestants.values()];
  try {
    for (const contestant of all) {
      await contestant.attempt(async () => {
        await contestant.open(model, 'file', pace.tuneMs);
        // Engines compile hot code anew while it runs; nothing of that is to be timed.
        await contestant.round({ ms: pace.warmMs, minIterations: 1 });
      });
    }
    const end = performance.now() + 1000 * seconds * all.filter(({ failure }) => failure === undefined).length;
    for (let round = 0; round < pace.minRounds || performance.now() < end; round++) {
      if (!contest.comparisons.some(({ ours, theirs }) => !of(ours).failure && !of(theirs).failure)) break;
      for (const contestant of all) {
        await contestant.attempt(async () => {
          const { times, rested } = await contestant.round({ ms: pace.roundMs, minIterations: pace.minIterations });
          contestant.rounds.push([...times]);
          contestant.restless ||= !rested;
        });
      }
    }
    // Asked for at the end, when every thread has met every round.
    for (const contestant of all) await contestant.attempt(async () => void (contestant.outputs = await contestant.remote.ask('outputs')));
  } finally {
    for (const contestant of all) await contestant.end();
  }
  return contest.comparisons.map((comparison) => speedRow(contest, comparison, of(comparison.ours), of(comparison.theirs)));
}

/** @param {Contest} contest @param {Comparison} comparison @param {Contestant} ours @param {Contestant} theirs @returns {Row} */
function speedRow(contest, comparison, ours, theirs) {
  const failure = ours.failure ?? theirs.failure;
  if (failure !== undefined) return notRun(contest, comparison, failure);
  const { rate } = works[contest.work];
  const amount = rate.of(contest.batch);
  const rounds = { ours: ours.rounds.map(median), theirs: theirs.rounds.map(median) };
  const row = measuredRow(contest, comparison, 'ms', ours.rounds.flat(), theirs.rounds.flat(), pairedRatio(rounds.theirs, rounds.ours));
  const perSecond = (/** @type {import('./types.ts').Side | undefined} */ side) => (1000 * amount) / (side?.median ?? NaN);
  const outputsAreKnown = comparison.section !== 'peak';
  const apart = outputsAreKnown ? difference(ours.outputs, theirs.outputs) : undefined;
  const { training } = works[contest.work];
  const limit = ours.entry.backend === theirs.entry.backend ? 0 : (training?.tolerance ?? tolerance);
  const isWrong = apart !== undefined && apart > limit;
  return {
    ...row,
    rate: { unit: rate.unit, ours: perSecond(row.ours), theirs: perSecond(row.theirs) },
    difference: apart,
    verdict: isWrong ? 'wrong' : row.verdict,
    notes: [
      ...(isWrong ? [`the ${training ? 'losses of the first steps' : 'outputs'} differ by ${apart.toExponential(1)} of their scale, ${limit.toExponential(0)} is allowed`] : []),
      ...(theirs.entry.backend === 'pytorch' ? [`${theirs.name}: ${theirs.note}`] : []),
      ...[ours, theirs].filter(({ restless }) => restless).map(({ name }) => `${name} went on computing after its rounds, and so disturbed the others`),
    ],
    rounds,
  };
}

/** @param {Contest} contest @param {ModelFile} model @param {Pace} pace @returns {Promise<Row[]>} */
async function load(contest, model, pace) {
  const [comparison] = contest.comparisons;
  const forms = /** @type {const} */ (['file', 'memory']);
  const sides = /** @type {const} */ (['ours', 'theirs']);
  /** @type {Record<'file' | 'memory', Record<'ours' | 'theirs', import('./types.ts').Opened[]>>} */
  const opened = { file: { ours: [], theirs: [] }, memory: { ours: [], theirs: [] } };
  for (let repeat = 0; repeat < pace.loads; repeat++) {
    for (const from of forms) {
      for (const side of sides) {
        const contestant = new Contestant(comparison[side]);
        await contestant.attempt(async () => void opened[from][side].push(await contestant.open(model, from)));
        await contestant.end();
        if (contestant.failure !== undefined) return [notRun(contest, comparison, contestant.failure)];
      }
    }
  }
  /** @param {string} label @param {'file' | 'memory'} from @param {'importMs' | 'openMs' | 'firstRunMs'} time @param {import('./types.ts').Bar} [bar] */
  const row = (label, from, time, bar) => {
    const [ours, theirs] = sides.map((side) => opened[from][side].map((one) => one[time]));
    return { ...measuredRow(contest, { ...comparison, bar }, 'ms', ours, theirs, pairedRatio(theirs, ours)), work: `${works[contest.work].title}, ${label}` };
  };
  return [
    row('from its file', 'file', 'openMs', comparison.bar),
    row('from memory', 'memory', 'openMs', comparison.bar),
    row("before that: the library's code", 'file', 'importMs'),
    row('after that: the first run', 'file', 'firstRunMs'),
  ];
}

/** @param {Contest} contest @param {ModelFile} model @param {Pace} pace @returns {Promise<Row[]>} */
async function memory(contest, model, pace) {
  const [comparison] = contest.comparisons;
  const runs = Math.min(pace.memoryRuns, works[contest.work].memoryRuns ?? Infinity);
  /** @type {Record<'ours' | 'theirs', number[]>} */
  const peaks = { ours: [], theirs: [] };
  for (let repeat = 0; repeat < pace.memoryRepeats; repeat++) {
    for (const side of /** @type {const} */ (['ours', 'theirs'])) {
      const contestant = new Contestant(comparison[side]);
      await contestant.attempt(async () => {
        await contestant.open(model);
        await contestant.round({ ms: 0, minIterations: runs - 1 });
        peaks[side].push((await contestant.remote.ask('memory')) / 2 ** 20);
      });
      await contestant.end();
      if (contestant.failure !== undefined) return [notRun(contest, comparison, contestant.failure)];
    }
  }
  const row = measuredRow(contest, comparison, 'MB', peaks.ours, peaks.theirs, pairedRatio(peaks.ours, peaks.theirs));
  return [{ ...row, work: `${row.work}, ${runs} runs` }];
}

/**
 * Kernels that were compiled to open a model and run it three times, against those that differ: by the listings of all generated code
 * (WHET_DUMP), less their names.
 * @param {Contest} contest @param {ModelFile} model @returns {Promise<Row[]>}
 */
async function once(contest, model) {
  const [comparison] = contest.comparisons;
  const folder = await mkdtemp(join(tmpdir(), 'whetstone-kernels-'));
  try {
    const contestant = new Contestant(comparison.ours, { WHET_DUMP: folder });
    await contestant.attempt(async () => void (await contestant.open(model)));
    await contestant.attempt(async () => void (await contestant.round({ ms: 0, minIterations: 2 })));
    await contestant.end();
    if (contestant.failure !== undefined) return [notRun(contest, comparison, contestant.failure)];
    /** @type {Map<string, string[]>} */
    const byCode = new Map();
    for (const file of (await readdir(folder)).filter((name) => name.endsWith('.txt'))) {
      const [head, ...code] = (await readFile(join(folder, file), 'utf8')).split('\n');
      const key = code.join('\n');
      byCode.set(key, [...(byCode.get(key) ?? []), head.replace(/^kernel (\S+?)\(.*/, '$1')]);
    }
    const compiled = [...byCode.values()].flat().length;
    if (compiled === 0) return [notRun(contest, comparison, 'no kernel was written to WHET_DUMP')];
    const ratio = compiled / byCode.size;
    const row = measuredRow(contest, comparison, 'kernels', [compiled], [byCode.size], { median: ratio, low: ratio, high: ratio });
    return [{ ...row, notes: [...byCode.values()].filter(({ length }) => length > 1).map((names) => `the same code: ${names.join(', ')}`) }];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {Contest} contest @param {Comparison} comparison */
const rowHead = ({ work, batch }, { section, ours, peer, bar, label }) => ({
  part: works[work].part,
  section,
  work: `${titleOf(work, batch)}${label ? `, ${label}` : ''}`,
  isa: ours.isa ?? '',
  threads: ours.threads,
  node: ours.node ? (nodeOf(ours.node)?.version ?? ours.node) : '',
  peer,
  bar,
});

/**
 * @param {Contest} contest @param {Comparison} comparison @param {Row['unit']} unit @param {readonly number[]} ours
 * @param {readonly number[]} theirs @param {NonNullable<Row['ratio']>} ratio @returns {Row}
 */
const measuredRow = (contest, comparison, unit, ours, theirs, ratio) => ({
  ...rowHead(contest, comparison),
  unit,
  ours: summarise(ours),
  theirs: summarise(theirs),
  ratio,
  verdict: judge(comparison.bar, ratio.median),
  notes: [],
});

/** @param {Contest} contest @param {Comparison} comparison @param {string} reason @returns {Row} */
const notRun = (contest, comparison, reason) => ({ ...rowHead(contest, comparison), unit: 'ms', verdict: 'not run', notes: [reason] });

/** @param {import('./types.ts').Bar | undefined} bar @param {number} ratio @returns {Row['verdict']} */
function judge(bar, ratio) {
  if (!bar) return '';
  if (ratio >= (bar.atLeast ?? -Infinity) && ratio <= (bar.atMost ?? Infinity)) return 'met';
  return bar.floor !== undefined && ratio >= bar.floor ? 'short' : 'missed';
}
