/** Losses as modules: the functions of functional.ts with their options kept. Weights are buffers, as in PyTorch. */
import { l1Loss, mseLoss, nllLoss, type Reduction, type Tensor } from '../tensor/index.ts';
import { ctcLoss, type CtcOptions, type Lengths } from './ctc.ts';
import {
  binaryCrossEntropy, type BinaryLogitsOptions, type BinaryOptions, binaryCrossEntropyWithLogits, crossEntropy, type CrossEntropyOptions, huberLoss, klDiv, type KlDivOptions, smoothL1Loss,
} from './functional.ts';
import { Buffer, Module } from './module.ts';

interface Reduced {
  readonly reduction?: Reduction;
}

/** A module of input and target. */
export abstract class Loss extends Module {
  abstract override forward(input: Tensor, target: Tensor): Tensor;
}

const held = (weight: Tensor | null | undefined): Buffer | null => (weight ? new Buffer(weight) : null);

/** Of scores [N, C, ...] and labels [N, ...] (integers), or probabilities [N, C, ...] (floats). */
export class CrossEntropyLoss extends Loss {
  readonly options: Omit<CrossEntropyOptions, 'weight'>;
  weight: Buffer | null;
  constructor({ weight, ...options }: CrossEntropyOptions = {}) {
    super();
    this.options = options;
    this.weight = held(weight);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return crossEntropy(input, target, { ...this.options, weight: this.weight });
  }
}

/** Of log probabilities [N, C, ...] and labels [N, ...] (integers). */
export class NLLLoss extends Loss {
  readonly options: Omit<CrossEntropyOptions, 'weight' | 'labelSmoothing'>;
  weight: Buffer | null;
  constructor({ weight, ...options }: Omit<CrossEntropyOptions, 'labelSmoothing'> = {}) {
    super();
    this.options = options;
    this.weight = held(weight);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return nllLoss(input, target, { ...this.options, weight: this.weight });
  }
}

/** Squared differences. */
export class MSELoss extends Loss {
  readonly reduction: Reduction;
  constructor({ reduction = 'mean' }: Reduced = {}) {
    super();
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return mseLoss(input, target, this.reduction);
  }
}

/** Absolute differences. */
export class L1Loss extends Loss {
  readonly reduction: Reduction;
  constructor({ reduction = 'mean' }: Reduced = {}) {
    super();
    this.reduction = reduction;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return l1Loss(input, target, this.reduction);
  }
}

/** Squares of small differences, magnitudes of large ones. */
export class SmoothL1Loss extends Loss {
  readonly options: Reduced & { readonly beta?: number };
  constructor(options: Reduced & { readonly beta?: number } = {}) {
    super();
    this.options = options;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return smoothL1Loss(input, target, this.options);
  }
}

/** As SmoothL1Loss, times delta. */
export class HuberLoss extends Loss {
  readonly options: Reduced & { readonly delta?: number };
  constructor(options: Reduced & { readonly delta?: number } = {}) {
    super();
    this.options = options;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return huberLoss(input, target, this.options);
  }
}

/** Of probabilities and targets in [0, 1]. */
export class BCELoss extends Loss {
  readonly reduction: Reduction;
  weight: Buffer | null;
  constructor({ weight, reduction = 'mean' }: BinaryOptions = {}) {
    super();
    this.reduction = reduction;
    this.weight = held(weight);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropy(input, target, { weight: this.weight, reduction: this.reduction });
  }
}

/** Of scores (before the sigmoid) and targets in [0, 1]. */
export class BCEWithLogitsLoss extends Loss {
  readonly reduction: Reduction;
  weight: Buffer | null;
  pos_weight: Buffer | null;
  constructor({ weight, posWeight, reduction = 'mean' }: BinaryLogitsOptions = {}) {
    super();
    this.reduction = reduction;
    this.weight = held(weight);
    this.pos_weight = held(posWeight);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropyWithLogits(input, target, { weight: this.weight, posWeight: this.pos_weight, reduction: this.reduction });
  }
}

/** Kullback and Leibler's divergence of log probabilities from probabilities. */
export class KLDivLoss extends Loss {
  readonly options: KlDivOptions;
  constructor(options: KlDivOptions = {}) {
    super();
    this.options = options;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return klDiv(input, target, this.options);
  }
}

/** Minus the log probability of texts over all their alignments: of log probabilities [time, batch, classes] and targets [batch, length]. */
export class CTCLoss extends Module {
  readonly options: CtcOptions;
  constructor(options: CtcOptions = {}) {
    super();
    this.options = options;
  }
  forward(logProbs: Tensor, targets: Tensor, inputLengths: Lengths, targetLengths: Lengths): Tensor {
    return ctcLoss(logProbs, targets, inputLengths, targetLengths, this.options);
  }
}
