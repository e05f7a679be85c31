import { describe, expect, test } from 'vitest';
import { constantOf, fromNumbers, topologicalOrder, toNumbers } from '../../src/graph/index.ts';
import { FormatError, importOnnx } from '../../src/formats/index.ts';
import { writeTensor } from '../../src/formats/onnx/tensors.ts';
import { evaluateGraph } from '../../src/ops/index.ts';
import { counting, f32, float, graphAttribute, i64, type ModelDraft, node, onnxFile, valueInfo } from './onnx-model.ts';

const x = valueInfo('x', 'float32', ['batch', 3]);
const load = (draft: ModelDraft, options = {}) => importOnnx(onnxFile(draft), { name: 'm.onnx', ...options });
const opsOf = (graph: ReturnType<ReturnType<typeof load>['build']>) => topologicalOrder(graph).map(({ op }) => op);

describe('a model', () => {
  const draft: ModelDraft = {
    inputs: [x, valueInfo('w', 'float32', [3, 2])],
    constants: { w: counting([3, 2]) },
    nodes: [node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['y'])],
  };

  test('names its inputs, leaving out those that initializers give, and its outputs', () => {
    const model = load(draft);
    expect(model.inputs).toEqual([{ name: 'x', dtype: 'float32', shape: ['batch', 3] }]);
    expect(model.outputs).toEqual(['y']);
  });

  test('is built for concrete shapes, which share its constants', () => {
    const model = load(draft);
    const [one, two] = [1, 2].map((batch) => model.build({ x: [batch, 3] }));
    expect([one, two].map((graph) => graph.outputs[0].value.shape)).toEqual([[1, 2], [2, 2]]);
    const constants = [one, two].map((graph) => topologicalOrder(graph).find(({ op }) => op === 'Constant'));
    expect(constants[0]).toBe(constants[1]);
    expect(toNumbers(evaluateGraph(two, { x: f32([2, 3], [1, 0, 0, 0, -1, 0]) }).y)).toEqual([1, 2, 0, 0]);
  });

  test('says which sizes it needs', () => {
    const model = load({ ...draft, inputs: [x, valueInfo('z', 'float32', ['batch', undefined]), valueInfo('any', 'float32')] });
    expect(model.inputs.slice(1).map(({ shape }) => shape)).toEqual([['batch', 'z_1'], ['...']]);
    expect(() => model.build()).toThrow(/m\.onnx: shape of .*'x'.*batch/);
    expect(() => model.build({ x: [2, 4] })).toThrow(/\[batch,3\].*\[2,4\]/);
    expect(() => model.build({ x: [2, 3], z: [3, 1], any: [] })).toThrow(/batch = 2/);
    expect(() => model.build({ x: [2, 3], z: [2, 1], other: [1], any: [] })).toThrow(/'other'/);
    expect(() => model.build({ x: [-2, 3], z: [2, 1], any: [] })).toThrow(FormatError);
    expect(model.build({ x: [2, 3], z: [2, 5], any: [4, 4] }).inputs.map(({ value }) => value.shape)).toEqual([[2, 3], [2, 5], [4, 4]]);
  });

  test('takes a free dimension from the inputs whose shapes are given', () => {
    const model = load({ ...draft, inputs: [x, valueInfo('z', 'float32', ['batch'])] });
    expect(model.build({ x: [7, 3] }).inputs[1].value.shape).toEqual([7]);
  });

  test('keeps large constants as views of the file where they are aligned', () => {
    const bytes = onnxFile({ inputs: [x], nodes: [node('Add', ['x', 'c'], ['y'])], constants: { c: counting([5000, 3]) } });
    // Among four shifts of the file one puts the data on a multiple of four.
    const views = [0, 1, 2, 3].map((shift) => {
      const shifted = new Uint8Array(bytes.length + 4);
      shifted.set(bytes, shift);
      const graph = importOnnx(shifted.subarray(shift, shift + bytes.length)).build({ x: [1, 3] });
      const { data } = constantOf(graph.outputs[0].value.node.inputs[1])!;
      expect(data[14_999]).toBe(15_000);
      return data.buffer === shifted.buffer;
    });
    expect(views.filter(Boolean)).toHaveLength(1);
  });

  test('moves constants within the file where it may', () => {
    const constants = Object.fromEntries(['a', 'bc', 'def', 'ghij', 'klmno'].map((name, i) => [name, counting([100 + i])]));
    const longs = i64([1, -2, 3]);
    const bytes = onnxFile({ nodes: [], outputs: [...Object.keys(constants), 'longs'], constants: { ...constants, longs } });
    for (let shift = 0; shift < 8; shift++) {
      const shifted = new Uint8Array(bytes.length + 8);
      shifted.set(bytes, shift);
      const graph = importOnnx(shifted.subarray(shift, shift + bytes.length), { overwrite: true }).build();
      const read = graph.outputs.map(({ value }) => constantOf(value)!);
      expect(read).toEqual([...Object.values(constants), longs]);
      expect(read.slice(0, 5).every(({ data }) => data.buffer === shifted.buffer)).toBe(true);
    }
  });

  test('computes shapes while it is built', () => {
    // flatten to [batch, -1], as exporters write it: x.reshape(x.shape[0], -1)
    const graph = load({
      inputs: [valueInfo('x', 'float32', ['n', 2, 'w'])],
      constants: { zero: fromNumbers('int64', [], [0]), rest: i64([-1]) },
      nodes: [
        node('Shape', ['x'], ['shape']),
        node('Gather', ['shape', 'zero'], ['n'], { axis: 0 }),
        node('Unsqueeze', ['n', 'axes'], ['n1']),
        node('Concat', ['n1', 'rest'], ['to'], { axis: 0 }),
        node('Reshape', ['x', 'to'], ['y']),
      ],
      initializers: [writeTensor(i64([0]), 'axes')],
    }).build({ x: [5, 2, 3] });
    expect(graph.outputs[0].value.shape).toEqual([5, 6]);
    expect(opsOf(graph)).toEqual(['Input', 'Constant', 'Reshape']);
  });

  test('leaves large constants unfolded', () => {
    const graph = load({ nodes: [node('Expand', ['c', 'to'], ['y'])], constants: { c: f32([], [1]), to: i64([1 << 15, 1 << 15]) } }).build();
    expect(opsOf(graph)).toEqual(['Constant', 'Constant', 'Expand']);
  });

  test('binds inputs to values', () => {
    const draft: ModelDraft = {
      inputs: [x, valueInfo('axes', 'int64', [1])],
      nodes: [node('ReduceSum', ['x', 'axes'], ['y'], { keepdims: 0 })],
    };
    expect(() => load(draft).build({ x: [2, 3] })).toThrow(/constant/);
    const model = load(draft, { bind: { axes: i64([0]) } });
    expect(model.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(model.build({ x: [2, 3] }).outputs[0].value.shape).toEqual([3]);
    expect(() => load(draft, { bind: { axes: i64([0, 1]) } })).toThrow(/bound input 'axes'.*int64\[1\].*int64\[2\]/);
    expect(() => load(draft, { bind: { axis: i64([0]) } })).toThrow(/bound input 'axis'/);
  });

  test('reads 16-bit floats, which fold through Cast', () => {
    const half = { dtype: 'float16' as const, shape: [2], data: Uint16Array.of(0x3c00, 0xc000) };
    const graph = load({ nodes: [node('Cast', ['h'], ['y'], { to: 1 })], constants: { h: half } }).build();
    expect(constantOf(graph.outputs[0].value)).toEqual(f32([2], [1, -2]));
  });

  test('may have tensors in typed fields', () => {
    const graph = load({
      outputs: ['f', 'i', 'l', 'd', 'u', 'b', 'h'],
      nodes: [],
      initializers: [
        { name: 'f', data_type: 1, dims: [2], float_data: Float32Array.of(0.5, 2) },
        { name: 'i', data_type: 3, dims: [2], int32_data: Int32Array.of(-1, 2) },
        { name: 'l', data_type: 7, dims: [2], int64_data: BigInt64Array.of(-1n, 2n) },
        { name: 'd', data_type: 11, dims: [2], double_data: Float64Array.of(-1, 2) },
        { name: 'u', data_type: 12, dims: [2], uint64_data: BigUint64Array.of(1n, 2n) },
        { name: 'b', data_type: 9, dims: [3], raw_data: Uint8Array.of(0, 1, 7) },
        { name: 'h', data_type: 10, dims: [1], int32_data: Int32Array.of(0x3c00) },
      ],
    }).build();
    expect(graph.outputs.map(({ value }) => toNumbers(constantOf(value)!))).toEqual([[0.5, 2], [-1, 2], [-1, 2], [-1, 2], [1, 2], [0, 1, 1], [0x3c00]]);
  });
});

