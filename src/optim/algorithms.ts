/** The algorithms: SGD, Adam, AdamW, RMSprop, Adagrad, with PyTorch's options, defaults and arithmetic. */
import { clamp, maximum, type Tensor } from '../tensor/index.ts';
import { OptimError } from './errors.ts';
import type { Params } from './groups.ts';
import { type BaseOptions, type Live, Optimizer, type Rule } from './optimizer.ts';

interface DecayOptions extends BaseOptions {
  /** This much of the parameter is added to its gradient (AdamW: taken off the parameter, times the learning rate). */
  readonly weightDecay: number;
}

const decayed = (param: Tensor, grad: Tensor, { weightDecay }: DecayOptions): Tensor => (weightDecay === 0 ? grad : grad.add(param.mul(weightDecay)));

/** Assigns, and returns what was assigned. */
function keep(state: Tensor, value: Tensor): Tensor {
  state.assign(value);
  return state;
}

// ---- SGD

export interface SGDOptions extends DecayOptions {
  readonly momentum: number;
  /** How much less of the gradient goes into the momentum, after the first step. */
  readonly dampening: number;
  /** Look ahead along the momentum. */
  readonly nesterov: boolean;
}

interface SGDFactors {
  readonly rate: Tensor;
  readonly momentum: Tensor;
  /** What part of the gradient goes into the momentum. */
  readonly share: Tensor | undefined;
}

const sgd: Rule<SGDOptions, SGDFactors> = {
  name: 'SGD',
  defaults: { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false },
  live: ['lr', 'momentum'],
  check({ nesterov, momentum, dampening }) {
    if (nesterov && (momentum === 0 || dampening !== 0)) throw new OptimError('SGD', { expected: 'a momentum and no dampening with nesterov', got: `momentum ${momentum}, dampening ${dampening}` });
  },
  counts: ({ momentum, dampening }) => momentum !== 0 && dampening !== 0,
  state: ({ momentum }): Record<string, number> => (momentum === 0 ? {} : { momentumBuffer: 0 }),
  // The first gradient goes in whole.
  factors: (live, { dampening }, step) => ({ rate: live('lr'), momentum: live('momentum'), share: step && clamp(step.sub(1), null, 1).mul(-dampening).add(1) }),
  update(param, gradient, { momentumBuffer }, { rate, momentum, share }, options) {
    const grad = decayed(param, gradient, options);
    if (!momentumBuffer) return param.sub(grad.mul(rate));
    const buffer = keep(momentumBuffer, momentumBuffer.mul(momentum).add(share ? grad.mul(share) : grad));
    return param.sub((options.nesterov ? grad.add(buffer.mul(momentum)) : buffer).mul(rate));
  },
};

/** Stochastic gradient descent, with momentum (Polyak's, or Nesterov's as Sutskever et al. wrote it, 2013). */
export class SGD extends Optimizer<SGDOptions, SGDFactors> {
  constructor(params: Params<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super(sgd, params, options);
  }
}

// ---- Adam

export interface AdamOptions extends DecayOptions {
  /** How much of the averages of gradients and of their squares is kept at each step. */
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Divide by the largest average of squares so far. */
  readonly amsgrad: boolean;
}

interface AdamFactors {
  readonly rate: Tensor;
  readonly betas: readonly [Tensor, Tensor];
  readonly shares: readonly [Tensor, Tensor];
  /** The learning rate, corrected for the first average's beginning at 0. */
  readonly corrected: Tensor;
  /** 1 over the root of the second average's correction. */
  readonly scale: Tensor;
}

const adamFactors = (live: Live, _options: AdamOptions, step: Tensor | undefined): AdamFactors => {
  const betas = [live('betas', 0), live('betas', 1)] as const;
  const [first, second] = betas.map((beta) => beta.pow(step!).neg().add(1));
  const shares = [betas[0].neg().add(1), betas[1].neg().add(1)] as const;
  return { rate: live('lr'), betas, shares, corrected: live('lr').div(first), scale: second.sqrt().reciprocal() };
};

