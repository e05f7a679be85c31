/** One file that is damaged, and how it is loaded. */
import type { Model } from '../../src/graph/index.ts';
import type { Random } from './random.ts';

export interface Seed {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Reads the file and builds what it describes; may give a promise of it. */
  load(bytes: Uint8Array): unknown;
  /** Even whole it may be refused: it has what is not supported. */
  readonly mayFail?: boolean;
  /** Damage that keeps the file well-formed. */
  mutate?(bytes: Uint8Array, random: Random): Uint8Array;
}

/** Builds a model with small sizes for its free dimensions. */
export function buildSmall(model: Model): unknown {
  const sizes = model.inputs.map(({ name, shape }) => [name, shape.map((dim) => (typeof dim === 'number' ? dim : 2))]);
  return model.build(Object.fromEntries(sizes));
}
