import { describe, expect, test } from 'vitest';
import { apply, constant, fromNumbers, type Graph, input, topologicalOrder, toNumbers, type TensorData, type Value } from '../graph/index.ts';
import { evaluateGraph, fromElements } from '../ops/index.ts';
import { gradients } from './index.ts';

const f64 = (shape: readonly number[], values: readonly number[]): TensorData => fromElements({ dtype: 'float64', shape }, values);
const x = input('x', 'float64', [3]);
const scalar = (name: string): Value => input(name, 'float64', []);
const ints = (...values: number[]): Value => constant(fromNumbers('int64', [values.length], values));
const total = (value: Value): Value => apply('ReduceSum', [value], { keepdims: 0 });

function evaluate(values: readonly (Value | null)[], inputs: Readonly<Record<string, TensorData>>, declared: readonly Value[]): number[][] {
  const graph: Graph = {
    name: 'test',
    inputs: declared.map((value) => ({ name: value.node.attrs.name as string, value })),
    outputs: values.map((value, i) => ({ name: `${i}`, value: value! })),
  };
  const results = evaluateGraph(graph, inputs);
  return values.map((_, i) => toNumbers(results[`${i}`]));
}

/** d sum(f(x)) / dx at three points. */
const slopes = (f: (x: Value) => Value, at: readonly number[]): number[] =>
  evaluate(gradients([{ value: total(f(x)) }], [x]), { x: f64([3], at) }, [x])[0];

test('the text-book case', () => {
  const [a, b] = [scalar('a'), scalar('b')];
  const sum = apply('Add', [a, apply('Mul', [a, b])]);
  const y = apply('Mul', [sum, sum]);
  const at = { a: f64([], [1]), b: f64([], [2]) };
  expect(evaluate(gradients([{ value: y }], [a, b]), at, [a, b])).toEqual([[18], [6]]);
});

test('a value of wrt that others of wrt depend on has its own gradient, and they have theirs through it', () => {
  const y = apply('Mul', [x, x]);
  const loss = total(apply('Mul', [y, x]));
  expect(evaluate(gradients([{ value: loss }], [x, y]), { x: f64([3], [1, 2, 3]) }, [x])).toEqual([[3, 12, 27], [1, 2, 3]]);
});

test('outputs count as much as their cotangents say, an output of wrt itself included', () => {
  const weight = input('w', 'float64', [3]);
  const results = gradients([{ value: apply('Mul', [x, x]), cotangent: weight }, { value: x }], [x]);
  expect(evaluate(results, { x: f64([3], [1, 2, 3]), w: f64([3], [1, 10, 0]) }, [x, weight])).toEqual([[3, 41, 1]]);
});

test('is null where nothing depends on a value, or by way of integers alone', () => {
  const other = input('other', 'float64', [3]);
  const rounded = apply('Cast', [apply('Cast', [x], { to: 'int64' })], { to: 'float64' });
  expect(gradients([{ value: other }, { value: rounded }], [x])).toEqual([null]);
  expect(gradients([], [x])).toEqual([null]);
});

test('StopGradient is a value that nothing is differentiated through', () => {
  expect(slopes((v) => apply('Mul', [v, apply('StopGradient', [v])]), [1, 2, 3])).toEqual([1, 2, 3]);
});

test('repeats as often as wanted', () => {
  const powers = [apply('Mul', [apply('Mul', [x, x]), apply('Mul', [x, x])])];
  for (let i = 0; i < 4; i++) powers.push(gradients([{ value: powers[i] }], [x])[0]!);
  expect(evaluate(powers, { x: f64([3], [1, 2, -1]) }, [x])).toEqual([[1, 16, 1], [4, 32, -4], [12, 48, 12], [24, 48, -24], [24, 24, 24]]);
  expect(gradients([{ value: powers[4] }], [x])).toEqual([null]);
});

test('an operand that an operator without a rule reads twice has its whole gradient', () => {
  expect(slopes((v) => apply('Einsum', [v, v], { equation: 'i,i->' }), [1, 2, 3])).toEqual([2, 4, 6]);
});

test('operands that depend on each other are apart within a decomposition', () => {
  const [m, s] = [input('m', 'float64', [1, 3]), scalar('s')];
  const scaled = apply('Mul', [m, s]);
  const loss = total(apply('Gemm', [m, scaled], { transB: 1 }));
  expect(evaluate(gradients([{ value: loss }], [m, s]), { m: f64([1, 3], [1, 2, 3]), s: f64([], [2]) }, [m, s])).toEqual([[4, 8, 12], [14]]);
});

