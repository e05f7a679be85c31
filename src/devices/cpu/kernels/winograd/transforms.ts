/**
 * The three transforms of F(4x4, 3x3), Winograd's minimal filtering: 16 results of a 3x3 window from 36 products instead of
 * 144 (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016):
 *
 *     Y = A^T [(G g G^T) . (B^T d B)] A      d: 6x6 inputs, g: 3x3 weights, Y: 4x4 results, '.' element by element
 *
 * by Toom and Cook's interpolation at the points p = 0, 1, -1, 1/2, -2 and infinity, whose error is about a fourth of that of the usual
 * 0, +-1, +-2 (Barabasz, Anderson, Soodhalter and Gregg, "Error analysis and improving the accuracy of Winograd convolution for deep
 * neural networks", ACM TOMS 46, 2020). Row j of A is p_j^0..3, of G p_j^0..2 / N_j, of B^T the coefficients of
 * prod over l != j of (x - p_l), where N_j is that at p_j; infinity picks the highest power. B^T and A^T so have only short
 * binary fractions. Written out below with what rows share; `transforms.test.ts` derives the matrices and compares.
 */
import type { Int, KernelBuilder, Vec } from '../../codegen/index.ts';

/** A line of results, of inputs, of weights. */
export const outputTile = 4;
export const inputTile = 6;
export const window = 3;
/** Products of a tile: one matrix product each. */
export const products = inputTile * inputTile;

/** A product with one of the matrices: a vector register each for its operands and its results. */
export type Transform = (b: KernelBuilder, x: readonly Vec[]) => Vec[];

const times = (b: KernelBuilder, factor: number, x: Vec, plus: Vec): Vec => b.fma('f32', x, b.splat('f32', factor), plus);

/** B^T d: 6 to 6. */
export const transformInput: Transform = (b, [d0, d1, d2, d3, d4, d5]) => {
  const even = b.sub('f32', d4, d2);
  const odd = b.sub('f32', d3, d1);
  return [
    times(b, 1.5, odd, b.add('f32', b.sub('f32', d0, d2), even)),
    times(b, 1.5, b.add('f32', d3, d2), b.add('f32', even, odd)),
    times(b, 1.5, b.sub('f32', d3, d2), b.sub('f32', even, odd)),
    times(b, 2, odd, even),
    times(b, -0.5, odd, even),
    times(b, 1.5, even, b.sub('f32', b.sub('f32', d5, d3), odd)),
  ];
};

/** G g: 3 to 6. */
export const transformWeights: Transform = (b, [g0, g1, g2]) => {
  const ends = b.add('f32', g0, g2);
  const third = b.splat('f32', 1 / 3);
  return [
    g0,
    b.mul('f32', b.add('f32', g1, ends), third),
    b.mul('f32', b.sub('f32', g1, ends), third),
    b.mul('f32', times(b, 0.25, g2, times(b, 0.5, g1, g0)), b.splat('f32', -16 / 15)),
    b.mul('f32', times(b, 4, g2, times(b, -2, g1, g0)), b.splat('f32', 1 / 15)),
    g2,
  ];
};

/** A^T m: 6 to 4. */
export const transformOutput: Transform = (b, [m0, m1, m2, m3, m4, m5]) => {
  const sum = b.add('f32', m1, m2);
  const difference = b.sub('f32', m1, m2);
  return [
    b.add('f32', b.add('f32', m0, sum), b.add('f32', m3, m4)),
    times(b, -2, m4, times(b, 0.5, m3, difference)),
    times(b, 4, m4, times(b, 0.25, m3, sum)),
    times(b, -8, m4, times(b, 0.125, m3, b.add('f32', difference, m5))),
  ];
};

/** Vectors in memory: `stride` bytes from one operand of a transform to the next, `step` from one line to the next. */
export interface Lines {
  readonly at: Int;
  readonly stride: number;
  readonly step: number;
}

/** Transforms `count` lines of `size` vectors, all read before any is written; pointers end where they began. */
export function emitLines(b: KernelBuilder, transform: Transform, count: number, size: number, from: Lines, to: Lines): void {
  b.loop(count, () => {
    emitLine(b, transform, size, from, to, 0);
    b.advance(from.at, from.step);
    b.advance(to.at, to.step);
  });
  b.advance(from.at, -count * from.step);
  b.advance(to.at, -count * to.step);
}

/** The same written out: for what is done often and waits for nothing else. */
export function emitLinesUnrolled(b: KernelBuilder, transform: Transform, count: number, size: number, from: Lines, to: Lines): void {
  for (let line = 0; line < count; line++) emitLine(b, transform, size, from, to, line);
}

function emitLine(b: KernelBuilder, transform: Transform, size: number, from: Lines, to: Lines, line: number): void {
  const x = Array.from({ length: size }, (_, i) => b.load('f32', b.at(from.at, i * from.stride + line * from.step)));
  transform(b, x).forEach((y, i) => b.store('f32', b.at(to.at, i * to.stride + line * to.step), y));
}
