/**
 * float64 on every instruction set, against 256-bit arithmetic (scripts/precise.ts), which is itself checked against published
 * digits. The limits are what longer runs showed, rounded up.
 */
import { expect, test } from 'vitest';
import * as precise from '../../../../../scripts/precise.ts';
import * as maths from './index.ts';
import { applier, float64Edges, random, targets, type VectorFunction } from './testing.ts';

const { real, ulpError } = precise;
const next = random(2026);
const between = (low: number, high: number) => () => low + (high - low) * next();
const magnitude = (low: number, high: number) => () => (next() < 0.5 ? -1 : 1) * 2 ** between(low, high)();
const positive = (low: number, high: number) => () => 2 ** between(low, high)();
/** Close to a multiple of pi/2. */
const nearMultiple = () => (Math.round(between(-1e6, 1e6)()) * Math.PI) / 2;

// Digits: Abramowitz & Stegun, table 1.1 (pi, e, ln 10) and tables 4.6, 4.14, 7.1; and the float64 that comes closest to a
// multiple of pi/2 (J.-M. Muller, Elementary Functions, 2016, 11.2).
test('the reference gives published digits', () => {
  const digits = (x: precise.Real, count: number): string => {
    const scaled = precise.mul(x, precise.integer(10n ** BigInt(count)));
    return precise.nearest(precise.sub(scaled, precise.half)).toString();
  };
  expect(digits(precise.pi, 24)).toBe('3141592653589793238462643');
  expect(digits(precise.exp(precise.one), 24)).toBe('2718281828459045235360287');
  expect(digits(precise.log(real(10)), 24)).toBe('2302585092994045684017991');
  expect(digits(precise.sin(precise.one), 22)).toBe('8414709848078965066525');
  expect(digits(precise.atan(precise.one), 24)).toBe('785398163397448309615660');
  expect(digits(precise.erf(precise.half), 10)).toBe('5204998778');
  expect(precise.approximate(precise.cos(real(6381956970095103 * 2 ** 797)))).toBe(Number('-4.68716592425462761112e-19'));
});

const angles = [between(-10, 10), between(-1e8, 1e8), magnitude(-40, 1023), between(-1e4, 1e4), nearMultiple];
const functions: [fn: VectorFunction, exact: (x: precise.Real) => precise.Real, ulps: number, ranges: (() => number)[]][] = [
  [maths.exp, precise.exp, 1.6, [between(-708, 709.7), between(-1, 1), magnitude(-60, 3), between(-745, -708)]],
  [maths.expm1, precise.expm1, 1.8, [between(-40, 709), between(-1.5, 1.5), magnitude(-60, 3)]],
  [maths.sigmoid, precise.sigmoid, 2.6, [between(-700, 40), between(-2, 2), between(-20, 20)]],
  [maths.tanh, precise.tanh, 2.6, [between(-20, 20), between(-2, 2), magnitude(-60, 3)]],
  [maths.sinh, precise.sinh, 2.6, [between(-710.4, 710.4), between(-2, 2), magnitude(-60, 3)]],
  [maths.cosh, precise.cosh, 1.7, [between(-710.4, 710.4), between(-2, 2), magnitude(-60, 3)]],
  [maths.log, precise.log, 1, [between(0.4, 2.5), positive(-1070, 1020), between(0.99, 1.01)]],
  [maths.log1p, precise.log1p, 1.6, [between(-0.99, 2.5), positive(-1000, 1020), between(-0.01, 0.01)]],
  [maths.softplus, precise.softplus, 2.3, [between(-700, 40), between(-2, 2), between(-20, 20)]],
  [maths.sin, precise.sin, 2, angles],
  [maths.cos, precise.cos, 2, angles],
  [maths.tan, precise.tan, 3.4, angles],
  [maths.asin, precise.asin, 2.5, [between(-1, 1), between(0.45, 0.55), between(0.999, 1), magnitude(-60, -1)]],
  [maths.acos, precise.acos, 1.4, [between(-1, 1), between(0.45, 0.55), between(0.999, 1), magnitude(-60, -1)]],
  [maths.atan, precise.atan, 2.2, [between(-4, 4), between(0.3, 0.5), magnitude(-60, 100), between(2.2, 2.6)]],
  [maths.erf, precise.erf, 3.2, [between(-6, 6), between(-1, 1), magnitude(-60, 0)]],
];
const perRange = 150;

test.each(functions)('%o', (fn, exact, ulps, ranges) => {
  const x = Float64Array.from({ length: perRange * ranges.length }, (_, i) => ranges[i % ranges.length]());
  const want = Array.from(x, (value) => exact(real(value)));
  for (const target of targets) {
    applier(target, 'f64', 1, fn)(x).forEach((y, i) => {
      expect(ulpError(y, want[i], 53), `${target.name} at ${x[i]}: got ${y}`).toBeLessThan(ulps);
    });
  }
});

