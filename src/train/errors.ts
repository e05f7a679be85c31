/** The training layer's one error: which option, batch, step or file, what was expected, what came, and what to do. */
import { type Mismatch, sentence } from '../graph/index.ts';

export class TrainError extends Error {
  override readonly name: string = 'TrainError';
  constructor(where: string, mismatch: Mismatch) {
    super(sentence(where, mismatch));
  }
}

/** @throws TrainError unless it is a whole number from `least` on */
export function checkCount(where: string, value: number, least: number): number {
  if (!(Number.isSafeInteger(value) && value >= least)) throw new TrainError(where, { expected: `a whole number from ${least} on`, got: `${value}` });
  return value;
}
