/** An epoch: its batches, one after the other, then what comes after them: validation, early stopping, a checkpoint. */
import { type Flat, flatten, itemsIn } from './batches.ts';
import type { Breathe } from './breathe.ts';
import { TrainError } from './errors.ts';
import { expectFinite, placed } from './faults.ts';
import type { Progress } from './options.ts';
import type { Saving } from './saving.ts';
import type { Standing } from './standing.ts';
import { Totals } from './totals.ts';
import type { Training } from './training.ts';

/** A training under way. */
export interface Session {
  readonly training: Training;
  readonly at: Standing;
  readonly saving: Saving;
  readonly breathe: Breathe;
  /** Epochs from one checkpoint to the next. */
  readonly saveEvery: number;
}

type Values = Readonly<Record<string, number>>;
const rateOf = ({ optimizer }: Training): number => optimizer.paramGroups[0].lr;

/** Ends at once where the training is stopped: then `at` is within the epoch. */
export async function runEpoch(session: Session): Promise<void> {
  const progress = progressFrom(session);
  const last = await runBatches(session, progress);
  if (session.at.stopped === undefined) await endEpoch(session, progress, last);
}

/** What watchers are told, from here on; `values` are asked for when they look. */
function progressFrom({ training: { extent, batches }, at }: Session): (values: () => Values) => Progress {
  const begin = { at: performance.now(), items: at.totals.items };
  return (values) => ({
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
}

/** The batches that the epoch still has, with their updates. Returns the last one. */
async function runBatches({ training, at, saving, breathe }: Session, progress: ReturnType<typeof progressFrom>): Promise<Flat | undefined> {
  const { model, batches, accumulate, add, update, schedule, scheduleEvery, nonFinite, entries, callbacks, signal } = training;
  const where = (): string => `update ${at.steps + 1} (epoch ${at.epoch + 1}, batch ${at.batch + 1}, learning rate ${rateOf(training)})`;
  let waiting = 0;
  let last: Flat | undefined;

  const updated = async (): Promise<void> => {
    if (update) {
      const start = performance.now();
      const { gradientNorm } = placed(update, where, model, []);
      entries?.add({ loss: undefined, totals: [], gradientNorm }, 0, performance.now() - start);
    }
    waiting = 0;
    at.steps++;
    entries?.after(at.steps, at.epoch + (batches.length ? at.batch / batches.length : 0), rateOf(training));
    if (scheduleEvery === 'step') schedule?.step(at.totals.loss / at.totals.items);
    // Whoever keeps it, to draw later, keeps this epoch's.
    const { totals } = at;
    for (const callback of callbacks) await callback.onStep?.(progress(() => totals.values('train')));
    if (signal?.aborted) at.stopped ??= 'it was told to';
    if (at.stopped !== undefined || saving.isDue()) await saving.save();
    await breathe();
  };

  for await (const batch of batches.of(at.first + at.epoch, at.batch)) {
    const flat = (last = flatten(batch));
    const items = itemsIn(flat);
    const start = performance.now();
    const measured = placed(() => add(flat), where, model, flat.tensors);
    const ms = performance.now() - start;
    if (nonFinite === 'error') expectFinite(measured.loss, where, saving.step);
    at.totals.add(measured, items);
    entries?.add(measured, items, ms);
    at.batch++;
    waiting++;
    if (waiting === accumulate) await updated();
    if (at.stopped !== undefined) return last;
  }
  if (waiting > 0) await updated();
  return last;
}

async function endEpoch({ training, at, saving, saveEvery }: Session, progress: ReturnType<typeof progressFrom>, last: Flat | undefined): Promise<void> {
  const { model, metrics, extent, validate, watching, schedule, scheduleEvery, entries, histograms, callbacks } = training;
  const epoch = at.epoch + 1;
  if (at.totals.items === 0) throw new TrainError(`epoch ${epoch}`, { expected: 'batches', got: 'none', hint: 'an iterator is used up after one epoch: give something that can be gone through again' });

  const validated = await validate(epoch);
  if (validated) entries?.validated(validated, epoch, at.steps);
  histograms?.(epoch, at.steps, last);
  const values: Values = { ...at.totals.values('train'), 'learning-rate': rateOf(training), ...validated };

  at.stopped = watching.see(epoch, values, () => model.stateDict());
  at.isOver = at.stopped !== undefined;
  // What goes by a metric has nothing to go by in an epoch without one.
  const metric = values[watching.monitor];
  if (scheduleEvery === 'epoch' && schedule && (metric !== undefined || schedule.step.length === 0)) schedule.step(metric);
  at.records.push({ epoch, step: at.steps, values });
  const told = progress(() => values);

  Object.assign(at, { epoch, batch: 0, totals: new Totals(metrics) } satisfies Partial<Standing>);
  if (epoch % saveEvery === 0 || epoch === extent.epochs || at.isOver || saving.isDue()) await saving.save(values);
  for (const callback of callbacks) await callback.onEpoch?.(told);
}
