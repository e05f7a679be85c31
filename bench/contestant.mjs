// @ts-check
/**
 * The process of one contestant: it opens one model with one backend and computes when the parent asks it to, so that threads,
 * allocators and memory of different libraries never mix.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeInputs } from './inputs.mjs';
import { serve } from './serve.mjs';

/** @typedef {import('./types.ts').Session} Session */

/** @type {Session} */
let session;

serve({
  /** @param {import('./types.ts').OpenRequest} request @returns {Promise<import('./types.ts').Opened>} */
  async open({ backend, model, isa, threads, from }) {
    const inputs = makeInputs(model);
    const bytes = from === 'memory' ? await readFile(model.file) : undefined;
    const start = performance.now();
    /** @type {import('./types.ts').Backend} */
    const library = await import(`./backends/${backend}.mjs`);
    const imported = performance.now();
    session = await library.open({ file: model.file, bytes, inputs, model, isa, threads });
    const opened = performance.now();
    await session.run();
    return { importMs: imported - start, openMs: opened - imported, firstRunMs: performance.now() - opened, note: session.note ?? '' };
  },

  outputs: () => session.outputs ?? session.run(),

  /** @param {import('./types.ts').RoundRequest} request @returns {Promise<import('./types.ts').Round>} */
  async round(request) {
    const times = session.round ? session.round(request) : await timed(request);
    return { times, rested: await rest() };
  },

  /** Most memory that the process ever had in RAM, in bytes. */
  memory() {
    try {
      const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
      if (kilobytes) return Number(kilobytes) * 1024;
    } catch {
      // Not Linux.
    }
    return process.resourceUsage().maxRSS * 1024;
  },

  /** Processor time used so far, in milliseconds. */
  usage: () => usedMs(),
});

/** @param {import('./types.ts').RoundRequest} request */
async function timed({ ms, minIterations }) {
  const times = [];
  const end = performance.now() + ms;
  do {
    const start = performance.now();
    const result = session.run();
    if (result instanceof Promise) await result;
    times.push(performance.now() - start);
  } while (times.length < minIterations || performance.now() < end);
  return times;
}

const usedMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/**
 * Waits until this process leaves the cores to the next: thread pools spin for a while after a run (onnxruntime's for about 50 ms),
 * and garbage is collected in the background.
 */
async function rest() {
  const quietMs = 10;
  for (let tries = 0; tries < 100; tries++) {
    const before = usedMs();
    await sleep(quietMs);
    if (usedMs() - before < quietMs / 10) return true;
  }
  return false;
}
