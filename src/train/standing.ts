/** Where a training stands: what the loop counts, and with the state of its parts what a checkpoint holds. */
import type { Module } from '../nn/index.ts';
import { defaultGenerator } from '../tensor/index.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { AnyOptimizer } from './choices.ts';
import { TrainError } from './errors.ts';
import type { EpochRecord } from './history.ts';
import type { Metrics } from './metrics.ts';
import type { ScheduleLike } from './options.ts';
import type { Watch } from './stopping.ts';
import { Totals } from './totals.ts';

export interface Standing {
  /** Updates so far. */
  steps: number;
  /** From 0, and how many of its batches are done. */
  epoch: number;
  batch: number;
  /** The loader's number of the first epoch. */
  first: number;
  /** Of this epoch. */
  totals: Totals;
  readonly records: EpochRecord[];
  stopped: string | undefined;
  /** Stopped by early stopping: then there is nothing to go on with. */
  isOver: boolean;
}

/** What has a state of its own. */
export interface Parts {
  readonly model: Module;
  readonly optimizer: AnyOptimizer;
  readonly schedule: ScheduleLike | undefined;
  readonly watching: Watch;
  readonly metrics: Metrics;
  /** What must be the same, lest the next step be another one. */
  readonly run: Readonly<Record<string, string | number | null>>;
}

export const startingAt = (first: number, metrics: Metrics): Standing => ({ steps: 0, epoch: 0, batch: 0, first, totals: new Totals(metrics), records: [], stopped: undefined, isOver: false });

export function checkpointOf(at: Standing, { model, optimizer, schedule, watching, metrics, run }: Parts): Checkpoint {
  const { items, loss, hasLoss, sums } = at.totals;
  return {
    step: at.steps,
    epoch: at.epoch,
    batch: at.batch,
    model: model.stateDict(),
    optimizer: optimizer.stateDict(),
    schedule: schedule?.stateDict() ?? null,
    random: defaultGenerator.state,
    totals: { items, loss, hasLoss, sums: sums.map((sum) => sum.slice()) },
    epochs: [...at.records],
    stopping: { best: watching.best, waited: watching.waited, stopped: at.isOver ? at.stopped : undefined },
    bestModel: watching.bestModel,
    run: { ...run, first: at.first, metrics: Object.keys(metrics).join() },
  };
}

/** Takes all of it over. @throws TrainError where the run was another one; the parts' errors where the model or the optimizer was */
export function goOnFrom(from: Checkpoint, at: Standing, { model, optimizer, schedule, watching, metrics, run }: Parts): void {
  // Metrics may change between epochs.
  const wanted = from.batch > 0 ? { ...run, metrics: Object.keys(metrics).join() } : run;
  for (const [name, value] of Object.entries(wanted)) {
    if (from.run[name] !== value) throw new TrainError('resume', { expected: `${name} ${from.run[name]}, as in the checkpoint`, got: `${value}`, hint: 'the next step would be another one' });
  }
  model.loadStateDict(from.model);
  optimizer.loadStateDict(from.optimizer);
  schedule?.loadStateDict(from.schedule as never);
  watching.load(from);
  defaultGenerator.state = from.random;
  at.totals = Object.assign(new Totals(metrics), from.totals, { sums: from.totals.sums.map((sum) => sum.slice()) });
  at.records.push(...from.epochs);
  Object.assign(at, { steps: from.step, epoch: from.epoch, batch: from.batch, first: from.run.first, stopped: from.stopping.stopped, isOver: from.stopping.stopped !== undefined } satisfies Partial<Record<keyof Standing, unknown>>);
}
