/** The server: nothing without the token, nothing outside the runs, and what is logged arrives while it is logged. */
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRun } from './run.ts';
import { type Lab, startLab } from './server.ts';
import type { RunData, RunList } from './shared/index.ts';

const token = 'a-token-of-this-test';
const cookieName = `whet-lab-${createHmac('sha256', token).update('whet lab cookie').digest('base64url').slice(0, 8)}`;
const home = mkdtempSync(join(tmpdir(), 'whet-lab-server-'));
const folder = join(home, 'runs');
const page = join(home, 'page');
let lab: Lab;

beforeAll(async () => {
  mkdirSync(join(page, 'assets'), { recursive: true });
  writeFileSync(join(page, 'index.html'), '<!doctype html><title>lab</title>');
  writeFileSync(join(page, 'assets', 'a.js'), 'export {};');
  writeFileSync(join(page, 'secret.txt'), 'of a type that no page has');
  writeFileSync(join(home, 'secret.js'), 'outside');
  lab = await startLab({ folder, page, port: 0, token });
});
afterAll(async () => {
  await lab.close();
  rmSync(home, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}
/** As it is, dots and all: fetch would tidy the path and set its own host. */
const ask = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: lab.port, path, headers, method }, (response) => {
      let body = '';
      response.on('data', (part: Buffer) => (body += part.toString('latin1')));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
const bearer = { authorization: `Bearer ${token}` };
const json = async (path: string): Promise<any> => JSON.parse((await ask(path, bearer)).body);
const until = async <T>(get: () => Promise<T | undefined | false>): Promise<T> => {
  for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 30))) {
    const value = await get().catch(() => undefined);
    if (value) return value;
  }
  throw new Error('waited in vain');
};

describe('without the token', () => {
  test.each(['/', '/assets/a.js', '/api/runs', '/api/events', '/api/runs/x', '/none', '/?token=', '/?token=a-token-of-this-tesT', '/?token=x&token=a-token-of-this-test'])('%s is refused', async (path) => {
    const { status, headers, body } = await ask(path);
    expect(status).toBe(401);
    expect(headers['set-cookie']).toBeUndefined();
    expect(JSON.parse(body)).toMatchObject({ error: expect.stringContaining('The link that whet lab printed') });
    expect(body).not.toContain(token);
  });

  test('a browser is told what to do', async () => {
    const { status, headers, body } = await ask('/', { accept: 'text/html' });
    expect([status, headers['content-type']]).toEqual([401, 'text/html; charset=UTF-8']);
    expect(body).toContain('Open the link that <code>whet lab</code> printed');
  });

  test.each<Record<string, string>>([{ authorization: 'Bearer wrong' }, { authorization: 'Bearer ' }, { cookie: `${cookieName}=wrong` }, { cookie: `${cookieName}=${token}` }])('%o is refused', async (headers) => {
    expect((await ask('/api/runs', headers)).status).toBe(401);
  });
});

