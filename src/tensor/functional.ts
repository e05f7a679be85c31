/** What layers do, as functions of tensors: activations, convolution, pooling, normalisation, embedding, losses. */
import { type Attrs, formatType } from '../graph/index.ts';
import { TensorError } from './errors.ts';
import { asFloat, int64s, lift, make, makeAll, scalar } from './make.ts';
import { add, mul } from './pointwise.ts';
import { mean, sum } from './reduce.ts';
import { reshape } from './shape.ts';
import { Tensor } from './tensor.ts';

// ---- activations

const activation = (op: string) => (self: Tensor): Tensor => make(op, [asFloat(self)]);
export const relu = (self: Tensor): Tensor => make('Relu', [self]);
export const relu6 = (self: Tensor): Tensor => make('Clip', [self, scalar(self.dtype, 0), scalar(self.dtype, 6)]);
export const leakyRelu = (self: Tensor, negativeSlope = 0.01): Tensor => make('LeakyRelu', [self], { alpha: negativeSlope });
/** `weight`: one slope, or one a channel (dimension 1). */
export const prelu = (self: Tensor, weight: Tensor): Tensor =>
  make('PRelu', [self, weight.numel === 1 ? reshape(weight, [1]) : reshape(weight, [-1, ...self.shape.slice(2).map(() => 1)])]);
export const elu = (self: Tensor, alpha = 1): Tensor => make('Elu', [self], { alpha });
export const selu = activation('Selu');
export const celu = (self: Tensor, alpha = 1): Tensor => make('Celu', [self], { alpha });
export const gelu = (self: Tensor, approximate: 'none' | 'tanh' = 'none'): Tensor => make('Gelu', [self], { approximate });
export const silu = (self: Tensor): Tensor => mul(self, make('Sigmoid', [self]));
export const mish = activation('Mish');
export const softplus = activation('Softplus');
export const softsign = activation('Softsign');
export const hardtanh = (self: Tensor, min = -1, max = 1): Tensor => make('Clip', [self, scalar(self.dtype, min), scalar(self.dtype, max)]);
export const hardsigmoid = (self: Tensor): Tensor => make('HardSigmoid', [self], { alpha: 1 / 6, beta: 0.5 });
export const hardswish = activation('HardSwish');
export const logsigmoid = (self: Tensor): Tensor => make('Neg', [make('Softplus', [make('Neg', [self])])]);

// ---- convolution and pooling: N C spatial, any number of spatial dimensions

/** One number for all spatial dimensions, or one for each. */
export type PerAxis = number | readonly number[];
const each = (value: PerAxis | undefined, rank: number, fallback: PerAxis): number[] => {
  const list = value ?? fallback;
  return typeof list === 'number' ? new Array<number>(rank).fill(list) : [...list];
};
const twice = (values: readonly number[]): number[] => [...values, ...values];

function spatial(self: Tensor, weight: Tensor | undefined, where: string, rank?: number): number {
  const found = self.ndim - 2;
  if (found < 1 || (rank !== undefined && found !== rank) || (weight && weight.ndim !== self.ndim)) {
    const expected = `[N, C, ${rank === undefined ? 'spatial' : `${rank} spatial dimensions`}]`;
    throw new TensorError(where, { expected, got: [self, weight].flatMap((x) => (x ? formatType(x.value) : [])).join(' and weight ') });
  }
  return found;
}

export interface ConvOptions {
  readonly stride?: PerAxis;
  /** On both sides of each dimension; or 'same' (stride 1) or 'valid'. */
  readonly padding?: PerAxis | 'same' | 'valid';
  readonly dilation?: PerAxis;
  readonly groups?: number;
}

const convolution = (where: string, wanted?: number) => (self: Tensor, weight: Tensor, bias: Tensor | null = null, options: ConvOptions = {}): Tensor => {
  const rank = spatial(self, weight, where, wanted);
  const { padding = 0 } = options;
  const attrs: Attrs = { strides: each(options.stride, rank, 1), dilations: each(options.dilation, rank, 1), group: options.groups ?? 1 };
  const pads: Attrs = padding === 'same' ? { auto_pad: 'SAME_UPPER' } : { pads: twice(padding === 'valid' ? each(0, rank, 0) : each(padding, rank, 0)) };
  return make('Conv', [self, weight, bias], { ...attrs, ...pads });
};
/** weight [out, in / groups, k], bias [out] */
export const conv1d = convolution('conv1d', 1);
/** weight [out, in / groups, kh, kw], bias [out] */
export const conv2d = convolution('conv2d', 2);
/** weight [out, in / groups, kd, kh, kw], bias [out] */
export const conv3d = convolution('conv3d', 3);

