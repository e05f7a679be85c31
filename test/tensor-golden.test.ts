/** Functions of tensors, forward and backward, compiled for this machine, against the golden values of PyTorch (scripts/golden). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readSafetensors } from '../src/formats/index.ts';
import { type TensorData, toNumbers } from '../src/graph/index.ts';
import * as w from '../src/tensor/index.ts';

interface Layer {
  readonly module: string;
  readonly train: boolean;
  readonly args: readonly (number | readonly number[])[];
  readonly kwargs: Readonly<Record<string, never>>;
}
type State = Readonly<Record<string, w.Tensor>>;
type Build = (inputs: readonly w.Tensor[], state: State, layer: Layer) => w.Tensor;

const plain = (fn: (x: w.Tensor, ...rest: never[]) => w.Tensor): Build => ([x], _state, { args }) => fn(x, ...(args as never[]));
const conv = (fn: typeof w.conv1d): Build => ([x], s, { kwargs }) => fn(x, s.weight, s.bias ?? null, kwargs);
const transposed = (fn: typeof w.convTranspose1d): Build => ([x], s, { kwargs: { output_padding: outputPadding, ...rest } }) => fn(x, s.weight, s.bias ?? null, { ...rest, outputPadding });
const pool = (fn: typeof w.maxPool): Build => ([x], _state, { args: [kernel, stride, padding], kwargs }) =>
  fn(x, kernel, { stride, padding, ceilMode: kwargs.ceil_mode, ...kwargs });
const classes = (fn: typeof w.crossEntropy): Build => ([x, y], { weight }, { kwargs }) => fn(x, y, { weight, ignoreIndex: kwargs.ignore_index, reduction: kwargs.reduction });

const builders: Readonly<Record<string, Build>> = {
  Linear: ([x], { weight, bias }) => x.linear(weight, bias),
  Conv1d: conv(w.conv1d),
  Conv2d: conv(w.conv2d),
  Conv3d: conv(w.conv3d),
  ConvTranspose1d: transposed(w.convTranspose1d),
  ConvTranspose2d: transposed(w.convTranspose2d),
  MaxPool1d: pool(w.maxPool),
  MaxPool2d: pool(w.maxPool),
  AvgPool1d: ([x], _s, { args: [kernel, stride, padding], kwargs }) => w.avgPool(x, kernel, { stride, padding, ceilMode: kwargs.ceil_mode, countIncludePad: kwargs.count_include_pad, ...kwargs }),
  AvgPool2d: ([x], _s, { args: [kernel, stride, padding], kwargs }) => w.avgPool(x, kernel, { stride, padding, ceilMode: kwargs.ceil_mode, countIncludePad: kwargs.count_include_pad, ...kwargs }),
  BatchNorm1d: ([x], s, { train, kwargs }) => w.batchNorm(x, s.running_mean, s.running_var, { weight: s.weight, bias: s.bias, training: train, eps: kwargs.eps, momentum: kwargs.momentum === null ? 1 : kwargs.momentum }),
  BatchNorm2d: ([x], s, { train, kwargs }) => w.batchNorm(x, s.running_mean, s.running_var, { weight: s.weight, bias: s.bias, training: train, eps: kwargs.eps, momentum: kwargs.momentum === null ? 1 : kwargs.momentum }),
  LayerNorm: ([x], s, { args: [shape], kwargs }) => w.layerNorm(x, [shape].flat() as number[], s.weight, s.bias, kwargs.eps),
  GroupNorm: ([x], s, { args: [groups] }) => w.groupNorm(x, groups as number, s.weight, s.bias),
  InstanceNorm2d: ([x], s) => w.instanceNorm(x, s.weight, s.bias),
  ReLU: plain(w.relu),
  LeakyReLU: plain(w.leakyRelu),
  PReLU: ([x], s) => w.prelu(x, s.weight),
  ELU: plain(w.elu),
  SELU: plain(w.selu),
  SiLU: plain(w.silu),
  Mish: plain(w.mish),
  Sigmoid: plain(w.sigmoid),
  LogSigmoid: plain(w.logsigmoid),
  Tanh: plain(w.tanh),
  Hardtanh: plain(w.hardtanh),
  ReLU6: plain(w.relu6),
  Hardswish: plain(w.hardswish),
  Softsign: plain(w.softsign),
  Softmax: plain(w.softmax),
  LogSoftmax: plain(w.logSoftmax),
  GELU: ([x], _s, { kwargs }) => w.gelu(x, kwargs.approximate),
  CrossEntropyLoss: classes(w.crossEntropy),
  NLLLoss: classes(w.nllLoss),
  MSELoss: ([x, y], _s, { kwargs }) => w.mseLoss(x, y, kwargs.reduction),
  L1Loss: ([x, y], _s, { kwargs }) => w.l1Loss(x, y, kwargs.reduction),
};

/** Not of the functions but of the layers: nn's to test. */
const ofLayers = ['padding_mode', 'label_smoothing', 'padding_idx', 'track_running_stats'];

