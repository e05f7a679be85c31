/**
 * float32 on every instruction set: all functions over the whole range, every 2^11-th float and more, in units of the last
 * place against doubles. The limits are what 54 million floats a function showed, rounded up.
 */
import { expect, test } from 'vitest';
import { input, makeNode, tensorData } from '../../../../graph/index.ts';
import { evaluateNode } from '../../../../ops/index.ts';
import * as maths from './index.ts';
import { applier, float32Edges, float32Sweep, random, targets, type VectorFunction, worst32 } from './testing.ts';

const sweep = float32Sweep(1 << 11, 1237);
const arguments32 = new Float32Array(sweep.length + float32Edges.length);
arguments32.set(sweep);
arguments32.set(float32Edges, sweep.length);

/** The reference operator on doubles. */
const operator = (op: string) => (x: Float64Array): Float64Array => {
  const data = tensorData('float64', [x.length], x);
  return evaluateNode(makeNode(op, [input('x', 'float64', [x.length])]), [data])[0].data as Float64Array;
};
const scalar = (f: (x: number) => number) => (x: Float64Array): Float64Array => x.map(f);

const functions: [fn: VectorFunction, reference: (x: Float64Array) => Float64Array, ulps: number][] = [
  [maths.exp, operator('Exp'), 1.6],
  [maths.expm1, scalar(Math.expm1), 1.6],
  [maths.sigmoid, operator('Sigmoid'), 3.2],
  [maths.tanh, operator('Tanh'), 2.8],
  [maths.sinh, operator('Sinh'), 2.9],
  [maths.cosh, operator('Cosh'), 1.8],
  [maths.log, operator('Log'), 0.9],
  [maths.log1p, scalar(Math.log1p), 1.5],
  [maths.softplus, operator('Softplus'), 2.8],
  [maths.sin, operator('Sin'), 2.4],
  [maths.cos, operator('Cos'), 2.4],
  [maths.tan, operator('Tan'), 3.7],
  [maths.asin, operator('Asin'), 2.4],
  [maths.acos, operator('Acos'), 1.2],
  [maths.atan, operator('Atan'), 1.9],
  [maths.erf, operator('Erf'), 2.7],
];

test.each(functions)('%o', (fn, reference, ulps) => {
  const want = reference(Float64Array.from(arguments32));
  for (const target of targets) {
    const worst = worst32(applier(target, 'f32', 1, fn)(arguments32), want, [arguments32]);
    expect(worst.ulp, `${target.name}: ${JSON.stringify(worst)}`).toBeLessThan(ulps);
  }
});

test('tanh and erf reach 1 and do not pass it', () => {
  for (const target of targets) {
    for (const fn of [maths.tanh, maths.erf]) {
      let largest = 0;
      for (const y of applier(target, 'f32', 1, fn)(arguments32)) if (Math.abs(y) > largest) largest = Math.abs(y);
      expect(largest).toBe(1);
    }
  }
});

test('sin, cos and tan where a float comes closest to a multiple of pi/2', () => {
  // J.-M. Muller, Elementary Functions, 2016, 11.2: 16367173 * 2^72 for this format; the others border the two reductions.
  const x = Float32Array.from([16367173 * 2 ** 72, -16367173 * 2 ** 72, 12_000, 12_001, Math.fround(Math.PI), 11_999.5, 2 ** 127]);
  for (const target of targets) {
    for (const [fn, reference] of [[maths.sin, Math.sin], [maths.cos, Math.cos], [maths.tan, Math.tan]] as const) {
      const worst = worst32(applier(target, 'f32', 1, fn)(x), Float64Array.from(x, reference), [x]);
      expect(worst.ulp, `${target.name}: ${JSON.stringify(worst)}`).toBeLessThan(3.7);
    }
  }
});

test('gelu keeps its left tail', () => {
  const next = random(7);
  const x = Float32Array.from({ length: 20_000 }, () => next() * 20 - 7);
  const want = operator('Gelu')(Float64Array.from(x));
  for (const target of targets) {
    const got = applier(target, 'f32', 1, maths.gelu)(x);
    got.forEach((y, i) => {
      const relative = x[i] > 0 ? 4e-7 : x[i] > -3 ? 2e-6 : x[i] > -5 ? 2e-5 : 1e-2;
      expect(Math.abs(y - want[i]), `${target.name} at ${x[i]}`).toBeLessThan(relative * Math.abs(want[i]));
    });
    const far = applier(target, 'f32', 1, maths.gelu)(Float32Array.from([-8, -100, -3e38, 3e38, 0, -0, Infinity, NaN]));
    expect(far.subarray(0, 3).every((y) => y <= 0 && y > -1e-11)).toBe(true);
    expect([...far.subarray(3)]).toEqual([Math.fround(3e38), 0, -0, Infinity, NaN]);
  }
});

