/** The log holds: whatever is torn off or damaged, every other record comes back as it was written. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Recorder } from '../train/index.ts';
import { ownMark } from './process.ts';
import { decodeLine, encodeRecord, type LogRecord, makeLineCutter, maxLineBytes } from './record.ts';
import { openRun } from './run.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'whet-lab-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const decode = (bytes: Uint8Array): LogRecord[] => makeLineCutter()(bytes).map(({ line }) => decodeLine(line)).filter((record) => record !== undefined);
const recordsOf = (run: string, segment = '0001.log'): LogRecord[] => decode(readFileSync(join(folder, run, segment)));

const time = fc.integer({ min: 0, max: 2 ** 45 });
const step = fc.nat();
const name = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' });
const record: fc.Arbitrary<LogRecord> = fc.oneof(
  fc.record({ kind: fc.constant('scalars' as const), time, step, values: fc.dictionary(fc.string({ maxLength: 5 }), fc.oneof(fc.integer(), fc.constant('NaN')), { noNullPrototype: true }) }),
  fc.record({ kind: fc.constant('text' as const), time, step, name, text: fc.string({ unit: 'binary' }) }),
  fc.record({ kind: fc.constant('close' as const), time, ok: fc.boolean() }),
);
const records = fc.array(record, { minLength: 1, maxLength: 8 });
const encode = (list: readonly LogRecord[]): Buffer => Buffer.from(list.map(encodeRecord).join(''));
/** JSON gives undefined and -0 in its own way. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('lines', () => {
  test('come back as they were written, however they are cut', () => {
    fc.assert(
      fc.property(records, fc.array(fc.nat(400), { maxLength: 6 }), (list, cuts) => {
        const bytes = encode(list);
        const cut = makeLineCutter();
        const scratch = Buffer.alloc(bytes.length);
        const places: number[] = [];
        const found: (LogRecord | undefined)[] = [];
        const edges = [0, ...cuts.map((at) => Math.min(at, bytes.length)).sort((a, b) => a - b), bytes.length];
        for (let i = 1; i < edges.length; i++) {
          // The reader's buffer is used again and again.
          const piece = scratch.subarray(0, bytes.copy(scratch, 0, edges[i - 1], edges[i]));
          for (const { offset, line } of cut(piece)) {
            places.push(offset);
            expect(Buffer.from(line).equals(bytes.subarray(offset, offset + line.length))).toBe(true);
            found.push(decodeLine(line));
          }
          scratch.fill(0);
        }
        expect(found).toEqual(plain(list));
        expect(places).toEqual(list.map((_, i) => encode(list.slice(0, i)).length));
      }),
    );
  });

  test('torn off at any byte, all whole ones are there', () => {
    fc.assert(
      fc.property(records, (list) => {
        const bytes = encode(list);
        const ends = list.map((_, i) => encode(list.slice(0, i + 1)).length);
        for (let length = 0; length <= bytes.length; length++) {
          expect(decode(bytes.subarray(0, length))).toEqual(plain(list.slice(0, ends.filter((end) => end <= length).length)));
        }
      }),
      { numRuns: 20 },
    );
  });

  test('a flipped bit costs its own line, or two where it joins them, and is never taken for data', () => {
    fc.assert(
      fc.property(records, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (list, where) => {
        const bytes = encode(list);
        const bit = Math.floor(where * bytes.length * 8);
        bytes[bit >> 3] ^= 1 << (bit & 7);
        const owner = list.findIndex((_, i) => encode(list.slice(0, i + 1)).length > bit >> 3);
        const joined = encode(list.slice(0, owner + 1)).length - 1 === bit >> 3;
        expect(decode(bytes)).toEqual(plain(list.filter((_, i) => i !== owner && !(joined && i === owner + 1))));
      }),
      { numRuns: 500 },
    );
  });

  test('anything at all is read without an error', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decode(bytes)));
    fc.assert(fc.property(fc.json(), (json) => void decode(encode([JSON.parse(json) as LogRecord]))));
    expect(decode(encode([{ kind: 'scalars', time: 1, step: -1, values: {} }, { kind: 'other' } as unknown as LogRecord]))).toEqual([]);
  });

  test('a line that is too long is skipped and not kept', () => {
    const cut = makeLineCutter();
    const part = Buffer.alloc(2 ** 16, 97);
    for (let i = 0; i < 3 * (maxLineBytes / part.length); i++) expect(cut(part)).toEqual([]);
    const good = encode([{ kind: 'close', time: 1, ok: true }]);
    expect(cut(Buffer.concat([Buffer.from('\n'), good]))).toMatchObject([{ offset: 3 * maxLineBytes + 1 }]);
  });
});

describe('a run', () => {
  test('keeps what it was told', async () => {
    const run = openRun('first', { folder, config: { lr: 0.1, model: { layers: [4, 8] } } });
    run satisfies Recorder;
    run.log({ 'loss/train': 0.5, 'loss/validation': NaN, rate: -Infinity }, 3);
    run.histogram('weights', Float32Array.of(0, 1, 2, 3, NaN, Infinity), 3);
    run.text('sample', 'Call 123', 3);
    const pixels = Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => i * 4);
    run.image('picture', { width: 5, height: 4, data: pixels }, 3);
    run.close();
    const [open, scalars, histogram, text, image, close, ...others] = recordsOf('first');
    expect(open).toMatchObject({ kind: 'open', run: 'first', process: { pid: process.pid }, config: { lr: 0.1, model: { layers: [4, 8] } } });
    expect(scalars).toMatchObject({ step: 3, values: { 'loss/train': 0.5, 'loss/validation': 'NaN', rate: '-Infinity' } });
    expect(histogram).toMatchObject({ low: 0, high: 3, count: 4, mean: 1.5, bad: 2 });
    expect(text).toMatchObject({ name: 'sample', text: 'Call 123' });
    expect(image).toMatchObject({ width: 5, height: 4 });
    if (image.kind !== 'image') throw new Error('no image');
    const { data, info } = await sharp(Buffer.from(image.png, 'base64')).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 5, height: 4, channels: 3 });
    expect([...data]).toEqual([...pixels]);
    expect([close.kind, others]).toEqual(['close', []]);
    expect(() => run.log({ a: 1 }, 4)).toThrow('run first: expected an open run, got one that was closed');
  });

  test('large pictures are kept smaller', async () => {
    const run = openRun('big', { folder });
    const [width, height] = [3000, 1500];
    const data = new Uint8ClampedArray(width * height);
    let seed = 1;
    for (let i = 0; i < data.length; i++) data[i] = (seed = (seed * 48271) % 2147483647) & 255; // noise does not compress
    run.image('noise', { width, height, data }, 0);
    run.close();
    const image = recordsOf('big').find(({ kind }) => kind === 'image');
    expect(image).toMatchObject({ width: 1000, height: 500 });
    expect(encodeRecord(image as LogRecord).length).toBeLessThan(maxLineBytes);
  });

  test('of a name that is taken gets a number; resumed, goes on in a file of its own', () => {
    const names = [openRun('mnist', { folder }), openRun('mnist', { folder })].map((run) => (run.close(), run.name));
    expect(names).toEqual(['mnist', 'mnist-2']);
    // As a process leaves it that is gone, torn off in a record.
    const text = readFileSync(join(folder, 'mnist', '0001.log'), 'utf8');
    const gone = encodeRecord({ kind: 'open', format: 1, time: 1, run: 'mnist', process: { ...ownMark(), pid: 2 ** 30 }, config: {} });
    writeFileSync(join(folder, 'mnist', '0001.log'), `${gone}${text.slice(0, 50)}`);
    const torn = readFileSync(join(folder, 'mnist', '0001.log'));
    const run = openRun('mnist', { folder, resume: true });
    run.log({ loss: 1 }, 7);
    run.close();
    expect(run.name).toBe('mnist');
    expect(readFileSync(join(folder, 'mnist', '0001.log'))).toEqual(torn);
    expect(recordsOf('mnist', '0002.log').map(({ kind }) => kind)).toEqual(['open', 'scalars', 'close']);
    expect(openRun('fresh', { folder, resume: true }).name).toBe('fresh');
  });

  test('is not resumed while somebody writes it', () => {
    const run = openRun('busy', { folder });
    expect(() => openRun('busy', { folder, resume: true })).toThrow(`run busy: expected that nobody else writes it, got process ${process.pid}, which does`);
    run.close();
    openRun('busy', { folder, resume: true }).close();
    // A file that is just being opened, and one whose process is gone.
    writeFileSync(join(folder, 'busy', '0003.log'), '');
    expect(() => openRun('busy', { folder, resume: true })).toThrow('got another process that opens it');
    writeFileSync(join(folder, 'busy', '0003.log'), encodeRecord({ kind: 'open', format: 1, time: 1, run: 'busy', process: { ...ownMark(), started: '1' }, config: {} }));
    openRun('busy', { folder, resume: true }).close();
    expect(readdirSync(join(folder, 'busy')).sort()).toEqual(['0001.log', '0002.log', '0003.log', '0004.log']);
  });

  test('reaches the disk from a loop that never awaits', () => {
    const run = openRun('loop', { folder });
    const end = performance.now() + 300;
    let step = 0;
    for (const sleep = new Int32Array(new SharedArrayBuffer(4)); performance.now() < end; Atomics.wait(sleep, 0, 0, 1)) run.log({ loss: 1 }, step++);
    // Nobody flushed, no timer ran.
    expect(recordsOf('loop').length).toBeGreaterThan(1);
    run.close();
    expect(recordsOf('loop').length).toBe(step + 2);
  });

  test.each<[string, () => unknown, string]>([
    ['a name that leaves the folder', () => openRun('../up', { folder }), 'run: expected a name'],
    ['a config that is no JSON', () => openRun('a', { folder, config: [1] as never }), 'config: expected values by name'],
    ['a config that is too large', () => openRun('a', { folder, config: { text: 'x'.repeat(70_000) } }), 'config: expected at most 65536'],
    ['a step that is no whole number', () => openRun('a', { folder }).log({}, 0.5), 'step: expected a whole number from 0 on, got 0.5'],
    ['a value that is no number', () => openRun('a', { folder }).log({ loss: { item: () => 1 } as never }, 0), 'loss: expected a number, got Object; a tensor gives its number by .item()'],
    ['an empty name', () => openRun('a', { folder }).text('', 'x', 0), 'name: expected 1 to'],
    ['samples that do not fit', () => openRun('a', { folder }).image('p', { width: 2, height: 2, data: new Uint8Array(5) }, 0), 'image: expected 2 x 2 samples of 1, 3 or 4 channels, got 5'],
    ['a picture without a size', () => openRun('a', { folder }).image('p', { width: 0, height: 2, data: new Uint8Array(0) }, 0), 'image: expected a width and a height'],
    ['values that are no list', () => openRun('a', { folder }).histogram('w', 3 as never, 0), 'histogram: expected numbers as a typed array'],
  ])('refuses %s', (_, act, message) => expect(act).toThrow(message));

  test('histograms count every value once', () => {
    const run = openRun('h', { folder });
    const lists = fc.sample(fc.float64Array({ maxLength: 50 }), 200);
    lists.forEach((values, i) => run.histogram('w', values, i));
    run.close();
    const kept = recordsOf('h').filter((record) => record.kind === 'histogram');
    expect(kept).toHaveLength(lists.length);
    kept.forEach(({ counts, count, bad, low, high }, i) => {
      const finite = lists[i].filter(Number.isFinite);
      expect({ count, bad }).toEqual({ count: finite.length, bad: lists[i].length - finite.length });
      expect(counts.reduce((sum, one) => sum + one, 0)).toBe(count);
      if (count > 0) expect([low, high].map((edge) => edge + 0)).toEqual([Math.min(...finite) + 0, Math.max(...finite) + 0]);
    });
  });
});

describe('a process that logs', () => {
  /** The log as a user's process has it: built by esbuild, so that Node runs it. */
  const start = async (script: string) => {
    const { buildSync } = await import('esbuild');
    buildSync({ entryPoints: [new URL('run.ts', import.meta.url).pathname], bundle: true, platform: 'node', format: 'esm', outfile: join(folder, 'run.mjs'), logLevel: 'silent' });
    writeFileSync(join(folder, 'script.mjs'), `import { openRun } from './run.mjs';\nconst run = openRun('child', { folder: ${JSON.stringify(folder)} });\n${script}`);
    const child = spawn(process.execPath, [join(folder, 'script.mjs')], { stdio: ['ignore', 'pipe', 'ignore'] });
    return { child, ended: new Promise((resolve) => child.on('exit', resolve)) };
  };

  test.each([
    ['without closing', '', true],
    ['with an error', 'throw new Error();', false],
  ])('and ends %s, closes its run', async (_, script, ok) => {
    await (await start(`run.log({ a: 1 }, 0); ${script}`)).ended;
    expect(recordsOf('child').map(({ kind }) => kind)).toEqual(['open', 'scalars', 'close']);
    expect(recordsOf('child').at(-1)).toMatchObject({ ok });
  });

  test('and is killed, leaves what it flushed, and its run can be resumed', async () => {
    const { child, ended } = await start(`run.log({ a: 1 }, 0); run.flush(); console.log('now'); for (;;) run.log({ a: 1 }, 1);`);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect(() => openRun('child', { folder, resume: true })).toThrow(`process ${child.pid}`);
    child.kill('SIGKILL');
    await ended;
    const records = recordsOf('child');
    expect(records.slice(0, 2).map(({ kind }) => kind)).toEqual(['open', 'scalars']);
    expect(records.at(-1)?.kind).toBe('scalars');
    openRun('child', { folder, resume: true }).close();
  });
});
