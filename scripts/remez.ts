/**
 * Minimax approximations with coefficients that are floats: Remez' exchange on a grid (Remez 1934; Ralston & Rabinowitz,
 * A First Course in Numerical Analysis, 7.9 for the rational case). Coefficients are rounded one after the other, lowest
 * power first, and the rest fitted again, so that rounding costs almost nothing.
 */
import { abs, add, approximate, compare, div, mul, neg, one, type Real, real, sub, toNumber, zero } from './precise.ts';

export interface Problem {
  /** What to approximate, and what the error is multiplied by before it is measured. */
  readonly target: (x: Real) => Real;
  readonly weight: (x: Real) => Real;
  readonly from: number;
  readonly to: number;
  /** Degree of the numerator and of the denominator; the denominator begins with 1. */
  readonly degree: number;
  readonly denominator?: number;
  /** Significant bits of the coefficients. */
  readonly bits: 24 | 53;
}

export interface Fit {
  readonly numerator: readonly number[];
  readonly denominator: readonly number[];
  /** log2 of the largest weighted error on the grid. */
  readonly error: number;
}

interface Point {
  readonly x: Real;
  readonly target: Real;
  readonly weight: Real;
}

/** Solves the square system by Gauss with pivots; destroys it. */
function solve(rows: Real[][]): Real[] {
  const n = rows.length;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let i = column + 1; i < n; i++) if (compare(abs(rows[i][column]), abs(rows[pivot][column])) > 0) pivot = i;
    [rows[column], rows[pivot]] = [rows[pivot], rows[column]];
    for (let i = column + 1; i < n; i++) {
      const factor = div(rows[i][column], rows[column][column]);
      for (let j = column; j <= n; j++) rows[i][j] = sub(rows[i][j], mul(factor, rows[column][j]));
    }
  }
  const result = new Array<Real>(n);
  for (let i = n - 1; i >= 0; i--) {
    let sum = rows[i][n];
    for (let j = i + 1; j < n; j++) sum = sub(sum, mul(rows[i][j], result[j]));
    result[i] = div(sum, rows[i][i]);
  }
  return result;
}

const evaluate = (coefficients: readonly Real[], x: Real): Real =>
  coefficients.reduceRight((sum, c) => add(mul(sum, x), c), zero);

/** Coefficients, some known (the others undefined): numerator, then denominator without its leading 1. */
type Known = (Real | undefined)[];
interface Attempt {
  readonly coefficients: Real[];
  readonly error: Real;
}

/** P - target Q = 0 at a point, as a row over the unknown coefficients and its right side. */
function row({ x }: Point, target: Real, degree: number, below: number, known: Known): { row: Real[]; right: Real } {
  const powers = [one];
  while (powers.length <= Math.max(degree, below)) powers.push(mul(powers[powers.length - 1], x));
  const column = (k: number): Real => (k <= degree ? powers[k] : neg(mul(target, powers[k - degree])));
  const right = known.reduce((sum: Real, value, k) => (value ? sub(sum, mul(value, column(k))) : sum), target);
  return { row: known.flatMap((value, k) => (value ? [] : [column(k)])), right };
}
const merge = (known: Known, solution: readonly Real[]): Real[] => {
  let next = 0;
  return known.map((value) => value ?? solution[next++]);
};
const errorsOf = (grid: readonly Point[], degree: number, coefficients: readonly Real[]): Real[] =>
  grid.map(({ x, target, weight }) => {
    const denominator = evaluate([one, ...coefficients.slice(degree + 1)], x);
    return mul(weight, sub(div(evaluate(coefficients.slice(0, degree + 1), x), denominator), target));
  });

/** Least squares of (P - target Q) weight / (Q of before): near the minimax rational function (Loeb 1957). */
function leastSquares(grid: readonly Point[], degree: number, below: number, known: Known): Real[] {
  let coefficients: Real[] = known.map(() => zero);
  for (let round = 0; round < (below > 0 ? 12 : 1); round++) {
    const unknown = known.filter((value) => value === undefined).length;
    const normal = Array.from({ length: unknown }, () => new Array<Real>(unknown + 1).fill(zero));
    for (const point of grid) {
      const weight = div(point.weight, evaluate([one, ...coefficients.slice(degree + 1)], point.x));
      const { row: columns, right } = row(point, point.target, degree, below, known);
      const all = [...columns, right].map((value) => mul(value, weight));
      for (let i = 0; i < unknown; i++) for (let j = 0; j <= unknown; j++) normal[i][j] = add(normal[i][j], mul(all[i], all[j]));
    }
    coefficients = merge(known, solve(normal));
  }
  return coefficients;
}

