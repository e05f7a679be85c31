/**
 * Convolutions (a bias is a fused addition by now): direct in blocked layout (float32, up to two spatial axes), depthwise in
 * depthwise.ts, and everything else (float64, three axes, odd groups) as a sum of products over a strided view
 * of the padded input.
 */
import { apply, constant, input, type Node, type Shape, type Value, zeros } from '../../../../graph/index.ts';
import { type ConvGeometry, convGeometry, evaluateValues } from '../../../../ops/index.ts';
import { lanesOf } from '../../codegen/index.ts';
import { blockChannels, convKernel, type ConvSpec, type Expression, type StridedOperand, tileConv } from '../../kernels/index.ts';
import { expressionOf, type Group } from '../fuse.ts';
import { epilogueText, expressionKey } from '../key.ts';
import { argument, type Halo, kernelName, type Planner } from '../planner.ts';
import { atPadding, broadcastView, sliceView, type View, windowView } from '../view.ts';
import { lowerReduction } from './reduce.ts';

/** What the window reads beyond the input on either side; less than the pads where the stride leaves some out. */
export function haloOf(g: Pick<ConvGeometry, 'kernel' | 'strides' | 'dilations' | 'padsBegin'> & { spatial: Shape; outSpatial: Shape }, fill = 0): Halo {
  const end = g.spatial.map((size, axis) => {
    const reach = (g.outSpatial[axis] - 1) * g.strides[axis] + (g.kernel[axis] - 1) * g.dilations[axis] + 1;
    return Math.max(0, reach - g.padsBegin[axis] - size);
  });
  return { begin: g.padsBegin.map((pad) => Math.max(0, pad)), end, fill };
}

/** How a convolution runs; decided before lowering, for its input's producer wants to know. */
export type ConvKind = 'direct' | 'image' | 'depthwise' | 'generic';

/** Made from constants alone, by a few small steps: what a kernel's transposition is. */
export function isConstant(value: Value): boolean {
  const { op, inputs } = value.node;
  return op === 'Constant' || ((op === 'Transpose' || op === 'Reshape') && inputs.every((input) => !input || isConstant(input)));
}

export function convKind(node: Node): ConvKind {
  const g = convGeometry(node);
  const [x, w] = node.inputs as readonly Value[];
  if (x.dtype !== 'float32' || g.kernel.length > 2) return 'generic';
  const inGroup = g.inChannels / g.groups;
  const outGroup = g.outChannels / g.groups;
  if (g.groups === 1) return inGroup < blockChannels / 2 ? 'image' : 'direct';
  if (inGroup === 1 && outGroup === 1) return 'depthwise';
  if (inGroup % blockChannels === 0 && outGroup % blockChannels === 0) return 'direct';
  return isConstant(w) ? 'direct' : 'generic';
}

/** Any convolution but a depthwise one. */
export function lowerConv(p: Planner, group: Group): View {
  const node = group.anchor as Node;
  const kind = convKind(node);
  if (kind === 'generic') return lowerGeneric(p, group, convGeometry(node));
  return lowerDirect(p, group, kind === 'image' ? 'image' : 'direct');
}

/** Leaves and result of what is fused after a convolution, or a part of them, as operands over [image, block, line, column, lane]. */
export function blockedOperand(p: Planner, view: View, shape: Shape, part: DirectConv['part'], name: string): { view: View; operand: StridedOperand } {
  const channel = view.shape.length - (shape.length - 1);
  const perChannel = channel >= 0 && view.shape[channel] !== 1;
  const placed = perChannel ? p.blockedView(view, channel, name) : view.block ? p.blockedView(view, view.block.axis, name) : view;
  const spread = part(broadcastView(placed, shape));
  const spatial = shape.length === 3 ? [0, spread.strides[2]] : spread.strides.slice(2);
  const strides = [spread.strides[0], spread.block?.stride ?? 0, ...spatial, spread.block ? spread.strides[1] : 0];
  return { view: spread, operand: { dtype: view.dtype, strides } };
}

/** One direct convolution; a transposed one is several, each of which makes a part of the result. */
interface DirectConv {
  readonly kind: 'direct' | 'image';
  readonly geometry: ConvGeometry;
  /** At the first pixel, with memory around it for what the window reads beyond. */
  readonly input: View;
  /** O I kernel, at any strides. */
  readonly weights: View;
  /** What of a view of the whole result this one computes. */
  readonly part: (whole: View) => View;
}

function lowerDirect(p: Planner, group: Group, kind: 'direct' | 'image'): View {
  const node = group.anchor as Node;
  const { geometry, weights } = mergeGroups(node);
  const view = p.view(node.inputs[0] as Value);
  const halo = haloOf(geometry);
  const input = kind === 'image' ? p.plainHaloView(view, node.name, halo) : p.blockedView(view, 1, node.name, halo);
  const out = p.blocked('float32', group.root.shape, 1, false, p.haloWishes.get(group.root));
  addDirect(p, group, out, { kind, geometry, input, weights: weights(p), part: (whole) => whole });
  return out;
}

