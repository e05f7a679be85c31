/** The data layer's one error: which dataset, file or place in it, what was expected, what came, and what to do. */
import { type Mismatch, sentence } from '../graph/index.ts';

export class DataError extends Error {
  override readonly name = 'DataError';
  constructor(where: string, mismatch: Mismatch) {
    super(sentence(where, mismatch));
  }
}

/** @throws DataError unless it is a whole number from `least` on */
export function checkCount(where: string, value: number, least: number): number {
  if (!(Number.isSafeInteger(value) && value >= least)) throw new DataError(where, { expected: `a whole number from ${least} on`, got: `${value}` });
  return value;
}
