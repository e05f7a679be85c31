/**
 * gemm: C = A x B with B packed into panels of V vectors, [panel][k][V * lanes], the last panel filled up with zeros.
 * Blocking as in BLIS (Van Zee and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS functionality", ACM TOMS
 * 41, 2015): KC terms of a panel stay in cache while all row tiles of the task (MR rows each) pass by.
 * A is read where it lies, or packed [tile][k][MR] where its rows would fall on each other in the cache.
 */
import type { DType } from '../../../graph/index.ts';
import { elemBytes, type Int, type Isa, KernelBuilder, lanesOf, type Vec } from '../codegen/index.ts';
import { blockUnroll, emitAccumulators, emitBlock, emitContraction, finishVectors, fits, type FloatElem, mostRows, registersOf, type Tile, type TileShape } from './contract.ts';
import { emitExpression, emitLeaf, type Expression } from './expression.ts';
import type { TaskedKernel } from './map.ts';
import { bytesOf, fewTasks, loadArguments, type StridedOperand } from './nest.ts';
import { emitStore, type EmitMode } from './pointwise/index.ts';

export interface GemmSpec {
  readonly name: string;
  readonly elem: FloatElem;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Batch axes, outermost first, with what A and B move along each, in elements. */
  readonly batch: readonly { readonly extent: number; readonly a: number; readonly b: number }[];
  readonly tile: TileShape;
  /** A's strides in elements, or packed into tiles of `tile.rows` rows. */
  readonly a: { readonly packed: true } | { readonly packed: false; readonly row: number; readonly k: number };
  /** First leaf: the sums. */
  readonly after: Expression;
  /** Other leaves of `after`, then its one result; strides over [...batch, row, column]. */
  readonly operands: readonly StridedOperand[];
}

/** Multiply-adds a task should have at least. */
const grain = 256 * 1024;
/**
 * Bytes of a panel's block, from the second-level cache: a tile reads 13 bytes of panel and A a cycle, and saves its partial
 * sums the way to C and back (on a Xeon 1024 x 1024 went from 202 to 219 GFLOP/s with blocks of 128 instead of 32 KiB).
 */
const panelBytes = 128 * 1024;

/** The register tile for a shape: the one with the fewest cycles, padding counted in. */
export function tileGemm(isa: Isa, elem: FloatElem, m: number, n: number, k: number): TileShape {
  const lanes = lanesOf(isa, elem);
  let best: (TileShape & { cycles: number }) | undefined;
  for (const vectors of [1, 2, 3, 4, 6, 8]) {
    const panels = Math.ceil(n / (vectors * lanes));
    if (vectors > 1 && (Math.ceil(n / lanes) < vectors || !fits(isa, { rows: 1, vectors }))) continue;
    const most = mostRows(isa, vectors);
    const tiles = Math.ceil(m / most);
    const rows = m <= most ? m : tiles < 4 ? Math.ceil(m / tiles) : most;
    const weights = k * vectors * isa.vectorBytes > panelBytes / 2 && tiles < 3 ? (vectors * isa.vectorBytes) / 16 : 0;
    const width = registersOf(isa, vectors);
    const cycles = (r: number) => Math.max((r * width) / 2, (r + width) / 2, 4, weights) + 1;
    const rest = m % rows;
    const total = panels * (Math.floor(m / rows) * cycles(rows) + (rest > 0 ? cycles(rest) : 0));
    if (!best || total < best.cycles) best = { rows, vectors, cycles: total };
  }
  const { rows, vectors } = best as TileShape;
  return { rows, vectors };
}

/**
 * Parts of about 256 x 256 results: A's rows and B's columns of a part stay in the second-level cache, and what is read from
 * beyond it is read for 256 multiply-adds. Smaller ones only where there would be too few for the threads.
 */
function cutTasks(batch: number, m: number, n: number, k: number, tiles: number, panels: number): { mParts: number; nParts: number } {
  const wanted = Math.max(1, Math.min(fewTasks, Math.floor((batch * m * n * k) / grain)));
  let mParts = Math.min(tiles, Math.ceil(m / 256));
  let nParts = Math.min(panels, Math.ceil(n / 256));
  while (batch * mParts * nParts < wanted && (mParts < tiles || nParts < panels)) {
    const cutsRows = nParts >= panels || (mParts < tiles && m / mParts >= n / nParts);
    if (cutsRows) mParts = Math.min(tiles, mParts * 2);
    else nParts = Math.min(panels, nParts * 2);
  }
  return { mParts, nParts };
}

