/** Pictures resized, shuffled between channels and space, padded. */
import { interpolate, type InterpolateMode, pad, type PadMode, pixelShuffle, pixelUnshuffle, type Tensor } from '../tensor/index.ts';
import { ModuleError } from './errors.ts';
import { Module } from './module.ts';
import { float, keywords, python } from './print.ts';

export interface UpsampleOptions {
  /** Of the result's spatial dimensions: one for all, or one each. This or `scaleFactor`. */
  readonly size?: number | readonly number[] | null;
  readonly scaleFactor?: number | readonly number[] | null;
  /** Default 'nearest'. */
  readonly mode?: InterpolateMode;
  readonly alignCorners?: boolean | null;
}

/** [N, C, spatial] at another size of its one to three spatial dimensions. */
export class Upsample extends Module {
  readonly options: UpsampleOptions;
  constructor(options: UpsampleOptions) {
    super();
    this.options = options;
  }
  forward(x: Tensor): Tensor {
    return interpolate(x, this.options);
  }
  override extraRepr(): string {
    const { size, scaleFactor, mode = 'nearest' } = this.options;
    if (size !== undefined && size !== null) return keywords({ size, mode });
    const factor = typeof scaleFactor === 'number' ? float(scaleFactor) : `(${[...(scaleFactor ?? [])].map(float).join(', ')})`;
    return `scale_factor=${factor}, ${keywords({ mode })}`;
  }
}

/** [N, C r r, H, W] to [N, C, H r, W r]. */
export class PixelShuffle extends Module {
  readonly upscaleFactor: number;
  constructor(upscaleFactor: number) {
    super();
    this.upscaleFactor = upscaleFactor;
  }
  forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.upscaleFactor);
  }
  override extraRepr(): string {
    return keywords({ upscale_factor: this.upscaleFactor });
  }
}

/** [N, C, H r, W r] to [N, C r r, H, W]. */
export class PixelUnshuffle extends Module {
  readonly downscaleFactor: number;
  constructor(downscaleFactor: number) {
    super();
    this.downscaleFactor = downscaleFactor;
  }
  forward(x: Tensor): Tensor {
    return pixelUnshuffle(x, this.downscaleFactor);
  }
  override extraRepr(): string {
    return keywords({ downscale_factor: this.downscaleFactor });
  }
}

abstract class Pad2d extends Module {
  /** Left, right, top, bottom. */
  readonly padding: readonly number[];
  readonly #mode: PadMode;
  constructor(mode: PadMode, padding: number | readonly number[]) {
    super();
    this.padding = typeof padding === 'number' ? new Array<number>(4).fill(padding) : [...padding];
    if (this.padding.length !== 4) throw new ModuleError(this.constructor.name, { expected: 'one padding, or left, right, top and bottom', got: `[${this.padding.join(',')}]` });
    this.#mode = mode;
  }
  /** The last two dimensions. */
  forward(x: Tensor): Tensor {
    return pad(x, this.padding, this.#mode);
  }
  override extraRepr(): string {
    return python(this.padding);
  }
}
/** Zeros around the last two dimensions. */
export class ZeroPad2d extends Pad2d {
  constructor(padding: number | readonly number[]) {
    super('constant', padding);
  }
}
/** What lies inside, mirrored at the edges. */
export class ReflectionPad2d extends Pad2d {
  constructor(padding: number | readonly number[]) {
    super('reflect', padding);
  }
}
/** The edges, repeated. */
export class ReplicationPad2d extends Pad2d {
  constructor(padding: number | readonly number[]) {
    super('replicate', padding);
  }
}
