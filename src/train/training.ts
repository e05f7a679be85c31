/** What a training is made of: its options looked at, and everything made that they name. */
import type { Module } from '../nn/index.ts';
import { manualSeed, realize } from '../tensor/index.ts';
import { type Batches, batchesOf, type Flat, holdOut } from './batches.ts';
import { lossOf, optimizerOf } from './choices.ts';
import { checkCount } from './errors.ts';
import { evaluateBatches } from './evaluate.ts';
import type { Callback, Extent, FitOptions } from './options.ts';
import { type Entries, histogramRecorder, recordEntries } from './record.ts';
import type { Parts } from './standing.ts';
import { makeAccumulation, makeEvaluateStep, makeTrainStep, type Manner, type Measured, type Step, usualStep } from './step.ts';
import { watch } from './stopping.ts';

export interface Training extends Parts {
  readonly extent: Extent;
  readonly batches: Batches<unknown>;
  /** Batches to an update. */
  readonly accumulate: number;
  /** A batch: with its update, where there is no `update` to call after `accumulate` of them. */
  readonly add: (batch: Flat) => Measured;
  readonly update: (() => Pick<Measured, 'gradientNorm'>) | undefined;
  /** The history's values of validation, where that is due after this epoch (from 1). */
  readonly validate: (epoch: number) => Promise<Record<string, number> | undefined>;
  readonly scheduleEvery: 'epoch' | 'step';
  readonly nonFinite: 'error' | 'ignore';
  readonly callbacks: readonly Callback[];
  readonly signal: AbortSignal | undefined;
  readonly entries: Entries | undefined;
  /** After an epoch (from 1) and its last batch. */
  readonly histograms: ((epoch: number, step: number, last: Flat | undefined) => void) | undefined;
}

/**
 * The seed is set before anything is drawn: first parameters, then what the optimizer and the schedule make.
 * @throws TrainError for options that make no sense
 */
export function makeTraining<B>(model: Module, data: unknown, options: FitOptions<B>): Training {
  const { epochs = 1, accumulate = 1, validateEvery = 1, scheduleEvery = 'epoch', nonFinite = 'error', compile = true, anomaly = false } = options;
  const { seed, callbacks = [], recorder, signal, clipNorm, clipValue, metrics = {} } = options;
  checkCount('epochs', epochs, 0);
  checkCount('accumulate', accumulate, 1);
  checkCount('validateEvery', validateEvery, 1);

  const [given, held] = typeof options.validation === 'number' ? holdOut(data, options.validation, seed ?? 0) : [data, options.validation];
  const batches = batchesOf(given, { shuffle: true, ...options });
  const validation = held && batchesOf(held, { batchSize: options.batchSize });
  if (seed !== undefined) manualSeed(seed);
  realize(...model.parameters(), ...model.buffers());

  const optimizer = optimizerOf(options.optimizer ?? 'adam', model, options.lr);
  const stepsPerEpoch = batches.length === undefined ? NaN : Math.ceil(batches.length / accumulate);
  const extent: Extent = { epochs, stepsPerEpoch, totalSteps: epochs * stepsPerEpoch };
  const schedule = typeof options.schedule === 'function' ? options.schedule(optimizer, extent) : options.schedule;

  const step: Step<B> = options.step ?? usualStep(model, options.loss === undefined ? undefined : lossOf(options.loss));
  const manner: Manner = anomaly ? 'watched' : compile ? 'compiled' : 'plain';
  const stepOptions = { step, optimizer, metrics, clipNorm, clipValue, manner };
  const { add, update } = accumulate === 1 ? { add: makeTrainStep(stepOptions), update: undefined } : makeAccumulation(stepOptions);
  const evaluateStep = makeEvaluateStep(options.evaluateStep ?? step, metrics, compile ? 'compiled' : 'plain');

  return {
    model,
    optimizer,
    schedule,
    metrics,
    watching: watch(options.earlyStopping, metrics, validation !== undefined),
    run: { batches: batches.length ?? null, accumulate, seed: seed ?? null },
    extent,
    batches,
    accumulate,
    add,
    update,
    async validate(epoch) {
      if (!validation || (epoch % validateEvery !== 0 && epoch !== epochs)) return undefined;
      return (await evaluateBatches(model, validation, evaluateStep, metrics)).values('validation');
    },
    scheduleEvery,
    nonFinite,
    callbacks,
    signal,
    entries: recorder && recordEntries(recorder, metrics, options.recordEvery ?? Math.max(1, Math.floor((stepsPerEpoch || 500) / 50))),
    histograms: recorder && options.histograms !== false ? histogramRecorder(recorder, model, step, options.histograms) : undefined,
  };
}
