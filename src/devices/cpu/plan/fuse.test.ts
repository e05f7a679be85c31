/** What becomes one step: maps with several results, parts that are written where they belong. */
import { describe, expect, test } from 'vitest';
import { apply, constant, fromNumbers, type Graph, input, type Value } from '../../../graph/index.ts';
import '../../../ops/index.ts';
import { isas } from '../codegen/index.ts';
import { plan } from './index.ts';

const size = 32;
const scalar = (value: number): Value => constant(fromNumbers('float32', [], [value]));
const mul = (a: Value, b: Value): Value => apply('Mul', [a, b]);
const add = (a: Value, b: Value): Value => apply('Add', [a, b]);

function graphOf(count: number, build: (...values: Value[]) => Value[]): Graph {
  const inputs = Array.from({ length: count }, (_, i) => ({ name: `x${i}`, value: input(`x${i}`, 'float32', [size, size]) }));
  return { name: 'test', inputs, outputs: build(...inputs.map(({ value }) => value)).map((value, i) => ({ name: `y${i}`, value })) };
}
const stepsOf = (graph: Graph): string[] => plan(graph, isas.avx512).steps.map(({ label }) => (label.op === 'MatMul' ? 'MatMul' : label.op === 'Concat' ? 'Concat' : 'map'));

/** As Adam has it: both averages are kept, and the parameter is made of them. */
function adam(p: Value, m: Value, v: Value, g: Value): Value[] {
  const [mean, square] = [add(mul(m, scalar(0.9)), mul(g, scalar(0.1))), add(mul(v, scalar(0.99)), mul(mul(g, g), scalar(0.01)))];
  return [mean, square, apply('Sub', [p, apply('Div', [mean, add(apply('Sqrt', [square]), scalar(1e-8))])])];
}

describe('one step', () => {
  test('updates a parameter and what is kept for it', () => {
    expect(stepsOf(graphOf(4, adam))).toEqual(['map']);
  });
  test('computes a gradient and updates with it', () => {
    const steps = stepsOf(graphOf(5, (p, m, v, a, b) => adam(p, m, v, apply('MatMul', [a, b]))));
    expect(steps.filter((op) => op === 'map')).toHaveLength(1); // B is packed
    expect(steps.filter((op) => op === 'MatMul')).toHaveLength(1);
  });
  test('has no value that is read before the step is done, outside of it', () => {
    const steps = stepsOf(graphOf(2, (a, b) => {
      const early = apply('Exp', [a]);
      const product = apply('MatMul', [early, b]);
      return [add(early, product)];
    }));
    expect(steps.at(-1)).toBe('MatMul');
    expect(steps[0]).toBe('map');
  });
});

describe('parts', () => {
  test('are written into the whole, under another shape and into several', () => {
    const steps = stepsOf(graphOf(2, (a, b) => {
      const [x, y] = [apply('Exp', [a]), apply('Tanh', [b])];
      const stacked = [x, y].map((part) => apply('Reshape', [part, constant(fromNumbers('int64', [3], [1, size, size]))]));
      const pair = apply('Concat', [x, y], { axis: 1 });
      return [apply('Concat', stacked, { axis: 0 }), apply('Concat', [pair, apply('Neg', [pair])], { axis: 0 })];
    }));
    expect(steps).toEqual(['map', 'map', 'map']);
  });
  test('that are outputs, inputs or come twice are copied', () => {
    const steps = stepsOf(graphOf(1, (a) => {
      const x = apply('Exp', [a]);
      return [x, apply('Concat', [x, a], { axis: 0 })];
    }));
    expect(steps).toEqual(['map', 'Concat', 'Concat']);
  });
});
