/** Operators that move elements: most are views of their input and cost nothing, the others are copies or picks by tables. */
import { constant, type DType, type Node, sizeOf, stridesOf, tensorData, type TypedArray, type Value } from '../../../../graph/index.ts';
import { gatherGeometry, normalizeAxis, padGeometry, padTables, type ResizeAxis, resizeGeometry, sliceGeometry, transposePerm } from '../../../../ops/index.ts';
import { argReduceKernel, blockChannels, type Expression, type IndexDType, scalarOf, takeKernel, type TakeSpec } from '../../kernels/index.ts';
import { isPlainConcat } from '../parts.ts';
import { argument, type Halo, kernelName, type Planner } from '../planner.ts';
import { channelOps } from './channel-sums.ts';
import { placeOps } from './places.ts';
import { lowerRandom } from './random.ts';
import { lowerScan } from './scan.ts';
import { atPadding, broadcastView, reshapeView, sliceView, transposeView, type View } from '../view.ts';

type Lower = (p: Planner, node: Node) => View;

/** Operators whose result is another view of the input's memory. */
export const viewOps: Readonly<Record<string, Lower>> = {
  Identity: (p, node) => p.view(node.inputs[0] as Value),
  Reshape: (p, node) => {
    const { shape } = node.outputs[0];
    const source = node.inputs[0] as Value;
    return reshapeView(p.view(source), shape) ?? (reshapeView(p.contiguous(source), shape) as View);
  },
  Transpose: (p, node) => transposeView(p.view(node.inputs[0] as Value), transposePerm(node)),
  Slice: (p, node) => {
    const { starts, steps, shape } = sliceGeometry(node);
    const source = node.inputs[0] as Value;
    return sliceView(p.view(source), starts, steps, shape) ?? (sliceView(p.contiguous(source), starts, steps, shape) as View);
  },
  Expand: (p, node) => broadcastView(p.view(node.inputs[0] as Value), node.outputs[0].shape),
};

/** Operators that write their result, one after the other and nothing fused. */
export const moveOps: Readonly<Record<string, Lower>> = {
  Concat: lowerConcat,
  Pad: lowerPad,
  Gather: lowerGather,
  Resize: lowerResize,
  ArgMax: (p, node) => lowerArg(p, node, true),
  ArgMin: (p, node) => lowerArg(p, node, false),
  CumSum: lowerScan,
  PhiloxUniform: lowerRandom,
  ...placeOps,
  ...channelOps,
};

const allConstant = (views: readonly View[]): boolean => views.every(({ storage }) => storage.constant);

function lowerConcat(p: Planner, node: Node): View {
  const { dtype, shape } = node.outputs[0];
  const axis = normalizeAxis(node.attrs.axis as number, shape.length);
  const parts = (node.inputs as readonly Value[]).map((value) => p.view(value));
  const constantParts = allConstant(parts);
  // Blocked stays blocked, but where somebody would have to write the padding of a last block between two parts.
  const starts = parts.map((_, i) => parts.slice(0, i).reduce((sum, part) => sum + part.shape[axis], 0));
  const whole = (i: number) => starts[i] % blockChannels === 0 && (i === parts.length - 1 || parts[i].shape[1] % blockChannels === 0);
  const blocked = !isPlainConcat(node) && parts.some(({ block }) => block?.axis === 1) && (shape[1] % blockChannels === 0 || whole(parts.length - 1));
  if (!blocked) {
    const out = p.parts.wholeOf(p, node, constantParts);
    parts.forEach((part, i) => {
      if (!p.parts.isPlaced(node, i)) p.copy(part, p.parts.placeIn(p, node, i), node.op, node.name);
    });
    return out;
  }
  const out = p.blocked(dtype, shape, 1, constantParts, p.haloWishes.get(node.outputs[0]));
  const { stride } = out.block as { stride: number };
  parts.forEach((part, i) => {
    if (whole(i)) {
      const place = { ...out, shape: part.shape, offset: out.offset + (starts[i] / blockChannels) * stride };
      return p.copy(part, place, node.op, node.name);
    }
    const source = part.block && part.block.axis !== 1 ? p.contiguousView(part, node.name) : part;
    for (const { from, to, blocks, lanes } of shiftedRuns(part.shape[1], starts[i])) {
      p.copy(laneRun(source, from, blocks, lanes), laneRun(out, to, blocks, lanes), node.op, node.name);
    }
  });
  return out;
}

