/** Parts of tensors and what is put around them: Slice, Split, Pad. Their operands are read into one entry an axis. */
import { apply, defineOp, formatType, GraphError, type InferContext, type Shape, sizeOf, toNumbers, type Value } from '../graph/index.ts';
import { contextOf, type OpSource } from './context.ts';
import { filled, scatterAxis, sumOver } from './gradient.ts';
import { commonDType, constantInts, int64s, intAttr, normalizeAxes, normalizeAxis, operand, optionalOperand, reshape, stringAttr } from './helpers.ts';
import { selectAxes, table } from './movement.ts';
import { notConstant, requiredInts } from './shape.ts';
import { sub } from './terms.ts';

/** Result element i of an axis is input element start + i * step. */
export interface SliceGeometry {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly shape: readonly number[];
}

/** Like `constantInts`, but with no bound on the values: ONNX writes the largest int64 for "to the end". */
function sliceInts(context: InferContext, i: number, what: string): number[] | undefined {
  if (!optionalOperand(context, i, 'index', what)) return undefined;
  const value = context.constant(i);
  if (value) return toNumbers(value);
  throw notConstant(what);
}

/** One entry for every axis of the input. @throws GraphError where operands are not constant or do not fit. */
export function sliceGeometry(source: OpSource): SliceGeometry {
  const context = contextOf(source);
  const x = operand(context, 0);
  const from = sliceInts(context, 1, 'starts') ?? [];
  const to = sliceInts(context, 2, 'ends') ?? [];
  const axes = constantInts(context, 3, 'axes');
  const by = sliceInts(context, 4, 'steps');
  for (const [name, list] of [['ends', to], ['axes', axes], ['steps', by]] as const) {
    if (list && list.length !== from.length) throw new GraphError(name, { expected: `${from.length} values, as starts`, got: `${list.length}` });
  }
  if (from.length > x.shape.length) throw new GraphError('starts', { expected: `at most ${x.shape.length} values`, got: `${from.length}` });
  const starts = x.shape.map(() => 0);
  const steps = x.shape.map(() => 1);
  const shape = [...x.shape];
  normalizeAxes(axes ?? from.map((_, i) => i), x.shape.length).forEach((axis, i) => {
    const dim = x.shape[axis];
    const step = by?.[i] ?? 1;
    if (step === 0) throw new GraphError('steps', { expected: 'no 0', got: `[${by!.join(',')}]` });
    // Bounds are clamped to what a walk in the step's direction may start from and stop before.
    const [low, high] = step > 0 ? [0, dim] : [-1, dim - 1];
    const clamp = (bound: number) => Math.min(high, Math.max(low, bound < 0 ? bound + dim : bound));
    const start = Math.max(0, clamp(from[i]));
    const size = dim === 0 ? 0 : Math.max(0, Math.ceil((clamp(to[i]) - start) / step));
    starts[axis] = start;
    steps[axis] = size > 1 ? step : 1;
    shape[axis] = size;
  });
  return { starts, steps, shape };
}

defineOp({
  name: 'Slice',
  inputs: [3, 5],
  infer: (context) => [{ dtype: operand(context, 0).dtype, shape: sliceGeometry(context).shape }],
  evaluate(inputs, attrs) {
    const { starts, steps, shape } = sliceGeometry({ inputs, attrs });
    return [selectAxes(inputs[0]!, shape, (i, axis) => starts[axis] + i * steps[axis])];
  },
  gradient: (node, [dy]) => [unslice(dy!, node.inputs[0]!.shape, sliceGeometry(node))],
});

