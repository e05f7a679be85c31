/** Modules are PyTorch's: outputs, gradients and buffers against the golden values of scripts/golden, from its state dicts. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readSafetensors } from '../../src/formats/index.ts';
import { type TensorData, toNumbers } from '../../src/graph/index.ts';
import * as nn from '../../src/nn/index.ts';
import { fromTensorData, realize, type Tensor } from '../../src/tensor/index.ts';

interface Case {
  readonly module: string;
  readonly train: boolean;
  readonly args: readonly (number | readonly number[])[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly lengths?: readonly number[];
  readonly names?: readonly string[];
}
type Values = Readonly<Record<string, TensorData>>;

/** What nn has not. */
const absent = [
  'AdaptiveMaxPool2d', 'CosineSimilarity', 'CosineEmbeddingLoss',
];
/** PyTorch takes these ones' constants (1/6, 1/alpha) in float32, whatever the tensor. */
const singleConstants = new Set(['CELU', 'Hardsigmoid']);

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
/** Arguments that PyTorch takes by place and we by name. */
const byName: readonly [pattern: RegExp, from: number, names: readonly string[]][] = [
  [/Pool[12]d$/, 1, ['stride', 'padding']],
  [/^(RNN|GRU|LSTM)$/, 2, ['numLayers']],
  [/^TransformerEncoderLayer$/, 2, ['dimFeedforward']],
];

function make({ module, args, kwargs }: Case, state: Values): nn.Module {
  const options: Record<string, unknown> = Object.fromEntries(Object.entries(kwargs).map(([name, value]) => [camel(name), value]));
  const [, from, names] = byName.find(([pattern]) => pattern.test(module)) ?? [null, args.length, []];
  names.forEach((name, i) => from + i < args.length && (options[name] = args[from + i]));
  if (module.endsWith('Loss')) for (const [name, data] of Object.entries(state)) options[camel(name)] = fromTensorData(data);
  const Made = (nn as unknown as Record<string, new (...args: unknown[]) => nn.Module>)[module];
  return new Made(...args.slice(0, from), ...(Object.keys(options).length > 0 ? [options] : []));
}

function call(module: nn.Module, inputs: readonly Tensor[], { lengths, names }: Case): unknown {
  if (module instanceof nn.LSTM) return module.call(inputs[0], inputs.length > 1 ? [inputs[1], inputs[2]] : null, { lengths });
  if (module instanceof nn.GRU || module instanceof nn.RNN) return module.call(inputs[0], inputs[1] ?? null, { lengths });
  if (module instanceof nn.LSTMCell) return module.call(inputs[0], [inputs[1], inputs[2]]);
  // PyTorch's gradient of it is with respect to what the logarithms of softmax are of, whatever came in.
  if (module instanceof nn.CTCLoss) return module.call(inputs[0].logSoftmax(2), inputs[1], inputs[2], inputs[3]);
  if (!(module instanceof nn.MultiheadAttention)) return module.call(...(inputs as never[]));
  const mask = names && { [camel(names[3])]: inputs[3] };
  return module.call(inputs[0], inputs[1], inputs[2], { ...mask, needWeights: names?.[3] !== 'attn_mask' });
}

/** Gradcheck: central differences along one direction through all inputs and parameters at once. */
const step = 1e-6;
/** A padding row's gradient is 0 by definition, not by calculus. */
const notSlopes = new Set(['Embedding.2']);
const direction = (i: number, seed: number): number => Math.sin(12.9898 * (i + 1) + 78.233 * seed);
const shifted = (data: TensorData, seed: number, sign: number): TensorData =>
  data.dtype === 'float64' ? { ...data, data: (data.data as Float64Array).map((x, i) => x + sign * step * direction(i, seed)) } : data;
const slope = (gradient: Tensor | null | undefined, seed: number): number =>
  gradient ? toNumbers(gradient.toTensorData()).reduce((sum, g, i) => sum + g * direction(i, seed), 0) : 0;

/** In float64 to the last digits but a few; in float32, whose kernels are others, to its own. */
const tolerances = { float64: 1e-11, float32: 2e-5 } as const;

