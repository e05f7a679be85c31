/**
 * Overfitting: the validation loss was best at some step and has risen since, while the training loss went on falling. That is where
 * early stopping would have kept the model: L. Prechelt, "Early Stopping - But When?", 1998, whose GL5 is a rise of 5 percent.
 */

export interface Curve {
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

export interface Overfitting {
  /** The metric: `loss`. */
  readonly metric: string;
  /** The series whose best value it is. */
  readonly name: string;
  /** Where the validation loss was best, and what it was. */
  readonly step: number;
  readonly value: number;
  /** What it is now, noise evened out. */
  readonly now: number;
}

/** Fewer validations after the best one say nothing. */
const fewestAfter = 3;
/** A rise counts from this share of the best value on, ... */
const leastRise = 0.05;
/** ... and from this many times what it changes by from one validation to the next since then. */
const leastRiseOverNoise = 1.5;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** Where the best validation loss was, if the model has overfitted since. Losses: lower is better. */
export function findOverfitting(train: Curve, validation: Curve): { step: number; value: number; now: number } | undefined {
  const points = validation.values.map((value, i) => ({ value, step: validation.steps[i] })).filter(({ value }) => Number.isFinite(value));
  let best = 0;
  points.forEach(({ value }, i) => (best = value < points[best].value ? i : best));
  const after = points.slice(best + 1).map(({ value }) => value);
  if (after.length < fewestAfter) return undefined;
  const now = mean(after.slice(-Math.max(fewestAfter, Math.ceil(after.length / 10))));
  const { value, step } = points[best];
  const noise = median(after.map((one, i) => Math.abs(one - (i === 0 ? value : after[i - 1]))));
  if (now - value < Math.max(leastRise * Math.abs(value), leastRiseOverNoise * noise)) return undefined;
  return trainingFell(train, step) ? { step, value, now } : undefined;
}

/** Training loss now against around that step, each as a mean over a tenth of what was logged since. */
function trainingFell({ steps, values }: Curve, step: number): boolean {
  const since = values.filter((value, i) => steps[i] > step && Number.isFinite(value));
  const until = values.filter((value, i) => steps[i] <= step && Number.isFinite(value));
  const window = Math.max(1, Math.ceil(since.length / 10));
  return since.length > 0 && until.length > 0 && mean(since.slice(-window)) < mean(until.slice(-window));
}
