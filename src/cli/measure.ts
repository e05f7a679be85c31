/** Times runs: a warm-up, then as many runs as fit the time asked for. */

export interface Latencies {
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface Measurement {
  /** In milliseconds, of every run. */
  readonly runs: readonly number[];
  readonly latencyMs: Latencies;
}

const warmUpRuns = 3;
const fewestRuns = 5;

/** `onTime` hears, between runs, how many seconds of the measurement are over. */
export function measure(run: () => void, seconds: number, onTime: (done: number) => void = () => {}): Measurement {
  for (let i = 0; i < warmUpRuns; i++) run();
  const runs: number[] = [];
  let told = 0;
  const start = performance.now();
  for (let end = start; end - start < seconds * 1000 || runs.length < fewestRuns; ) {
    const begin = performance.now();
    run();
    end = performance.now();
    runs.push(end - begin);
    if (end - told > 200) onTime(((told = end) - start) / 1000);
  }
  return { runs, latencyMs: latencies(runs) };
}

/** Percentiles by nearest rank. */
export function latencies(runs: readonly number[]): Latencies {
  const sorted = [...runs].sort((a, b) => a - b);
  const percentile = (p: number): number => sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
  return { min: sorted[0], p50: percentile(50), p90: percentile(90), p99: percentile(99) };
}
