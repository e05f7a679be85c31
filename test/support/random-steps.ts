/** The steps that random graphs are made of: one row for a way to use an operator. */
import type { Value } from '../../src/graph/index.ts';
import { broadcastShapes } from '../../src/ops/index.ts';
import type { Builder } from './random-graph.ts';

export interface Step {
  /** Operators it uses. */
  readonly ops: readonly string[];
  /** true: in exact graphs only; false: in others only. */
  readonly exact?: boolean;
  /** New values; undefined where no value there is fits. */
  make(m: Builder): readonly (Value | undefined)[] | undefined;
}

const step = (ops: string, make: Step['make'], exact?: boolean): Step => ({ ops: ops.split(' '), make, exact });

const rank = (value: Value): number => value.shape.length;
const isImage = (value: Value): boolean => rank(value) >= 3 && rank(value) <= 5 && value.shape.every((dim) => dim > 0) && value.dtype.startsWith('float');

const canBroadcast = (a: Value, b: Value): boolean => {
  try {
    return a.dtype === b.dtype && broadcastShapes(a.shape, b.shape).length >= 0;
  } catch {
    return false;
  }
};

/** A second operand: another value, or a constant of the same shape, one a channel, one row or one for all. */
function partner(m: Builder, x: Value): Value | undefined {
  const { dtype, shape } = x;
  const makers: (() => Value | undefined)[] = [
    () => m.value((value) => canBroadcast(x, value)),
    () => m.value((value) => value.dtype === dtype && value.shape.join() === shape.join()),
    () => m.constant(dtype, shape),
    () => m.constant(dtype, shape.map((dim, axis) => (axis === 1 ? dim : 1))),
    () => m.constant(dtype, shape.slice(-1)),
    () => m.constant(dtype, shape.slice(1).map((dim, axis) => (axis === 0 ? dim : 1))),
    () => m.constant(dtype, []),
  ];
  return m.oneOf(makers)();
}

function binary(m: Builder, op: string, fits?: (value: Value) => boolean): (Value | undefined)[] | undefined {
  const x = m.float(fits);
  const y = x && partner(m, x);
  return x && y && [m.pick(4) === 0 ? m.apply(op, [y, x]) : m.apply(op, [x, y])];
}

const binaries = (['Add', 'Sub', 'Mul', 'Max', 'Min'] as const).map((op) => step(op, (m) => binary(m, op)));
const unary = (op: string, exact?: boolean, attrs: Record<string, number> = {}): Step => step(op, (m) => [m.apply(op, [m.float()], attrs)], exact);

/** A permutation of the axes of x. */
function permutation(m: Builder, x: Value): number[] {
  const axes = x.shape.map((_, axis) => axis);
  for (let i = axes.length - 1; i > 0; i--) {
    const j = m.pick(i + 1);
    [axes[i], axes[j]] = [axes[j], axes[i]];
  }
  return axes;
}

/** The same elements: two axes joined, one split, one of size 1 put in or taken out, or all in one. */
function otherShape(m: Builder, { shape }: Value): number[] {
  const at = shape.length === 0 ? 0 : m.pick(shape.length);
  const dim = shape[at] ?? 1;
  const divisor = m.pick(dim) + 1;
  const makers: (() => number[])[] = [
    () => [...shape.slice(0, at), 1, ...shape.slice(at)],
    () => [shape.reduce((a, b) => a * b, 1)],
    () => (dim === 1 ? [...shape.slice(0, at), ...shape.slice(at + 1)] : [...shape]),
    () => (at + 1 < shape.length ? [...shape.slice(0, at), dim * shape[at + 1], ...shape.slice(at + 2)] : [...shape]),
    () => (dim > 0 && dim % divisor === 0 ? [...shape.slice(0, at), divisor, dim / divisor, ...shape.slice(at + 1)] : [...shape]),
  ];
  return m.oneOf(makers)();
}

