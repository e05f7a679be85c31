/**
 * map: every element of the results is an expression of the elements of the operands at the same place of the nest.
 * Pointwise arithmetic, broadcasting, transposition, slicing, concatenation, padding and changes of layout are all maps:
 * they differ in strides alone.
 */
import type { DType } from '../../../graph/index.ts';
import { type Int, type Isa, KernelBuilder, type KernelCode, lanesOf } from '../codegen/index.ts';
import { emitExpression, emitLeaf, type Expression } from './expression.ts';
import { type Axes, bytesOf, coalesce, enterTask, loadArguments, loopAxes, splitTasks, type StridedOperand } from './nest.ts';
import { canVectorise, type EmitMode, emitStore } from './pointwise/index.ts';

export interface MapSpec {
  readonly name: string;
  /** The nest, outermost first. The last axis goes into vector lanes. */
  readonly extents: readonly number[];
  readonly expression: Expression;
  /** One for each leaf, then one for each result: the order of the kernel's arguments. */
  readonly operands: readonly StridedOperand[];
  /**
   * The last block of channels of a blocked layout: only this many elements of the last axis exist. Operands that are not
   * `padded` are read and written no further; the lanes beyond of a padded result become zero.
   */
  readonly valid?: number;
}

export interface TaskedKernel {
  readonly code: KernelCode;
  readonly tasks: number;
}

/** Elements a task should have at least: below it a fork-join costs more than it brings. */
const grain = 16 * 1024;

/** The mode an expression and its operands can run in. Plain copies go by the width of their elements. */
function modeOf({ expression }: MapSpec): { mode: EmitMode; as?: DType } {
  const dtype = expression.results[0].dtype;
  if (expression.nodes.length === 0) {
    if (bytesOf(dtype) === 4) return { mode: { kind: 'vector', elem: 'f32' }, as: 'float32' };
    if (bytesOf(dtype) === 8) return { mode: { kind: 'vector', elem: 'f64' }, as: 'float64' };
    return { mode: { kind: 'scalar' }, as: bytesOf(dtype) === 2 ? 'uint16' : 'uint8' };
  }
  const floats = [...expression.leaves, ...expression.results];
  const elem = dtype === 'float64' ? 'f64' : 'f32';
  const fits = floats.every((value) => value.dtype === dtype) && (dtype === 'float32' || dtype === 'float64');
  return { mode: fits && canVectorise(expression.nodes) ? { kind: 'vector', elem } : { kind: 'scalar' } };
}

/**
 * The nest with the axis last that is cheapest in lanes: a vector at unit stride is one access, at any other as many as it
 * has elements, and scattered stores are dearer than scattered loads. Transpositions differ most: of blocked to plain it is
 * the pixels that go into lanes, and a line of blocks stays in the cache while each of its channels is written.
 */
function cheapestLast(axes: Axes, lanes: number, resultCount: number): Axes {
  const { extents, operands } = axes;
  const firstResult = operands.length - resultCount;
  const cost = (axis: number): number => {
    // Lanes are reached by constant offsets of 31 bits.
    if (operands.some(({ strides }) => Math.abs(strides[axis]) > 2 ** 22)) return Infinity;
    const vectors = Math.ceil(extents[axis] / lanes) / extents[axis];
    const access = operands.map(({ strides }, i) => {
      if (strides[axis] === 0 || strides[axis] === 1) return vectors;
      return i < firstResult ? 1 : 1.5;
    });
    return access.reduce((sum, one) => sum + one, 2 * vectors);
  };
  let best = extents.length - 1;
  for (let axis = best - 1; axis >= 0; axis--) if (cost(axis) < 0.8 * cost(best)) best = axis;
  if (best === extents.length - 1) return axes;
  const moved = <T>(list: readonly T[]): T[] => [...list.slice(0, best), ...list.slice(best + 1), list[best]];
  return coalesce({ extents: moved(extents), operands: operands.map((operand) => ({ ...operand, strides: moved(operand.strides) })) });
}

/** A partial last block counts as whole lanes only where somebody writes its padding. */
function withoutPadding(spec: MapSpec): MapSpec {
  const results = spec.operands.slice(spec.expression.leaves.length);
  if (spec.valid === undefined || results.some(({ padded }) => padded)) return spec;
  return { ...spec, extents: [...spec.extents.slice(0, -1), spec.valid], valid: undefined };
}

