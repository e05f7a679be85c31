/**
 * Schedules of the learning rate: each is a pure function of the rate at the start and of the number of steps that the schedule
 * took, so that any of them goes on from a checkpoint by that number alone. Call `step()` outside of compiled functions.
 */
import { OptimError } from './errors.ts';

/** Learning rate after `count` steps of the schedule, of a group that starts at `base`. `group` counts from 0. */
export type Schedule = (base: number, count: number, group: number) => number;

/** What schedules need of an optimizer: all of ours are that. */
export interface Scheduled {
  readonly paramGroups: readonly {
    lr: number;
    initialLr?: number;
    momentum?: number;
    betas?: readonly [number, number];
  }[];
}

/** A schedule at work on an optimizer: sets the rate when it is made, and at every `step()`. */
export class LRScheduler {
  readonly schedule: Schedule;
  readonly #optimizer: Scheduled;
  readonly #momentum: ((count: number) => number) | undefined;
  #count = 0;

  /** @param momentum of optimizers that have one (or betas, the first of them), after so many steps */
  constructor(optimizer: Scheduled, schedule: Schedule, momentum?: (count: number) => number) {
    this.#optimizer = optimizer;
    this.#momentum = momentum;
    this.schedule = schedule;
    for (const group of optimizer.paramGroups) group.initialLr ??= group.lr;
    this.#apply(0);
  }

  /** Once an epoch, or once a batch: as the schedule was meant. */
  step(): void {
    this.#apply(++this.#count);
  }
  /** Steps taken. */
  get lastEpoch(): number {
    return this.#count;
  }
  /** The learning rate of each group. */
  getLastLr(): number[] {
    return this.#optimizer.paramGroups.map(({ lr }) => lr);
  }
  stateDict(): { readonly lastEpoch: number } {
    return { lastEpoch: this.#count };
  }
  loadStateDict({ lastEpoch }: { readonly lastEpoch: number }): void {
    if (!(Number.isSafeInteger(lastEpoch) && lastEpoch >= 0)) throw new OptimError('lastEpoch', { expected: 'a count of steps', got: `${lastEpoch}` });
    this.#count = lastEpoch;
    this.#apply(lastEpoch);
  }

  #apply(count: number): void {
    this.#optimizer.paramGroups.forEach((group, i) => {
      group.lr = this.schedule(group.initialLr!, count, i);
      if (!this.#momentum) return;
      if (group.betas) group.betas = [this.#momentum(count), group.betas[1]];
      else if (group.momentum) group.momentum = this.#momentum(count);
    });
  }
}

/** The rate times a factor of your own. */
export class LambdaLR extends LRScheduler {
  constructor(optimizer: Scheduled, factor: (count: number) => number) {
    super(optimizer, (base, count) => base * factor(count));
  }
}

/** Times gamma every `stepSize` steps. */
export class StepLR extends LRScheduler {
  constructor(optimizer: Scheduled, { stepSize, gamma = 0.1 }: { readonly stepSize: number; readonly gamma?: number }) {
    atLeastOne('StepLR', 'stepSize', stepSize);
    super(optimizer, (base, count) => base * gamma ** Math.floor(count / stepSize));
  }
}

/** Times gamma at every milestone. */
export class MultiStepLR extends LRScheduler {
  constructor(optimizer: Scheduled, { milestones, gamma = 0.1 }: { readonly milestones: readonly number[]; readonly gamma?: number }) {
    super(optimizer, (base, count) => base * gamma ** milestones.filter((milestone) => milestone <= count).length);
  }
}

/** Times gamma at every step. */
export class ExponentialLR extends LRScheduler {
  constructor(optimizer: Scheduled, { gamma }: { readonly gamma: number }) {
    super(optimizer, (base, count) => base * gamma ** count);
  }
}

