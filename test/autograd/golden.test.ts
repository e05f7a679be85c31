/**
 * Outputs and gradients are PyTorch's: layers and losses written in operators, against the golden values of scripts/golden
 * (whose common.py says what is in the files). nn has a table of its own; here it is operators that are looked at.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { gradients } from '../../src/autograd/index.ts';
import { readSafetensors } from '../../src/formats/index.ts';
import { apply, type Attrs, constant, fromNumbers, input, makeNode, type TensorData, toNumbers, type Value } from '../../src/graph/index.ts';
import { evaluateValues, fromElements } from '../../src/ops/index.ts';

interface Described {
  readonly module: string;
  readonly train: boolean;
  readonly args: readonly (number | readonly number[])[];
  readonly kwargs: Readonly<Record<string, unknown>>;
}

/** What a layer is made of: operands, parameters by name, and the arguments of its constructor. */
interface Layer extends Described {
  readonly inputs: readonly Value[];
  readonly state: Readonly<Record<string, Value>>;
}

type Build = (layer: Layer) => Value | readonly Value[];

// ---- the few words that layers are written in

const scalar = (value: number): Value => constant(fromElements({ dtype: 'float64', shape: [] }, [value]));
const ints = (...values: number[]): Value => constant(fromNumbers('int64', [values.length], values));
const term = (x: Value | number): Value => (typeof x === 'number' ? scalar(x) : x);
const binary = (op: string) => (a: Value | number, b: Value | number): Value => apply(op, [term(a), term(b)]);
const [add, sub, mul, div, matmul] = ['Add', 'Sub', 'Mul', 'Div', 'MatMul'].map(binary);
const unary = (op: string, attrs: Attrs = {}) => (x: Value): Value => apply(op, [x], attrs);
const [sigmoid, tanh] = [unary('Sigmoid'), unary('Tanh')];
const transpose = (x: Value, ...perm: number[]): Value => apply('Transpose', [x], { perm });
const reshape = (x: Value, ...shape: number[]): Value => apply('Reshape', [x, ints(...shape)]);
const split = (x: Value, parts: number, axis = -1): readonly Value[] => makeNode('Split', [x], { axis, num_outputs: parts }).outputs;
const linear = (x: Value, weight: Value, bias?: Value): Value => (bias ? add(matmul(x, transpose(weight, 1, 0)), bias) : matmul(x, transpose(weight, 1, 0)));
const list = (value: unknown, length: number, fallback: number): number[] => (Array.isArray(value) ? value : new Array<number>(length).fill((value as number | undefined) ?? fallback));
const twice = (values: readonly number[]): number[] => [...values, ...values];

/** Of pooling and convolutions, from PyTorch's arguments. */
function windowAttrs({ kwargs, args }: Layer, rank: number, isPool = false): Attrs {
  const kernel = isPool ? list(args[0], rank, 1) : undefined;
  const [stride, padding] = isPool ? [args[1] ?? kwargs.stride ?? kernel, args[2] ?? kwargs.padding] : [kwargs.stride, kwargs.padding];
  const attrs: Record<string, number | number[] | string> = { strides: list(stride, rank, 1), dilations: list(kwargs.dilation, rank, 1) };
  if (padding === 'same') attrs.auto_pad = 'SAME_UPPER';
  else attrs.pads = twice(list(padding, rank, 0));
  if (kernel) return { ...attrs, kernel_shape: kernel, ceil_mode: kwargs.ceil_mode ? 1 : 0 };
  return { ...attrs, group: (kwargs.groups as number) ?? 1 };
}

