/** The text layer's one error: what was looked at, what was expected of it, what came, and what to do. */
import { type Mismatch, sentence } from '../graph/index.ts';

export class TextError extends Error {
  override readonly name = 'TextError';
  constructor(where: string, mismatch: Mismatch = {}) {
    super(Object.keys(mismatch).length === 0 ? where : sentence(where, mismatch));
  }
}