/** Channels 0 to count - 1 go to `start` and after: in runs that stay within a block on either side, one each 16 channels. */
function shiftedRuns(count: number, start: number): { from: number; to: number; blocks: number; lanes: number }[] {
  const room = blockChannels - (start % blockChannels);
  const full = Math.floor(count / blockChannels);
  const rest = count % blockChannels;
  const run = (from: number, blocks: number, lanes: number) => ({ from, to: start + from, blocks, lanes });
  return [
    run(0, full, room),
    run(room, full, blockChannels - room),
    run(full * blockChannels, 1, Math.min(rest, room)),
    run(full * blockChannels + room, 1, rest - room),
  ].filter(({ blocks, lanes }) => blocks > 0 && lanes > 0);
}

/** `lanes` channels of each of some blocks, as a view [n, blocks, lanes, ...] without a block. */
function laneRun(view: View, channel: number, blocks: number, lanes: number): View {
  const [batch, lane, ...inner] = view.strides;
  const block = view.block?.stride ?? blockChannels * lane;
  const [n, , ...spatial] = view.shape;
  return {
    ...view,
    shape: [n, blocks, lanes, ...spatial],
    strides: [batch, block, lane, ...inner],
    offset: view.offset + Math.floor(channel / blockChannels) * block + (channel % blockChannels) * lane,
    block: undefined,
  };
}

function lowerPad(p: Planner, node: Node): View {
  const g = padGeometry(node);
  const source = node.inputs[0] as Value;
  const { dtype, shape } = node.outputs[0];
  if (g.mode !== 'constant') {
    let view = p.view(source);
    padTables(g).forEach((indices, axis) => {
      if (g.begin[axis] === 0 && g.end[axis] === 0) return;
      view = takeAxis(p, view, axis, { indices, taps: 1 }, node.name, node.op);
    });
    return view;
  }
  const halo = padHalo(node);
  if (halo) {
    // The result is the input with its halo: a view, where the input was written with one.
    const inner = source.shape[1] < blockChannels / 2 ? p.plainHaloView(p.view(source), node.name, halo) : p.blockedView(p.view(source), 1, node.name, halo);
    return { ...atPadding(inner, halo.begin), shape };
  }
  // Negative pads cut; what is left of the input goes into the filled result.
  const cut = source.shape.map((dim, axis) => Math.max(0, dim + Math.min(0, g.begin[axis]) + Math.min(0, g.end[axis])));
  const starts = g.begin.map((n) => Math.max(0, -n));
  const view = p.view(source);
  const inner = sliceView(view, starts, starts.map(() => 1), cut) ?? (sliceView(p.contiguous(source), starts, starts.map(() => 1), cut) as View);
  const value = node.inputs[2] ?? constant(tensorData(dtype, [], zero(dtype)));
  const out = p.plain(dtype, shape, allConstant([inner, p.view(value)]));
  p.map(fillWith(value), [p.view(value)], [out], { op: node.op, name: node.name, epilogue: '' });
  const place = sliceView(out, g.begin.map((n) => Math.max(0, n)), g.begin.map(() => 1), cut) as View;
  if (sizeOf(cut) > 0) p.copy(inner, place, node.op, node.name);
  return out;
}

/** Padding of the spatial axes of a float32 image by one number, as the halo its producer may as well write. */
export function padHalo(node: Node): Halo | undefined {
  const source = node.inputs[0] as Value;
  if (source.dtype !== 'float32' || source.shape.length < 3) return undefined;
  const { mode, begin, end } = padGeometry(node);
  const spatial = [begin, end].every((list) => list[0] === 0 && list[1] === 0 && list.every((n) => n >= 0));
  const fill = node.inputs[2] ? scalarOf(node.inputs[2]) : 0;
  if (mode !== 'constant' || !spatial || fill === undefined) return undefined;
  return { begin: begin.slice(2), end: end.slice(2), fill: Number(fill) };
}

