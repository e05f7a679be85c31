/**
 * fit: a training from its first batch to its last, or on from a checkpoint to the same end. It is a loop over epochs and batches;
 * what happens to a batch is in step.ts, what it may be told and who is told in options.ts.
 */
import type { Module } from '../nn/index.ts';
import { manualSeed, realize } from '../tensor/index.ts';
import { type BatchOf, batchesOf, type Flat, flatten, holdOut, itemsIn, type TrainData } from './batches.ts';
import { breather } from './breathe.ts';
import { lossOf, optimizerOf } from './choices.ts';
import { checkCount, TrainError } from './errors.ts';
import { evaluateBatches } from './evaluate.ts';
import { expectFinite, placed } from './faults.ts';
import type { Metrics } from './metrics.ts';
import type { Callback, Extent, FitOptions, History, Progress } from './options.ts';
import { gradientRecorder, recordEntries, recordWeights } from './record.ts';
import { checkpointOf, goOnFrom, type Parts, startingAt } from './standing.ts';
import { makeAccumulation, makeEvaluateStep, makeTrainStep, type Manner, type Step, usualStep } from './step.ts';
import { watch } from './stopping.ts';
import { Totals } from './totals.ts';

/**
 * Trains the model. Every update is one compiled program; between updates the event loop has its turns. The same seed, data and
 * options give the same parameters bit for bit, whether the training was interrupted and resumed from checkpoints or not. Where the
 * model is in `eval()`, it is put into `train()`; modules of it that are in `eval()` while it is not stay so.
 * @throws TrainError for options that make no sense, batches of another kind, and a loss that is NaN or infinite
 */
