/**
 * Derives src/devices/cpu/kernels/math/coefficients.ts, all of it:
 *   npx esbuild scripts/minimax.ts --bundle --platform=node --format=esm | node --input-type=module > .../coefficients.ts
 */
import * as p from './precise.ts';
import { minimax, type Problem } from './remez.ts';

const { add, div, mul, neg, one, scale, sqrt, sub } = p;
type Fn = (x: p.Real) => p.Real;
type Target = Pick<Problem, 'target' | 'weight' | 'from' | 'to'>;
type Shape = Pick<Problem, 'degree' | 'denominator'>;

interface Row {
  readonly name: string;
  /** What the coefficients mean. */
  readonly says: string;
  readonly target: Target;
  readonly f32?: Shape;
  readonly f64?: Shape;
}

const square: Fn = (x) => mul(x, x);
const cube: Fn = (x) => mul(x, square(x));

/** (f(x) - x) / x^3 in z = x^2, for an odd f; the error is relative to f. */
const odd = (f: Fn, to: number): Target => ({
  target: (z) => div(sub(f(sqrt(z)), sqrt(z)), cube(sqrt(z))),
  weight: (z) => div(cube(sqrt(z)), f(sqrt(z))),
  from: 0,
  to: to ** 2,
});
/** log(erfc(-a)) / a, less a constant; the error is relative to erf. */
const exponentOfErfc = (less: p.Real): Pick<Problem, 'target' | 'weight'> => ({
  target: (a) => sub(div(p.log(p.erfc(neg(a))), a), less),
  weight: (a) => div(mul(neg(a), p.erfc(neg(a))), p.erf(neg(a))),
});
/**
 * log(2 Phi(a)) / a. Measured by the root of 2 Phi: for x Phi(x) the left tail matters less and less, but not as little as
 * its size says.
 */
const twoPhi: Fn = (a) => p.erfc(neg(mul(a, p.sqrt(p.half))));
const exponentOfNormal: Pick<Problem, 'target' | 'weight'> = {
  target: (a) => div(p.log(twoPhi(a)), a),
  weight: (a) => mul(neg(a), p.sqrt(twoPhi(a))),
};
const twoAtanh: Fn = (s) => p.log(div(add(one, s), sub(one, s)));
const quarterPi = 0.7855;

const rows: Row[] = [
  {
    name: 'exponential',
    says: 'e^r = 1 + r + r^2 q(r) for |r| <= ln 2',
    target: {
      target: (r) => div(sub(sub(p.exp(r), one), r), square(r)),
      weight: (r) => div(square(r), p.exp(r)),
      from: -0.6935,
      to: 0.6935,
    },
    f32: { degree: 5 },
    f64: { degree: 11 },
  },
  {
    name: 'logarithm',
    says: 'log(1 + f) = f - f^2 / 2 + f^3 q(f) for 1 + f in [sqrt(1/2), sqrt 2]',
    target: {
      target: (f) => div(add(sub(p.log1p(f), f), scale(square(f), -1)), cube(f)),
      weight: (f) => div(cube(f), p.log1p(f)),
      from: Math.SQRT1_2 - 1,
      to: Math.SQRT2 - 1,
    },
    f32: { degree: 7 },
  },
  {
    name: 'logarithmOfRatio',
    says: 'log((1 + s) / (1 - s)) = 2 s + s z q(z), z = s^2, for |s| <= 3 - 2 sqrt 2',
    target: {
      target: (z) => div(sub(twoAtanh(sqrt(z)), scale(sqrt(z), 1)), cube(sqrt(z))),
      weight: (z) => div(cube(sqrt(z)), twoAtanh(sqrt(z))),
      from: 0,
      to: 0.1716 ** 2,
    },
    f64: { degree: 6 },
  },
  {
    name: 'powerTail',
    says: 'log((1 + s) / (1 - s)) = 2 s + s z (2/3 + z q(z)), z = s^2: as above with 2/3 kept apart',
    target: {
      target: (z) => div(sub(div(sub(twoAtanh(sqrt(z)), scale(sqrt(z), 1)), cube(sqrt(z))), twoThirds), z),
      weight: (z) => div(mul(cube(sqrt(z)), z), twoAtanh(sqrt(z))),
      from: 0,
      to: 0.1716 ** 2,
    },
    f32: { degree: 3 },
    f64: { degree: 7 },
  },
  { name: 'sine', says: 'sin r = r + r z q(z), z = r^2, for |r| <= pi/4', target: odd(p.sin, quarterPi), f32: { degree: 2 }, f64: { degree: 5 } },
  {
    name: 'cosine',
    says: 'cos r = 1 - z / 2 + z^2 q(z), z = r^2, for |r| <= pi/4',
    target: {
      target: (z) => div(add(sub(p.cos(sqrt(z)), one), scale(z, -1)), square(z)),
      weight: (z) => div(square(z), p.cos(sqrt(z))),
      from: 0,
      to: quarterPi ** 2,
    },
    f32: { degree: 2 },
    f64: { degree: 5 },
  },
  { name: 'arctangent', says: 'atan t = t + t z q(z), z = t^2, for |t| <= tan(pi/8)', target: odd(p.atan, 0.41422), f32: { degree: 4 }, f64: { degree: 10 } },
  { name: 'arcsine', says: 'asin s = s + s z q(z), z = s^2, for |s| <= 1/2', target: odd(p.asin, 0.5), f32: { degree: 4 }, f64: { degree: 11 } },
  {
    name: 'errorFunction',
    says: 'erf(-a) = exp(a + a q(a)) - 1 for -4 <= a <= 0; a float32 erf has become 1 at 3.92',
    target: { ...exponentOfErfc(one), from: -4, to: 0 },
    f32: { degree: 7 },
  },
  {
    name: 'errorFunctionRatio',
    says: 'erf(-a) = exp(a P(a) / Q(a)) - 1 for -5.95 <= a <= 0; a float64 erf has become 1 at 5.93',
    target: { ...exponentOfErfc(p.zero), from: -5.95, to: 0 },
    f64: { degree: 8, denominator: 7 },
  },
  {
    name: 'normalTail',
    says: 'twice the normal distribution below a is exp(a q(a)) for -7 <= a <= 0; relative to the root of that',
    target: { ...exponentOfNormal, from: -7, to: 0 },
    f32: { degree: 9 },
  },
  {
    name: 'normalTailRatio',
    says: 'the same as exp(a P(a) / Q(a)) for -9.5 <= a <= 0',
    target: { ...exponentOfNormal, from: -9.5, to: 0 },
    f64: { degree: 9, denominator: 8 },
  },
];
const twoThirds = div({ m: 2n, e: 0 }, { m: 3n, e: 0 });