describe('with the token', () => {
  test('the link leaves a cookie that opens the rest', async () => {
    const { status, headers, body } = await ask(`/?token=${token}`);
    expect([status, body]).toEqual([200, '<!doctype html><title>lab</title>']);
    const [cookie] = headers['set-cookie'] as string[];
    expect(cookie).toMatch(/^whet-lab-[\w-]{8}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(token);
    expect(cookie.split('=')[0]).toBe(cookieName);
    expect((await ask('/assets/a.js', { cookie: cookie.split(';')[0] })).status).toBe(200);
    expect((await ask('/assets/a.js', { cookie: `${cookieName}=` })).status).toBe(401);
  });

  test('every answer is fenced in', async () => {
    for (const answer of [await ask('/', bearer), await ask('/none', bearer), await ask('/'), await ask('/', { ...bearer, host: 'evil.example' })]) {
      expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer', 'cross-origin-resource-policy': 'same-origin' });
      expect(answer.headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  test.each([
    ['another name that leads here', { host: 'evil.example' }, 403],
    ['the same with our port', { host: 'evil.example:8888' }, 403],
    ['a name that begins as an address', { host: '127.0.0.1.evil.example' }, 403],
    ['localhost, by a forwarded port', { host: 'localhost:1234' }, 200],
    ['an address', { host: '10.0.0.7:8888' }, 200],
    ['an address of version 6', { host: '[::1]:8888' }, 200],
    ['a page of another site', { host: 'localhost', origin: 'http://evil.example' }, 403],
    ['a page on another port', { host: 'localhost:1', origin: 'http://localhost:2' }, 403],
    ['a page of no site', { host: 'localhost', origin: 'null' }, 403],
    ['its own page', { host: 'localhost:1', origin: 'http://localhost:1' }, 200],
  ])('asked by %s: %o gives %i', async (_, headers, status) => {
    expect((await ask('/api/runs', { ...bearer, ...headers })).status).toBe(status);
  });

  test.each(['/../secret.js', '/assets/../../secret.js', '/%2e%2e/secret.js', '/..%2fsecret.js', '/assets/..%5c..%5csecret.js', '//etc/passwd', '/secret.txt', '/api/runs/..', '/api/runs/..%2f..', '/api/runs/%2e%2e%2fpage', '/api/runs/x/samples/0-0', '/index.html'])(
    '%s is not there',
    async (path) => {
      const { status, body } = await ask(path, bearer);
      expect(status).toBe(404);
      expect(body).not.toContain('outside');
    },
  );

  test('nothing can be sent', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) expect((await ask('/', bearer, method)).status).toBe(405);
    expect((await ask('/api/runs', bearer, 'POST')).status).toBe(404);
  });
});

describe('runs', () => {
  test('are there as they are written, with all that they logged', async () => {
    const run = openRun('first', { folder, config: { lr: 0.5 } });
    run.log({ 'loss/train': 2, bad: NaN }, 1);
    run.histogram('weights/w', [1, 2, 3], 1);
    run.image('picture', { width: 1, height: 1, data: Uint8Array.of(7) }, 1);
    run.text('answer', 'Grüße', 1);
    run.flush();
    const all = await until(async () => (await json('/api/runs/first')) as { summary: object; series: object[] });
    expect(all).toMatchObject({ summary: { name: 'first', status: 'running', step: 1, config: { lr: 0.5 }, notFinite: { name: 'bad', step: 1 } } });
    expect(all.series).toEqual([{ name: 'loss/train', from: 0, steps: [1], seconds: [expect.any(Number)], values: [2] }, { name: 'bad', from: 0, steps: [1], seconds: [expect.any(Number)], values: [null] }]);
    expect(await json('/api/runs/first/histograms')).toMatchObject([{ name: 'weights/w', entries: [{ step: 1, low: 1, high: 3, count: 3 }] }]);
    const samples = (await json('/api/runs/first/samples')) as { kind: string; entries: { id: string; step: number }[] }[];
    expect(samples).toMatchObject([{ name: 'picture', kind: 'image', entries: [{ step: 1, width: 1, height: 1 }] }, { name: 'answer', kind: 'text', entries: [{ step: 1 }] }]);
    const [image, text] = await Promise.all(samples.map(({ entries }) => ask(`/api/runs/first/samples/${entries[0].id}`, bearer)));
    expect([image.status, image.headers['content-type'], image.body.slice(1, 4)]).toEqual([200, 'image/png', 'PNG']);
    expect(Buffer.from(text.body, 'latin1').toString()).toBe('Grüße');
    run.close();
    await until(async () => ((await json('/api/runs/first')) as { summary: { status: string } }).summary.status === 'finished');
  });

  test('arrive as events: all at first, then what is new, also of runs that appear and go', async () => {
    const stop = new AbortController();
    const response = await fetch(`http://127.0.0.1:${lab.port}/api/events?run=live`, { headers: bearer, signal: stop.signal });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const events: { event: string; data: RunList & RunData }[] = [];
    const next = async (wanted: (event: (typeof events)[number]) => boolean): Promise<(typeof events)[number]['data']> => {
      for (;;) {
        const found = events.find(wanted);
        events.length = found ? 0 : events.length;
        if (found) return found.data;
        const { value, done } = await reader.read();
        if (done) throw new Error('the stream ended');
        text += value;
        const parts = text.split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts) {
          const [, event, data] = /^event: (\w+)\ndata: (.*)$/s.exec(part) ?? [];
          if (event) events.push({ event, data: JSON.parse(data) as RunList & RunData });
        }
      }
    };
    expect((await next(({ event }) => event === 'runs')).runs.map(({ name }) => name)).toEqual(['first']);
    const run = openRun('live', { folder });
    for (let step = 0; step < 3; step++) run.log({ loss: step }, step);
    run.flush();
    expect((await next(({ event }) => event === 'data')).series).toMatchObject([{ name: 'loss', from: 0, steps: [0, 1, 2], values: [0, 1, 2] }]);
    run.log({ loss: 9 }, 3);
    run.flush();
    expect((await next(({ event }) => event === 'data')).series).toMatchObject([{ name: 'loss', from: 2, steps: [2, 3], values: [2, 9] }]);
    run.close();
    expect((await next(({ event, data }) => event === 'runs' && data.runs[0]?.status === 'finished')).runs).toMatchObject([{ name: 'live' }]);
    const again = openRun('live', { folder, resume: true });
    again.log({ loss: 5, other: 1 }, 2);
    again.close();
    const { series } = await next(({ event, data }) => event === 'data' && data.series.length === 2);
    expect(series).toMatchObject([{ name: 'loss', from: 0, steps: [0, 1, 2], values: [0, 1, 5] }, { name: 'other', from: 0 }]);
    rmSync(join(folder, 'live'), { recursive: true });
    await next(({ event, data }) => event === 'runs' && data.removed.includes('live'));
    stop.abort();
  });

  test('that are damaged show the rest; links and strange files are no runs', async () => {
    const run = openRun('torn', { folder });
    for (let step = 0; step < 4; step++) run.log({ loss: step }, step);
    run.close();
    const log = join(folder, 'torn', '0001.log');
    const { readFileSync } = await import('node:fs');
    const bytes = readFileSync(log);
    bytes[bytes.indexOf('"step":2') + 7] ^= 1;
    writeFileSync(log, Buffer.concat([bytes.subarray(0, -3), Buffer.from('\n\0\xff garbage\n')]));
    symlinkSync('/etc', join(folder, 'link'));
    writeFileSync(join(folder, 'file'), 'no folder');
    mkdirSync(join(folder, 'empty'));
    const { summary, series } = await until(async () => {
      const answer = await ask('/api/runs/torn', bearer);
      return answer.status === 200 && (JSON.parse(answer.body) as { summary: { damaged: number; status: string }; series: { values: number[] }[] });
    });
    expect(summary).toMatchObject({ damaged: 3 });
    expect(series[0].values).toEqual([0, 1, 3]);
    expect(((await json('/api/runs')) as { runs: { name: string }[] }).runs.map(({ name }) => name).sort()).toEqual(['first', 'torn']);
  });
});

describe('starting', () => {
  test.each<[string, () => Promise<unknown>, string | RegExp]>([
    ['a port that is taken', () => startLab({ folder, page, port: lab.port }), /^port \d+: expected a free port, got one that something else listens on; --port chooses another/],
    ['an address of another machine', () => startLab({ folder, page, port: 0, host: '203.0.113.1' }), 'which is no address of this machine'],
    ['a token that can be guessed', () => startLab({ folder, page, port: 0, token: 'short' }), 'token: expected at least 8 printable characters'],
    ['a file in place of a folder', () => startLab({ folder: join(folder, 'file'), page, port: 0 }), 'expected a folder of runs, or none yet, got a file'],
    ['a page that was not built', () => startLab({ folder, page: join(home, 'none'), port: 0 }), 'npm run build makes it'],
  ])('with %s fails in a sentence', async (_, start, message) => {
    await expect(start()).rejects.toThrow(message);
  });

  test('gives another token each time, in a link', async () => {
    const labs = [await startLab({ folder, page, port: 0 }), await startLab({ folder, page, port: 0 })];
    for (const { url, token, port } of labs) expect(url).toBe(`http://localhost:${port}/?token=${token}`);
    expect(labs[0].token).not.toBe(labs[1].token);
    expect(labs[0].token.length).toBeGreaterThanOrEqual(32);
    await Promise.all(labs.map((one) => one.close()));
  });
});