/** A constant read as a leaf: memory of one element, repeated. */
const fillWith = (value: Value): Expression => ({ nodes: [], leaves: [value], results: [value] });

const zero = (dtype: DType): TypedArray => {
  const arrays: Partial<Record<DType, TypedArray>> = {
    float32: new Float32Array(1),
    float64: new Float64Array(1),
    int32: new Int32Array(1),
    int64: new BigInt64Array(1),
  };
  return arrays[dtype] ?? new Uint8Array(1);
};

interface Table {
  readonly indices: Int32Array;
  readonly taps: number;
  readonly weights?: Float32Array | Float64Array;
}

/** result[..., i, ...] = sum over taps of weight * view[..., index[i, tap], ...], along one axis. */
function takeAxis(p: Planner, source: View, axis: number, table: Table, name: string, op: string): View {
  const length = table.indices.length / table.taps;
  const view = source.block?.axis === axis ? p.contiguousView(source, name) : source;
  const indices = p.view(constant(tensorData('int32', [table.indices.length], table.indices)));
  const weights = table.weights && p.view(constant(tensorData(view.dtype, [table.weights.length], table.weights)));
  const shape = view.shape.map((dim, i) => (i === axis ? length : dim));
  const out = view.block
    ? p.blocked(view.dtype, shape, view.block.axis, view.storage.constant)
    : p.plain(view.dtype, shape, view.storage.constant);
  return take(p, view, out, axis, indices, weights, { taps: table.taps, length, indexDtype: 'int32' }, name, op);
}

function take(
  p: Planner,
  view: View,
  out: View,
  axis: number,
  indices: View,
  weights: View | undefined,
  g: { taps: number; length: number; indexDtype: IndexDType },
  name: string,
  op: string,
): View {
  const rank = view.shape.length;
  const axisOf = (i: number) =>
    i === view.block?.axis
      ? { extent: Math.ceil(view.shape[i] / blockChannels), data: view.block.stride, result: (out.block as { stride: number }).stride }
      : { extent: view.shape[i], data: view.strides[i], result: out.strides[i] };
  const before = Array.from({ length: axis }, (_, i) => axisOf(i));
  const after = Array.from({ length: rank - axis - 1 }, (_, i) => axisOf(axis + 1 + i));
  const spec: TakeSpec = {
    name: kernelName(op, out.shape),
    dtype: view.dtype,
    outer: before,
    length: g.length,
    taps: g.taps,
    dim: view.shape[axis],
    stride: { data: view.strides[axis], result: out.strides[axis] },
    inner: mergeInner(view.block ? [...after, { extent: blockChannels, data: 1, result: 1 }] : after),
    indexDtype: g.indexDtype,
    weighted: weights !== undefined,
  };
  if (sizeOf(out.shape) === 0) return out;
  const views = [view, indices, ...(weights ? [weights] : []), out];
  p.addStep(() => takeKernel(p.isa, spec), `take|${JSON.stringify({ ...spec, name: '' })}`, views.map((v) => argument(v)), 1, {
    op,
    name,
    shapes: `${view.shape.join('x')}:${out.shape.join('x')}`,
    layout: out.block ? 'nCx16c' : 'plain',
    epilogue: '',
  });
  return out;
}

/** Neighbouring axes that both sides walk as one. */
function mergeInner(axes: readonly { extent: number; data: number; result: number }[]) {
  const merged: { extent: number; data: number; result: number }[] = [];
  for (const axis of axes) {
    const last = merged[merged.length - 1];
    if (last && last.data === axis.data * axis.extent && last.result === axis.result * axis.extent) {
      merged[merged.length - 1] = { extent: last.extent * axis.extent, data: axis.data, result: axis.result };
    } else merged.push(axis);
  }
  return merged;
}

