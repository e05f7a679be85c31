/** Random numbers of the data side: each stream is a pure function of a seed and of the stream's number, so nothing has to be kept to go on. */
import { philox } from '../ops/index.ts';
import { checkCount } from './errors.ts';

/** The next number, uniform in [0, 1). */
export type Random = () => number;

const wordsAtOnce = 16;

/** What numbers are for: with the same seed, a split, an order and an item's changes have nothing to do with each other. */
const uses = { own: 0n, split: 1n, order: 2n, items: 3n };

/** Stream number `stream` of a seed: Philox counters from there on. */
export function randomNumbers(seed: number, stream = 0, use: keyof typeof uses = 'own'): Random {
  checkCount('seed', seed, 0);
  checkCount('stream', stream, 0);
  const key = BigInt(seed) | (uses[use] << 56n);
  const words = new Uint32Array(wordsAtOnce);
  let offset = BigInt(stream) << 32n;
  let at = wordsAtOnce;
  return () => {
    if (at === wordsAtOnce) {
      philox(words, key, offset);
      offset += BigInt(wordsAtOnce / 4);
      at = 0;
    }
    return words[at++] * 2 ** -32;
  };
}

/** The numbers from 0 to before n in random order (Fisher and Yates). */
export function shuffledIndices(n: number, random: Random): number[] {
  const indices = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [indices[i], indices[j]] = [indices[j], indices[i]];
  }
  return indices;
}