/** The n+1 points where an error curve swings furthest, alternating in sign; undefined where it has fewer swings. */
function swings(errors: readonly Real[], count: number): number[] | undefined {
  const peaks: number[] = [];
  errors.forEach((error, i) => {
    const last = peaks.length - 1;
    if (last < 0 || error.m < 0n !== errors[peaks[last]].m < 0n) peaks.push(i);
    else if (compare(abs(error), abs(errors[peaks[last]])) > 0) peaks[last] = i;
  });
  while (peaks.length > count) {
    peaks.splice(compare(abs(errors[peaks[0]]), abs(errors[peaks[peaks.length - 1]])) < 0 ? 0 : peaks.length - 1, 1);
  }
  return peaks.length === count ? peaks : undefined;
}

function remez(grid: readonly Point[], degree: number, below: number, known: Known): Attempt {
  const count = known.filter((value) => value === undefined).length + 1;
  let coefficients = leastSquares(grid, degree, below, known);
  let errors = errorsOf(grid, degree, coefficients);
  let reference =
    swings(errors, count) ?? Array.from({ length: count }, (_, i) => Math.round(((grid.length - 1) * i) / Math.max(1, count - 1)));
  let level = errors[reference[0]];
  let best: Attempt | undefined;
  for (let round = 0; round < 200; round++) {
    const worst = errors.reduce((max, error, i) => (compare(abs(error), abs(errors[max])) > 0 ? i : max), 0);
    const error = abs(errors[worst]);
    if (!best || compare(error, best.error) < 0) best = { coefficients, error };
    if (round > 0) {
      if (compare(error, mul(abs(level), real(1.0001))) <= 0) break;
      reference = exchange(reference, worst, (i) => errors[i].m < 0n);
    }
    // P - (target - s E / w) Q = 0 at the reference; E Q is linear only with the E of before, so a few times.
    for (let inner = 0; inner < (below > 0 ? 6 : 1); inner++) {
      const rows = reference.map((at, i) => {
        const lift = div(i % 2 === 0 ? one : neg(one), grid[at].weight);
        const { row: columns, right } = row(grid[at], sub(grid[at].target, mul(lift, below > 0 ? level : zero)), degree, below, known);
        return [...columns, lift, add(right, mul(lift, below > 0 ? level : zero))];
      });
      const solution = solve(rows);
      coefficients = merge(known, solution);
      level = solution[count - 1];
    }
    errors = errorsOf(grid, degree, coefficients);
  }
  return best!;
}

/** The reference with `worst` in the place of a neighbour, so that signs still alternate. */
function exchange(reference: readonly number[], worst: number, negative: (i: number) => boolean): number[] {
  const result = [...reference];
  const after = result.findIndex((at) => at >= worst);
  const last = result.length - 1;
  const same = (at: number) => negative(result[at]) === negative(worst);
  if (after === 0 && !same(0)) return [worst, ...result.slice(0, last)];
  if (after === -1 && !same(last)) return [...result.slice(1), worst];
  result[after === -1 ? last : after === 0 || same(after) ? after : after - 1] = worst;
  return result;
}

export function minimax(problem: Problem): Fit {
  const { target, weight, from, to, degree, denominator: below = 0, bits } = problem;
  const points = 24 * (degree + below + 3);
  const grid = Array.from({ length: points }, (_, i) => {
    const x = real((from + to) / 2 - ((to - from) / 2) * Math.cos((Math.PI * (i + 0.5)) / points));
    return { x, target: target(x), weight: weight(x) };
  });
  const known: Known = new Array<undefined>(degree + 1 + below).fill(undefined);
  // Round numerator and denominator in step, by power.
  const order = [...known.keys()].sort((a, b) => power(a) - power(b));
  function power(k: number): number {
    return k <= degree ? k : k - degree;
  }
  // With the k lowest powers prescribed, what is left to fit is x^k times a polynomial: a weight whose sign follows x^k
  // makes the error alternate as if x^k were not there.
  const fit = () => {
    const odd = known.filter((value) => value !== undefined).length % 2 === 1;
    return remez(odd && below === 0 ? signed : grid, degree, below, known);
  };
  const signed = grid.map((point) => ({ ...point, weight: point.x.m < 0n ? neg(point.weight) : point.weight }));
  for (const k of order) known[k] = real(toNumber(fit().coefficients[k], bits));
  const { coefficients, error } = fit();
  const numbers = coefficients.map((c) => toNumber(c, bits));
  return {
    numerator: numbers.slice(0, degree + 1),
    denominator: [1, ...numbers.slice(degree + 1)],
    error: Math.log2(approximate(error)),
  };
}
