// @ts-check
/** `npm run bench`: Whetstone against its peers, in one run. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { holdContest, notHeld, used } from './arena.mjs';
import { planContests, planRooflines } from './contests.mjs';
import { describeMachine, lookForOthers, watchOthers } from './machine.mjs';
import { help, parseOptions, UsageError } from './options.mjs';
import { pytorch, setUpPytorch } from './pytorch/index.mjs';
import { forkRemote, spawnRemote } from './remote.mjs';
import { markdownReport, plotsOf, replaceGenerated, terminalReport } from './report.mjs';
import { measureRoofline } from './roofline.mjs';
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
  say(`bench: ${messageOf(error)}`);
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
    const { survey, contests, rooflines, models } = await prepare(options, folder);
    /** @type {import('./types.ts').Report[]} */
    const reports = [];
    for (const part of options.parts) {
      const own = contests.filter(({ work }) => works[work].part === part);
      if ((part === 'roofline' ? rooflines : own).length === 0) continue;
      const start = performance.now();
      const others = watchOthers();
      const measured = part === 'roofline' ? await look(rooflines, models, options) : await hold(own, models, options);
      /** @type {import('./types.ts').Report} */
      const report = {
        part,
        date: new Date().toISOString().slice(0, 10),
        command: ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
        machine: describeMachine(survey, await peersOf(part), before.text),
        seconds: (performance.now() - start) / 1000,
        rows: measured.rows,
        rooflines: measured.rooflines,
        warnings: [...before.warnings, ...measured.warnings, ...others(used.ms), ...(options.quick ? ['a smoke test: no number means anything'] : [])],
      };
      used.ms = 0;
      reports.push(report);
      process.stdout.write(`\n${terminalReport(report, process.stdout.isTTY)}`);
      // At once: what is measured is not lost where the next part fails.
      if (options.json) await writeFile(options.json, `${JSON.stringify(reports, undefined, 1)}\n`);
      if (options.write) await writePage(options.write, report);
      else say('not a full run: docs/performance.md stays as it is');
    }
    return reports.some(({ rows }) => rows.some(({ verdict }) => verdict === 'wrong' || verdict === 'not run')) ? 1 : 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {string} file @param {import('./types.ts').Report} report */
async function writePage(file, report) {
  const plots = join(dirname(file), 'plots');
  await mkdir(plots, { recursive: true });
  for (const [name, content] of plotsOf(report)) await writeFile(join(plots, name), content);
  await writeFile(file, replaceGenerated(await readFile(file, 'utf8'), report.part, markdownReport(report)));
  say(`written to ${file}`);
}

/** @param {{ readonly work: string, readonly batch: number }} of */
function keyOf({ work, batch }) {
  return `${work}, batch ${batch}`;
}

/** Names and versions of those a part is measured against. @param {import('./types.ts').Part} part @returns {Promise<Readonly<Record<string, string>>>} */
async function peersOf(part) {
  if (part === 'inference') return peers;
  if (part === 'roofline') return {};
  const peer = spawnRemote(pytorch());
  try {
    const { version, oneDNN, blas, cpu } = await peer.ask('describe');
    return { PyTorch: `${version} (oneDNN ${oneDNN ?? 'none'}, ${blas.join(' ')}, ${cpu})` };
  } catch (error) {
    return { PyTorch: `none: ${messageOf(error)}` };
  } finally {
    await peer.end();
  }
}

/** A model, or why there is none. @typedef {ReadonlyMap<string, import('./types.ts').ModelFile | string>} Models */

/** What is to be measured, and the files it needs. @param {import('./types.ts').Options} options @param {string} folder */
async function prepare(options, folder) {
  const workshop = forkRemote('workshop.mjs');
  try {
    /** @type {import('./types.ts').Survey} */
    const survey = await workshop.ask('survey');
    const contests = planContests(options, survey.isas);
    const rooflines = options.parts.includes('roofline') ? planRooflines(options, survey.isas) : [];
    if (contests.length + rooflines.length === 0) throw new UsageError('nothing is left to be measured with these options');
    /** @type {Map<string, import('./types.ts').ModelFile | string>} */
    const models = new Map();
    for (const one of [...contests.filter(({ refusal }) => refusal === undefined), ...rooflines]) {
      const { work, batch } = one;
      if (models.has(keyOf(one))) continue;
      say(`making ${titleOf(work, batch)} ...`);
      // The first one may have to be fetched.
      models.set(keyOf(one), await workshop.ask('make', { work, batch, file: join(folder, `${work}-${batch}.onnx`) }, 1200).catch(messageOf));
    }
    return { survey, contests, rooflines, models };
  } finally {
    await workshop.end();
  }
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @param {readonly Contest[]} contests @param {Models} models @param {import('./types.ts').Options} options */
async function hold(contests, models, options) {
  const rows = [];
  for (const [index, contest] of contests.entries()) {
    const { work, batch, kind, comparisons, refusal } = contest;
    const { isa, node } = comparisons[0].ours;
    const start = performance.now();
    const model = refusal ?? models.get(keyOf(contest)) ?? 'no model';
    const own = typeof model === 'string' ? notHeld(contest, model) : await holdContest(contest, model, options.pace, options.seconds).catch((error) => notHeld(contest, messageOf(error)));
    rows.push(...own);
    const ratios = own.map(({ ratio, verdict }) => `${ratio?.median.toFixed(2) ?? '-'}${verdict && ` ${verdict}`}`).join(', ');
    say(`[${index + 1}/${contests.length}] ${kind === 'speed' ? '' : `${kind} of `}${titleOf(work, batch)}, ${isa}${node ? `, Node ${node}` : ''}: ${ratios} (${seconds(start)} s)`);
  }
  return { rows, rooflines: [], warnings: [] };
}

/** @param {ReturnType<typeof planRooflines>} plans @param {Models} models @param {import('./types.ts').Options} options */
async function look(plans, models, options) {
  const rooflines = [];
  const warnings = [];
  for (const [index, { work, batch, isa }] of plans.entries()) {
    const start = performance.now();
    const model = models.get(keyOf({ work, batch })) ?? 'no model';
    const what = `layers of ${titleOf(work, batch)}, ${isa}`;
    try {
      if (typeof model === 'string') throw new Error(model);
      rooflines.push(await measureRoofline(work, batch, isa, model, options));
      say(`[${index + 1}/${plans.length}] ${what} (${seconds(start)} s)`);
    } catch (error) {
      warnings.push(`${what} not measured: ${messageOf(error)}`);
      say(`[${index + 1}/${plans.length}] ${warnings.at(-1)}`);
    }
  }
  return { rows: [], rooflines, warnings };
}

/** @param {number} start */
function seconds(start) {
  return ((performance.now() - start) / 1000).toFixed(0);
}
