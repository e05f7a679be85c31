import { describe, expect, test } from 'vitest';
import { f32 } from '../../test/support/ops.ts';
import { apply, constant, constantOf, type DType, type Graph, type Shape, type Value } from '../graph/index.ts';
import { numbersOf } from '../ops/index.ts';
import { mergeAffine } from './index.ts';
import { graphOf, noise, opsOf, optimized } from '../../test/support/passes.ts';

const image: Shape = [2, 3, 5, 5];
const conv = (x: Value) => apply('Conv', [x, constant(noise([4, 3, 3, 3], x.dtype))], {}, 'conv');
const channels = (seed: number, dtype: DType = 'float32') => constant(noise([4, 1, 1], dtype, seed));
const scalar = (value: number) => constant(f32([], [value]));
const [add, sub, mul, div] = ['Add', 'Sub', 'Mul', 'Div'].map((op) => (a: Value, b: Value) => apply(op, [a, b], {}, op.toLowerCase()));
const merged = (build: (x: Value) => Value | readonly Value[], shape = image, dtype: DType = 'float32'): Graph =>
  optimized(graphOf([shape], build, dtype), mergeAffine, dtype === 'float64' ? 1e-13 : 1e-5);

describe('mergeAffine', () => {
  test('makes one multiplication and one addition of a bias and a batch normalisation', () => {
    const graph = merged((x) => apply('Relu', [add(mul(add(conv(x), channels(2)), channels(3)), channels(4))]));
    expect(opsOf(graph)).toEqual(['Conv', 'Mul', 'Add', 'Relu']);
  });

  test('computes constants in double precision and rounds them once', () => {
    const [b, s, t] = [2, 3, 4].map((seed) => noise([4, 1, 1], 'float32', seed));
    const graph = merged((x) => add(mul(add(conv(x), constant(b)), constant(s)), constant(t)));
    const sum = graph.outputs[0].value.node;
    const shift = numbersOf(constantOf(sum.inputs[1])!);
    expect(Array.from(shift)).toEqual(Array.from(numbersOf(b), (n, i) => Math.fround(n * numbersOf(s)[i] + numbersOf(t)[i])));
    expect(sum.inputs[1]?.shape).toEqual([4, 1, 1]);
  });

  test.each<[string, (x: Value) => Value, string[]]>([
    ['many of one kind', (x) => add(sub(add(conv(x), channels(2)), scalar(0.5)), channels(3)), ['Conv', 'Add']],
    ['scales', (x) => div(mul(conv(x), channels(2)), scalar(3)), ['Conv', 'Mul']],
    ['constants on the left', (x) => sub(channels(2), mul(scalar(2), add(channels(3), conv(x)))), ['Conv', 'Mul', 'Add']],
    ['what comes to nothing', (x) => add(sub(conv(x), scalar(2)), scalar(2)), ['Conv']],
    ['a long chain', (x) => Array.from({ length: 9 }, (_, i) => i).reduce((y, i) => add(mul(y, channels(i)), channels(i + 20)), conv(x)), ['Conv', 'Mul', 'Add']],
    ['a constant with a batch axis of one', (x) => add(add(conv(x), constant(noise([1, 4, 1, 1]))), channels(2)), ['Conv', 'Add']],
  ])('merges %s', (_, build, ops) => expect(opsOf(merged(build))).toEqual(ops));

  test('merges what follows a matrix product, by its last axis', () => {
    const product = (x: Value) => apply('MatMul', [x, constant(noise([5, 4]))]);
    const row = (seed: number) => constant(noise([4], 'float32', seed));
    expect(opsOf(merged((x) => add(mul(add(product(x), row(2)), row(3)), row(4)), [3, 5]))).toEqual(['MatMul', 'Mul', 'Add']);
    const column = constant(noise([3, 1]));
    expect(opsOf(merged((x) => add(mul(add(product(x), row(2)), column), row(4)), [3, 5]))).toEqual(['MatMul', 'Add', 'Mul', 'Add']);
  });

  test('merges in float64', () => {
    expect(opsOf(merged((x) => add(mul(add(conv(x), channels(2, 'float64')), channels(3, 'float64')), channels(4, 'float64')), image, 'float64'))).toEqual(['Conv', 'Mul', 'Add']);
  });

  test.each<[string, (x: Value) => Value | readonly Value[], string[]]>([
    ['where two operations are two already', (x) => mul(add(conv(x), channels(2)), channels(3)), ['Conv', 'Add', 'Mul']],
    ['where others read what is between', (x) => {
      const biased = add(conv(x), channels(2));
      return [add(mul(biased, channels(3)), channels(4)), biased];
    }, ['Conv', 'Add', 'Mul', 'Add']],
    ['where the convolution itself is a result', (x) => {
      const sum = conv(x);
      return [add(add(sum, channels(2)), channels(3)), sum];
    }, ['Conv', 'Add', 'Add']],
    ['by constants that differ from pixel to pixel', (x) => add(add(add(conv(x), constant(noise([3, 3]))), constant(noise([4, 3, 3]))), constant(noise([2, 1, 1, 1]))), ['Conv', 'Add', 'Add', 'Add']],
    ['by computed values', (x) => add(add(conv(x), channels(1)), apply('ReduceMax', [x], { keepdims: 0 })), ['Conv', 'Add', 'ReduceMax', 'Add']],
    ['where the constant is divided by it', (x) => div(scalar(1), div(scalar(1), conv(x))), ['Conv', 'Div', 'Div']],
    ['below anything else', (x) => add(add(apply('Relu', [x]), scalar(1)), scalar(2)), ['Relu', 'Add', 'Add']],
    ['where constants would overflow', (x) => add(mul(mul(conv(x), scalar(1e30)), scalar(1e30)), scalar(1)), ['Conv', 'Mul', 'Mul', 'Add']],
    ['where the shape changes', (x) => add(add(conv(x), constant(noise([1, 1, 4, 1, 1]))), channels(2)), ['Conv', 'Add', 'Add']],
  ])('does not merge %s', (_, build, ops) => expect(opsOf(mergeAffine(graphOf([image], build)))).toEqual(ops));
});
