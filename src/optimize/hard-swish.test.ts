import { expect, test } from 'vitest';
import { apply, constant, type DType, fromNumbers, type Graph, input, topologicalOrder, toNumbers, type Value } from '../graph/index.ts';
import { evaluateGraph } from '../ops/index.ts';
import { hardSwish } from './index.ts';

const scalar = (value: number, dtype: DType = 'float32') => constant(fromNumbers(dtype, [], [value]));
const graphOf = (x: Value, result: Value): Graph => ({ name: 'g', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'y', value: result }] });
const opsOf = (graph: Graph) => topologicalOrder(graph).map(({ op }) => op).filter((op) => op !== 'Constant' && op !== 'Input');
const x = input('x', 'float32', [2, 401]);
const clip = (value: Value, add = 3, high = 6) => apply('Clip', [apply('Add', [value, scalar(add)]), scalar(0), scalar(high)]);

const written: Record<string, Value> = {
  'product, then a division': apply('Div', [apply('Mul', [x, clip(x)]), scalar(6)]),
  'operands the other way round': apply('Div', [apply('Mul', [apply('Clip', [apply('Add', [scalar(3), x]), scalar(0), scalar(6)]), x]), scalar(6)]),
  'a multiplication by a sixth': apply('Mul', [scalar(1 / 6), apply('Mul', [x, clip(x)])]),
};
for (const [name, result] of Object.entries(written)) {
  test(`one operator: ${name}`, () => {
    const graph = graphOf(x, result);
    const rewritten = hardSwish(graph);
    expect(opsOf(rewritten)).toEqual(['HardSwish']);
    const feed = { x: fromNumbers('float32', x.shape, Array.from({ length: 802 }, (_, i) => (i - 401) / 50)) };
    const [want, got] = [graph, rewritten].map((g) => toNumbers(evaluateGraph(g, feed).y));
    got.forEach((value, i) => expect(Math.abs(value - want[i])).toBeLessThanOrEqual(2 ** -22 * Math.max(1, Math.abs(want[i]))));
  });
}

test('nothing else is taken for it', () => {
  const y = input('y', 'float32', [2, 401]);
  const others = [
    apply('Div', [apply('Mul', [x, clip(x, 2)]), scalar(6)]),
    apply('Div', [apply('Mul', [x, clip(x, 3, 5)]), scalar(6)]),
    apply('Div', [apply('Mul', [x, clip(x)]), scalar(5)]),
    apply('Div', [apply('Mul', [y, clip(x)]), scalar(6)]),
    apply('Div', [scalar(6), apply('Mul', [x, clip(x)])]),
    apply('Mul', [x, clip(x)]),
    // Broadcast: the result is larger than x.
    apply('Div', [apply('Mul', [x, clip(x)]), constant(fromNumbers('float32', [1, 1, 1], [6]))]),
  ];
  for (const result of others) {
    const graph = graphOf(x, result);
    expect(hardSwish(graph)).toBe(graph);
  }
});
