/** Activations. Their decompositions keep float32 results good over the whole range: none overflows or cancels. */
import { apply, defineOp, GraphError, type Value } from '../graph/index.ts';
import { sumTo } from './gradient.ts';
import { commonDType, expectShape, int64s, operand, optionalOperand, reshape, scalar, stringAttr } from './helpers.ts';
import { erfc, sigmoid, softplus } from './math.ts';
import { definePointwise, mapElements, markPointwise, type Params, type PointwiseRow } from './pointwise.ts';
import { expm1, log1p } from './pointwise-unary.ts';
import * as t from './terms.ts';

const activation = (
  name: string,
  float: (x: number, p: Params) => number,
  params: Params = {},
  decompose?: (x: Value, p: Params) => Value,
  gradient?: (dy: Value, x: Value, y: Value, p: Params) => Value,
): PointwiseRow => ({
  name,
  inputs: 1,
  group: 'float',
  params,
  float: (p) => (x) => float(x, p),
  decompose: decompose && (([x], p) => decompose(x, p)),
  gradient: gradient && ((dy, [x], y, p) => [gradient(dy, x, y, p)]),
});

/** alpha (e^(x/gamma) - 1) where x < 0, by an exponent that is never positive, so that the other side cannot overflow. */
const exponentialBelowZero = (x: Value, alpha: number, gamma = 1): Value => {
  const negative = t.min(x, 0);
  return t.mul(expm1(gamma === 1 ? negative : t.div(negative, gamma)), alpha);
};

/** scale e^(x/gamma) where x < 0, the derivative of such exponentials; from 0 on nobody asks, and nothing overflows. */
function slopeBelowZero(x: Value, scale: number, gamma = 1): Value {
  const negative = t.min(x, 0);
  return t.mul(t.exp(gamma === 1 ? negative : t.div(negative, gamma)), scale);
}

const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);