describe('branches and functions', () => {
  const branch = (op: string) => graphAttribute({ node: [node(op, ['x'], [`by_${op}`])], output: [{ name: `by_${op}` }] });
  const choice = (condition: number): ModelDraft => ({
    inputs: [x],
    constants: { c: { dtype: 'bool', shape: [], data: Uint8Array.of(condition) } },
    nodes: [node('If', ['c'], ['y'], { then_branch: branch('Relu'), else_branch: branch('Neg') })],
  });

  test('an If whose condition is known is replaced by its branch', () => {
    expect(opsOf(load(choice(1)).build({ x: [1, 3] }))).toEqual(['Input', 'Relu']);
    expect(opsOf(load(choice(0)).build({ x: [1, 3] }))).toEqual(['Input', 'Neg']);
  });

  test('an If whose condition is computed is an error', () => {
    const draft = choice(1);
    const model = load({ ...draft, constants: {}, inputs: [x, valueInfo('c', 'bool', [])] });
    expect(() => model.build({ x: [1, 3] })).toThrow(/If 'y'.*known when the graph is built/);
  });

  test('a branch may use constants of its own, and is checked when it is taken', () => {
    const graph = { node: [node('Add', ['x', 'k'], ['s'])], output: [{ name: 's' }], initializer: [writeTensor(f32([], [2]), 'k')] };
    const broken = { node: [node('Loop', [], ['t'])], output: [{ name: 't' }] };
    const draft = (condition: number): ModelDraft => ({
      ...choice(condition),
      nodes: [node('If', ['c'], ['y'], { then_branch: graphAttribute(graph), else_branch: graphAttribute(broken) })],
    });
    expect(toNumbers(evaluateGraph(load(draft(1)).build({ x: [1, 3] }), { x: f32([1, 3], [1, 2, 3]) }).y)).toEqual([3, 4, 5]);
    expect(() => load(draft(0)).build({ x: [1, 3] })).toThrow(/operators.*Loop \(t\)/);
  });

  const leaky = {
    name: 'Leaky', domain: 'my', input: ['a', 'bias'], output: ['c'], attribute: ['slope'], opset_import: [{ domain: '', version: 16 }],
    node: [node('LeakyRelu', ['a'], ['c'], { alpha: { type: 1, ref_attr_name: 'slope' } })],
  };

  test('functions of the model are put in their place, with their attributes', () => {
    const model = load({ inputs: [x], nodes: [node('Leaky', ['x'], ['y'], { slope: 0.5 }, { domain: 'my' })], model: { functions: [leaky] } });
    const graph = model.build({ x: [1, 3] });
    expect(toNumbers(evaluateGraph(graph, { x: f32([1, 3], [-2, 0, 2]) }).y)).toEqual([-1, 0, 2]);
  });

  test('functions that call themselves, or multiply, are refused', () => {
    const self = { ...leaky, node: [node('Leaky', ['a'], ['c'], {}, { domain: 'my' })] };
    const call = [node('Leaky', ['x'], ['y'], {}, { domain: 'my' })];
    expect(() => load({ inputs: [x], nodes: call, model: { functions: [self] } }).build({ x: [1, 3] })).toThrow(/nested/);
    const doubling = Array.from({ length: 40 }, (_, i) => ({
      ...leaky,
      name: `f${i}`,
      node: i === 0 ? [node('Relu', ['a'], ['c'])] : [node(`f${i - 1}`, ['a'], ['b'], {}, { domain: 'my' }), node(`f${i - 1}`, ['b'], ['c'], {}, { domain: 'my' })],
    }));
    const bomb = [node('f39', ['x'], ['y'], {}, { domain: 'my' })];
    expect(() => load({ inputs: [x], nodes: bomb, model: { functions: doubling } }).build({ x: [1, 3] })).toThrow(/at most 1000000 nodes/);
  });
});

