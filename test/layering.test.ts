/** The layers hold: the linter refuses an import that goes up or reaches into another folder, and Node stays out of the browser. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const filesUnder = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
const sources = filesUnder('src').filter((file) => /\.[jt]s$/.test(file) && !/\.test\.ts$|\/golden\//.test(file));

describe('the linter', () => {
  /** A file, an import it must not have, and one it may have. */
  const rules: readonly (readonly [file: string, bad: string, good: string])[] = [
    ['src/graph/a.ts', '../ops/index.ts', './node.ts'],
    ['src/graph/b.ts', 'node:fs', './node.ts'],
    ['src/ops/a.ts', '../formats/index.ts', '../graph/index.ts'],
    ['src/ops/b.ts', '../graph/node.ts', '../graph/index.ts'],
    ['src/optimize/a.ts', '../devices/index.ts', '../graph/index.ts'],
    ['src/optimize/b.ts', '../ops/conv.ts', '../ops/index.ts'],
    ['src/optimize/a.ts', '../devices/index.ts', '../ops/index.ts'],
    ['src/autograd/a.ts', '../devices/index.ts', '../graph/index.ts'],
    ['src/autograd/b.ts', '../ops/gather.ts', '../ops/index.ts'],
    ['src/devices/cpu/plan/c.ts', '../../../optimize/fold.ts', '../../../optimize/index.ts'],
    ['src/formats/onnx/a.ts', '../../devices/index.ts', '../../graph/index.ts'],
    ['src/formats/onnx/b.ts', '../../ops/conv.ts', '../../ops/index.ts'],
    ['src/formats/onnx/c.ts', 'node:fs', '../errors.ts'],
    ['src/formats/d.ts', '../index.ts', './index.ts'],
    ['src/formats/node.ts', '../devices/index.ts', 'node:fs'],
    ['src/vision/a.ts', 'sharp', '../graph/index.ts'],
    ['src/vision/b.ts', '../formats/index.ts', './image.ts'],
    ['src/vision/node.ts', '../zoo/index.ts', 'sharp'],
    ['src/text/a.ts', '../vision/index.ts', '../graph/index.ts'],
    ['src/text/b.ts', 'node:fs', './errors.ts'],
    ['src/devices/a.ts', '../engine/index.ts', '../graph/index.ts'],
    ['src/devices/cpu/plan/a.ts', '../../../formats/index.ts', '../kernels/index.ts'],
    ['src/devices/cpu/plan/b.ts', '../../../ops/conv.ts', '../../../ops/index.ts'],
    ['src/devices/cpu/runtime/a.ts', 'node:worker_threads', '../codegen/index.ts'],
    ['src/devices/cpu/codegen/x64/a.ts', '../../../../graph/index.ts', '../ir.ts'],
    ['src/devices/cpu/codegen/b.ts', '../plan/index.ts', './ir.ts'],
    ['src/tensor/a.ts', '../devices/cpu/index.ts', '../devices/index.ts'],
    ['src/tensor/b.ts', '../formats/index.ts', '../autograd/index.ts'],
    ['src/tensor/c.ts', 'node:fs', '../ops/index.ts'],
    ['src/devices/b.ts', '../tensor/index.ts', '../ops/index.ts'],
    ['src/nn/a.ts', '../optim/index.ts', '../tensor/index.ts'],
    ['src/nn/b.ts', '../tensor/make.ts', '../graph/index.ts'],
    ['src/nn/c.ts', 'node:fs', './errors.ts'],
    ['src/optim/d.ts', '../nn/index.ts', './errors.ts'],
    ['src/optim/a.ts', '../devices/index.ts', '../tensor/index.ts'],
    ['src/optim/b.ts', '../tensor/compute.ts', '../graph/index.ts'],
    ['src/optim/c.ts', 'node:fs', './errors.ts'],
    ['src/data/a.ts', '../optim/index.ts', '../tensor/index.ts'],
    ['src/data/b.ts', '../vision/node.ts', '../vision/index.ts'],
    ['src/data/c.ts', 'node:fs', '../ops/index.ts'],
    ['src/data/node.ts', '../zoo/index.ts', '../vision/node.ts'],
    ['src/data/node/e.ts', '../../nn/index.ts', '../../tensor/index.ts'],
    ['src/train/a.ts', '../devices/index.ts', '../data/index.ts'],
    ['src/train/b.ts', '../nn/module.ts', '../nn/index.ts'],
    ['src/train/c.ts', 'node:fs', './errors.ts'],
    ['src/train/node.ts', '../zoo/index.ts', 'node:fs'],
    ['src/train/node/d.ts', '../../vision/index.ts', '../../formats/index.ts'],
    ['src/data/d.ts', '../train/index.ts', '../tensor/index.ts'],
    ['src/engine/a.ts', '../devices/cpu/index.ts', '../devices/index.ts'],
    ['src/engine/b.ts', '../formats/index.ts', '../graph/index.ts'],
    ['src/tensor/a.ts', '../engine/index.ts', '../devices/index.ts'],
    ['src/zoo/a.ts', '../devices/index.ts', '../formats/index.ts'],
    ['src/zoo/b.ts', '../formats/onnx/index.ts', '../vision/index.ts'],
    ['src/lab/a.ts', '../tensor/index.ts', '../graph/index.ts'],
    ['src/lab/b.ts', '../graph/errors.ts', 'node:fs'],
    ['src/lab/shared/c.ts', '../errors.ts', './config.ts'],
    ['src/lab/shared/d.ts', 'node:fs', './config.ts'],
    ['lab/src/a.ts', '../../src/lab/index.ts', '../../src/lab/shared/index.ts'],
    ['lab/src/b.ts', 'node:fs', './c.ts'],
    ['src/index.ts', './zoo/index.ts', './engine/index.ts'],
    ['src/extra.ts', './formats/node.ts', './formats/index.ts'],
    ['src/examples/a.ts', '../nn/index.ts', 'whetstone/nn'],
    ['src/examples/b/c.ts', '../../index.ts', '../example.ts'],
    ['src/examples/b/d.ts', 'commander', 'whetstone/data/node'],
    ['src/cli/f.ts', '../examples/example.ts', '../examples/index.ts'],
    ['src/cli/a.ts', '../engine/index.ts', '../index.ts'],
    ['src/cli/b.ts', '../devices/cpu/index.ts', '../zoo/index.ts'],
    ['src/cli/c.ts', '../graph/node.ts', '../vision/node.ts'],
    ['src/cli/e.ts', '../lab/run.ts', '../lab/index.ts'],
    ['src/cli/verbs/d.ts', '../../zoo/table.ts', '../../index.ts'],
  ];
  let folder = '';
  let found: { file: string; line: number; code: string }[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'whet-layers-'));
    copyFileSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
    for (const [file, bad, good] of rules) {
      mkdirSync(join(folder, dirname(file)), { recursive: true });
      writeFileSync(join(folder, file), `export { a } from '${bad}';\nimport { b } from '${good}';\nexport const c = b;\nexport const d = import('${bad}');\n`);
    }
    const { stdout } = spawnSync(process.execPath, [join(root, 'node_modules/oxlint/bin/oxlint'), '-f', 'json'], { cwd: folder, encoding: 'utf8' });
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[] };
    found = diagnostics.map(({ code, filename, labels }) => ({ file: filename, line: labels[0].span.line, code }));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(rules)('%s may not import %s but may import %s', (file) => {
    const lines = found.filter((problem) => problem.file === file && problem.code.includes('no-restricted-imports')).map(({ line }) => line);
    expect(lines).toEqual([1, 4]);
  });

  test('has a rule for every folder of src', () => {
    const config = readFileSync(join(root, '.oxlintrc.json'), 'utf8');
    const folders = new Set(sources.filter((file) => file.split('/').length > 2).map((file) => file.split('/')[1]));
    expect([...folders].filter((name) => !config.includes(`"src/${name}/**"`))).toEqual([]);
  });
});

