/**
 * contract: sums of products over packed weights, the heart of convolution and matrix multiplication.
 *
 * The register tile is R rows (output pixels, rows of A) x V vectors (output channels, columns of B). A step of k loads V
 * weight vectors once, repeats one element of each row in all lanes, and makes R * V fused multiply-adds:
 *
 *     registers   R * V accumulators + V weights + 1 repeated element     14 * 2 + 2 + 1 = 31 of 32 (AVX-512)
 *     loads       V + R for R * V multiply-adds                           16 for 28: half of what two load ports give
 *
 * The tile's rows lie at offsets known at compile time, so a row may be a pixel of the next line as well as of this one.
 */
import type { Int, Isa, KernelBuilder, Vec } from '../codegen/index.ts';

export type FloatElem = 'f32' | 'f64';

/** One loop over terms: rounds, and how far the rows' elements lie apart. Weights are packed in the order of the loops. */
export interface TermAxis {
  readonly extent: number;
  readonly strideBytes: number;
}

export interface Tile {
  readonly elem: FloatElem;
  /** Where each row's elements begin, relative to the row pointer. */
  readonly rowBytes: readonly number[];
  readonly vectors: number;
  /** The weights are more than the first-level cache holds, and are read once a tile: fetched ahead. */
  readonly streams?: boolean;
  /** What will be read after this, fetched into the second-level cache meanwhile: a whole number of bytes a term. `at` is moved. */
  readonly next?: { readonly at: Int; readonly bytes: number };
}

/**
 * How far ahead weights are fetched. Hardware prefetchers stop at the end of a 4 KiB page, where a tile would wait for the
 * third-level cache; two pages ahead was best on a Xeon (ResNet-50: 42.9 ms -> 40.1 ms; 1 to 4 KiB gained less).
 */
const prefetchBytes = 8192;

export interface TileShape {
  readonly rows: number;
  readonly vectors: number;
}

/** Whether a tile's accumulators, weights and repeated element fit into the registers. */
export function fits(isa: Isa, { rows, vectors }: TileShape): boolean {
  const repeated = vectors === 1 && isa.splatOperands ? 0 : 1;
  return (rows + 1) * registersOf(isa, vectors) + repeated <= isa.vectorRegisters;
}

/** Registers, and operations on them, that neighbouring vectors come to. */
export const registersOf = (isa: Isa, vectors: number): number => (isa.pairs && vectors % 2 === 0 ? vectors / 2 : vectors);

/**
 * Finishes vectors 0..count-1 of a row: computes what each becomes, then stores it; of paired vectors both are computed before
 * either is stored, for V8 pairs no loads that a store stands between.
 */
export function finishVectors<T>(isa: Isa, count: number, compute: (v: number) => T, store: (v: number, results: T) => void): void {
  const together = isa.pairs ? 2 : 1;
  for (let first = 0; first < count; first += together) {
    const results = Array.from({ length: Math.min(together, count - first) }, (_, i) => compute(first + i));
    results.forEach((result, i) => store(first + i, result));
  }
}

/** The most rows that fit beside `vectors` vectors. */
export function mostRows(isa: Isa, vectors: number): number {
  let rows = 1;
  while (fits(isa, { rows: rows + 1, vectors })) rows++;
  return rows;
}

/** Widths as equal as can be, none above `most`. */
export function evenParts(total: number, most: number): [number, number][] {
  const parts = Math.ceil(total / most);
  return Array.from({ length: parts }, (_, i) => {
    const from = Math.floor((i * total) / parts);
    return [from, Math.floor(((i + 1) * total) / parts) - from];
  });
}

/** Merges loops that the rows walk as one; drops those of one round. */
function mergeTerms(axes: readonly TermAxis[]): TermAxis[] {
  const merged: TermAxis[] = [];
  for (const axis of axes) {
    if (axis.extent === 1) continue;
    const last = merged[merged.length - 1];
    if (last && last.strideBytes === axis.strideBytes * axis.extent) {
      merged[merged.length - 1] = { extent: last.extent * axis.extent, strideBytes: axis.strideBytes };
    } else merged.push(axis);
  }
  return merged.length > 0 ? merged : [{ extent: 1, strideBytes: 0 }];
}

/**
 * How many terms are written out in the innermost loop: enough to hide the loop, no more, for code costs time to make (eight ran
 * no faster than four, and made a third more of it). On wasm a loop has no rest, since only in a loop are there fences.
 */
