/** Checkpoint: all that a training needs to go on exactly where it was, and where such states are kept. */
import type { TensorData } from '../graph/index.ts';
import type { OptimizerState } from '../optim/index.ts';
import type { EpochRecord } from './history.ts';

export interface Checkpoint {
  /** Where it stands: updates so far, the epoch (from 0) and how many of its batches are done. */
  readonly step: number;
  readonly epoch: number;
  readonly batch: number;
  readonly model: ReadonlyMap<string, TensorData>;
  readonly optimizer: OptimizerState;
  readonly schedule: unknown;
  readonly random: { readonly seed: bigint; readonly counter: bigint };
  /** What the epoch's batches have come to. */
  readonly totals: { readonly items: number; readonly loss: number; readonly hasLoss: boolean; readonly sums: readonly Float64Array[] };
  readonly epochs: readonly EpochRecord[];
  /** Early stopping's. */
  readonly stopping: { readonly best: { readonly epoch: number; readonly value: number } | undefined; readonly waited: number; readonly stopped: string | undefined };
  readonly bestModel: ReadonlyMap<string, TensorData> | undefined;
  /** What must be the same for the next step to be: see `fit`. */
  readonly run: Readonly<Record<string, string | number | null>>;
}

/** Where checkpoints are kept: `checkpoints(folder)` of `train/node`, or one of your own. */
export interface CheckpointStore {
  /** Updates, seconds and epochs from one checkpoint to the next. */
  readonly everySteps?: number;
  readonly everySeconds?: number;
  readonly everyEpochs?: number;
  /** The newest one that is whole. */
  load(): Promise<Checkpoint | undefined>;
  /** @param values of the epoch that has just ended, else none */
  save(checkpoint: Checkpoint, values?: Readonly<Record<string, number>>): Promise<void>;
}
