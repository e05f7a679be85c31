import { describe, expect, test } from 'vitest';
import { i64, vector } from '../../test/support/ops.ts';
import { graphOf, noise, opsOf, optimized } from '../../test/support/passes.ts';
import { apply, constant, constantOf, makeNode, toNumbers } from '../graph/index.ts';
import { foldConstants } from './index.ts';

describe('foldConstants', () => {
  test('computes what depends on constants alone, however deep', () => {
    const graph = optimized(graphOf([[3]], (x) => apply('Add', [x, apply('Exp', [apply('Neg', [constant(vector([1, 2, 3]))])], {}, 'weights')])), foldConstants);
    expect(opsOf(graph)).toEqual(['Add']);
    expect(graph.outputs[0].value.node.inputs[1]?.node.name).toBe('weights');
  });

  test('computes all results of a node', () => {
    const graph = graphOf([], () => [...makeNode('Split', [constant(vector([1, 2, 3, 4]))], { axis: 0, num_outputs: 2 }).outputs].reverse());
    expect(optimized(graph, foldConstants).outputs.map(({ value }) => toNumbers(constantOf(value)!))).toEqual([[3, 4], [1, 2]]);
  });

  test('leaves what is large to the device', () => {
    const large = constant(noise([5000]));
    expect(opsOf(foldConstants(graphOf([], () => apply('Neg', [large]))))).toEqual(['Neg']);
    expect(opsOf(foldConstants(graphOf([], () => apply('ReduceSum', [large]))))).toEqual([]);
    expect(opsOf(foldConstants(graphOf([], () => apply('Expand', [constant(vector([1])), constant(i64([1], [5000]))]))))).toEqual(['Expand']);
  });

  test('leaves what takes long to the device, however small its operand and result', () => {
    // Sixteen million places for each of 64 x 64 results.
    const pooled = graphOf([], () => apply('AveragePool', [constant(noise([1, 1, 1, 1]))], { kernel_shape: [4000, 4000], pads: [2031, 2031, 2031, 2031] }));
    expect(foldConstants(pooled)).toBe(pooled);
  });

  test('keeps graphs without constants as they are', () => {
    const graph = graphOf([[2], [2]], (x, y) => apply('Add', [x, y]));
    expect(foldConstants(graph)).toBe(graph);
  });
});
