/** Operators that read or write places which another tensor names: Gather, Scatter and their relatives, OneHot. */
import {
  apply,
  type Attrs,
  constant,
  defineOp,
  formatType,
  GraphError,
  type InferContext,
  type Node,
  type Shape,
  sizeOf,
  stridesOf,
  type TensorData,
  tensorData,
  type TensorType,
  type Value,
} from '../graph/index.ts';
import { contextOf, type OpSource } from './context.ts';
import { expandTo, filled, scatterAxis } from './gradient.ts';
import {
  bigintsOf,
  commonDType,
  expectShape,
  fromElements,
  intAttr,
  isFloat,
  normalizeAxis,
  numbersOf,
  offsetsOf,
  operand,
  reshape,
  scalar,
  stringAttr,
} from './helpers.ts';
import { notConstant } from './shape.ts';
import { slice } from './slice.ts';
import { add, cast, div, equal, less, mul, where } from './terms.ts';

/** A place along an axis of `dim` elements, counted from its end where negative. @throws GraphError outside. */
export function placeIn(index: number, dim: number): number {
  if (index < -dim || index >= dim) throw new GraphError('indices', { expected: `integers in [${-dim}, ${dim - 1}]`, got: `${index}` });
  return index < 0 ? index + dim : index;
}

/** No index fits an axis without elements. */
const emptyAxis = (axis: number): GraphError => new GraphError('data', { expected: `elements along axis ${axis}, which indices name`, got: 'none' });

/** A new tensor of the elements of `data` at `places`, each the first of `inner` neighbours. */
function pick({ dtype, data }: TensorData, shape: Shape, places: ArrayLike<number>, inner = 1): TensorData {
  const result = new (data.constructor as Float64ArrayConstructor)(sizeOf(shape));
  let at = 0;
  for (let i = 0; i < places.length; i++) {
    for (let j = 0; j < inner; j++) result[at++] = (data as Float64Array)[places[i] + j];
  }
  return tensorData(dtype, shape, result);
}

// ---- Gather

/** Result [outer, index, inner] is data [outer, indices[index], inner]; each a flat count of elements. */
export interface GatherGeometry {
  readonly axis: number;
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
  readonly indices: number;
  readonly shape: readonly number[];
}

/** @throws GraphError where operands or attributes do not fit. */
export function gatherGeometry(source: OpSource): GatherGeometry {
  const context = contextOf(source);
  const { shape } = operand(context, 0, 'any', 'data');
  const indices = operand(context, 1, 'index', 'indices').shape;
  const axis = normalizeAxis(intAttr(context.attrs, 'axis', 0), shape.length);
  if (shape[axis] === 0 && sizeOf(indices) > 0) throw emptyAxis(axis);
  return {
    axis,
    outer: sizeOf(shape.slice(0, axis)),
    dim: shape[axis],
    inner: sizeOf(shape.slice(axis + 1)),
    indices: sizeOf(indices),
    shape: [...shape.slice(0, axis), ...indices, ...shape.slice(axis + 1)],
  };
}

defineOp({
  name: 'Gather',
  inputs: [2, 2],
  infer: (context) => [{ dtype: operand(context, 0).dtype, shape: gatherGeometry(context).shape }],
  evaluate(inputs, attrs, [{ shape }]) {
    const { outer, dim, inner, indices } = gatherGeometry({ inputs, attrs });
    const index = numbersOf(inputs[1]!);
    const places = new Float64Array(outer * indices);
    for (let i = 0; i < places.length; i++) {
      places[i] = (Math.floor(i / indices) * dim + placeIn(index[i % indices], dim)) * inner;
    }
    return [pick(inputs[0]!, shape, places, inner)];
  },
  gradient(node, [dy]) {
    const { axis, dim } = gatherGeometry(node);
    return [scatterAxis(dy!, axis, node.inputs[1]!, dim)];
  },
});

// ---- GatherElements and ScatterElements: one index an element

