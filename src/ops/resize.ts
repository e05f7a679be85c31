/**
 * Resize. Every mode is separable, so a resize is a list of tables, one an axis: which input elements a result element
 * reads, and with what weights. Reference evaluation and devices share them.
 */
import { apply, constant, defineOp, GraphError, type InferContext, type Shape, sizeOf, type TensorData, type Value } from '../graph/index.ts';
import { contextOf, type OpSource } from './context.ts';
import { scatterAxis, transposed } from './gradient.ts';
import {
  constantInts,
  flagAttr,
  fromElements,
  int64s,
  intsAttr,
  isFloat,
  normalizeAxes,
  numberAttr,
  numbersOf,
  operand,
  optionalOperand,
  stringAttr,
} from './helpers.ts';
import { selectAxes } from './movement.ts';
import { notConstant } from './shape.ts';
import { add, mul } from './terms.ts';

const resizeModes = ['nearest', 'linear', 'cubic'] as const;
export type ResizeMode = (typeof resizeModes)[number];

/** One resized axis: result element o is the sum over t of weights[o * taps + t] * input[indices[o * taps + t]]. */
export interface ResizeAxis {
  readonly axis: number;
  readonly inSize: number;
  readonly outSize: number;
  /** Input elements a result element reads: 1 for nearest, 2 for linear, 4 for cubic, more with antialias. */
  readonly taps: number;
  /** All within the input. */
  readonly indices: Int32Array;
  /** They sum to 1; all ones for nearest. */
  readonly weights: Float64Array;
  /** tf_crop_and_resize: 1 where the result element lies beyond the input and is `extrapolation`, whatever the weights. */
  readonly outside?: Uint8Array;
}

export interface ResizeGeometry {
  readonly mode: ResizeMode;
  readonly shape: readonly number[];
  /** The axes that change; all others are copied. */
  readonly axes: readonly ResizeAxis[];
  readonly extrapolation: number;
}

// ---- attributes and sizes

/** Where a result index lies in the input; `length` is the result's size before it was rounded down. */
interface Transform {
  readonly inSize: number;
  readonly outSize: number;
  readonly scale: number;
  readonly length: number;
  readonly roiStart: number;
  readonly roiEnd: number;
}

/**
 * Scales are float32: what was meant to be whole or half (3 times a third) may miss it by a little, and floor or round
 * would take the wrong neighbour.
 */
function snap(x: number): number {
  const half = Math.round(2 * x) / 2;
  return Math.abs(x - half) <= 2 ** -22 * Math.max(1, Math.abs(x)) ? half : x;
}

/** ONNX's coordinate_transformation_mode. */
const coordinates = {
  half_pixel: (x, { scale }) => (x + 0.5) / scale - 0.5,
  half_pixel_symmetric: (x, { inSize, outSize, scale, length }) => (inSize / 2) * (1 - outSize / length) + (x + 0.5) / scale - 0.5,
  pytorch_half_pixel: (x, { scale, outSize }) => (outSize > 1 ? (x + 0.5) / scale - 0.5 : 0),
  align_corners: (x, { inSize, outSize, length }) => (outSize > 1 && length !== 1 ? (x * (inSize - 1)) / (length - 1) : 0),
  asymmetric: (x, { scale }) => x / scale,
  tf_half_pixel_for_nn: (x, { scale }) => (x + 0.5) / scale,
  tf_crop_and_resize: (x, { inSize, outSize, length, roiStart, roiEnd }) =>
    (inSize - 1) * (outSize > 1 ? roiStart + (x * (roiEnd - roiStart)) / (length - 1) : (roiStart + roiEnd) / 2),
} as const satisfies Record<string, (x: number, transform: Transform) => number>;

type CoordinateMode = keyof typeof coordinates;
const coordinateModes = Object.keys(coordinates) as CoordinateMode[];

const nearest = {
  round_prefer_floor: (x: number) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x: number) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
} as const;

type NearestMode = keyof typeof nearest;
const nearestModes = Object.keys(nearest) as NearestMode[];