function sliceOperands(m: Builder, x: Value): Value[] {
  const axis = m.pick(rank(x));
  const dim = x.shape[axis];
  const backwards = m.pick(4) === 0;
  const stepSize = 1 + m.pick(2);
  const [from, to] = backwards ? [dim - 1 - m.pick(2), -(2 ** 31)] : [m.pick(3), m.pick(3) === 0 ? 2 ** 31 - 1 : dim - m.pick(2)];
  return [x, ...[from, to, axis, backwards ? -stepSize : stepSize].map((n) => m.ints([n]))];
}

const window = (m: Builder, count: number, kernel: readonly number[]) => ({
  strides: Array.from({ length: count }, () => 1 + m.pick(2)),
  dilations: Array.from({ length: count }, () => (m.pick(4) === 0 ? 2 : 1)),
  pads: Array.from({ length: 2 * count }, (_, i) => m.pick(kernel[i % count])),
});

function conv(m: Builder, op: 'Conv' | 'ConvTranspose'): (Value | undefined)[] | undefined {
  const x = m.float(isImage);
  if (!x) return undefined;
  const [, channels, ...spatial] = x.shape;
  const kernel = spatial.map((size) => 1 + m.pick(Math.min(3, size)));
  const groups = m.oneOf([1, 1, channels, channels % 2 === 0 ? 2 : 1]);
  const out = groups * m.oneOf(groups > 4 ? [1, 2] : [1, 2, 5, 16, 24]);
  const weights = m.constant(x.dtype, op === 'Conv' ? [out, channels / groups, ...kernel] : [channels, out / groups, ...kernel]);
  const { strides, dilations, pads } = window(m, spatial.length, kernel);
  const dilated = spatial.map((size, i) => ((kernel[i] - 1) * dilations[i] + 1 <= size ? dilations[i] : 1));
  const bias = m.pick(2) === 0 ? [m.constant(x.dtype, [out])] : [];
  // A transposed convolution must leave something of its result.
  const kept = op === 'Conv' ? pads : pads.map((n, i) => (spatial[i % spatial.length] > 2 ? n : 0));
  return [m.apply(op, [x, weights, ...bias], { strides, dilations: dilated, pads: kept, group: groups })];
}

function pool(m: Builder, op: string, attrs: Record<string, number> = {}): (Value | undefined)[] | undefined {
  const x = m.float(isImage);
  if (!x) return undefined;
  const kernel = x.shape.slice(2).map((size) => 1 + m.pick(Math.min(3, size)));
  const { strides, pads } = window(m, kernel.length, kernel);
  const node = m.apply(op, [x], { kernel_shape: kernel, strides, pads, ceil_mode: m.pick(3) === 0 ? 1 : 0, ...attrs });
  return [node];
}

function padding(m: Builder): (Value | undefined)[] | undefined {
  const x = m.float((value) => rank(value) > 0 && value.shape.every((dim) => dim > 0));
  if (!x) return undefined;
  const mode = m.oneOf(['constant', 'constant', 'constant', 'edge', 'reflect']);
  const spatial = m.pick(3) > 0 && rank(x) > 2;
  const amount = (axis: number): number => (spatial && axis < 2 ? 0 : m.oneOf([0, 1, 2, x.shape[axis] > 2 ? -1 : 0]));
  const pads = [...x.shape, ...x.shape].map((_, i) => amount(i % rank(x)));
  const fill = mode === 'constant' && m.pick(3) === 0 ? [m.scalar(x.dtype, m.pick(3) - 1)] : [];
  return [m.apply('Pad', [x, m.ints(pads), ...fill], { mode })];
}

function reduction(m: Builder, op: string): (Value | undefined)[] | undefined {
  const x = m.float((value) => rank(value) > 0 && value.shape.every((dim) => dim > 0));
  if (!x) return undefined;
  const chosen = x.shape.map((_, axis) => axis).filter(() => m.pick(2) === 0);
  const axes = chosen.length > 0 ? chosen : [rank(x) - 1];
  return [m.apply(op, [x, m.ints(axes)], { keepdims: m.pick(2) })];
}

