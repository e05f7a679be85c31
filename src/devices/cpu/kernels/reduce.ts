/**
 * reduce: results over kept axes, each an expression of a sum (mean, product, extremum) over reduced axes of an expression
 * of the operands. Reductions, pooling (the window's axes are reduced, its overlapping view is only strides), odd
 * convolutions (a product summed over the window) and the parts of normalisation are all this.
 *
 * Sums are blocked: at most 256 terms go into an accumulator before that goes into the next one, so the error grows with the
 * logarithm of the length (N. J. Higham, "The accuracy of floating point summation", SIAM J. Sci. Comput. 14, 1993).
 */
import type { DType, Value } from '../../../graph/index.ts';
import { type Isa, KernelBuilder, lanesOf, type Long, type Vec } from '../codegen/index.ts';
import { emitExpression, emitLeaf, type Expression } from './expression.ts';
import type { TaskedKernel } from './map.ts';
import { unsignedDivide } from './math/index.ts';
import { bytesOf, coalesce, enterTask, loadArguments, loopAxes, splitTasks, type StridedOperand } from './nest.ts';
import { canVectorise, compareLongs, type EmitMode, emitStore, type Lane } from './pointwise/index.ts';

export type Reduction = 'sum' | 'mean' | 'prod' | 'max' | 'min';

export interface ReduceSpec {
  readonly name: string;
  readonly kept: readonly number[];
  readonly reduced: readonly number[];
  readonly operation: Reduction;
  /** max and min: whether a NaN among the terms is the result (reductions) or is passed over (pooling). */
  readonly propagateNaN: boolean;
  /** One result: the terms. */
  readonly before: Expression;
  /** Its first leaf is the reduced value. */
  readonly after: Expression;
  /**
   * Leaves of `before` (strides over kept then reduced axes), leaves of `after` but the first, results of `after`
   * (strides 0 over the reduced axes): the order of the kernel's arguments.
   */
  readonly operands: readonly StridedOperand[];
  /** As in MapSpec, for the last kept axis. */
  readonly valid?: number;
}

const grain = 16 * 1024;
const block = 256;
const neutral: Record<Reduction, number> = { sum: 0, mean: 0, prod: 1, max: -Infinity, min: Infinity };
const longNeutral: Record<Reduction, bigint> = { sum: 0n, mean: 0n, prod: 1n, max: -(2n ** 63n), min: 2n ** 63n - 1n };
/** As registers hold unsigned 64-bit numbers: the greatest has all bits set. */
const uint64Neutral: Record<Reduction, bigint> = { ...longNeutral, max: 0n, min: -1n };

/** A partial last block counts as whole lanes only where somebody writes its padding. */
function withoutPadding(spec: ReduceSpec): ReduceSpec {
  const results = spec.operands.slice(spec.operands.length - spec.after.results.length);
  if (spec.valid === undefined || results.some(({ padded }) => padded)) return spec;
  return { ...spec, kept: [...spec.kept.slice(0, -1), spec.valid], valid: undefined };
}

