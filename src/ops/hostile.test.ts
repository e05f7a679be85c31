/** Whatever a file says, an operator makes a node whose promised types its evaluation keeps, or throws a GraphError. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { f32, i64, vector } from '../../test/support/ops.ts';
import { type Attr, type Attrs, constant, type DType, fromNumbers, GraphError, input, makeNode, sizeOf, tensorData, type TensorData, zeros } from '../graph/index.ts';
import { evaluateNode } from './index.ts';

const ints = (...values: number[]) => vector(values, 'int64');
const ramp = (...shape: number[]) => f32(shape, Array.from({ length: sizeOf(shape) }, (_, i) => i % 5));
const image = ramp(1, 2, 4, 3);
const window: Attrs = { auto_pad: 'NOTSET', dilations: [1, 1], kernel_shape: [2, 2], pads: [1, 0, 0, 1], strides: [2, 1] };

/** A call of each operator that is right, with every attribute it has. */
const calls: Readonly<Record<string, readonly [operands: readonly (TensorData | null)[], attrs: Attrs]>> = {
  Conv: [[image, ramp(4, 1, 2, 2), ramp(4)], { ...window, group: 2 }],
  ConvTranspose: [[image, ramp(2, 1, 2, 2), ramp(2)], { ...window, group: 2, output_padding: [1, 0], output_shape: [8, 3] }],
  MaxPool: [[image], { ...window, ceil_mode: 0, storage_order: 0 }],
  AveragePool: [[image], { ...window, ceil_mode: 0, count_include_pad: 1 }],
  LpPool: [[image], { ...window, ceil_mode: 0, p: 2 }],
  GlobalAveragePool: [[image], {}],
  GlobalMaxPool: [[image], {}],
  GlobalLpPool: [[image], { p: 2 }],
  MatMul: [[ramp(2, 1, 3, 2), ramp(3, 2, 4)], {}],
  Gemm: [[ramp(3, 2), ramp(4, 3), ramp(4)], { alpha: 0.5, beta: 2, transA: 1, transB: 1 }],
  Einsum: [[ramp(2, 3), ramp(3, 2)], { equation: 'ij,jk->ik' }],
  Reshape: [[ramp(2, 3), ints(3, -1)], { allowzero: 0 }],
  Flatten: [[image], { axis: 2 }],
  Squeeze: [[ramp(1, 3, 1), ints(0, -1)], {}],
  Unsqueeze: [[ramp(3), ints(0, 2)], {}],
  Shape: [[image], { start: 1, end: -1 }],
  Size: [[image], {}],
  EyeLike: [[ramp(3, 4)], { dtype: 'int64', k: 1 }],
  Range: [[vector([0]), vector([3]), vector([1])], {}],
  ConstantOfShape: [[ints(2, 3)], { value: zeros('int64', [1]) }],
  Transpose: [[image], { perm: [3, 0, 1, 2] }],
  Expand: [[ramp(3, 1), ints(2, 1, 4)], {}],
  Tile: [[ramp(2, 3), ints(2, 1)], {}],
  Concat: [[ramp(2, 1), ramp(2, 3)], { axis: 1 }],
  Slice: [[image, ints(0, 3), ints(1, -9), ints(1, 2), ints(1, -2)], {}],
  Split: [[image, ints(3, 1)], { axis: 2, num_outputs: 2 }],
  Pad: [[ramp(2, 3), ints(1, 2), f32([], [9]), ints(1)], { mode: 'reflect' }],
  DepthToSpace: [[ramp(1, 4, 2, 1)], { blocksize: 2, mode: 'CRD' }],
  SpaceToDepth: [[ramp(1, 1, 2, 4)], { blocksize: 2 }],
  Gather: [[image, i64([2, 1], [0, -1])], { axis: 2 }],
  GatherElements: [[ramp(3, 2), i64([2, 2], [0, 1, 2, 0])], { axis: 0 }],
  GatherND: [[ramp(2, 3, 2), i64([2, 1], [0, 2])], { batch_dims: 1 }],
  ScatterElements: [[ramp(3, 2), i64([2, 2], [0, 1, 2, 0]), ramp(2, 2)], { axis: 0, reduction: 'add' }],
  ScatterND: [[ramp(3, 2), i64([2, 1], [0, 2]), ramp(2, 2)], { reduction: 'max' }],
  OneHot: [[ints(0, 2), ints(3), vector([0, 1])], { axis: 0 }],
  Resize: [
    [ramp(1, 1, 3, 2), vector([0, 0, 1, 0.5]), null, ints(4, 4)],
    {
      antialias: 0, axes: [2, 3], coordinate_transformation_mode: 'tf_crop_and_resize', cubic_coeff_a: -0.5, exclude_outside: 1,
      extrapolation_value: 7, keep_aspect_ratio_policy: 'stretch', mode: 'linear', nearest_mode: 'floor',
    },
  ],
};

