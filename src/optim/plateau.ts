/** ReduceLROnPlateau: the learning rate falls when a metric has not become better for a while. */
import { OptimError } from './errors.ts';
import type { Scheduled } from './schedules.ts';

export interface PlateauOptions {
  /** Whether the metric is better when it is smaller (a loss) or larger (an accuracy). Default: 'min'. */
  readonly mode?: 'min' | 'max';
  readonly factor?: number;
  /** Steps without improvement that are borne. */
  readonly patience?: number;
  /** What counts as better: by this part of the best value ('rel'), or by this much ('abs'). */
  readonly threshold?: number;
  readonly thresholdMode?: 'rel' | 'abs';
  /** Steps after a fall during which nothing is counted. */
  readonly cooldown?: number;
  readonly minLr?: number;
  /** A fall by less than this is left out. */
  readonly eps?: number;
}

export interface PlateauState {
  readonly best: number | null;
  readonly numBadEpochs: number;
  readonly cooldownCounter: number;
  readonly lastEpoch: number;
}

export class ReduceLROnPlateau {
  readonly #optimizer: Scheduled;
  readonly #options: Required<PlateauOptions>;
  #state: PlateauState = { best: null, numBadEpochs: 0, cooldownCounter: 0, lastEpoch: 0 };

  constructor(optimizer: Scheduled, options: PlateauOptions = {}) {
    this.#optimizer = optimizer;
    this.#options = { mode: 'min', factor: 0.1, patience: 10, threshold: 1e-4, thresholdMode: 'rel', cooldown: 0, minLr: 0, eps: 1e-8, ...options };
    if (!(this.#options.factor < 1)) throw new OptimError('ReduceLROnPlateau', { expected: 'a factor below 1', got: `${this.#options.factor}` });
  }

  /** Once a validation, with its metric. NaN is no improvement. */
  step(metric: number): void {
    const { patience, cooldown } = this.#options;
    let { best, numBadEpochs, cooldownCounter } = this.#state;
    if (this.#isBetter(metric, best)) [best, numBadEpochs] = [metric, 0];
    else numBadEpochs++;
    if (cooldownCounter > 0) [cooldownCounter, numBadEpochs] = [cooldownCounter - 1, 0];
    if (numBadEpochs > patience) {
      this.#reduce();
      [cooldownCounter, numBadEpochs] = [cooldown, 0];
    }
    this.#state = { best, numBadEpochs, cooldownCounter, lastEpoch: this.#state.lastEpoch + 1 };
  }
  /** The learning rate of each group. */
  getLastLr(): number[] {
    return this.#optimizer.paramGroups.map(({ lr }) => lr);
  }
  /** Rates themselves are in the optimizer's state. */
  stateDict(): PlateauState {
    return this.#state;
  }
  loadStateDict(state: PlateauState): void {
    this.#state = { ...state };
  }

  #isBetter(metric: number, best: number | null): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    if (best === null) return !Number.isNaN(metric);
    const sign = mode === 'min' ? -1 : 1;
    return sign * metric > sign * (thresholdMode === 'rel' ? best * (1 + sign * threshold) : best + sign * threshold);
  }

  #reduce(): void {
    const { factor, minLr, eps } = this.#options;
    for (const group of this.#optimizer.paramGroups) {
      const next = Math.max(group.lr * factor, minLr);
      if (group.lr - next > eps) group.lr = next;
    }
  }
}
