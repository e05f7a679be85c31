/** Normalisations: batch, layer, instance, group, Lp and local response. */
import {
  apply,
  type Attrs,
  constant,
  constantOf,
  defineOp,
  GraphError,
  type InferContext,
  type Node,
  type Shape,
  sizeOf,
  type TensorData,
  type TensorType,
  type Value,
} from '../graph/index.ts';
import { channelMoments, channelSums, perChannel } from './channel-moments.ts';
import { sumOver, sumTo } from './gradient.ts';
import {
  broadcastShapes,
  broadcastStrides,
  commonDType,
  expectShape,
  flagAttr,
  fromElements,
  int64s,
  intAttr,
  normalizeAxis,
  numberAttr,
  numbersOf,
  offsetsOf,
  operand,
  optionalOperand,
  reshape,
} from './helpers.ts';
import * as t from './terms.ts';

export const epsilonOf = (attrs: Attrs): number => numberAttr(attrs, 'epsilon', 1e-5);

/** x of at least this rank, and per-channel operands 1..n of shape [C]; all of one dtype. */
function channelOperands(context: InferContext, names: readonly string[], minRank: number): TensorType {
  const x = operand(context, 0, 'float');
  if (x.shape.length < minRank) throw new GraphError('input 0', { expected: `rank of at least ${minRank}`, got: `${x.shape.length}` });
  const vectors = names.map((name, i) => operand(context, i + 1, 'float', name));
  commonDType([x, ...vectors]);
  vectors.forEach((vector, i) => expectShape(vector, [x.shape[1]], names[i]));
  epsilonOf(context.attrs);
  return { dtype: x.dtype, shape: x.shape };
}

/** [C] as [1,C,1,...], which broadcasts over x's batch and positions. */
const channelShape = (channels: number, rank: number): number[] => Array.from({ length: rank }, (_, axis) => (axis === 1 ? channels : 1));

/** x * scale + bias, both [C], in reference evaluation. */
function scaleChannels(elements: ArrayLike<number>, shape: Shape, scale: ArrayLike<number>, bias: ArrayLike<number>): Float64Array {
  const channels = shape[1];
  const positions = sizeOf(shape.slice(2));
  return Float64Array.from(elements, (x, i) => {
    const channel = Math.floor(i / positions) % channels;
    return x * scale[channel] + bias[channel];
  });
}

// ---- BatchNormalization(x, scale, bias, mean, var)

defineOp({
  name: 'BatchNormalization',
  inputs: [5, 5],
  /** With training_mode, two more: the running mean and variance after this batch. */
  infer(context) {
    const type = channelOperands(context, ['scale', 'bias', 'mean', 'var'], 2);
    numberAttr(context.attrs, 'momentum', 0.9);
    const statistics = { dtype: type.dtype, shape: [type.shape[1]] };
    return isTraining(context.attrs) ? [type, statistics, statistics] : [type];
  },
  evaluate(inputs, attrs, types) {
    const [x, scale, bias, mean, variance] = inputs as TensorData[];
    if (!isTraining(attrs)) {
      const { factor, offset } = batchNormFactors([scale, bias, mean, variance], attrs);
      return [fromElements(types[0], scaleChannels(numbersOf(x), x.shape, factor, offset))];
    }
    const batch = channelStatistics(numbersOf(x), x.shape);
    const batchTensors = batch.map((values) => fromElements({ dtype: 'float64', shape: [x.shape[1]] }, values));
    const { factor, offset } = batchNormFactors([scale, bias, ...batchTensors], attrs);
    const momentum = numberAttr(attrs, 'momentum', 0.9);
    const running = [mean, variance].map((old, which) =>
      Array.from(numbersOf(old), (value, c) => value * momentum + batch[which][c] * (1 - momentum)),
    );
    return [
      fromElements(types[0], scaleChannels(numbersOf(x), x.shape, factor, offset)),
      ...running.map((values, i) => fromElements(types[i + 1], values)),
    ];
  },
  decompose: ({ inputs, attrs }) =>
    isTraining(attrs) ? batchNormTraining(inputs as Value[], attrs) : [batchNormInference(inputs as Value[], attrs)],
  gradient({ inputs, attrs }, [dy, ...running]) {
    const [x, scale] = inputs as Value[];
    if (!dy || !isTraining(attrs) || running.some((cotangent) => cotangent !== null)) return undefined;
    const rank = x.shape.length;
    const count = sizeOf(x.shape) / x.shape[1];
    const [mean, variance] = channelMoments(x);
    const [sum, product] = channelSums(dy, x, mean);
    const inverse = t.reciprocal(t.sqrt(t.add(variance, epsilonOf(attrs))));
    // What is left of dy without its mean and its part along the standardised values. The centred x stands the other way round
    // than forwards, so that it is computed again here rather than kept from there.
    const along = t.mul(t.mul(product, t.mul(inverse, inverse)), 1 / count);
    const centred = t.sub(perChannel(mean, rank), x);
    const left = t.add(t.sub(dy, perChannel(t.mul(sum, 1 / count), rank)), t.mul(centred, perChannel(along, rank)));
    return [t.mul(left, perChannel(t.mul(scale, inverse), rank)), t.mul(product, inverse), sum, null, null];
  },
});

