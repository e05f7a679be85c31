/** The transforms against matrices derived from the points, and what they add up to against a plain convolution. */
import { describe, expect, test } from 'vitest';
import { interpret } from '../../codegen/interpret.ts';
import { isas, KernelBuilder, lanesOf } from '../../codegen/index.ts';
import { emitLines, inputTile, outputTile, products, type Transform, transformInput, transformOutput, transformWeights, window } from './transforms.ts';

const points = [0, 1, -1, 1 / 2, -2];

/** Coefficients, lowest first, of the product of (x - p). */
const polynomial = (roots: readonly number[]): number[] =>
  roots.reduce((c, p) => [...c, 0].map((_, i) => (c[i - 1] ?? 0) - p * (c[i] ?? 0)), [1]);
const at = (c: readonly number[], x: number): number => c.reduceRight((sum, a) => sum * x + a, 0);
const powers = (count: number) => (p: number) => Array.from({ length: count }, (_, i) => p ** i);
const last = (count: number) => Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0));

/** Toom and Cook: row j evaluates at point j or, of B^T, holds the polynomial that is zero at all others. */
const others = points.map((p) => polynomial(points.filter((q) => q !== p)));
const input = [...others.map((c) => [...c, 0]), polynomial(points)];
const weights = [...points.map((p, j) => powers(window)(p).map((x) => x / at(others[j], p))), last(window)];
const transposed = (matrix: number[][]) => matrix[0].map((_, i) => matrix.map((row) => row[i]));
const output = transposed([...points.map(powers(outputTile)), last(outputTile)]);

/** What a transform makes of the unit vectors: its matrix. */
function matrixOf(transform: Transform, inputs: number, outputs: number): number[][] {
  const isa = isas.avx2;
  const lanes = lanesOf(isa, 'f32');
  const b = new KernelBuilder('transform', isa);
  const from = b.param();
  const to = b.param();
  emitLines(b, transform, 1, inputs, { at: from, stride: isa.vectorBytes, step: 0 }, { at: to, stride: isa.vectorBytes, step: 0 });
  const memory = new ArrayBuffer((inputs + outputs) * isa.vectorBytes);
  const words = new Float32Array(memory);
  for (let i = 0; i < inputs; i++) words[i * lanes + i] = 1;
  interpret(b.finish(), memory, [0, inputs * isa.vectorBytes]);
  return Array.from({ length: outputs }, (_, j) => Array.from({ length: inputs }, (_, i) => words[(inputs + j) * lanes + i]));
}

describe('each transform is its matrix', () => {
  test.each([
    ['inputs', transformInput, input],
    ['weights', transformWeights, weights],
    ['results', transformOutput, output],
  ] as const)('%s', (_name, transform, matrix) => {
    const got = matrixOf(transform, matrix[0].length, matrix.length);
    got.forEach((row, j) => row.forEach((x, i) => expect(x, `row ${j}, column ${i}`).toBeCloseTo(matrix[j][i], 6)));
  });
});

test('36 products of transforms are a 3x3 window over 4x4 pixels', () => {
  expect(products).toBe(36);
  const multiply = (a: number[][], b: number[][]) => a.map((row) => b[0].map((_, j) => row.reduce((sum, x, k) => sum + x * b[k][j], 0)));
  const around = (m: number[][], x: number[][]) => multiply(multiply(m, x), transposed(m));
  const d = Array.from({ length: inputTile }, (_, i) => Array.from({ length: inputTile }, (_, j) => Math.sin(7 * i + j)));
  const g = Array.from({ length: window }, (_, i) => Array.from({ length: window }, (_, j) => Math.cos(3 * i - 2 * j)));
  const v = around(input, d);
  const u = around(weights, g);
  const y = around(output, v.map((row, i) => row.map((x, j) => x * u[i][j])));
  y.forEach((row, i) =>
    row.forEach((got, j) => {
      const want = g.flatMap((taps, r) => taps.map((w, c) => w * d[i + r][j + c])).reduce((a, b) => a + b);
      expect(got).toBeCloseTo(want, 10);
    }),
  );
});
