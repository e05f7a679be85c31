/** Pooling over windows of N C spatial. */
import { adaptiveAvgPool, avgPool, type AvgPoolOptions, maxPool, type PerAxis, type PoolOptions, type Tensor } from '../tensor/index.ts';
import { ModuleError } from './errors.ts';
import { Module } from './module.ts';
import { type Argument, keywords } from './print.ts';

abstract class Pooling extends Module {
  readonly #rank: number;
  constructor(rank: number) {
    super();
    this.#rank = rank;
  }
  protected expectRank(x: Tensor): void {
    if (x.ndim !== this.#rank + 2) throw new ModuleError(this.constructor.name, { expected: `[N, C, ${this.#rank} spatial dimensions]`, got: `[${x.shape.join(',')}]` });
  }
}

abstract class MaxPool extends Pooling {
  readonly kernelSize: PerAxis;
  readonly options: PoolOptions;
  constructor(rank: number, kernelSize: PerAxis, options: PoolOptions) {
    super(rank);
    this.kernelSize = kernelSize;
    this.options = options;
  }
  forward(x: Tensor): Tensor {
    this.expectRank(x);
    return maxPool(x, this.kernelSize, this.options);
  }
  override extraRepr(): string {
    const { kernelSize, options: { stride = kernelSize, padding = 0, dilation = 1, ceilMode = false } } = this;
    return keywords({ kernel_size: kernelSize, stride, padding, dilation, ceil_mode: ceilMode });
  }
}
/** The largest element of each window of [N, C, length]. */
export class MaxPool1d extends MaxPool {
  constructor(kernelSize: PerAxis, options: PoolOptions = {}) {
    super(1, kernelSize, options);
  }
}
/** The largest element of each window of [N, C, height, width]. */
export class MaxPool2d extends MaxPool {
  constructor(kernelSize: PerAxis, options: PoolOptions = {}) {
    super(2, kernelSize, options);
  }
}

abstract class AvgPool extends Pooling {
  readonly kernelSize: PerAxis;
  readonly options: AvgPoolOptions;
  constructor(rank: number, kernelSize: PerAxis, options: AvgPoolOptions) {
    super(rank);
    this.kernelSize = kernelSize;
    this.options = options;
  }
  forward(x: Tensor): Tensor {
    this.expectRank(x);
    return avgPool(x, this.kernelSize, this.options);
  }
  override extraRepr(): string {
    const { kernelSize, options: { stride = kernelSize, padding = 0 } } = this;
    return keywords({ kernel_size: kernelSize, stride, padding });
  }
}
/** The mean of each window of [N, C, length]. */
export class AvgPool1d extends AvgPool {
  constructor(kernelSize: PerAxis, options: AvgPoolOptions = {}) {
    super(1, kernelSize, options);
  }
  override extraRepr(): string {
    const tuple = (value: PerAxis): Argument => (typeof value === 'number' ? [value] : value);
    const { kernelSize, options: { stride = kernelSize, padding = 0 } } = this;
    return keywords({ kernel_size: tuple(kernelSize), stride: tuple(stride), padding: tuple(padding) });
  }
}
/** The mean of each window of [N, C, height, width]. */
export class AvgPool2d extends AvgPool {
  constructor(kernelSize: PerAxis, options: AvgPoolOptions = {}) {
    super(2, kernelSize, options);
  }
}

/**
 * The mean of windows that divide height and width of [N, C, height, width] evenly into this many; null keeps a dimension.
 * Throws a TensorError where they do not divide evenly.
 */
export class AdaptiveAvgPool2d extends Pooling {
  readonly outputSize: number | readonly (number | null)[];
  constructor(outputSize: number | readonly (number | null)[]) {
    super(2);
    this.outputSize = outputSize;
  }
  forward(x: Tensor): Tensor {
    this.expectRank(x);
    const { outputSize } = this;
    return adaptiveAvgPool(x, typeof outputSize === 'number' ? outputSize : outputSize.map((size, i) => size ?? x.shape[2 + i]));
  }
  override extraRepr(): string {
    return keywords({ output_size: this.outputSize });
  }
}
