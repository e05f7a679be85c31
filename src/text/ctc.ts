/**
 * Connectionist temporal classification, read greedily: the best class of each step, runs of one class taken once, blanks
 * left out (Graves et al., "Connectionist temporal classification", 2006, section 3.2: best path decoding).
 */
import { formatType, type TensorData } from '../graph/index.ts';
import { TextError } from './errors.ts';

export interface CtcOptions {
  /** The class that stands for no character. Default 0. */
  readonly blank?: number;
}

export interface CtcLine {
  readonly text: string;
  /** Class of each character. */
  readonly classes: readonly number[];
  /** Step at which each character begins. */
  readonly steps: readonly number[];
  /** Mean of the characters' scores: where scores are probabilities, how sure the text is. 0 without characters. */
  readonly score: number;
}

/**
 * One line for each of a batch of scores: float32 or float64 [batch, steps, classes], or [steps, classes] for one line.
 * Scores may be probabilities, their logarithms or logits. `labels` has the text of each class, a blank's included.
 * @throws TextError where the scores' type, the number of classes or the blank does not fit.
 */
export function ctcGreedy(scores: TensorData, labels: readonly string[], { blank = 0 }: CtcOptions = {}): CtcLine[] {
  const { dtype, shape, data } = scores;
  if ((dtype !== 'float32' && dtype !== 'float64') || (shape.length !== 2 && shape.length !== 3)) {
    throw new TextError('scores', { expected: 'float32 or float64 of [steps, classes] or [batch, steps, classes]', got: formatType(scores) });
  }
  const [steps, classes] = shape.slice(-2);
  if (classes !== labels.length) throw new TextError('labels', { expected: `${classes}, one for each class`, got: `${labels.length}` });
  if (!Number.isInteger(blank) || blank < 0 || blank >= classes) {
    throw new TextError('blank', { expected: `a class from 0 to ${classes - 1}`, got: `${blank}` });
  }
  const batch = shape.length === 3 ? shape[0] : 1;
  const values = data as Float32Array | Float64Array;
  return Array.from({ length: batch }, (_, line) => bestPath(values.subarray(line * steps * classes, (line + 1) * steps * classes), steps, labels, blank));
}

function bestPath(values: Float32Array | Float64Array, steps: number, labels: readonly string[], blank: number): CtcLine {
  const classes: number[] = [];
  const starts: number[] = [];
  let sum = 0;
  let before = blank;
  for (let step = 0; step < steps; step++) {
    const from = step * labels.length;
    let best = 0;
    for (let c = 1; c < labels.length; c++) if (values[from + c] > values[from + best]) best = c;
    if (best !== before && best !== blank) {
      classes.push(best);
      starts.push(step);
      sum += values[from + best];
    }
    before = best;
  }
  return { text: classes.map((c) => labels[c]).join(''), classes, steps: starts, score: classes.length === 0 ? 0 : sum / classes.length };
}
