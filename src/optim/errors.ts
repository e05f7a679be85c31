/** The optim layer's one error: which optimizer, schedule or option, what was expected of it, what came, and what to do. */
import { type Mismatch, sentence } from '../graph/index.ts';

export class OptimError extends Error {
  override readonly name = 'OptimError';
  constructor(where: string, mismatch: Mismatch) {
    super(sentence(where, mismatch));
  }
}
