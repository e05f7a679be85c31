/** A histogram by its bins: `counts` divide `low` to `high` evenly. */
export interface HistogramBins {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
  /** Finite values. */
  readonly count: number;
  readonly mean: number;
  readonly deviation: number;
  /** Values that are NaN or infinite: in no bin. */
  readonly bad: number;
}

const defaultBins = 64;

/** Bins of equal width from the smallest value to the largest; one bin where these are equal. */
export function binValues(values: ArrayLike<number>, bins = defaultBins): HistogramBins {
  let [low, high, sum, count] = [Infinity, -Infinity, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value - value !== 0) continue; // NaN and infinities
    if (value < low) low = value;
    if (value > high) high = value;
    sum += value;
    count++;
  }
  const bad = values.length - count;
  if (count === 0) return { low: 0, high: 0, counts: [], count, mean: 0, deviation: 0, bad };
  const mean = finite(sum / count);
  // Halves, because the difference of two finite numbers may be infinite; or so small that nothing can be divided by it.
  const scale = bins / (high / 2 - low / 2);
  const counts = new Array<number>(Number.isFinite(scale) ? bins : 1).fill(0);
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value - value !== 0) continue;
    counts[counts.length === 1 ? 0 : Math.min(bins - 1, Math.floor((value / 2 - low / 2) * scale))]++;
    squares += (value - mean) ** 2;
  }
  return { low, high, counts, count, mean, deviation: finite(Math.sqrt(squares / count)), bad };
}

/** Sums near the end of the number range. */
const finite = (value: number): number => (Number.isNaN(value) ? 0 : Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value)));
