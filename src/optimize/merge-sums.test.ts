import { describe, expect, test } from 'vitest';
import { i64 } from '../../test/support/ops.ts';
import { graphOf, noise, opsOf, optimized } from '../../test/support/passes.ts';
import { apply, constant, type Graph, type Value } from '../graph/index.ts';
import { mergeSums } from './index.ts';

const rows = constant(i64([1], [0]));
const weights = [1, 2, 3].map(() => constant(noise([4, 6])));
const add = (...terms: Value[]): Value => terms.reduce((a, b) => apply('Add', [a, b]));
const product = (x: Value, i: number): Value => apply('MatMul', [x, weights[i]]);
const turned = (x: Value): Value => apply('Transpose', [x], { perm: [1, 0] });
const square = [4, 4];
const merged = (build: (x: Value) => Value | readonly Value[]): Graph => optimized(graphOf([square], build), mergeSums, 1e-5);

describe('mergeSums', () => {
  test('makes one product of a sum of them, whatever else is added', () => {
    const graph = merged((x) => add(product(x, 0), weights[2], product(apply('Neg', [x]), 1), product(apply('Abs', [x]), 2)));
    expect(opsOf(graph).filter((op) => op === 'MatMul' || op === 'Add')).toEqual(['MatMul', 'Add']);
  });
  test('puts transposed operands side by side before they are transposed', () => {
    const graph = merged((x) => add(product(turned(x), 0), product(turned(apply('Neg', [x])), 1)));
    expect(opsOf(graph)).toEqual(['Neg', 'Concat', 'Transpose', 'Concat', 'MatMul']);
  });
  test('makes one sum of sums over the same axes', () => {
    const sum = (x: Value) => apply('ReduceSum', [x, rows], { keepdims: 0 });
    const graph = merged((x) => add(sum(x), sum(apply('Neg', [apply('Exp', [x])])), sum(apply('Abs', [x]))));
    expect(opsOf(graph).filter((op) => op === 'ReduceSum')).toHaveLength(1);
  });
  test.each<[string, (x: Value) => Value | readonly Value[]]>([
    ['products that somebody else reads', (x) => {
      const [a, b] = [product(x, 0), product(x, 1)];
      return [add(a, b), a, b];
    }],
    ['sums over different axes', (x) => add(apply('ReduceSum', [x, rows], { keepdims: 1 }), apply('ReduceSum', [apply('Neg', [x]), rows], { keepdims: 0 }))],
    ['products whose operands are larger than their results', (x) => add(apply('MatMul', [constant(noise([1, 4])), x]), apply('MatMul', [constant(noise([1, 4])), apply('Neg', [x])]))],
    ['a product and its repetition over rows', (x) => add(product(x, 0), apply('MatMul', [constant(noise([1, 6])), constant(noise([6, 6]))]))],
  ])('leaves alone %s', (_, build) => {
    const graph = merged(build);
    expect(opsOf(graph)).not.toContain('Concat');
  });
});