const isTraining = (attrs: Attrs): boolean => flagAttr(attrs, 'training_mode', false);

/** y = x * factor + offset, per channel: what batch normalisation at inference comes to. */
function batchNormFactors(statistics: readonly TensorData[], attrs: Attrs): { factor: number[]; offset: number[] } {
  const [scale, bias, mean, variance] = statistics.map((tensor) => Array.from(numbersOf(tensor)));
  const factor = scale.map((s, c) => s / Math.sqrt(variance[c] + epsilonOf(attrs)));
  return { factor, offset: bias.map((b, c) => b - mean[c] * factor[c]) };
}

/** Mean and variance of each channel over batch and positions. */
function channelStatistics(elements: ArrayLike<number>, shape: Shape): [means: Float64Array, variances: Float64Array] {
  const channels = shape[1];
  const positions = sizeOf(shape.slice(2));
  const count = shape[0] * positions;
  const average = (of: (x: number, channel: number) => number) => {
    const sums = new Float64Array(channels);
    for (let i = 0; i < elements.length; i++) {
      const channel = Math.floor(i / positions) % channels;
      sums[channel] += of(elements[i], channel);
    }
    return sums.map((sum) => sum / count);
  };
  const means = average((x) => x);
  return [means, average((x, channel) => (x - means[channel]) ** 2)];
}

/** Constant statistics, the usual case, are folded in double precision into two constants. */
function batchNormInference([x, ...statistics]: readonly Value[], attrs: Attrs): Value {
  const shape = channelShape(x.shape[1], x.shape.length);
  const constants = statistics.map(constantOf);
  if (constants.every((value) => value !== undefined)) {
    const { factor, offset } = batchNormFactors(constants, attrs);
    const type = { dtype: x.dtype, shape };
    return t.add(t.mul(x, constant(fromElements(type, factor))), constant(fromElements(type, offset)));
  }
  const [scale, bias, mean, variance] = statistics;
  const factor = t.div(scale, t.sqrt(t.add(variance, epsilonOf(attrs))));
  const offset = t.sub(bias, t.mul(mean, factor));
  return t.add(t.mul(x, reshape(factor, shape)), reshape(offset, shape));
}

function batchNormTraining([x, scale, bias, mean, variance]: readonly Value[], attrs: Attrs): Value[] {
  const rank = x.shape.length;
  const [batchMean, batchVariance] = channelMoments(x);
  const factor = t.mul(scale, t.reciprocal(t.sqrt(t.add(batchVariance, epsilonOf(attrs)))));
  const momentum = numberAttr(attrs, 'momentum', 0.9);
  const running = (old: Value, now: Value) => t.add(t.mul(old, momentum), t.mul(now, 1 - momentum));
  return [
    t.add(t.mul(t.sub(x, perChannel(batchMean, rank)), perChannel(factor, rank)), perChannel(bias, rank)),
    running(mean, batchMean),
    running(variance, batchVariance),
  ];
}