export async function fit<D extends TrainData, M extends Metrics = Metrics>(model: Module, data: D, options: FitOptions<BatchOf<D>, M> = {}): Promise<History> {
  type B = BatchOf<D>;
  const { epochs = 1, accumulate = 1, validateEvery = 1, scheduleEvery = 'epoch', nonFinite = 'error', compile = true, anomaly = false } = options;
  const { seed, callbacks = [], recorder, checkpoint: store, signal, clipNorm, clipValue } = options;
  const metrics: Metrics = options.metrics ?? {};
  checkCount('epochs', epochs, 0);
  checkCount('accumulate', accumulate, 1);
  checkCount('validateEvery', validateEvery, 1);

  // ---- what it is made of
  const [given, held] = typeof options.validation === 'number' ? (holdOut(data, options.validation, seed ?? 0) as unknown as [D, D]) : [data, options.validation as D | undefined];
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
  const train = accumulate === 1 ? makeTrainStep(stepOptions) : undefined;
  const accumulation = train ? undefined : makeAccumulation(stepOptions);
  const evaluateStep = validation && makeEvaluateStep(options.evaluateStep ?? step, metrics, compile ? 'compiled' : 'plain');
  const watching = watch(options.earlyStopping, metrics, validation !== undefined);
  const entries = recorder && recordEntries(recorder, metrics, options.recordEvery ?? Math.max(1, Math.floor((stepsPerEpoch || 500) / 50)));
  const histograms = recorder && options.histograms !== false ? { every: 1, gradients: true, ...options.histograms } : undefined;
  const recordGradients = histograms?.gradients ? gradientRecorder(recorder!, model, step) : undefined;
  const rate = (): number => optimizer.paramGroups[0].lr;

  // ---- where it stands
  const at = startingAt(batches.start, metrics);
  const parts: Parts = { model, optimizer, schedule, watching, metrics, run: { batches: batches.length ?? null, accumulate, seed: seed ?? null } };
  let resumedAt: number | undefined;
  let saved: { readonly step: number | undefined; readonly time: number } = { step: undefined, time: performance.now() };
  const history = (): History => {
    const { best, monitor } = watching;
    return { epochs: at.records, best: best && { ...best, monitor }, stopped: at.stopped };
  };
  const save = async (values?: Readonly<Record<string, number>>): Promise<void> => {
    if (!store || (saved.step === at.steps && !values)) return;
    await store.save(checkpointOf(at, parts), values);
    saved = { step: at.steps, time: performance.now() };
  };
  /** Whether a checkpoint is due within an epoch. */
  const isDue = (): boolean => {
    const { everySteps = Infinity, everySeconds = Infinity } = store ?? {};
    return at.steps - (saved.step ?? 0) >= everySteps || performance.now() - saved.time >= everySeconds * 1000;
  };
  if (!store && options.resume) throw new TrainError('resume', { expected: 'a `checkpoint` store', got: 'none' });
  const found = await store?.load();
  if (found) {
    if (!options.resume) throw new TrainError('checkpoint', { expected: 'a place without checkpoints', got: `one of step ${found.step}`, hint: 'give `resume: true` to go on from it, or another place' });
    goOnFrom(found, at, parts);
    resumedAt = found.step;
    saved = { step: found.step, time: performance.now() };
  }

  // ---- the loop
  const tell = async (name: 'onStep' | 'onEpoch', progress: Progress): Promise<void> => {
    for (const callback of callbacks) await callback[name]?.(progress);
  };
  const breathe = breather();
  const where = (): string => `update ${at.steps + 1} (epoch ${at.epoch + 1}, batch ${at.batch + 1}, learning rate ${rate()})`;

  const runEpoch = async (): Promise<void> => {
    const begin = { at: performance.now(), items: at.totals.items };
    const progress = (values: () => Readonly<Record<string, number>>): Progress => ({
      ...extent,
      epoch: at.epoch + 1,
      batch: at.batch,
      batches: batches.length,
      step: at.steps,
      get values() {
        return values();
      },
      items: at.totals.items - begin.items,
      seconds: (performance.now() - begin.at) / 1000,
      stop: (reason) => void (at.stopped ??= reason),
    });
    let waiting = 0;
    let last: Flat | undefined;
    const updated = async (): Promise<void> => {
      waiting = 0;
      at.steps++;
      entries?.after(at.steps, at.epoch + (batches.length ? at.batch / batches.length : 0), rate());
      if (scheduleEvery === 'step') schedule?.step(at.totals.loss / at.totals.items);
      // Whoever keeps it, to draw later, keeps this epoch's.
      const { totals } = at;
      await tell('onStep', progress(() => totals.values('train')));
      if (signal?.aborted) at.stopped ??= 'it was told to';
      if (at.stopped !== undefined || isDue()) await save();
      await breathe();
    };
    const accumulated = async (): Promise<void> => {
      const start = performance.now();
      const { gradientNorm } = placed(accumulation!.update, where, model, []);
      entries?.add({ loss: undefined, totals: [], gradientNorm }, 0, performance.now() - start);
      await updated();
    };

    if (at.stopped === undefined) {
      for await (const one of batches.of(at.first + at.epoch, at.batch)) {
        const flat = (last = flatten(one));
        const items = itemsIn(flat);
        const start = performance.now();
        const measured = placed(() => (train ? train(flat) : accumulation!.add(flat)), where, model, flat.tensors);
        const ms = performance.now() - start;
        if (nonFinite === 'error') expectFinite(measured.loss, where, saved.step);
        at.totals.add(measured, items);
        entries?.add(measured, items, ms);
        at.batch++;
        waiting++;
        if (train) await updated();
        else if (waiting === accumulate) await accumulated();
        if (at.stopped !== undefined) return;
      }
      if (waiting > 0) await accumulated();
      if (at.stopped !== undefined) return;
    }
    if (at.totals.items === 0) throw new TrainError(`epoch ${at.epoch + 1}`, { expected: 'batches', got: 'none', hint: 'an iterator is used up after one epoch: give something that can be gone through again' });

    const values: Record<string, number> = { ...at.totals.values('train'), 'learning-rate': rate() };
    if (validation && ((at.epoch + 1) % validateEvery === 0 || at.epoch + 1 === epochs)) {
      const held = (await evaluateBatches(model, validation, evaluateStep!, metrics)).values('validation');
      Object.assign(values, held);
      recorder?.log({ epoch: at.epoch + 1, ...held }, at.steps);
    }
    if (histograms && (at.epoch + 1) % histograms.every === 0) {
      recordWeights(recorder!, model, at.steps);
      if (last) recordGradients?.(last, at.steps);
    }
    at.stopped = watching.see(at.epoch + 1, values, () => model.stateDict());
    at.isOver = at.stopped !== undefined;
    // What goes by a metric has nothing to go by in an epoch without one.
    const metric = values[watching.monitor];
    if (scheduleEvery === 'epoch' && schedule && (metric !== undefined || schedule.step.length === 0)) schedule.step(metric);
    at.records.push({ epoch: at.epoch + 1, step: at.steps, values });
    const told = progress(() => values);
    at.epoch++;
    at.batch = 0;
    at.totals = new Totals(metrics);
    if (at.epoch % (store?.everyEpochs ?? 1) === 0 || at.epoch === epochs || at.stopped !== undefined || isDue()) await save(values);
    await tell('onEpoch', told);
  };

  // Modules that somebody put into eval() one by one stay so.
  if (!model.training) model.train();
  const goesOn = (): boolean => at.epoch < epochs && at.stopped === undefined;
  await each(callbacks, (callback) => callback.onBegin?.({ ...extent, resumedAt }));
  try {
    while (goesOn()) await runEpoch();
    if (watching.bestModel) {
      model.loadStateDict(watching.bestModel);
      realize(...model.parameters(), ...model.buffers());
    }
  } finally {
    await each(callbacks, (callback) => callback.onEnd?.(history()));
  }
  return history();
}

async function each(callbacks: readonly Callback[], tell: (callback: Callback) => unknown): Promise<void> {
  for (const callback of callbacks) await tell(callback);
}