/** Adds the step of a direct convolution with its group's epilogue. `out` is the whole result. */
export function addDirect(p: Planner, group: Group, out: View, { kind, geometry: g, input: view, weights: w, part }: DirectConv): void {
  const node = group.anchor as Node;
  const name = node.name;
  const padded = atPadding(view, g.padsBegin);
  const shape = group.root.shape;
  const after = expressionOf(group.after, group.root, node.outputs[0]);
  const placed = [...after.leaves.slice(1).map((leaf) => p.view(leaf)), out].map((leaf) => blockedOperand(p, leaf, shape, part, name));

  const two = <T>(list: readonly T[], fill: T): readonly [T, T] => (list.length === 1 ? [fill, list[0]] : [list[0], list[1]]);
  const inGroup = g.inChannels / g.groups;
  const blockStride = padded.block?.stride ?? 0;
  const [height, width] = two(padded.strides.slice(2), 0);
  const [outHeight, outWidth] = two(g.outSpatial, 1);
  const spec: ConvSpec = {
    name: kernelName(node.op, shape),
    batch: g.n,
    groups: g.groups,
    channels: g.outChannels / g.groups,
    out: { height: outHeight, width: outWidth },
    input: {
      batch: padded.strides[0],
      group: (inGroup / blockChannels) * blockStride,
      block: blockStride,
      channel: padded.strides[1],
      height,
      width,
    },
    inChannels: inGroup,
    blockSize: kind === 'image' ? inGroup : blockChannels,
    kernel: two(g.kernel, 1),
    stride: two(g.strides, 1),
    dilation: two(g.dilations, 1),
    after,
    operands: placed.map(({ operand }) => operand),
  };
  const tiling = tileConv(p.isa, spec);
  const panel = tiling.vectors * lanesOf(p.isa, 'f32');
  const weights = packWeights(p, w, g, spec, panel, name);
  const args = [padded, weights, ...placed.map(({ view }) => view)].map((view) => argument(view));
  const { after: _, name: __, ...shapeOnly } = spec;
  p.addStep(() => convKernel(p.isa, spec, tiling), `conv|${JSON.stringify(shapeOnly)}|${expressionKey(after)}`, args, 1, {
    op: node.op,
    name,
    shapes: [...node.inputs.flatMap((value) => (value ? [value.shape] : [])), shape].map((dims) => dims.join('x')).join(':'),
    layout: kind === 'image' ? 'nCx:nCx16c' : 'nCx16c',
    epilogue: epilogueText(after),
  });
}

/**
 * Weights O I kernel -> [group of channels][input block][kernel][input channel][panel], by maps over the parts that exist.
 * The last block is as short as it is; the panels of output channels are whole, and zero where those end.
 */
export function packWeights(p: Planner, w: View, g: ConvGeometry, spec: Pick<ConvSpec, 'kernel' | 'blockSize'>, panel: number, name: string): View {
  const [kh, kw] = spec.kernel;
  const inGroup = g.inChannels / g.groups;
  const outGroup = g.outChannels / g.groups;
  const panels = Math.ceil(outGroup / panel);
  const { blockSize } = spec;
  const panelStride = inGroup * kh * kw * panel;
  const whole = outGroup % panel === 0;
  const fixed = whole ? undefined : { kind: `weights ${p.storages.length}`, fill: 0 };
  const packed = p.plain('float32', [g.groups * panels, panelStride], w.storage.constant, fixed);
  const [so, si] = w.strides;
  const [sh, sw] = w.strides.length === 3 ? [0, w.strides[2]] : w.strides.slice(2);
  // [first, count, size] of whole and partial panels and blocks
  const parts = (total: number, size: number): [number, number, number][] => {
    const full = Math.floor(total / size);
    const rest = total % size;
    return [...(full > 0 ? [[0, full, size] as [number, number, number]] : []), ...(rest > 0 ? [[full, 1, rest] as [number, number, number]] : [])];
  };
  const perGroup = parts(outGroup, panel);
  for (let group = 0; group < (whole ? 1 : g.groups); group++) {
    for (const [panelFrom, panelCount, lanes] of whole ? [[0, g.groups * panels, panel] as const] : perGroup) {
      for (const [blockFrom, blockCount, channels] of parts(inGroup, blockSize)) {
        const shape = [panelCount, blockCount, kh, kw, channels, lanes];
        const from: View = {
          ...w,
          shape,
          offset: w.offset + (group * outGroup + panelFrom * panel) * so + blockFrom * blockSize * si,
          strides: [panel * so, blockSize * si, sh, sw, si, so],
        };
        const to: View = {
          ...packed,
          shape,
          offset: (group * panels + panelFrom) * panelStride + blockFrom * blockSize * kh * kw * panel,
          strides: [panelStride, kh * kw * blockSize * panel, kw * channels * panel, channels * panel, panel, 1],
        };
        p.pack(from, to, 'PackWeights', name);
      }
    }
  }
  return packed;
}

