/**
 * fit: a training from its first batch to its last, or on from a checkpoint to the same end. What it is made of is in training.ts,
 * an epoch in epoch.ts, what happens to a batch in step.ts, what it may be told and who is told in options.ts.
 */
import type { Module } from '../nn/index.ts';
import { realize } from '../tensor/index.ts';
import type { BatchOf, TrainData } from './batches.ts';
import { breather } from './breathe.ts';
import { runEpoch, type Session } from './epoch.ts';
import type { History } from './history.ts';
import type { Metrics } from './metrics.ts';
import type { FitOptions } from './options.ts';
import { openSaving } from './saving.ts';
import { startingAt } from './standing.ts';
import { makeTraining } from './training.ts';

/**
 * Trains the model. Every update is one compiled program; between updates the event loop has its turns. The same seed, data and
 * options give the same parameters bit for bit, whether the training was interrupted and resumed from checkpoints or not. Where the
 * model is in `eval()`, it is put into `train()`; modules of it that are in `eval()` while it is not stay so.
 * @throws TrainError for options that make no sense, batches of another kind, and a loss that is NaN or infinite
 */
export async function fit<D extends TrainData, M extends Metrics = Metrics>(model: Module, data: D, options: FitOptions<BatchOf<D>, M> = {}): Promise<History> {
  const { checkpoint: store, resume } = options;
  const training = makeTraining(model, data, options);
  const { extent, watching, callbacks } = training;
  const at = startingAt(training.batches.start, training.metrics);
  const saving = await openSaving(store, resume, at, training);
  const session: Session = { training, at, saving, breathe: breather(), saveEvery: store?.everyEpochs ?? 1 };
  const history = (): History => {
    const { best, monitor } = watching;
    return { epochs: at.records, best: best && { ...best, monitor }, stopped: at.stopped };
  };

  // Modules that somebody put into eval() one by one stay so.
  if (!model.training) model.train();
  const resumedAt = saving.step;
  for (const callback of callbacks) await callback.onBegin?.({ ...extent, resumedAt });
  try {
    while (at.epoch < extent.epochs && at.stopped === undefined) await runEpoch(session);
    if (watching.bestModel) {
      model.loadStateDict(watching.bestModel);
      realize(...model.parameters(), ...model.buffers());
    }
  } finally {
    for (const callback of callbacks) await callback.onEnd?.(history());
  }
  return history();
}
