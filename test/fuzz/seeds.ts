/** What is damaged, and how it is loaded: one row a file. Whatever comes of a damaged file, `load` gives it or says why not. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importOnnx } from '../../src/formats/index.ts';
import { schema } from '../../src/formats/onnx/schema.ts';
import { counting, f32, graphAttribute, i64, node, onnxFile, valueInfo } from '../formats/onnx-model.ts';
import { writeTensor } from '../../src/formats/onnx/tensors.ts';
import { mutateMessage } from './mutate.ts';
import { buildSmall, type Seed } from './seed.ts';
import { safetensorsSeed, tfjsSeeds } from './tfjs-seeds.ts';

const onnx = (name: string, bytes: Uint8Array): Seed => ({
  name,
  bytes,
  load: (damaged) => buildSmall(importOnnx(damaged, { name, externalData: {} })),
  mutate: (whole, random) => mutateMessage(schema, 'ModelProto', whole, random),
});

const image = valueInfo('x', 'float32', ['batch', 3, 8, 8]);
const weights = f32([4, 3, 3, 3], Array.from({ length: 108 }, (_, i) => i / 108));

const onnxSeeds: readonly Seed[] = [
  onnx('onnx: convolutions', onnxFile({
    inputs: [image],
    constants: { w: weights, b: counting([4]), roi: f32([0], []), s: f32([4], [1, 1, 2, 2]), perChannel: counting([4]), to: i64([0, -1]), fc: counting([256, 5]) },
    nodes: [
      node('Conv', ['x', 'w', 'b'], ['c'], { pads: [1, 1, 1, 1], strides: [2, 2], group: 1, auto_pad: 'NOTSET' }),
      node('BatchNormalization', ['c', 'perChannel', 'b', 'b', 'perChannel'], ['n'], { epsilon: 1e-5 }),
      node('Clip', ['n', '', 'six'], ['r']),
      node('MaxPool', ['r'], ['p'], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
      node('ConvTranspose', ['p', 'up'], ['t'], { strides: [2, 2] }),
      node('Resize', ['t', 'roi', 's'], ['z'], { mode: 'linear' }),
      node('Reshape', ['z', 'to'], ['f']),
      node('Gemm', ['f', 'fc'], ['y'], { alpha: 0.5 }),
    ],
    initializers: [writeTensor(f32([], [6]), 'six'), writeTensor(counting([4, 4, 2, 2]), 'up')],
  })),
  onnx('onnx: shapes', onnxFile({
    inputs: [valueInfo('x', 'float32', ['n', 4, 'w'])],
    constants: { zero: i64([0]), one: i64([1]), two: i64([2]), minus: i64([-1]), pads: i64([0, 1, 0, 1]), parts: i64([1, 3]), start: writeScalar(0), limit: writeScalar(12), delta: writeScalar(3) },
    nodes: [
      node('Shape', ['x'], ['s'], { start: 0 }),
      node('Gather', ['s', 'zero'], ['n'], { axis: 0 }),
      node('Concat', ['n', 'two', 'minus'], ['to'], { axis: 0 }),
      node('Reshape', ['x', 'to'], ['r']),
      node('Slice', ['r', 'zero', 'one', 'two', 'one'], ['l']),
      node('Transpose', ['r'], ['t'], { perm: [2, 0, 1] }),
      node('Split', ['x', 'parts'], ['p', 'q'], { axis: 1 }),
      node('Squeeze', ['p', 'one'], ['e']),
      node('Unsqueeze', ['e', 'zero'], ['u']),
      node('Expand', ['u', 'two'], ['ex']),
      node('Pad', ['e', 'pads'], ['pd'], { mode: 'edge' }),
      node('Range', ['start', 'limit', 'delta'], ['range']),
      node('Tile', ['range', 'two'], ['tiled']),
      node('ConstantOfShape', ['two'], ['filled'], { value: i64([7]) }),
      node('Cast', ['tiled'], ['y'], { to: 1 }),
    ],
    outputs: ['y', 'l', 't', 'ex', 'pd', 'filled'],
  })),
  onnx('onnx: attention', onnxFile({
    opset: 10,
    inputs: [valueInfo('x', 'float32', [1, 'n', 8])],
    constants: { wq: counting([8, 8]), ids: i64([1, 0, 2]), table: counting([3, 8]), scale: f32([], [0.5]) },
    nodes: [
      node('MatMul', ['x', 'wq'], ['q']),
      node('Transpose', ['x'], ['k'], { perm: [0, 2, 1] }),
      node('MatMul', ['q', 'k'], ['a']),
      node('Mul', ['a', 'scale'], ['b']),
      node('Softmax', ['b'], ['c'], { axis: 2 }),
      node('MatMul', ['c', 'x'], ['d']),
      node('ReduceMean', ['d'], ['m'], { axes: [1], keepdims: 0 }),
      node('Gather', ['table', 'ids'], ['g'], { axis: 0 }),
      node('Gemm', ['m', 'g'], ['h'], { transB: 1 }),
      node('Pad', ['h'], ['i'], { pads: [0, 0, 0, 2], value: 1.5 }),
      node('ArgMax', ['i'], ['y'], { axis: 1 }),
    ],
  })),
  onnx('onnx: branches and functions', onnxFile({
    inputs: [valueInfo('x', 'float32', [2, 3])],
    constants: { c: { dtype: 'bool', shape: [], data: Uint8Array.of(1) } },
    nodes: [
      node('If', ['c'], ['i'], {
        then_branch: graphAttribute({ node: [node('Relu', ['x'], ['t'])], output: [{ name: 't' }] }),
        else_branch: graphAttribute({ node: [node('Neg', ['x'], ['e'])], output: [{ name: 'e' }] }),
      }),
      node('Leaky', ['i'], ['y'], { slope: 0.5 }, { domain: 'my' }),
    ],
    model: {
      functions: [{
        name: 'Leaky', domain: 'my', input: ['a'], output: ['b'], attribute: ['slope'], opset_import: [{ domain: '', version: 21 }],
        node: [node('LeakyRelu', ['a'], ['b'], { alpha: { type: 1, ref_attr_name: 'slope' } })],
      }],
    },
  })),
  onnx('onnx: typed and external tensors', onnxFile({
    nodes: [node('Add', ['f', 'e'], ['y'])],
    initializers: [
      { name: 'f', data_type: 1, dims: [2], float_data: Float32Array.of(1, 2) },
      { name: 'l', data_type: 7, dims: [2], int64_data: BigInt64Array.of(1n, -2n) },
      { name: 'h', data_type: 10, dims: [2], int32_data: Int32Array.of(1, 2) },
      { name: 'e', data_type: 1, dims: [1], float_data: Float32Array.of(3) },
    ],
  })),
];

function writeScalar(value: number) {
  return { ...i64([value]), shape: [] };
}

/** Small models of ONNX's own test data, where it is installed: every thirtieth of the cases. */
function installedSeeds(): Seed[] {
  const folder = '/usr/share/libonnx-testdata/data';
  if (!existsSync(folder)) return [];
  const files = ['node', 'simple', 'pytorch-converted', 'pytorch-operator'].flatMap((suite) =>
    readdirSync(join(folder, suite)).sort().map((name) => join(folder, suite, name, 'model.onnx')),
  );
  const chosen = files.filter((file, i) => i % 30 === 0 && existsSync(file)).map((file) => ({ ...onnx(file.slice(folder.length + 1), new Uint8Array(readFileSync(file))), mayFail: true }));
  return chosen.filter(({ bytes }) => bytes.length < 20_000);
}

export const seeds: readonly Seed[] = [...onnxSeeds, ...tfjsSeeds, safetensorsSeed, ...installedSeeds()];
