/** `whet train` from its arguments to lines, curves, checkpoints and exit codes, with an example of its own; and the real ones' help. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Example, examples } from '../../src/examples/index.ts';
import { Linear } from '../../src/nn/index.ts';
import { manualSeed, tensor } from '../../src/tensor/index.ts';
import { fit } from '../../src/train/index.ts';
import { temporaryFolder, whet } from '../support/whet.ts';

/** y = 2x by a line, in two phases where it is asked for. */
const line: Example = {
  summary: 'a line through points',
  configs: { plain: { summary: 'in one go', epochs: 3 }, twice: { summary: 'in two', epochs: 2 }, infinite: { summary: 'to infinity', epochs: 1 } },
  async train({ config, epochs = 3, seed, out, watch, print, progress }) {
    const done = progress('points', 4);
    for (let i = 1; i <= 4; i++) done(i);
    const x = tensor([[1], [2], [3], [4]]);
    manualSeed(seed);
    const model = new Linear(1, 1);
    for (const phase of config === 'twice' ? ['first', 'second'] : [undefined]) {
      await fit(model, [x, x.mul(config === 'infinite' ? 1e25 : 2)], { ...watch(phase), epochs, seed, batchSize: 2, loss: 'mse', lr: 0.1 });
    }
    print(`slope ${model.weight.item().toFixed(3)}`);
    return { slope: model.weight.item(), out };
  },
};
let folder: ReturnType<typeof temporaryFolder>;
const known = examples as Record<string, Example>;
beforeAll(() => {
  folder = temporaryFolder();
  known.line = line;
});
afterAll(() => {
  delete known.line;
  folder.remove();
});
const file = (...names: string[]) => join(folder.path, ...names);
const rows = (text: string) => text.trim().split('\n').map((row) => JSON.parse(row)).filter(({ event }) => event !== 'begin' && event !== 'end');

test('tells of every epoch on stderr, of results on stdout', async () => {
  const { code, stdout, stderr } = await whet('train', 'line', '--threads', '1');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^slope -?\d\.\d{3}\n$/);
  const lines = stderr.trim().split('\n').filter((row) => row.startsWith('epoch'));
  expect(lines).toHaveLength(3);
  expect(lines[2]).toMatch(/^epoch 3\/3 {2}\d+\.\d s {2}[\d,]+\/s {2}loss [\d.]+$/);
});

test('as JSON, a line for each epoch and one in the end; the same for a seed', async () => {
  const run = () => whet('train', 'line', '--epochs', '2', '--seed', '5', '--json', '--out', file('out'));
  const { code, stdout } = await run();
  const [first, second, done] = rows(stdout);
  expect(code).toBe(0);
  expect([first, second]).toMatchObject([{ event: 'epoch', epoch: 1, step: 2 }, { event: 'epoch', epoch: 2, step: 4 }]);
  expect(first['loss/train']).toBeGreaterThan(0);
  expect(done).toMatchObject({ event: 'done', example: 'line', config: 'plain', seed: 5, out: file('out') });
  const again = rows((await run()).stdout);
  expect([again[0]['loss/train'], again[2]]).toEqual([first['loss/train'], done]);
});

test('logs a run for each phase', async () => {
  const { code, stderr } = await whet('train', 'line', '--config', 'twice', '--epochs', '1', '--run', 'mine', '--runs', file('runs'));
  expect({ code, phases: stderr.match(/^(first|second):$/gm) }).toEqual({ code: 0, phases: ['first:', 'second:'] });
  expect(readdirSync(file('runs')).sort()).toEqual(['mine-first', 'mine-second']);
  const log = readdirSync(file('runs', 'mine-first'), { recursive: true, encoding: 'utf8' }).map((name) => readFileSync(file('runs', 'mine-first', name), 'utf8')).join('');
  for (const part of ['loss/train', 'learning-rate', '"example":"line"']) expect(log).toContain(part);
});

test('goes on from a checkpoint to the same end', async () => {
  const whole = rows((await whet('train', 'line', '--epochs', '4', '--json')).stdout).at(-1);
  expect((await whet('train', 'line', '--epochs', '2', '--checkpoint', file('kept'))).code).toBe(0);
  expect(existsSync(file('kept'))).toBe(true);
  expect(await whet('train', 'line', '--epochs', '4', '--checkpoint', file('kept'))).toMatchObject({ code: 1, stderr: expect.stringContaining('resume') });
  const { stdout, stderr } = await whet('train', 'line', '--epochs', '4', '--checkpoint', file('kept'), '--resume', '--json');
  expect(stderr).toContain('goes on after update 4');
  expect(rows(stdout).map(({ event, epoch }) => epoch ?? event)).toEqual([3, 4, 'done']);
  expect(rows(stdout).at(-1)).toEqual(whole);
});

describe('what is wrong is told', () => {
  test.each([
    [['nothing'], 2, "expected one of seq2seq, mnist, transfer, line, got 'nothing'"],
    [['constructor'], 2, "got 'constructor'"],
    [['line', '--config', 'best'], 2, "--config: expected one of plain, twice, infinite, got 'best'"],
    [['line', '--resume'], 2, '--resume: expected --checkpoint FOLDER'],
    [['line', '--epochs', 'many'], 2, 'whole number'],
    [['line', '--epochs', '0'], 2, 'whole number from 1'],
    [['line', '--run', 'mine', '--runs', import.meta.filename], 1, 'something else is there already'],
    [['line', '--config', 'infinite', '--anomaly'], 1, 'first made by'],
    [['mnist', '--data', '/nowhere'], 1, 'no such file'],
    [['transfer', '--offline'], 1, 'being offline'],
  ])('%j ends with %i', async (args, code, message) => {
    vi.stubEnv('WHET_CACHE', file('no-cache'));
    vi.stubEnv('npm_config_cache', file('no-npm-cache'));
    expect(await whet('train', ...args)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
    vi.unstubAllEnvs();
  });
});

test('help lists the examples and their configurations', async () => {
  const { stdout } = await whet('train', '--help');
  for (const part of ['seq2seq', '--config tuned', '--config reference', 'mnist', 'transfer', '--checkpoint', '--json']) expect(stdout).toContain(part);
});
