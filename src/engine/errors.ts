/** The engine's one error: an input, option or device that does not fit the model, and what would. */
import { type Mismatch, sentence } from '../graph/index.ts';

export class EngineError extends Error {
  override readonly name = 'EngineError';
  constructor(where: string, mismatch: Mismatch = {}) {
    super(Object.keys(mismatch).length === 0 ? where : sentence(where, mismatch));
  }
}
