import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Graph, GraphError, sizeOf, type TensorData, tensorData, toNumbers, topologicalOrder } from '../../graph/index.ts';
import { evaluateGraph } from '../../ops/index.ts';
import { FormatError } from '../errors.ts';
import { importTfjs } from './index.ts';

interface LayerJson {
  class_name: string;
  config: Record<string, unknown>;
  name?: string;
  inbound_nodes?: unknown;
}
type Weights = Record<string, { shape: number[]; data: readonly number[] }>;

const layer = (class_name: string, name: string, config: object = {}, ...inbound: unknown[]): LayerJson => ({
  class_name,
  name,
  config: { name, ...config },
  inbound_nodes: inbound,
});
const from = (...names: (string | [string, number, number])[]) => names.map((ref) => (typeof ref === 'string' ? [ref, 0, 0, {}] : [...ref, {}]));
const inputLayer = (name: string, shape: (number | null)[], dtype = 'float32') => layer('InputLayer', name, { batch_input_shape: shape, dtype });
const functional = (layers: LayerJson[], inputs: unknown, outputs: unknown, name = 'net') => ({
  class_name: 'Functional',
  config: { name, layers, input_layers: inputs, output_layers: outputs },
});
/** One layer behind an input (or several). */
const single = (class_name: string, config: object, ...shapes: (number | null)[][]) => {
  const inputs = shapes.map((shape, i) => inputLayer(`x${i}`, [null, ...shape]));
  const names = inputs.map(({ name }) => name!);
  return functional([...inputs, layer(class_name, 'it', config, from(...names))], names.map((name) => [name, 0, 0]), [['it', 0, 0]]);
};

function file(model_config: unknown, weights: Weights = {}, keras_version = '2.4.0') {
  const specs = Object.entries(weights).map(([name, { shape }]) => ({ name, shape, dtype: 'float32' }));
  const bytes = new Uint8Array(Float32Array.from(Object.values(weights).flatMap(({ data }) => data)).buffer);
  return {
    json: { format: 'layers-model', modelTopology: { keras_version, model_config }, weightsManifest: [{ paths: ['a.bin'], weights: specs }] },
    read: () => bytes,
  };
}
const f32 = (shape: number[], data: readonly number[]): TensorData => tensorData('float32', shape, Float32Array.from(data));

/** Imports, builds for the inputs and evaluates; the first output. */
async function compute(config: unknown, inputs: TensorData[], weights: Weights = {}, version?: string): Promise<TensorData> {
  const { json, read } = file(config, weights, version);
  const model = await importTfjs(json, read);
  const named = <T>(of: (tensor: TensorData) => T) => Object.fromEntries(inputs.map((tensor, i) => [model.inputs[i].name, of(tensor)]));
  const graph = model.build(named(({ shape }) => shape as number[]));
  return evaluateGraph(graph, named((tensor) => tensor))[model.outputs[0]];
}
const failure = async (work: Promise<unknown>): Promise<Error> => work.then(() => new Error('nothing was thrown'), (error: Error) => error);
/** What a graph computes with its inputs: kernels transposed by the graph are left out. */
const opsOf = (graph: Graph) =>
  topologicalOrder(graph)
    .filter(({ inputs }) => inputs.some((value) => value && value.node.op !== 'Constant'))
    .map(({ op }) => op);