describe('what is refused', () => {
  const relu = node('Relu', ['x'], ['y']);
  const cases: [string, ModelDraft, RegExp][] = [
    [
      'unsupported operators, all at once',
      { inputs: [x], nodes: [node('Loop', ['x'], ['a'], {}, { name: 'loop1' }), node('Frobnicate', ['a'], ['b']), node('Loop', ['b'], ['c']), node('Gelu', ['c'], ['y'], {}, { domain: 'com.microsoft' })] },
      /Frobnicate \(b\); Loop \(loop1, c\); com\.microsoft\.Gelu \(y\)/,
    ],
    ["the registry's own operators", { nodes: [node('Input', [], ['y'])] }, /Input \(y\)/],
    ['names of Object.prototype', { inputs: [x], nodes: [node('constructor', ['x'], ['y'])] }, /constructor \(y\)/],
    ['a cycle', { inputs: [x], nodes: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['y'])] }, /no cycles, got Add 'a' -> Relu 'b' -> Add 'a'/],
    ['disorder', { inputs: [x], nodes: [node('Relu', ['h'], ['y']), node('Relu', ['x'], ['h'])] }, /Relu 'y': expected nodes in topological order, got 'h', which Relu 'h' makes later/],
    ['an unknown value', { inputs: [x], nodes: [node('Relu', ['z'], ['y'])] }, /Relu 'y': expected a value 'z'/],
    ['an unknown output', { inputs: [x], nodes: [relu], outputs: ['q'] }, /graph outputs: expected a value 'q'/],
    ['a name given twice', { inputs: [x], nodes: [relu, node('Neg', ['x'], ['y'])] }, /Neg 'y': .*'y', which Relu 'y' already has/],
    ['a result called like an input', { inputs: [x], nodes: [node('Relu', ['x'], ['x'])], outputs: ['x'] }, /'x', which an input or initializer already has/],
    ['no outputs', { inputs: [x], nodes: [relu], outputs: [] }, /at least one output/],
    ['an opset of the future', { inputs: [x], nodes: [relu], opset: 99 }, /opset: expected a version from 1 to 26.*got 99/],
    ['no opset', { inputs: [x], nodes: [relu], model: { opset_import: [] } }, /opset/],
    ['an unknown attribute', { inputs: [x], nodes: [node('Relu', ['x'], ['y'], { colour: 1 })] }, /Relu 'y': expected no attributes, got attribute 'colour'/],
    ['an attribute of a wrong type', { inputs: [x], nodes: [node('Concat', ['x', 'x'], ['y'], { axis: 'one' })] }, /Concat 'y', attribute 'axis': expected int, got "one"/],
    ['strings', { inputs: [valueInfo('x', 'float32', [1])], nodes: [node('Cast', ['x'], ['y'], { to: 8 })] }, /attribute 'to': .*got string/],
    ['int4', { nodes: [], initializers: [{ name: 'y', data_type: 22, dims: [2], raw_data: Uint8Array.of(0x21) }] }, /initializer 'y': .*got int4; int4 tensors are not supported/],
    ['float8', { nodes: [], initializers: [{ name: 'y', data_type: 17, dims: [1], raw_data: Uint8Array.of(1) }] }, /float8e4m3fn/],
    ['an unknown element type', { nodes: [], initializers: [{ name: 'y', data_type: 77, dims: [1] }] }, /element type 77/],
    ['fewer bytes than the shape says', { nodes: [], initializers: [{ name: 'y', data_type: 1, dims: [1000, 1000], raw_data: new Uint8Array(8) }] }, /4000000 bytes for 1000000 float32 elements, got 8/],
    ['a huge declared tensor', { nodes: [], initializers: [{ name: 'y', data_type: 1, dims: [2 ** 31, 2 ** 31] }] }, /fewer than 2\^31 elements/],
    ['a negative dimension', { nodes: [], initializers: [{ name: 'y', data_type: 1, dims: [-1] }] }, /dimensions of at least 0/],
    ['external data without files', { nodes: [], initializers: [{ name: 'y', data_type: 1, dims: [1], data_location: 1, external_data: [{ key: 'location', value: 'w.bin' }] }] }, /external data from 'w\.bin'/],
    ['too many results', { inputs: [x], nodes: [node('Relu', ['x'], ['y', 'z'])] }, /Relu 'y': expected at most 1 results, got 2/],
    ['operands that do not fit', { inputs: [x], nodes: [node('MatMul', ['x', 'x'], ['y'], {}, { name: 'mm' })] }, /m\.onnx: MatMul 'mm'\(float32\[2,3\], float32\[2,3\]\)/],
    ['a result of absurd size', { nodes: [node('Expand', ['c', 'to'], ['y'])], constants: { c: f32([], [1]), to: i64([2 ** 40, 2 ** 40]) } }, /fewer than 2\^31 elements/],
    ['Dropout in training', { inputs: [x], constants: { t: { dtype: 'bool', shape: [], data: Uint8Array.of(1) } }, nodes: [node('Dropout', ['x', '', 't'], ['y'])] }, /inference/],
    ['an output of another type', { inputs: [x], nodes: [relu], outputs: [], model: { graph: { node: [relu], input: [x], output: [valueInfo('y', 'int32', [1])] } } }, /output 'y': expected int32, got float32/],
    ['a sequence', { inputs: [], nodes: [], model: { graph: { input: [{ name: 'x', type: { sequence_type: {} } }], output: [{ name: 'x' }] } } }, /input 'x': expected a tensor, got a sequence/],
    ['no graph', { nodes: [], model: { graph: undefined } }, /a file without a graph/],
    ['an attribute graph outside If', { inputs: [x], nodes: [node('Relu', ['x'], ['y'], { body: graphAttribute({}) })] }, /which only If may have/],
  ];
  for (const [name, draft, message] of cases) {
    test(name, () => {
      const build = () => load(draft).build(draft.inputs?.[0] === x ? { x: [2, 3] } : {});
      expect(build).toThrow(FormatError);
      expect(build).toThrow(message);
      expect(build).toThrow(/^m\.onnx: /);
    });
  }

  test('sparse tensors', () => {
    const graph = { output: [{ name: 'y' }], sparse_initializer: [{ values: writeTensor(f32([1], [1]), 'y') }] };
    expect(() => importOnnx(onnxFile({ nodes: [], model: { graph } }))).toThrow(FormatError);
  });

  test('files that are something else', () => {
    const text = (words: string) => new TextEncoder().encode(words);
    for (const bytes of [new Uint8Array(0), text('{"format": "layers-model"}'), text('PK\x03\x04 a zip'), new Uint8Array(1000), new Uint8Array(1000).fill(255)]) {
      expect(() => importOnnx(bytes, { name: 'other' })).toThrow(FormatError);
    }
  });

  test('a thousand nodes deep is no depth', () => {
    const nodes = Array.from({ length: 20_000 }, (_, i) => node('Relu', [i === 0 ? 'x' : `h${i}`], [i === 19_999 ? 'y' : `h${i + 1}`]));
    expect(opsOf(load({ inputs: [x], nodes }).build({ x: [1, 3] }))).toHaveLength(20_001);
  });
});