/** From `startFactor` of the rate to `endFactor` of it, in a line of `totalIters` steps: warm-up. */
export class LinearLR extends LRScheduler {
  constructor(optimizer: Scheduled, { startFactor = 1 / 3, endFactor = 1, totalIters = 5 }: { readonly startFactor?: number; readonly endFactor?: number; readonly totalIters?: number } = {}) {
    atLeastOne('LinearLR', 'totalIters', totalIters);
    super(optimizer, (base, count) => base * lineBetween(startFactor, endFactor, Math.min(count / totalIters, 1)));
  }
}

/** `factor` of the rate for `totalIters` steps, then all of it. */
export class ConstantLR extends LRScheduler {
  constructor(optimizer: Scheduled, { factor = 1 / 3, totalIters = 5 }: { readonly factor?: number; readonly totalIters?: number } = {}) {
    super(optimizer, (base, count) => (count < totalIters ? base * factor : base));
  }
}

/** Down to 0 in `totalIters` steps, along a power of what is left. */
export class PolynomialLR extends LRScheduler {
  constructor(optimizer: Scheduled, { totalIters = 5, power = 1 }: { readonly totalIters?: number; readonly power?: number } = {}) {
    atLeastOne('PolynomialLR', 'totalIters', totalIters);
    super(optimizer, (base, count) => base * (1 - Math.min(count / totalIters, 1)) ** power);
  }
}

/** Down to `etaMin` in `tMax` steps along half a cosine, then up again, and so on (Loshchilov and Hutter, 2017, without restarts). */
export class CosineAnnealingLR extends LRScheduler {
  constructor(optimizer: Scheduled, { tMax, etaMin = 0 }: { readonly tMax: number; readonly etaMin?: number }) {
    atLeastOne('CosineAnnealingLR', 'tMax', tMax);
    super(optimizer, (base, count) => cosineBetween(base, etaMin, count / tMax));
  }
}

/** Down along half a cosine in `t0` steps, then from the start in `tMult` times as many, and so on (Loshchilov and Hutter, 2017). */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  constructor(optimizer: Scheduled, { t0, tMult = 1, etaMin = 0 }: { readonly t0: number; readonly tMult?: number; readonly etaMin?: number }) {
    atLeastOne('CosineAnnealingWarmRestarts', 't0', t0);
    atLeastOne('CosineAnnealingWarmRestarts', 'tMult', tMult);
    super(optimizer, (base, count) => {
      let [length, at] = [t0, count];
      if (tMult === 1) at %= t0;
      else for (; at >= length; length *= tMult) at -= length;
      return cosineBetween(base, etaMin, at / length);
    });
  }
}

export interface CyclicOptions {
  readonly baseLr: number;
  readonly maxLr: number;
  /** Steps up, and (default: as many) down. */
  readonly stepSizeUp?: number;
  readonly stepSizeDown?: number;
  /** Every cycle as high, half as high as the one before, or lower by `gamma` at every step. */
  readonly mode?: 'triangular' | 'triangular2' | 'exp_range';
  readonly gamma?: number;
}

/** Up and down between two rates, in lines (Smith, "Cyclical learning rates", 2017). Momentum stays as it is. */
export class CyclicLR extends LRScheduler {
  constructor(optimizer: Scheduled, { baseLr, maxLr, stepSizeUp = 2000, stepSizeDown = stepSizeUp, mode = 'triangular', gamma = 1 }: CyclicOptions) {
    atLeastOne('CyclicLR', 'stepSizeUp', stepSizeUp);
    atLeastOne('CyclicLR', 'stepSizeDown', stepSizeDown);
    const period = stepSizeUp + stepSizeDown;
    super(optimizer, (_base, count) => {
      const at = count % period;
      const height = at <= stepSizeUp ? at / stepSizeUp : (period - at) / stepSizeDown;
      const scale = { triangular: 1, triangular2: 0.5 ** Math.floor(count / period), exp_range: gamma ** count }[mode];
      return baseLr + (maxLr - baseLr) * height * scale;
    });
  }
}