function lowerGather(p: Planner, node: Node): View {
  const [data, indices] = node.inputs as readonly Value[];
  const g = gatherGeometry(node);
  const view = p.unblocked(data);
  const index = p.contiguous(indices);
  const shape = [...data.shape.slice(0, g.axis), g.indices, ...data.shape.slice(g.axis + 1)];
  const out = p.plain(data.dtype, shape, allConstant([view, index]));
  const indexDtype = indices.dtype as IndexDType;
  take(p, view, out, g.axis, index, undefined, { taps: 1, length: g.indices, indexDtype }, node.name, node.op);
  return reshapeView(out, g.shape) as View;
}

function lowerResize(p: Planner, node: Node): View {
  const g = resizeGeometry(node);
  const source = node.inputs[0] as Value;
  const float = source.dtype === 'float64' ? Float64Array : Float32Array;
  let view = p.view(source);
  // The axis that shrinks most first: the others then have less to do.
  const axes = [...g.axes].sort((a, b) => a.outSize / a.inSize - b.outSize / b.inSize);
  for (const axis of axes) {
    const outside = axis.outside;
    const indices = outside ? axis.indices.map((index, i) => (outside[Math.floor(i / axis.taps)] ? 0 : index)) : axis.indices;
    const weights = axis.taps === 1 && !outside ? undefined : axisWeights(axis, float);
    view = takeAxis(p, view, axis.axis, { indices, taps: axis.taps, weights }, node.name, node.op);
    if (outside && g.extrapolation !== 0) view = extrapolate(p, view, axis, g.extrapolation, node);
  }
  return view;
}

const axisWeights = (axis: ResizeAxis, Float: typeof Float32Array | typeof Float64Array): Float32Array | Float64Array =>
  new Float(axis.weights.map((weight, i) => (axis.outside?.[Math.floor(i / axis.taps)] ? 0 : weight)));

/** Overwrites what lies beyond the input along an axis. */
function extrapolate(p: Planner, view: View, axis: ResizeAxis, value: number, node: Node): View {
  const plain = p.contiguousView(view, node.name);
  const out = p.plain(plain.dtype, plain.shape, plain.storage.constant);
  p.copy(plain, out, node.op, node.name);
  const data = plain.dtype === 'float64' ? new Float64Array([value]) : new Float32Array([value]);
  const fill = constant(tensorData(plain.dtype, [1], data));
  (axis.outside as Uint8Array).forEach((beyond, i) => {
    if (!beyond) return;
    const one = plain.shape.map((dim, a) => (a === axis.axis ? 1 : dim));
    const place = sliceView(out, plain.shape.map((_, a) => (a === axis.axis ? i : 0)), plain.shape.map(() => 1), one) as View;
    p.map(fillWith(fill), [p.view(fill)], [place], { op: node.op, name: node.name, epilogue: '' });
  });
  return out;
}

function lowerArg(p: Planner, node: Node, greatest: boolean): View {
  const source = node.inputs[0] as Value;
  const view = p.unblocked(source);
  const axis = normalizeAxis((node.attrs.axis as number | undefined) ?? 0, source.shape.length);
  const keep = source.shape.map((_, i) => i).filter((i) => i !== axis);
  const out = p.plain('int64', node.outputs[0].shape, view.storage.constant);
  const result = stridesOf(keep.map((i) => source.shape[i]));
  const spec = {
    name: kernelName(node.op, out.shape),
    dtype: source.dtype,
    kept: keep.map((i, j) => ({ extent: source.shape[i], data: view.strides[i], result: result[j], index: 0 })),
    searched: [{ extent: source.shape[axis], data: view.strides[axis], index: 1 }],
    firstIndex: 0,
    greatest,
    selectLast: node.attrs.select_last_index === 1 || node.attrs.select_last_index === true,
  };
  if (sizeOf(out.shape) === 0) return out;
  p.addStep(() => argReduceKernel(p.isa, spec), `arg|${JSON.stringify({ ...spec, name: '' })}`, [argument(view), argument(out)], 1, {
    op: node.op,
    name: node.name,
    shapes: `${source.shape.join('x')}:${out.shape.join('x')}`,
    layout: 'plain',
    epilogue: '',
  });
  return out;
}
