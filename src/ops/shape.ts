/** Operators on shapes: those that only rename a tensor's axes, and those that make tensors from shapes. */
import {
  apply,
  constant,
  type DType,
  defineOp,
  dtypes,
  formatType,
  GraphError,
  type InferContext,
  sizeOf,
  type TensorData,
  tensorData,
  type TensorType,
  zeros,
} from '../graph/index.ts';
import { contextOf } from './context.ts';
import {
  commonDType,
  constantInts,
  fromElements,
  flagAttr,
  int64s,
  intAttr,
  normalizeAxes,
  numbersOf,
  operand,
  reshape,
  stringAttr,
} from './helpers.ts';

/** What to say of an operand that decides a shape and is computed. */
export const notConstant = (what: string): GraphError =>
  new GraphError(what, {
    expected: 'a constant',
    got: 'a computed value',
    hint: 'result shapes must be known when the graph is made; fold the constants that feed it first',
  });

/** Integers that decide a shape. @throws GraphError where they are left out or not constant. */
export function requiredInts(context: InferContext, i: number, what: string): number[] {
  const values = constantInts(context, i, what);
  if (!values) throw new GraphError(what, { expected: 'a constant', got: 'nothing' });
  return values;
}

// ---- the same elements under other axes

function reshapedShape(x: TensorType, wanted: readonly number[], allowZero: boolean): number[] {
  const got = `[${wanted.join(',')}]`;
  const shape = wanted.map((dim, axis) => {
    if (dim < -1) throw new GraphError('shape', { expected: 'dimensions of at least -1', got });
    if (dim !== 0 || allowZero) return dim;
    if (axis >= x.shape.length) throw new GraphError('shape', { expected: `0 only where ${formatType(x)} has an axis to copy`, got });
    return x.shape[axis];
  });
  const free = shape.indexOf(-1);
  if (free >= 0) {
    const rest = sizeOf(shape) / -1;
    if (shape.lastIndexOf(-1) !== free) throw new GraphError('shape', { expected: 'at most one -1', got });
    if (rest === 0) throw new GraphError('shape', { expected: 'no -1 beside a dimension of 0', got, hint: 'it could be anything' });
    shape[free] = Math.floor(sizeOf(x.shape) / rest);
  }
  if (sizeOf(shape) !== sizeOf(x.shape)) {
    throw new GraphError('shape', { expected: `${sizeOf(x.shape)} elements, as ${formatType(x)}`, got });
  }
  return shape;
}

defineOp({
  name: 'Reshape',
  inputs: [2, 2],
  infer(context) {
    const x = operand(context, 0);
    return [{ dtype: x.dtype, shape: reshapedShape(x, requiredInts(context, 1, 'shape'), flagAttr(context.attrs, 'allowzero', false)) }];
  },
  evaluate: ([x], _attrs, [type]) => [tensorData(type.dtype, type.shape, x!.data)],
  gradient: ({ inputs: [x] }, [dy]) => [reshape(dy!, x!.shape)],
});

/** Operators that are a Reshape to the shape that `infer` found. */
function defineReshape(name: string, inputs: readonly [number, number], shapeOf: (x: TensorType, context: InferContext) => number[]) {
  defineOp({
    name,
    inputs,
    infer(context) {
      const x = operand(context, 0);
      return [{ dtype: x.dtype, shape: shapeOf(x, context) }];
    },
    decompose: ({ inputs: [x], outputs: [y] }) => [reshape(x!, y.shape)],
  });
}

defineReshape('Flatten', [1, 1], ({ shape }, { attrs }) => {
  const axis = intAttr(attrs, 'axis', 1);
  const rank = shape.length;
  if (axis < -rank || axis > rank) throw new GraphError('axis', { expected: `an integer in [${-rank}, ${rank}]`, got: `${axis}` });
  const split = axis < 0 ? axis + rank : axis;
  return [sizeOf(shape.slice(0, split)), sizeOf(shape.slice(split))];
});

defineReshape('Squeeze', [1, 2], (x, context) => {
  const given = constantInts(context, 1, 'axes');
  const axes = given && normalizeAxes(given, x.shape.length);
  for (const axis of axes ?? []) {
    if (x.shape[axis] !== 1) throw new GraphError('axes', { expected: `axes of size 1 in ${formatType(x)}`, got: `axis ${axis}` });
  }
  return x.shape.filter((dim, axis) => (axes ? !axes.includes(axis) : dim !== 1));
});

