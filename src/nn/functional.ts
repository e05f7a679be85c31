/** Functions of modules: losses, which reduce to their mean unless told otherwise, and what tensors have already. */
import { crossEntropy as plainCrossEntropy, fullLike, logSoftmax, logsigmoid, nllLoss, type Reduction, type Tensor, where } from '../tensor/index.ts';
import { ModuleError } from './errors.ts';

export {
  adaptiveAvgPool, avgPool, batchNorm, celu, conv1d, conv2d, conv3d, convTranspose1d, convTranspose2d, convTranspose3d, dropout, elu, embedding, gelu,
  groupNorm, hardsigmoid, hardswish, hardtanh, instanceNorm, interpolate, l1Loss, layerNorm, leakyRelu, linear, logSoftmax, logsigmoid, maxPool, mish, mseLoss, nllLoss,
  oneHot, pad, pixelShuffle, pixelUnshuffle, prelu, relu, relu6, selu, sigmoid, silu, softmax, softplus, softsign, tanh,
} from '../tensor/index.ts';
export type { Reduction } from '../tensor/index.ts';
export { ctcLoss, type CtcOptions } from './ctc.ts';

const reduce = (losses: Tensor, reduction: Reduction): Tensor => (reduction === 'none' ? losses : reduction === 'sum' ? losses.sum() : losses.mean());

/** @throws ModuleError unless input and target have the same shape */
function expectSame(where: string, input: Tensor, target: Tensor): void {
  if (input.shape.join() !== target.shape.join()) throw new ModuleError(where, { expected: `a target of shape [${input.shape.join(',')}]`, got: `[${target.shape.join(',')}]` });
}

export interface CrossEntropyOptions {
  /** How much each class counts: [C]. */
  readonly weight?: Tensor | null;
  /** A label that does not count. Default -100. */
  readonly ignoreIndex?: number;
  readonly reduction?: Reduction;
  /** The share of each target that is spread over all classes. Default 0. */
  readonly labelSmoothing?: number;
}

/** Of scores [N, C, ...] and labels [N, ...] (integers), or probabilities [N, C, ...] (floats). */
export function crossEntropy(input: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { weight, ignoreIndex = -100, reduction = 'mean', labelSmoothing = 0 } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) throw new ModuleError('crossEntropy', { expected: 'labelSmoothing in [0, 1]', got: `${labelSmoothing}` });
  const hasProbabilities = target.dtype.startsWith('float') || target.dtype === 'bfloat16';
  if (!hasProbabilities && labelSmoothing === 0) return plainCrossEntropy(input, target, { weight, ignoreIndex, reduction });
  const classes = input.shape[1];
  const logs = logSoftmax(input, 1);
  const weighted = weight ? logs.mul(weight.reshape([-1, ...input.shape.slice(2).map(() => 1)])) : logs;
  if (hasProbabilities) {
    expectSame('crossEntropy', input, target);
    const losses = weighted.mul(target.mul(1 - labelSmoothing).add(labelSmoothing / classes)).sum(1).neg();
    return reduce(losses, reduction);
  }
  const ofLabels = nllLoss(logs, target, { weight, ignoreIndex, reduction: 'none' });
  const spread = where(target.ne(ignoreIndex), weighted.sum(1).neg(), 0);
  const losses = ofLabels.mul(1 - labelSmoothing).add(spread.mul(labelSmoothing / classes));
  if (reduction !== 'mean') return reduce(losses, reduction);
  // What labels weigh, of those that count.
  const total = nllLoss(fullLike(input, -1), target, { weight, ignoreIndex, reduction: 'sum' });
  return losses.sum().div(total);
}

/** Half the square of a difference over beta where it is below beta, else its magnitude less half of beta. */
export function smoothL1Loss(input: Tensor, target: Tensor, { beta = 1, reduction = 'mean' }: { readonly beta?: number; readonly reduction?: Reduction } = {}): Tensor {
  expectSame('smoothL1Loss', input, target);
  if (!(beta >= 0)) throw new ModuleError('smoothL1Loss', { expected: 'beta from 0 on', got: `${beta}` });
  const distance = input.sub(target).abs();
  if (beta === 0) return reduce(distance, reduction);
  return reduce(where(distance.lt(beta), distance.square().mul(0.5 / beta), distance.sub(0.5 * beta)), reduction);
}

/** Half the square of a difference where it is below delta, else delta times its magnitude less half of delta. */
export function huberLoss(input: Tensor, target: Tensor, { delta = 1, reduction = 'mean' }: { readonly delta?: number; readonly reduction?: Reduction } = {}): Tensor {
  expectSame('huberLoss', input, target);
  if (!(delta > 0)) throw new ModuleError('huberLoss', { expected: 'delta above 0', got: `${delta}` });
  const distance = input.sub(target).abs();
  return reduce(where(distance.lt(delta), distance.square().mul(0.5), distance.sub(0.5 * delta).mul(delta)), reduction);
}

export interface BinaryOptions {
  /** How much each element counts; broadcasts. */
  readonly weight?: Tensor | null;
  readonly reduction?: Reduction;
}

/** The logarithm, but not below -100; the gradient there is 0. */
function boundedLog(x: Tensor): Tensor {
  const isSmall = x.le(Math.exp(-100));
  return where(isSmall, -100, where(isSmall, 1, x).log());
}

/** Of probabilities and targets in [0, 1]. */
export function binaryCrossEntropy(input: Tensor, target: Tensor, { weight, reduction = 'mean' }: BinaryOptions = {}): Tensor {
  expectSame('binaryCrossEntropy', input, target);
  const one = fullLike(input, 1);
  const losses = target.neg().mul(boundedLog(input)).sub(one.sub(target).mul(boundedLog(one.sub(input))));
  return reduce(weight ? losses.mul(weight) : losses, reduction);
}

export interface BinaryLogitsOptions extends BinaryOptions {
  /** How much targets of 1 count; broadcasts. */
  readonly posWeight?: Tensor | null;
}

/** Of scores (before the sigmoid) and targets in [0, 1]; exact where the sigmoid is 0 or 1. */
export function binaryCrossEntropyWithLogits(input: Tensor, target: Tensor, { weight, posWeight, reduction = 'mean' }: BinaryLogitsOptions = {}): Tensor {
  expectSame('binaryCrossEntropyWithLogits', input, target);
  const left = target.neg().add(1).mul(input);
  const logs = logsigmoid(input);
  const losses = left.sub(posWeight ? logs.mul(posWeight.sub(1).mul(target).add(1)) : logs);
  return reduce(weight ? losses.mul(weight) : losses, reduction);
}

export interface KlDivOptions {
  /** 'batchmean' is the divergence: the sum over the first dimension's size. */
  readonly reduction?: Reduction | 'batchmean';
  /** Whether the target is given as logarithms too. */
  readonly logTarget?: boolean;
}

/** Kullback and Leibler's divergence from log probabilities `input` to the probabilities `target`, element by element. */
export function klDiv(input: Tensor, target: Tensor, { reduction = 'mean', logTarget = false }: KlDivOptions = {}): Tensor {
  expectSame('klDiv', input, target);
  const entropy = (): Tensor => target.mul(where(target.le(0), 1, target).log());
  const losses = logTarget ? target.exp().mul(target.sub(input)) : entropy().sub(target.mul(input));
  return reduction === 'batchmean' ? losses.sum().div(input.shape[0]) : reduce(losses, reduction);
}
