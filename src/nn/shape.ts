/** Modules that compute nothing or next to nothing: Identity, Flatten, Unflatten, Dropout. */
import type { Tensor } from '../tensor/index.ts';
import { ModuleError } from './errors.ts';
import { Module } from './module.ts';
import { keywords } from './print.ts';

/** What comes in. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

/** Dimensions `startDim` to `endDim` as one; by default all but the batch. */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;
  constructor(startDim = 1, endDim = -1) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }
  forward(x: Tensor): Tensor {
    return x.flatten(this.startDim, this.endDim);
  }
  override extraRepr(): string {
    return keywords({ start_dim: this.startDim, end_dim: this.endDim });
  }
}

/** One dimension as several. */
export class Unflatten extends Module {
  readonly dim: number;
  readonly sizes: readonly number[];
  constructor(dim: number, sizes: readonly number[]) {
    super();
    this.dim = dim;
    this.sizes = sizes;
  }
  forward(x: Tensor): Tensor {
    return x.unflatten(this.dim, this.sizes);
  }
  override extraRepr(): string {
    return keywords({ dim: this.dim, unflattened_size: this.sizes });
  }
}

/** In training, elements are 0 with probability p and the others 1 / (1 - p) times as large. */
export class Dropout extends Module {
  readonly p: number;
  constructor(p = 0.5) {
    super();
    if (!(p >= 0 && p <= 1)) throw new ModuleError('Dropout', { expected: 'a probability', got: `${p}` });
    this.p = p;
  }
  forward(x: Tensor): Tensor {
    return x.dropout(this.p, this.training);
  }
  override extraRepr(): string {
    return keywords({ p: this.p, inplace: false });
  }
}
