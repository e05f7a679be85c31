/** The graph layer's one error: what was looked at, what was expected, what came, and what to do. */

export interface Mismatch {
  expected?: string;
  got?: string;
  hint?: string;
}

/** `where: expected X, got Y; hint`. Every layer's error is built from this sentence. */
export function sentence(where: string, { expected, got, hint }: Mismatch): string {
  const parts: string[] = [];
  if (expected !== undefined) parts.push(`expected ${expected}`);
  if (got !== undefined) parts.push(`got ${got}`);
  return `${where}: ${parts.join(', ')}${hint === undefined ? '' : `${parts.length > 0 ? '; ' : ''}${hint}`}`;
}

export class GraphError extends Error {
  override readonly name = 'GraphError';
  constructor(where: string, mismatch: Mismatch = {}) {
    super(Object.keys(mismatch).length === 0 ? where : sentence(where, mismatch));
  }
}
