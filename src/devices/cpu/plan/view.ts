/**
 * Where a value lies: a storage, an offset, and a stride per axis. Transposing, slicing, expanding and most reshaping only
 * make another view. A view may be blocked along one axis: 16 neighbours together, then a stride of its own from block to
 * block (NCHW16c is a view blocked along its channels).
 */
import { type DType, dtypes, type Shape, sizeOf, stridesOf, type TypedArray } from '../../../graph/index.ts';
import { blockChannels, type StridedOperand } from '../kernels/index.ts';

/** A stretch of memory; the memory plan gives it its place. */
export interface Storage {
  readonly id: number;
  readonly bytes: number;
  /** Values known when the program is made: a graph constant's, or made from such by setup steps. */
  readonly constant: boolean;
  readonly data?: TypedArray;
  /** Scratch: each thread has one of its own. */
  readonly perThread?: boolean;
  /**
   * Shares its place only with storages of the same class, never with others, so that what nobody writes (a halo, the
   * padding of packed weights) keeps its `fill`.
   */
  readonly fixed?: { readonly kind: string; readonly fill: number };
}

export interface View {
  readonly storage: Storage;
  readonly dtype: DType;
  readonly shape: Shape;
  /** In elements, as is the offset. Along the blocked axis: from one to the next within a block. */
  readonly strides: readonly number[];
  readonly offset: number;
  readonly block?: { readonly axis: number; readonly stride: number };
}

export const bytesOfView = (shape: Shape, dtype: DType): number => sizeOf(shape) * dtypes[dtype].bytes;

export const plainView = (storage: Storage, dtype: DType, shape: Shape): View => ({
  storage,
  dtype,
  shape,
  strides: stridesOf(shape),
  offset: 0,
});

/** Row-major and without gaps. */
export function isContiguous(view: View): boolean {
  if (view.block) return false;
  const expected = stridesOf(view.shape);
  return view.shape.every((dim, axis) => dim === 1 || view.strides[axis] === expected[axis]);
}

/** The same elements under another shape, or undefined where that needs a copy. */
export function reshapeView(view: View, shape: Shape): View | undefined {
  if (sizeOf(shape) === 0) return { ...view, shape, strides: shape.map(() => 0), block: undefined };
  if (view.block) {
    const blocked = reshapeBlocked(view, shape);
    // Within one block channels are an axis like any other.
    return blocked ?? (view.shape[view.block.axis] <= blockChannels ? reshapeView({ ...view, block: undefined }, shape) : undefined);
  }
  const strides = new Array<number>(shape.length).fill(0);
  const from = view.shape.map((dim, axis) => ({ dim, stride: view.strides[axis] })).filter(({ dim }) => dim !== 1);
  let i = 0;
  let axis = 0;
  while (i < from.length) {
    // A run of old axes that walk as one, against a run of new axes with as many elements.
    let oldSize = from[i].dim;
    let newSize = 1;
    let last = i;
    const first = axis;
    while (newSize !== oldSize) {
      if (newSize < oldSize) {
        if (axis >= shape.length) return undefined;
        newSize *= shape[axis++];
      } else {
        last++;
        if (last >= from.length || from[last - 1].stride !== from[last].stride * from[last].dim) return undefined;
        oldSize *= from[last].dim;
      }
    }
    let stride = from[last].stride;
    for (let a = axis - 1; a >= first; a--) {
      strides[a] = stride;
      stride *= shape[a];
    }
    i = last + 1;
  }
  return { ...view, shape, strides };
}

/** A blocked view keeps its block where only axes of extent 1 come or go. */
function reshapeBlocked(view: View, shape: Shape): View | undefined {
  const block = view.block as { axis: number; stride: number };
  const kept = view.shape.map((dim, axis) => ({ dim, axis })).filter(({ dim, axis }) => dim !== 1 || axis === block.axis);
  const strides = new Array<number>(shape.length).fill(0);
  let next = 0;
  let blockAxis = -1;
  shape.forEach((dim, axis) => {
    const match = kept[next];
    if (match && match.dim === dim) {
      strides[axis] = view.strides[match.axis];
      if (match.axis === block.axis) blockAxis = axis;
      next++;
    } else if (dim !== 1) next = Infinity;
  });
  if (next !== kept.length || blockAxis < 0) return undefined;
  return { ...view, shape, strides, block: { axis: blockAxis, stride: block.stride } };
}

export function transposeView(view: View, permutation: readonly number[]): View {
  return {
    ...view,
    shape: permutation.map((axis) => view.shape[axis]),
    strides: permutation.map((axis) => view.strides[axis]),
    block: view.block && { ...view.block, axis: permutation.indexOf(view.block.axis) },
  };
}