const policies = ['stretch', 'not_larger', 'not_smaller'] as const;

/** A constant operand; undefined where it was left out or is empty, which ONNX takes for the same. */
function optionalConstant(context: InferContext, i: number, what: string): TensorData | undefined {
  const type = optionalOperand(context, i, 'numeric', what);
  if (!type || sizeOf(type.shape) === 0) return undefined;
  const value = context.constant(i);
  if (!value) throw notConstant(what);
  return value;
}

function positives(list: ArrayLike<number>, count: number, what: string): number[] {
  const values = Array.from(list);
  if (values.length !== count || values.some((value) => !(value > 0 && value < Infinity))) {
    throw new GraphError(what, { expected: `${count} positive numbers`, got: `[${values.slice(0, 16).join(',')}]` });
  }
  return values;
}

/** Result size and scale of every axis that `axes` names. */
function resizedAxes(context: InferContext): { shape: number[]; axes: readonly number[]; scales: readonly number[] } {
  const x = operand(context, 0, 'any', 'X');
  const rank = x.shape.length;
  const axes = normalizeAxes(intsAttr(context.attrs, 'axes', x.shape.map((_, axis) => axis)), rank);
  const dims = axes.map((axis) => x.shape[axis]);
  const policy = stringAttr(context.attrs, 'keep_aspect_ratio_policy', 'stretch', policies);
  const given = optionalConstant(context, 2, 'scales');
  const shape = [...x.shape];
  let scales: number[];
  if (given) {
    if (optionalConstant(context, 3, 'sizes')) throw new GraphError('sizes', { expected: 'either scales or sizes', got: 'both' });
    scales = positives(numbersOf(given), axes.length, 'scales');
    axes.forEach((axis, i) => (shape[axis] = Math.floor(snap(dims[i] * scales[i]))));
  } else {
    const sizes = optionalConstant(context, 3, 'sizes') && constantInts(context, 3, 'sizes');
    if (!sizes) throw new GraphError('operands', { expected: 'scales or sizes', got: 'neither' });
    const wanted = positives(sizes, axes.length, 'sizes');
    scales = wanted.map((size, i) => size / dims[i]);
    if (policy === 'stretch') axes.forEach((axis, i) => (shape[axis] = wanted[i]));
    else {
      const scale = policy === 'not_larger' ? Math.min(...scales) : Math.max(...scales);
      scales = scales.map(() => scale);
      axes.forEach((axis, i) => (shape[axis] = Math.floor(scale * dims[i] + 0.5)));
    }
  }
  axes.forEach((axis, i) => {
    if (dims[i] === 0 || shape[axis] < 1) {
      throw new GraphError('scales', { expected: `at least 1 element on axis ${axis}`, got: `${dims[i]} resized to ${shape[axis]}` });
    }
  });
  return { shape, axes, scales };
}

/** Checks all attributes, so that `infer` and the tables agree on what is right. */
function readAttrs(context: InferContext) {
  const { attrs } = context;
  const mode = stringAttr<ResizeMode>(attrs, 'mode', 'nearest', resizeModes);
  const coordinateMode = stringAttr<CoordinateMode>(attrs, 'coordinate_transformation_mode', 'half_pixel', coordinateModes);
  const { dtype } = operand(context, 0, 'any', 'X');
  if (mode !== 'nearest' && !isFloat(dtype)) {
    throw new GraphError('X', { expected: `a float tensor for mode ${mode}`, got: dtype, hint: 'Cast it first, or use mode nearest' });
  }
  const antialias = flagAttr(attrs, 'antialias', false);
  if (antialias && mode === 'nearest') throw new GraphError('antialias', { expected: 'mode linear or cubic', got: mode });
  return {
    mode,
    coordinateMode,
    antialias,
    nearestMode: stringAttr<NearestMode>(attrs, 'nearest_mode', 'round_prefer_floor', nearestModes),
    cubicCoefficient: numberAttr(attrs, 'cubic_coeff_a', -0.75),
    excludeOutside: flagAttr(attrs, 'exclude_outside', false),
    extrapolation: numberAttr(attrs, 'extrapolation_value', 0),
  };
}