/** data, indices and the axis of GatherElements or ScatterElements: indices lie over data, no larger on any other axis. */
export function elementsGeometry(source: OpSource): { data: TensorType; indices: TensorType; axis: number } {
  const context = contextOf(source);
  const data = operand(context, 0, 'any', 'data');
  const indices = operand(context, 1, 'index', 'indices');
  const axis = normalizeAxis(intAttr(context.attrs, 'axis', 0), data.shape.length);
  const fits = indices.shape.length === data.shape.length && indices.shape.every((dim, a) => a === axis || dim <= data.shape[a]);
  if (!fits) {
    throw new GraphError('indices', { expected: `the rank of ${formatType(data)} and no larger off axis ${axis}`, got: formatType(indices) });
  }
  if (data.shape[axis] === 0 && sizeOf(indices.shape) > 0) throw emptyAxis(axis);
  return { data, indices, axis };
}

/** The flat place in data that each index names. */
function elementPlaces(indices: TensorData, data: Shape, axis: number): Uint32Array {
  const strides = stridesOf(data);
  const places = offsetsOf(indices.shape, strides.with(axis, 0));
  const index = numbersOf(indices);
  for (let i = 0; i < places.length; i++) places[i] += placeIn(index[i], data[axis]) * strides[axis];
  return places;
}

defineOp({
  name: 'GatherElements',
  inputs: [2, 2],
  infer(context) {
    const { data, indices } = elementsGeometry(context);
    return [{ dtype: data.dtype, shape: indices.shape }];
  },
  evaluate(inputs, attrs, [{ shape }]) {
    const { axis } = elementsGeometry({ inputs, attrs });
    return [pick(inputs[0]!, shape, elementPlaces(inputs[1]!, inputs[0]!.shape, axis))];
  },
  gradient: ({ inputs: [data, indices], attrs }, [dy]) => [
    apply('ScatterElements', [filled(data!, 0), indices, dy], { ...attrs, reduction: 'add' }),
  ],
});

const reductions = ['none', 'add', 'mul', 'max', 'min'] as const;
export type ScatterReduction = (typeof reductions)[number];

export const scatterReduction = (attrs: Attrs): ScatterReduction => stringAttr(attrs, 'reduction', 'none', reductions);

/** How an update meets what is there; typed for numbers, the same for bigints. NaN wins, as everywhere. */
const reduce: Record<ScatterReduction, (there: number, update: number) => number> = {
  none: (_there, update) => update,
  add: (there, update) => there + update,
  mul: (there, update) => there * update,
  max: (there, update) => (there > update || there !== there ? there : update),
  min: (there, update) => (there < update || there !== there ? there : update),
};

function scatterType(context: InferContext, updatesShape: Shape): TensorType {
  const data = operand(context, 0, 'any', 'data');
  const updates = operand(context, 2, 'any', 'updates');
  expectShape(updates, updatesShape, 'updates');
  const reduction = scatterReduction(context.attrs);
  if (data.dtype === 'bool' && reduction !== 'none') throw new GraphError('reduction', { expected: 'none for bool', got: reduction });
  return { dtype: commonDType([data, updates]), shape: data.shape };
}

/** `data` with updates written or reduced into `places`, in order, each the first of `inner` neighbours. */
function scatter(data: TensorData, updates: TensorData, places: ArrayLike<number>, inner: number, reduction: ScatterReduction): TensorData {
  const elements = reduction === 'none' ? (tensor: TensorData) => tensor.data : isFloat(data.dtype) ? numbersOf : bigintsOf;
  const result = (elements(data) as Float64Array).slice();
  const update = elements(updates) as ArrayLike<number>;
  const meet = reduce[reduction];
  let at = 0;
  for (let i = 0; i < places.length; i++) {
    for (let j = 0; j < inner; j++) result[places[i] + j] = meet(result[places[i] + j], update[at++]);
  }
  return reduction === 'none' ? tensorData(data.dtype, data.shape, result) : fromElements(data, result);
}

defineOp({
  name: 'ScatterElements',
  inputs: [3, 3],
  infer: (context) => [scatterType(context, elementsGeometry(context).indices.shape)],
  evaluate(inputs, attrs) {
    const [data, indices, updates] = inputs as TensorData[];
    const { axis } = elementsGeometry({ inputs, attrs });
    return [scatter(data, updates, elementPlaces(indices, data.shape, axis), 1, scatterReduction(attrs))];
  },
  gradient: (node, [dy]) => scatterGradient(node, dy!, 'GatherElements'),
});