/** Puts a slice's elements back where they were taken from, among zeros: turned round, spread apart, and padded. */
function unslice(slice: Value, shape: Shape, { starts, steps }: SliceGeometry): Value {
  if (sizeOf(slice.shape) === 0) return filled({ dtype: slice.dtype, shape }, 0);
  const axes = [...shape.keys()];
  const down = axes.filter((axis) => steps[axis] < 0);
  const list = (value: number) => int64s(down.map(() => value));
  let y = down.length === 0 ? slice : apply('Slice', [slice, list(-1), list(-(2 ** 31)), int64s(down), list(-1)]);
  const stride = steps.map(Math.abs);
  if (stride.some((step) => step > 1)) {
    const pads = [...axes.flatMap(() => [0, 0]), ...stride.flatMap((step) => [0, step - 1])];
    const apart = apply('Pad', [reshape(y, y.shape.flatMap((dim) => [dim, 1])), int64s(pads)]);
    y = reshape(apart, slice.shape.map((dim, axis) => dim * stride[axis]));
  }
  const begin = axes.map((axis) => starts[axis] + Math.min(0, steps[axis]) * (slice.shape[axis] - 1));
  return apply('Pad', [y, int64s([...begin, ...axes.map((axis) => shape[axis] - begin[axis] - y.shape[axis])])]);
}

/** A Slice of one axis. */
export const slice = (x: Value, axis: number, start: number, end: number): Value =>
  apply('Slice', [x, int64s([start]), int64s([end]), int64s([axis])]);

/** More parts are a file's mistake, and no memory is taken for them. */
const maxParts = 2 ** 16;

/** The axis and the sizes of a Split's parts. @throws GraphError where they do not add up. */
function splitParts(source: OpSource): { axis: number; sizes: readonly number[] } {
  const context = contextOf(source);
  const x = operand(context, 0);
  const axis = normalizeAxis(intAttr(context.attrs, 'axis', 0), x.shape.length);
  const dim = x.shape[axis];
  const given = constantInts(context, 1, 'split');
  if (given) {
    if (given.length === 0 || given.length > maxParts || given.some((size) => size < 0) || given.reduce((sum, size) => sum + size, 0) !== dim) {
      throw new GraphError('split', { expected: `1 to ${maxParts} sizes that add up to ${dim}`, got: `[${given.slice(0, 16).join(',')}]` });
    }
    return { axis, sizes: given };
  }
  if (context.attrs.num_outputs === undefined) throw new GraphError('split', { expected: 'sizes, or attribute num_outputs', got: 'neither' });
  const parts = intAttr(context.attrs, 'num_outputs', undefined, 1);
  const size = Math.ceil(dim / parts);
  const rest = dim - size * (parts - 1);
  if (parts > maxParts || rest < 0) {
    throw new GraphError('num_outputs', { expected: `a number of parts that ${dim} elements can make (at most ${maxParts})`, got: `${parts}` });
  }
  return { axis, sizes: Array.from({ length: parts }, (_, i) => (i === parts - 1 ? rest : size)) };
}

defineOp({
  name: 'Split',
  inputs: [1, 2],
  infer(context) {
    const { dtype, shape } = operand(context, 0);
    const { axis, sizes } = splitParts(context);
    return sizes.map((size) => ({ dtype, shape: shape.with(axis, size) }));
  },
  decompose(node) {
    const { axis, sizes } = splitParts(node);
    let start = 0;
    return sizes.map((size) => slice(node.inputs[0]!, axis, start, (start += size)));
  },
  gradient: (node, cotangents) => [
    apply('Concat', cotangents.map((dy, i) => dy ?? filled(node.outputs[i], 0)), { axis: splitParts(node).axis }),
  ],
});

export const padModes = ['constant', 'reflect', 'edge', 'wrap'] as const;
export type PadMode = (typeof padModes)[number];

/** Elements added before and after each axis; negative ones are taken away. */
export interface PadGeometry {
  readonly mode: PadMode;
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly shape: readonly number[];
}