describe('the browser', () => {
  const nodeOnly = /^src\/(cli|zoo|examples|lab(?!\/shared))\/|^src\/(formats|vision|data|train)\/node(\.ts$|\/)|\/testing\.ts$/;
  /** What a file imports, comments left out; a string that names a module but is no import (`builtin('node:fs')`) is no import. */
  const importsOf = (file: string): string[] => {
    const text = readFileSync(join(root, file), 'utf8').replace(/\/\*.*?\*\/|^\s*\/\/.*$/gms, '');
    const patterns = [/\b(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/g, /\bimport\s*['"]([^'"]+)['"]/g, /(?<!typeof )\bimport\(\s*['"]([^'"]+)['"]/g, /\brequire\(\s*['"]([^'"]+)['"]/g];
    return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name]) => name));
  };
  const packages = ['@bufbuild/protobuf', 'papaparse'];

  test.each(sources.filter((file) => !nodeOnly.test(file)))('%s imports nothing that a browser does not have', (file) => {
    const outside = importsOf(file).filter((name) => !name.startsWith('.'));
    expect(outside.filter((name) => name.startsWith('node:') || builtinModules.includes(name))).toEqual([]);
    expect(outside.filter((name) => !packages.some((known) => name === known || name.startsWith(`${known}/`)))).toEqual([]);
    const inside = importsOf(file).filter((name) => name.startsWith('.')).map((name) => posix.join(dirname(file), name));
    expect(inside.filter((name) => nodeOnly.test(name))).toEqual([]);
  });
});

test('files stay short enough to be read', () => {
  const lines = (file: string): number => readFileSync(join(root, file), 'utf8').split('\n').length;
  const long = sources.map((file) => ({ file, lines: lines(file) })).filter((entry) => entry.lines > 400);
  for (const entry of long) console.warn(`${entry.file} has ${entry.lines} lines: more than 400`);
  expect(long.filter((entry) => entry.lines > 800)).toEqual([]);
});
