/** Arithmetic of two operands, and the variadic Min, Max, Sum and Mean, with NumPy's broadcasting. */
import { apply, constantOf, defineOp, GraphError, type Node, type TensorData, type TensorType, type Value, zeros } from '../graph/index.ts';
import {
  broadcastShapes,
  commonDType,
  type DTypeGroup,
  flagAttr,
  fromElements,
  isFloat,
  numbersOf,
  operand,
  scalar,
} from './helpers.ts';
import { pow } from './math.ts';
import { definePointwise, mapElements, markPointwise, pointwiseGradient, type PointwiseGradient, type PointwiseRow } from './pointwise.ts';
import * as t from './terms.ts';

type Numbers = (a: number, b: number) => number;
type Bigints = (a: bigint, b: bigint) => bigint;

const row = (name: string, float: Numbers, int: Bigints, gradient: PointwiseGradient): PointwiseRow => ({
  name,
  inputs: 2,
  group: 'numeric',
  float: () => float,
  int: () => int,
  gradient,
});

const rows: PointwiseRow[] = [
  row('Add', (a, b) => a + b, (a, b) => a + b, (dy) => [dy, dy]),
  row('Sub', (a, b) => a - b, (a, b) => a - b, (dy) => [dy, t.neg(dy)]),
  row('Mul', (a, b) => a * b, (a, b) => a * b, (dy, [a, b]) => [t.mul(dy, b), t.mul(dy, a)]),
  // Integers truncate; what ONNX leaves open, division by 0, is 0 as in NumPy.
  row('Div', (a, b) => a / b, (a, b) => (b === 0n ? 0n : a / b), (dy, [, b], y) => [t.div(dy, b), t.neg(t.div(t.mul(dy, y), b))]),
];

rows.forEach(definePointwise);

// ---- Mod: the result has the divisor's sign, with fmod the dividend's (as %). By 0 it is 0 for integers.

const floorMod: Bigints = (a, b) => (b === 0n ? 0n : ((a % b) + b) % b);
const truncatedMod: Bigints = (a, b) => (b === 0n ? 0n : a % b);

markPointwise('Mod');
defineOp({
  name: 'Mod',
  inputs: [2, 2],
  infer(context) {
    const types = [operand(context, 0, 'numeric'), operand(context, 1, 'numeric')];
    const dtype = commonDType(types);
    if (!flagAttr(context.attrs, 'fmod', false) && isFloat(dtype)) {
      throw new GraphError('attribute fmod', { expected: `1 for ${dtype}`, got: '0', hint: 'Mod of floats is defined as C fmod only' });
    }
    return [{ dtype, shape: broadcastShapes(...types.map(({ shape }) => shape)) }];
  },
  evaluate: (operands, attrs, [type]) => [
    isFloat(type.dtype)
      ? mapElements((a: number, b: number) => a % b, operands as TensorData[], type, 'float')
      : mapElements(flagAttr(attrs, 'fmod', false) ? truncatedMod : floorMod, operands as TensorData[], type, 'int'),
  ],
  // y = a - b n with n whole.
  gradient: pointwiseGradient((dy, [a, b], y) => [dy, t.neg(t.mul(dy, t.div(t.sub(a, y), b)))]),
});

// ---- Pow: the exponent's dtype is free, the result has the base's.

markPointwise('Pow');
defineOp({
  name: 'Pow',
  inputs: [2, 2],
  infer(context) {
    const base = operand(context, 0, 'numeric', 'base');
    const exponent = operand(context, 1, 'numeric', 'exponent');
    return [{ dtype: base.dtype, shape: broadcastShapes(base.shape, exponent.shape) }];
  },
  evaluate(operands, _attrs, [type]) {
    const [base, exponent] = operands as TensorData[];
    const ints = !isFloat(base.dtype) && !isFloat(exponent.dtype);
    return [ints ? mapElements(intPow, [base, exponent], type, 'int') : mapElements(pow, [base, exponent], type, 'float')];
  },
  gradient: pointwiseGradient((dy, [base, exponent], y, _params, wanted) => {
    const known = constantOf(exponent);
    if (known?.data.length === 1 && !wanted[1]) return [powSlope(dy, base, numbersOf(known)[0]), null];
    const e = t.cast(exponent, base.dtype);
    // As in PyTorch: a power of 0 does not change, and 0 to any positive power stays 0.
    const dBase = t.where(t.equal(e, 0), 0, t.mul(dy, t.mul(e, t.pow(base, t.sub(e, 1)))));
    const stays = t.and(t.equal(base, 0), apply('GreaterOrEqual', [e, scalar(e.dtype, 0)]));
    return [dBase, t.cast(t.where(stays, 0, t.mul(dy, t.mul(y, t.log(base)))), exponent.dtype)];
  }),
});

