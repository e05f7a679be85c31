/** The README tells the truth: its examples are files that compile, its commands and variables exist, its links lead somewhere. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { examples } from '../src/examples/index.ts';
import { whet } from './support/whet.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const readme = read('README.md');
const blocks = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);

test.each(['examples/classify.ts', 'examples/graph.ts', 'examples/train.ts', 'examples/fit.ts', 'examples/lab.ts'])('%s is in the README as it is', (path) => {
  expect(blocks).toContain(read(path).replace(/^\/\*\*.*?\*\/\n/s, ''));
});

test('the graph example runs', async () => {
  const printed: unknown[] = [];
  const { log } = console;
  console.log = (...values: unknown[]) => void printed.push(...values);
  try {
    await import('../examples/graph.ts');
  } finally {
    console.log = log;
  }
  expect(printed[0]).toMatchObject({ dtype: 'float32', shape: [1, 2] });
  expect(printed[1]).toBeGreaterThan(50);
});

test('the training example learns', async () => {
  const losses: number[] = [];
  const { log } = console;
  console.log = (_step: unknown, loss?: number) => void (loss !== undefined && losses.push(loss));
  try {
    await import('../examples/train.ts');
  } finally {
    console.log = log;
  }
  expect(losses).toHaveLength(4);
  expect(losses[3]).toBeLessThan(1e-3);
});

test('the example of fit learns, and goes on when it is run again', async () => {
  const folder = join(tmpdir(), 'whetstone-squares');
  rmSync(folder, { recursive: true, force: true });
  const printed: unknown[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((value: unknown) => void printed.push(value));
  const said: string[] = [];
  const note = vi.spyOn(process.stderr, 'write').mockImplementation((text) => !!said.push(String(text)));
  try {
    await import('../examples/fit.ts');
    vi.resetModules();
    await import('../examples/fit.ts');
  } finally {
    log.mockRestore();
    note.mockRestore();
    rmSync(folder, { recursive: true, force: true });
  }
  const [accuracy, worth, answers] = printed;
  expect(accuracy).toBeGreaterThan(0.93);
  expect(worth).toMatchObject({ accuracy });
  expect(answers).toMatch(/\[0, 1\]/);
  expect(printed.slice(3)).toEqual([accuracy, worth, answers]);
  expect(said.filter((line) => line.startsWith('epoch'))).toHaveLength(15);
  expect(said.at(-1)).toMatch(/goes on after update 375/);
});

test('it opens with the two commands', () => {
  const commands = readme.split('\n').filter((line) => line.startsWith('    '));
  expect(commands[0]).toMatch(/^ {4}npm ci && npm start\b/);
  expect(commands[1]).toMatch(/^ {4}npm ci && npm test\b/);
});

test('every verb is in its table', async () => {
  const { stdout } = await whet('--help');
  const verbs = [...stdout.matchAll(/^ {2}(\w+) .*$/gm)].map(([, verb]) => verb).filter((verb) => verb !== 'help' && !verb.startsWith('WHET'));
  expect(verbs).toEqual(expect.arrayContaining(['start', 'classify', 'bench', 'convert', 'zoo', 'doctor']));
  for (const verb of verbs) expect(readme).toContain(`| \`whet ${verb}`);
});

test('every example that trains is in its table, with configurations that there are', () => {
  const commands = [...readme.matchAll(/`whet train (\w+)([^`]*)`/g)];
  expect(new Set(commands.map(([, name]) => name).filter((name) => name !== 'EXAMPLE'))).toEqual(new Set(Object.keys(examples)));
  for (const [name, { configs }] of Object.entries(examples)) {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`whet train ${name}`))!;
    for (const [, config] of row.matchAll(/--config (\w+)/g)) expect(Object.keys(configs)).toContain(config);
  }
});

test('every environment variable that the product reads is in its table', () => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) => /\.[tj]s$/.test(file) && !/\.test\.ts$|testing\.ts$/.test(file));
  const names = new Set(files.flatMap((file) => read(join('src', file)).match(/\bWHET_[A-Z]+\b/g) ?? []));
  for (const name of names) expect(readme).toContain(`| \`${name}`);
});

const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((path) => path.endsWith('.md'));
test.each(pages)('links and paths of %s lead somewhere', (page) => {
  const text = read(page);
  const links = [...text.matchAll(/\]\(([^)#]+)(#[^)]*)?\)/g)].map(([, target]) => target).filter((target) => !/^[a-z]+:/.test(target));
  for (const link of links) expect({ link, there: existsSync(join(root, dirname(page), link)) }).toEqual({ link, there: true });
  // Files that are named in code font: src/..., test/..., scripts/..., docs/...
  const paths = [...text.matchAll(/`((?:src|test|scripts|docs|bench|examples)\/[\w./-]*)`/g)].map(([, path]) => path);
  for (const path of paths) expect({ path, there: existsSync(join(root, path)) }).toEqual({ path, there: true });
});
