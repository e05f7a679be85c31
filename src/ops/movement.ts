/**
 * Operators that move elements without computing: a result element is read from a place that is a sum over its axes
 * (`gatherAxes`), so each operator is a list of index tables, one an axis.
 */
import {
  apply,
  type DType,
  defineOp,
  dtypes,
  formatType,
  GraphError,
  type InferContext,
  type Shape,
  sizeOf,
  stridesOf,
  type TensorData,
  tensorData,
  type Value,
  zeros,
} from '../graph/index.ts';
import { contextOf, type OpSource } from './context.ts';
import { sumTo } from './gradient.ts';
import {
  broadcastShapes,
  broadcastStrides,
  commonDType,
  int64s,
  intAttr,
  intsAttr,
  normalizeAxis,
  operand,
  reshape,
  stringAttr,
} from './helpers.ts';
import { requiredInts } from './shape.ts';

// ---- the one loop

/**
 * Result element (i, j, ...) is input element `tables[0][i] + tables[1][j] + ...`; where an entry is negative it is
 * `fill`'s one element, or zero.
 */
function gatherAxes(input: TensorData, shape: Shape, tables: readonly ArrayLike<number>[], fill?: TensorData): TensorData {
  const source = input.data as Float64Array;
  const result = new dtypes[input.dtype].array(sizeOf(shape)) as Float64Array;
  if (fill) result.fill(fill.data[0] as number);
  const last = shape.length - 1;
  const inner = stridesOf(shape);
  let at = 0;
  const fillAxis = (axis: number, offset: number): void => {
    const table = tables[axis];
    if (axis === last) {
      for (let i = 0; i < table.length; i++, at++) if (table[i] >= 0) result[at] = source[offset + table[i]];
      return;
    }
    for (let i = 0; i < table.length; i++) {
      if (table[i] >= 0) fillAxis(axis + 1, offset + table[i]);
      else at += inner[axis];
    }
  };
  if (last < 0) result[0] = source[0];
  else if (result.length > 0) fillAxis(0, 0);
  return tensorData(input.dtype, shape, result);
}

/** A table of `length` entries; negative ones stay -1, others are scaled by the axis' stride. */
export function table(length: number, stride: number, index: (i: number) => number): Int32Array {
  const result = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const at = index(i);
    result[i] = at < 0 ? -1 : at * stride;
  }
  return result;
}

/** `gatherAxes` where result axis and input axis correspond. */
export function selectAxes(x: TensorData, shape: Shape, index: (i: number, axis: number) => number, fill?: TensorData): TensorData {
  if (sizeOf(shape) === 0) return zeros(x.dtype, shape);
  const strides = stridesOf(x.shape);
  return gatherAxes(x, shape, shape.map((dim, axis) => table(dim, strides[axis], (i) => index(i, axis))), fill);
}

// ---- Transpose

/** The permutation of a Transpose: result axis i is input axis perm[i]. @throws GraphError where it is none. */
export function transposePerm(source: OpSource): readonly number[] {
  const context = contextOf(source);
  const rank = operand(context, 0).shape.length;
  const perm = intsAttr(context.attrs, 'perm', Array.from({ length: rank }, (_, axis) => rank - 1 - axis), 0);
  if (perm.length !== rank || new Set(perm).size !== rank || perm.some((axis) => axis >= rank)) {
    throw new GraphError('perm', { expected: `a permutation of ${rank} axes`, got: `[${perm.join(',')}]` });
  }
  return perm;
}

defineOp({
  name: 'Transpose',
  inputs: [1, 1],
  infer(context) {
    const { dtype, shape } = operand(context, 0);
    return [{ dtype, shape: transposePerm(context).map((axis) => shape[axis]) }];
  },
  evaluate(inputs, attrs, [{ shape }]) {
    const x = inputs[0]!;
    const strides = stridesOf(x.shape);
    const perm = transposePerm({ inputs, attrs });
    return [gatherAxes(x, shape, shape.map((dim, axis) => table(dim, strides[perm[axis]], (i) => i)))];
  },
  gradient(node, [dy]) {
    const perm = transposePerm(node);
    return [apply('Transpose', [dy!], { perm: perm.map((_, axis) => perm.indexOf(axis)) })];
  },
});

// ---- Expand and Tile

defineOp({
  name: 'Expand',
  inputs: [2, 2],
  infer(context) {
    const { dtype, shape } = operand(context, 0);
    const wanted = requiredInts(context, 1, 'shape');
    if (wanted.some((dim) => dim < 0)) {
      throw new GraphError('shape', { expected: 'no negative dimension', got: `[${wanted.join(',')}]`, hint: 'write 1 to keep an axis' });
    }
    return [{ dtype, shape: broadcastShapes(shape, wanted) }];
  },
  evaluate([x], _attrs, [{ shape }]) {
    const strides = broadcastStrides(x!.shape, shape);
    return [gatherAxes(x!, shape, shape.map((dim, axis) => table(dim, strides[axis], (i) => i)))];
  },
  gradient: ({ inputs: [x] }, [dy]) => [sumTo(dy!, x!.shape)],
});

