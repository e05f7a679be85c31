/** The tensor layer's one error; shapes and dtypes that an operator refuses are GraphErrors, at the line that wrote them. */
import { type Mismatch, sentence } from '../graph/index.ts';

export class TensorError extends Error {
  override readonly name: string = 'TensorError';
  constructor(where: string, mismatch: Mismatch) {
    super(sentence(where, mismatch));
  }
}