/** Adam, with weight decay in the gradient, or apart from it. */
const adam = (name: string, weightDecay: number, apart: boolean): Rule<AdamOptions, AdamFactors> => ({
  name,
  defaults: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay, amsgrad: false, maximize: false },
  live: ['lr', 'betas'],
  counts: () => true,
  state: ({ amsgrad }): Record<string, number> => ({ expAvg: 0, expAvgSq: 0, ...(amsgrad && { maxExpAvgSq: 0 }) }),
  factors: adamFactors,
  update(param, gradient, { expAvg, expAvgSq, maxExpAvgSq }, { rate, betas, shares, corrected, scale }, options) {
    const grad = apart ? gradient : decayed(param, gradient, options);
    const mean = keep(expAvg, expAvg.mul(betas[0]).add(grad.mul(shares[0])));
    const square = keep(expAvgSq, expAvgSq.mul(betas[1]).add(grad.square().mul(shares[1])));
    const size = options.amsgrad ? keep(maxExpAvgSq, maximum(maxExpAvgSq, square)) : square;
    const from = apart && options.weightDecay !== 0 ? param.mul(rate.mul(-options.weightDecay).add(1)) : param;
    return from.sub(mean.mul(corrected).div(size.sqrt().mul(scale).add(options.eps)));
  },
});

const plainAdam = adam('Adam', 0, false);
const adamW = adam('AdamW', 0.01, true);

/** Adam (Kingma and Ba, 2015), with AMSGrad (Reddi, Kale and Kumar, 2018) on demand. */
export class Adam extends Optimizer<AdamOptions, AdamFactors> {
  constructor(params: Params<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(plainAdam, params, options);
  }
}

/** Adam with weight decay apart from the gradient (Loshchilov and Hutter, 2019). */
export class AdamW extends Optimizer<AdamOptions, AdamFactors> {
  constructor(params: Params<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(adamW, params, options);
  }
}

// ---- RMSprop

export interface RMSpropOptions extends DecayOptions {
  /** How much of the average of squares is kept at each step. */
  readonly alpha: number;
  readonly eps: number;
  readonly momentum: number;
  /** Divide by the deviation, rather than by the root of the mean square. */
  readonly centered: boolean;
}

const rmsprop: Rule<RMSpropOptions, { readonly rate: Tensor; readonly momentum: Tensor }> = {
  name: 'RMSprop',
  defaults: { lr: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, centered: false, maximize: false },
  live: ['lr', 'momentum'],
  counts: () => false,
  state: ({ centered, momentum }): Record<string, number> => ({ squareAvg: 0, ...(centered && { gradAvg: 0 }), ...(momentum !== 0 && { momentumBuffer: 0 }) }),
  factors: (live) => ({ rate: live('lr'), momentum: live('momentum') }),
  update(param, gradient, { squareAvg, gradAvg, momentumBuffer }, { rate, momentum }, options) {
    const { alpha, eps } = options;
    const grad = decayed(param, gradient, options);
    const square = keep(squareAvg, squareAvg.mul(alpha).add(grad.square().mul(1 - alpha)));
    const mean = gradAvg && keep(gradAvg, gradAvg.mul(alpha).add(grad.mul(1 - alpha)));
    const scaled = grad.div((mean ? square.sub(mean.square()) : square).sqrt().add(eps));
    return param.sub((momentumBuffer ? keep(momentumBuffer, momentumBuffer.mul(momentum).add(scaled)) : scaled).mul(rate));
  },
};

/** RMSprop (Hinton, 2012), with the centred variant of Graves (2013). */
export class RMSprop extends Optimizer<RMSpropOptions, { readonly rate: Tensor; readonly momentum: Tensor }> {
  constructor(params: Params<RMSpropOptions>, options: Partial<RMSpropOptions> = {}) {
    super(rmsprop, params, options);
  }
}

// ---- Adagrad

export interface AdagradOptions extends DecayOptions {
  readonly lrDecay: number;
  readonly initialAccumulatorValue: number;
  readonly eps: number;
}

const adagrad: Rule<AdagradOptions, Tensor> = {
  name: 'Adagrad',
  defaults: { lr: 1e-2, lrDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, eps: 1e-10, maximize: false },
  live: ['lr'],
  counts: ({ lrDecay }) => lrDecay !== 0,
  state: ({ initialAccumulatorValue }) => ({ sum: initialAccumulatorValue }),
  factors: (live, { lrDecay }, step) => (step ? live('lr').div(step.sub(1).mul(lrDecay).add(1)) : live('lr')),
  update(param, gradient, { sum }, rate, options) {
    const grad = decayed(param, gradient, options);
    const total = keep(sum, sum.add(grad.square()));
    return param.sub(grad.mul(rate).div(total.sqrt().add(options.eps)));
  },
};

/** Adagrad (Duchi, Hazan and Singer, 2011). */
export class Adagrad extends Optimizer<AdagradOptions, Tensor> {
  constructor(params: Params<AdagradOptions>, options: Partial<AdagradOptions> = {}) {
    super(adagrad, params, options);
  }
}