function matMul(m: Builder): (Value | undefined)[] | undefined {
  const x = m.float((value) => rank(value) > 0 && value.shape.every((dim) => dim > 0));
  if (!x) return undefined;
  const k = x.shape[rank(x) - 1];
  const swap = x.shape.map((_, axis) => axis);
  swap.push(...swap.splice(-2).reverse());
  const makers: (() => Value | undefined)[] = [
    () => m.constant(x.dtype, [k, m.oneOf([1, 5, 16, 19])]),
    () => m.constant(x.dtype, [k]),
    () => m.constant(x.dtype, [...(rank(x) > 2 ? [x.shape[rank(x) - 3]] : []), k, 3]),
    () => (rank(x) > 1 ? m.apply('Transpose', [x], { perm: swap }) : x),
  ];
  return [m.apply('MatMul', [x, m.oneOf(makers)()])];
}

function batchNorm(m: Builder): (Value | undefined)[] | undefined {
  const x = m.float((value) => rank(value) >= 2);
  if (!x) return undefined;
  const channels = [x.shape[1]];
  const [scale, bias, mean] = [0, 1, 2].map(() => m.constant(x.dtype, channels));
  const variance = m.apply('Expand', [m.scalar(x.dtype, 0.5), m.ints(channels)]);
  return [m.apply('BatchNormalization', [x, scale, bias, mean, variance])];
}

/** A convolution with what usually follows one, all of it to be computed as it stores. */
function convBlock(m: Builder): (Value | undefined)[] | undefined {
  const [sum] = conv(m, 'Conv') ?? [];
  if (!sum) return undefined;
  const channel = () => m.constant(sum.dtype, [sum.shape[1], ...sum.shape.slice(2).map(() => 1)]);
  const scaled = m.apply('Add', [m.apply('Mul', [m.apply('Add', [sum, channel()]), channel()]), channel()]);
  const residual = m.value((value) => value.dtype === sum.dtype && value.shape.join() === sum.shape.join());
  const added = residual && m.pick(2) === 0 ? m.apply('Add', [scaled, residual]) : scaled;
  return [m.pick(3) === 0 ? added : m.apply('Relu', [added])];
}

