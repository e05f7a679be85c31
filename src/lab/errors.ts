/** The lab's one error: which run, value or address, what was expected, what came, and what to do. */
import { type Mismatch, sentence } from '../graph/index.ts';

export class LabError extends Error {
  override readonly name = 'LabError';
  constructor(where: string, mismatch: Mismatch) {
    super(sentence(where, mismatch));
  }
}
