/** Convolutions and transposed convolutions over N C spatial, with PyTorch's weights. */
import { sizeOf } from '../graph/index.ts';
import { conv1d, conv2d, conv3d, type ConvOptions as ConvFnOptions, convTranspose1d, convTranspose2d, type ConvTransposeOptions as TransposeFnOptions, type PadMode, type PerAxis, type Tensor } from '../tensor/index.ts';
import { expectSizes, ModuleError } from './errors.ts';
import { drawn } from './linear.ts';
import { Module, type Parameter } from './module.ts';
import { type Argument, keywords } from './print.ts';

interface Common {
  readonly stride?: PerAxis;
  readonly dilation?: PerAxis;
  readonly groups?: number;
  readonly bias?: boolean;
}
export interface ConvOptions extends Common {
  /** On both sides of each dimension, or 'same' (stride 1) or 'valid'. */
  readonly padding?: PerAxis | 'same' | 'valid';
  /** What the padding holds. Default 'zeros'. */
  readonly paddingMode?: 'zeros' | Exclude<PadMode, 'constant'>;
}
export interface ConvTransposeOptions extends Common {
  readonly padding?: PerAxis;
  readonly outputPadding?: PerAxis;
}

const list = (value: PerAxis, rank: number): number[] => (typeof value === 'number' ? new Array<number>(rank).fill(value) : [...value]);
const differs = (values: readonly number[], usual: number): boolean => values.some((value) => value !== usual);

abstract class Convolution extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(rank: number, isTransposed: boolean, inChannels: number, outChannels: number, kernelSize: PerAxis, options: Common) {
    super();
    const { stride = 1, dilation = 1, groups = 1, bias = true } = options;
    expectSizes(this.constructor.name, { inChannels, outChannels, groups });
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new ModuleError(this.constructor.name, { expected: `channels that ${groups} groups divide`, got: `${inChannels} in, ${outChannels} out` });
    }
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = list(kernelSize, rank);
    this.stride = list(stride, rank);
    this.dilation = list(dilation, rank);
    this.groups = groups;
    for (const sizes of [this.kernelSize, this.stride, this.dilation]) {
      if (sizes.length !== rank) throw new ModuleError(this.constructor.name, { expected: `one number, or ${rank}`, got: `[${sizes.join(',')}]` });
      sizes.forEach((size) => expectSizes(this.constructor.name, { 'kernel size, stride and dilation': size }));
    }
    const shape = isTransposed ? [inChannels, outChannels / groups, ...this.kernelSize] : [outChannels, inChannels / groups, ...this.kernelSize];
    const fanIn = shape[1] * sizeOf(this.kernelSize);
    this.weight = drawn(shape, fanIn);
    this.bias = bias ? drawn([outChannels], fanIn) : null;
  }

  protected describe(padding: readonly number[] | string, outputPadding: readonly number[] = [], paddingMode = 'zeros'): string {
    const { stride, dilation, groups, kernelSize } = this;
    const values: Record<string, Argument> = { kernel_size: kernelSize, stride };
    if (typeof padding === 'string' || differs(padding, 0)) values.padding = padding;
    if (differs(dilation, 1)) values.dilation = dilation;
    if (differs(outputPadding, 0)) values.output_padding = outputPadding;
    if (groups !== 1) values.groups = groups;
    if (!this.bias) values.bias = false;
    if (paddingMode !== 'zeros') values.padding_mode = paddingMode;
    return `${this.inChannels}, ${this.outChannels}, ${keywords(values)}`;
  }
}

type ConvFn = (x: Tensor, weight: Tensor, bias: Tensor | null, options: ConvFnOptions) => Tensor;

abstract class ConvNd extends Convolution {
  readonly padding: readonly number[] | 'same' | 'valid';
  readonly paddingMode: 'zeros' | Exclude<PadMode, 'constant'>;
  readonly #fn: ConvFn;
  constructor(fn: ConvFn, rank: number, inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvOptions) {
    super(rank, false, inChannels, outChannels, kernelSize, options);
    const { padding = 0, paddingMode = 'zeros' } = options;
    this.padding = typeof padding === 'string' ? padding : list(padding, rank);
    this.paddingMode = paddingMode;
    this.#fn = fn;
    if (padding === 'same' && differs(this.stride, 1)) throw new ModuleError(this.constructor.name, { expected: "stride 1 with padding 'same'", got: `stride [${this.stride.join(',')}]` });
  }
  forward(x: Tensor): Tensor {
    const { weight, bias, stride, dilation, groups, padding } = this;
    if (this.paddingMode === 'zeros') return this.#fn(x, weight, bias, { stride, dilation, groups, padding });
    return this.#fn(x.pad(this.#pads(), this.paddingMode), weight, bias, { stride, dilation, groups });
  }
  /** Before and after each dimension, the last one first. */
  #pads(): number[] {
    return this.kernelSize
      .map((kernel, i): [number, number] => {
        if (this.padding === 'valid') return [0, 0];
        if (this.padding !== 'same') return [this.padding[i], this.padding[i]];
        const total = this.dilation[i] * (kernel - 1);
        return [Math.floor(total / 2), Math.ceil(total / 2)];
      })
      .reverse()
      .flat();
  }
  override extraRepr(): string {
    return this.describe(this.padding, [], this.paddingMode);
  }
}

/** [N, in, length]; weight [out, in / groups, k], bias [out] */
export class Conv1d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvOptions = {}) {
    super(conv1d, 1, inChannels, outChannels, kernelSize, options);
  }
}
/** [N, in, height, width]; weight [out, in / groups, kh, kw], bias [out] */
export class Conv2d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvOptions = {}) {
    super(conv2d, 2, inChannels, outChannels, kernelSize, options);
  }
}
/** [N, in, depth, height, width]; weight [out, in / groups, kd, kh, kw], bias [out] */
export class Conv3d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvOptions = {}) {
    super(conv3d, 3, inChannels, outChannels, kernelSize, options);
  }
}

type TransposeFn = (x: Tensor, weight: Tensor, bias: Tensor | null, options: TransposeFnOptions) => Tensor;

abstract class ConvTransposeNd extends Convolution {
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly #fn: TransposeFn;
  constructor(fn: TransposeFn, rank: number, inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeOptions) {
    super(rank, true, inChannels, outChannels, kernelSize, options);
    this.padding = list(options.padding ?? 0, rank);
    this.outputPadding = list(options.outputPadding ?? 0, rank);
    this.#fn = fn;
  }
  forward(x: Tensor): Tensor {
    const { weight, bias, stride, dilation, groups, padding, outputPadding } = this;
    return this.#fn(x, weight, bias, { stride, dilation, groups, padding, outputPadding });
  }
  override extraRepr(): string {
    return this.describe(this.padding, this.outputPadding);
  }
}

/** [N, in, length]; weight [in, out / groups, k], bias [out] */
export class ConvTranspose1d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeOptions = {}) {
    super(convTranspose1d, 1, inChannels, outChannels, kernelSize, options);
  }
}
/** [N, in, height, width]; weight [in, out / groups, kh, kw], bias [out] */
export class ConvTranspose2d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeOptions = {}) {
    super(convTranspose2d, 2, inChannels, outChannels, kernelSize, options);
  }
}
