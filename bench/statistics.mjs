// @ts-check
/** Medians, paired ratios and how far two outputs are apart. */

/** @param {readonly number[]} values @param {number} q from 0 to 1 */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

/** @param {readonly number[]} values */
export const median = (values) => quantile(values, 0.5);

/** @param {readonly number[]} values @returns {import('./types.ts').Side} */
export const summarise = (values) => ({ median: median(values), min: Math.min(...values), count: values.length });

/**
 * The two sides of a round ran right after each other, so what disturbs a machine for longer than a round cancels.
 * @param {readonly number[]} above @param {readonly number[]} below one value a round
 */
export function pairedRatio(above, below) {
  const ratios = above.slice(0, below.length).map((value, round) => value / below[round]);
  return { median: median(ratios), low: quantile(ratios, 0.25), high: quantile(ratios, 0.75) };
}

/**
 * The largest difference between outputs of one name, as a part of the largest value that the peer's has; Infinity where they are not
 * comparable.
 * @param {import('./types.ts').Outputs} ours @param {import('./types.ts').Outputs} theirs
 */
export function difference(ours, theirs) {
  const names = Object.keys(theirs);
  if (names.length === 0 || names.length !== Object.keys(ours).length) return Infinity;
  return Math.max(...names.map((name) => (ours[name] ? tensorDifference(ours[name], theirs[name]) : Infinity)));
}

/** @param {ArrayLike<number>} ours @param {ArrayLike<number>} theirs */
function tensorDifference(ours, theirs) {
  if (ours.length !== theirs.length || ours.length === 0) return Infinity;
  let scale = 0;
  let worst = 0;
  for (let i = 0; i < theirs.length; i++) {
    // A NaN or an infinity anywhere makes the sum one.
    const apart = Math.abs(ours[i] - theirs[i]);
    if (!Number.isFinite(apart)) return Infinity;
    worst = Math.max(worst, apart);
    scale = Math.max(scale, Math.abs(theirs[i]));
  }
  // An output of zeros agrees with nothing: it says that nothing was computed.
  return scale === 0 ? Infinity : worst / scale;
}