describe.each([
  ['layers', 'float64'],
  ['losses', 'float64'],
  ['layers', 'float32'],
  ['losses', 'float32'],
] as const)('%s in %s', (file, dtype) => {
  const { tensors, metadata } = readSafetensors(new Uint8Array(readFileSync(new URL(`../golden/${file}.safetensors`, import.meta.url))));
  const given = (data: TensorData): Tensor => (data.dtype === 'float64' ? fromTensorData(data).to(dtype).detach() : fromTensorData(data));
  const { torch: _version, ...described } = metadata;
  const cases = Object.entries(described).map(([key, text]) => [key, JSON.parse(text) as Case] as const);
  const chosen = cases.filter(([key, { module }]) => !absent.includes(module) && key !== 'AdaptiveAvgPool2d.2');

  test('nothing is left out but what nn has not', () => {
    expect(chosen.length).toBeGreaterThan(file === 'layers' ? 75 : 30);
    expect(absent.filter((name) => name in nn)).toEqual([]);
  });

  test.each(chosen)('%s', (key, described) => {
    const named = (part: string): Values =>
      Object.fromEntries([...tensors].flatMap(([path, tensor]) => (path.startsWith(`${key}/${part}/`) ? [[path.slice(key.length + part.length + 2), tensor]] : [])));
    const inputs = Object.entries(named('input'))
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([, data]) => given(data).requiresGrad_(data.dtype === 'float64'));
    const state = named('state');
    const module = make(described, state).to(dtype).train(described.train);
    expect(module.loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
    expect([...module.stateDict().keys()].sort()).toEqual(Object.keys(state).sort());

    const outputs = [call(module, inputs, described)].flat(2).filter((output) => output !== null) as Tensor[];
    const cotangents = outputs.map((_, i) => tensors.get(`${key}/cotangent/${i}`));
    const total = outputs.flatMap((output, i) => (cotangents[i] ? [output.mul(given(cotangents[i])).sum()] : [])).reduce((a, b) => a.add(b));
    total.backward();

    if (dtype === 'float64' && !notSlopes.has(key)) {
      const parameters = Object.fromEntries(module.namedParameters());
      const along = (sign: number): number => {
        const moved = make(described, state).to(dtype).train(described.train);
        moved.loadStateDict(Object.fromEntries(Object.entries(state).map(([name, data], i) => [name, name in parameters ? shifted(data, i, sign) : data])));
        const outs = [call(moved, inputs.map((_, i) => given(shifted(named('input')[i], 50 + i, sign))), described)].flat(2).filter((output) => output !== null) as Tensor[];
        return outs.flatMap((output, i) => (cotangents[i] ? [output.mul(given(cotangents[i])).sum().item()] : [])).reduce((a, b) => a + b);
      };
      const slopes = [...Object.keys(state).map((name, i) => slope(parameters[name]?.grad, i)), ...inputs.map(({ grad }, i) => slope(grad, 50 + i))];
      const size = Math.max(1, ...slopes.map(Math.abs));
      expect(Math.abs((along(1) - along(-1)) / (2 * step) - slopes.reduce((a, b) => a + b)) / size).toBeLessThan(1e-5);
    }

    const own = new Map<string, Tensor>([...module.namedParameters(), ...module.namedBuffers()]);
    const wanted: [string, Tensor | null, TensorData][] = [
      ...Object.entries(named('output')).map(([i, data]): [string, Tensor, TensorData] => [`output ${i}`, outputs[Number(i)], data]),
      ...Object.entries(named('grad/input')).map(([i, data]): [string, Tensor | null, TensorData] => [`gradient of input ${i}`, inputs[Number(i)].grad, data]),
      ...Object.entries(named('grad/state')).map(([name, data]): [string, Tensor | null, TensorData] => [`gradient of ${name}`, own.get(name)!.grad, data]),
      ...Object.entries(named('after')).map(([name, data]): [string, Tensor, TensorData] => [`${name} afterwards`, own.get(name)!, data]),
    ];
    expect(outputs).toHaveLength(Object.keys(named('output')).length);
    realize(...wanted.flatMap(([, tensor]) => (tensor ? [tensor] : [])));
    const tolerance = singleConstants.has(described.module) ? Math.max(1e-7, tolerances[dtype]) : tolerances[dtype];
    for (const [what, tensor, expected] of wanted) {
      // No gradient at all is a gradient of 0.
      const got = tensor ? toNumbers(tensor.toTensorData()) : toNumbers(expected).fill(0);
      if (tensor) expect([what, tensor.dtype, ...tensor.shape]).toEqual([what, expected.dtype === 'float64' ? dtype : expected.dtype, ...expected.shape]);
      toNumbers(expected).forEach((e, i) => {
        if (!(Math.abs(got[i] - e) <= tolerance * Math.max(1, Math.abs(e)))) expect.fail(`${what}, element ${i}: PyTorch has ${e}, here it is ${got[i]}`);
      });
    }
  });
});

test('windows that do not divide evenly are an error', () => {
  const { tensors } = readSafetensors(new Uint8Array(readFileSync(new URL('../golden/layers.safetensors', import.meta.url))));
  const x = fromTensorData(tensors.get('AdaptiveAvgPool2d.2/input/0')!);
  expect(() => new nn.AdaptiveAvgPool2d([3, 2]).call(x)).toThrow('expected a size that divides the spatial dimensions, got [3,2]');
});