const rows: PointwiseRow[] = [
  {
    name: 'Relu',
    inputs: 1,
    group: 'signed',
    float: () => (x) => Math.max(x, 0),
    int: () => (x) => (x > 0n ? x : 0n),
    decompose: ([x]) => t.max(x, 0),
    gradient: (dy, _inputs, y) => [t.where(t.greater(y, 0), dy, 0)],
  },
  {
    name: 'PRelu',
    inputs: 2,
    group: 'numeric',
    keepsShape: true,
    float: () => (x, slope) => (x < 0 ? slope * x : x),
    int: () => (x, slope) => (x < 0n ? slope * x : x),
    decompose: ([x, slope]) => t.where(t.less(x, 0), t.mul(slope, x), x),
    gradient: (dy, [x, slope]) => [t.where(t.greater(x, 0), dy, t.mul(dy, slope)), t.where(t.greater(x, 0), 0, t.mul(dy, x))],
  },

  activation(
    'LeakyRelu',
    (x, p) => (x < 0 ? p.alpha * x : x),
    { alpha: 0.01 },
    (x, p) => t.where(t.less(x, 0), t.mul(x, p.alpha), x),
    (dy, x, _y, p) => t.where(t.greater(x, 0), dy, t.mul(dy, p.alpha)),
  ),
  activation(
    'ThresholdedRelu',
    (x, p) => (x > p.alpha ? x : 0),
    { alpha: 1 },
    (x, p) => t.where(t.greater(x, p.alpha), x, 0),
    (dy, x, _y, p) => t.where(t.greater(x, p.alpha), dy, 0),
  ),
  activation(
    'Elu',
    (x, p) => (x < 0 ? p.alpha * Math.expm1(x) : x),
    { alpha: 1 },
    (x, p) => t.where(t.less(x, 0), exponentialBelowZero(x, p.alpha), x),
    (dy, x, _y, p) => t.where(t.greater(x, 0), dy, t.mul(dy, slopeBelowZero(x, p.alpha))),
  ),
  activation(
    'Selu',
    (x, p) => p.gamma * (x > 0 ? x : p.alpha * Math.expm1(x)),
    // Klambauer et al., Self-Normalizing Neural Networks, 2017.
    { alpha: 1.6732632423543772, gamma: 1.0507009873554805 },
    (x, p) => t.where(t.greater(x, 0), t.mul(x, p.gamma), exponentialBelowZero(x, p.alpha * p.gamma)),
    (dy, x, _y, p) => t.mul(dy, t.where(t.greater(x, 0), p.gamma, slopeBelowZero(x, p.alpha * p.gamma))),
  ),
  activation(
    'Celu',
    (x, p) => Math.max(0, x) + Math.min(0, p.alpha * Math.expm1(x / p.alpha)),
    { alpha: 1 },
    (x, p) => t.add(t.max(x, 0), t.min(celuExponential(x, p.alpha), 0)),
    (dy, x, _y, p) => t.where(t.greater(x, 0), dy, t.mul(dy, slopeBelowZero(x, 1, p.alpha))),
  ),

  activation('Sigmoid', sigmoid, {}, undefined, (dy, _x, y) => t.mul(dy, t.mul(y, t.sub(1, y)))),
  activation(
    'HardSigmoid',
    (x, p) => clamp(p.alpha * x + p.beta, 0, 1),
    { alpha: 0.2, beta: 0.5 },
    (x, p) => t.min(t.max(t.add(t.mul(x, p.alpha), p.beta), 0), 1),
    (dy, _x, y, p) => t.where(t.and(t.greater(y, 0), t.less(y, 1)), t.mul(dy, p.alpha), 0),
  ),
  activation(
    'HardSwish',
    (x) => x * clamp(x / 6 + 0.5, 0, 1),
    {},
    (x) => t.mul(x, apply('HardSigmoid', [x], { alpha: 1 / 6, beta: 0.5 })),
    (dy, x) => t.where(t.greater(x, -3), t.where(t.less(x, 3), t.mul(dy, t.add(t.mul(x, 1 / 3), 0.5)), dy), 0),
  ),
  // log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
  activation(
    'Softplus',
    softplus,
    {},
    (x) => t.add(t.max(x, 0), log1p(t.exp(t.neg(t.abs(x))))),
    (dy, x) => t.mul(dy, t.sigmoid(x)),
  ),
  activation(
    'Softsign',
    (x) => x / (1 + Math.abs(x)),
    {},
    (x) => t.div(x, t.add(1, t.abs(x))),
    (dy, x) => {
      const size = t.add(1, t.abs(x));
      return t.div(dy, t.mul(size, size));
    },
  ),
  activation(
    'Mish',
    (x) => x * Math.tanh(softplus(x)),
    {},
    (x) => t.mul(x, mishFactor(x)),
    (dy, x) => {
      const factor = mishFactor(x);
      return t.mul(dy, t.add(factor, t.mul(t.mul(x, t.sigmoid(x)), t.sub(1, t.mul(factor, factor)))));
    },
  ),
  activation(
    'Shrink',
    (x, p) => (x < -p.lambd ? x + p.bias : x > p.lambd ? x - p.bias : 0),
    { bias: 0, lambd: 0.5 },
    (x, p) => t.where(t.less(x, -p.lambd), t.add(x, p.bias), t.where(t.greater(x, p.lambd), t.sub(x, p.bias), 0)),
    (dy, x, _y, p) => t.where(t.or(t.less(x, -p.lambd), t.greater(x, p.lambd)), dy, 0),
  ),
];

rows.forEach(definePointwise);

/** For any sign of alpha the exponent has that of x / alpha; where it is positive, min(0, ...) or max(x, 0) decides. */
const celuExponential = (x: Value, alpha: number): Value =>
  alpha > 0 ? exponentialBelowZero(x, alpha, alpha) : t.mul(expm1(t.div(x, alpha)), alpha);

/**
 * tanh(log(1 + e^x)) = ((1 + e^x)^2 - 1) / ((1 + e^x)^2 + 1) = p / (p + 2) with p = e^x (e^x + 2): nothing cancels.
 * From 20 on that is 1 to double precision.
 */
function mishFactor(x: Value): Value {
  const e = t.exp(t.min(x, 20));
  const p = t.mul(e, t.add(e, 2));
  return t.div(p, t.add(p, 2));
}

// ---- Gelu (Hendrycks and Gimpel, 2016): x times the normal distribution's cumulative function, or its tanh approximation.

const approximations = ['none', 'tanh'] as const;
const geluScale = Math.sqrt(2 / Math.PI);
const geluCubic = 0.044715;

const gelu = {
  // erfc keeps the left tail, where 1 + erf cancels.
  none: (x: number): number => 0.5 * x * erfc(-x * Math.SQRT1_2),
  tanh: (x: number): number => x * sigmoid(2 * geluScale * (x + geluCubic * x ** 3)),
};