// ---- GatherND and ScatterND: the last axis of indices holds a place's coordinates

/** Shapes of data and indices of GatherND or ScatterND, and how many axes of data (after `batch` of them) are named. */
export interface CoordinatesGeometry {
  readonly data: Shape;
  readonly indices: Shape;
  readonly batch: number;
  readonly count: number;
}

/** @throws GraphError where operands do not fit. */
export function coordinatesGeometry(source: OpSource, batch = batchDims(source)): CoordinatesGeometry {
  const context = contextOf(source);
  const data = operand(context, 0, 'any', 'data').shape;
  const type = operand(context, 1, 'index', 'indices');
  const indices = type.shape;
  const count = indices[indices.length - 1];
  if (indices.length === 0 || batch >= Math.min(data.length + 1, indices.length) || count < 1 || count > data.length - batch) {
    throw new GraphError('indices', {
      expected: `a last axis of 1 to ${data.length - batch} coordinates${batch > 0 ? ` after ${batch} batch axes` : ''}`,
      got: formatType(type),
    });
  }
  for (let axis = 0; axis < batch; axis++) {
    if (data[axis] === indices[axis]) continue;
    throw new GraphError('batch axes', { expected: 'equal sizes', got: `[${data.join(',')}] and [${indices.join(',')}]` });
  }
  const empty = data.indexOf(0, batch);
  if (empty >= 0 && empty < batch + count && sizeOf(indices) > 0) throw emptyAxis(empty);
  return { data, indices, batch, count };
}

/** GatherND's attribute; ScatterND has none. */
const batchDims = ({ attrs }: OpSource): number => intAttr(attrs, 'batch_dims', 0, 0);

/** The flat place in data of each list of coordinates; data's first `batch` axes go along with those of indices. */
function coordinatePlaces(indices: TensorData, data: Shape, count: number, batch: number): Float64Array {
  const strides = stridesOf(data);
  const index = numbersOf(indices);
  const places = new Float64Array(index.length / count);
  const perBatch = places.length / sizeOf(data.slice(0, batch));
  const batchStride = sizeOf(data.slice(batch));
  for (let i = 0; i < places.length; i++) {
    let place = Math.floor(i / perBatch) * batchStride;
    for (let j = 0; j < count; j++) place += placeIn(index[i * count + j], data[batch + j]) * strides[batch + j];
    places[i] = place;
  }
  return places;
}

defineOp({
  name: 'GatherND',
  inputs: [2, 2],
  infer(context) {
    const { data, indices, batch, count } = coordinatesGeometry(context);
    return [{ dtype: operand(context, 0).dtype, shape: [...indices.slice(0, -1), ...data.slice(batch + count)] }];
  },
  evaluate(inputs, attrs, [{ shape }]) {
    const { data, batch, count } = coordinatesGeometry({ inputs, attrs });
    return [pick(inputs[0]!, shape, coordinatePlaces(inputs[1]!, data, count, batch), sizeOf(data.slice(batch + count)))];
  },
  gradient(node, [dy]) {
    const { indices, batch } = coordinatesGeometry(node);
    const [data, coordinates] = node.inputs as Value[];
    // ScatterND knows no batch axes: their coordinates are written out.
    const own = indices.slice(0, batch).map((dim, axis) => {
      const range = fromElements({ dtype: coordinates.dtype, shape: indices.map((_, a) => (a === axis ? dim : 1)) }, Array.from({ length: dim }, (_, i) => BigInt(i)));
      return expandTo(constant(range), [...indices.slice(0, -1), 1]);
    });
    const all = batch === 0 ? coordinates : apply('Concat', [...own, coordinates], { axis: indices.length - 1 });
    return [apply('ScatterND', [filled(data, 0), all, dy], { reduction: 'add' })];
  },
});