describe('layers that TensorFlow.js cannot vouch for', () => {
  const image = [2, 2, 3];
  test.each<[string, string, object, number[][], number[], Weights, number[]]>([
    ['relu with slope and threshold', 'ReLU', { negative_slope: 0.5, threshold: 1, max_value: 3 }, [[4]], [-1, 1, 2, 9], {}, [-1, 0, 2, 3]],
    ['relu with threshold', 'ReLU', { threshold: 1 }, [[3]], [-1, 1, 2], {}, [0, 0, 2]],
    ['relu with slope', 'ReLU', { negative_slope: 0.5, threshold: 0, max_value: null }, [[2]], [-1, 3], {}, [-0.5, 3]],
    ['ELU', 'ELU', { alpha: 0.5 }, [[2]], [-Infinity, 3], {}, [-0.5, 3]],
    ['causal convolution', 'Conv1D', { kernel_size: [2], strides: [1], dilation_rate: [2], padding: 'causal', use_bias: false }, [[4, 1]], [1, 2, 3, 4],
      { 'it/kernel': { shape: [2, 1, 1], data: [10, 1] } }, [1, 2, 13, 24]],
    ['grouped convolution', 'Conv2D', { kernel_size: 1, groups: 2, use_bias: false }, [[1, 1, 4]], [1, 2, 3, 4],
      { 'it/kernel': { shape: [1, 1, 2, 2], data: [1, 10, 2, 20] } }, [5, 110]],
    ['output padding', 'Conv1DTranspose', { kernel_size: [2], strides: [2], padding: 'valid', output_padding: [1], use_bias: false }, [[2, 1]], [1, 2],
      { 'it/kernel': { shape: [2, 1, 1], data: [1, 10] } }, [1, 10, 2, 20, 0]],
    ['batch norm of axis 1', 'BatchNormalization', { axis: [1], epsilon: 0, center: false, scale: false }, [[2, 1, 2]], [1, 2, 3, 4],
      { 'it/moving_mean': { shape: [2], data: [1, 2] }, 'it/moving_variance': { shape: [2], data: [1, 4] } }, [0, 1, 0.5, 1]],
    ['batch norm of images', 'BatchNormalization', { axis: 3, epsilon: 0 }, [[1, 2, 2]], [1, 2, 3, 4],
      Object.fromEntries([['gamma', [1, 2]], ['beta', [0, 1]], ['moving_mean', [1, 2]], ['moving_variance', [1, 4]]].map(([name, data]) => [`it/${name}`, { shape: [2], data: data as number[] }])), [0, 1, 2, 3]],
    ['softmax of axis 1', 'Softmax', { axis: 1 }, [[2, 2]], [0, 5, 0, 5], {}, [0.5, 0.5, 0.5, 0.5]],
    ['padding 1d', 'ZeroPadding1D', { padding: [1, 2] }, [[2, 1]], [5, 6], {}, [0, 5, 6, 0, 0]],
    ['padding of one number', 'ZeroPadding2D', { padding: 1 }, [[1, 1, 1]], [5], {}, [0, 0, 0, 0, 5, 0, 0, 0, 0]],
    ['cropping 1d', 'Cropping1D', { cropping: 1 }, [[3, 1]], [5, 6, 7], {}, [6]],
    ['up sampling 1d', 'UpSampling1D', { size: 2 }, [[2, 1]], [5, 6], {}, [5, 5, 6, 6]],
    ['bilinear of Keras', 'UpSampling2D', { size: [1, 2], interpolation: 'bilinear' }, [[1, 2, 1]], [0, 4], {}, [0, 1, 3, 4]],
    ['gelu of an object', 'Activation', { activation: { class_name: 'function', config: 'relu' } }, [[2]], [-1, 1], {}, [0, 1]],
    ['an axis kept', 'GlobalAveragePooling2D', { keepdims: true }, [image], [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3], {}, [1, 2, 3]],
  ])('%s', async (_what, name, config, shapes, data, weights, expected) => {
    const result = await compute(single(name, config, ...shapes), [f32([1, ...shapes[0]], data)], weights);
    expect(toNumbers(result).map((value) => Number(value.toFixed(6)))).toEqual(expected);
  });

  test('subtract, and inputs of different ranks', async () => {
    expect(toNumbers(await compute(single('Subtract', {}, [2], [2]), [f32([1, 2], [5, 7]), f32([1, 2], [1, 2])]))).toEqual([4, 5]);
    const both = await compute(single('Add', {}, [2, 2], [2]), [f32([2, 2, 2], [0, 0, 0, 0, 0, 0, 0, 0]), f32([2, 2], [1, 2, 3, 4])]);
    expect(toNumbers(both)).toEqual([1, 2, 1, 2, 3, 4, 3, 4]);
  });

  test('hard sigmoid is that of the Keras that wrote the file', async () => {
    const config = single('Activation', { activation: 'hard_sigmoid' }, [1]);
    expect(toNumbers(await compute(config, [f32([1, 1], [1])]))[0]).toBeCloseTo(0.7, 6);
    expect(toNumbers(await compute(config, [f32([1, 1], [1])], {}, '3.0.5'))[0]).toBeCloseTo(2 / 3, 6);
  });

  test('whole numbers become floats, indices stay', async () => {
    const ids = tensorData('int32', [1, 2], Int32Array.of(1, 0));
    const table = { 'it/embeddings': { shape: [2, 2], data: [1, 2, 3, 4] } };
    const config = functional([inputLayer('x', [null, 2], 'int32'), layer('Embedding', 'it', {}, from('x')), layer('ReLU', 'r', {}, from('it'))], [['x', 0, 0]], [['r', 0, 0]]);
    expect(toNumbers(await compute(config, [ids], table))).toEqual([3, 4, 1, 2]);
    const relu = functional([inputLayer('x', [null, 2], 'int32'), layer('ReLU', 'it', {}, from('x'))], [['x', 0, 0]], [['it', 0, 0]]);
    expect(toNumbers(await compute(relu, [ids]))).toEqual([1, 0]);
  });
});