const operands = 120_000;
/** Pairs for pow: results that stay finite, powers close to 1 to large exponents, all magnitudes. */
function powerOperands(): [Float32Array, Float32Array] {
  const next = random(11);
  const between = (low: number, high: number) => low + (high - low) * next();
  const kinds: (() => [number, number])[] = [
    () => [2 ** between(-20, 20), between(-30, 30)],
    () => [between(0.9, 1.1), between(-900, 900)],
    () => [between(0.5, 2), between(-120, 120)],
    () => [2 ** between(-149, 128), between(-1, 1)],
    () => [1 + 2 ** between(-23, -8), 2 ** between(5, 30)],
    () => [-Math.round(between(0, 12)), Math.round(between(-12, 12))],
  ];
  const pairs = Array.from({ length: operands }, (_, i) => kinds[i % kinds.length]());
  return [Float32Array.from(pairs, ([x]) => x), Float32Array.from(pairs, ([, y]) => y)];
}
const power = (x: number, y: number): number => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y);

test('pow', () => {
  const [x, y] = powerOperands();
  const specials = [...float32Edges, 2, -2, 3, -3, 0.5, -0.5, 2.5, 2 ** 24, 2 ** 24 - 1, -(2 ** 24) + 1, -(2 ** 30), 1e30];
  const ex = Float32Array.from(specials.flatMap((a) => specials.map(() => a)));
  const ey = Float32Array.from(specials.flatMap(() => specials));
  for (const target of targets) {
    const pow = applier(target, 'f32', 2, maths.pow);
    for (const [a, b] of [[x, y], [ex, ey]]) {
      const worst = worst32(pow(a, b), Float64Array.from(a, (_, i) => power(a[i], b[i])), [a, b]);
      expect(worst.ulp, `${target.name}: ${JSON.stringify(worst)}`).toBeLessThan(2.1);
    }
  }
});

test('fmod is exact, for any operands', () => {
  const next = random(13);
  const any = () => (next() < 0.5 ? -1 : 1) * 2 ** (next() * 276 - 149);
  const edges = [...float32Edges];
  const x = Float32Array.from([...Array.from({ length: 30_000 }, any), ...edges.flatMap((a) => edges.map(() => a))]);
  const y = Float32Array.from([...Array.from({ length: 30_000 }, any), ...edges.flatMap(() => edges)]);
  for (const target of targets) {
    const got = applier(target, 'f32', 2, maths.fmod)(x, y);
    got.forEach((r, i) => {
      if (!Object.is(r, x[i] % y[i])) throw new Error(`${target.name}: ${x[i]} mod ${y[i]} is ${x[i] % y[i]}, got ${r}`);
    });
  }
});

test('extremes and sign', () => {
  const values = [0, 1, -1, 2.5, NaN, Infinity, -Infinity, 1e-40];
  const x = Float32Array.from(values.flatMap((a) => values.map(() => a)));
  const y = Float32Array.from(values.flatMap(() => values));
  for (const target of targets) {
    for (const [op, reference] of [['min', Math.min], ['max', Math.max]] as const) {
      const got = applier(target, 'f32', 2, (b, elem, p, q) => maths.extreme(b, elem, op, p, q))(x, y);
      expect([...got]).toEqual(Array.from(x, (_, i) => reference(x[i], y[i])));
      for (const bound of [1, NaN]) {
        const above = applier(target, 'f32', 1, (b, elem, p) => maths.extreme(b, elem, op, p, b.splat(elem, bound)))(x);
        const below = applier(target, 'f32', 1, (b, elem, p) => maths.extreme(b, elem, op, b.splat(elem, bound), p))(x);
        expect([...above]).toEqual(Array.from(x, (value) => reference(value, bound)));
        expect([...below]).toEqual([...above]);
      }
    }
    expect([...applier(target, 'f32', 1, maths.sign)(Float32Array.from([...values, -0, -1e-45, -7]))]).toEqual([0, 1, -1, 1, NaN, 1, -1, 1, 0, -1, -1]);
  }
});

