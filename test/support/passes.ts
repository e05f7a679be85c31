/** For tests of passes: graphs of a few nodes, what operators are left of them, and whether they still mean the same. */
import { expect } from 'vitest';
import { random } from './ops.ts';
import { type DType, type Graph, input, type Shape, type TensorData, topologicalOrder, type Value, verifyGraph } from '../../src/graph/index.ts';
import { evaluateGraph, fromElements, numbersOf } from '../../src/ops/index.ts';

/** A graph of inputs of these shapes. */
export function graphOf(shapes: readonly Shape[], build: (...inputs: Value[]) => Value | readonly Value[], dtype: DType = 'float32'): Graph {
  const values = shapes.map((shape, i) => input(`x${i}`, dtype, shape));
  const results = [build(...values)].flat();
  return {
    name: 'test',
    inputs: values.map((value, i) => ({ name: `x${i}`, value })),
    outputs: results.map((value, i) => ({ name: `y${i}`, value })),
  };
}

/** Operators but Input and Constant, in order. */
export const opsOf = (graph: Graph): string[] => topologicalOrder(graph).map(({ op }) => op).filter((op) => op !== 'Input' && op !== 'Constant');

/** Numbers from -1 to 1, the same each time. */
export function noise(shape: Shape, dtype: DType = 'float32', seed = 1): TensorData {
  const next = random(seed);
  return fromElements({ dtype, shape }, Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next() * 2 - 1));
}

/** Runs a pass; fails unless the result is valid and means the same (to `tolerance`, relative to numbers of about 1). */
export function optimized(graph: Graph, pass: (graph: Graph) => Graph, tolerance = 0): Graph {
  const result = pass(graph);
  verifyGraph(result);
  const inputs = Object.fromEntries(graph.inputs.map(({ name, value }, i) => [name, noise(value.shape, value.dtype, i + 7)]));
  const [before, after] = [evaluateGraph(graph, inputs), evaluateGraph(result, inputs)];
  for (const { name } of graph.outputs) {
    const [a, b] = [numbersOf(before[name]), numbersOf(after[name])];
    expect([after[name].dtype, after[name].shape]).toEqual([before[name].dtype, before[name].shape]);
    for (let i = 0; i < a.length; i++) {
      if (!Object.is(a[i], b[i]) && !(Math.abs(a[i] - b[i]) <= tolerance)) expect.fail(`${name}, element ${i}: ${a[i]} before, ${b[i]} after`);
    }
  }
  return result;
}
