/** What `fit` may be told, and what it tells those who watch. */
import type { LossChoice, OptimizerChoice, AnyOptimizer } from './choices.ts';
import type { CheckpointStore } from './checkpoint.ts';
import type { TrainData, BatchOptions } from './batches.ts';
import type { History } from './history.ts';
import type { Metrics } from './metrics.ts';
import type { Recorder } from './recorder.ts';
import type { Step } from './step.ts';

/** A schedule of the learning rate: any of `optim`'s. */
export interface ScheduleLike {
  /** @param metric what early stopping and plateaus look at; schedules by count pass it over */
  step(metric: number): void;
  stateDict(): unknown;
  loadStateDict(state: never): void;
}

/** How long a training is. */
export interface Extent {
  readonly epochs: number;
  /** Updates in an epoch and in all; NaN where nobody knows how many batches there are. */
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
}

export interface EarlyStopping {
  /** A name of the history's values. Default: `loss/validation`, without validation `loss/train`. */
  readonly monitor?: string;
  /** Epochs (of those that are validated) without improvement that are borne. Default: 5. */
  readonly patience?: number;
  /** What is less than this better is no improvement. Default: 0. */
  readonly minDelta?: number;
  /** Default: as the metric says; losses are better lower. */
  readonly better?: 'higher' | 'lower';
  /** At the end, go back to the parameters of the best epoch. Default: true. */
  readonly restoreBest?: boolean;
}

export interface HistogramOptions {
  /** Epochs from one histogram to the next. Default: 1. */
  readonly every?: number;
  /** Gradients as well, of the epoch's last batch, by a program of their own; training is not changed by it. Default: true. */
  readonly gradients?: boolean;
}

/** What evaluation may be told. */
export interface EvaluateOptions<B, M extends Metrics = Metrics> extends BatchOptions {
  readonly loss?: LossChoice;
  readonly metrics?: M;
  /** Instead of `model.call(...inputs)` and `loss`. */
  readonly step?: Step<B>;
  /** Steps as compiled programs. Default: true. Without, what a step does in plain JavaScript is done anew each time. */
  readonly compile?: boolean;
}

export interface FitOptions<B, M extends Metrics = Metrics> extends EvaluateOptions<B, M> {
  /** Times through the data. Default: 1. */
  readonly epochs?: number;
  /** Default: 'adam'. */
  readonly optimizer?: OptimizerChoice;
  /** Learning rate of an optimizer by name. */
  readonly lr?: number;
  readonly schedule?: ScheduleLike | ((optimizer: AnyOptimizer, extent: Extent) => ScheduleLike);
  /** Whether the schedule counts epochs or updates. Default: 'epoch'. */
  readonly scheduleEvery?: 'epoch' | 'step';
  /** Data to validate on, after each epoch; or which part of the data is held out for that, drawn at random by the seed. */
  readonly validation?: TrainData | number;
  /** What validation does with a batch, where that is another thing than in training. Default: as `step`. */
  readonly evaluateStep?: Step<B>;
  /** Epochs from one validation to the next. Default: 1. */
  readonly validateEvery?: number;
  /** Scale gradients, so that their norm as one vector is at most this. */
  readonly clipNorm?: number;
  /** Keep each element of the gradients within plus and minus this. */
  readonly clipValue?: number;
  /** Batches to an update of the parameters; their gradients are averaged. Default: 1. */
  readonly accumulate?: number;
  readonly earlyStopping?: EarlyStopping | boolean;
  readonly callbacks?: readonly Callback[];
  readonly recorder?: Recorder;
  /** Updates from one entry of the recorder to the next. Default: fifty entries an epoch. */
  readonly recordEvery?: number;
  /** Of weights and gradients, to the recorder. Default: once an epoch. */
  readonly histograms?: HistogramOptions | false;
  readonly checkpoint?: CheckpointStore;
  /** Go on from the newest checkpoint, if there is one. Default: false, and then there must be none. */
  readonly resume?: boolean;
  /** A loss that is NaN or infinite ends the training with an error (default), or is let pass. */
  readonly nonFinite?: 'error' | 'ignore';
  /**
   * Look for the operator that makes the first NaN or infinity of an update, in loss, gradients or parameters, which are left as
   * they were before it; see `detectAnomaly`. Steps are not compiled then, and take several times as long. Default: false.
   */
  readonly anomaly?: boolean;
  /** Ends the training after the update under way, with a checkpoint where there is a store. */
  readonly signal?: AbortSignal;
}

// ---- what watchers see

export interface Progress extends Extent {
  /** From 1. */
  readonly epoch: number;
  /** Batches of this epoch that are done, and how many there are where that is known. */
  readonly batch: number;
  readonly batches: number | undefined;
  /** Updates of the parameters so far. */
  readonly step: number;
  /** Means of this epoch so far, by the history's names. */
  readonly values: Readonly<Record<string, number>>;
  /** Items of this epoch that are done, and the seconds it took. */
  readonly items: number;
  readonly seconds: number;
  /** Ends the training after this, for that reason. */
  stop(reason: string): void;
}

/** Sees a training; whatever a method returns is awaited. */
export interface Callback {
  /** `resumedAt`: the update that the checkpoint was taken after. */
  onBegin?(info: Extent & { readonly resumedAt: number | undefined }): unknown;
  /** After every update. */
  onStep?(progress: Progress): unknown;
  /** After every epoch, validation included. */
  onEpoch?(progress: Progress): unknown;
  /** In the end, also after an error. */
  onEnd?(history: History): unknown;
}