const words = `SAME_UPPER SAME_LOWER VALID constant edge wrap DCR add mul min none nearest linear cubic ceil round_prefer_ceil asymmetric
  align_corners half_pixel_symmetric not_larger not_smaller bool float16`.split(/\s+/);
const equations = 'ij,jk ij,jk->k ij,jk-> ...ij,jk->... ...,jk->...k ij,ij ii,ik-> -> i->'.split(' ');
const extremes = [2 ** 31 - 1, 2 ** 31, 2 ** 53, -(2 ** 31), -(2 ** 63), 2 ** 40, 65];
const anyInt = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: -2, max: 5 }) }, { weight: 2, arbitrary: fc.constantFrom(...extremes) });
const list = fc.array(anyInt, { maxLength: 5 });
const attr: fc.Arbitrary<Attr> = fc.oneof(
  anyInt,
  list,
  fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }),
  fc.constantFrom(...words),
  fc.oneof(fc.double(), fc.boolean(), fc.constant(''), fc.array(fc.double(), { maxLength: 3 }), fc.constant(['a'])),
  fc.constantFrom<TensorData>(zeros('float32', [1]), zeros('int64', [0]), zeros('bool', [])),
);
const dtype = fc.constantFrom<DType>('float32', 'float64', 'int32', 'int64', 'bool', 'uint8', 'float16', 'bfloat16', 'uint64');
const shape = fc.oneof(
  { weight: 5, arbitrary: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 5 }) },
  // Nothing in it, but long axes.
  { weight: 1, arbitrary: fc.shuffledSubarray([0, 2 ** 15, 1, 2 ** 15], { minLength: 4 }) },
);
const operand: fc.Arbitrary<TensorData | null> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: fc.tuple(dtype, shape).map(([type, dims]) => fromNumbers(type, dims, Array.from({ length: sizeOf(dims) }, (_, i) => i % 5))) },
  { weight: 3, arbitrary: list.map((values) => tensorData('int64', [values.length], BigInt64Array.from(values, (v) => BigInt.asIntN(64, BigInt(v))))) },
  { weight: 1, arbitrary: fc.array(fc.double({ min: 0, max: 4 }), { maxLength: 8 }).map((values) => vector(values)) },
);
const mutation = fc.record({ at: fc.nat(), attr: fc.option(attr), equation: fc.constantFrom(...equations), operand, which: fc.constantFrom('attr', 'operand', 'similar', 'dropped', 'added') });

/** Other values, and perhaps one dimension. */
function similar(tensor: TensorData, at: number): TensorData {
  const shape = tensor.shape.map((dim, axis) => (axis === at % 7 ? (at >> 3) % 5 : dim));
  if (sizeOf(shape) > 1000) return tensor;
  return fromNumbers(tensor.dtype, shape, Array.from({ length: sizeOf(shape) }, (_, i) => ((at >> 6) + 3 * i) % 4));
}

let made = 0;
/** A node of the call, evaluated in both ways; each checks that the results have the types that the node promised. */
function evaluateBothWays(op: string, operands: readonly (TensorData | null)[], attrs: Attrs, computed: boolean): void {
  const values = operands.map((data, i) => data && (computed || (i === 0 && op !== 'Range' && op !== 'ConstantOfShape') ? input(`x${i}`, data.dtype, data.shape) : constant(data)));
  const node = makeNode(op, values, attrs);
  if (node.outputs.reduce((sum, type) => sum + sizeOf(type.shape), 0) > 4096) return;
  expect(evaluateNode(node, operands).length).toBe(node.outputs.length);
  evaluateNode(node, operands, { decompose: (inner) => inner === node });
  made++;
}

test.each(Object.entries(calls))('%s', (op, [operands, attrs]) => {
  evaluateBothWays(op, operands, attrs, false);
  const names = Object.keys(attrs);
  made = 0;
  const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });
  fc.assert(fc.property(mutations, fc.integer({ min: 0, max: 9 }), (changes, chance) => {
    const changed = [...operands];
    const given: Record<string, Attr> = { ...attrs };
    for (const change of changes) {
      const i = change.at % changed.length;
      const name = names[change.at % names.length];
      if (change.which === 'added') changed.push(change.operand);
      else if (change.which === 'dropped') changed.splice(i, 1, null);
      else if (change.which === 'similar') changed[i] = changed[i] && similar(changed[i], change.at);
      else if (change.which === 'operand' || name === undefined) changed[i] = change.operand;
      else if (change.attr === null) delete given[name];
      else given[name] = name === 'equation' ? change.equation : change.attr;
    }
    try {
      evaluateBothWays(op, changed, given, chance === 0);
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
    }
  }), { numRuns: 300 });
  // Otherwise nothing was tried but the error messages.
  expect(made).toBeGreaterThan(0);
});
