/** Gradients by central differences, to check those of rules against. */
import { expect } from 'vitest';
import { constant, type Graph, input, makeNode, sizeOf, type TensorData, toNumbers, type Value, verifyGraph } from '../../src/graph/index.ts';
import { evaluateGraph, fromElements } from '../../src/ops/index.ts';
import { gradients } from '../../src/autograd/index.ts';
import { random } from '../support/ops.ts';
import type { Case, Fixed, Floats } from './cases.ts';

export type FloatDType = 'float32' | 'float64';

/** A scalar of some inputs, and where to look at it. */
export interface Problem {
  readonly loss: Value;
  readonly inputs: readonly Value[];
  readonly at: Readonly<Record<string, TensorData>>;
}

const isFixed = (operand: Floats | Fixed): operand is Fixed => 'fixed' in operand;

export const randomTensor = (
  shape: readonly number[],
  next: () => number,
  [low, high]: readonly [number, number] = [-1, 1],
  dtype: FloatDType = 'float64',
): TensorData => fromElements({ dtype, shape }, Float64Array.from({ length: sizeOf(shape) }, () => low + next() * (high - low)));

/** sum(value * weight) over all values, with random constants as weights. */
export function weightedSum(values: readonly Value[], next: () => number): Value {
  const sums = values.map((value) => {
    const product = makeNode('Mul', [value, constant(randomTensor(value.shape, next, [-1, 1], value.dtype as FloatDType))]).outputs[0];
    return makeNode('ReduceSum', [product], { keepdims: 0 }).outputs[0];
  });
  return makeNode('Sum', sums).outputs[0];
}

/** The operator's results as one scalar. */
export function problemOf({ op, operands, attrs }: Case, seed: number, dtype: FloatDType = 'float64', prefix = ''): Problem {
  const next = random(seed);
  const inputs: Value[] = [];
  const at: Record<string, TensorData> = {};
  const values = operands.map((operand, i) => {
    if (!operand) return null;
    if (isFixed(operand)) return constant(fromElements({ dtype: operand.dtype === 'float64' ? dtype : operand.dtype, shape: operand.shape }, operand.fixed));
    const name = `${prefix}x${i}`;
    at[name] = operand.values
      ? fromElements({ dtype, shape: operand.shape }, Float64Array.from(operand.values))
      : randomTensor(operand.shape, next, operand.range, dtype);
    const value = input(name, dtype, operand.shape);
    inputs.push(value);
    return value;
  });
  const results = makeNode(op, values, op === 'Cast' ? { to: dtype } : attrs).outputs.filter((value) => value.dtype === dtype);
  return { loss: weightedSum(results, next), inputs, at };
}

export const graphOf = (inputs: readonly Value[], outputs: readonly (Value | null)[]): Graph => ({
  name: 'gradients',
  inputs: inputs.map((value) => ({ name: value.node.attrs.name as string, value })),
  outputs: outputs.flatMap((value, i) => (value ? [{ name: `y${i}`, value }] : [])),
});

/** (f(x + h) - f(x - h)) / 2h for each element of each input. */
export function numericGradients({ loss, inputs, at }: Problem): Float64Array[] {
  const graph = graphOf(inputs, [loss]);
  const lossAt = (feed: Readonly<Record<string, TensorData>>): number => toNumbers(evaluateGraph(graph, feed).y0)[0];
  return inputs.map((value) => {
    const name = value.node.attrs.name as string;
    const { data } = at[name];
    return Float64Array.from(data as Float64Array, (there, i) => {
      const step = 2e-6 * Math.max(1, Math.abs(there));
      const moved = (by: number) => lossAt({ ...at, [name]: { ...at[name], data: (data as Float64Array).with(i, there + by) } });
      return (moved(step) - moved(-step)) / (2 * step);
    });
  });
}

export const gradientsOf = ({ loss, inputs }: Pick<Problem, 'loss' | 'inputs'>): (Value | null)[] => gradients([{ value: loss }], inputs);

/** Fails where the gradients of the problem's loss are not those that differences say. A null one must be zero. */
export function gradcheck(problem: Problem, tolerance = 1e-7): void {
  const results = gradientsOf(problem);
  const graph = graphOf(problem.inputs, results);
  verifyGraph(graph);
  const computed = evaluateGraph(graph, problem.at);
  numericGradients(problem).forEach((expected, which) => {
    const got = results[which] ? toNumbers(computed[`y${which}`]) : [...expected].fill(0);
    expected.forEach((e, i) => {
      const distance = Math.abs(got[i] - e) / Math.max(1, Math.abs(e));
      if (!(distance <= tolerance)) expect.fail(`input ${which}, element ${i}: differences say ${e}, the rule ${got[i]}`);
    });
  });
}