describe.each(['layers', 'losses'])('%s', (file) => {
  const { tensors, metadata } = readSafetensors(new Uint8Array(readFileSync(new URL(`./golden/${file}.safetensors`, import.meta.url))));
  const { torch: _version, ...described } = metadata;
  const chosen = Object.entries(described)
    .map(([key, text]) => [key, JSON.parse(text) as Layer] as const)
    .filter(([, { module, kwargs }]) => module in builders && !ofLayers.some((name) => name in kwargs));

  test('the table names what is there', () => expect(chosen.length).toBeGreaterThan(file === 'layers' ? 45 : 10));

  test.each(chosen)('%s', (key, layer) => {
    const named = (part: string): Record<string, TensorData> =>
      Object.fromEntries([...tensors].flatMap(([path, tensor]) => (path.startsWith(`${key}/${part}/`) ? [[path.slice(key.length + part.length + 2), tensor]] : [])));
    const given = (data: TensorData): w.Tensor => (data.dtype === 'float64' ? w.fromTensorData(data).requiresGrad_() : w.fromTensorData(data));
    const inputs = Object.entries(named('input')).sort(([a], [b]) => Number(a) - Number(b)).map(([, data]) => given(data));
    const state = Object.fromEntries(Object.entries(named('state')).map(([name, data]) => [name, name.startsWith('running_') ? w.fromTensorData(data) : given(data)]));
    const output = builders[layer.module](inputs, state, layer);
    const cotangent = tensors.get(`${key}/cotangent/0`);
    if (cotangent) output.backward(w.fromTensorData(cotangent));
    const wanted: [string, w.Tensor | null, TensorData][] = [['output', output, tensors.get(`${key}/output/0`)!]];
    for (const [i, data] of Object.entries(named('grad/input'))) wanted.push([`gradient of input ${i}`, inputs[Number(i)].grad, data]);
    for (const [name, data] of Object.entries(named('grad/state'))) wanted.push([`gradient of ${name}`, state[name].grad, data]);
    for (const [name, data] of Object.entries(named('after'))) if (name.startsWith('running_')) wanted.push([`${name} afterwards`, state[name], data]);
    w.realize(...wanted.flatMap(([, tensor]) => (tensor ? [tensor] : [])));
    for (const [what, tensor, expected] of wanted) {
      const got = tensor ? toNumbers(tensor.toTensorData()) : toNumbers(expected).fill(0);
      if (tensor) expect(tensor.shape).toEqual(expected.shape);
      toNumbers(expected).forEach((e, i) => {
        if (!(Math.abs(got[i] - e) <= 1e-11 * Math.max(1, Math.abs(e)))) expect.fail(`${what}, element ${i}: PyTorch has ${e}, here it is ${got[i]}`);
      });
    }
  });
});