markPointwise('Gelu');
defineOp({
  name: 'Gelu',
  inputs: [1, 1],
  infer(context) {
    stringAttr(context.attrs, 'approximate', 'none', approximations);
    const { dtype, shape } = operand(context, 0, 'float');
    return [{ dtype, shape }];
  },
  evaluate: ([x], attrs, [type]) => [mapElements(gelu[stringAttr(attrs, 'approximate', 'none', approximations)], [x!], type, 'float')],
  decompose({ inputs: [input], attrs }) {
    const x = input!;
    if (stringAttr(attrs, 'approximate', 'none', approximations) === 'none') {
      return [t.mul(t.mul(x, 0.5), t.add(1, t.erf(t.mul(x, Math.SQRT1_2))))];
    }
    // (1 + tanh y) / 2 = sigmoid(2y), which keeps the left tail.
    const cubic = t.mul(t.mul(x, t.mul(x, x)), geluCubic);
    return [t.mul(x, t.sigmoid(t.mul(t.add(x, cubic), 2 * geluScale)))];
  },
  gradient({ inputs: [input], attrs }, [dy]) {
    const x = input!;
    if (stringAttr(attrs, 'approximate', 'none', approximations) === 'none') {
      const below = t.mul(t.add(1, t.erf(t.mul(x, Math.SQRT1_2))), 0.5);
      const density = t.mul(t.exp(t.mul(t.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return [t.mul(dy!, t.add(below, t.mul(x, density)))];
    }
    const square = t.mul(x, x);
    const s = t.sigmoid(t.mul(t.mul(x, t.add(1, t.mul(square, geluCubic))), 2 * geluScale));
    const inner = t.mul(t.add(1, t.mul(square, 3 * geluCubic)), 2 * geluScale);
    return [t.mul(dy!, t.add(s, t.mul(t.mul(x, inner), t.mul(s, t.sub(1, s)))))];
  },
});

// ---- Clip(x, min?, max?): both bounds are scalars of x's dtype; where min > max, the result is max.

markPointwise('Clip');
defineOp({
  name: 'Clip',
  inputs: [1, 3],
  infer(context) {
    const x = operand(context, 0, 'numeric');
    for (const [i, what] of [[1, 'min'], [2, 'max']] as const) {
      const bound = optionalOperand(context, i, 'numeric', what);
      if (!bound) continue;
      commonDType([x, bound]);
      if (bound.shape.length > 1 || bound.shape[0] > 1) expectShape(bound, [], what);
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  evaluate([x, min, max], _attrs, [type]) {
    const above = min ? mapElements((a: number, low: number) => (a < low ? low : a), [x!, min], type, 'any') : x!;
    return [max ? mapElements((a: number, high: number) => (a > high ? high : a), [above, max], type, 'any') : above];
  },
  decompose({ inputs: [x, min, max] }) {
    const above = min ? t.max(x!, reshape(min, [])) : x!;
    return [max ? t.min(above, reshape(max, [])) : above];
  },
  /** As PyTorch's clamp: at a bound the gradient is x's; where a bound is taken it is the bound's. */
  gradient({ inputs: [x, ...bounds] }, [cotangent]) {
    const dy = cotangent!;
    const [min, max] = bounds.map((bound) => bound && reshape(bound, []));
    const above = min ? t.max(x!, min) : x!;
    const low = min && t.less(x!, min);
    const high = max && t.greater(above, max);
    const outside = low && high ? t.or(low, high) : (low ?? high);
    return [
      outside ? t.where(outside, 0, dy) : dy,
      low ? sumTo(t.where(low, high ? t.where(high, 0, dy) : dy, 0), bounds[0]!.shape) : null,
      high ? sumTo(t.where(high, dy, 0), bounds[1]!.shape) : null,
    ];
  },
});

// ---- Dropout at inference: the identity, and a mask that keeps everything.

defineOp({
  name: 'Dropout',
  inputs: [1, 3],
  infer(context) {
    const { dtype, shape } = operand(context, 0);
    const training = context.inputs[2] && context.constant(2);
    if (context.inputs[2] && (!training || training.data[0])) {
      throw new GraphError('training_mode', { expected: 'constant false', got: training ? 'true' : 'a computed value' });
    }
    return [{ dtype, shape }, { dtype: 'bool', shape }];
  },
  evaluate: ([x], _attrs, [, { shape }]) => [x!, { dtype: 'bool', shape, data: new Uint8Array(x!.data.length).fill(1) }],
  decompose({ inputs: [x], outputs: [, mask] }) {
    return [x!, apply('Expand', [scalar('bool', 1), int64s(mask.shape)])];
  },
});