// ---- standardising: rows of equal length to mean 0 and variance 1

interface Standardised {
  readonly values: Float64Array;
  readonly means: Float64Array;
  readonly inverseDeviations: Float64Array;
}

function standardise(elements: ArrayLike<number>, rows: number, epsilon: number): Standardised {
  const length = rows === 0 ? 0 : elements.length / rows;
  const values = Float64Array.from(elements);
  const means = new Float64Array(rows);
  const inverseDeviations = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const line = values.subarray(row * length, (row + 1) * length);
    means[row] = line.reduce((a, b) => a + b, 0) / length;
    const variance = line.reduce((a, b) => a + (b - means[row]) ** 2, 0) / length;
    inverseDeviations[row] = 1 / Math.sqrt(variance + epsilon);
    line.forEach((x, i) => void (line[i] = (x - means[row]) * inverseDeviations[row]));
  }
  return { values, means, inverseDeviations };
}

/** The same as graph values, over axes. The variance is of the centred values: a large mean costs no digits. */
function standardiseValue(x: Value, axes: readonly number[], epsilon: number): Record<'value' | 'mean' | 'variance' | 'inverseDeviation', Value> {
  const meanOf = (y: Value) => apply('ReduceMean', [y, int64s(axes)], { keepdims: 1 });
  const mean = meanOf(x);
  const centred = t.sub(x, mean);
  const variance = meanOf(t.mul(centred, centred));
  const inverseDeviation = t.reciprocal(t.sqrt(t.add(variance, epsilon)));
  return { value: t.mul(centred, inverseDeviation), mean, variance, inverseDeviation };
}

/** Through what `standardiseValue` does: what is left of dy without its mean and its part along the standardised values. */
function standardiseGradient(dy: Value, { value, inverseDeviation }: Record<'value' | 'inverseDeviation', Value>, axes: readonly number[]): Value {
  const meanOf = (y: Value) => apply('ReduceMean', [y, int64s(axes)], { keepdims: 1 });
  return t.mul(inverseDeviation, t.sub(t.sub(dy, meanOf(dy)), t.mul(value, meanOf(t.mul(dy, value)))));
}

const axesFrom = (axis: number, rank: number): number[] => Array.from({ length: rank - axis }, (_, i) => axis + i);

// ---- LayerNormalization(x, scale, bias?) -> y, mean, inverse standard deviation

const layerAxis = (attrs: Attrs, rank: number): number => normalizeAxis(intAttr(attrs, 'axis', -1), rank);

