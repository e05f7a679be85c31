// @ts-check
/** The machine that the numbers are of, and whether anybody else was using it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

/** Above this part of all cores, somebody else's work shows in the numbers. */
const disturbing = 0.05;

/** Processor time of the whole machine so far, in milliseconds: busy by anyone, and in all; stolen where the machine is a virtual one. */
function clock() {
  let busy = 0;
  let total = 0;
  for (const { times } of cpus()) {
    const active = times.user + times.nice + times.sys + times.irq;
    busy += active;
    total += active + times.idle;
  }
  return { busy, total, stolen: stolenMs() };
}

function stolenMs() {
  try {
    // user nice system idle iowait irq softirq steal, in hundredths of a second (proc(5)).
    const [, line] = /^cpu\s+(.*)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? [];
    return 10 * Number(line?.split(/\s+/)[7] ?? 0);
  } catch {
    return 0;
  }
}

/** Looks at the machine for a second before anything is started. */
export async function lookForOthers() {
  const [load] = loadavg();
  const before = clock();
  await sleep(1000);
  const after = clock();
  const busy = (after.busy - before.busy) / (after.total - before.total);
  return {
    text: `load average ${load.toFixed(2)}, ${percent(busy)} busy`,
    warnings: busy > disturbing || load > 0.5 ? [`the machine was not idle before the start: load average ${load.toFixed(2)}, ${percent(busy)} of its cores busy`] : [],
  };
}

/** Watches for what others do meanwhile. Call what it returns with the processor time that was our own; it gives warnings. */
export function watchOthers() {
  const before = clock();
  const own = process.cpuUsage();
  return (/** @type {number} */ childrenMs) => {
    const after = clock();
    const { user, system } = process.cpuUsage(own);
    const others = after.busy - before.busy - childrenMs - (user + system) / 1000;
    const total = after.total - before.total;
    const stolen = after.stolen - before.stolen;
    return [
      ...(others > disturbing * total ? [`other processes took ${percent(others / total)} of the machine meanwhile`] : []),
      ...(stolen > disturbing * total ? [`the host took ${percent(stolen / total)} of the machine away meanwhile`] : []),
    ];
  };
}

const percent = (/** @type {number} */ part) => `${(100 * part).toFixed(0)} %`;

/**
 * @param {import('./types.ts').Survey} survey @param {Readonly<Record<string, string>>} peers versions by name @param {string} idle
 * @returns {import('./types.ts').Machine}
 */
export function describeMachine({ version, cores, isas }, peers, idle) {
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores: `${cores.usable} usable (${cores.logical} logical, ${cores.physical} physical${cores.quota === undefined ? '' : `, quota ${cores.quota}`})`,
    isas: isas.map(({ isa, usable, reason }) => (usable ? isa : `not ${isa} (${reason})`)).join(', '),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release()} ${arch()}`,
    node: `${process.version}, V8 ${process.versions.v8}`,
    commit: `whetstone ${version}, ${commit()}`,
    peers: Object.entries(peers).map(([name, number]) => `${name} ${number}`).join(', '),
    idle,
  };
}

function commit() {
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const git = (/** @type {string[]} */ ...args) => execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'package-lock.json') !== '';
    return `commit ${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`;
  } catch {
    return 'no commit';
  }
}