export interface ConvTransposeOptions {
  readonly stride?: PerAxis;
  readonly padding?: PerAxis;
  readonly outputPadding?: PerAxis;
  readonly dilation?: PerAxis;
  readonly groups?: number;
}
const transposed = (where: string, wanted: number) => (self: Tensor, weight: Tensor, bias: Tensor | null = null, options: ConvTransposeOptions = {}): Tensor => {
  const rank = spatial(self, weight, where, wanted);
  return make('ConvTranspose', [self, weight, bias], {
    strides: each(options.stride, rank, 1),
    pads: twice(each(options.padding, rank, 0)),
    output_padding: each(options.outputPadding, rank, 0),
    dilations: each(options.dilation, rank, 1),
    group: options.groups ?? 1,
  });
};
/** weight [in, out / groups, k], bias [out] */
export const convTranspose1d = transposed('convTranspose1d', 1);
/** weight [in, out / groups, kh, kw], bias [out] */
export const convTranspose2d = transposed('convTranspose2d', 2);
/** weight [in, out / groups, kd, kh, kw], bias [out] */
export const convTranspose3d = transposed('convTranspose3d', 3);

export interface PoolOptions {
  /** Default: the kernel's size. */
  readonly stride?: PerAxis;
  readonly padding?: PerAxis;
  readonly dilation?: PerAxis;
  readonly ceilMode?: boolean;
}
export interface AvgPoolOptions extends Omit<PoolOptions, 'dilation'> {
  /** Whether padding counts in the average. Default true. */
  readonly countIncludePad?: boolean;
}
const poolAttrs = (self: Tensor, kernel: PerAxis, options: PoolOptions): Attrs => {
  const rank = spatial(self, undefined, 'pooling');
  return {
    kernel_shape: each(kernel, rank, 1),
    strides: each(options.stride, rank, kernel),
    pads: twice(each(options.padding, rank, 0)),
    ceil_mode: options.ceilMode ? 1 : 0,
  };
};
/** The largest element of each window; over however many spatial dimensions there are. */
export const maxPool = (self: Tensor, kernel: PerAxis, options: PoolOptions = {}): Tensor =>
  make('MaxPool', [self], { ...poolAttrs(self, kernel, options), dilations: each(options.dilation, self.ndim - 2, 1) });
/** The mean of each window; over however many spatial dimensions there are. */
export const avgPool = (self: Tensor, kernel: PerAxis, options: AvgPoolOptions = {}): Tensor =>
  make('AveragePool', [self], { ...poolAttrs(self, kernel, options), count_include_pad: options.countIncludePad === false ? 0 : 1 });
/** The mean of windows that divide each spatial dimension evenly into `size` parts. */
export function adaptiveAvgPool(self: Tensor, size: PerAxis): Tensor {
  const rank = spatial(self, undefined, 'adaptiveAvgPool');
  const parts = each(size, rank, 1);
  const kernel = parts.map((part, i) => self.shape[2 + i] / part);
  if (parts.every((part) => part === 1)) return make('GlobalAveragePool', [self]);
  if (kernel.some((k) => !Number.isInteger(k))) {
    throw new TensorError('adaptiveAvgPool', { expected: 'a size that divides the spatial dimensions', got: `[${parts.join(',')}] for ${formatType(self.value)}` });
  }
  return avgPool(self, kernel);
}

// ---- normalisation

const filled = (self: Tensor, shape: readonly number[], value: number): Tensor => make('Expand', [scalar(self.dtype, value), int64s(shape)]);

