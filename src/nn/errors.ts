/** The one error of modules: a wrong argument, or a state dict that does not fit. Shapes that an operator refuses are its own errors. */
import { type Mismatch, sentence } from '../graph/index.ts';

export class ModuleError extends Error {
  override readonly name = 'ModuleError';
  constructor(where: string, mismatch: Mismatch) {
    super(sentence(where, mismatch));
  }
}

/** @throws ModuleError unless all are whole numbers from 1 on */
export function expectSizes(where: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!(Number.isSafeInteger(size) && size > 0)) throw new ModuleError(where, { expected: `${name} to be a whole number from 1 on`, got: `${size}` });
  }
}