export function reduceKernel(isa: Isa, given: ReduceSpec): TaskedKernel {
  const spec = withoutPadding(given);
  const { before, after, operation, valid } = spec;
  const axes = coalesce(
    { extents: [...spec.kept, ...spec.reduced], operands: spec.operands },
    valid === undefined ? [] : [spec.kept.length - 1],
    spec.kept.length,
  );
  const { extents, operands, kept: keptCount } = axes;
  const leafCount = before.leaves.length;
  const resultAt = leafCount + after.leaves.length - 1;
  const count = spec.reduced.reduce((a, c) => a * c, 1);
  const work = extents.reduce((a, c) => a * c, 1);

  const float = before.results[0].dtype;
  const elem = float === 'float64' ? 'f64' : 'f32';
  const values: Value[] = [...before.leaves, ...before.results, ...after.leaves, ...after.results];
  const vectorisable =
    (float === 'float32' || float === 'float64') &&
    values.every(({ dtype }) => dtype === float) &&
    canVectorise([...before.nodes, ...after.nodes]);
  const unit = (axis: number, from: number, to: number) =>
    axis >= 0 && operands.slice(from, to).every(({ strides }) => strides[axis] === 0 || strides[axis] === 1);
  const laneAxis = keptCount - 1;
  const lastAxis = extents.length - 1;
  const lanesFull = lanesOf(isa, elem);
  const acrossKept = vectorisable && unit(laneAxis, 0, operands.length) && extents[laneAxis] > 1;
  const acrossReduced =
    vectorisable && !acrossKept && lastAxis >= keptCount && operation !== 'prod' && unit(lastAxis, 0, leafCount) && extents[lastAxis] >= lanesFull;
  const mode: EmitMode = acrossKept || acrossReduced ? { kind: 'vector', elem } : { kind: 'scalar' };
  const lanes = mode.kind === 'vector' ? lanesFull : 1;

  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const pointers = loadArguments(b, args, operands.length);
  const bytesAlong = (i: number, axis: number) => (axis < 0 ? 0 : operands[i].strides[axis] * bytesOf(operands[i].dtype));

  // ---- accumulators: one a position of the tile
  const isLong = mode.kind === 'scalar' && float !== 'float32' && float !== 'float64';
  const fresh = (): Lane =>
    isLong
      ? { kind: 'long', reg: b.long((float === 'uint64' ? uint64Neutral : longNeutral)[operation]) }
      : { kind: 'vec', elem, reg: b.variable(elem, neutral[operation]) };
  const combine = (into: Lane, term: Lane): void => {
    if (into.kind === 'long') combineLong(b, operation, float, into.reg, (term as { reg: Long }).reg);
    else combineVec(b, elem, operation, spec.propagateNaN, into.reg as Vec, (term as { reg: Vec }).reg);
  };

  /** A tile: positions (lane vectors and columns) that are reduced side by side. */
  interface Position {
    readonly column: number;
    readonly at: number;
    readonly count: number;
    readonly padding: boolean;
  }
  const columnAxis = laneAxis - 1;
  const offsetOf = (i: number, { column, at }: Position) =>
    column * bytesAlong(i, columnAxis) + at * bytesAlong(i, laneAxis);
  const stride = (i: number, axis: number) => (axis < 0 ? 0 : operands[i].strides[axis]);
  const lanesRead = (i: number, p: Position) => (p.padding && operands[i].padded ? lanes : p.count);

  /** What the terms of the tile at the pointers are made of, one position after the other; equal loads are made once. */
  const eachTerm = (
    tile: readonly Position[],
    readAxis: number,
    use: (inputs: readonly Lane[], position: number) => void,
    count?: number,
    extraBytes?: (i: number) => number,
  ): void => {
    const loaded = new Map<string, Lane>();
    tile.forEach((position, at) => {
      const inputs = before.leaves.map((leaf, i) => {
        const offset = offsetOf(i, position) + (extraBytes?.(i) ?? 0);
        const lanesHere = count ?? lanesRead(i, position);
        const key = `${i}:${offset}:${lanesHere}`;
        let lane = loaded.get(key);
        if (!lane) loaded.set(key, (lane = emitLeaf(b, mode, leaf, pointers[i], stride(i, readAxis), offset, lanesHere)));
        return lane;
      });
      use(inputs, at);
    });
  };
  const termOf = (inputs: readonly Lane[]): Lane => emitExpression(b, mode, before, inputs)[0];
  /** A sum of products is multiply-adds: convolutions and products that have no better kernel. */
  const isProduct = (operation === 'sum' || operation === 'mean') && before.leaves.length === 2 && before.nodes.length === 1 && before.nodes[0].op === 'Mul';
  const addTerm = (into: Lane, inputs: readonly Lane[]): void => {
    const [x, y] = inputs;
    if (isProduct && into.kind === 'vec' && x.kind === 'vec' && y.kind === 'vec') b.accumulate(elem, into.reg, x.reg, y.reg);
    else combine(into, termOf(inputs));
  };

  /** Adds the terms of reduced axes `axis`... to the accumulators. */
  const reduceAxes = (axis: number, tile: readonly Position[], sums: readonly Lane[]): void => {
    const end = acrossReduced ? lastAxis : extents.length;
    if (axis >= end) {
      if (acrossReduced) return reduceLanes(tile[0], sums[0]);
      eachTerm(tile, laneAxis, (inputs, i) => addTerm(sums[i], inputs));
      return;
    }
    const inner = extents.slice(axis + 1).reduce((a, c) => a * c, 1);
    const blocked = operation === 'sum' || operation === 'mean';
    const walk = (rounds: number, into: readonly Lane[]) => {
      const separate = blocked && inner >= 16 && rounds > 1;
      loopOver(axis, rounds, () => {
        const own = separate ? into.map(fresh) : into;
        reduceAxes(axis + 1, tile, own);
        if (separate) into.forEach((sum, i) => combine(sum, own[i]));
      });
    };
    const extent = extents[axis];
    if (!blocked || inner >= 16 || extent <= block) return walk(extent, sums);
    inBlocks(extent, block, (rounds) => {
      const own = sums.map(fresh);
      walk(rounds, own);
      sums.forEach((sum, i) => combine(sum, own[i]));
    }, (rounds) => pointers.slice(0, leafCount).forEach((p, i) => b.advance(p, rounds * bytesAlong(i, axis))));
  };
  /** Runs `rounds` of an axis; the leaves' pointers are back afterwards. */
  const loopOver = (axis: number, rounds: number, body: () => void) => {
    const only = { extents, operands: operands.slice(0, leafCount) };
    if (rounds === 1) return body();
    loopAxes(b, only, axis, axis + 1, pointers.slice(0, leafCount), rounds, body);
  };
  const inBlocks = (extent: number, size: number, body: (rounds: number) => void, move: (rounds: number) => void) => {
    const full = Math.floor(extent / size);
    b.loop(full, () => {
      body(size);
      move(size);
    });
    if (extent % size > 0) body(extent % size);
    move(-full * size);
  };

  /** Lanes along the last reduced axis: four accumulators, then the lanes among themselves. */
  const reduceLanes = (position: Position, sum: Lane) => {
    const extent = extents[lastAxis];
    const vectors = Math.floor(extent / lanes);
    const rest = extent % lanes;
    const leaves = pointers.slice(0, leafCount);
    const along = leaves.map((_, i) => bytesAlong(i, lastAxis));
    const add = (into: Lane, vector: number, shift = 0) =>
      eachTerm([position], lastAxis, (inputs) => addTerm(into, inputs), lanes, (i) => (vector * lanes + shift) * along[i]);
    const width = vectors >= 8 ? 4 : 1;
    const chunk = (rounds: number) => {
      const own = Array.from({ length: width }, fresh);
      b.loop(rounds, () => {
        for (let u = 0; u < width; u++) add(own[u], u);
        leaves.forEach((p, i) => b.advance(p, width * lanes * along[i]));
      });
      for (let step = width >> 1; step > 0; step >>= 1) for (let u = 0; u < step; u++) combine(own[u], own[u + step]);
      combine(sum, own[0]);
    };
    const rounds = Math.floor(vectors / width);
    const full = Math.floor(rounds / block);
    if (full > 0) b.loop(full, () => chunk(block));
    if (rounds % block > 0) chunk(rounds % block);
    const left = vectors - rounds * width;
    for (let v = 0; v < left; v++) add(sum, v);
    if (rest > 0) {
      if (operation === 'sum' || operation === 'mean') {
        const addRest = (inputs: readonly Lane[]) => {
          const last = termOf(inputs) as Lane & { reg: Vec };
          combine(sum, { kind: 'vec', elem, reg: b.firstLanes(elem, last.reg, rest) });
        };
        eachTerm([position], lastAxis, addRest, rest, (i) => left * lanes * along[i]);
      } else {
        add(sum, left, rest - lanes); // extrema may see an element twice
      }
    }
    leaves.forEach((p, i) => b.advance(p, -rounds * width * lanes * along[i]));
  };

  const finish = (position: Position, sum: Lane) => {
    let value = sum;
    if (acrossReduced && sum.kind === 'vec') {
      const op = operation === 'max' ? 'reduceMax' : operation === 'min' ? 'reduceMin' : 'reduceAdd';
      value = { ...sum, reg: spec.propagateNaN && op !== 'reduceAdd' ? reduceWithNaN(b, elem, op, sum.reg) : b.reduce(op, elem, sum.reg) };
    }
    if (operation === 'mean') value = divide(b, value, count, float);
    const others = after.leaves.slice(1).map((leaf, j) => {
      const i = leafCount + j;
      return () => emitLeaf(b, mode, leaf, pointers[i], acrossReduced ? 0 : stride(i, laneAxis), offsetOf(i, position), lanesRead(i, position));
    });
    emitExpression(b, mode, after, [value, ...others]).forEach((lane, j) => {
      const i = resultAt + j;
      const mem = b.at(pointers[i], offsetOf(i, position));
      const whole = position.padding && operands[i].padded === true;
      const kept = whole && lane.kind === 'vec' ? { ...lane, reg: b.firstLanes(lane.elem, lane.reg, position.count) } : lane;
      emitStore(b, mode, operands[i].dtype, mem, kept, whole ? lanes : position.count);
    });
  };
  const zeroPadding = (position: Position) => {
    for (let i = resultAt; i < operands.length; i++) {
      if (operands[i].padded) b.store(elem, b.at(pointers[i], offsetOf(i, position)), b.variable(elem, 0));
    }
  };
  const reduceTile = (positions: readonly Position[]) => {
    const tile = positions.filter(({ count: lanesThere }) => lanesThere > 0);
    const sums = tile.map(fresh);
    reduceAxes(keptCount, tile, sums);
    tile.forEach((position, i) => finish(position, sums[i]));
    positions.filter((position) => !tile.includes(position)).forEach(zeroPadding);
  };

  // ---- the kept axes
  if (keptCount === 0) {
    reduceTile([{ column: 0, at: 0, count: 1, padding: false }]);
    return { code: b.finish(), tasks: 1 };
  }
  const keptAxes = { extents: extents.slice(0, keptCount), operands };
  const laneExtent = acrossKept ? extents[laneAxis] : 1;
  const vectors = acrossKept ? laneVectors(laneExtent, lanes, valid) : [{ at: 0, count: 1, padding: false }];
  const wide = acrossKept && vectors.length > 4;
  // Axes that tasks may cut: all kept ones but the lanes; a lone long lane axis is cut by whole tiles.
  const tileWidth = wide ? 4 * lanes : laneExtent;
  const cut = acrossKept ? [...keptAxes.extents.slice(0, -1), wide ? Math.floor(laneExtent / tileWidth) : 1] : keptAxes.extents;
  const cutAxes = {
    extents: cut,
    operands: operands.map((operand) => ({
      ...operand,
      strides: operand.strides.slice(0, keptCount).map((s, axis) => (acrossKept && axis === laneAxis ? s * tileWidth : s)),
    })),
  };
  const split = splitTasks(cut, work, grain);
  const { rounds, lastChunk } = enterTask(b, task, cutAxes, split, pointers);
  const all = (column: number) => vectors.map((vector) => ({ ...vector, column }));

  if (wide) {
    const full = laneVectors(tileWidth, lanes, undefined);
    const rest = laneVectors(laneExtent % tileWidth, lanes, undefined);
    const tile = (v: typeof full) => reduceTile(v.map((vector) => ({ ...vector, column: 0 })));
    const tiles = cut[laneAxis];
    if (split.axis === laneAxis) {
      b.loop(rounds, () => {
        tile(full);
        pointers.forEach((p, i) => b.advance(p, tileWidth * bytesAlong(i, laneAxis)));
      });
      if (rest.length > 0 && lastChunk) b.if(lastChunk, () => tile(rest));
      else if (rest.length > 0) tile(rest);
    } else {
      loopAxes(b, cutAxes, split.axis, laneAxis, pointers, rounds, () => {
        loopAxes(b, cutAxes, laneAxis, laneAxis + 1, pointers, undefined, () => tile(full));
        if (rest.length === 0) return;
        pointers.forEach((p, i) => b.advance(p, tiles * tileWidth * bytesAlong(i, laneAxis)));
        tile(rest);
        pointers.forEach((p, i) => b.advance(p, -tiles * tileWidth * bytesAlong(i, laneAxis)));
      });
    }
    return { code: b.finish(), tasks: split.tasks };
  }
  const columns = acrossKept && columnAxis >= split.axis + (split.tasks > 1 ? 1 : 0) ? columnTile(vectors.length, extents[columnAxis]) : 1;
  const loopEnd = acrossKept ? laneAxis : keptCount;
  if (columns === 1) {
    if (split.axis >= loopEnd) reduceTile(all(0));
    else loopAxes(b, cutAxes, split.axis, loopEnd, pointers, rounds, () => reduceTile(all(0)));
    return { code: b.finish(), tasks: split.tasks };
  }
  const tileOf = (width: number) => Array.from({ length: width }, (_, column) => all(column)).flat();
  const moveColumns = (by: number) => pointers.forEach((p, i) => b.advance(p, by * bytesAlong(i, columnAxis)));
  loopAxes(b, cutAxes, split.axis, columnAxis, pointers, split.axis < columnAxis ? rounds : undefined, () => {
    const full = Math.floor(extents[columnAxis] / columns);
    b.loop(full, () => {
      reduceTile(tileOf(columns));
      moveColumns(columns);
    });
    const rest = extents[columnAxis] % columns;
    if (rest > 0) reduceTile(tileOf(rest));
    moveColumns(-full * columns);
  });
  return { code: b.finish(), tasks: split.tasks };
}

