/** Saving: when a training's checkpoints are due, and the one that it goes on from. */
import type { CheckpointStore } from './checkpoint.ts';
import { TrainError } from './errors.ts';
import { checkpointOf, goOnFrom, type Parts, type Standing } from './standing.ts';

export interface Saving {
  /** The update that the last checkpoint was taken after. */
  readonly step: number | undefined;
  /** Whether a checkpoint is due within an epoch. */
  isDue(): boolean;
  /** Saves, unless this step is saved already. @param values of the epoch that has just ended: saves then in any case */
  save(values?: Readonly<Record<string, number>>): Promise<void>;
}

/**
 * Goes on from the newest checkpoint, where there is one.
 * @throws TrainError for a checkpoint where none was asked for, one of another run, and none to ask for
 */
export async function openSaving(store: CheckpointStore | undefined, resume: boolean | undefined, at: Standing, parts: Parts): Promise<Saving> {
  if (!store && resume) throw new TrainError('resume', { expected: 'a `checkpoint` store', got: 'none' });
  const found = await store?.load();
  if (found) {
    if (!resume) throw new TrainError('checkpoint', { expected: 'a place without checkpoints', got: `one of step ${found.step}`, hint: 'give `resume: true` to go on from it, or another place' });
    goOnFrom(found, at, parts);
  }
  const { everySteps = Infinity, everySeconds = Infinity } = store ?? {};
  let step = found?.step;
  let time = performance.now();
  return {
    get step() {
      return step;
    },
    isDue: () => at.steps - (step ?? 0) >= everySteps || performance.now() - time >= everySeconds * 1000,
    async save(values) {
      if (!store || (step === at.steps && !values)) return;
      await store.save(checkpointOf(at, parts), values);
      step = at.steps;
      time = performance.now();
    },
  };
}
