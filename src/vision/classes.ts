/** From a classifier's scores to named, ranked predictions. */
import type { TensorData } from '../graph/index.ts';
import { VisionError } from './errors.ts';

export interface Prediction {
  readonly label: string;
  readonly index: number;
  readonly probability: number;
}

/**
 * The `k` likeliest classes of each row of scores [N, classes] (further axes of size 1 are allowed), best first.
 * Rows that are no probabilities (a model that ends in logits) go through softmax.
 * @throws VisionError where the shape is no such thing, or labels are not as many as classes.
 */
export function topK(scores: TensorData, k: number, labels?: readonly string[]): Prediction[][] {
  const [batch, classes, ...rest] = scores.shape;
  if (scores.shape.length < 2 || classes < 1 || rest.some((dim) => dim !== 1)) {
    throw new VisionError('scores of a classifier', { expected: 'shape [N, classes]', got: `[${scores.shape.join(',')}]` });
  }
  if (!Number.isInteger(k) || k < 1) throw new VisionError('top k', { expected: 'a whole number of at least 1', got: `${k}` });
  if (labels && labels.length !== classes) {
    throw new VisionError('labels', { expected: `${classes}, one a class`, got: `${labels.length}`, hint: 'these labels are of another model' });
  }
  return Array.from({ length: batch }, (_, n) => {
    const row = Float64Array.from({ length: classes }, (_value, i) => Number(scores.data[n * classes + i]));
    const probabilities = asProbabilities(row);
    return best(probabilities, k).map((index) => ({ label: labels?.[index] ?? `class ${index}`, index, probability: probabilities[index] }));
  });
}

/** The scores themselves where they are probabilities, else their softmax. */
export function asProbabilities(scores: Float64Array): Float64Array {
  const sum = scores.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) < 1e-2 && scores.every((score) => score >= 0 && score <= 1 + 1e-6)) return scores;
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

/** Indices of the k largest, largest first, the lower index first among equals. */
function best(values: Float64Array, k: number): number[] {
  const order = Array.from(values, (_, i) => i);
  return order.sort((a, b) => values[b] - values[a] || a - b).slice(0, k);
}