describe('topologies', () => {
  const dense = (name: string, ...inbound: unknown[]) => layer('Dense', name, { use_bias: false }, ...inbound);
  const times = (name: string, factor: number): Weights => ({ [`${name}/kernel`]: { shape: [1, 1], data: [factor] } });
  const x = [f32([1, 1], [1])];

  test('a Sequential with its input in the first layer, in an InputLayer, or beside the layers', async () => {
    const weights = { ...times('a', 2), ...times('b', 3) };
    const chain = (first: object) => [{ ...dense('a'), config: { ...dense('a').config, ...first } }, dense('b')];
    const shape = { batch_input_shape: [null, 1] };
    for (const config of [
      { name: 's', layers: chain(shape) },
      { name: 's', layers: chain({}), build_input_shape: [null, 1] },
      { name: 's', layers: [inputLayer('x', [null, 1]), ...chain({})] },
      chain(shape),
    ]) {
      expect(toNumbers(await compute({ class_name: 'Sequential', config }, x, weights))).toEqual([6]);
    }
    const unbuilt = { class_name: 'Sequential', config: { name: 's', layers: chain({}) } };
    expect((await failure(compute(unbuilt, x, weights))).message).toMatch(/build the model before saving it/);
  });

  test('a nested model is called from node 1 on in Keras, from node 0 on in TF.js', async () => {
    const inner = { ...layer('Functional', 'inner'), config: functional([inputLayer('i', [null, 1]), dense('d', from('i'))], [['i', 0, 0]], [['d', 0, 0]], 'inner').config };
    for (const first of [0, 1]) {
      const calls = [from('x'), from(['inner', first, 0])];
      const config = functional([inputLayer('x', [null, 1]), { ...inner, inbound_nodes: calls }], [['x', 0, 0]], [['inner', first + 1, 0]]);
      // Keras names a weight by its layer, converters by the way to it.
      for (const name of ['d', 'inner/d', 'net/inner/d']) expect(toNumbers(await compute(config, x, times(name, 3)))).toEqual([9]);
    }
  });

  test('a Sequential whose first layer is a model', async () => {
    const inner = { class_name: 'Sequential', config: { name: 'inner', layers: [{ ...dense('d'), config: { name: 'd', use_bias: false, batch_input_shape: [null, 1] } }] } };
    const config = { class_name: 'Sequential', config: { name: 'outer', layers: [inner, dense('e')] } };
    expect(toNumbers(await compute(config, x, { ...times('d', 2), ...times('e', 5) }))).toEqual([10]);
  });

  test('calls as Keras 3 writes them', async () => {
    const tensor = (name: string) => ({ class_name: '__keras_tensor__', config: { shape: [null, 1], keras_history: [name, 0, 0] } });
    const call = (...names: string[]) => [{ args: [names.length === 1 ? tensor(names[0]) : names.map(tensor)], kwargs: {} }];
    const config = functional(
      [layer('InputLayer', 'x', { batch_shape: [null, 1] }), { ...dense('d'), inbound_nodes: call('x') }, { ...layer('Subtract', 's'), inbound_nodes: call('d', 'x') }],
      ['x', 0, 0],
      ['s', 0, 0],
    );
    expect(toNumbers(await compute(config, x, times('d', 5), '3.4.1'))).toEqual([4]);
  });

  test('free dimensions have names; a shape must fit them', async () => {
    const { json, read } = file(single('Add', {}, [null, 2], [null, 2]));
    const model = await importTfjs(json, read);
    expect(model.inputs).toEqual([
      { name: 'x0', dtype: 'float32', shape: ['batch', 'x0_1', 2] },
      { name: 'x1', dtype: 'float32', shape: ['batch', 'x1_1', 2] },
    ]);
    expect(model.build({ x0: [3, 4, 2], x1: [3, 4, 2] }).outputs[0].value.shape).toEqual([3, 4, 2]);
    expect(() => model.build({ x0: [3, 4, 2] })).toThrow(/'x1'.*expected a size for x1_1/);
    expect(() => model.build({ x0: [3, 4, 2], x1: [1, 4, 2] })).toThrow(/batch = 3, as 'x0' has it, got 1/);
    expect(() => model.build({ x0: [3, 4, 5], x1: [3, 4, 2] })).toThrow(FormatError);
    expect(() => model.build({ z: [1] })).toThrow(/one of the inputs x0, x1/);
    expect(() => model.build({ x0: [3, 4, 2], x1: [3, 5, 2] })).toThrow(/layer 'it' \(Add\): Add 'it'/);
  });

  test.each<[string, unknown, RegExp]>([
    ['another class', { class_name: 'Other', config: {} }, /expected one of Sequential, Model, Functional, got 'Other'/],
    ['no layers', { class_name: 'Sequential', config: { layers: [] } }, /at least one layer/],
    ['a cycle', functional([inputLayer('x', [null, 1]), dense('a', from('b')), dense('b', from('a'))], [['x', 0, 0]], [['b', 0, 0]]), /without cycles/],
    ['an unknown layer', functional([inputLayer('x', [null, 1]), dense('a', from('y'))], [['x', 0, 0]], [['a', 0, 0]]), /output 0 of call 0 of 'y'/],
    ['an unknown call', functional([inputLayer('x', [null, 1]), dense('a', from('x'))], [['x', 0, 0]], [['a', 1, 0]]), /call 1 of 'a'/],
    ['two layers of a name', functional([inputLayer('x', [null, 1]), dense('x', from('x'))], [['x', 0, 0]], [['x', 0, 0]]), /'x' twice/],
    ['an input that is none', functional([dense('a')], [['a', 0, 0]], [['a', 0, 0]]), /output 0 of call 0/],
    ['references that are none', functional([inputLayer('x', [null, 1])], [['x', -1, 0]], []), /expected \[layer, node, output\]/],
    ['a negative size', single('ReLU', {}, [-4]), /a list of sizes/],
    ['an unlisted input', functional([inputLayer('x', [null, 1]), inputLayer('y', [null, 1]), dense('a', from('y'))], [['x', 0, 0]], [['a', 0, 0]]), /among the inputs/],
  ])('refuses %s', async (_what, config, message) => {
    const error = await failure(compute(config, x, times('a', 1)));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(message);
  });

  test('refuses models nested without end or unrolled without end', async () => {
    let deep: object = { class_name: 'Sequential', config: { layers: [dense('d')] } };
    for (let i = 0; i < 1000; i++) deep = { class_name: 'Sequential', config: { layers: [deep] } };
    expect((await failure(compute(deep, x))).message).toMatch(/nested at most 32 deep/);
    // Each model calls the one inside it twenty times.
    let wide: Pick<LayerJson, 'class_name' | 'config'> = functional([inputLayer('i', [null, 1]), dense('d', from('i'))], [['i', 0, 0]], [['d', 0, 0]]);
    for (let i = 0; i < 20; i++) {
      const calls = Array.from({ length: 20 }, (_, call) => (call === 0 ? from('i') : from(['m', call - 1, 0])));
      wide = functional([inputLayer('i', [null, 1]), { ...wide, name: 'm', inbound_nodes: calls }], [['i', 0, 0]], [['m', 19, 0]]);
    }
    expect((await failure(compute(wide, x))).message).toMatch(/at most 200000 layer calls/);
  });

  test('lists all that is not supported at once', async () => {
    const config = { class_name: 'Sequential', config: { layers: [layer('LSTM', 'l', { batch_input_shape: [null, 1, 1] }), layer('Lambda', 'f'), layer('Dense', 'd', { activation: 'crelu' })] } };
    const { message } = await failure(compute(config, x));
    expect(message).toMatch(/LSTM 'l', Lambda 'f', activation crelu of 'd'/);
  });
});