defineOp({
  name: 'LayerNormalization',
  inputs: [2, 3],
  infer(context) {
    const { attrs } = context;
    const x = operand(context, 0, 'float');
    const scale = operand(context, 1, 'float', 'scale');
    const bias = optionalOperand(context, 2, 'float', 'bias');
    const affine = bias ? [scale, bias] : [scale];
    commonDType([x, ...affine]);
    expectShape(x, broadcastShapes(x.shape, ...affine.map(({ shape }) => shape)), 'the broadcast of x, scale and bias');
    epsilonOf(attrs);
    const axis = layerAxis(attrs, x.shape.length);
    const type = { dtype: x.dtype, shape: x.shape };
    // ONNX has the statistics as float32 whatever x is (stash_type); here they keep x's precision.
    const statistics = { dtype: x.dtype, shape: x.shape.map((dim, i) => (i < axis ? dim : 1)) };
    return [type, statistics, statistics];
  },
  evaluate([x, scale, bias], attrs, [type, statistics]) {
    const { values, means, inverseDeviations } = standardise(numbersOf(x!), sizeOf(statistics.shape), epsilonOf(attrs));
    const spread = (tensor: TensorData) => {
      const elements = numbersOf(tensor);
      return Array.from(offsetsOf(type.shape, broadcastStrides(tensor.shape, type.shape)), (offset) => elements[offset]);
    };
    const scales = spread(scale!);
    const biases = bias ? spread(bias) : undefined;
    const result = values.map((value, i) => value * scales[i] + (biases?.[i] ?? 0));
    return [fromElements(type, result), fromElements(statistics, means), fromElements(statistics, inverseDeviations)];
  },
  decompose({ inputs: [x, scale, bias], attrs }) {
    const axes = axesFrom(layerAxis(attrs, x!.shape.length), x!.shape.length);
    const { value, mean, inverseDeviation } = standardiseValue(x!, axes, epsilonOf(attrs));
    const scaled = t.mul(value, scale!);
    return [bias ? t.add(scaled, bias) : scaled, mean, inverseDeviation];
  },
  gradient({ inputs: [x, scale, bias], attrs, outputs: [, mean, inverseDeviation] }, [dy, ...statistics]) {
    if (!dy || statistics.some((cotangent) => cotangent !== null)) return undefined;
    const axes = axesFrom(layerAxis(attrs, x!.shape.length), x!.shape.length);
    const value = t.mul(t.sub(x!, mean), inverseDeviation);
    return [
      standardiseGradient(t.mul(dy, scale!), { value, inverseDeviation }, axes),
      sumTo(t.mul(dy, value), scale!.shape),
      bias ? sumTo(dy, bias.shape) : null,
    ];
  },
});

// ---- GroupNormalization(x, scale, bias), and InstanceNormalization, which is a group a channel

function defineGroupNorm(name: string, minRank: number, groupsOf: (attrs: Attrs, channels: number) => number): void {
  const rowsOf = (attrs: Attrs, shape: Shape) => shape[0] * groupsOf(attrs, shape[1]);
  defineOp({
    name,
    inputs: [3, 3],
    infer(context) {
      const type = channelOperands(context, ['scale', 'bias'], minRank);
      groupsOf(context.attrs, type.shape[1]);
      return [type];
    },
    evaluate([x, scale, bias], attrs, [type]) {
      const { values } = standardise(numbersOf(x!), rowsOf(attrs, type.shape), epsilonOf(attrs));
      return [fromElements(type, scaleChannels(values, type.shape, numbersOf(scale!), numbersOf(bias!)))];
    },
    decompose({ inputs: [input, scale, bias], attrs }: Node) {
      const { shape } = input!;
      if (sizeOf(shape) === 0) return [input!];
      const rows = rowsOf(attrs, shape);
      const { value } = standardiseValue(reshape(input!, [rows, sizeOf(shape) / rows]), [1], epsilonOf(attrs));
      const perChannel = (vector: Value) => reshape(vector, channelShape(shape[1], shape.length));
      return [t.add(t.mul(reshape(value, shape), perChannel(scale!)), perChannel(bias!))];
    },
    gradient({ inputs: [input, scale], attrs }: Node, [dy]) {
      const { shape } = input!;
      if (sizeOf(shape) === 0) return undefined;
      const rows = rowsOf(attrs, shape);
      const lines = [rows, sizeOf(shape) / rows];
      const standard = standardiseValue(reshape(input!, lines), [1], epsilonOf(attrs));
      const dScaled = t.mul(dy!, reshape(scale!, channelShape(shape[1], shape.length)));
      const others = shape.map((_, axis) => axis).filter((axis) => axis !== 1);
      return [
        reshape(standardiseGradient(reshape(dScaled, lines), standard, [1]), shape),
        sumOver(t.mul(dy!, reshape(standard.value, shape)), others),
        sumOver(dy!, others),
      ];
    },
  });
}