function powSlope(dy: Value, base: Value, exponent: number): Value | null {
  if (exponent === 0) return null;
  const power = exponent === 1 ? undefined : exponent === 2 ? base : t.pow(base, exponent - 1);
  return power ? t.mul(dy, t.mul(power, exponent)) : dy;
}

/** Modulo 2^64, by squaring, so that no exponent takes long. Negative powers truncate to 0 but for those of 1 and -1. */
function intPow(base: bigint, exponent: bigint): bigint {
  if (exponent < 0n) return base === 1n || (base === -1n && exponent % 2n === 0n) ? 1n : base === -1n ? -1n : 0n;
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = BigInt.asIntN(64, result * square);
    square = BigInt.asIntN(64, square * square);
  }
  return result;
}

// ---- variadic operators: folds of a function of two

/** NaN wins, from either side. */
const larger = <T extends number | bigint>(a: T, b: T): T => (a !== a || a > b ? a : b);
const smaller = <T extends number | bigint>(a: T, b: T): T => (a !== a || a < b ? a : b);

function defineVariadic(
  name: string,
  group: DTypeGroup,
  evaluate: (operands: readonly TensorData[], type: TensorType) => TensorData,
  decompose: (inputs: readonly Value[], node: Node) => Value,
  gradient: PointwiseGradient,
): void {
  markPointwise(name);
  defineOp({
    name,
    inputs: [1, Infinity],
    infer(context) {
      const types = context.inputs.map((_, i) => operand(context, i, group));
      return [{ dtype: commonDType(types), shape: broadcastShapes(...types.map(({ shape }) => shape)) }];
    },
    evaluate: (operands, _attrs, [type]) => [evaluate(operands as TensorData[], type)],
    decompose: (node) => [decompose(node.inputs as Value[], node)],
    gradient: pointwiseGradient(gradient),
  });
}

const chain = (op: string, values: readonly Value[]): Value => values.reduce((a, b) => apply(op, [a, b]));

function defineExtreme(name: string, pick: typeof larger, prefer: 'Greater' | 'Less'): void {
  defineVariadic(
    name,
    'numeric',
    (operands, type) =>
      operands.reduce((a, b) => mapElements(pick, [a, b], { dtype: type.dtype, shape: broadcastShapes(a.shape, b.shape) }, 'any')),
    (inputs) => {
      if (inputs.length !== 2) return chain(name, inputs);
      const [a, b] = inputs;
      const preferred = apply(prefer, [a, b]);
      return t.where(isFloat(a.dtype) ? t.or(t.isNaN(a), preferred) : preferred, a, b);
    },
    // Equal operands share the cotangent evenly, as in PyTorch.
    (dy, inputs, y) => {
      if (inputs.length === 1) return [dy];
      const chosen = inputs.map((x) => t.cast(t.equal(x, y), y.dtype));
      const share = t.div(dy, chain('Add', chosen));
      return chosen.map((mask) => t.mul(share, mask));
    },
  );
}

defineExtreme('Max', larger, 'Greater');
defineExtreme('Min', smaller, 'Less');

/** In doubles throughout, rounded once. */
function sumOf(operands: readonly TensorData[], type: TensorType, scale: number): TensorData {
  const wide = operands.map((x): TensorData => fromElements({ dtype: 'float64', shape: x.shape }, numbersOf(x)));
  const add = (a: TensorData, b: TensorData) => mapElements((x: number, y: number) => x + y, [a, b], { dtype: 'float64', shape: type.shape }, 'float');
  const sum = wide.reduce(add, zeros('float64', type.shape));
  return mapElements((x: number) => x / scale, [sum], type, 'float');
}

defineVariadic('Sum', 'float', (operands, type) => sumOf(operands, type, 1), (inputs) => chain('Add', inputs), (dy, inputs) => inputs.map(() => dy));
defineVariadic(
  'Mean',
  'float',
  (operands, type) => sumOf(operands, type, operands.length),
  // Division by the count, not multiplication by its inverse: exact where the mean is.
  (inputs) => t.div(chain('Add', inputs), inputs.length),
  (dy, inputs) => inputs.map(() => t.div(dy, inputs.length)),
);
