/** How much of the vertical axis a plot shows. */

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** What this needs of uPlot. */
interface Drawing {
  readonly data: readonly unknown[];
}

/** Some room above and below; a flat line in the middle. */
export function yRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  // A mean of equal numbers differs from them in its last digits.
  if (high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high))) return low === 0 ? [-1, 1] : low > 0 ? [0, 2 * low] : [2 * low, 0];
  const spread = high - low;
  const [bottom, top] = [low - spread * 0.06, high + spread * 0.06];
  return [low >= 0 && bottom < 0 ? 0 : bottom, top];
}

const farInQuartiles = 8;

/** Lowest and highest but for what is far from the middle half of all that is seen (J. Tukey's fences, set wide). */
export function withoutOutliers(u: Drawing, { min, max }: Range, low: number | null, high: number | null): readonly [number | null, number | null] {
  if (low === null || high === null) return [low, high];
  const [places, ...curves] = u.data as (number | null | undefined)[][];
  const [first, third] = quartiles(curves, places.findIndex((place) => place! >= min), places.findLastIndex((place) => place! <= max) + 1);
  const [from, to] = [first - farInQuartiles * (third - first), third + farInQuartiles * (third - first)];
  if (!(from < to) || (from <= low && to >= high)) return [low, high];
  let [lowest, highest] = [Infinity, -Infinity];
  for (const values of curves) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value !== 'number' || value < from || value > to || places[i]! < min || places[i]! > max) continue;
      if (value < lowest) lowest = value;
      if (value > highest) highest = value;
    }
  }
  return [lowest, highest];
}

const samplesOfCurve = 300;

/** A few hundred values of each curve, long or short, say where the middle half of all is. NaN where there are too few to say. */
function quartiles(curves: readonly (readonly (number | null | undefined)[])[], from: number, to: number): [number, number] {
  const sample: number[] = [];
  for (const values of curves) {
    const own: number[] = [];
    for (let i = from; i < to; i++) {
      const value = values[i];
      if (typeof value === 'number') own.push(value);
    }
    for (let i = 0; i < own.length; i += Math.ceil(own.length / samplesOfCurve)) sample.push(own[i]);
  }
  if (sample.length < 8) return [NaN, NaN];
  const sorted = Float64Array.from(sample).sort();
  return [sorted[sorted.length >> 2], sorted[(sorted.length * 3) >> 2]];
}