const conv = (op: string): Build => (layer) => {
  const { inputs: [x], state: { weight, bias = null }, kwargs } = layer;
  const rank = x.shape.length - 2;
  const { pads, ...attrs } = windowAttrs(layer, rank);
  if (kwargs.padding_mode === undefined) {
    const given = pads === undefined ? attrs : { ...attrs, pads };
    return apply(op, [x, weight, bias], op === 'Conv' ? given : { ...given, output_padding: list(kwargs.output_padding, rank, 0) });
  }
  const [begin, end] = [0, rank].map((at) => [0, 0, ...(pads as number[]).slice(at, at + rank)]);
  return apply('Conv', [apply('Pad', [x, ints(...begin, ...end)], { mode: kwargs.padding_mode === 'circular' ? 'wrap' : 'reflect' }), weight, bias], attrs);
};

const pool = (op: string): Build => (layer) => {
  const rank = layer.inputs[0].shape.length - 2;
  const { dilations, ...attrs } = windowAttrs(layer, rank, true);
  return apply(op, [layer.inputs[0]], op === 'MaxPool' ? { ...attrs, dilations } : { ...attrs, count_include_pad: layer.kwargs.count_include_pad === false ? 0 : 1 });
};

/** PyTorch's running variance is unbiased and ONNX's is not: only the outputs and gradients are compared. */
const batchNorm: Build = ({ inputs: [x], state, kwargs, train }) => {
  const filled = (value: number): Value => constant(fromElements({ dtype: 'float64', shape: [x.shape[1]] }, new Array<number>(x.shape[1]).fill(value)));
  const { weight = filled(1), bias = filled(0), running_mean, running_var } = state;
  return makeNode('BatchNormalization', [x, weight, bias, running_mean, running_var], { epsilon: (kwargs.eps as number) ?? 1e-5, training_mode: train ? 1 : 0 }).outputs[0];
};

const layerNorm: Build = ({ inputs: [x], state, args, kwargs }) => {
  const shape = list(args[0], 1, 1);
  const one = scalar(1);
  const { weight = reshape(one, 1), bias = null } = state;
  return makeNode('LayerNormalization', [x, weight, bias], { axis: -shape.length, epsilon: (kwargs.eps as number) ?? 1e-5 }).outputs[0];
};

const lstmCell: Build = ({ inputs: [x, h, c], state: s }) => {
  const [i, f, g, o] = split(add(linear(x, s.weight_ih, s.bias_ih), linear(h, s.weight_hh, s.bias_hh)), 4);
  const cell = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
  return [mul(sigmoid(o), tanh(cell)), cell];
};

const gruCell = (x: Value, h: Value, weightIh: Value, weightHh: Value, biasIh: Value, biasHh: Value): Value => {
  const [ri, zi, ni] = split(linear(x, weightIh, biasIh), 3);
  const [rh, zh, nh] = split(linear(h, weightHh, biasHh), 3);
  const [r, z] = [sigmoid(add(ri, rh)), sigmoid(add(zi, zh))];
  const n = tanh(add(ni, mul(r, nh)));
  return add(mul(sub(1, z), n), mul(z, h));
};

/** One layer over [time, batch, features], from zeros, sliced as users slice. */
const gru: Build = ({ inputs: [x], state: s }) => {
  const [time, batch, features] = x.shape;
  const size = s.weight_hh_l0.shape[1];
  let h = constant(fromElements({ dtype: 'float64', shape: [batch, size] }, new Array<number>(batch * size).fill(0)));
  const outputs = Array.from({ length: time }, (_, t) => {
    const now = reshape(apply('Slice', [x, ints(t), ints(t + 1), ints(0)]), batch, features);
    h = gruCell(now, h, s.weight_ih_l0, s.weight_hh_l0, s.bias_ih_l0, s.bias_hh_l0);
    return reshape(h, 1, batch, size);
  });
  return [apply('Concat', outputs, { axis: 0 }), outputs[time - 1]];
};

