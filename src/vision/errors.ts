/** The vision layer's one error: which picture, what was expected of it, what came, and what to do. */
import { type Mismatch, sentence } from '../graph/index.ts';

export class VisionError extends Error {
  override readonly name = 'VisionError';
  constructor(where: string, mismatch: Mismatch = {}) {
    super(Object.keys(mismatch).length === 0 ? where : sentence(where, mismatch));
  }
}