defineGroupNorm('InstanceNormalization', 2, (_attrs, channels) => channels);
defineGroupNorm('GroupNormalization', 2, (attrs, channels) => {
  const groups = intAttr(attrs, 'num_groups', undefined, 1);
  if (channels % groups !== 0) throw new GraphError('attribute num_groups', { expected: `a divisor of ${channels} channels`, got: `${groups}` });
  return groups;
});

// ---- LpNormalization: x over its norm along an axis; lines whose norm is 0 stay 0

const lpAxis = (attrs: Attrs, rank: number): number => normalizeAxis(intAttr(attrs, 'axis', -1), rank);

defineOp({
  name: 'LpNormalization',
  inputs: [1, 1],
  infer(context) {
    const { dtype, shape } = operand(context, 0, 'float');
    lpAxis(context.attrs, shape.length);
    const p = intAttr(context.attrs, 'p', 2);
    if (p !== 1 && p !== 2) throw new GraphError('attribute p', { expected: '1 or 2', got: `${p}` });
    return [{ dtype, shape }];
  },
  decompose({ inputs: [x], attrs }) {
    const op = intAttr(attrs, 'p', 2) === 1 ? 'ReduceL1' : 'ReduceL2';
    const norm = apply(op, [x!, int64s([lpAxis(attrs, x!.shape.length)])], { keepdims: 1 });
    return [t.div(x!, t.where(t.equal(norm, 0), 1, norm))];
  },
});

// ---- LRN: x / (bias + alpha/size * the sum of squares in a window of channels) ^ beta

interface LrnParams {
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly bias: number;
}

const lrnParams = (attrs: Attrs): LrnParams => ({
  size: intAttr(attrs, 'size', undefined, 1),
  alpha: numberAttr(attrs, 'alpha', 1e-4),
  beta: numberAttr(attrs, 'beta', 0.75),
  bias: numberAttr(attrs, 'bias', 1),
});

/** How far the window reaches before and after its channel; never beyond the channels, however large `size` is. */
const lrnReach = (size: number, channels: number): [before: number, after: number] => [
  Math.min(Math.floor((size - 1) / 2), channels - 1),
  Math.min(Math.ceil((size - 1) / 2), channels - 1),
];

defineOp({
  name: 'LRN',
  inputs: [1, 1],
  infer(context) {
    lrnParams(context.attrs);
    const { dtype, shape } = operand(context, 0, 'float');
    if (shape.length < 2) throw new GraphError('input 0', { expected: 'rank of at least 2', got: `${shape.length}` });
    return [{ dtype, shape }];
  },
  evaluate([x], attrs, [type]) {
    const { size, alpha, beta, bias } = lrnParams(attrs);
    const channels = type.shape[1];
    const positions = sizeOf(type.shape.slice(2));
    const [before, after] = lrnReach(size, channels);
    const elements = numbersOf(x!);
    const result = Float64Array.from(elements, (value, i) => {
      const channel = Math.floor(i / positions) % channels;
      let squares = 0;
      for (let c = Math.max(channel - before, 0); c <= Math.min(channel + after, channels - 1); c++) {
        squares += elements[i + (c - channel) * positions] ** 2;
      }
      return value / (bias + (alpha / size) * squares) ** beta;
    });
    return [fromElements(type, result)];
  },
  /** The window is an average pooling over channels, whose average counts the padding. */
  decompose({ inputs: [input], attrs }) {
    const { size, alpha, beta, bias } = lrnParams(attrs);
    const { shape } = input!;
    if (sizeOf(shape) === 0) return [input!];
    const [before, after] = lrnReach(size, shape[1]);
    const window = before + 1 + after;
    const image = reshape(t.mul(input!, input!), [shape[0], 1, shape[1], sizeOf(shape.slice(2))]);
    const means = apply('AveragePool', [image], { kernel_shape: [window, 1], pads: [before, 0, after, 0], count_include_pad: 1 });
    const base = t.add(t.mul(reshape(means, shape), (alpha * window) / size), bias);
    return [t.div(input!, t.pow(base, beta))];
  },
});
