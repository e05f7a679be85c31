import { describe, expect, test } from 'vitest';
import { coreOps } from '../../test/support/ops.ts';
import { graphOf, opsOf, optimized } from '../../test/support/passes.ts';
import { apply } from '../graph/index.ts';
import { decompose } from './index.ts';

const gelu = graphOf([[4]], (x) => apply('Gelu', [x]));

describe('decompose', () => {
  test('takes operators apart until the device runs all that is left', () => {
    const ops = opsOf(optimized(graphOf([[4, 3]], (x) => apply('Hardmax', [apply('Mish', [x])])), (graph) => decompose(graph, ({ op }) => coreOps.has(op)), 1e-6));
    expect(ops.length).toBeGreaterThan(3);
    expect(ops.filter((op) => !coreOps.has(op))).toEqual([]);
  });

  test('leaves what the device runs', () => expect(decompose(gelu, () => true)).toBe(gelu));

  test("takes the device's own way first, even of what it runs otherwise", () => {
    const own = decompose(gelu, () => true, (node) => (node.op === 'Gelu' ? [apply('Relu', [node.inputs[0]])] : undefined));
    expect(opsOf(own)).toEqual(['Relu']);
  });

  test('leaves operators that cannot be taken apart', () => expect(decompose(graphOf([[4]], (x) => apply('Floor', [x])), () => false).outputs[0].value.node.op).toBe('Floor'));

  test('ends where decompositions go in circles', () => {
    const swapped = decompose(gelu, () => true, (node) => (node.op === 'Input' ? undefined : [apply(node.op === 'Neg' ? 'Abs' : 'Neg', [node.inputs[0]])]));
    expect(opsOf(swapped)).toHaveLength(1);
  });
});