const attention: Build = ({ inputs: [q, k, v], state: s, args: [size, heads] }) => {
  const width = (size as number) / (heads as number);
  const [weights, biases] = [split(s.in_proj_weight, 3, 0), split(s.in_proj_bias, 3, 0)];
  const [query, key, value] = [q, k, v].map((x, i) => transpose(reshape(linear(x, weights[i], biases[i]), x.shape[0], x.shape[1], heads as number, width), 0, 2, 1, 3));
  const scores = apply('Softmax', [div(matmul(query, transpose(key, 0, 1, 3, 2)), Math.sqrt(width))], { axis: -1 });
  const joined = reshape(transpose(matmul(scores, value), 0, 2, 1, 3), q.shape[0], q.shape[1], size as number);
  return [linear(joined, s['out_proj.weight'], s['out_proj.bias']), apply('ReduceMean', [scores, ints(1)], { keepdims: 0 })];
};

const resize: Build = ({ inputs: [x], kwargs }) => {
  const size = (kwargs.size as number[]) ?? x.shape.slice(2).map((dim) => dim * (kwargs.scale_factor as number));
  const mode = { nearest: 'nearest', bilinear: 'linear', bicubic: 'cubic' }[kwargs.mode as string]!;
  const coordinates = mode === 'nearest' ? 'asymmetric' : kwargs.align_corners ? 'align_corners' : 'pytorch_half_pixel';
  return apply('Resize', [x, null, null, ints(...x.shape.slice(0, 2), ...size)], { mode, coordinate_transformation_mode: coordinates, nearest_mode: 'floor' });
};

/** PyTorch names the last axis first, begin and end. */
const pad = (mode: string): Build => ({ inputs: [x], args: [pads] }) => {
  const [left, right, top, bottom] = pads as number[];
  return apply('Pad', [x, ints(0, 0, top, left, 0, 0, bottom, right)], { mode });
};

const activation = (op: string, ...names: string[]): Build => ({ inputs: [x], args }) =>
  apply(op, [x], Object.fromEntries(names.flatMap((name, i) => (args[i] === undefined ? [] : [[name, args[i] as number]]))));

const reduced = (losses: Value, { kwargs }: Layer): Value =>
  kwargs.reduction === 'none' ? losses : apply(kwargs.reduction === 'sum' ? 'ReduceSum' : 'ReduceMean', [losses], { keepdims: 0 });

const classLoss = (op: string): Build => ({ inputs: [x, labels], state, kwargs }) => {
  const attrs = { reduction: (kwargs.reduction as string) ?? 'mean', ignore_index: (kwargs.ignore_index as number) ?? -100 };
  const loss = (weights: Value | undefined, reduction: string) => makeNode(op, weights ? [x, labels, weights] : [x, labels], { ...attrs, reduction });
  return loss(state.weight, attrs.reduction).outputs[0];
};

