/**
 * The weights' cotangent of a convolution: in blocked layout by a kernel of its own, whose sums are then laid out as the weights
 * are; depthwise as a reduction over pixels. Both read X and dY as the convolution and its other cotangent left them.
 */
import { apply, type Node, type Shape, sizeOf, type Value } from '../../../../graph/index.ts';
import { type ConvBackwardWeightsGeometry, convBackwardWeightsGeometry } from '../../../../ops/index.ts';
import { lanesOf } from '../../codegen/index.ts';
import { blockChannels, convWeightsKernel, convWeightsSize, type ConvWeightsSpec, type Expression, identity, tileConvWeights } from '../../kernels/index.ts';
import { expressionOf, type Group } from '../fuse.ts';
import { epilogueText } from '../key.ts';
import { argument, type Halo, kernelName, type Planner } from '../planner.ts';
import { atPadding, broadcastView, plainView, type View, windowView } from '../view.ts';
import { haloOf, placeholder } from './conv.ts';
import { lowerReduction } from './reduce.ts';

export type WeightsKind = 'direct' | 'image' | 'depthwise';

/** How it runs; undefined where it is taken apart instead. */
export function convWeightsKind(node: Node): WeightsKind | undefined {
  const g = convBackwardWeightsGeometry(node);
  const [{ dtype }] = node.inputs as readonly Value[];
  if (dtype !== 'float32' || g.kernel.length > 2 || sizeOf([g.n, ...g.outSpatial, ...node.outputs[0].shape]) === 0) return undefined;
  const inGroup = g.inChannels / g.groups;
  const outGroup = g.outChannels / g.groups;
  if (g.groups === 1) return inGroup < blockChannels / 2 ? 'image' : 'direct';
  if (inGroup === 1 && outGroup === 1) return 'depthwise';
  return inGroup % blockChannels === 0 && outGroup % blockChannels === 0 ? 'direct' : undefined;
}

/** Where it reads X beyond its edges. */
export function convWeightsHalo(node: Node): Halo | undefined {
  const kind = convWeightsKind(node);
  return kind === 'direct' || kind === 'depthwise' ? haloOf(convBackwardWeightsGeometry(node)) : undefined;
}

export function lowerConvWeights(p: Planner, group: Group): View {
  const node = group.anchor as Node;
  const kind = convWeightsKind(node)!;
  const g = convBackwardWeightsGeometry(node);
  const [x, dy] = (node.inputs as readonly Value[]).map((value) => p.view(value));
  const padded = kind === 'image' ? p.plainHaloView(p.unblockedView(x, node.name), node.name, haloOf(g)) : p.blockedView(x, 1, node.name, haloOf(g));
  const from = atPadding(padded, g.padsBegin);
  const by = p.blockedView(dy, 1, node.name);
  return kind === 'depthwise' ? lowerDepthwise(p, group, g, from, by) : lowerDirect(p, group, g, kind, from, by);
}

const pair = <T>(list: readonly T[], fill: T): readonly [T, T] => (list.length === 1 ? [fill, list[0]] : [list[0], list[1]]);

function lowerDirect(p: Planner, group: Group, g: ConvBackwardWeightsGeometry, kind: 'direct' | 'image', x: View, dy: View): View {
  const node = group.anchor as Node;
  const inGroup = g.inChannels / g.groups;
  const outGroup = g.outChannels / g.groups;
  const [height, width] = pair(x.strides.slice(2), 0);
  const [dyHeight, dyWidth] = pair(dy.strides.slice(2), 0);
  const [outHeight, outWidth] = pair(g.outSpatial, 1);
  const block = x.block?.stride ?? 0;
  const spec: ConvWeightsSpec = {
    name: kernelName(node.op, node.outputs[0].shape),
    batch: g.n,
    groups: g.groups,
    inChannels: inGroup,
    outChannels: outGroup,
    blockSize: kind === 'image' ? inGroup : blockChannels,
    kernel: pair(g.kernel, 1),
    stride: pair(g.strides, 1),
    dilation: pair(g.dilations, 1),
    out: { height: outHeight, width: outWidth },
    input: { batch: x.strides[0], group: (inGroup / blockChannels) * block, block, channel: x.strides[1], height, width },
    cotangent: { batch: dy.strides[0], block: dy.block!.stride, height: dyHeight, width: dyWidth },
  };
  const tiling = tileConvWeights(p.isa, spec);
  const size = convWeightsSize(p.isa, spec, tiling);
  const parts = p.plain('float32', [tiling.parts, size], false);
  const { name: _, ...shapeOnly } = spec;
  p.addStep(() => convWeightsKernel(p.isa, spec, tiling), `conv-weights|${JSON.stringify(shapeOnly)}`, [x, dy, parts].map((view) => argument(view)), 1, {
    op: node.op,
    name: node.name,
    shapes: [...node.inputs.map((value) => value!.shape), node.outputs[0].shape].map((dims) => dims.join('x')).join(':'),
    layout: kind === 'image' ? 'nCx:nCx16c' : 'nCx16c',
    epilogue: '',
  });
  const sums = tiling.parts === 1 ? parts : addParts(p, node, parts);
  return laidOut(p, group, sums, { groups: g.groups, outGroup, inGroup, blockSize: spec.blockSize, blocks: tiling.blocks, panel: tiling.vectors * lanesOf(p.isa, 'f32') });
}