describe('subgradients are those of PyTorch:', () => {
  const bound = (value: number) => constant(f64([], [value]));
  const rows: readonly [name: string, f: (v: Value) => Value, at: number[], expected: number[]][] = [
    ['Relu is flat at 0', (v) => apply('Relu', [v]), [-1, 0, 1], [0, 0, 1]],
    ['Abs is flat at 0', (v) => apply('Abs', [v]), [-1, 0, 1], [-1, 0, 1]],
    ['LeakyRelu leaks at 0', (v) => apply('LeakyRelu', [v], { alpha: 0.5 }), [-1, 0, 1], [0.5, 0.5, 1]],
    ['Clip passes at its bounds', (v) => apply('Clip', [v, bound(0), bound(1)]), [0, 1, 1.5], [1, 1, 0]],
    ['HardSigmoid is flat at its ends', (v) => apply('HardSigmoid', [v], { alpha: 0.25 }), [-2, 0, 2], [0, 0.25, 0]],
    ['equal operands of Max share', (v) => apply('Max', [v, bound(0)]), [-1, 0, 1], [0, 0.5, 1]],
    ['equal elements of ReduceMax share', (v) => apply('ReduceMax', [v]), [2, 1, 2], [0.5, 0, 0.5]],
    ['ReduceL2 is flat at 0', (v) => apply('ReduceL2', [v]), [0, 0, 0], [0, 0, 0]],
    ['0 to the power 2', (v) => apply('Pow', [v, bound(2)]), [0, 1, 2], [0, 2, 4]],
    ['the exponent of 0', (v) => apply('Pow', [bound(0), v]), [1, 2, 3], [0, 0, 0]],
    ['ReduceProd of zeros', (v) => apply('ReduceProd', [v]), [0, 3, 4], [12, 0, 0]],
    ['what a dilated window finds beyond the edge goes nowhere', (v) => apply('MaxPool', [apply('Reshape', [v, ints(1, 1, 3)])], { kernel_shape: [2], dilations: [4], pads: [3, 3] }), [1, 2, 3], [1, 2, 1]],
    ['the first of equal elements is pooled', (v) => apply('MaxPool', [apply('Reshape', [v, ints(1, 1, 3)])], { kernel_shape: [2] }), [2, 2, 2], [1, 1, 0]],
  ];
  test.each(rows)('%s', (_name, f, at, expected) => expect(slopes(f, at)).toEqual(expected));
});

test('slices of one value come back as one Concat', () => {
  const rows = input('rows', 'float64', [5, 2]);
  const slice = (start: number, end: number) => apply('Slice', [rows, ints(start), ints(end), ints(0)]);
  const scaled = [slice(0, 1), slice(3, 4), slice(1, 2), slice(1, 3)].map((value, i) => apply('Mul', [value, constant(f64([], [i + 1]))]));
  const [gradient] = gradients(scaled.map((value) => ({ value })), [rows]);
  expect(topologicalOrder({ outputs: [{ name: '', value: gradient! }] }).filter(({ op }) => op === 'Add' || op === 'Concat').map(({ op }) => op)).toEqual(['Concat', 'Concat', 'Add']);
  expect(evaluate([gradient], { rows: f64([5, 2], [...Array(10).keys()]) }, [rows])).toEqual([[1, 1, 7, 7, 4, 4, 2, 2, 0, 0]]);
});

test('the cotangent of a matrix that a batch shares is one product', () => {
  const [a, w] = [input('a', 'float64', [4, 5, 3]), input('w', 'float64', [3, 2])];
  const [gradient] = gradients([{ value: apply('MatMul', [a, w]) }], [w]);
  const ops = topologicalOrder({ outputs: [{ name: '', value: gradient! }] }).map(({ op }) => op);
  expect(ops).not.toContain('ReduceSum');
  expect(ops.filter((op) => op === 'MatMul')).toHaveLength(1);
});

test('the cotangent of weights that are read transposed is made in their own order', () => {
  const [a, w] = [input('a', 'float64', [4, 3]), input('w', 'float64', [2, 3])];
  const turned = apply('Transpose', [w], { perm: [1, 0] });
  const [gradient] = gradients([{ value: apply('MatMul', [a, turned]) }], [w]);
  // Turned round twice: what eliminates that leaves the product itself.
  expect([gradient!.node.op, gradient!.node.inputs[0]!.node.op, gradient!.node.inputs[0]!.node.inputs[0]!.shape]).toEqual(['Transpose', 'Transpose', [2, 3]]);
});

test('graphs may be deeper than the call stack', () => {
  let value: Value = x;
  for (let i = 0; i < 50_000; i++) value = apply(i % 2 === 0 ? 'Neg' : 'Identity', [value]);
  expect(evaluate(gradients([{ value }], [x]), { x: f64([3], [1, 2, 3]) }, [x])).toEqual([[1, 1, 1]]);
});

describe('errors', () => {
  const n = input('n', 'int64', [3]);
  test('integers have no gradient', () => {
    expect(() => gradients([{ value: n }], [x])).toThrow("gradients of Input 'n': expected a float tensor, got int64[3]");
    expect(() => gradients([{ value: x }], [n])).toThrow('expected a float tensor, got int64[3]');
  });
  test("a cotangent is of its value's type", () => {
    expect(() => gradients([{ value: x, cotangent: scalar('c') }], [x])).toThrow("the cotangent of Input 'x': expected float64[3], got float64[]");
  });
});