describe('layout', () => {
  test('a chain of convolutions is transposed once, and back only where the order matters', async () => {
    const conv = (name: string) => layer('Conv2D', name, { kernel_size: 1, use_bias: false });
    const kernel = (name: string) => ({ [`${name}/kernel`]: { shape: [1, 1, 2, 2], data: [1, 2, 3, 4] } });
    const layers = (...end: LayerJson[]) => ({ class_name: 'Sequential', config: { layers: [inputLayer('x', [null, 2, 2, 2]), conv('a'), layer('ReLU', 'r'), conv('b'), ...end] } });
    const build = async (config: unknown) => {
      const { json, read } = file(config, { ...kernel('a'), ...kernel('b') });
      const model = await importTfjs(json, read);
      return opsOf(model.build({ x: [1, 2, 2, 2] }));
    };
    expect(await build(layers(layer('GlobalMaxPooling2D', 'g')))).toEqual(['Transpose', 'Conv', 'Relu', 'Conv', 'GlobalMaxPool', 'Reshape']);
    expect(await build(layers(layer('Flatten', 'f')))).toEqual(['Transpose', 'Conv', 'Relu', 'Conv', 'Transpose', 'Reshape']);
    expect(await build(layers(layer('GlobalMaxPooling2D', 'g', { keepdims: true }), layer('Flatten', 'f')))).not.toContain('Transpose,Transpose');
  });

  test('graphs of one model share its constants', async () => {
    const { json, read } = file(single('Dense', { use_bias: false }, [1]), { 'it/kernel': { shape: [1, 1], data: [2] } });
    const model = await importTfjs(json, read);
    const weights = [1, 8].map((batch) => topologicalOrder(model.build({ x0: [batch, 1] })).filter(({ op, name }) => op === 'Constant' && name === 'it/kernel'));
    expect(weights[0]).toHaveLength(1);
    expect(weights[0][0]).toBe(weights[1][0]);
  });
});

