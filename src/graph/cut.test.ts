import { expect, test } from 'vitest';
import { evaluateGraph } from '../ops/index.ts';
import { apply, constant, cutModel, fromNumbers, type Graph, input, type Model } from './index.ts';

/** relu(x * w) + x, the two layers of it called double and join. */
const model: Model = {
  name: 'net',
  inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 2] }],
  outputs: ['y'],
  build(shapes): Graph {
    const x = input('x', 'float32', shapes!.x);
    const scaled = apply('Mul', [x, constant(fromNumbers('float32', [2], [2, -2]), 'double/w')], {}, 'double');
    const active = apply('Relu', [scaled], {}, 'double/relu');
    const joined = apply('Add', [active, constant(fromNumbers('float32', [2], [1, 1]))], {}, 'join');
    return { name: 'net', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'y', value: apply('Mul', [joined, active], {}, 'last') }] };
  },
};
const x = fromNumbers('float32', [2, 2], [1, 1, 2, -3]);
const run = (part: Model, name: string, value = x) => evaluateGraph(part.build({ [name]: value.shape }), { [name]: value });

test('up to a layer, and from it on, is what the whole model is', () => {
  const [head, tail] = [cutModel(model, { outputs: ['double'] }), cutModel(model, { inputs: ['double'] })];
  expect([head.inputs, head.outputs]).toEqual([model.inputs, ['double']]);
  expect([tail.inputs, tail.outputs]).toEqual([[{ name: 'double', dtype: 'float32', shape: ['batch', 2] }], ['y']]);
  const { double } = run(head, 'x');
  expect([...double.data]).toEqual([2, 0, 4, 6]);
  expect(run(tail, 'double', double)).toEqual(run(model, 'x'));
});

test('a part from the middle to the middle', () => {
  const part = cutModel(model, { inputs: ['double'], outputs: ['join', 'double'] });
  const value = fromNumbers('float32', [1, 2], [3, 5]);
  expect(run(part, 'double', value)).toEqual({ join: fromNumbers('float32', [1, 2], [4, 6]), double: value });
});

test('names that no layer has, ways around, wrong shapes are told', () => {
  expect(() => cutModel(model, { outputs: ['doubl'] }).build({ x: [1, 2] })).toThrow(/expected the name of a layer on the way, got 'doubl'; the last ones are x, double, join, last/);
  expect(() => cutModel(model, { inputs: ['join'] }).build({ join: [1, 2] })).toThrow(/all ways to lead through join, got one from 'x' that does not/);
  expect(() => cutModel(model, { inputs: ['double'] }).build({ double: [1, 3] })).toThrow(/'double' of shape \[batch,2\], got \[1,3\]/);
  const open = { ...model, inputs: [{ ...model.inputs[0], shape: ['batch', 'width'] }] };
  expect(() => cutModel(open, { inputs: ['double'] })).toThrow('nothing but the batch is free, got batch, width');
});