defineReshape('Unsqueeze', [2, 2], (x, context) => {
  const given = requiredInts(context, 1, 'axes');
  const rank = x.shape.length + given.length;
  if (rank > 64) throw new GraphError('axes', { expected: 'at most 64 axes in all', got: `${rank}` });
  const axes = normalizeAxes(given, rank);
  let next = 0;
  return Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : x.shape[next++]));
});

// ---- tensors known from the operands' types, or from operands that must be constant

/** Operators that are a constant of their graph: nothing is left to compute when it runs. */
function defineKnown(
  name: string,
  inputs: readonly [number, number],
  infer: (context: InferContext) => TensorType,
  make: (type: TensorType, context: InferContext) => TensorData,
) {
  defineOp({
    name,
    inputs,
    infer: (context) => [infer(context)],
    evaluate: (operands, attrs, [type]) => [make(type, contextOf({ inputs: operands, attrs }))],
    decompose: (node) => [constant(make({ dtype: node.outputs[0].dtype, shape: node.outputs[0].shape }, contextOf(node)))],
  });
}

/** `Shape`'s slice of the dimensions. */
function dims(context: InferContext): readonly number[] {
  const { shape } = operand(context, 0);
  return shape.slice(intAttr(context.attrs, 'start', 0), intAttr(context.attrs, 'end', shape.length));
}

defineKnown(
  'Shape',
  [1, 1],
  (context) => ({ dtype: 'int64', shape: [dims(context).length] }),
  (type, context) => fromElements(type, dims(context)),
);

defineKnown(
  'Size',
  [1, 1],
  (context) => (operand(context, 0), { dtype: 'int64', shape: [] }),
  (type, context) => fromElements(type, [sizeOf(operand(context, 0).shape)]),
);

defineKnown(
  'EyeLike',
  [1, 1],
  (context) => {
    const x = operand(context, 0);
    if (x.shape.length !== 2) throw new GraphError('input', { expected: 'a matrix', got: formatType(x) });
    intAttr(context.attrs, 'k', 0);
    return { dtype: stringAttr(context.attrs, 'dtype', x.dtype, Object.keys(dtypes) as DType[]), shape: x.shape };
  },
  (type, { attrs }) => {
    const [rows, columns] = type.shape;
    const result = zeros(type.dtype, type.shape);
    const one = fromElements({ dtype: type.dtype, shape: [] }, [1]).data[0];
    const k = intAttr(attrs, 'k', 0);
    for (let row = Math.max(0, -k); row < rows && row + k < columns; row++) result.data[row * columns + row + k] = one as never;
    return result;
  },
);

/** start, limit and delta of a Range, and how many elements they make. */
function rangeOf(context: InferContext): { start: number; delta: number; count: number } {
  const [start, limit, delta] = ['start', 'limit', 'delta'].map((what, i) => {
    const value = context.constant(i);
    if (!value) throw notConstant(what);
    if (value.data.length !== 1) throw new GraphError(what, { expected: 'one element', got: formatType(value) });
    return numbersOf(value)[0];
  });
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (delta === 0 || !Number.isFinite(count)) {
    throw new GraphError('range', { expected: 'finite bounds and a delta other than 0', got: `${start} to ${limit} by ${delta}` });
  }
  return { start, delta, count };
}

defineKnown(
  'Range',
  [3, 3],
  (context) => {
    const dtype = commonDType([0, 1, 2].map((i) => operand(context, i, 'numeric')));
    return { dtype, shape: [rangeOf(context).count] };
  },
  (type, context) => {
    const { start, delta, count } = rangeOf(context);
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) values[i] = start + i * delta;
    return fromElements(type, values);
  },
);

/** The one element that ConstantOfShape repeats. */
function fillValue(attrs: InferContext['attrs']): TensorData {
  const value = (attrs.value ?? zeros('float32', [1])) as TensorData;
  if (typeof value !== 'object' || !('data' in value) || value.data.length !== 1) {
    throw new GraphError('attribute value', { expected: 'a tensor of one element', got: 'another' });
  }
  return value;
}

defineOp({
  name: 'ConstantOfShape',
  inputs: [1, 1],
  infer: (context) => [{ dtype: fillValue(context.attrs).dtype, shape: requiredInts(context, 0, 'shape') }],
  evaluate(_inputs, attrs, [type]) {
    const result = zeros(type.dtype, type.shape);
    result.data.fill(fillValue(attrs).data[0] as never);
    return [result];
  },
  decompose({ attrs, outputs: [y] }) {
    const { dtype, data } = fillValue(attrs);
    return [apply('Expand', [constant(tensorData(dtype, [], data)), int64s(y.shape)])];
  },
});