export function mapKernel(isa: Isa, given: MapSpec): TaskedKernel {
  const spec = withoutPadding(given);
  const { expression, valid } = spec;
  const { mode, as } = modeOf(spec);
  const merged = coalesce(spec, valid === undefined ? [] : [spec.extents.length - 1]);
  const vectorLanes = mode.kind === 'vector' ? lanesOf(isa, mode.elem) : 0;
  const axes = valid === undefined && vectorLanes > 0 ? cheapestLast(merged, vectorLanes, expression.results.length) : merged;
  const { extents, operands } = axes;
  const work = extents.reduce((a, b) => a * b, 1);
  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const pointers = loadArguments(b, args, operands.length);
  const leafCount = expression.leaves.length;
  const lanes = mode.kind === 'vector' ? lanesOf(isa, mode.elem) : 1;
  const laneAxis = extents.length - 1;
  const laneStrides = operands.map(({ strides }) => (laneAxis < 0 ? 0 : strides[laneAxis]));

  const bytesAlong = operands.map(({ dtype }, i) => laneStrides[i] * bytesOf(dtype));
  /** Computes a vector `at` elements along the lane axis: `count` elements of it exist, `padding` says as padded lanes. */
  const element = (at: number, count: number, padding = false) => {
    const inputs = expression.leaves.map((leaf, i) => {
      const value = as ? { ...leaf, dtype: as } : leaf;
      const lanesRead = padding && operands[i].padded ? lanes : count;
      return emitLeaf(b, mode, value, pointers[i], laneStrides[i], at * bytesAlong[i], lanesRead);
    });
    const results = as ? inputs : emitExpression(b, mode, expression, inputs);
    results.forEach((lane, j) => {
      const i = leafCount + j;
      const mem = b.at(pointers[i], at * bytesAlong[i]);
      const whole = padding && operands[i].padded === true;
      const kept = whole && lane.kind === 'vec' ? { ...lane, reg: b.firstLanes(lane.elem, lane.reg, count) } : lane;
      const lanesWritten = whole ? lanes : count;
      if (kept.kind === 'vec' && mode.kind === 'vector' && laneStrides[i] !== 1) {
        b.storeStrided(mode.elem, mem, kept.reg, bytesAlong[i], lanesWritten);
      } else {
        emitStore(b, mode, as ?? operands[i].dtype, mem, kept, lanesWritten);
      }
    });
  };

  if (laneAxis < 0) {
    element(0, 1);
    return { code: b.finish(), tasks: 1 };
  }

  const unroll = mode.kind === 'vector' && expression.nodes.length <= 8 ? 4 : 1;
  const split = splitTasks(extents, work, grain, lanes * unroll);
  const { rounds, lastChunk } = enterTask(b, task, axes, split, pointers);
  const laneLoop = (extent: number | Int) => {
    if (typeof extent !== 'number') return runtimeLanes(extent);
    const laneExtent = valid === undefined ? extent : extents[laneAxis];
    if (valid !== undefined) return paddedLanes(laneExtent, valid);
    const full = Math.floor(laneExtent / lanes);
    const rest = laneExtent % lanes;
    const step = full >= 2 * unroll ? unroll : 1;
    const looped = Math.floor(full / step);
    if (full <= 4) {
      for (let v = 0; v < full; v++) element(v * lanes, lanes);
      if (rest > 0) element(full * lanes, rest);
      return;
    }
    vectorLoop(looped, step);
    const after = full - looped * step;
    for (let v = 0; v < after; v++) element(v * lanes, lanes);
    if (rest > 0) element(after * lanes, rest);
    rewind(looped * step * lanes);
  };
  const vectorLoop = (count: number | Int, step: number) =>
    b.loop(count, () => {
      for (let u = 0; u < step; u++) element(u * lanes, lanes);
      pointers.forEach((pointer, i) => b.advance(pointer, step * lanes * bytesAlong[i]));
    });
  const rewind = (elements: number) =>
    pointers.forEach((pointer, i) => b.advance(pointer, -elements * bytesAlong[i]));
  /** The lane axis itself is cut into tasks: chunks of whole vectors, and in the last chunk what is left. */
  const runtimeLanes = (extent: Int) => {
    vectorLoop(b.integer('idiv', extent, lanes * unroll), unroll);
    const remainder = extents[laneAxis] % split.chunk;
    const full = Math.floor((remainder % (lanes * unroll)) / lanes);
    const rest = remainder % lanes;
    if (full + rest === 0) return;
    b.if(lastChunk as Int, () => {
      for (let v = 0; v < full; v++) element(v * lanes, lanes);
      if (rest > 0) element(full * lanes, rest);
    });
  };
  const paddedLanes = (extent: number, validLanes: number) => {
    for (let at = 0; at < extent; at += lanes) {
      const inside = Math.min(lanes, validLanes - at);
      if (inside > 0) element(at, inside, true);
      else zeroLanes(at);
    }
  };
  const zeroLanes = (at: number) =>
    operands.slice(leafCount).forEach(({ padded }, j) => {
      if (!padded || mode.kind !== 'vector') return;
      b.store(mode.elem, b.at(pointers[leafCount + j], at * bytesAlong[leafCount + j]), b.variable(mode.elem, 0));
    });

  if (split.axis === laneAxis) laneLoop(rounds);
  else {
    loopAxes(b, axes, split.axis, laneAxis, pointers, rounds, () => laneLoop(extents[laneAxis]));
  }
  return { code: b.finish(), tasks: split.tasks };
}
