/** Reductions over axes, ArgMax and ArgMin, and CumSum. `axes` is an input, as from opset 18, and must be constant. */
import {
  apply,
  type Attrs,
  constantOf,
  defineOp,
  dtypes,
  GraphError,
  type Node,
  type Shape,
  sizeOf,
  stridesOf,
  type TensorData,
  type TensorType,
  type Value,
} from '../graph/index.ts';
import { expandTo, filled, sumOver, transposed } from './gradient.ts';
import {
  bigintsOf,
  constantInts,
  type DTypeGroup,
  flagAttr,
  fromElements,
  int64s,
  intAttr,
  intRange,
  isFloat,
  normalizeAxes,
  normalizeAxis,
  numbersOf,
  offsetsOf,
  operand,
  reshape,
  scalar,
  toInts,
} from './helpers.ts';
import * as t from './terms.ts';

// ---- which axes

/**
 * The axes that a reduction runs over, ascending. None given means all, or none where `noop_with_empty_axes` is set (the
 * function is then applied to each element alone, as the specification was clarified in ONNX pull request 7137).
 */
function resolveAxes(rank: number, axes: readonly number[] | undefined, attrs: Attrs): number[] {
  if (axes && axes.length > 0) return normalizeAxes(axes, rank).sort((a, b) => a - b);
  return flagAttr(attrs, 'noop_with_empty_axes', false) ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

/** The axes of a Reduce* node, ascending; devices ask here. */
export function reducedAxes(node: Node): number[] {
  const axes = constantOf(node.inputs[1]);
  return resolveAxes(node.inputs[0]!.shape.length, axes && toInts(axes), node.attrs);
}

const reducedShape = (shape: Shape, axes: readonly number[], keepdims: boolean): number[] =>
  shape.flatMap((dim, axis) => (!axes.includes(axis) ? [dim] : keepdims ? [1] : []));

const keepdims = (attrs: Attrs): boolean => flagAttr(attrs, 'keepdims', true);

/** For every result element, where its operands begin; and where they lie from there. */
function groups(shape: Shape, axes: readonly number[]): { starts: Uint32Array; steps: Uint32Array } {
  const strides = stridesOf(shape);
  const pick = (wanted: boolean) => shape.map((_, axis) => axis).filter((axis) => axes.includes(axis) === wanted);
  const offsets = (picked: number[]) => offsetsOf(picked.map((axis) => shape[axis]), picked.map((axis) => strides[axis]));
  return { starts: offsets(pick(false)), steps: offsets(pick(true)) };
}

/** Calls `fn` with the elements of each group. */
function mapGroups<E, R>(elements: ArrayLike<E>, shape: Shape, axes: readonly number[], fn: (group: E[]) => R): R[] {
  const { starts, steps } = groups(shape, axes);
  const group: E[] = Array.from({ length: steps.length });
  return Array.from(starts, (start) => {
    for (let i = 0; i < steps.length; i++) group[i] = elements[start + steps[i]];
    return fn(group);
  });
}

// ---- the reductions

interface Reduction {
  readonly name: string;
  readonly group?: DTypeGroup;
  /** On doubles. Without `int`, integers go this way too and the result truncates. */
  readonly float: (group: readonly number[]) => number;
  /** On bigints; the result wraps. */
  readonly int?: (group: readonly bigint[], dtype: TensorType['dtype']) => bigint;
  /** `reduce` makes another reduction over the same axes. */
  readonly decompose?: (x: Value, reduce: (op: string, x: Value, keep?: boolean) => Value) => Value;
  /** dy and y have the reduced axes with size 1; the rule's result broadcasts to x's shape. */
  readonly gradient?: (dy: Value, x: Value, y: Value, axes: readonly number[]) => Value;
}

/** dy where y is 0: those reductions have a corner there, whose gradient is taken to be 0, as in PyTorch. */
const overNonzero = (dy: Value, y: Value): Value => {
  const isZero = t.equal(y, 0);
  return t.where(isZero, 0, t.div(dy, t.where(isZero, 1, y)));
};

/** Equal extremes share the cotangent evenly, as in PyTorch's amax and amin. */
const toExtremes = (dy: Value, x: Value, y: Value, axes: readonly number[]): Value => {
  const chosen = t.cast(t.equal(x, y), x.dtype);
  return axes.length === 0 ? dy : t.mul(t.div(dy, sumOver(chosen, axes, 1)), chosen);
};

const sum = (group: readonly number[]): number => group.reduce((a, b) => a + b, 0);
const sumInts = (group: readonly bigint[]): bigint => group.reduce((a, b) => a + b, 0n);
const maxOf = (group: readonly number[]): number => group.reduce((a, b) => Math.max(a, b), -Infinity);
const square = <T extends number | bigint>(x: T): T => ((x as number) * (x as number)) as T;

function logSumExp(group: readonly number[]): number {
  const largest = maxOf(group);
  if (Math.abs(largest) === Infinity) return largest;
  return largest + Math.log(sum(group.map((x) => Math.exp(x - largest))));
}

/** In float64 where x is an integer, whose logarithms and roots are only truncated at the end. */
const inFloat = (x: Value, compute: (x: Value) => Value): Value =>
  isFloat(x.dtype) ? compute(x) : t.cast(compute(t.cast(x, 'float64')), x.dtype);

const reductions: Reduction[] = [
  { name: 'ReduceSum', float: sum, int: sumInts, gradient: (dy) => dy },
  {
    name: 'ReduceProd',
    float: (group) => group.reduce((a, b) => a * b, 1),
    int: (group) => group.reduce((a, b) => BigInt.asIntN(64, a * b), 1n),
    gradient: (dy, x, _y, axes) => t.mul(dy, productsOfOthers(x, axes)),
  },
  {
    name: 'ReduceMean',
    float: (group) => sum(group) / group.length,
    gradient: (dy, x, _y, axes) => t.div(dy, sizeOf(axes.map((axis) => x.shape[axis]))),
  },
  {
    name: 'ReduceMax',
    group: 'any',
    float: maxOf,
    int: (group, dtype) => group.reduce((a, b) => (a > b ? a : b), lowest(dtype)),
    gradient: toExtremes,
  },
  {
    name: 'ReduceMin',
    group: 'any',
    float: (group) => -maxOf(group.map((x) => -x)),
    int: (group, dtype) => group.reduce((a, b) => (a < b ? a : b), highest(dtype)),
    gradient: toExtremes,
  },
  {
    name: 'ReduceL1',
    float: (group) => sum(group.map(Math.abs)),
    gradient: (dy, x) => t.mul(dy, apply('Sign', [x])),
    int: (group) => sumInts(group.map((x) => (x < 0n ? -x : x))),
    decompose: (x, reduce) => reduce('ReduceSum', t.abs(x)),
  },
  {
    name: 'ReduceL2',
    float: (group) => Math.sqrt(sum(group.map(square))),
    decompose: (x, reduce) => inFloat(x, (y) => t.sqrt(reduce('ReduceSum', t.mul(y, y)))),
    gradient: (dy, x, y) => t.mul(x, overNonzero(dy, y)),
  },
  {
    name: 'ReduceSumSquare',
    float: (group) => sum(group.map(square)),
    int: (group) => sumInts(group.map(square)),
    decompose: (x, reduce) => reduce('ReduceSum', t.mul(x, x)),
    gradient: (dy, x) => t.mul(x, t.mul(dy, 2)),
  },
  {
    name: 'ReduceLogSum',
    float: (group) => Math.log(sum(group)),
    decompose: (x, reduce) => inFloat(x, (y) => t.log(reduce('ReduceSum', y))),
    gradient: (dy, _x, y) => t.mul(dy, t.exp(t.neg(y))),
  },
  {
    name: 'ReduceLogSumExp',
    float: logSumExp,
    // Shifted by the largest element, where that is finite; then an infinity comes out of exp and log by itself.
    decompose: (x, reduce) =>
      inFloat(x, (y) => {
        const shiftOf = (largest: Value) => t.where(t.equal(t.abs(largest), Infinity), 0, largest);
        const exps = t.exp(t.sub(y, shiftOf(reduce('ReduceMax', y, true))));
        return t.add(t.log(reduce('ReduceSum', exps)), shiftOf(reduce('ReduceMax', y)));
      }),
    gradient: (dy, x, y) => t.mul(dy, t.exp(t.sub(x, t.where(t.equal(t.abs(y), Infinity), 0, y)))),
  },
];

/**
 * For each element the product of all others of its group: of those before it by those after it, each a running product made
 * by doubling, as CumSum's. No division, so that zeros are right in every derivative.
 */
function productsOfOthers(x: Value, axes: readonly number[]): Value {
  const perm = [...x.shape.keys()].filter((axis) => !axes.includes(axis)).concat(axes);
  const length = sizeOf(axes.map((axis) => x.shape[axis]));
  if (sizeOf(x.shape) === 0 || length === 1) return filled(x, 1);
  const moved = transposed(x, perm);
  const lines = reshape(moved, [sizeOf(x.shape) / length, length]);
  const shift = (y: Value, by: number): Value => apply('Pad', [y, int64s([0, by, 0, -by]), scalar(y.dtype, 1)]);
  const running = (sign: 1 | -1): Value => {
    let products = shift(lines, sign);
    for (let by = 1; by < length; by *= 2) products = t.mul(products, shift(products, sign * by));
    return products;
  };
  const back = perm.map((_, axis) => perm.indexOf(axis));
  return transposed(reshape(t.mul(running(1), running(-1)), moved.shape), back);
}

const isBool = (dtype: TensorType['dtype']): boolean => dtypes[dtype].kind === 'bool';
const lowest = (dtype: TensorType['dtype']): bigint => (isBool(dtype) ? 0n : intRange(dtype)[0]);
const highest = (dtype: TensorType['dtype']): bigint => (isBool(dtype) ? 1n : intRange(dtype)[1]);

for (const { name, group = 'numeric', float, int, decompose, gradient } of reductions) {
  defineOp({
    name,
    inputs: [1, 2],
    infer(context) {
      const { dtype, shape } = operand(context, 0, group);
      const axes = resolveAxes(shape.length, constantInts(context, 1, 'axes'), context.attrs);
      return [{ dtype, shape: reducedShape(shape, axes, keepdims(context.attrs)) }];
    },
    evaluate([x, axesInput], attrs, [type]) {
      const axes = resolveAxes(x!.shape.length, axesInput ? toInts(axesInput) : undefined, attrs);
      const results =
        int && !isFloat(x!.dtype)
          ? mapGroups(bigintsOf(x!), x!.shape, axes, (elements) => int(elements, x!.dtype))
          : mapGroups(numbersOf(x!), x!.shape, axes, float);
      return [fromElements(type, results)];
    },
    decompose:
      decompose &&
      ((node) => {
        const [x, axes = null] = node.inputs;
        const reduce = (op: string, y: Value, keep = keepdims(node.attrs)) =>
          apply(op, axes ? [y, axes] : [y], { ...node.attrs, keepdims: keep ? 1 : 0 });
        return [decompose(x!, reduce)];
      }),
    gradient:
      gradient &&
      ((node, [dy]) => {
        const x = node.inputs[0]!;
        const axes = reducedAxes(node);
        const kept = reducedShape(x.shape, axes, true);
        return [expandTo(gradient(reshape(dy!, kept), x, reshape(node.outputs[0], kept), axes), x.shape), null];
      }),
  });
}

// ---- ArgMax, ArgMin: NaN counts as the extreme, as in NumPy

type Better = (a: number | bigint, b: number | bigint) => boolean;

const argAxis = (attrs: Attrs, rank: number): number => normalizeAxis(intAttr(attrs, 'axis', 0), rank);

function defineArg(name: string, better: Better): void {
  const indexOfBest = (group: readonly (number | bigint)[], last: boolean): number => {
    let best = 0;
    for (let i = 1; i < group.length; i++) {
      const [a, b] = [group[i], group[best]];
      const same = a === b || (a !== a && b !== b);
      if (same ? last : b === b && (a !== a || better(a, b))) best = i;
    }
    return best;
  };
  defineOp({
    name,
    inputs: [1, 1],
    infer(context) {
      const { attrs } = context;
      const { shape } = operand(context, 0, 'numeric');
      flagAttr(attrs, 'select_last_index', false);
      const axis = argAxis(attrs, shape.length);
      if (shape[axis] === 0) throw new GraphError(`axis ${axis}`, { expected: 'at least one element', got: 'none' });
      return [{ dtype: 'int64', shape: reducedShape(shape, [axis], keepdims(attrs)) }];
    },
    evaluate([x], attrs, [type]) {
      const last = flagAttr(attrs, 'select_last_index', false);
      const elements: ArrayLike<number | bigint> = dtypes[x!.dtype].kind === 'int' ? bigintsOf(x!) : numbersOf(x!);
      const indices = mapGroups(elements, x!.shape, [argAxis(attrs, x!.shape.length)], (group) => indexOfBest(group, last));
      return [fromElements(type, indices)];
    },
  });
}

defineArg('ArgMax', (a, b) => a > b);
defineArg('ArgMin', (a, b) => a < b);

// ---- CumSum(x, axis)

defineOp({
  name: 'CumSum',
  inputs: [2, 2],
  infer(context) {
    const { dtype, shape } = operand(context, 0, 'numeric');
    flagAttr(context.attrs, 'exclusive', false);
    flagAttr(context.attrs, 'reverse', false);
    const axis = constantInts(context, 1, 'axis') ?? [];
    if (axis.length !== 1) throw new GraphError('axis', { expected: 'one integer', got: `${axis.length}` });
    normalizeAxis(axis[0], shape.length);
    return [{ dtype, shape }];
  },
  evaluate([x, axisInput], attrs, [type]) {
    const axis = normalizeAxis(toInts(axisInput!)[0], x!.shape.length);
    const [exclusive, reverse] = [flagAttr(attrs, 'exclusive', false), flagAttr(attrs, 'reverse', false)];
    const { starts, steps } = groups(x!.shape, [axis]);
    if (reverse) steps.reverse();
    // Typed as numbers; the loop is the same for bigints.
    const run = (elements: ArrayLike<number>, sums: Float64Array, zero: number): TensorData => {
      for (const start of starts) {
        let total = zero;
        for (const step of steps) {
          const before = total;
          total += elements[start + step];
          sums[start + step] = exclusive ? before : total;
        }
      }
      return fromElements(type, sums);
    };
    return isFloat(type.dtype)
      ? [run(numbersOf(x!), new Float64Array(sizeOf(type.shape)), 0)]
      : [run(bigintsOf(x!) as never, new BigInt64Array(sizeOf(type.shape)) as never, 0n as never)];
  },
  /**
   * Doubling (Hillis and Steele, Data parallel algorithms, 1986): add the array shifted by 1, 2, 4, ... The tree of
   * additions is as good numerically as pairwise summation, and unlike a triangular matrix it keeps infinities apart.
   */
  decompose({ inputs: [input, axisInput], attrs }) {
    const axis = normalizeAxis(toInts(constantOf(axisInput)!)[0], input!.shape.length);
    const length = input!.shape[axis];
    const reverse = flagAttr(attrs, 'reverse', false);
    const shift = (x: Value, by: number): Value => {
      const [from, to] = reverse ? [by, length] : [0, length - by];
      const kept = apply('Slice', [x, int64s([from]), int64s([to]), int64s([axis])]);
      const pads = Array.from({ length: 2 * x.shape.length }, () => 0);
      pads[reverse ? x.shape.length + axis : axis] = by;
      return apply('Pad', [kept, int64s(pads)]);
    };
    let sums = flagAttr(attrs, 'exclusive', false) && length > 0 ? shift(input!, 1) : input!;
    for (let by = 1; by < length; by *= 2) sums = t.add(sums, shift(sums, by));
    return [sums];
  },
  gradient: ({ inputs: [, axis], attrs }, [dy]) => [
    apply('CumSum', [dy!, axis], { ...attrs, reverse: flagAttr(attrs, 'reverse', false) ? 0 : 1 }),
    null,
  ],
});
