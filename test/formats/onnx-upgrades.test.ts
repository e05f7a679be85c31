/** What old opsets said must mean the same in the newest: each row of the upgrade table, with numbers worked out by hand. */
import { describe, expect, test } from 'vitest';
import { fromNumbers, type TensorData, tensorData, toNumbers } from '../../src/graph/index.ts';
import { importOnnx } from '../../src/formats/index.ts';
import { evaluateGraph } from '../../src/ops/index.ts';
import { counting, f32, float, floats, i64, node, onnxFile, valueInfo } from './onnx-model.ts';

type Attributes = Parameters<typeof node>[3];

interface Example {
  readonly opset: number;
  readonly op: string;
  readonly x: TensorData;
  readonly attrs?: Attributes;
  readonly constants?: Readonly<Record<string, TensorData>>;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

function run({ opset, op, x, attrs, constants = {}, inputs, outputs = ['y'] }: Example): TensorData {
  const bytes = onnxFile({
    opset,
    inputs: [valueInfo('x', x.dtype, x.shape)],
    outputs: outputs.filter((name) => name !== '').slice(0, 1),
    constants,
    nodes: [node(op, inputs ?? ['x', ...Object.keys(constants)], outputs, attrs)],
  });
  return Object.values(evaluateGraph(importOnnx(bytes).build(), { x }))[0];
}

/** What files write for 'to the end'. */
const intMax = (2n ** 63n - 1n) as never;
const e = Math.exp;
const softmax = (values: number[]) => values.map((value) => e(value) / values.reduce((sum, other) => sum + e(other), 0));

const examples: readonly Example[] = [
  { opset: 6, op: 'Relu', x: f32([2], [-1, 2]), shape: [2], values: [0, 2] },
  { opset: 5, op: 'Relu', x: f32([2], [-1, 2]), attrs: { consumed_inputs: [0] }, shape: [2], values: [0, 2] },
  // A bias of channels, aligned at axis 1.
  { opset: 6, op: 'Add', x: counting([1, 2, 2]), attrs: { axis: 1, broadcast: 1 }, constants: { b: f32([2], [10, 20]) }, shape: [1, 2, 2], values: [11, 12, 23, 24] },
  { opset: 6, op: 'Mul', x: counting([2, 2]), attrs: { broadcast: 1 }, constants: { b: f32([2], [1, 10]) }, shape: [2, 2], values: [1, 20, 3, 40] },
  { opset: 6, op: 'PRelu', x: f32([1, 2, 2], [-1, -2, -3, 4]), constants: { slope: f32([2], [2, 3]) }, shape: [1, 2, 2], values: [-2, -4, -9, 4] },
  { opset: 6, op: 'Gemm', x: counting([1, 2]), attrs: { broadcast: 1 }, constants: { b: f32([2, 1], [1, 1]), c: f32([1], [5]) }, shape: [1, 1], values: [8] },
  { opset: 4, op: 'Cast', x: f32([2], [1.7, -1.7]), attrs: { to: 'INT32' }, shape: [2], values: [1, -1] },
  { opset: 6, op: 'Cast', x: f32([2], [1.7, -1.7]), attrs: { to: 7 }, shape: [2], values: [1, -1] },
  { opset: 19, op: 'Cast', x: f32([2], [1.7, -1.7]), attrs: { to: 7, saturate: 1 }, shape: [2], values: [1, -1] },
  { opset: 3, op: 'Concat', x: counting([1, 2]), constants: { b: f32([1, 1], [9]) }, shape: [1, 3], values: [1, 2, 9] },
  { opset: 4, op: 'Reshape', x: counting([2, 3]), attrs: { shape: [3, -1] }, shape: [3, 2], values: [1, 2, 3, 4, 5, 6] },
  { opset: 1, op: 'Pad', x: counting([2]), attrs: { paddings: [1, 1], value: float(7) }, shape: [4], values: [7, 1, 2, 7] },
  { opset: 10, op: 'Pad', x: counting([3]), attrs: { pads: [0, 2], mode: 'reflect' }, shape: [5], values: [1, 2, 3, 2, 1] },
  { opset: 9, op: 'Slice', x: counting([2, 4]), attrs: { starts: [1, 1], ends: [2, intMax], axes: [0, 1] }, shape: [1, 3], values: [6, 7, 8] },
  { opset: 10, op: 'Slice', x: counting([4]), constants: { s: i64([-1]), t: fromNumbers('int64', [1], [-(2 ** 62)]), a: i64([0]), d: i64([-2]) }, shape: [2], values: [4, 2] },
  { opset: 10, op: 'Clip', x: f32([3], [-5, 0.5, 5]), attrs: { min: float(-1), max: float(2) }, shape: [3], values: [-1, 0.5, 2] },
  { opset: 6, op: 'Clip', x: f32([3], [-5, 0.5, 5]), attrs: { max: float(2) }, shape: [3], values: [-5, 0.5, 2] },
  { opset: 12, op: 'Squeeze', x: counting([1, 2, 1]), attrs: { axes: [0] }, shape: [2, 1], values: [1, 2] },
  { opset: 12, op: 'Squeeze', x: counting([1, 2, 1]), shape: [2], values: [1, 2] },
  { opset: 11, op: 'Unsqueeze', x: counting([2]), attrs: { axes: [0, 2] }, shape: [1, 2, 1], values: [1, 2] },
  { opset: 12, op: 'ReduceSum', x: counting([2, 2]), attrs: { axes: [0], keepdims: 0 }, shape: [2], values: [4, 6] },
  { opset: 17, op: 'ReduceMean', x: counting([2, 2]), attrs: { axes: [-1] }, shape: [2, 1], values: [1.5, 3.5] },
  { opset: 13, op: 'ReduceMax', x: counting([2, 2]), shape: [1, 1], values: [4] },
  // All axes from `axis` on were one: here 2 x 2 elements sum to 1.
  { opset: 12, op: 'Softmax', x: counting([1, 2, 2]), shape: [1, 2, 2], values: softmax([1, 2, 3, 4]) },
  { opset: 13, op: 'Softmax', x: counting([1, 2, 2]), shape: [1, 2, 2], values: [...softmax([1, 2]), ...softmax([3, 4])] },
  { opset: 11, op: 'LogSoftmax', x: counting([2, 2]), attrs: { axis: 0 }, shape: [2, 2], values: softmax([1, 2, 3, 4]).map(Math.log) },
  { opset: 11, op: 'Softmax', x: counting([2, 2]), attrs: { axis: -1 }, shape: [2, 2], values: [...softmax([1, 2]), ...softmax([3, 4])] },
  {
    opset: 6, op: 'BatchNormalization', x: counting([1, 2, 1]), attrs: { epsilon: float(0), is_test: 1, spatial: 1 }, outputs: ['y', '', ''],
    constants: { scale: f32([2], [1, 2]), b: f32([2], [0, 1]), mean: f32([2], [0, 1]), variance: f32([2], [1, 4]) }, shape: [1, 2, 1], values: [1, 2],
  },
  {
    opset: 8, op: 'BatchNormalization', x: counting([1, 1, 2]), attrs: { epsilon: float(0), spatial: 0 }, outputs: ['y', 'm', 'v', 'sm', 'sv'],
    constants: { scale: f32([1, 2], [1, 2]), b: f32([1, 2], [0, 1]), mean: f32([1, 2], [0, 1]), variance: f32([1, 2], [1, 4]) }, shape: [1, 1, 2], values: [1, 2],
  },
  {
    opset: 18, op: 'GroupNormalization', x: f32([1, 4, 1], [1, 3, 5, 9]), attrs: { num_groups: 2, epsilon: float(0) },
    constants: { scale: f32([2], [1, 10]), bias: f32([2], [0, 5]) }, shape: [1, 4, 1], values: [-1, 1, -5, 15],
  },
  { opset: 1, op: 'Upsample', x: counting([1, 1, 1, 2]), attrs: { height_scale: float(2), width_scale: float(1), mode: 'nearest' }, shape: [1, 1, 2, 2], values: [1, 2, 1, 2] },
  { opset: 7, op: 'Upsample', x: counting([1, 1, 1, 2]), attrs: { scales: floats([1, 1, 1, 2]) }, shape: [1, 1, 1, 4], values: [1, 1, 2, 2] },
  { opset: 9, op: 'Upsample', x: counting([1, 1, 1, 2]), attrs: { mode: 'linear' }, constants: { s: f32([4], [1, 1, 1, 2]) }, shape: [1, 1, 1, 4], values: [1, 1.5, 2, 2] },
  { opset: 10, op: 'Resize', x: counting([1, 1, 1, 4]), constants: { s: f32([4], [1, 1, 1, 0.5]) }, shape: [1, 1, 1, 2], values: [1, 3] },
  { opset: 11, op: 'Resize', x: counting([2]), constants: { roi: f32([0], []), scales: f32([0], []), sizes: i64([4]) }, shape: [4], values: [1, 1, 2, 2] },
  { opset: 12, op: 'Split', x: counting([3]), attrs: { split: [1, 2] }, outputs: ['y', 'z'], shape: [1], values: [1] },
  { opset: 11, op: 'Split', x: counting([4]), outputs: ['y', 'z'], shape: [2], values: [1, 2] },
  { opset: 13, op: 'Split', x: counting([4]), constants: { parts: i64([3, 1]) }, outputs: ['y', 'z'], shape: [3], values: [1, 2, 3] },
  { opset: 18, op: 'Split', x: counting([5]), attrs: { num_outputs: 2 }, outputs: ['', 'y'], shape: [2], values: [4, 5] },
  { opset: 6, op: 'Dropout', x: counting([2]), attrs: { ratio: 0.5, is_test: 1 }, outputs: ['y', 'mask'], shape: [2], values: [1, 2] },
  { opset: 12, op: 'Dropout', x: counting([2]), constants: { ratio: f32([], [0.5]), training: tensorData('bool', [], Uint8Array.of(0)) }, outputs: ['', 'y'], shape: [2], values: [1, 1] },
  { opset: 9, op: 'Scatter', x: counting([3]), constants: { at: i64([2]), v: f32([1], [9]) }, shape: [3], values: [1, 2, 9] },
  { opset: 1, op: 'Identity', x: counting([2]), shape: [2], values: [1, 2] },
  { opset: 5, op: 'Selu', x: f32([1], [2]), shape: [1], values: [2 * 1.0507] },
];

describe('opset upgrades', () => {
  for (const example of examples) {
    test(`${example.op} of opset ${example.opset} (${Object.keys({ ...example.attrs, ...example.constants }).join(', ')})`, () => {
      const y = run(example);
      expect(y.shape).toEqual(example.shape);
      toNumbers(y).forEach((value, i) => expect(value).toBeCloseTo(example.values[i], 5));
      expect(toNumbers(y)).toHaveLength(example.values.length);
    });
  }

  const forms: [Attributes, string, number[], number[]][] = [
    [{ value: i64([3, 4]) }, 'int64', [2], [3, 4]],
    [{ value_int: 5 }, 'int64', [], [5]],
    [{ value_ints: [5, 6] }, 'int64', [2], [5, 6]],
    [{ value_float: float(0.5) }, 'float32', [], [0.5]],
    [{ value_floats: floats([0.5, 2]) }, 'float32', [2], [0.5, 2]],
  ];
  for (const [attrs, dtype, shape, values] of forms) {
    test(`Constant by ${Object.keys(attrs!).join()}`, () => {
      const { y } = evaluateGraph(importOnnx(onnxFile({ nodes: [node('Constant', [], ['y'], attrs)] })).build(), {});
      expect([y.dtype, y.shape, toNumbers(y)]).toEqual([dtype, shape, values]);
    });
  }
});