export interface OneCycleOptions {
  /** For all groups, or one for each. */
  readonly maxLr: number | readonly number[];
  readonly totalSteps: number;
  /** The part of the steps in which the rate rises. */
  readonly pctStart?: number;
  readonly annealStrategy?: 'cos' | 'linear';
  /** Momentum (or Adam's first beta) falls while the rate rises. Default: true, where the optimizer has one. */
  readonly cycleMomentum?: boolean;
  readonly baseMomentum?: number;
  readonly maxMomentum?: number;
  /** What part of `maxLr` the rate starts from. */
  readonly divFactor?: number;
  /** What part of its start the rate ends at. */
  readonly finalDivFactor?: number;
  /** Fall as fast as it rose, and then to the end, rather than to the end at once. */
  readonly threePhase?: boolean;
}

/** Up to `maxLr`, then far down, in one go of so many batches (Smith and Topin, "Super-convergence", 2018). */
export class OneCycleLR extends LRScheduler {
  constructor(optimizer: Scheduled, options: OneCycleOptions) {
    const { maxLr, totalSteps, pctStart = 0.3, annealStrategy = 'cos', cycleMomentum = true, baseMomentum = 0.85, maxMomentum = 0.95 } = options;
    const { divFactor = 25, finalDivFactor = 1e4, threePhase = false } = options;
    atLeastOne('OneCycleLR', 'totalSteps', totalSteps);
    const between = annealStrategy === 'cos' ? cosineBetween : lineBetween;
    const top = pctStart * totalSteps - 1;
    const phases = threePhase ? [top, 2 * top, totalSteps - 1] : [top, totalSteps - 1];
    /** The value at a step: points[i] at the end of phase i, the first at the start. */
    const at = (count: number, points: readonly number[]): number => {
      const found = phases.findIndex((end) => count <= end);
      const phase = found < 0 ? phases.length - 1 : found;
      const start = phase === 0 ? 0 : phases[phase - 1];
      // A phase of a single step is at its end already.
      const part = phases[phase] > start ? (count - start) / (phases[phase] - start) : 1;
      return between(points[phase], points[phase + 1], Math.min(1, part));
    };
    const momenta = threePhase ? [maxMomentum, baseMomentum, maxMomentum, maxMomentum] : [maxMomentum, baseMomentum, maxMomentum];
    const rate: Schedule = (_base, count, group) => {
      const most = typeof maxLr === 'number' ? maxLr : maxLr[group];
      const first = most / divFactor;
      const last = first / finalDivFactor;
      return at(count, threePhase ? [first, most, first, last] : [first, most, last]);
    };
    super(optimizer, rate, cycleMomentum ? (count) => at(count, momenta) : undefined);
  }
}

/** Schedules one after the other, each from its own beginning: `milestones[i]` is where the one after the i-th starts. */
export class SequentialLR extends LRScheduler {
  constructor(optimizer: Scheduled, schedulers: readonly LRScheduler[], { milestones }: { readonly milestones: readonly number[] }) {
    if (milestones.length !== schedulers.length - 1) throw new OptimError('SequentialLR', { expected: `${schedulers.length - 1} milestones for ${schedulers.length} schedules`, got: `${milestones.length}` });
    super(optimizer, (base, count, group) => {
      const turn = milestones.filter((milestone) => milestone <= count).length;
      return schedulers[turn].schedule(base, count - (turn === 0 ? 0 : milestones[turn - 1]), group);
    });
  }
}

const lineBetween = (from: number, to: number, part: number): number => from + (to - from) * part;
const cosineBetween = (from: number, to: number, part: number): number => to + ((from - to) * (1 + Math.cos(Math.PI * part))) / 2;

function atLeastOne(where: string, name: string, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 1)) throw new OptimError(`${where}'s ${name}`, { expected: 'a whole number from 1 on', got: `${value}` });
}
