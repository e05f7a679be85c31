/**
 * Metrics: pure functions in two halves. `update` says, as an expression that is computed within the step's own program, what a
 * batch adds to the metric's totals; `compute` makes the value of totals. So a metric holds no state, and what an epoch has
 * come to is a few numbers that a checkpoint can keep.
 */
import { arange, oneHot, onesLike, stack, type Tensor } from '../tensor/index.ts';
import { TrainError } from './errors.ts';

/** What a step made, as metrics see it. */
export interface Outcome {
  readonly output: Tensor;
  readonly target: Tensor;
}

export interface Metric<R = number> {
  /** What a batch adds to the totals: of one shape, whatever the batch. */
  update(outcome: Outcome): Tensor;
  /** The value, of totals row by row. */
  compute(totals: Float64Array): R;
  /** Which values are better, for early stopping and the best checkpoint. Default: higher. */
  readonly better?: 'higher' | 'lower';
}

/** Metrics by the names that their values get. */
export type Metrics = Readonly<Record<string, Metric<unknown>>>;
/** Their values. */
export type MetricValues<M extends Metrics> = { readonly [K in keyof M]: M[K] extends Metric<infer R> ? R : never };

const ratio = ([sum, count]: Float64Array): number => sum / count;
const shapeOf = ({ shape }: Tensor): string => `[${shape.join(',')}]`;
const isWhole = ({ dtype }: Tensor): boolean => !dtype.startsWith('float') && dtype !== 'bfloat16';

/** A sum and how many it is of. */
const sumAndCount = (values: Tensor, counted: Tensor): Tensor => stack([values.mul(counted).sum(), counted.sum()]);

export interface AccuracyOptions {
  /** Where the classes are in an output of scores. Default: 1, as the losses have it. */
  readonly dim?: number;
  /** A label that does not count, such as padding. */
  readonly ignoreIndex?: number;
  /** Of outputs of the target's shape that are floats: what is above it counts as 1. Default: 0.5. */
  readonly threshold?: number;
}

/** Classes that an output says: the largest score of each, or, of the target's shape, as they are. */
function classesOf(where: string, output: Tensor, target: Tensor, { dim = 1, threshold = 0.5 }: AccuracyOptions): Tensor {
  const said = output.ndim === target.ndim + 1 ? output.argmax(dim) : isWhole(output) ? output : output.gt(threshold);
  if (said.shape.join() !== target.shape.join()) {
    throw new TrainError(where, { expected: `scores of classes along dimension ${dim} for targets ${shapeOf(target)}`, got: shapeOf(output), hint: 'give `dim`' });
  }
  return said.toLong();
}

const countedOf = (target: Tensor, ignoreIndex: number | undefined): Tensor => (ignoreIndex === undefined ? onesLike(target) : target.ne(ignoreIndex)).toFloat();

/** The part of labels that are right: of pictures, or of each token of each sequence. */
export function accuracy(options: AccuracyOptions = {}): Metric {
  return {
    update({ output, target }) {
      const right = classesOf('accuracy', output, target, options).eq(target.toLong()).toFloat();
      return sumAndCount(right, countedOf(target, options.ignoreIndex));
    },
    compute: ratio,
  };
}

/** The part of sequences [batch, time] that are right from end to end, ignored labels aside. */
export function sequenceAccuracy(options: AccuracyOptions = {}): Metric {
  return {
    update({ output, target }) {
      const wrong = classesOf('sequenceAccuracy', output, target, { dim: -1, ...options }).ne(target.toLong()).toFloat();
      const errors = wrong.mul(countedOf(target, options.ignoreIndex)).flatten(1).sum(1);
      const right = errors.eq(0).toFloat();
      return sumAndCount(right, onesLike(right));
    },
    compute: ratio,
  };
}

/** The part of labels that are among the k largest scores; of equal scores, those of lower classes come first. */
export function topKAccuracy(k: number, { dim = 1, ignoreIndex }: AccuracyOptions = {}): Metric {
  return {
    update({ output, target }) {
      if (output.ndim !== target.ndim + 1) throw new TrainError('topKAccuracy', { expected: `scores of classes for targets ${shapeOf(target)}`, got: shapeOf(output) });
      const axis = dim < 0 ? dim + output.ndim : dim;
      const counted = countedOf(target, ignoreIndex);
      const labels = target.toLong().mul(counted.toLong()).unsqueeze(axis);
      const mine = output.gather(axis, labels);
      const classes = arange(output.shape[axis]).toLong().reshape(output.shape.map((size, i) => (i === axis ? size : 1)));
      // How many come before it: so no device has to sort.
      const before = output.gt(mine).logicalOr(output.eq(mine).logicalAnd(classes.lt(labels)));
      return sumAndCount(before.toFloat().sum(axis).lt(k).toFloat(), counted);
    },
    compute: ratio,
  };
}

/** How often labels of each class (rows) were taken for each class (columns). */
export function confusionMatrix(classes: number, { dim = 1, ignoreIndex }: AccuracyOptions = {}): Metric<number[][]> {
  return {
    update({ output, target }) {
      const said = classesOf('confusionMatrix', output, target, { dim }).flatten();
      const truth = target.toLong().flatten();
      const counted = countedOf(truth, ignoreIndex).unsqueeze(1);
      return oneHot(truth, classes).toFloat().mul(counted).t().matmul(oneHot(said, classes).toFloat());
    },
    compute: (totals) => Array.from({ length: classes }, (_, row) => [...totals.subarray(row * classes, (row + 1) * classes)]),
  };
}

const meanOf = (where: string, distance: (output: Tensor, target: Tensor) => Tensor): Metric => ({
  update({ output, target }) {
    if (output.shape.join() !== target.shape.join()) throw new TrainError(where, { expected: `an output of shape ${shapeOf(target)}`, got: shapeOf(output) });
    const distances = distance(output, target.to(output.dtype));
    return sumAndCount(distances, onesLike(distances));
  },
  compute: ratio,
  better: 'lower',
});

/** The mean distance from the target. */
export const meanAbsoluteError = (): Metric => meanOf('meanAbsoluteError', (output, target) => output.sub(target).abs());
/** The mean square of the distance from the target. */
export const meanSquaredError = (): Metric => meanOf('meanSquaredError', (output, target) => output.sub(target).square());
