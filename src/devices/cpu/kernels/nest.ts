/**
 * Loop nests over strided operands: every map and reduction is one. An operand is a pointer and a stride per axis; axes that
 * are contiguous for all operands are merged, the outer axes are cut into tasks, and what remains becomes loops.
 */
import type { DType } from '../../../graph/index.ts';
import { dtypes } from '../../../graph/index.ts';
import type { Int, KernelBuilder } from '../codegen/index.ts';

export interface StridedOperand {
  readonly dtype: DType;
  /** In elements, one per axis of the nest. */
  readonly strides: readonly number[];
  /** Blocked layout: the channels of the last block that do not exist are there in memory. */
  readonly padded?: boolean;
}

export interface Axes {
  readonly extents: readonly number[];
  readonly operands: readonly StridedOperand[];
}

/**
 * Drops axes of extent 1 and merges neighbours that every operand walks as one. An axis in `barriers` is never merged with
 * the axis before it. Also returns how many axes are left of the first `kept`.
 */
export function coalesce(axes: Axes, barriers: readonly number[] = [], kept = axes.extents.length): Axes & { kept: number } {
  const extents: number[] = [];
  const strides: number[][] = axes.operands.map(() => []);
  let keptLeft: number | undefined;
  let fresh = true;
  axes.extents.forEach((extent, axis) => {
    if (axis === kept) keptLeft = extents.length;
    if (axis === kept || barriers.includes(axis)) fresh = true;
    if (extent === 1) return;
    const last = extents.length - 1;
    const merges = !fresh && axes.operands.every(({ strides: s }, i) => strides[i][last] === s[axis] * extent);
    if (merges) {
      extents[last] *= extent;
      axes.operands.forEach(({ strides: s }, i) => (strides[i][last] = s[axis]));
    } else {
      extents.push(extent);
      axes.operands.forEach(({ strides: s }, i) => strides[i].push(s[axis]));
      fresh = false;
    }
  });
  const operands = axes.operands.map((operand, i) => ({ ...operand, strides: strides[i] }));
  return { extents, operands, kept: keptLeft ?? extents.length };
}

/** How the leading axes of a nest are divided: axes before `axis` one index a task, `axis` itself in chunks. */
export interface TaskSplit {
  readonly tasks: number;
  readonly axis: number;
  readonly chunk: number;
}

/** Tasks never depend on the number of threads, so neither do results. At most this many a step. */
export const maxTasks = 64;

/** Tasks that keep a few threads evenly busy, where each costs something of its own (weights read again, a block of A). */
export const fewTasks = 16;

/**
 * Cuts `extents` (axes that may be cut, outermost first) into about work / grain tasks.
 * @param multiple chunks of the last axis are multiples of it (whole vectors)
 */
export function splitTasks(extents: readonly number[], work: number, grain: number, multiple = 1): TaskSplit {
  const wanted = Math.min(maxTasks, Math.floor(work / grain));
  if (wanted <= 1) return { tasks: 1, axis: 0, chunk: extents[0] ?? 1 };
  let outer = 1;
  for (let axis = 0; axis < extents.length; axis++) {
    const extent = extents[axis];
    if (outer * extent >= wanted || axis === extents.length - 1) {
      let chunk = Math.ceil(extent / Math.max(1, Math.ceil(wanted / outer)));
      if (axis === extents.length - 1) chunk = Math.min(extent, Math.ceil(chunk / multiple) * multiple);
      return { tasks: outer * Math.ceil(extent / chunk), axis, chunk };
    }
    outer *= extent;
  }
  return { tasks: 1, axis: 0, chunk: 1 };
}

export const bytesOf = (dtype: DType): number => dtypes[dtype].bytes;

/** Loads the argument pointers of a kernel. */
export const loadArguments = (b: KernelBuilder, args: Int, count: number): Int[] =>
  Array.from({ length: count }, (_, i) => b.loadPointer(b.at(args, i * 8)));

/**
 * Moves the pointers to where `task` begins. Returns how many rounds of the cut axis the task has: a number where all
 * tasks have the same, an int where the last chunk is shorter; and whether this is the last chunk (1 or 0; left out where
 * the axis is not cut).
 */
export function enterTask(
  b: KernelBuilder,
  task: Int,
  axes: Axes,
  split: TaskSplit,
  pointers: readonly Int[],
): { rounds: number | Int; lastChunk?: Int } {
  const { extents, operands } = axes;
  if (split.tasks === 1) return { rounds: extents[split.axis] ?? 1 };
  const move = (index: Int, axis: number, factor: number) =>
    operands.forEach(({ dtype, strides }, i) => {
      const bytes = strides[axis] * bytesOf(dtype) * factor;
      if (bytes !== 0) b.advance(pointers[i], b.integer('imul', index, bytes));
    });
  const extent = extents[split.axis];
  const chunks = Math.ceil(extent / split.chunk);
  let rest: Int = task;
  let chunk: Int | undefined;
  if (chunks > 1) {
    chunk = split.axis > 0 ? b.integer('irem', rest, chunks) : rest;
    if (split.axis > 0) rest = b.integer('idiv', rest, chunks);
    move(chunk, split.axis, split.chunk);
  }
  for (let axis = split.axis - 1; axis >= 0; axis--) {
    move(axis > 0 ? b.integer('irem', rest, extents[axis]) : rest, axis, 1);
    if (axis > 0) rest = b.integer('idiv', rest, extents[axis]);
  }
  if (!chunk) return { rounds: split.chunk };
  const lastChunk = b.icompare('eq', chunk, chunks - 1);
  if (extent % split.chunk === 0) return { rounds: split.chunk, lastChunk };
  const rounds = b.iselect(lastChunk, b.int(extent - (chunks - 1) * split.chunk), b.int(split.chunk));
  return { rounds, lastChunk };
}

/**
 * Loops over axes `from`..`to`-1, moving the pointers along; after it each pointer is back where it began.
 * `rounds` stands for the extent of axis `from`, where that is cut into tasks.
 */
export function loopAxes(
  b: KernelBuilder,
  axes: Axes,
  from: number,
  to: number,
  pointers: readonly Int[],
  rounds: number | Int | undefined,
  body: () => void,
): void {
  if (from >= to) return body();
  const extent = rounds ?? axes.extents[from];
  const bytes = axes.operands.map(({ dtype, strides }) => strides[from] * bytesOf(dtype));
  if (extent === 1) return loopAxes(b, axes, from + 1, to, pointers, undefined, body);
  b.loop(extent, () => {
    loopAxes(b, axes, from + 1, to, pointers, undefined, body);
    pointers.forEach((pointer, i) => b.advance(pointer, bytes[i]));
  });
  pointers.forEach((pointer, i) => {
    if (bytes[i] === 0) return;
    if (typeof extent === 'number') b.advance(pointer, -bytes[i] * extent);
    else b.integer('isub', pointer, b.integer('imul', extent, bytes[i]), pointer);
  });
}