/** The vectors of a lane axis; with `valid`, vectors of padding count the lanes that exist (none, past the last of them). */
function laneVectors(extent: number, lanes: number, valid: number | undefined) {
  const vectors: { at: number; count: number; padding: boolean }[] = [];
  for (let at = 0; at < extent; at += lanes) {
    const count = Math.max(0, Math.min(lanes, (valid ?? extent) - at));
    vectors.push({ at, count, padding: valid !== undefined });
  }
  return vectors;
}

/** Columns reduced side by side, so that about eight accumulators hide the latency of their additions. */
const columnTile = (vectors: number, extent: number): number => Math.max(1, Math.min(Math.floor(8 / vectors), extent));

function combineVec(b: KernelBuilder, elem: 'f32' | 'f64', operation: Reduction, nan: boolean, into: Vec, term: Vec): void {
  if (operation === 'sum' || operation === 'mean') b.add(elem, into, term, into);
  else if (operation === 'prod') b.mul(elem, into, term, into);
  else {
    // min and max keep their first operand where either is NaN: the sum so far.
    if (operation === 'max') b.max(elem, into, term, into);
    else b.min(elem, into, term, into);
    if (nan) b.select(elem, b.compare(elem, 'ne', term, term), term, into, into);
  }
}

function combineLong(b: KernelBuilder, operation: Reduction, dtype: DType, into: Long, term: Long): void {
  if (operation === 'sum' || operation === 'mean') b.integer('iadd', into, term, into);
  else if (operation === 'prod') b.integer('imul', into, term, into);
  else b.move(b.iselect(compareLongs(b, dtype, operation === 'max' ? 'gt' : 'lt', term, into), term, into), into);
}

/** The extremum of the lanes, or NaN where a lane is NaN (the sum of NaN and anything is NaN). */
function reduceWithNaN(b: KernelBuilder, elem: 'f32' | 'f64', op: 'reduceMax' | 'reduceMin', lanes: Vec): Vec {
  const isNaN = b.compare(elem, 'ne', lanes, lanes);
  const marks = b.reduce('reduceMax', elem, b.select(elem, isNaN, b.splat(elem, 1), b.splat(elem, 0)));
  const extremum = b.reduce(op, elem, b.select(elem, isNaN, b.splat(elem, 0), lanes));
  return b.select(elem, b.compare(elem, 'gt', marks, b.splat(elem, 0)), b.splat(elem, NaN), extremum);
}

function divide(b: KernelBuilder, sum: Lane, count: number, dtype: DType): Lane {
  if (sum.kind === 'long') {
    const reg = dtype === 'uint64' ? unsignedDivide(b, sum.reg, b.long(BigInt(count))) : b.integer('idiv', sum.reg, count);
    return { kind: 'long', reg };
  }
  if (sum.kind === 'mask') throw new Error('a mean of booleans');
  return { ...sum, reg: b.div(sum.elem, sum.reg, b.splat(sum.elem, count)) };
}
