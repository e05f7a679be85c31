/** The zoo's one error: which entry, what was expected, what came, and what to do. */
import { type Mismatch, sentence } from '../graph/index.ts';

export class ZooError extends Error {
  override readonly name = 'ZooError';
  constructor(where: string, mismatch: Mismatch, options?: ErrorOptions) {
    super(sentence(where, mismatch), options);
  }
}
