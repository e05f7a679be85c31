/**
 * The library in a browser: bundled for it without a single Node module, then a small ONNX model run in headless Chromium on
 * wasm, on a page that may share memory between threads and on one that may not. Results are those of the reference evaluator.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium, type BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apply, constant, evaluateGraph, exportOnnx, type Graph, importOnnx, input, toNumbers, type Value } from '../src/index.ts';
import { sampleInput } from '../src/cli/shapes.ts';

const source = (path: string) => fileURLToPath(new URL(`../src/${path}`, import.meta.url));
const bundle = async (path: string): Promise<string> => {
  const { outputFiles } = await build({ entryPoints: [source(path)], bundle: true, write: false, format: 'esm', platform: 'browser', target: 'es2023', logLevel: 'silent' });
  return outputFiles[0].text;
};

/** A convolution over many channels, pooling, a depthwise one, a residual, a classifier. */
function smallNetwork(): Graph {
  let seed = 10;
  const weight = (...shape: number[]): Value => {
    const tensor = sampleInput('float32', shape, seed++);
    return constant({ ...tensor, data: (tensor.data as Float32Array).map((value) => value - 0.5) });
  };
  const picture = input('picture', 'float32', [1, 3, 32, 32]);
  const stem = apply('Relu', [apply('Conv', [picture, weight(16, 3, 3, 3), weight(16)], { pads: [1, 1, 1, 1], strides: [2, 2] })]);
  const pooled = apply('MaxPool', [stem], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  const depthwise = apply('Conv', [pooled, weight(16, 1, 3, 3)], { group: 16, pads: [1, 1, 1, 1] });
  const mixed = apply('Relu', [apply('Add', [apply('Conv', [depthwise, weight(16, 16, 1, 1)]), pooled])]);
  const features = apply('Flatten', [apply('GlobalAveragePool', [mixed])]);
  const scores = apply('Softmax', [apply('Gemm', [features, weight(16, 10), weight(10)])]);
  return { name: 'small', inputs: [{ name: 'picture', value: picture }], outputs: [{ name: 'scores', value: scores }] };
}

const model = exportOnnx(smallNetwork());
const picture = sampleInput('float32', [1, 3, 32, 32]);
const expected = toNumbers(evaluateGraph(importOnnx(model).build(), { picture }).scores);

test('the library bundles for the browser', async () => {
  const text = await bundle('index.ts');
  expect(text).not.toMatch(/\bfrom\s*["'](node:)?(fs|os|path|crypto|worker_threads|module)["']/);
  expect(text.length).toBeLessThan(3_000_000);
});

/** What the page runs: everything over the public API, as a user's page would. */
const script = `
import { compileModel, importOnnx, surveyIsas, tensorData } from './whetstone.js';
window.run = async (values, threads) => {
  const bytes = new Uint8Array(await (await fetch('/model.onnx')).arrayBuffer());
  const model = compileModel(importOnnx(bytes), 'cpu', { threads });
  const picture = tensorData('float32', [1, 3, 32, 32], new Float32Array(values));
  const { info } = model.compile();
  const { scores } = model.infer(picture);
  const later = await Promise.all([model.inferAsync(picture), model.inferAsync(picture)]);
  return {
    isa: info.isa,
    isolated: crossOriginIsolated,
    scores: [...scores.data],
    later: later.map((result) => [...result.scores.data]),
    native: surveyIsas().filter(({ isa, usable }) => usable && isa !== 'wasm').length,
  };
};`;
interface PageResult {
  readonly isa: string;
  readonly isolated: boolean;
  readonly scores: readonly number[];
  readonly later: readonly (readonly number[])[];
  readonly native: number;
}

const executable = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path && existsSync(path));

if (!executable) test.skip('skipped: no Chromium is installed (Debian: apt install chromium; or CHROMIUM=path)');
else {
  describe('in Chromium', () => {
    let server: Server;
    let context: BrowserContext;
    let folder = '';
    const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

    beforeAll(async () => {
      const html = '<!doctype html><title>whetstone</title><link rel="icon" href="data:,"><script type="module" src="./page.js"></script>';
      const files: Record<string, [type: string, body: string | Uint8Array]> = {
        'index.html': ['text/html', html],
        'page.js': ['text/javascript', script],
        'whetstone.js': ['text/javascript', await bundle('index.ts')],
        'worker.js': ['text/javascript', await bundle('devices/cpu/runtime/worker.js')],
        'model.onnx': ['application/octet-stream', model],
      };
      server = createServer((request, response) => {
        const [, mode, name] = /^\/(isolated|plain)\/(.*)$/.exec(request.url ?? '') ?? [undefined, 'isolated', request.url?.slice(1)];
        const file = files[name || 'index.html'];
        if (!file) return void response.writeHead(404).end();
        response.writeHead(200, { 'content-type': file[0], ...(mode === 'isolated' && isolation) }).end(file[1]);
      });
      await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
      folder = mkdtempSync(join(tmpdir(), 'whet-chromium-'));
      context = await chromium.launchPersistentContext(folder, {
        executablePath: executable,
        headless: true,
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
      });
    });
    afterAll(async () => {
      await context?.close();
      await new Promise((resolve) => server?.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    });

    test.each([
      ['isolated', 1],
      ['isolated', 2],
      ['plain', 1],
      ['plain', 2],
    ])('on a page that is %s, asked for %i threads', async (mode, threads) => {
      const page = await context.newPage();
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${mode}/`);
      await page.waitForFunction('window.run');
      const result = (await page.evaluate(`run(${JSON.stringify(toNumbers(picture))}, ${threads})`)) as PageResult;
      expect(problems).toEqual([]);
      expect(result).toMatchObject({ isa: 'wasm', isolated: mode === 'isolated', native: 0 });
      for (const scores of [result.scores, ...result.later]) {
        expect(scores).toHaveLength(expected.length);
        scores.forEach((score, i) => expect(score).toBeCloseTo(expected[i], 5));
      }
      await page.close();
    });
  });
}