/** Every step-th element from start; undefined where the blocked axis would not begin with a whole block. */
export function sliceView(view: View, starts: readonly number[], steps: readonly number[], shape: Shape): View | undefined {
  let offset = view.offset;
  for (let axis = 0; axis < shape.length; axis++) {
    if (axis === view.block?.axis) {
      if (starts[axis] % blockChannels !== 0 || steps[axis] !== 1) return undefined;
      // The last block's padding must stay padding, not the next channels.
      if (shape[axis] % blockChannels !== 0 && starts[axis] + shape[axis] !== view.shape[axis]) return undefined;
      offset += (starts[axis] / blockChannels) * view.block.stride;
    } else offset += starts[axis] * view.strides[axis];
  }
  return { ...view, offset, shape, strides: view.strides.map((stride, axis) => stride * (axis === view.block?.axis ? 1 : steps[axis])) };
}

/** The view repeated to a larger shape, as ONNX broadcasts: axes aligned at the end, stride 0 where it has one element. */
export function broadcastView(view: View, shape: Shape): View {
  const lead = shape.length - view.shape.length;
  const repeated = (axis: number) => axis < lead || (view.shape[axis - lead] === 1 && shape[axis] !== 1);
  const block = view.block && !repeated(view.block.axis + lead) ? { ...view.block, axis: view.block.axis + lead } : undefined;
  return { ...view, shape, strides: shape.map((_, axis) => (repeated(axis) ? 0 : view.strides[axis - lead])), block };
}

/** A view of [n, c, ...spatial] moved to the first pixel of the memory around it. */
export const atPadding = (view: View, pads: readonly number[]): View => ({
  ...view,
  offset: view.offset - pads.reduce((sum, pad, axis) => sum + pad * view.strides[axis + 2], 0),
});

/** Overlapping windows of the spatial axes (all but the first two): shape [n, c, ...out, ...kernel]. */
export function windowView(
  view: View,
  out: Shape,
  window: { kernel: readonly number[]; strides: readonly number[]; dilations: readonly number[] },
): View {
  const spatial = view.strides.slice(2);
  return {
    ...view,
    shape: [view.shape[0], view.shape[1], ...out, ...window.kernel],
    strides: [
      ...view.strides.slice(0, 2),
      ...spatial.map((stride, axis) => stride * window.strides[axis]),
      ...spatial.map((stride, axis) => stride * window.dilations[axis]),
    ],
  };
}

/** One nest that covers part of a shape, with every view's strides and where it begins. */
export interface Piece {
  readonly extents: readonly number[];
  readonly operands: readonly (StridedOperand & { readonly offset: number })[];
  readonly valid?: number;
}

/**
 * The nests that cover `shape` for views of that shape: one where none is blocked; else the blocked axis becomes two, the
 * lanes of a block last (before axis `end`), and a partial last block is a nest of its own.
 * @param written how many of the views, at the end, are written: along an axis of one element no lanes but that one are theirs
 * @returns undefined where views are blocked along different axes
 */
export function piecesOf(shape: Shape, views: readonly View[], written: number, end = shape.length): Piece[] | undefined {
  const axes = new Set(views.flatMap(({ block }) => (block ? [block.axis] : [])));
  if (axes.size === 0) {
    return [{ extents: shape, operands: views.map(({ dtype, strides, offset }) => ({ dtype, strides, offset })) }];
  }
  if (axes.size > 1) return undefined;
  const [axis] = axes;
  if (axis >= end) return undefined;
  const full = Math.floor(shape[axis] / blockChannels);
  const rest = shape[axis] % blockChannels;
  const insert = (list: readonly number[], atAxis: number, lanes: number) => {
    const result = [...list.slice(0, end), lanes, ...list.slice(end)];
    result[axis] = atAxis;
    return result;
  };
  const blockStride = (view: View) => view.block?.stride ?? view.strides[axis] * blockChannels;
  const piece = (blocks: number, from: number, valid?: number): Piece => ({
    extents: insert(shape, blocks, blockChannels),
    operands: views.map((view, i) => ({
      dtype: view.dtype,
      strides: insert(view.strides, blockStride(view), view.strides[axis]),
      offset: view.offset + from * blockStride(view),
      padded: view.block !== undefined || (view.strides[axis] === 0 && i < views.length - written),
    })),
    valid,
  });
  const pieces: Piece[] = [];
  if (full > 0) pieces.push(piece(full, 0));
  if (rest > 0) pieces.push(piece(1, full, rest));
  return pieces;
}
