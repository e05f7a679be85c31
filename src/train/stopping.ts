/** Early stopping: a training ends when what it is watched by has not become better for a while. */
import type { TensorData } from '../graph/index.ts';
import type { Checkpoint } from './checkpoint.ts';
import { checkCount, TrainError } from './errors.ts';
import type { Metrics } from './metrics.ts';
import type { EarlyStopping } from './options.ts';

export interface Watch {
  readonly monitor: string;
  /** The epoch's values: whether the training should end, and why. `state` is asked for where the epoch is the best. */
  see(epoch: number, values: Readonly<Record<string, number>>, state: () => ReadonlyMap<string, TensorData>): string | undefined;
  /** The best epoch so far, and the parameters after it where those are to be restored. */
  readonly best: { readonly epoch: number; readonly value: number } | undefined;
  readonly bestModel: ReadonlyMap<string, TensorData> | undefined;
  readonly waited: number;
  load(state: Pick<Checkpoint, 'stopping' | 'bestModel'>): void;
}

/** Whether a value by that name is better lower: losses are, and metrics that say so. */
const isLowerBetter = (name: string, metrics: Metrics): boolean => {
  const [metric] = name.split('/');
  return metric === 'loss' || metrics[metric]?.better === 'lower';
};

/** Watches the loss (of validation, where there is one) where early stopping was not asked for, and then never ends the training. */
export function watch(option: EarlyStopping | boolean | undefined, metrics: Metrics, validates: boolean): Watch {
  const given = typeof option === 'object' ? option : {};
  const { monitor = validates ? 'loss/validation' : 'loss/train', patience = 5, minDelta = 0, restoreBest = true } = given;
  const stops = option !== undefined && option !== false;
  const lower = given.better ? given.better === 'lower' : isLowerBetter(monitor, metrics);
  checkCount('patience', patience, 0);
  if (!(minDelta >= 0)) throw new TrainError('minDelta', { expected: 'a number from 0 on', got: `${minDelta}` });
  let best: Watch['best'];
  let bestModel: Watch['bestModel'];
  let waited = 0;
  const isBetter = (value: number): boolean => {
    if (best === undefined) return !Number.isNaN(value);
    return lower ? value < best.value - minDelta : value > best.value + minDelta;
  };
  return {
    monitor,
    see(epoch, values, state) {
      const value = values[monitor];
      if (value === undefined) {
        // Validation may come every few epochs.
        const isValidated = Object.keys(values).some((name) => name.endsWith('/validation'));
        if (stops && (isValidated || !validates || !monitor.endsWith('/validation'))) throw new TrainError('earlyStopping', { expected: `a monitor among ${Object.keys(values).join(', ')}`, got: monitor });
        return undefined;
      }
      if (isBetter(value)) {
        best = { epoch, value };
        waited = 0;
        if (stops && restoreBest) bestModel = state();
        return undefined;
      }
      waited++;
      if (!stops || waited <= patience) return undefined;
      if (!best) return `${monitor} was never a number`;
      const ago = epoch - best.epoch;
      return `${monitor} was best in epoch ${best.epoch}, ${ago} epoch${ago === 1 ? '' : 's'} ago`;
    },
    get best() {
      return best;
    },
    get bestModel() {
      return bestModel;
    },
    get waited() {
      return waited;
    },
    load(state) {
      ({ best, waited } = state.stopping);
      bestModel = state.bestModel;
    },
  };
}