test('the float closest to a multiple of pi/2, and where the reductions meet', () => {
  const x = Float64Array.from([6381956970095103 * 2 ** 797, -6381956970095103 * 2 ** 797, 2 ** 27, 2 ** 27 + 1, 2 ** 28 + 3, Number.MAX_VALUE, Math.PI]);
  for (const target of targets) {
    for (const [fn, exact] of [[maths.sin, precise.sin], [maths.cos, precise.cos], [maths.tan, precise.tan]] as const) {
      applier(target, 'f64', 1, fn)(x).forEach((y, i) => expect(ulpError(y, exact(real(x[i])), 53), `${target.name} at ${x[i]}`).toBeLessThan(3.4));
    }
  }
});

test('infinities, NaN, zeros and denormals as Math has them', () => {
  const { acos, asin, atan, cos, cosh, exp, expm1, log, log1p, sin, sinh, tan, tanh } = maths;
  for (const target of targets) {
    for (const [name, fn] of Object.entries({ acos, asin, atan, cos, cosh, exp, expm1, log, log1p, sin, sinh, tan, tanh })) {
      const reference = Math[name as 'exp'];
      applier(target, 'f64', 1, fn)(float64Edges).forEach((y, i) => {
        const want = reference(float64Edges[i]);
        const close = Object.is(y, want) || Math.abs(y - want) <= 4e-16 * Math.abs(want);
        expect(close, `${target.name}: ${name}(${float64Edges[i]}) is ${want}, got ${y}`).toBe(true);
      });
    }
    expect([...applier(target, 'f64', 1, maths.erf)(Float64Array.from([0, -0, Infinity, -Infinity, NaN, 7, 5e-324]))]).toEqual([0, -0, 1, -1, NaN, 1, 5e-324]);
    expect([...applier(target, 'f64', 1, maths.sigmoid)(Float64Array.from([0, Infinity, -Infinity, NaN, 800]))]).toEqual([0.5, 1, 0, NaN, 1]);
    expect([...applier(target, 'f64', 1, maths.softplus)(Float64Array.from([Infinity, -Infinity, NaN, 800]))]).toEqual([Infinity, 0, NaN, 800]);
  }
});

test('pow', () => {
  const kinds: [() => number, () => number][] = [
    [positive(-20, 20), between(-30, 30)],
    [between(0.9, 1.1), between(-5000, 5000)],
    [between(0.5, 2), between(-1000, 1000)],
    [positive(-1070, 1020), between(-1, 1)],
    [() => 1 + positive(-50, -10)(), positive(5, 58)],
  ];
  const pairs = Array.from({ length: 1500 }, (_, i) => kinds[i % kinds.length].map((make) => make())).filter(([x, y]) => {
    const exponent = y * Math.log(x);
    return exponent < 709.7 && exponent > -744;
  });
  const x = Float64Array.from(pairs, ([a]) => a);
  const y = Float64Array.from(pairs, ([, b]) => b);
  const want = pairs.map(([a, b]) => precise.pow(real(a), real(b)));
  const specials = [...float64Edges, 2, 3, -2, -3, 0.5, -0.5, 2.5, -2.5, 2 ** 53, 2 ** 52 + 1, -(2 ** 53) - 2, 1e300];
  const ex = Float64Array.from(specials.flatMap((a) => specials.map(() => a)));
  const ey = Float64Array.from(specials.flatMap(() => specials));
  for (const target of targets) {
    const pow = applier(target, 'f64', 2, maths.pow);
    pow(x, y).forEach((z, i) => expect(ulpError(z, want[i], 53), `${target.name}: ${x[i]} ** ${y[i]}`).toBeLessThan(2));
    pow(ex, ey).forEach((z, i) => {
      const [a, b] = [ex[i], ey[i]];
      const exact = a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b;
      expect(Object.is(z, exact) || Math.abs(z - exact) <= 1e-15 * Math.abs(exact), `${target.name}: ${a} ** ${b} is ${exact}, got ${z}`).toBe(true);
    });
  }
});

test('gelu, by its exponent, and fmod', () => {
  const x = Float64Array.from({ length: 1000 }, between(-9, 9));
  const root = precise.sqrt(precise.half);
  const any = Float64Array.from({ length: 4000 }, magnitude(-1070, 1023));
  const other = Float64Array.from({ length: 4000 }, magnitude(-1070, 1023));
  for (const target of targets) {
    applier(target, 'f64', 1, maths.gelu)(x).forEach((y, i) => {
      const v = real(x[i]);
      const want = precise.approximate(precise.mul(precise.scale(v, -1), precise.erfc(precise.neg(precise.mul(v, root)))));
      expect(Math.abs(y - want)).toBeLessThan(Math.max(1e-15 * Math.abs(want), x[i] < -1 ? 3e-17 : 0));
    });
    applier(target, 'f64', 2, maths.fmod)(any, other).forEach((r, i) => {
      if (!Object.is(r, any[i] % other[i])) throw new Error(`${target.name}: ${any[i]} mod ${other[i]} is ${any[i] % other[i]}, got ${r}`);
    });
  }
});
