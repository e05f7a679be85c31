/** The geometry of sliding windows: what convolutions and poolings of every rank and every device agree on. */
import { type Attrs, GraphError } from '../graph/index.ts';
import { flagAttr, intsAttr, stringAttr } from './helpers.ts';

const autoPads = ['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'] as const;
export type AutoPad = (typeof autoPads)[number];

export interface WindowOptions {
  /** One an axis; ones where left out. */
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  /** ONNX's order: the begin of every axis, then the end of every axis. Zeros where left out. */
  readonly pads?: readonly number[];
  readonly autoPad?: AutoPad;
  /** Round the output size up instead of down; a window never starts in the padding at the end. */
  readonly ceilMode?: boolean;
}

/** A window that slides over the spatial axes; every list has one entry an axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
}

export interface WindowGeometry extends Window {
  readonly output: readonly number[];
}

/** The window attributes of a Conv or pooling node. */
export const windowAttrs = (attrs: Attrs): WindowOptions => ({
  strides: listAttr(attrs, 'strides'),
  dilations: listAttr(attrs, 'dilations'),
  pads: listAttr(attrs, 'pads'),
  autoPad: autoPadAttr(attrs),
  ceilMode: flagAttr(attrs, 'ceil_mode', false),
});

export const autoPadAttr = (attrs: Attrs): AutoPad => stringAttr(attrs, 'auto_pad', 'NOTSET', autoPads);

/** A list of integers, or undefined where the attribute is missing or empty. */
export function listAttr(attrs: Attrs, name: string): readonly number[] | undefined {
  const list = intsAttr(attrs, name, []);
  return list.length === 0 ? undefined : list;
}

/** From the first to the last element that a dilated kernel touches, both included. */
export const kernelExtent = (kernel: number, dilation: number): number => (kernel - 1) * dilation + 1;

/**
 * Sizes and pads of a window sliding over `spatial`, as ONNX's Conv and pooling define them.
 * @throws GraphError where lists have the wrong length or range, or the kernel does not fit the padded input.
 */
export function windowGeometry(
  spatial: readonly number[],
  kernel: readonly number[],
  { strides, dilations, pads, autoPad = 'NOTSET', ceilMode = false }: WindowOptions = {},
): WindowGeometry {
  const rank = spatial.length;
  const window = {
    kernel: windowList('kernel_shape', kernel, rank, 1),
    strides: windowList('strides', strides ?? ones(rank), rank, 1),
    dilations: windowList('dilations', dilations ?? ones(rank), rank, 1),
  };
  const given = windowList('pads', pads ?? new Array<number>(2 * rank).fill(0), 2 * rank, 0);
  const padsBegin: number[] = [];
  const padsEnd: number[] = [];
  const output: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const size = spatial[axis];
    const stride = window.strides[axis];
    const extent = kernelExtent(window.kernel[axis], window.dilations[axis]);
    if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
      output[axis] = Math.ceil(size / stride);
      const [begin, end] = splitPads(Math.max(0, (output[axis] - 1) * stride + extent - size), autoPad === 'SAME_UPPER');
      padsBegin[axis] = begin;
      padsEnd[axis] = end;
      if (size === 0) throw doesNotFit(axis, extent, size);
      continue;
    }
    padsBegin[axis] = autoPad === 'VALID' ? 0 : given[axis];
    padsEnd[axis] = autoPad === 'VALID' ? 0 : given[rank + axis];
    const padded = size + padsBegin[axis] + padsEnd[axis];
    if (size === 0 || extent > padded) throw doesNotFit(axis, extent, padded);
    const steps = (padded - extent) / stride;
    output[axis] = 1 + (ceilMode && autoPad !== 'VALID' ? Math.ceil(steps) : Math.floor(steps));
    if (ceilMode && (output[axis] - 1) * stride >= size + padsBegin[axis]) output[axis]--;
  }
  return { ...window, padsBegin, padsEnd, output };
}

/** Halves of a total padding; the odd one goes to the end (`upper`) or to the begin. */
export function splitPads(total: number, upper: boolean): readonly [begin: number, end: number] {
  const small = Math.floor(total / 2);
  return upper ? [small, total - small] : [total - small, small];
}

/**
 * For a flat position among `positions`: the flat offset into `bounds` of each kernel element, written to `taps`
 * (as long as the kernel has elements); -1 where it lies in the padding. Convolution and pooling walk output
 * positions over an input, a transposed convolution walks input positions over an output: the same formula.
 */
export function windowWalker(
  positions: readonly number[],
  bounds: readonly number[],
  { kernel, strides, dilations, padsBegin }: Omit<Window, 'padsEnd'>,
): (position: number, taps: Int32Array) => void {
  const rank = kernel.length;
  return (position, taps) => {
    let count = 1;
    taps[0] = 0;
    // From the last axis to the first: each axis spreads what is there over its kernel, its own slowest.
    let rest = position;
    let scale = 1;
    for (let axis = rank - 1; axis >= 0; axis--) {
      const start = (rest % positions[axis]) * strides[axis] - padsBegin[axis];
      rest = Math.floor(rest / positions[axis]);
      for (let k = kernel[axis] - 1; k >= 0; k--) {
        const at = start + k * dilations[axis];
        const outside = at < 0 || at >= bounds[axis];
        for (let i = 0; i < count; i++) taps[k * count + i] = outside || taps[i] < 0 ? -1 : taps[i] + at * scale;
      }
      count *= kernel[axis];
      scale *= bounds[axis];
    }
  };
}

/**
 * How many kernel elements lie inside the input, per axis and output position (the divisor of an average is their
 * product over the axes); with `includePad`, inside the padded input.
 */
export function windowCounts(spatial: readonly number[], window: WindowGeometry, includePad: boolean): Int32Array[] {
  const { kernel, strides, dilations, padsBegin, padsEnd, output } = window;
  return output.map((size, axis) => {
    const low = includePad ? -padsBegin[axis] : 0;
    const high = spatial[axis] + (includePad ? padsEnd[axis] : 0);
    const dilation = dilations[axis];
    return Int32Array.from({ length: size }, (_, position) => {
      const start = position * strides[axis] - padsBegin[axis];
      const first = Math.max(0, Math.ceil((low - start) / dilation));
      const last = Math.min(kernel[axis] - 1, Math.ceil((high - start) / dilation) - 1);
      return Math.max(0, last - first + 1);
    });
  });
}

const ones = (rank: number): number[] => new Array<number>(rank).fill(1);

const doesNotFit = (axis: number, extent: number, size: number): GraphError =>
  new GraphError(`spatial axis ${axis}`, {
    expected: `a padded input of at least ${extent} (the dilated kernel)`,
    got: `${size}`,
    hint: 'use a larger input or more padding',
  });

/** A list of window parameters with one entry an axis, each a whole number from `min` to 2^31-1. */
export function windowList(name: string, values: readonly number[], length: number, min: number): readonly number[] {
  if (values.length !== length) throw new GraphError(name, { expected: `${length} values`, got: `${values.length}` });
  for (const value of values) {
    if (!Number.isInteger(value) || value < min || value >= 2 ** 31) {
      throw new GraphError(name, { expected: `whole numbers from ${min} to 2^31-1`, got: `[${values.join(', ')}]` });
    }
  }
  return values;
}