/** How k is cut: the partial sums of all blocks but the last wait in C. */
export function blocksOfK(isa: Isa, { elem, m, k, tile, after }: Pick<GemmSpec, 'elem' | 'm' | 'k' | 'tile' | 'after'>): { blocks: number; kc: number } {
  const dtype: DType = elem === 'f64' ? 'float64' : 'float32';
  const mayBlock = after.results.length === 1 && after.results[0].dtype === dtype && m > tile.rows;
  const step = blockUnroll;
  const kcMost = Math.max(step, Math.floor(panelBytes / (tile.vectors * isa.vectorBytes) / step) * step);
  const blocks = mayBlock ? Math.ceil(k / kcMost) : 1;
  return { blocks, kc: blocks === 1 ? k : Math.ceil(k / blocks / step) * step };
}

export function gemmKernel(isa: Isa, spec: GemmSpec): TaskedKernel {
  const { elem, m, n, k, tile: shape, after, operands } = spec;
  const { rows: tileRows, vectors } = shape;
  const mode: EmitMode = { kind: 'vector', elem };
  const size = elemBytes(elem);
  const lanes = lanesOf(isa, elem);
  const panelWidth = vectors * lanes;
  const panels = Math.ceil(n / panelWidth);
  const tiles = Math.ceil(m / tileRows);
  const batch = spec.batch.reduce((p, axis) => p * axis.extent, 1);

  const step = blockUnroll;
  const { blocks, kc } = blocksOfK(isa, spec);

  // ---- tasks: [batch][row tiles][panels]
  const { mParts, nParts } = cutTasks(batch, m, n, k, tiles, panels);
  const tileChunk = Math.ceil(tiles / mParts);
  const panelChunk = Math.ceil(panels / nParts);
  const tileChunks = Math.ceil(tiles / tileChunk);
  const panelChunks = Math.ceil(panels / panelChunk);
  const tasks = batch * tileChunks * panelChunks;

  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const [aStart, bStart, ...pointers] = loadArguments(b, args, 2 + operands.length);
  const rank = spec.batch.length;
  const bytes = (i: number, axis: number) => operands[i].strides[axis] * bytesOf(operands[i].dtype);
  const aRow = spec.a.packed ? size : spec.a.row * size;
  const aTerm = spec.a.packed ? tileRows * size : spec.a.k * size;
  const aTile = spec.a.packed ? k * tileRows * size : spec.a.row * tileRows * size;

  let rest: Int = task;
  const take = (count: number): Int | undefined => {
    if (count === 1) return undefined;
    const index = b.integer('irem', rest, count);
    rest = b.integer('idiv', rest, count);
    return index;
  };
  const moveBy = (pointer: Int, index: Int | undefined, strideBytes: number) => {
    if (index && strideBytes !== 0) b.advance(pointer, b.integer('imul', index, strideBytes));
  };
  const panelPart = take(panelChunks);
  const tilePart = take(tileChunks);
  for (let axis = rank - 1; axis >= 0; axis--) {
    const index = take(spec.batch[axis].extent);
    moveBy(aStart, index, spec.batch[axis].a * size);
    moveBy(bStart, index, spec.batch[axis].b * size);
    pointers.forEach((p, i) => moveBy(p, index, bytes(i, axis)));
  }
  moveBy(aStart, tilePart, tileChunk * aTile);
  moveBy(bStart, panelPart, panelChunk * k * panelWidth * size);
  pointers.forEach((p, i) => {
    moveBy(p, tilePart, tileChunk * tileRows * bytes(i, rank));
    moveBy(p, panelPart, panelChunk * panelWidth * bytes(i, rank + 1));
  });

  const leafCount = after.leaves.length - 1;
  const place = (i: number, r: number, v: number) => r * bytes(i, rank) + v * lanes * bytes(i, rank + 1);
  const emitTile = (rows: number, columns: number, a: Int, w: Int, block?: { first: Int; last: Int; rounds: Int }) => {
    const used = Math.ceil(columns / lanes);
    const tile: Tile = { elem, vectors, rowBytes: Array.from({ length: rows }, (_, r) => r * aRow) };
    const count = (v: number) => Math.max(0, Math.min(lanes, columns - v * lanes));
    const sums = emitAccumulators(b, tile);
    const each = (body: (r: number, v: number, sum: Vec) => void) => {
      for (let r = 0; r < rows; r++) for (let v = 0; v < used; v++) body(r, v, sums[r * vectors + v]);
    };
    const result = leafCount;
    const finishRow = (r: number) => {
      const compute = (v: number) => {
        const others = after.leaves.slice(1).map((leaf, i) => () => emitLeaf(b, mode, leaf, pointers[i], operands[i].strides[rank + 1], place(i, r, v), count(v)));
        return emitExpression(b, mode, after, [{ kind: 'vec', elem, reg: sums[r * vectors + v] }, ...others]);
      };
      finishVectors(isa, used, compute, (v, results) =>
        results.forEach((value, j) => emitStore(b, mode, operands[result + j].dtype, b.at(pointers[result + j], place(result + j, r, v)), value, count(v))),
      );
    };
    const finish = () => tile.rowBytes.forEach((_, r) => finishRow(r));
    if (!block) {
      emitContraction(b, tile, [{ extent: k, strideBytes: aTerm }], b.move(a), b.move(w), sums);
      return finish();
    }
    const partial = (r: number, v: number) => b.at(pointers[result], place(result, r, v));
    b.if(b.icompare('eq', block.first, 0), () => each((r, v, sum) => b.load(elem, partial(r, v), count(v), sum)));
    const kRest = (k - (blocks - 1) * kc) % step;
    emitBlock(b, tile, aTerm, b.move(a), b.move(w), sums, { rounds: block.rounds, rest: kRest, last: block.last });
    b.if(block.last, finish, () => each((r, v, sum) => b.store(elem, partial(r, v), sum, count(v))));
  };

  // ---- the nest: blocks of k, panels, row tiles
  const tileCount = countOf(b, tilePart, tileChunk, tiles, tileChunks);
  const panelCount = countOf(b, panelPart, panelChunk, panels, panelChunks);
  const lastRows = m - (tiles - 1) * tileRows;
  const lastColumns = n - (panels - 1) * panelWidth;
  const moveAll = (axis: number, by: Int | number) =>
    pointers.forEach((p, i) => {
      if (typeof by === 'number') b.advance(p, by * bytes(i, axis));
      else moveBy(p, by, bytes(i, axis));
    });
  const rowTiles = (columns: number, a: Int, w: Int, block?: { first: Int; last: Int; rounds: Int }) => {
    const at = b.move(a);
    const walk = (count: Int | number, rows: number) =>
      b.loop(count, () => {
        emitTile(rows, columns, at, w, block);
        b.advance(at, aTile);
        moveAll(rank, tileRows);
      });
    if (lastRows === tileRows) walk(tileCount.rounds, tileRows);
    else {
      walk(tileCount.whole, tileRows);
      tileCount.whenLast(() => walk(1, lastRows));
    }
    if (typeof tileCount.rounds === 'number') moveAll(rank, -tileCount.rounds * tileRows);
    else moveAll(rank, b.integer('imul', tileCount.rounds, -tileRows));
  };
  const panelLoop = (a: Int, w: Int, block?: { first: Int; last: Int; rounds: Int }) => {
    const walk = (count: Int | number, columns: number) =>
      b.loop(count, () => {
        rowTiles(columns, a, w, block);
        b.advance(w, k * panelWidth * size);
        moveAll(rank + 1, panelWidth);
      });
    if (lastColumns === panelWidth) walk(panelCount.rounds, panelWidth);
    else {
      walk(panelCount.whole, panelWidth);
      panelCount.whenLast(() => walk(1, lastColumns));
    }
    if (typeof panelCount.rounds === 'number') moveAll(rank + 1, -panelCount.rounds * panelWidth);
    else moveAll(rank + 1, b.integer('imul', panelCount.rounds, -panelWidth));
  };
  if (blocks === 1) panelLoop(aStart, bStart);
  else {
    const index = b.int(0);
    b.loop(blocks, () => {
      const last = b.icompare('eq', index, blocks - 1);
      const lastK = k - (blocks - 1) * kc;
      const rounds = b.iselect(last, b.int(Math.floor(lastK / step)), b.int(kc / step));
      panelLoop(aStart, b.move(bStart), { first: b.icompare('eq', index, 0), last, rounds });
      b.integer('iadd', index, 1, index);
      b.advance(aStart, kc * aTerm);
      b.advance(bStart, kc * panelWidth * size);
    });
  }
  return { code: b.finish(), tasks };
}

/** How many of `total` a task has: all of its chunk, fewer in the last; `whole` leaves out the overall last, partial one. */
function countOf(b: KernelBuilder, part: Int | undefined, chunk: number, total: number, chunks: number) {
  if (!part) return { rounds: total, whole: total - 1, whenLast: (body: () => void) => body() };
  const isLast = b.icompare('eq', part, chunks - 1);
  const lastChunk = total - (chunks - 1) * chunk;
  const pick = (whenLast: number, otherwise: number) =>
    whenLast === otherwise ? otherwise : b.iselect(isLast, b.int(whenLast), b.int(otherwise));
  return {
    rounds: pick(lastChunk, chunk),
    whole: pick(lastChunk - 1, chunk),
    whenLast: (body: () => void) => b.if(isLast, body),
  };
}
