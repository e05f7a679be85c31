/** The format layer's one error: which file, what was expected in it, what came, and what to do. */
import { type Mismatch, sentence } from '../graph/index.ts';

export interface FormatMismatch extends Mismatch {
  /** The file (or model name) that was being read; leads the message. */
  file?: string;
}

export class FormatError extends Error {
  override readonly name = 'FormatError';
  /** The file that was being read, where it is known. */
  readonly file: string | undefined;

  constructor(where: string, { file, ...mismatch }: FormatMismatch = {}) {
    const text = Object.keys(mismatch).length === 0 ? where : sentence(where, mismatch);
    super(file === undefined ? text : `${file}: ${text}`);
    this.file = file;
  }
}