defineOp({
  name: 'ScatterND',
  inputs: [3, 3],
  infer(context) {
    const { data, indices, count } = coordinatesGeometry(context, 0);
    return [scatterType(context, [...indices.slice(0, -1), ...data.slice(count)])];
  },
  evaluate(inputs, attrs) {
    const [data, indices, updates] = inputs as TensorData[];
    const { count } = coordinatesGeometry({ inputs, attrs }, 0);
    const places = coordinatePlaces(indices, data.shape, count, 0);
    return [scatter(data, updates, places, sizeOf(data.shape.slice(count)), scatterReduction(attrs))];
  },
  gradient: (node, [dy]) => scatterGradient(node, dy!, 'GatherND'),
});

/**
 * Of ScatterElements and ScatterND, with the operator that reads where they write. Updates that meet under `none` all take
 * part, though one alone is seen: the specification forbids them.
 */
function scatterGradient(node: Node, dy: Value, gatherOp: string): readonly (Value | null)[] {
  const [data, indices, updates] = node.inputs as Value[];
  const [y] = node.outputs;
  const { axis } = node.attrs;
  const read = (x: Value): Value => apply(gatherOp, [x, indices], axis === undefined ? {} : { axis });
  const write = (x: Value, from: Value, reduction: ScatterReduction): Value => apply(node.op, [x, indices, from], { ...node.attrs, reduction });
  switch (scatterReduction(node.attrs)) {
    case 'none':
      return [write(dy, filled(updates, 0), 'none'), null, read(dy)];
    case 'add':
      return [dy, null, read(dy)];
    case 'mul': {
      // An update's slope is the product of the others: that of all but zeros, over its own, unless another one is zero.
      // (Differentiated again where two are zero, it lacks the terms that these cancel.)
      const isZero = equal(updates, 0);
      const zeros = cast(isZero, dy.dtype);
      const filledIn = where(isZero, 1, updates);
      const count = read(write(filled(data, 0), zeros, 'add'));
      const others = div(read(write(data, filledIn, 'mul')), filledIn);
      return [mul(dy, write(filled(data, 1), updates, 'mul')), null, mul(read(dy), where(equal(count, zeros), others, 0))];
    }
    default: {
      // Equal extremes share the cotangent evenly, as in PyTorch's scatter_reduce.
      const [mine, theirs] = [cast(equal(data, y), dy.dtype), cast(equal(updates, read(y)), dy.dtype)];
      const share = div(dy, write(mine, theirs, 'add'));
      return [mul(share, mine), null, mul(read(share), theirs)];
    }
  }
}

// ---- OneHot

function oneHotGeometry(source: OpSource): { axis: number; depth: number } {
  const context = contextOf(source);
  const indices = operand(context, 0, 'numeric', 'indices');
  operand(context, 1, 'numeric', 'depth');
  const values = operand(context, 2, 'any', 'values');
  expectShape(values, [2], 'values');
  const depth = context.constant(1);
  if (!depth) throw notConstant('depth');
  const size = depth.data.length === 1 ? Math.trunc(numbersOf(depth)[0]) : Number.NaN;
  if (!(size >= 1)) throw new GraphError('depth', { expected: 'one number of at least 1', got: formatType(depth) });
  return { axis: normalizeAxis(intAttr(context.attrs, 'axis', -1), indices.shape.length + 1), depth: size };
}

defineOp({
  name: 'OneHot',
  inputs: [3, 3],
  infer(context) {
    const { axis, depth } = oneHotGeometry(context);
    return [{ dtype: operand(context, 2).dtype, shape: operand(context, 0).shape.toSpliced(axis, 0, depth) }];
  },
  // Indices outside [-depth, depth-1] match nothing.
  decompose(node) {
    const { axis, depth } = oneHotGeometry(node);
    const [indices, , values] = node.inputs;
    const shape = indices!.shape.toSpliced(axis, 0, 1);
    const index = reshape(cast(indices!, 'int64'), shape);
    const range = apply('Range', [0, depth, 1].map((value) => scalar('int64', value)));
    const places = reshape(range, shape.map((_, a) => (a === axis ? depth : 1)));
    const [off, on] = [0, 1].map((i) => reshape(slice(values!, 0, i, i + 1), []));
    return [apply('Where', [equal(where(less(index, 0), add(index, depth), index), places), on, off])];
  },
});