/** [parts, size] -> [size] */
function addParts(p: Planner, node: Node, parts: View): View {
  const [count, size] = parts.shape;
  const out = p.plain('float32', [size], false);
  const term = placeholder(node.outputs[0]);
  return lowerReduction(p, {
    label: { op: `${node.op}Sum`, name: node.name },
    operation: 'sum',
    propagateNaN: false,
    shape: [size, count],
    keptRank: 1,
    before: identity(term),
    beforeViews: [{ ...parts, shape: [size, count], strides: [1, size] }],
    after: identity(term),
    afterViews: [],
    out,
  });
}

interface Packing {
  readonly groups: number;
  readonly outGroup: number;
  readonly inGroup: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly panel: number;
}

/** [first, count, size] of whole and partial runs of `size`. */
function runsOf(total: number, size: number): [first: number, count: number, size: number][] {
  const full = Math.floor(total / size);
  const rest = total % size;
  return [...(full > 0 ? [[0, full, size] as [number, number, number]] : []), ...(rest > 0 ? [[full, 1, rest] as [number, number, number]] : [])];
}

/** What the group makes of the cotangent, and memory for it: weights, and an optimizer's averages beside them. */
function results(p: Planner, group: Group): { after: Expression; outs: readonly View[] } {
  const { shape } = group.root;
  const outs = [group.root, ...group.extras].map((value) => {
    const out = p.plain('float32', shape, false);
    p.views.set(value, out);
    return out;
  });
  return { after: expressionOf(group.after, group.root, group.anchor!.outputs[0], group.extras), outs };
}

/** The sums, [group][panel][block][kernel][input channel][panel's channels], as weights O I kernel, with the group's epilogue. */
function laidOut(p: Planner, group: Group, sums: View, { groups, outGroup, inGroup, blockSize, blocks, panel }: Packing): View {
  const node = group.anchor as Node;
  const shape = group.root.shape;
  const taps = shape.slice(2);
  const { after, outs } = results(p, group);
  const leaves = after.leaves.slice(1).map((leaf) => broadcastView(p.unblocked(leaf), shape));
  const blockElements = sizeOf(taps) * blockSize * panel;
  const panels = Math.ceil(outGroup / panel);
  const whole = outGroup % panel === 0;
  const tapStrides = plainView(sums.storage, 'float32', [...taps, blockSize, panel]).strides.slice(0, -2);
  for (let i = 0; i < (whole ? 1 : groups); i++) {
    for (const [panelFrom, panelCount, lanes] of whole ? [[0, groups * panels, panel] as const] : runsOf(outGroup, panel)) {
      for (const [blockFrom, blockCount, channels] of runsOf(inGroup, blockSize)) {
        const runs: Shape = [panelCount, blockCount, ...taps, channels, lanes];
        const from: View = {
          ...sums,
          shape: runs,
          strides: [blocks * blockElements, blockElements, ...tapStrides, panel, 1],
          offset: sums.offset + ((i * panels + panelFrom) * blocks + blockFrom) * blockElements,
        };
        const place = (view: View): View => {
          const [so, si, ...rest] = view.strides;
          return {
            ...view,
            shape: runs,
            strides: [panel * so, blockSize * si, ...rest, si, so],
            offset: view.offset + (i * outGroup + panelFrom * panel) * so + blockFrom * blockSize * si,
          };
        };
        p.map(after, [from, ...leaves.map(place)], outs.map(place), { op: `${node.op}Layout`, name: node.name, epilogue: epilogueText(after) });
      }
    }
  }
  return outs[0];
}

/** dW[c, tap] = the sum over pixels of dY[c] X[c moved by tap], 16 channels in a vector. */
function lowerDepthwise(p: Planner, group: Group, g: ConvBackwardWeightsGeometry, x: View, dy: View): View {
  const node = group.anchor as Node;
  const rank = g.kernel.length;
  const shape = [g.outChannels, ...g.kernel, g.n, ...g.outSpatial];
  const windows = windowView(x, g.outSpatial, g);
  const axis = (from: number) => windows.strides.slice(from, from + rank);
  const all = (view: View, strides: readonly number[]): View => ({ ...view, shape, strides, block: { axis: 0, stride: view.block!.stride } });
  const [xTerm, dyTerm] = node.inputs.map((value) => placeholder(value!));
  const product = apply('Mul', [xTerm, dyTerm]);
  const sums = p.blocked('float32', [g.outChannels, ...g.kernel], 0, false);
  lowerReduction(p, {
    label: { op: node.op, name: node.name },
    operation: 'sum',
    propagateNaN: false,
    shape,
    keptRank: 1 + rank,
    before: { nodes: [product.node], leaves: [xTerm, dyTerm], results: [product] },
    beforeViews: [
      all(windows, [windows.strides[1], ...axis(2 + rank), windows.strides[0], ...axis(2)]),
      all(dy, [dy.strides[1], ...new Array<number>(rank).fill(0), dy.strides[0], ...dy.strides.slice(2)]),
    ],
    after: identity(placeholder(node.outputs[0])),
    afterViews: [],
    out: sums,
  });
  const { after, outs } = results(p, group);
  const [first, ...taps] = sums.strides;
  const from: View = { ...sums, shape: group.root.shape, strides: [first, 0, ...taps] };
  p.map(after, [from, ...after.leaves.slice(1).map((leaf) => p.unblocked(leaf))], outs, { op: `${node.op}Layout`, name: node.name, epilogue: epilogueText(after) });
  return outs[0];
}
