// @ts-check
/** `npm run bench`: Whetstone against its peers, in one run. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { holdContest, notHeld, used } from './arena.mjs';
import { planContests } from './contests.mjs';
import { describeMachine, lookForOthers, watchOthers } from './machine.mjs';
import { help, parseOptions, UsageError } from './options.mjs';
import { pytorch, setUpPytorch } from './pytorch/index.mjs';
import { forkRemote, spawnRemote } from './remote.mjs';
import { markdownReport, replaceGenerated, terminalReport } from './report.mjs';
import { peers, setUp } from './setup.mjs';
import { titleOf, works } from './works.mjs';

/** @typedef {import('./types.ts').Contest} Contest */

const say = (/** @type {string} */ line) => void process.stderr.write(`${line}\n`);
const args = process.argv.slice(2);

try {
  const options = parseOptions(args);
  if (options === 'help') process.stdout.write(help);
  else process.exitCode = await bench(options);
} catch (error) {
  say(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

/** @param {import('./types.ts').Options} options @returns {Promise<number>} the exit code */
async function bench(options) {
  const before = await lookForOthers();
  before.warnings.forEach((warning) => say(`warning: ${warning}`));
  // Written at the end; a page that cannot be is better known now.
  const page = options.write ? await readFile(options.write, 'utf8') : '';
  if (options.write) for (const part of options.parts) replaceGenerated(page, part, '');
  setUp(say, options);
  if (options.parts.includes('training')) await setUpPytorch(say);

  const folder = await mkdtemp(join(tmpdir(), 'whetstone-bench-'));
  const clear = () => rmSync(folder, { recursive: true, force: true });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
    process.once(signal, () => {
      clear();
      process.exit(130);
    });
  }
  try {
    const { survey, contests, models } = await prepare(options, folder);
    /** @type {import('./types.ts').Report[]} */
    const reports = [];
    for (const part of options.parts) {
      const own = contests.filter(({ work }) => works[work].part === part);
      if (own.length === 0) continue;
      const start = performance.now();
      const { rows, warnings } = await hold(own, models, options);
      const report = {
        part,
        date: new Date().toISOString().slice(0, 10),
        command: ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
        machine: describeMachine(survey, await peersOf(part), before.text),
        seconds: (performance.now() - start) / 1000,
        warnings: [...before.warnings, ...warnings, ...(options.quick ? ['a smoke test: no number means anything'] : [])],
        rows,
      };
      reports.push(report);
      process.stdout.write(`\n${terminalReport(report, process.stdout.isTTY)}`);
      // At once: what is measured is not lost where the next part fails.
      if (options.json) await writeFile(options.json, `${JSON.stringify(reports, undefined, 1)}\n`);
      if (options.write) {
        await writeFile(options.write, replaceGenerated(await readFile(options.write, 'utf8'), part, markdownReport(report)));
        say(`written to ${options.write}`);
      } else say('not a full run: docs/performance.md stays as it is');
    }
    return reports.some(({ rows }) => rows.some(({ verdict }) => verdict === 'wrong' || verdict === 'not run')) ? 1 : 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {Contest} contest */
function keyOf({ work, batch }) {
  return `${work}, batch ${batch}`;
}

/** Names and versions of those a part is measured against. @param {import('./types.ts').Part} part */
async function peersOf(part) {
  if (part === 'inference') return peers;
  const peer = spawnRemote(pytorch());
  try {
    const { version, oneDNN, blas, cpu } = await peer.ask('describe');
    return { PyTorch: `${version} (oneDNN ${oneDNN ?? 'none'}, ${blas.join(' ')}, ${cpu})` };
  } catch (error) {
    return { PyTorch: `none: ${error instanceof Error ? error.message : error}` };
  } finally {
    await peer.end();
  }
}

/** What is to be held, and the files it needs. @param {import('./types.ts').Options} options @param {string} folder */
async function prepare(options, folder) {
  const workshop = forkRemote('workshop.mjs');
  try {
    /** @type {import('./types.ts').Survey} */
    const survey = await workshop.ask('survey');
    const contests = planContests(options, survey.isas);
    if (contests.length === 0) throw new UsageError('no contest is left to be held with these options');
    /** @type {Map<string, import('./types.ts').ModelFile>} */
    const models = new Map();
    for (const contest of contests) {
      const { work, batch, refusal } = contest;
      if (refusal !== undefined || models.has(keyOf(contest))) continue;
      say(`making ${titleOf(work, batch)} ...`);
      // The first one may have to be fetched.
      models.set(keyOf(contest), await workshop.ask('make', { work, batch, file: join(folder, `${work}-${batch}.onnx`) }, 1200));
    }
    return { survey, contests, models };
  } finally {
    await workshop.end();
  }
}

/**
 * @param {readonly Contest[]} contests @param {ReadonlyMap<string, import('./types.ts').ModelFile>} models
 * @param {import('./types.ts').Options} options
 */
async function hold(contests, models, options) {
  const others = watchOthers();
  const rows = [];
  for (const [index, contest] of contests.entries()) {
    const { work, batch, kind, comparisons, refusal } = contest;
    const what = `${kind === 'speed' ? '' : `${kind} of `}${titleOf(work, batch)}`;
    const start = performance.now();
    const model = models.get(keyOf(contest));
    const own = model ? await holdContest(contest, model, options.pace, options.seconds).catch((error) => notHeld(contest, String(error))) : notHeld(contest, refusal ?? 'no model');
    rows.push(...own);
    const ratios = own.map(({ ratio, verdict }) => `${ratio?.median.toFixed(2) ?? '-'}${verdict && ` ${verdict}`}`).join(', ');
    say(`[${index + 1}/${contests.length}] ${what}, ${comparisons[0].ours.isa}${comparisons[0].ours.node ? `, Node ${comparisons[0].ours.node}` : ''}: ${ratios} (${((performance.now() - start) / 1000).toFixed(0)} s)`);
  }
  return { rows, warnings: others(used.ms) };
}