type Options = ReturnType<typeof readAttrs>;

// ---- tables

/** Weight of an input element at a distance (in input elements, or in result elements where that is more). */
const filters: Record<'linear' | 'cubic', (distance: number, a: number) => number> = {
  linear: (distance) => Math.max(0, 1 - Math.abs(distance)),
  // R. Keys, "Cubic convolution interpolation for digital image processing", 1981; `a` is the slope at distance 1.
  cubic(distance, a) {
    const x = Math.abs(distance);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
  },
};

const reach = { linear: 1, cubic: 2 } as const;

function axisTables(axis: number, transform: Transform, options: Options): ResizeAxis {
  const { inSize, outSize, scale } = transform;
  const { mode, coordinateMode, antialias, excludeOutside } = options;
  const clamp = (index: number) => Math.min(inSize - 1, Math.max(0, index));
  const coordinate = (o: number) => coordinates[coordinateMode](o, transform);
  const filterScale = antialias ? Math.min(1, scale) : 1;
  const before = mode === 'nearest' ? 0 : Math.ceil(reach[mode] / filterScale) - 1;
  const taps = mode === 'nearest' ? 1 : 2 * before + 2;
  const indices = new Int32Array(outSize * taps);
  const weights = new Float64Array(outSize * taps);
  const outside = coordinateMode === 'tf_crop_and_resize' ? new Uint8Array(outSize) : undefined;
  for (let o = 0; o < outSize; o++) {
    const x = coordinate(o);
    if (outside && !(snap(x) >= 0 && snap(x) <= inSize - 1)) outside[o] = 1;
    if (mode === 'nearest') {
      indices[o] = clamp(nearest[options.nearestMode](snap(x)));
      weights[o] = 1;
      continue;
    }
    const first = Math.floor(x) - before;
    let sum = 0;
    for (let t = 0; t < taps; t++) {
      const index = first + t;
      const excluded = excludeOutside && index !== clamp(index);
      const weight = excluded ? 0 : filters[mode]((index - x) * filterScale, options.cubicCoefficient);
      indices[o * taps + t] = clamp(index);
      weights[o * taps + t] = weight;
      sum += weight;
    }
    // 1 already, unless some were excluded or the filter was widened.
    if (sum !== 0 && (excludeOutside || filterScale < 1)) for (let t = 0; t < taps; t++) weights[o * taps + t] /= sum;
  }
  return { axis, inSize, outSize, taps, indices, weights, outside };
}

/** @throws GraphError where operands are not constant or do not fit, or attributes are not ONNX's. */
export function resizeGeometry(source: OpSource): ResizeGeometry {
  const context = contextOf(source);
  const options = readAttrs(context);
  const { shape: inShape } = operand(context, 0);
  const { shape, axes, scales } = resizedAxes(context);
  const crop = options.coordinateMode === 'tf_crop_and_resize';
  const roi = crop ? cropRegion(context, axes.length) : [];
  // An empty result needs no tables, however long its axes are.
  const tables = (sizeOf(shape) === 0 ? [] : axes).flatMap((axis, i) => {
    const inSize = inShape[axis];
    const outSize = shape[axis];
    const scale = scales[i];
    const [roiStart, roiEnd] = crop ? [roi[i], roi[axes.length + i]] : [0, 1];
    if (inSize === outSize && scale === 1 && roiStart === 0 && roiEnd === 1) return [];
    return [axisTables(axis, { inSize, outSize, scale, length: snap(inSize * scale), roiStart, roiEnd }, options)];
  });
  return { mode: options.mode, shape, axes: tables, extrapolation: options.extrapolation };
}

/** Starts of all axes, then ends, as fractions of the input. */
function cropRegion(context: InferContext, axes: number): number[] {
  const roi = optionalConstant(context, 1, 'roi');
  const values = roi ? Array.from(numbersOf(roi)) : [];
  if (values.length !== 2 * axes || !values.every(Number.isFinite)) {
    throw new GraphError('roi', { expected: `${2 * axes} finite numbers for tf_crop_and_resize`, got: roi ? `[${values.join(',')}]` : 'nothing' });
  }
  return values;
}

