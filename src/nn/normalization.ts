/** Normalisation: over the batch, with statistics that are kept; or within each sample. */
import { batchNorm, groupNorm, instanceNorm, layerNorm, ones, type Tensor, tensor, zeros } from '../tensor/index.ts';
import { expectSizes, ModuleError } from './errors.ts';
import { Buffer, Module, Parameter } from './module.ts';
import { keywords, python } from './print.ts';

export interface BatchNormOptions {
  readonly eps?: number;
  /** How far the running statistics move towards the batch's; null: they are the mean of all batches. Default 0.1. */
  readonly momentum?: number | null;
  /** Whether there are weight and bias. Default true. */
  readonly affine?: boolean;
  /** Whether statistics are kept for use after training. Default true. */
  readonly trackRunningStats?: boolean;
}

/** @throws ModuleError unless the tensor has one of these ranks, and this many channels where that is fixed */
function expectInput(where: string, x: Tensor, ranks: readonly number[], channels?: number): void {
  if (ranks.includes(x.ndim) && (channels === undefined || x.shape[1] === channels)) return;
  throw new ModuleError(where, { expected: `[N, ${channels ?? 'C'}, ...] of ${ranks.join(' or ')} dimensions`, got: `[${x.shape.join(',')}]` });
}

abstract class BatchNorm extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: number | null;
  weight: Parameter | null;
  bias: Parameter | null;
  running_mean: Buffer | null;
  running_var: Buffer | null;
  num_batches_tracked: Buffer | null;
  readonly #ranks: readonly number[];

  constructor(ranks: readonly number[], numFeatures: number, { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true }: BatchNormOptions) {
    super();
    expectSizes(this.constructor.name, { numFeatures });
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? new Parameter(ones([numFeatures])) : null;
    this.bias = affine ? new Parameter(zeros([numFeatures])) : null;
    this.running_mean = trackRunningStats ? new Buffer(zeros([numFeatures])) : null;
    this.running_var = trackRunningStats ? new Buffer(ones([numFeatures])) : null;
    this.num_batches_tracked = trackRunningStats ? new Buffer(tensor(0, { dtype: 'int64' })) : null;
    this.#ranks = ranks;
  }
  /** In training by the batch's statistics, which move the running ones; else by the running ones. */
  forward(x: Tensor): Tensor {
    expectInput(this.constructor.name, x, this.#ranks, this.numFeatures);
    const { weight, bias, eps, momentum, training, running_mean: mean, running_var: variance, num_batches_tracked: count } = this;
    if (!mean || !variance || !count) return batchNorm(x, null, null, { weight, bias, eps, training: true });
    if (!training) return batchNorm(x, mean, variance, { weight, bias, eps });
    count.assign(count.add(1));
    if (momentum !== null) return batchNorm(x, mean, variance, { weight, bias, eps, momentum, training });
    // At momentum 1 what is assigned is the batch's own statistics.
    const [batchMean, batchVar] = [mean.detach(), variance.detach()];
    const y = batchNorm(x, batchMean, batchVar, { weight, bias, eps, momentum: 1, training });
    const share = count.to(mean.dtype).reciprocal();
    mean.assign(mean.lerp(batchMean, share));
    variance.assign(variance.lerp(batchVar, share));
    return y;
  }
  override extraRepr(): string {
    const { eps, momentum, weight, running_mean: mean } = this;
    return `${this.numFeatures}, ${keywords({ eps, momentum, affine: weight !== null, track_running_stats: mean !== null })}`;
  }
}

/** [N, C] or [N, C, length], each channel over batch and positions; weight and bias [C]. */
export class BatchNorm1d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super([2, 3], numFeatures, options);
  }
}
/** [N, C, height, width], each channel over batch and positions; weight and bias [C]. */
export class BatchNorm2d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super([4], numFeatures, options);
  }
}
/** [N, C, depth, height, width], each channel over batch and positions; weight and bias [C]. */
export class BatchNorm3d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super([5], numFeatures, options);
  }
}

export interface LayerNormOptions {
  readonly eps?: number;
  readonly elementwiseAffine?: boolean;
}

/** Over the last dimensions, which must be `normalizedShape`; weight and bias of that shape. */
export class LayerNorm extends Module {
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;
  constructor(normalizedShape: number | readonly number[], { eps = 1e-5, elementwiseAffine = true }: LayerNormOptions = {}) {
    super();
    this.normalizedShape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    this.normalizedShape.forEach((size) => expectSizes('LayerNorm', { normalizedShape: size }));
    this.eps = eps;
    this.weight = elementwiseAffine ? new Parameter(ones(this.normalizedShape)) : null;
    this.bias = elementwiseAffine ? new Parameter(zeros(this.normalizedShape)) : null;
  }
  forward(x: Tensor): Tensor {
    const { normalizedShape: shape } = this;
    if (x.shape.slice(-shape.length).join() !== shape.join()) throw new ModuleError('LayerNorm', { expected: `[..., ${shape.join(', ')}]`, got: `[${x.shape.join(',')}]` });
    return layerNorm(x, shape, this.weight, this.bias, this.eps);
  }
  override extraRepr(): string {
    return `${python(this.normalizedShape)}, ${keywords({ eps: this.eps, elementwise_affine: this.weight !== null })}`;
  }
}

export interface AffineOptions {
  readonly eps?: number;
  /** Whether there are weight and bias. */
  readonly affine?: boolean;
}

/** [N, C, ...] with channels in groups, each sample by itself; weight and bias [C]. */
export class GroupNorm extends Module {
  readonly numGroups: number;
  readonly numChannels: number;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;
  constructor(numGroups: number, numChannels: number, { eps = 1e-5, affine = true }: AffineOptions = {}) {
    super();
    expectSizes('GroupNorm', { numGroups, numChannels });
    if (numChannels % numGroups !== 0) throw new ModuleError('GroupNorm', { expected: `channels that ${numGroups} groups divide`, got: `${numChannels}` });
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.eps = eps;
    this.weight = affine ? new Parameter(ones([numChannels])) : null;
    this.bias = affine ? new Parameter(zeros([numChannels])) : null;
  }
  forward(x: Tensor): Tensor {
    if (x.ndim < 2 || x.shape[1] !== this.numChannels) throw new ModuleError('GroupNorm', { expected: `[N, ${this.numChannels}, ...]`, got: `[${x.shape.join(',')}]` });
    return groupNorm(x, this.numGroups, this.weight, this.bias, this.eps);
  }
  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, ${keywords({ eps: this.eps, affine: this.weight !== null })}`;
  }
}

/** [N, C, height, width], each channel of each sample by itself. Keeps no statistics. */
export class InstanceNorm2d extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;
  constructor(numFeatures: number, { eps = 1e-5, affine = false }: AffineOptions = {}) {
    super();
    expectSizes('InstanceNorm2d', { numFeatures });
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.weight = affine ? new Parameter(ones([numFeatures])) : null;
    this.bias = affine ? new Parameter(zeros([numFeatures])) : null;
  }
  forward(x: Tensor): Tensor {
    expectInput('InstanceNorm2d', x, [4], this.numFeatures);
    return instanceNorm(x, this.weight, this.bias, this.eps);
  }
  override extraRepr(): string {
    return `${this.numFeatures}, ${keywords({ eps: this.eps, momentum: 0.1, affine: this.weight !== null, track_running_stats: false })}`;
  }
}
