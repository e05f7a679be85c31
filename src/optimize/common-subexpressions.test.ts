import { describe, expect, test } from 'vitest';
import { vector } from '../../test/support/ops.ts';
import { apply, constant, input, makeNode, topologicalOrder, type Value } from '../graph/index.ts';
import { commonSubexpressions } from './index.ts';
import { graphOf, noise, opsOf, optimized } from '../../test/support/passes.ts';

const count = (build: (...inputs: Value[]) => Value | readonly Value[], shapes = [[4], [4]]): string[] => opsOf(optimized(graphOf(shapes, build), commonSubexpressions));

describe('commonSubexpressions', () => {
  test('joins nodes of the same operator, operands and attributes, and what then is the same', () => {
    expect(count((x, y) => apply('Mul', [apply('Neg', [apply('Add', [x, y])]), apply('Neg', [apply('Add', [x, y], {}, 'another name')])]))).toEqual(['Add', 'Neg', 'Mul']);
  });

  test.each<[string, (x: Value, y: Value) => readonly Value[]]>([
    ['other operands', (x, y) => [apply('Add', [x, y]), apply('Add', [y, x])]],
    ['another attribute', (x) => [apply('LeakyRelu', [x], { alpha: 0 }), apply('LeakyRelu', [x], { alpha: -0 })]],
    ['an attribute more', (x) => [apply('LeakyRelu', [x]), apply('LeakyRelu', [x], { alpha: 0.01 })]],
    ['an operand left out', (x) => [apply('Clip', [x, constant({ ...vector([1]), shape: [] }), null]), apply('Clip', [x, null, constant({ ...vector([1]), shape: [] })])]],
    ['a constant of another shape', (x) => [apply('Add', [x, constant(noise([4]))]), apply('Add', [x, constant({ ...noise([4]), shape: [1, 4] })])]],
    ['a constant of another sign of zero', (x) => [apply('Mul', [x, constant(vector([0]))]), apply('Mul', [x, constant(vector([-0]))])]],
  ])('keeps apart nodes of %s', (_, build) => expect(count((x, y) => build(x, y))).toHaveLength(2));

  test('joins small constants by content, large ones by identity', () => {
    const add = (x: Value, data = noise([1000])) => apply('Add', [x, constant(data)]);
    const shared = noise([1000]);
    expect(count((x) => [apply('Add', [x, constant(vector([2]))]), apply('Add', [x, constant(vector([2]))])])).toHaveLength(1);
    expect(count((x) => [add(x, shared), add(x, shared)], [[1000]])).toHaveLength(1);
    expect(count((x) => [add(x), add(x)], [[1000]])).toHaveLength(2);
  });

  test('keeps inputs apart, and results of one node in order', () => {
    const graph = graphOf([[2, 4]], (x) => {
      const [a, b] = [0, 1].map(() => makeNode('Split', [x], { axis: 1, num_outputs: 2 }));
      return [a.outputs[0], b.outputs[1], apply('Sub', [a.outputs[1], b.outputs[0]])];
    });
    expect(opsOf(optimized(graph, commonSubexpressions))).toEqual(['Split', 'Sub']);
    const twins = [input('same', 'float32', [4]), input('same', 'float32', [4])];
    const sum = { name: 'twins', inputs: twins.map((value, i) => ({ name: `x${i}`, value })), outputs: [{ name: 'y', value: apply('Sub', twins) }] };
    expect(topologicalOrder(optimized(sum, commonSubexpressions)).filter(({ op }) => op === 'Input')).toHaveLength(2);
  });

  test('takes time in proportion to the graph', () => {
    const graph = graphOf([[1]], (x) => {
      let [a, b] = [x, x];
      for (let i = 0; i < 10_000; i++) [a, b] = [apply('Neg', [a]), apply('Neg', [b])];
      return apply('Add', [a, b]);
    });
    expect(opsOf(commonSubexpressions(graph))).toHaveLength(10_001);
  });
});