function unrollFor(isa: Isa, extent: number): number {
  if (isa.name === 'wasm') return [4, 3, 2].find((n) => extent % n === 0 && extent > n) ?? 1;
  return extent <= 6 ? extent : ([4, 6, 5, 3].find((n) => extent % n === 0) ?? 4);
}

/**
 * The multiply-adds of `count` terms; moves both pointers past them. V8 would move all loads before the multiply-adds, for which
 * it lacks the registers: in a loop, fences between the rows keep them apart (6 x 2 vectors with them run at 57, without at 37, the
 * largest tile that fits without, 4 x 2, at 50 GFLOP/s).
 */
function emitTerms(b: KernelBuilder, tile: Tile, strideBytes: number, rows: Int, weights: Int, sums: readonly Vec[], count: number, looped = false): void {
  const fenced = looped && b.isa.name === 'wasm' && !b.isa.pairs;
  const { elem, rowBytes, vectors } = tile;
  const vectorBytes = b.isa.vectorBytes;
  if (tile.next) {
    for (let offset = 0; offset < count * tile.next.bytes; offset += 64) b.prefetch(b.at(tile.next.at, offset), 2);
    b.advance(tile.next.at, count * tile.next.bytes);
  }
  for (let k = 0; k < count; k++) {
    const at = (v: number) => (k * vectors + v) * vectorBytes;
    if (tile.streams) for (let v = 0; v < vectors; v++) b.prefetch(b.at(weights, at(v) + prefetchBytes), 1);
    const w = Array.from({ length: vectors }, (_, v) => b.load(elem, b.at(weights, at(v))));
    rowBytes.forEach((offset, r) => {
      const element = b.splatAt(rows, offset + k * strideBytes);
      if (vectors === 1 && b.isa.splatOperands) return b.accumulate(elem, sums[r], w[0], element);
      const repeated = b.load(elem, element);
      for (let v = 0; v < vectors; v++) b.accumulate(elem, sums[r * vectors + v], repeated, w[v]);
      if (fenced && (k < count - 1 || r < rowBytes.length - 1)) b.fence(weights);
    });
  }
  b.advance(weights, count * vectors * vectorBytes);
  b.advance(rows, count * strideBytes);
}

/**
 * sums[r * V + v] += sum over the terms of row element * weight. `rows` and `weights` are moved: the weights end after the
 * tile's last, the rows where they began.
 */
export function emitContraction(
  b: KernelBuilder,
  tile: Tile,
  axes: readonly TermAxis[],
  rows: Int,
  weights: Int,
  sums: readonly Vec[],
): void {
  const merged = mergeTerms(axes);
  const loop = (axis: number): void => {
    const { extent, strideBytes } = merged[axis];
    if (axis < merged.length - 1) {
      b.loop(extent, () => {
        loop(axis + 1);
        b.advance(rows, strideBytes);
      });
    } else {
      const unroll = unrollFor(b.isa, extent);
      b.loop(Math.floor(extent / unroll), () => emitTerms(b, tile, strideBytes, rows, weights, sums, unroll, extent > unroll));
      if (extent % unroll > 0) emitTerms(b, tile, strideBytes, rows, weights, sums, extent % unroll);
    }
    b.advance(rows, -extent * strideBytes);
  };
  loop(0);
}

/** Terms written out in a block of a long sum that is cut into blocks. */
export const blockUnroll = 4;

/** As emitContraction, for one block of a long sum: `rounds` times `blockUnroll` terms, then `rest` more where `last` holds. */
export function emitBlock(
  b: KernelBuilder,
  tile: Tile,
  strideBytes: number,
  rows: Int,
  weights: Int,
  sums: readonly Vec[],
  block: { rounds: Int; rest: number; last: Int },
): void {
  b.loop(block.rounds, () => emitTerms(b, tile, strideBytes, rows, weights, sums, blockUnroll, true));
  if (block.rest > 0) b.if(block.last, () => emitTerms(b, tile, strideBytes, rows, weights, sums, block.rest));
}

/** A tile's accumulators, all zero. */
export const emitAccumulators = (b: KernelBuilder, { elem, rowBytes, vectors }: Tile): Vec[] =>
  Array.from({ length: rowBytes.length * vectors }, () => b.variable(elem, 0));
