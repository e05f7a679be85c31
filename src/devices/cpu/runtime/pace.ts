/**
 * How many threads a short run is worth: as many as may be used, or one, whichever has been faster lately. A fork-join of some
 * microseconds is not all that a second thread costs: it needs a core at that very moment, and its caches start out without
 * what the other has. Results do not depend on the number of threads, so that may be tried out.
 */
export interface Pace {
  /** The number of threads for the next run. */
  threads(): number;
  /** How long it took. */
  note(threads: number, milliseconds: number): void;
}

/** Runs that take longer always use all threads: waiting for the second one is little beside them. */
const longMs = 4;
/** The first runs of either kind are slow for other reasons. */
const trials = 4;
/** One run of so many is of the other kind. */
const everyRuns = 64;
/** What several threads must gain. */
const worthwhile = 0.9;

export function makePace(most: number): Pace {
  // The least that either has taken, forgotten slowly.
  const best = [Infinity, Infinity];
  const counts = [0, 0];
  let runs = 0;
  return {
    threads() {
      if (most === 1) return 1;
      const isLong = counts[1] > 0 && Math.min(...best) > longMs;
      if (isLong) return most;
      if (counts[0] < trials || counts[1] < trials) return counts[1] <= counts[0] ? most : 1;
      const isShared = best[1] < worthwhile * best[0];
      const isTrial = ++runs % everyRuns === 0;
      return isShared === isTrial ? 1 : most;
    },
    note(threads, milliseconds) {
      const kind = threads === 1 ? 0 : 1;
      // The very first run meets cold code and memory.
      if (counts[kind]++ > 0) best[kind] = Math.min(milliseconds, best[kind] * 1.02);
    },
  };
}