describe('external data', () => {
  const entry = (key: string, value: string) => ({ key, value });
  const draft = (...entries: { key: string; value: string }[]): ModelDraft => ({
    nodes: [],
    initializers: [{ name: 'y', data_type: 1, dims: [2], data_location: 1, external_data: entries }],
  });
  const files = { 'w.bin': new Uint8Array(Float32Array.of(9, 1, 2, 3).buffer) };

  test('comes from the files given', () => {
    const graph = load(draft(entry('location', 'w.bin'), entry('offset', '4'), entry('length', '8')), { externalData: files }).build();
    expect(constantOf(graph.outputs[0].value)).toEqual(f32([2], [1, 2]));
  });

  test.each<[ReturnType<typeof entry>[], RegExp]>([
    [[entry('location', 'v.bin')], /'v\.bin': expected one of w\.bin/],
    [[entry('location', 'constructor')], /'constructor'/],
    [[entry('location', 'w.bin'), entry('offset', '12'), entry('length', '8')], /at most 16 bytes, got offset 12, length 8/],
    [[entry('location', 'w.bin'), entry('offset', '-4'), entry('length', '8')], /whole number as external offset, got '-4'/],
    [[entry('location', 'w.bin'), entry('offset', '1e3')], /whole number/],
    [[entry('location', 'w.bin'), entry('offset', '4')], /8 bytes for 2 float32 elements, got 12/],
    [[entry('offset', '4')], /a location/],
  ])('%j is refused', (entries, message) => {
    const read = () => load(draft(...entries), { externalData: files });
    expect(read).toThrow(FormatError);
    expect(read).toThrow(message);
  });
});

test('float attributes keep their bits', () => {
  const graph = load({ inputs: [x], nodes: [node('LeakyRelu', ['x'], ['y'], { alpha: float(0.1) })] }).build({ x: [1, 3] });
  expect(graph.outputs[0].value.node.attrs.alpha).toBe(Math.fround(0.1));
});