describe('weights', () => {
  const identity = single('Dense', { use_bias: false }, [1]);
  const manifest = (spec: object, paths: unknown = ['w.bin']) => ({
    format: 'layers-model',
    modelTopology: identity,
    weightsManifest: [{ paths, weights: [{ name: 'it/kernel', shape: [1, 4], dtype: 'float32', ...spec }] }],
  });
  const run = async (json: unknown, ...shards: Uint8Array[]) => {
    let next = 0;
    const model = await importTfjs(json, () => shards[next++]);
    return toNumbers(evaluateGraph(model.build({ x0: [1, 1] }), { x0: f32([1, 1], [1]) }).it);
  };
  const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

  test('are cut from shards at any byte', async () => {
    const all = bytes(Float32Array.of(1.5, -2, 3, 4));
    for (let cut = 0; cut <= all.length; cut++) {
      expect(await run(manifest({}, ['a', 'b']), all.slice(0, cut), Buffer.from(all.slice(cut)))).toEqual([1.5, -2, 3, 4]);
      // Shards side by side in one buffer, and not aligned in it.
      const shifted = new Uint8Array(all.length + 1);
      shifted.set(all, 1);
      expect(await run(manifest({}, ['a', 'b']), shifted.subarray(1, cut + 1), shifted.subarray(cut + 1))).toEqual([1.5, -2, 3, 4]);
    }
  });

  test('are decoded from 8 and 16 bits', async () => {
    const quantized = (dtype: string, rest = {}) => manifest({ quantization: { dtype, original_dtype: 'float32', ...rest } });
    expect(await run(quantized('uint8', { scale: 0.5, min: -1 }), Uint8Array.of(0, 2, 4, 255))).toEqual([-1, 0, 1, 126.5]);
    expect(await run(quantized('uint16', { scale: 0.25, min: 1 }), bytes(Uint16Array.of(0, 4, 8, 65532)))).toEqual([1, 2, 3, 16384]);
    expect(await run(quantized('float16'), bytes(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff)))).toEqual([1, -2, 2 ** -24, 65504]);
  });

  const one = new Uint8Array(16);
  test.each<[string, unknown, Uint8Array, RegExp]>([
    ['a shard cut short', manifest({}), new Uint8Array(15), /expected 16 bytes in 1 shards, got 15; shards are missing or truncated/],
    ['a huge declared tensor', manifest({ shape: [2 ** 30, 2 ** 20] }), one, /expected 4503599627370496 bytes/],
    ['a shape beyond numbers', manifest({ shape: [2 ** 30, 2 ** 30] }), one, /fewer than 2\^53/],
    ['a size that is none', manifest({ shape: [-4] }), one, /integers of at least 0/],
    ['a path out of the folder', manifest({}, ['../../etc/passwd']), one, /inside the folder/],
    ['an absolute path', manifest({}, ['/etc/passwd']), one, /inside the folder/],
    ['a Windows path', manifest({}, ['..\\x']), one, /inside the folder/],
    ['a path listed twice', manifest({}, ['a', 'a']), one, /every shard once/],
    ['an address', manifest({}, ['http://x/y']), one, /inside the folder/],
    ['an unknown dtype', manifest({ dtype: 'complex64' }), one, /one of float32, int32, bool/],
    ['an unknown quantisation', manifest({ quantization: { dtype: 'uint4' } }), one, /one of uint8, uint16, float16/],
    ['a quantisation without scale', manifest({ quantization: { dtype: 'uint8' } }), one, /'scale'.*expected a number/],
    ['another rank', manifest({ shape: [4] }), one, /float32 of rank 2, got float32\[4\]/],
    ['another name', manifest({ name: 'other/kernel' }), one, /weight 'kernel' of layer 'it': expected it in the weights manifest/],
  ])('refuses %s', async (_what, json, shard, message) => {
    const error = await failure(run(json, shard));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(message);
  });

  test('refuses what is no layers model', async () => {
    expect((await failure(run('{'))).message).toMatch(/expected JSON/);
    expect((await failure(run('[]'))).message).toMatch(/expected an object/);
    expect((await failure(run({ format: 'graph-model', modelTopology: {} }))).message).toMatch(/tfjs_layers_model/);
    expect((await failure(run({}))).message).toMatch(/modelTopology/);
    expect((await failure(importTfjs({}, () => one, { file: 'm.json' }))).message).toMatch(/^m\.json: /);
  });
});

