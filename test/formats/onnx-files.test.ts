/** Models on disk: data beside a model is read, data elsewhere is not. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { constantOf } from '../../src/graph/index.ts';
import { FormatError } from '../../src/formats/index.ts';
import { loadOnnxFile } from '../../src/formats/node.ts';
import { f32, node, onnxFile, valueInfo } from './onnx-model.ts';

let root: string;
let folder: string;
const values = Float32Array.of(1, 2);

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'whet-files-'));
  folder = join(root, 'model');
  mkdirSync(join(folder, 'parts'), { recursive: true });
  writeFileSync(join(root, 'secret.bin'), values);
  writeFileSync(join(folder, 'w.bin'), values);
  writeFileSync(join(folder, 'parts', 'w.bin'), values);
  symlinkSync(join(root, 'secret.bin'), join(folder, 'link.bin'));
  symlinkSync(root, join(folder, 'up'));
  symlinkSync('w.bin', join(folder, 'inner.bin'));
  mkdirSync(join(root, 'model-2'));
  writeFileSync(join(root, 'model-2', 'w.bin'), values);
  symlinkSync(join(root, 'model-2', 'w.bin'), join(folder, 'sibling.bin'));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
});
afterAll(() => rmSync(root, { recursive: true }));

async function load(location: string, offset?: string) {
  const external_data = [{ key: 'location', value: location }, ...(offset ? [{ key: 'offset', value: offset }] : []), { key: 'length', value: '8' }];
  writeFileSync(join(folder, 'm.onnx'), onnxFile({ nodes: [], initializers: [{ name: 'y', data_type: 1, dims: [2], data_location: 1, external_data }] }));
  const graph = (await loadOnnxFile(join(folder, 'm.onnx'))).build();
  return constantOf(graph.outputs[0].value);
}

describe('external data on disk', () => {
  test.each(['w.bin', 'parts/w.bin', './w.bin', 'inner.bin'])('%s is read', async (location) => {
    expect(await load(location)).toEqual(f32([2], [1, 2]));
  });

  test.each<[string, RegExp]>([
    ['../secret.bin', /a path with \.\./],
    ['parts/../../secret.bin', /a path with \.\./],
    ['..\\secret.bin', /a path with \.\./],
    ['/etc/passwd', /an absolute path/],
    ['C:\\secret.bin', /an absolute path/],
    ['\\\\host\\share', /an absolute path/],
    ['link.bin', /a link that leaves it/],
    ['up/secret.bin', /a link that leaves it/],
    ['sibling.bin', /a link that leaves it/],
    ['w\0.bin', /zero byte/],
    ['missing.bin', /none of this name/],
    ['parts', /expected a file/],
    ['pipe', /expected a file/],
  ])('%s is refused', async (location, message) => {
    await expect(load(location)).rejects.toThrow(FormatError);
    await expect(load(location)).rejects.toThrow(message);
  });

  test('a range beyond the end is refused', async () => {
    await expect(load('w.bin', '4')).rejects.toThrow(/at most 8 bytes, got offset 4, length 8/);
  });
});

describe('model files', () => {
  test('are loaded, and their errors name them', async () => {
    const path = join(folder, 'plain.onnx');
    writeFileSync(path, onnxFile({ inputs: [valueInfo('x', 'float32', [1])], nodes: [node('Relu', ['x'], ['y'])] }));
    expect((await loadOnnxFile(path)).inputs).toEqual([{ name: 'x', dtype: 'float32', shape: [1] }]);
    truncateSync(path, 30);
    await expect(loadOnnxFile(path)).rejects.toThrow(/^plain\.onnx: broken protobuf/);
  });

  test('that are no files, or too large, are refused before they are read', async () => {
    await expect(loadOnnxFile(folder)).rejects.toThrow(/expected a file, got a folder/);
    const sparse = join(folder, 'sparse.onnx');
    writeFileSync(sparse, '');
    truncateSync(sparse, 2 ** 32);
    await expect(loadOnnxFile(sparse)).rejects.toThrow(/at most 2 GB/);
    await expect(loadOnnxFile(join(folder, 'none.onnx'))).rejects.toThrow(/ENOENT/);
  });
});