/**
 * Groups that are no whole blocks of channels are joined until they are: block-diagonal weights, zero between the joined
 * groups. Costs multiplications with zero, gains full vectors.
 */
function mergeGroups(node: Node): { geometry: ConvGeometry; weights: (p: Planner) => View } {
  const g = convGeometry(node);
  const w = node.inputs[1] as Value;
  const inGroup = g.inChannels / g.groups;
  const outGroup = g.outChannels / g.groups;
  if (g.groups === 1 || (inGroup % blockChannels === 0 && outGroup % blockChannels === 0)) {
    return { geometry: g, weights: (p) => p.unblocked(w) };
  }
  let join = 1;
  while (join < g.groups && ((join * inGroup) % blockChannels !== 0 || (join * outGroup) % blockChannels !== 0 || g.groups % join !== 0)) join++;
  const groups = g.groups / join;
  const [source] = evaluateValues([w]);
  const taps = g.kernel.reduce((a, b) => a * b, 1);
  const dense = zeros('float32', [g.outChannels, join * inGroup, ...g.kernel]);
  const from = source.data as Float32Array;
  for (let o = 0; o < g.outChannels; o++) {
    const within = Math.floor(o / outGroup) % join;
    const at = (o * join + within) * inGroup * taps;
    (dense.data as Float32Array).set(from.subarray(o * inGroup * taps, (o + 1) * inGroup * taps), at);
  }
  return { geometry: { ...g, groups }, weights: (p) => p.view(constant(dense)) };
}

/** A leaf broadcast to a result that is blocked along its channels. */
export function overChannels(p: Planner, view: View, shape: Shape, name: string): View {
  const wide = broadcastView(view, shape);
  return wide.block && wide.block.axis !== 1 ? broadcastView(p.contiguousView(view, name), shape) : wide;
}

/** Any convolution, by strides: group by group where there are several. */
function lowerGeneric(p: Planner, group: Group, g: ConvGeometry): View {
  const node = group.anchor as Node;
  const [x, w] = node.inputs as readonly Value[];
  const name = node.name;
  const shape = group.root.shape;
  const rank = g.kernel.length;
  const padded = atPadding(p.plainHaloView(p.view(x), name, haloOf(g)), g.padsBegin);
  const weights = p.contiguous(w);
  const out = p.plain(x.dtype, shape, padded.storage.constant && weights.storage.constant);
  const inGroup = g.inChannels / g.groups;
  const outGroup = g.outChannels / g.groups;
  const none = new Array<number>(rank).fill(0);
  for (let i = 0; i < g.groups; i++) {
    const windows = windowView({ ...padded, offset: padded.offset + i * inGroup * padded.strides[1] }, g.outSpatial, g);
    // Over [n, o, ...out] kept and [c, ...kernel] reduced.
    const kept = [g.n, outGroup, ...g.outSpatial];
    const all = [...kept, inGroup, ...g.kernel];
    const from: View = {
      ...windows,
      shape: all,
      strides: [windows.strides[0], 0, ...windows.strides.slice(2, 2 + rank), windows.strides[1], ...windows.strides.slice(2 + rank)],
    };
    const by: View = {
      ...weights,
      shape: all,
      offset: weights.offset + i * outGroup * weights.strides[0],
      strides: [0, weights.strides[0], ...none, weights.strides[1], ...weights.strides.slice(2)],
    };
    const part = (view: View): View => sliceView(view, [0, i * outGroup, ...none], shape.map(() => 1), kept) as View;
    sumOfProducts(p, group, from, by, part(out), 2 + rank, (view) => part(broadcastView(view.block ? p.contiguousView(view, name) : view, shape)));
  }
  return out;
}

/** The reduction sum(x * w) + bias with the group's epilogue. `leafView` makes a leaf's view one over the kept axes. */
function sumOfProducts(p: Planner, group: Group, x: View, w: View, out: View, keptRank: number, leafView: (view: View) => View): View {
  const node = group.anchor as Node;
  const [xValue, wValue] = node.inputs;
  const product = apply('Mul', [placeholder(xValue as Value), placeholder(wValue as Value)]);
  const before: Expression = { nodes: [product.node], leaves: product.node.inputs as Value[], results: [product] };
  const after = expressionOf(group.after, group.root, node.outputs[0]);
  const leaves = after.leaves.slice(1).map((leaf) => leafView(p.view(leaf)));
  return lowerReduction(p, {
    label: { op: node.op, name: node.name },
    operation: 'sum',
    propagateNaN: false,
    shape: x.shape,
    keptRank,
    before,
    beforeViews: [x, w],
    after,
    afterViews: leaves,
    out,
  });
}

/** A leaf that stands for its value's dtype alone: views say where things lie. */
export const placeholder = ({ dtype }: Value): Value => input('term', dtype, [1, 2]);
