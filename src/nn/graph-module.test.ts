import { expect, test } from 'vitest';
import { apply, constant, constantOf, cutModel, fromNumbers, type Graph, input, type Model } from '../graph/index.ts';
import { evaluateGraph } from '../ops/index.ts';
import { Adam } from '../optim/index.ts';
import { compile, noGrad, tensor, type Tensor } from '../tensor/index.ts';
import { GraphModule } from './index.ts';
import * as F from './functional.ts';

const numbers = (count: number, seed: number) => Array.from({ length: count }, (_, i) => Math.sin(seed + 1.7 * i));
const weight = (name: string, shape: number[], seed: number) => constant(fromNumbers('float32', shape, numbers(shape.reduce((a, b) => a * b, 1), seed)), name);
// Made once, as importers make them.
const weights = {
  kernel: weight('conv/kernel', [3, 3, 2, 4], 1), gamma: weight('bn/gamma', [4], 2), beta: weight('bn/beta', [4], 3), mean: weight('bn/mean', [4], 4),
  variance: constant(fromNumbers('float32', [4], [1, 2, 0.5, 1.5]), 'bn/variance'), dense: weight('dense/kernel', [4, 3], 5), bias: weight('dense/bias', [3], 6),
};
/** What Keras's convolution, batch normalisation, pooling and dense layer become. */
const model: Model = {
  name: 'net',
  inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 2, 5, 5] }],
  outputs: ['y'],
  build(shapes): Graph {
    const x = input('x', 'float32', shapes!.x);
    const kernel = apply('Transpose', [weights.kernel], { perm: [3, 2, 0, 1] }, 'conv/kernel');
    const conv = apply('Conv', [x, kernel], { pads: [1, 1, 1, 1] }, 'conv');
    const normal = apply('BatchNormalization', [conv, weights.gamma, weights.beta, weights.mean, weights.variance], { epsilon: 1e-3 }, 'bn');
    const pooled = apply('Flatten', [apply('GlobalAveragePool', [apply('Relu', [normal], {}, 'bn/relu')])], {}, 'pool');
    return { name: 'net', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'y', value: apply('Gemm', [pooled, weights.dense, weights.bias], {}, 'dense') }] };
  },
};
const x = tensor(numbers(4 * 2 * 5 * 5, 9)).reshape([4, 2, 5, 5]).detach();

test('computes what the graph computes, with its weights by their names', () => {
  const module = new GraphModule(model);
  expect(module.namedParameters().map(([name]) => name)).toEqual(['conv/kernel', 'bn/gamma', 'bn/beta', 'dense/kernel', 'dense/bias']);
  expect(module.namedBuffers().map(([name]) => name)).toEqual(['bn/mean', 'bn/variance']);
  const { y } = evaluateGraph(model.build({ x: [4, 2, 5, 5] }), { x: x.toTensorData() });
  const got = module.call(x);
  (got.toArray() as Float32Array).forEach((value, i) => expect(value).toBeCloseTo(Number(y.data[i]), 5));
  expect(module.call(x.narrow(0, 0, 1)).shape).toEqual([1, 3]);
});

test('gradients are those of the same network in layers', () => {
  const module = new GraphModule(model);
  const loss = (y: Tensor) => F.crossEntropy(y, tensor([0, 1, 2, 1], { dtype: 'int64' }));
  loss(module.call(x)).backward();
  const named = Object.fromEntries(module.namedParameters());
  const copies = Object.fromEntries([...module.namedParameters(), ...module.namedBuffers()].map(([name, value]) => [name, value.detach().mul(1).detach().requiresGrad_()]));
  const conv = F.conv2d(x, copies['conv/kernel'].permute(3, 2, 0, 1), null, { padding: 1 });
  const normal = F.batchNorm(conv, copies['bn/mean'].detach(), copies['bn/variance'].detach(), { weight: copies['bn/gamma'], bias: copies['bn/beta'], eps: 1e-3 });
  loss(F.relu(normal).mean([2, 3]).matmul(copies['dense/kernel']).add(copies['dense/bias'])).backward();
  for (const [name, parameter] of Object.entries(named)) {
    const expected = copies[name].grad!.toArray() as Float32Array;
    expect(parameter.grad!.shape).toEqual(parameter.shape);
    (parameter.grad!.toArray() as Float32Array).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
  }
});

test('a part of it is trained, the rest stays; its state is kept and loaded', () => {
  const part = new GraphModule(cutModel(model, { inputs: ['bn'] }));
  const features = noGrad(() => new GraphModule(cutModel(model, { outputs: ['bn'] })).call(x));
  expect(part.namedParameters().map(([name]) => name)).toEqual(['dense/kernel', 'dense/bias']);
  part.namedParameters()[1][1].requiresGrad = false;
  const target = tensor([0, 1, 2, 1], { dtype: 'int64' });
  const optimizer = new Adam(part.parameters().filter(({ requiresGrad }) => requiresGrad), { lr: 0.5 });
  const step = compile((features: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(part.call(features), target);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const losses = Array.from({ length: 100 }, () => step(features).item());
  expect(losses.at(-1)).toBeLessThan(0.9 * losses[0]);
  const state = part.stateDict();
  expect(state.get('dense/bias')).toEqual(constantOf(weights.bias));
  const other = new GraphModule(cutModel(model, { inputs: ['bn'] }));
  other.loadStateDict(state);
  expect(other.call(features).toArray()).toEqual(part.call(features).toArray());
});

test('inputs that do not fit are told', () => {
  const module = new GraphModule(model);
  expect(() => module.call()).toThrow(/expected float32\[batch,2,5,5\], got nothing/);
  expect(() => module.call(tensor([1], { dtype: 'int64' }))).toThrow(/got int64\[1\]/);
  expect(() => new GraphModule(cutModel(model, { outputs: ['conv', 'bn'] })).call(x)).toThrow(/one output, got conv, bn; outputs\(\) gives all/);
});