// ---- constants in parts

/** x as a sum of floats: each but the last with `bits` significant bits (cut, not rounded), the last with `all`. */
function parts(x: p.Real, bits: number, count: number, all: 24 | 53): number[] {
  const result: number[] = [];
  let rest = x;
  for (let i = 0; i < count - 1; i++) {
    // To a multiple of 2^(exponent - bits) below.
    const unit = p.exponent(rest) - bits;
    const part = p.real(Number(p.nearest(sub(scale(rest, -unit), p.half))) * 2 ** unit);
    result.push(p.approximate(part));
    rest = sub(rest, part);
  }
  return [...result, p.toNumber(rest, all)];
}
/** 2/pi as integers of `bits` bits: the sum of chunk[j] 2^(-bits (j+1)). */
function chunks(bits: number, count: number): number[] {
  const scaled = p.twoOverPiScaled(bits * count);
  const mask = (1n << BigInt(bits)) - 1n;
  return Array.from({ length: count }, (_, j) => Number((scaled >> BigInt(bits * (count - 1 - j))) & mask));
}

/** Numbers on lines that end before column 120. */
function list(values: readonly number[], indent = '  '): string {
  const lines = [''];
  for (const value of values.map((number) => `${number}, `)) {
    if (lines[lines.length - 1].length + value.length > 112 - indent.length) lines.push('');
    lines[lines.length - 1] += value;
  }
  const inside = lines.map((line) => line.trimEnd());
  return lines.length === 1 ? `[${inside[0].slice(0, -1)}]` : `[\n${inside.map((line) => `${indent}  ${line}\n`).join('')}${indent}]`;
}

const declare = (name: string, says: string, entries: readonly [elem: string, text: string][]): string =>
  [`/** ${says} */`, `export const ${name} = {`, ...entries.map(([elem, text]) => `  ${elem}: ${text},`), '} as const;'].join('\n');

const out: string[] = [
  `/** Coefficients of the vector maths. Written by scripts/minimax.ts (Remez' exchange, own implementation); do not edit. */`,
];
for (const { name, says, target, f32, f64 } of rows) {
  const entries: [string, string][] = [];
  const errors: string[] = [];
  for (const [elem, shape, bits] of [['f32', f32, 24], ['f64', f64, 53]] as const) {
    if (!shape) continue;
    const { numerator, denominator, error } = minimax({ ...target, ...shape, bits });
    errors.push(`${elem} 2^${error.toFixed(1)}`);
    const rational = denominator.length > 1;
    const fraction = () => `{\n    numerator: ${list(numerator, '    ')},\n    denominator: ${list(denominator, '    ')},\n  }`;
    entries.push([elem, rational ? fraction() : list(numerator)]);
    process.stderr.write(`${name} ${errors[errors.length - 1]}\n`);
  }
  out.push(declare(name, `${says}. Relative error: ${errors.join(', ')}.`, entries));
}
const pair = (name: string, says: string, f32: readonly number[], f64: readonly number[]) =>
  out.push(declare(name, says, [['f32', list(f32)], ['f64', list(f64)]]));
pair('twoLn2', '2 ln 2: products of the first part with a small integer are exact.', parts(scale(p.ln2, 1), 16, 2, 24), parts(scale(p.ln2, 1), 42, 2, 53));
pair('ln2', 'ln 2, likewise.', parts(p.ln2, 15, 2, 24), parts(p.ln2, 41, 2, 53));
pair('twoThirds', '2/3 to twice the precision.', parts(twoThirds, 24, 2, 24), parts(twoThirds, 53, 2, 53));
pair('halfPi', 'pi/2 to twice the precision.', parts(scale(p.pi, -1), 24, 2, 24), parts(scale(p.pi, -1), 53, 2, 53));
pair('halfPiFused', 'pi/2 in full floats, for fused multiply-add.', parts(scale(p.pi, -1), 24, 3, 24), parts(scale(p.pi, -1), 53, 3, 53));
pair('halfPiShort', 'pi/2 in short floats, for exact products without it.', parts(scale(p.pi, -1), 11, 5, 24), parts(scale(p.pi, -1), 26, 5, 53));
pair('twoOverPiChunks', '2/pi as integers of 12 and 26 bits.', chunks(12, 16), chunks(26, 45));
console.log(out.join('\n\n'));