export const steps: readonly Step[] = [
  ...binaries,
  unary('Relu'),
  unary('Neg'),
  unary('Abs'),
  unary('Identity'),
  unary('LeakyRelu', undefined, { alpha: 2 }),
  unary('Sigmoid', false),
  unary('Tanh', false),
  unary('HardSwish', false),
  step('Clip', (m) => {
    const x = m.float();
    return x && [m.apply('Clip', [x, m.scalar(x.dtype, -1), m.pick(2) === 0 ? m.scalar(x.dtype, 2) : null])];
  }),
  step('Exp Neg Abs', (m) => [m.apply('Exp', [m.apply('Neg', [m.apply('Abs', [m.float()])])])], false),
  step('Div Abs Add', (m) => {
    const x = m.float();
    const y = x && partner(m, x);
    return x && y && [m.apply('Div', [x, m.apply('Add', [m.apply('Abs', [y]), m.scalar(y.dtype, 1)])])];
  }, false),
  step('Where Greater', (m) => {
    const x = m.float();
    const y = x && partner(m, x);
    return x && y && [m.apply('Where', [m.apply('Greater', [x, y]), x, y])];
  }, true),
  step('Cast', (m) => [m.apply('Cast', [m.float()], { to: m.oneOf(['float32', 'float32', 'float64']) })]),
  step('Cast Add Mul', (m) => {
    const whole = m.apply('Cast', [m.float()], { to: m.oneOf(['int32', 'int64']) });
    return whole && [m.apply('Cast', [m.apply('Mul', [m.apply('Add', [whole, m.scalar(whole.dtype, 3)]), whole])], { to: 'float32' })];
  }, true),
  step('Reshape', (m) => {
    const x = m.value();
    return x && [m.apply('Reshape', [x, m.ints(otherShape(m, x))], { allowzero: 1 })];
  }),
  step('Transpose', (m) => {
    const x = m.value((value) => rank(value) > 1);
    return x && [m.apply('Transpose', [x], { perm: permutation(m, x) })];
  }),
  step('Transpose', (m) => {
    const x = m.value((value) => rank(value) === 4);
    return x && [m.apply('Transpose', [x], { perm: m.oneOf([[0, 2, 3, 1], [0, 3, 1, 2]]) })];
  }),
  step('Slice', (m) => {
    const x = m.value((value) => rank(value) > 0);
    return x && [m.apply('Slice', sliceOperands(m, x))];
  }),
  step('Split', (m) => {
    const x = m.value((value) => rank(value) > 1 && value.shape[1] > 1);
    const first = x && m.apply('Split', [x], { axis: 1, num_outputs: 2 });
    return first?.node.outputs;
  }),
  step('Concat', (m) => {
    const x = m.value((value) => rank(value) > 0);
    if (!x) return undefined;
    const axis = m.pick(rank(x));
    const fits = (value: Value) => value.dtype === x.dtype && rank(value) === rank(x) && value.shape.every((dim, i) => i === axis || dim === x.shape[i]);
    return [m.apply('Concat', Array.from({ length: m.pick(3) }, () => m.value(fits)!).concat(x), { axis })];
  }),
  step('Pad', padding),
  step('Pad', padding),
  step('Expand', (m) => {
    const x = m.value();
    return x && [m.apply('Expand', [x, m.ints([...(m.pick(3) === 0 ? [2] : []), ...x.shape.map((dim) => (dim === 1 ? 1 + m.pick(3) : dim))])])];
  }),
  step('Gather', (m) => {
    const x = m.value((value) => rank(value) > 0 && value.shape.every((dim) => dim > 0));
    if (!x) return undefined;
    const axis = m.pick(rank(x));
    return [m.apply('Gather', [x, m.ints(Array.from({ length: 1 + m.pick(4) }, () => m.pick(2 * x.shape[axis]) - x.shape[axis]))], { axis })];
  }),
  step('Resize', (m) => {
    const x = m.float((value) => rank(value) === 4 && isImage(value));
    return x && [m.apply('Resize', [x, null, null, m.ints([x.shape[0], x.shape[1], 1 + m.pick(9), 1 + m.pick(9)])], { mode: m.exact ? 'nearest' : 'linear' })];
  }),
  ...['ReduceSum', 'ReduceMax', 'ReduceMin'].map((op) => step(op, (m) => reduction(m, op))),
  step('ReduceMean', (m) => reduction(m, 'ReduceMean'), false),
  step('ArgMax Cast', (m) => {
    const x = m.float((value) => rank(value) > 0 && value.shape.every((dim) => dim > 0));
    return x && [m.apply('Cast', [m.apply('ArgMax', [x], { axis: m.pick(rank(x)), keepdims: m.pick(2) })], { to: x.dtype })];
  }, true),
  step('Softmax', (m) => {
    const x = m.float((value) => rank(value) > 0 && value.shape.every((dim) => dim > 0));
    return x && [m.apply('Softmax', [x], { axis: m.pick(rank(x)) })];
  }, false),
  step('MatMul', matMul),
  step('MatMul', matMul),
  step('Conv', (m) => conv(m, 'Conv')),
  step('Conv', (m) => conv(m, 'Conv')),
  step('ConvTranspose', (m) => conv(m, 'ConvTranspose')),
  step('Conv Add Mul Relu', convBlock),
  step('Conv Add Mul Relu', convBlock),
  step('Conv Pad', (m) => {
    const [padded] = padding(m) ?? [];
    if (!padded || !isImage(padded)) return undefined;
    const kernel = padded.shape.slice(2).map((size) => Math.min(3, size));
    return [m.apply('Conv', [padded, m.constant(padded.dtype, [m.oneOf([1, 16, 18]), padded.shape[1], ...kernel])])];
  }),
  step('MaxPool', (m) => pool(m, 'MaxPool')),
  step('AveragePool', (m) => pool(m, 'AveragePool', { count_include_pad: m.pick(2) }), false),
  step('AveragePool Pad', (m) => {
    const [padded] = padding(m) ?? [];
    return padded && isImage(padded) ? [m.apply('AveragePool', [padded], { kernel_shape: padded.shape.slice(2).map((size) => Math.min(3, size)) })] : undefined;
  }, false),
  step('BatchNormalization Expand', batchNorm, false),
];