const builders: Readonly<Record<string, Build>> = {
  Linear: ({ inputs: [x], state }) => linear(x, state.weight, state.bias),
  Conv1d: conv('Conv'),
  Conv2d: conv('Conv'),
  Conv3d: conv('Conv'),
  ConvTranspose1d: conv('ConvTranspose'),
  ConvTranspose2d: conv('ConvTranspose'),
  MaxPool1d: pool('MaxPool'),
  MaxPool2d: pool('MaxPool'),
  AvgPool1d: pool('AveragePool'),
  AvgPool2d: pool('AveragePool'),
  BatchNorm1d: batchNorm,
  BatchNorm2d: batchNorm,
  LayerNorm: layerNorm,
  GroupNorm: ({ inputs: [x], state, args }) => apply('GroupNormalization', [x, state.weight, state.bias], { num_groups: args[0] as number }),
  InstanceNorm2d: ({ inputs: [x], state }) => apply('InstanceNormalization', [x, state.weight, state.bias]),
  ReLU: activation('Relu'),
  LeakyReLU: activation('LeakyRelu', 'alpha'),
  PReLU: ({ inputs: [x], state }) => apply('PRelu', [x, reshape(state.weight, 3, 1)]),
  ELU: activation('Elu', 'alpha'),
  SELU: activation('Selu'),
  CELU: activation('Celu', 'alpha'),
  SiLU: ({ inputs: [x] }) => mul(x, sigmoid(x)),
  Mish: activation('Mish'),
  Softplus: ({ inputs: [x], args: [beta = 1] }) => div(apply('Softplus', [mul(x, beta as number)]), beta as number),
  Sigmoid: activation('Sigmoid'),
  LogSigmoid: ({ inputs: [x] }) => apply('Neg', [apply('Softplus', [apply('Neg', [x])])]),
  Tanh: activation('Tanh'),
  Hardtanh: ({ inputs: [x] }) => apply('Clip', [x, scalar(-1), scalar(1)]),
  ReLU6: ({ inputs: [x] }) => apply('Clip', [x, scalar(0), scalar(6)]),
  Hardswish: activation('HardSwish'),
  Hardsigmoid: ({ inputs: [x] }) => apply('HardSigmoid', [x], { alpha: 1 / 6, beta: 0.5 }),
  Softsign: activation('Softsign'),
  Tanhshrink: ({ inputs: [x] }) => sub(x, tanh(x)),
  Softshrink: ({ inputs: [x], args: [lambd] }) => apply('Shrink', [x], { lambd: lambd as number, bias: lambd as number }),
  Hardshrink: activation('Shrink', 'lambd'),
  Threshold: ({ inputs: [x], args }) => apply('Where', [apply('Greater', [x, scalar(args[0] as number)]), x, scalar(args[1] as number)]),
  Softmax: activation('Softmax', 'axis'),
  LogSoftmax: activation('LogSoftmax', 'axis'),
  Softmin: ({ inputs: [x] }) => apply('Softmax', [apply('Neg', [x])], { axis: 1 }),
  GELU: ({ inputs: [x], kwargs }) => apply('Gelu', [x], { approximate: (kwargs.approximate as string) ?? 'none' }),
  GLU: ({ inputs: [x] }) => {
    const [a, b] = split(x, 2, 1);
    return mul(a, sigmoid(b));
  },
  Embedding: ({ inputs: [indices], state: { weight }, kwargs }) => {
    if (kwargs.padding_idx === undefined) return apply('Gather', [weight, indices]);
    // The padding's row is seen, but not learnt.
    const isPadding = apply('Equal', [apply('Unsqueeze', [indices, ints(-1)]), constant(fromNumbers('int64', [], [kwargs.padding_idx as number]))]);
    const rows = apply('Gather', [weight, indices]);
    return apply('Where', [isPadding, apply('StopGradient', [rows]), rows]);
  },
  RNNCell: ({ inputs: [x, h], state: s, kwargs }) => apply(kwargs.nonlinearity === 'relu' ? 'Relu' : 'Tanh', [add(linear(x, s.weight_ih, s.bias_ih), linear(h, s.weight_hh, s.bias_hh))]),
  LSTMCell: lstmCell,
  GRUCell: ({ inputs: [x, h], state: s }) => gruCell(x, h, s.weight_ih, s.weight_hh, s.bias_ih, s.bias_hh),
  GRU: gru,
  MultiheadAttention: attention,
  Upsample: resize,
  PixelShuffle: ({ inputs: [x] }) => apply('DepthToSpace', [x], { blocksize: 2, mode: 'CRD' }),
  ZeroPad2d: pad('constant'),
  ReflectionPad2d: pad('reflect'),
  ReplicationPad2d: pad('edge'),
  CosineSimilarity: ({ inputs: [a, b] }) => {
    const norm = (x: Value) => apply('ReduceL2', [x, ints(1)], { keepdims: 0 });
    return div(apply('ReduceSum', [mul(a, b), ints(1)], { keepdims: 0 }), mul(norm(a), norm(b)));
  },

  CrossEntropyLoss: classLoss('SoftmaxCrossEntropyLoss'),
  NLLLoss: classLoss('NegativeLogLikelihoodLoss'),
  MSELoss: (layer) => reduced(mul(sub(layer.inputs[0], layer.inputs[1]), sub(layer.inputs[0], layer.inputs[1])), layer),
  L1Loss: (layer) => reduced(apply('Abs', [sub(layer.inputs[0], layer.inputs[1])]), layer),
};

