/**
 * fit: a training from its first batch to its last, or on from a checkpoint to the same end. It is a loop over epochs and batches;
 * what happens to a batch is in step.ts, what it may be told and who is told in options.ts.
 */
import type { Module } from '../nn/index.ts';
import { AnomalyError, defaultGenerator, describeAnomaly, manualSeed, realize, type Tensor } from '../tensor/index.ts';
import { type BatchOf, batchesOf, type Flat, flatten, itemsIn, type TrainData } from './batches.ts';
import { breather } from './breathe.ts';
import type { Checkpoint } from './checkpoint.ts';
import { lossOf, optimizerOf } from './choices.ts';
import { checkCount, TrainError } from './errors.ts';
import { evaluateBatches } from './evaluate.ts';
import type { Metrics } from './metrics.ts';
import type { Callback, EpochRecord, Extent, FitOptions, History, Progress } from './options.ts';
import { gradientRecorder, recordEntries, recordWeights } from './record.ts';
import { makeAccumulation, makeEvaluateStep, makeTrainStep, type Manner, type Measured, type Step, usualStep } from './step.ts';
import { watch } from './stopping.ts';
import { Totals } from './totals.ts';

/**
 * Trains the model. Every update is one compiled program; between updates the event loop has its turns. The same seed, data and
 * options give the same parameters bit for bit, whether the training was interrupted and resumed from checkpoints or not.
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
  const batches = batchesOf(data, { shuffle: true, ...options });
  const validation = options.validation && batchesOf(options.validation as D, { batchSize: options.batchSize });
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
  let [steps, epoch, batch, first] = [0, 0, 0, batches.start];
  let totals = new Totals(metrics);
  let stopped: string | undefined;
  /** By early stopping: then there is nothing to go on with. */
  let isOver = false;
  const records: EpochRecord[] = [];
  let resumedAt: number | undefined;
  let saved = { step: -1, at: performance.now() };
  const run = { batches: batches.length ?? null, accumulate, seed: seed ?? null };
  const history = (): History => {
    const { best, monitor } = watching;
    return { epochs: records, best: best && { ...best, monitor }, stopped };
  };

  const state = (): Checkpoint => ({
    step: steps,
    epoch,
    batch,
    model: model.stateDict(),
    optimizer: optimizer.stateDict(),
    schedule: schedule?.stateDict() ?? null,
    random: defaultGenerator.state,
    totals: { items: totals.items, loss: totals.loss, hasLoss: totals.hasLoss, sums: totals.sums.map((sum) => sum.slice()) },
    epochs: [...records],
    stopping: { best: watching.best, waited: watching.waited, stopped: isOver ? stopped : undefined },
    bestModel: watching.bestModel,
    run: { ...run, first },
  });
  const goOn = (from: Checkpoint): void => {
    for (const [name, value] of Object.entries(run)) {
      if (from.run[name] !== value) throw new TrainError('resume', { expected: `${name} ${from.run[name]}, as in the checkpoint`, got: `${value}`, hint: 'the next step would be another one' });
    }
    model.loadStateDict(from.model);
    optimizer.loadStateDict(from.optimizer);
    schedule?.loadStateDict(from.schedule as never);
    defaultGenerator.state = from.random;
    totals = Object.assign(new Totals(metrics), from.totals, { sums: from.totals.sums.map((sum) => sum.slice()) });
    records.push(...from.epochs);
    watching.load(from);
    ({ step: steps, epoch, batch } = from);
    ({ stopped } = from.stopping);
    isOver = stopped !== undefined;
    first = from.run.first as number;
    resumedAt = saved.step = from.step;
  };
  const save = async (values?: Readonly<Record<string, number>>): Promise<void> => {
    if (!store || (saved.step === steps && !values)) return;
    await store.save(state(), values);
    saved = { step: steps, at: performance.now() };
  };
  /** Whether a checkpoint is due between epochs. */
  const isDue = (): boolean => {
    const { everySteps = Infinity, everySeconds = Infinity } = store ?? {};
    return steps - Math.max(saved.step, 0) >= everySteps || performance.now() - saved.at >= everySeconds * 1000;
  };

  if (store) {
    const found = await store.load();
    if (found && !options.resume) throw new TrainError('checkpoint', { expected: 'a place without checkpoints', got: `one of step ${found.step}`, hint: 'give `resume: true` to go on from it, or another place' });
    if (found) goOn(found);
  } else if (options.resume) throw new TrainError('resume', { expected: 'a `checkpoint` store', got: 'none' });

  // ---- the loop
  const tell = async (name: 'onStep' | 'onEpoch', progress: Progress): Promise<void> => {
    for (const callback of callbacks) await callback[name]?.(progress);
  };
  const breathe = breather();
  const where = (): string => `update ${steps + 1} (epoch ${epoch + 1}, batch ${batch + 1}, learning rate ${rate()})`;
  const checkLoss = ({ loss }: Measured): void => {
    if (loss === undefined || Number.isFinite(loss) || nonFinite === 'ignore') return;
    const checkpoint = saved.step >= 0 ? `; the last checkpoint is of update ${saved.step}` : '';
    throw new TrainError(`the loss of ${where()}`, { expected: 'a finite number', got: `${loss}`, hint: `\`anomaly: true\` names the operator that made it${checkpoint}` });
  };
  /** Says where in the training an anomaly is. */
  const placed = <T>(work: () => T, batchParts: readonly Tensor[] = []): T => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof AnomalyError)) throw error;
      const named: [string, Tensor][] = [...batchParts.map((part, i): [string, Tensor] => [`part ${i} of the batch`, part]), ...model.namedParameters(), ...model.namedBuffers()];
      const given = error.anomaly.phase === 'input' ? named.find(([, tensor]) => !tensor.detach().isFinite().all().item())?.[0] : undefined;
      const got = `${describeAnomaly(error.anomaly)}${given === undefined ? '' : `, ${given}`}`;
      throw Object.assign(new TrainError(where(), { expected: 'finite numbers', got, hint: 'the parameters are as before it' }), { cause: error });
    }
  };

  const runEpoch = async (): Promise<void> => {
    const begin = { at: performance.now(), items: totals.items };
    const progress = (values: () => Readonly<Record<string, number>>): Progress => ({
      ...extent,
      epoch: epoch + 1,
      batch,
      batches: batches.length,
      step: steps,
      get values() {
        return values();
      },
      items: totals.items - begin.items,
      seconds: (performance.now() - begin.at) / 1000,
      stop: (reason) => void (stopped ??= reason),
    });
    let waiting = 0;
    let last: Flat | undefined;
    const updated = async (): Promise<void> => {
      waiting = 0;
      steps++;
      entries?.after(steps, epoch + (batches.length ? batch / batches.length : 0), rate());
      if (scheduleEvery === 'step') schedule?.step(totals.loss / totals.items);
      await tell('onStep', progress(() => totals.values('train')));
      if (signal?.aborted) stopped ??= 'it was told to';
      if (stopped !== undefined || isDue()) await save();
      await breathe();
    };
    const accumulated = async (): Promise<void> => {
      const start = performance.now();
      const { gradientNorm } = placed(accumulation!.update);
      entries?.add({ loss: undefined, totals: [], gradientNorm }, 0, performance.now() - start);
      await updated();
    };

    model.train();
    if (stopped === undefined) {
      for await (const one of batches.of(first + epoch, batch)) {
        last = flatten(one as B);
        const items = itemsIn(last);
        const start = performance.now();
        const flat = last;
        const measured = placed(() => (train ? train(flat) : accumulation!.add(flat)), flat.tensors);
        const ms = performance.now() - start;
        checkLoss(measured);
        totals.add(measured, items);
        entries?.add(measured, items, ms);
        batch++;
        waiting++;
        if (train) await updated();
        else if (waiting === accumulate) await accumulated();
        if (stopped !== undefined) return;
      }
      if (waiting > 0) await accumulated();
      if (stopped !== undefined) return;
    }
    if (totals.items === 0) throw new TrainError(`epoch ${epoch + 1}`, { expected: 'batches', got: 'none', hint: 'an iterator is used up after one epoch: give something that can be gone through again' });

    const values: Record<string, number> = { ...totals.values('train'), 'learning-rate': rate() };
    if (validation && ((epoch + 1) % validateEvery === 0 || epoch + 1 === epochs)) {
      const held = (await evaluateBatches(model, validation, evaluateStep!, metrics)).values('validation');
      Object.assign(values, held);
      recorder?.log({ epoch: epoch + 1, ...held }, steps);
    }
    if (histograms && (epoch + 1) % histograms.every === 0) {
      recordWeights(recorder!, model, steps);
      if (last) recordGradients?.(last, steps);
    }
    stopped = watching.see(epoch + 1, values, () => model.stateDict());
    isOver = stopped !== undefined;
    if (scheduleEvery === 'epoch') schedule?.step(values[watching.monitor]);
    records.push({ epoch: epoch + 1, step: steps, values });
    const told = progress(() => values);
    epoch++;
    batch = 0;
    totals = new Totals(metrics);
    if (epoch % (store?.everyEpochs ?? 1) === 0 || epoch === epochs || stopped !== undefined || isDue()) await save(values);
    await tell('onEpoch', told);
  };

  const goesOn = (): boolean => epoch < epochs && stopped === undefined;
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
