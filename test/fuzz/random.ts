/** Random numbers that are the same in every run. */
export interface Random {
  /** A whole number from 0 to below `end`. */
  below(end: number): number;
  pick<T>(list: ArrayLike<T>): T;
}

/** Marsaglia's xorshift32 (Journal of Statistical Software 8(14), 2003). */
export function random(seed: number): Random {
  let state = seed | 0 || 1;
  const below = (end: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % end;
  };
  return { below, pick: (list) => list[below(list.length)] };
}