/** Cases that are more than an operator or two: nn's to test. */
const left = /^(GRU\.[23]|MultiheadAttention\.[23])$/;

/** PyTorch takes these ones' constants (1/6, 1/alpha) in float32, whatever the tensor. */
const singleConstants = new Set(['CELU', 'Hardsigmoid']);

describe.each(['layers', 'losses'])('%s', (name) => {
  const { tensors, metadata } = readSafetensors(new Uint8Array(readFileSync(new URL(`../golden/${name}.safetensors`, import.meta.url))));
  const { torch: _version, ...described } = metadata;
  const entries = Object.entries(described).map(([key, text]) => [key, JSON.parse(text) as Described] as const);
  const chosen = entries.filter(([key, { module, kwargs }]) => module in builders && !left.test(key) && kwargs.label_smoothing === undefined);

  test('the table names nothing that is not there', () => {
    expect(chosen.length).toBeGreaterThan(name === 'layers' ? 75 : 14);
  });

  test.each(chosen)('%s', (key, layer) => {
    const named = (part: string): [string, TensorData][] =>
      [...tensors].flatMap(([path, tensor]): [string, TensorData][] => (path.startsWith(`${key}/${part}/`) ? [[path.slice(key.length + part.length + 2), tensor]] : []));
    const known = new Map<Value, TensorData>();
    const given = (path: string, tensor: TensorData): Value => {
      const value = input(path, tensor.dtype, tensor.shape);
      known.set(value, tensor);
      return value;
    };
    const inputs = named('input').map(([index, tensor]) => ({ index: Number(index), value: given(`input/${index}`, tensor) })).sort((a, b) => a.index - b.index);
    const state = Object.fromEntries(named('state').map(([path, tensor]) => [path, given(path, tensor)]));
    const outputs = [builders[layer.module]({ ...layer, inputs: inputs.map(({ value }) => value), state })].flat();
    const expectedOutputs = named('output');
    expect(outputs).toHaveLength(expectedOutputs.length);

    const seeds = outputs.flatMap((value, i) => {
      const cotangent = tensors.get(`${key}/cotangent/${i}`);
      return cotangent ? [{ value, cotangent: constant(cotangent) }] : [];
    });
    const expectedGradients = [...named('grad/input').map(([i, tensor]) => [inputs[Number(i)].value, tensor] as const), ...named('grad/state').map(([path, tensor]) => [state[path], tensor] as const)];
    const results = gradients(seeds, expectedGradients.map(([value]) => value));
    const wanted = [...outputs.map((value, i) => [value, tensors.get(`${key}/output/${i}`)!] as const), ...results.map((value, i) => [value, expectedGradients[i][1]] as const)];
    const computed = evaluateValues(wanted.flatMap(([value]) => (value ? [value] : [])), known);
    const tolerance = singleConstants.has(layer.module) ? 1e-7 : 1e-11;
    let at = 0;
    for (const [i, [value, expected]] of wanted.entries()) {
      const got = value ? computed[at++] : undefined;
      if (got) expect(got.shape).toEqual(expected.shape);
      const numbers = got ? toNumbers(got) : toNumbers(expected).fill(0);
      toNumbers(expected).forEach((e, j) => {
        const error = Math.abs(numbers[j] - e) / Math.max(1, Math.abs(e));
        if (!(error <= tolerance)) expect.fail(`${i < outputs.length ? `output ${i}` : `gradient ${i - outputs.length}`}, element ${j}: PyTorch has ${e}, here it is ${numbers[j]}`);
      });
    }
  });
});
