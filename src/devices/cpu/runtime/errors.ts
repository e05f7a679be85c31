/** The CPU runtime's one error: what was expected of memory, threads, environment or a program, what came, and what to do. */
import { type Mismatch, sentence } from '../../../graph/index.ts';

export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  constructor(where: string, mismatch: Mismatch = {}, options?: ErrorOptions) {
    super(Object.keys(mismatch).length === 0 ? where : sentence(where, mismatch), options);
  }
}

/** The message of whatever was thrown. */
export const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