defineOp({
  name: 'Tile',
  inputs: [2, 2],
  infer(context) {
    const x = operand(context, 0);
    const repeats = requiredInts(context, 1, 'repeats');
    if (repeats.length !== x.shape.length || repeats.some((repeat) => repeat < 0)) {
      throw new GraphError('repeats', { expected: `a count of at least 0 for each axis of ${formatType(x)}`, got: `[${repeats.join(',')}]` });
    }
    return [{ dtype: x.dtype, shape: x.shape.map((dim, axis) => dim * repeats[axis]) }];
  },
  evaluate: ([x], _attrs, [{ shape }]) => [selectAxes(x!, shape, (i, axis) => i % x!.shape[axis])],
  // Each repeated axis gets a new one of size 1 in front, which Expand stretches.
  decompose(node) {
    const [x] = node.inputs;
    const repeats = requiredInts(contextOf(node), 1, 'repeats');
    const spread = (first: (repeat: number) => number) =>
      x!.shape.flatMap((dim, axis) => (repeats[axis] === 1 ? [dim] : [first(repeats[axis]), dim]));
    const stretched = apply('Expand', [reshape(x!, spread(() => 1)), int64s(spread((repeat) => repeat))]);
    return [reshape(stretched, node.outputs[0].shape)];
  },
});

// ---- Concat

defineOp({
  name: 'Concat',
  inputs: [1, Infinity],
  infer(context) {
    const types = context.inputs.map((_, i) => operand(context, i));
    const [{ shape }] = types;
    const axis = normalizeAxis(intAttr(context.attrs, 'axis'), shape.length);
    for (const [i, type] of types.entries()) {
      if (type.shape.length !== shape.length || type.shape.some((dim, a) => a !== axis && dim !== shape[a])) {
        throw new GraphError(`input ${i}`, { expected: `the shape of ${formatType(types[0])} but for axis ${axis}`, got: formatType(type) });
      }
    }
    return [{ dtype: commonDType(types), shape: shape.with(axis, types.reduce((sum, type) => sum + type.shape[axis], 0)) }];
  },
  evaluate(inputs, attrs, [{ dtype, shape }]) {
    const axis = normalizeAxis(intAttr(attrs, 'axis'), shape.length);
    const result = new dtypes[dtype].array(sizeOf(shape));
    const rows = sizeOf(shape.slice(0, axis));
    let at = 0;
    for (let row = 0; row < rows; row++) {
      for (const input of inputs) {
        const { data } = input!;
        const length = data.length / rows;
        result.set(data.subarray(row * length, (row + 1) * length) as never, at);
        at += length;
      }
    }
    return [tensorData(dtype, shape, result)];
  },
  gradient({ inputs, attrs }, [dy]) {
    const axis = normalizeAxis(intAttr(attrs, 'axis'), dy!.shape.length);
    let start = 0;
    return inputs.map((x) => apply('Slice', [dy!, int64s([start]), int64s([(start += x!.shape[axis])]), int64s([axis])]));
  },
});

// ---- blocks of space to and from channels

/** N, C, H, W and the block size. @throws GraphError unless `divides` holds. */
function blocks(context: InferContext, divides: (c: number, h: number, w: number, size: number) => boolean) {
  const x = operand(context, 0);
  const size = intAttr(context.attrs, 'blocksize', undefined, 1);
  const [n, c, h, w] = x.shape;
  if (x.shape.length !== 4 || !divides(c, h, w, size)) {
    throw new GraphError('input', { expected: `N, C, H, W that blocks of ${size} divide`, got: formatType(x) });
  }
  return { dtype: x.dtype as DType, n, c, h, w, size };
}

const depthBlocks = (context: InferContext) => blocks(context, (c, _h, _w, size) => c % (size * size) === 0);
const spaceBlocks = (context: InferContext) => blocks(context, (_c, h, w, size) => h % size === 0 && w % size === 0);

const rearranged = (x: Value, split: Shape, perm: readonly number[], result: Shape): Value =>
  reshape(apply('Transpose', [reshape(x, split)], { perm }), result);

defineOp({
  name: 'DepthToSpace',
  inputs: [1, 1],
  infer(context) {
    stringAttr(context.attrs, 'mode', 'DCR', ['DCR', 'CRD']);
    const { dtype, n, c, h, w, size } = depthBlocks(context);
    return [{ dtype, shape: [n, c / (size * size), h * size, w * size] }];
  },
  decompose(node) {
    const { n, c, h, w, size } = depthBlocks(contextOf(node));
    const depth = c / (size * size);
    const [x] = node.inputs;
    const { shape } = node.outputs[0];
    return node.attrs.mode === 'CRD'
      ? [rearranged(x!, [n, depth, size, size, h, w], [0, 1, 4, 2, 5, 3], shape)]
      : [rearranged(x!, [n, size, size, depth, h, w], [0, 3, 4, 1, 5, 2], shape)];
  },
});

defineOp({
  name: 'SpaceToDepth',
  inputs: [1, 1],
  infer(context) {
    const { dtype, n, c, h, w, size } = spaceBlocks(context);
    return [{ dtype, shape: [n, c * size * size, h / size, w / size] }];
  },
  decompose(node) {
    const { n, c, h, w, size } = spaceBlocks(contextOf(node));
    return [rearranged(node.inputs[0]!, [n, c, h / size, size, w / size, size], [0, 3, 5, 1, 2, 4], node.outputs[0].shape)];
  },
});