/** One axis resized, all others as they are. */
function resizeAxis(x: ArrayLike<number>, shape: Shape, { axis, inSize, outSize, taps, indices, weights }: ResizeAxis): Float64Array {
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const result = new Float64Array(outer * outSize * inner);
  for (let row = 0; row < outer; row++) {
    for (let o = 0; o < outSize; o++) {
      const to = (row * outSize + o) * inner;
      for (let t = o * taps; t < (o + 1) * taps; t++) {
        const from = (row * inSize + indices[t]) * inner;
        for (let i = 0; i < inner; i++) result[to + i] += weights[t] * x[from + i];
      }
    }
  }
  return result;
}

defineOp({
  name: 'Resize',
  inputs: [1, 4],
  infer(context) {
    const { coordinateMode } = readAttrs(context);
    const { shape, axes } = resizedAxes(context);
    if (coordinateMode === 'tf_crop_and_resize') cropRegion(context, axes.length);
    return [{ dtype: operand(context, 0).dtype, shape }];
  },
  evaluate(inputs, attrs, [type]) {
    const x = inputs[0]!;
    const { mode, axes, extrapolation } = resizeGeometry({ inputs, attrs });
    const byAxis = type.shape.map((_, axis) => axes.find((table) => table.axis === axis));
    const outside = (o: number, axis: number) => byAxis[axis]?.outside?.[o] === 1;
    const fill = fromElements({ dtype: x.dtype, shape: [] }, [extrapolation]);
    if (mode === 'nearest') {
      return [selectAxes(x, type.shape, (o, axis) => (outside(o, axis) ? -1 : (byAxis[axis]?.indices[o] ?? o)), fill)];
    }
    let shape = x.shape;
    let values = numbersOf(x);
    for (const table of axes) {
      values = resizeAxis(values, shape, table);
      shape = shape.with(table.axis, table.outSize);
    }
    const result = fromElements(type, values);
    return [axes.some((table) => table.outside) ? selectAxes(result, type.shape, (o, axis) => (outside(o, axis) ? -1 : o), fill) : result];
  },
  gradient: (node, [dy]) => [resizeGeometry(node).axes.reduce(resizeAxisBackward, dy!)],
});

/** As a matrix product, weights would be more than this many: longer axes are scattered, tap by tap. */
const mostWeights = 2 ** 22;

/** One axis' cotangent: every element goes back to those it was read from, by their weights. */
function resizeAxisBackward(dy: Value, { axis, inSize, outSize, taps, indices, weights, outside }: ResizeAxis): Value {
  const weight = (o: number, tap: number): number => (outside?.[o] === 1 ? 0 : weights[o * taps + tap]);
  if (inSize * outSize > mostWeights) {
    const shape = dy.shape.map((dim, a) => (a === axis ? dim : 1));
    const each = Array.from({ length: taps }, (_, tap) => {
      const scale = fromElements({ dtype: dy.dtype, shape }, Float64Array.from({ length: outSize }, (_, o) => weight(o, tap)));
      const places = Array.from({ length: outSize }, (_, o) => indices[o * taps + tap]);
      return scatterAxis(mul(dy, constant(scale)), axis, int64s(places), inSize);
    });
    return each.reduce(add);
  }
  const matrix = new Float64Array(inSize * outSize);
  for (let o = 0; o < outSize; o++) for (let tap = 0; tap < taps; tap++) matrix[o * inSize + indices[o * taps + tap]] += weight(o, tap);
  const last = dy.shape.length - 1;
  const swap = [...dy.shape.keys()].with(axis, last).with(last, axis);
  const back = constant(fromElements({ dtype: dy.dtype, shape: [outSize, inSize] }, matrix));
  return transposed(apply('MatMul', [transposed(dy, swap), back]), swap);
}