/** Over the last dimensions, of `shape`. */
export function layerNorm(self: Tensor, shape: readonly number[], weight?: Tensor | null, bias?: Tensor | null, eps = 1e-5): Tensor {
  return make('LayerNormalization', [self, weight ?? filled(self, shape, 1), bias ?? null], { axis: self.ndim - shape.length, epsilon: eps });
}
/** Channels in groups, each sample by itself. */
export function groupNorm(self: Tensor, groups: number, weight?: Tensor | null, bias?: Tensor | null, eps = 1e-5): Tensor {
  const channels = [self.shape[1]];
  return make('GroupNormalization', [self, weight ?? filled(self, channels, 1), bias ?? filled(self, channels, 0)], { num_groups: groups, epsilon: eps });
}
/** Each channel of each sample by itself. */
export function instanceNorm(self: Tensor, weight?: Tensor | null, bias?: Tensor | null, eps = 1e-5): Tensor {
  const channels = [self.shape[1]];
  return make('InstanceNormalization', [self, weight ?? filled(self, channels, 1), bias ?? filled(self, channels, 0)], { epsilon: eps });
}
export interface BatchNormOptions {
  readonly weight?: Tensor | null;
  readonly bias?: Tensor | null;
  /** Normalise by the batch's own statistics, and move the running ones. Default false. */
  readonly training?: boolean;
  /** How far the running statistics move towards the batch's. Default 0.1. */
  readonly momentum?: number;
  readonly eps?: number;
}
/**
 * Each channel over batch and positions. In training the running statistics are assigned: mean, and the unbiased variance.
 * Inputs of two dimensions [N, C] as well.
 */
export function batchNorm(self: Tensor, runningMean: Tensor | null, runningVar: Tensor | null, options: BatchNormOptions = {}): Tensor {
  const { weight, bias, training = false, momentum = 0.1, eps = 1e-5 } = options;
  const channels = [self.shape[1]];
  const [scale, shift] = [weight ?? filled(self, channels, 1), bias ?? filled(self, channels, 0)];
  const statistics = [runningMean ?? filled(self, channels, 0), runningVar ?? filled(self, channels, 1)];
  if (!training && runningMean && runningVar) return make('BatchNormalization', [self, scale, shift, ...statistics], { epsilon: eps });
  // ONNX moves by `momentum` of the old value: at 0 the results are the batch's own statistics.
  const [y, batchMean, batchVar] = makeAll('BatchNormalization', [self, scale, shift, ...statistics], { epsilon: eps, momentum: 0, training_mode: 1 });
  if (training && runningMean && runningVar) {
    const count = self.numel / self.shape[1];
    if (count < 2) throw new TensorError('batchNorm', { expected: 'more than one value a channel when training', got: formatType(self.value) });
    runningMean.assign(add(mul(runningMean, 1 - momentum), mul(batchMean.detach(), momentum)));
    runningVar.assign(add(mul(runningVar, 1 - momentum), mul(batchVar.detach(), (momentum * count) / (count - 1))));
  }
  return y;
}

// ---- tables and classes

/** Rows of a table [n, width] by integers of any shape: [..., width]. */
export const embedding = (self: Tensor, weight: Tensor): Tensor => make('Gather', [weight, self.dtype === 'int32' ? self : lift(self, 'int64')], { axis: 0 });
/** 1 at each integer's place in a new last dimension of `classes`, as int64. */
export const oneHot = (self: Tensor, classes: number): Tensor => make('OneHot', [lift(self, 'int64'), int64s([classes]), int64s([0, 1])], { axis: -1 });

export type Reduction = 'mean' | 'sum' | 'none';
export interface ClassLossOptions {
  /** How much each class counts: [C]. */
  readonly weight?: Tensor | null;
  /** A label that does not count. Default -100. */
  readonly ignoreIndex?: number;
  readonly reduction?: Reduction;
}
const classLoss = (op: string) => (self: Tensor, target: Tensor, { weight, ignoreIndex = -100, reduction = 'mean' }: ClassLossOptions = {}): Tensor =>
  make(op, weight ? [self, target, weight] : [self, target], { ignore_index: ignoreIndex, reduction });
/** Of scores [N, C, ...] and labels [N, ...] (integers). */
export const crossEntropy = classLoss('SoftmaxCrossEntropyLoss');
/** Of log probabilities [N, C, ...] and labels [N, ...] (integers). */
export const nllLoss = classLoss('NegativeLogLikelihoodLoss');
const reduceLoss = (losses: Tensor, reduction: Reduction): Tensor => (reduction === 'none' ? losses : reduction === 'sum' ? sum(losses) : mean(losses));
/** Squared differences. */
export const mseLoss = (self: Tensor, target: Tensor, reduction: Reduction = 'mean'): Tensor => {
  const difference = make('Sub', [self, lift(target, self.dtype)]);
  return reduceLoss(mul(difference, difference), reduction);
};
/** Absolute differences. */
export const l1Loss = (self: Tensor, target: Tensor, reduction: Reduction = 'mean'): Tensor => reduceLoss(make('Abs', [make('Sub', [self, lift(target, self.dtype)])]), reduction);
