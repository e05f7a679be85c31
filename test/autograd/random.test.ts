/** Random graphs of smooth operators: along a random direction, and once more, gradients are what differences say. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { apply, type Attrs, constant, fromNumbers, input, type Shape, sizeOf, toNumbers, type Value, verifyGraph } from '../../src/graph/index.ts';
import { evaluateGraph } from '../../src/ops/index.ts';
import { random } from '../support/ops.ts';
import { gradientsOf, graphOf, type Problem, randomTensor, weightedSum } from './check.ts';

const shapes: readonly Shape[] = [[2, 3], [3], [2, 1], [], [3, 3], [2, 3, 3], [1, 2, 6]];
const ints = (...values: number[]): Value => constant(fromNumbers('int64', [values.length], values));

/** Operators of one or two values; undefined, or an error, where they do not fit. */
const steps: readonly ((a: Value, b: Value, pick: (n: number) => number) => Value | undefined)[] = [
  ...['Sin', 'Cos', 'Tanh', 'Sigmoid', 'Erf', 'Gelu', 'Softplus', 'Atan', 'Neg', 'Identity'].map((op) => (a: Value) => apply(op, [a])),
  ...['Add', 'Sub', 'Mul', 'MatMul'].map((op) => (a: Value, b: Value) => apply(op, [a, b])),
  (a, b) => apply('Div', [a, apply('Add', [apply('Softplus', [b]), apply('Sigmoid', [b])])]),
  (a, b) => apply('Mul', [a, apply('StopGradient', [apply('Constant', [], { value: randomTensor(b.shape, random(3)) })])]),
  (a, b, pick) => apply('Concat', [a, b], { axis: pick(a.shape.length) }),
  (a, _b, pick) => apply(['Softmax', 'LogSoftmax'][pick(2)], [a], { axis: pick(a.shape.length) }),
  (a, _b, pick) => apply(['ReduceSum', 'ReduceMean', 'ReduceLogSumExp', 'ReduceProd', 'ReduceSumSquare'][pick(5)], [a, ints(pick(a.shape.length))], keep(pick)),
  (a, _b, pick) => apply('Slice', [a, ints(pick(2)), ints(pick(3) + 1), ints(pick(a.shape.length))]),
  (a, _b, pick) => apply('CumSum', [a, ints(pick(a.shape.length))], { exclusive: pick(2), reverse: pick(2) }),
  (a, _b, pick) => {
    const axis = pick(a.shape.length);
    return apply('Gather', [a, ints(0, pick(a.shape[axis]), -1)], { axis });
  },
  (a, _b, pick) => apply('Pad', [a, ints(pick(2), pick(3)), null, ints(pick(a.shape.length))], { mode: ['constant', 'edge'][pick(2)] }),
  (a) => apply('Transpose', [a]),
  (a, b) => (a.shape.length >= 1 ? apply('LayerNormalization', [a, b], { epsilon: 0.1 }) : undefined),
  (a, b) => apply('Conv', [a, b], { pads: [1, 1] }),
];

const keep = (pick: (n: number) => number): Attrs => ({ keepdims: pick(2) });

function problemFrom(choices: readonly number[]): Problem {
  let next = 0;
  const pick = (n: number): number => (choices[next++] ?? 0) % n;
  const numbers = random(pick(1000));
  const inputs = Array.from({ length: 2 + pick(2) }, (_, i) => input(`x${i}`, 'float64', shapes[pick(shapes.length)]));
  const at = Object.fromEntries(inputs.map(({ shape }, i) => [`x${i}`, randomTensor(shape, numbers)]));
  const pool = [...inputs];
  while (next < choices.length) {
    const [a, b] = [pool[pool.length - 1 - pick(Math.min(pool.length, 4))], pool[pick(pool.length)]];
    try {
      const value = steps[pick(steps.length)](a, b, pick);
      // Means of nothing are NaN.
      const size = value ? sizeOf(value.shape) : 0;
      if (size > 0 && size <= 60) pool.push(value!);
    } catch {
      // Operands that do not fit: the next step may.
    }
  }
  // Bounded, so that what was added up and multiplied a few times stays smooth at the size of a step.
  const ends = pool.slice(-3).map((value) => apply('Tanh', [value]));
  return { loss: weightedSum(ends, numbers), inputs, at };
}

/** The derivative along a direction, by the gradients and by Richardson's extrapolation of differences. */
function along({ loss, inputs, at }: Problem, seed: number): { got: number; expected: number; scale: number } {
  const next = random(seed);
  const direction = Object.fromEntries(inputs.map(({ shape }, i) => [`x${i}`, randomTensor(shape, next)]));
  const results = gradientsOf({ loss, inputs });
  const graph = graphOf(inputs, results);
  verifyGraph(graph);
  const computed = evaluateGraph(graph, at);
  let [got, scale] = [0, 1];
  results.forEach((_, i) => {
    const gradient = computed[`y${i}`];
    if (!gradient) return;
    toNumbers(gradient).forEach((g, j) => {
      got += g * Number(direction[`x${i}`].data[j]);
      scale = Math.max(scale, Math.abs(g));
    });
  });
  const lossGraph = graphOf(inputs, [loss]);
  const lossAt = (h: number): number =>
    toNumbers(evaluateGraph(lossGraph, Object.fromEntries(Object.entries(at).map(([name, tensor]) => [name, { ...tensor, data: (tensor.data as Float64Array).map((x, j) => x + h * Number(direction[name].data[j])) }]))).y0)[0];
  const difference = (h: number): number => (lossAt(h) - lossAt(-h)) / (2 * h);
  const h = 1e-4;
  return { got, expected: (4 * difference(h / 2) - difference(h)) / 3, scale };
}

const choices = fc.noBias(fc.array(fc.nat(2 ** 16 - 1), { minLength: 10, maxLength: 60, size: 'max' }));

test('gradients of random graphs, and gradients of these', () => {
  fc.assert(
    fc.property(choices, fc.nat(1000), (list, seed) => {
      const problem = problemFrom(list);
      const first = along(problem, seed);
      expect(Math.abs(first.got - first.expected)).toBeLessThan(1e-6 * first.scale);
      const gradients = gradientsOf(problem).filter((value) => value !== null);
      fc.pre(gradients.length > 0);
      const second = along({ ...problem, loss: weightedSum(gradients, random(seed)) }, seed + 1);
      expect(Math.abs(second.got - second.expected)).toBeLessThan(1e-5 * second.scale);
    }),
    { numRuns: 80 },
  );
});
