/** kill -9 at any moment costs what was done since the last checkpoint, and nothing else. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeCheckpoint } from '../../src/train/checkpoint-file.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
let folder: string;

// Within node_modules, so that koffi is found.
beforeAll(async () => {
  folder = mkdtempSync(`${root}node_modules/.whetstone-`);
  await build({ entryPoints: [`${root}test/train/killed.ts`], bundle: true, format: 'esm', platform: 'node', outfile: `${folder}/killed.mjs`, logLevel: 'silent' });
  copyFileSync(`${root}src/devices/cpu/runtime/worker.js`, `${folder}/worker.js`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type When = (line: string, kill: () => void) => void;

/** Runs the training until it ends or `when` kills it. @returns what it said */
function run(args: readonly string[], when?: When): Promise<{ readonly lines: readonly string[]; readonly signal: string | null; readonly code: number | null }> {
  const { PATH } = process.env;
  const child = spawn(process.execPath, [`${folder}/killed.mjs`, ...args], { env: { PATH, WHET_THREADS: '1' }, stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): void => void child.kill('SIGKILL');
  let text = '';
  when?.('', kill);
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes;
    for (const line of String(bytes).split('\n')) when?.(line, kill);
  });
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ lines: text.split('\n').slice(0, -1), signal, code })));
}
const numbers = (lines: readonly string[], word: string): number[] => lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(word.length)));

/** Some while it starts, the others once it has begun and made so many updates: within one, or while a checkpoint is written. */
function somewhere(turn: number): When {
  if (turn % 5 === 0) return (line, kill) => void (line === '' && setTimeout(kill, Math.random() * 300));
  let left = 1 + Math.floor(Math.random() * 20);
  return (line, kill) => {
    if (line.startsWith('step') && --left === 0) setTimeout(kill, Math.random() * 5);
  };
}

test('killed twenty times, a training ends with the parameters of one that was not', async () => {
  const whole = await run([]);
  expect(whole).toMatchObject({ code: 0, signal: null });

  const place = join(folder, 'run');
  let saved = 0;
  let furthest = 0;
  for (let turn = 0; turn < 20; turn++) {
    const { lines, signal } = await run([place], somewhere(turn));
    expect(signal).toBe('SIGKILL');
    expect(lines.filter((line) => line.startsWith('damaged'))).toEqual([]);
    for (const begun of numbers(lines, 'begun')) {
      expect(begun).toBeGreaterThanOrEqual(saved);
      // A checkpoint was due every four updates.
      expect(furthest - begun).toBeLessThanOrEqual(4);
    }
    saved = Math.max(saved, ...numbers(lines, 'saved'));
    furthest = Math.max(furthest, ...numbers(lines, 'step'));
  }
  expect(furthest).toBeGreaterThan(20);

  const last = await run([place]);
  expect(last).toMatchObject({ code: 0, signal: null });
  expect(last.lines.at(-1)).toMatch(/^weights -?\d+,/);
  expect(last.lines.at(-1)).toBe(whole.lines.at(-1));
  const files = readdirSync(place);
  expect(files).toHaveLength(2);
  for (const file of files) expect(decodeCheckpoint(readFileSync(join(place, file))).step).toBeGreaterThan(furthest);
}, 240_000);