/** One entry for every axis of the input. @throws GraphError where operands are not constant or do not fit. */
export function padGeometry(source: OpSource): PadGeometry {
  const context = contextOf(source);
  const x = operand(context, 0);
  const mode = stringAttr(context.attrs, 'mode', 'constant', padModes);
  const pads = requiredInts(context, 1, 'pads');
  const value = optionalOperand(context, 2, 'any', 'constant_value');
  if (value) {
    commonDType([x, value]);
    if (sizeOf(value.shape) !== 1) throw new GraphError('constant_value', { expected: 'one element', got: formatType(value) });
  }
  const axes = normalizeAxes(constantInts(context, 3, 'axes') ?? x.shape.map((_, axis) => axis), x.shape.length);
  if (pads.length !== 2 * axes.length) {
    throw new GraphError('pads', { expected: `a begin and an end for ${axes.length} axes`, got: `${pads.length} values` });
  }
  const begin = x.shape.map(() => 0);
  const end = x.shape.map(() => 0);
  axes.forEach((axis, i) => {
    begin[axis] = pads[i];
    end[axis] = pads[axes.length + i];
  });
  const shape = x.shape.map((dim, axis) => {
    const size = dim + begin[axis] + end[axis];
    if (size < 0) {
      throw new GraphError('pads', { expected: `no more taken away than axis ${axis} of ${formatType(x)} has`, got: `[${pads.join(',')}]` });
    }
    if (mode !== 'constant' && dim === 0 && size > 0) {
      throw new GraphError('pads', { expected: `an element on axis ${axis} to repeat (mode ${mode})`, got: formatType(x) });
    }
    return size;
  });
  return { mode, begin, end, shape };
}

const modulo = (a: number, b: number): number => ((a % b) + b) % b;

/** Which input element of an axis of `dim` stands at index i (negative in front of it); -1 for the constant. */
const padIndex: Record<PadMode, (i: number, dim: number) => number> = {
  constant: (i, dim) => (i < dim ? Math.max(-1, i) : -1),
  edge: (i, dim) => Math.min(dim - 1, Math.max(0, i)),
  wrap: modulo,
  // The edge itself is not repeated; beyond one length it goes back and forth, as NumPy does.
  reflect(i, dim) {
    if (dim === 1) return 0;
    const at = modulo(i, 2 * (dim - 1));
    return at < dim ? at : 2 * (dim - 1) - at;
  },
};

/** For each axis: the input index that each result index reads, -1 where the constant stands. None for an empty result. */
export const padTables = ({ mode, begin, end, shape }: PadGeometry): Int32Array[] =>
  sizeOf(shape) === 0
    ? []
    : shape.map((length, axis) => table(length, 1, (i) => padIndex[mode](i - begin[axis], length - begin[axis] - end[axis])));

defineOp({
  name: 'Pad',
  inputs: [2, 4],
  infer: (context) => [{ dtype: operand(context, 0).dtype, shape: padGeometry(context).shape }],
  evaluate(inputs, attrs) {
    const geometry = padGeometry({ inputs, attrs });
    const tables = padTables(geometry);
    return [selectAxes(inputs[0]!, geometry.shape, (i, axis) => tables[axis][i], inputs[2] ?? undefined)];
  },
  gradient(node, [dy], wanted) {
    const { mode, begin, end } = padGeometry(node);
    const { dtype, shape } = node.inputs[0]!;
    if (mode !== 'constant') {
      if (sizeOf(dy!.shape) === 0) return [filled({ dtype, shape }, 0)];
      const isPadded = (axis: number) => begin[axis] !== 0 || end[axis] !== 0;
      const back = (sum: Value, places: Int32Array, axis: number): Value =>
        isPadded(axis) ? scatterAxis(sum, axis, int64s(Array.from(places)), shape[axis]) : sum;
      return [padTables(padGeometry(node)).reduce(back, dy!)];
    }
    const dx = apply('Pad', [dy!, int64s([...begin, ...end].map((n) => -n))]);
    // The constant has what does not go to x.
    const all = [...shape.keys()];
    return [dx, null, wanted[2] ? reshape(sub(sumOver(dy!, all), sumOver(dx, all)), node.inputs[2]!.shape) : null];
  },
});