test('a damaged model.json is a FormatError or a model that still builds', async () => {
  const layers = [
    inputLayer('x', [null, 4, 4, 2]),
    layer('Conv2D', 'c', { kernel_size: [3, 3], strides: [2, 2], padding: 'same', activation: 'relu' }, from('x')),
    layer('BatchNormalization', 'b', { axis: [3], epsilon: 0.1 }, from('c')),
    layer('MaxPooling2D', 'p', { pool_size: [2, 2] }, from('b')),
    layer('Flatten', 'f', {}, from('p')),
    layer('Dense', 'd', { activation: 'softmax' }, from('f')),
  ];
  const weight = (shape: number[]) => ({ shape, data: new Array<number>(sizeOf(shape)).fill(1) });
  const { json, read } = file(functional(layers, [['x', 0, 0]], [['d', 0, 0]]), {
    'c/kernel': weight([3, 3, 2, 3]),
    'c/bias': weight([3]),
    ...Object.fromEntries(['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => [`b/${name}`, weight([3])])),
    'd/kernel': weight([3, 4]),
    'd/bias': weight([4]),
  });
  const text = JSON.stringify(json);
  const junk = fc.constantFrom('null', '-1', '0', '1e9', '1.5', '"x"', '[]', '{}', '[[0]]', 'true', '9007199254740993', ',', '"', ']');
  const importAndBuild = async (source: string): Promise<void> => {
    const model = await importTfjs(source, read);
    model.build(Object.fromEntries(model.inputs.map(({ name, shape }) => [name, shape.map((dim) => (typeof dim === 'number' ? dim : 2))])));
  };
  await importAndBuild(text);
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length), fc.nat(8), junk, async (at, length, by) => {
      const token = /[^\s,:{}[\]]+/g;
      token.lastIndex = at;
      const hit = length < 6 ? token.exec(text) : null;
      const [from, to] = hit ? [hit.index, hit.index + hit[0].length] : [at, at + length];
      try {
        await importAndBuild(text.slice(0, from) + by + text.slice(to));
      } catch (error) {
        if (!(error instanceof FormatError || error instanceof GraphError)) throw error;
      }
    }),
    { numRuns: 1500 },
  );
});
