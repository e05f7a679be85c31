/** ChannelMoments and ChannelSums: the parts of a blocked image by one kernel, and these put together. */
import { apply, constant, fromNumbers, input, type Node, sizeOf, type Value } from '../../../../graph/index.ts';
import { blockChannels, channelSumsKernel, type ChannelSumsSpec, type Expression, identity } from '../../kernels/index.ts';
import { argument, kernelName, type Planner } from '../planner.ts';
import { plainView, type View } from '../view.ts';
import { lowerReduction } from './reduce.ts';

type Lower = (p: Planner, node: Node) => View;

/** Images of one or two spatial axes. */
export function hasChannelSums({ inputs: [x] }: Node): boolean {
  const { dtype, shape } = x!;
  return dtype === 'float32' && (shape.length === 3 || shape.length === 4) && sizeOf(shape) > 0;
}

/** Of a part of one block: half of the second-level cache of a small core. */
const partBytes = 128 * 1024;

const largestDivisor = (n: number, most: number): number => {
  let d = Math.max(1, Math.min(n, Math.floor(most)));
  while (n % d !== 0) d--;
  return d;
};

/** Whole images, or where these are large lines of one: all parts of one size. */
function partsOf(batch: number, height: number, width: number): Pick<ChannelSumsSpec, 'images' | 'lines'> {
  const lineBytes = width * blockChannels * 4;
  const images = largestDivisor(batch, partBytes / (height * lineBytes));
  const lines = images > 1 ? height : largestDivisor(height, partBytes / lineBytes);
  return { images: { parts: batch / images, each: images }, lines: { parts: height / lines, each: lines } };
}

/** [parts, 2, channels in whole blocks], and how many pixels a part has. */
function lowerParts(p: Planner, node: Node, kind: ChannelSumsSpec['kind'], images: readonly Value[], mean?: View): { parts: View; pixels: number } {
  const views = images.map((value) => p.blockedView(p.view(value), 1, node.name));
  const [batch, channels, ...spatial] = images[0].shape;
  const [height, width] = spatial.length === 1 ? [1, spatial[0]] : spatial;
  const blocks = Math.ceil(channels / blockChannels);
  const cut = partsOf(batch, height, width);
  const spec: ChannelSumsSpec = {
    name: kernelName(node.op, images[0].shape),
    kind,
    blocks,
    ...cut,
    width,
    operands: views.map(({ strides, block }) => ({ batch: strides[0], block: block!.stride, height: spatial.length === 1 ? 0 : strides[2], width: strides.at(-1)! })),
  };
  const parts = p.plain('float32', [cut.images.parts * cut.lines.parts, 2, blocks * blockChannels], false);
  const args = [...views, ...(mean ? [mean] : []), parts].map((view) => argument(view));
  p.addStep(() => channelSumsKernel(p.isa, spec), `channel-sums|${JSON.stringify({ ...spec, name: '' })}`, args, 1, {
    op: node.op,
    name: node.name,
    shapes: [...images.map(({ shape }) => shape.join('x')), channels].join(':'),
    layout: 'nCx16c',
    epilogue: '',
  });
  return { parts, pixels: cut.images.each * cut.lines.each * width };
}

const term = (): Value => input('term', 'float32', [1, 2]);
const scalar = (value: number): Value => constant(fromNumbers('float32', [], [value]));

/** One of the two results of all parts, or one of a kind for all, as [channels, parts]. */
const alongParts = (view: View, which: number, count: number): View => {
  const channels = view.shape.at(-1)!;
  if (view.shape.length === 1) return { ...view, shape: [channels, count], strides: [1, 0] };
  return { ...view, shape: [channels, count], strides: [1, view.strides[0]], offset: view.offset + which * channels };
};

/** What is stored in whole blocks, as the channels that there are. */
const ofChannels = ({ storage }: View, channels: number, offset = 0): View => ({
  ...plainView(storage, 'float32', [channels]),
  offset,
  block: { axis: 0, stride: blockChannels },
});

function combine(p: Planner, node: Node, operation: 'sum' | 'mean', before: Expression, beforeViews: readonly View[], after: Expression): View {
  const [channels] = beforeViews[0].shape;
  const out = p.plain('float32', [channels], false);
  return lowerReduction(p, {
    label: { op: `${node.op}Parts`, name: node.name },
    operation,
    propagateNaN: false,
    shape: beforeViews[0].shape,
    keptRank: 1,
    before,
    beforeViews,
    after,
    afterViews: [],
    out,
  });
}

function lowerMoments(p: Planner, node: Node): readonly View[] {
  const x = node.inputs[0]!;
  const { parts, pixels } = lowerParts(p, node, 'moments', [x]);
  const [count] = parts.shape;
  const mean = combine(p, node, 'mean', identity(term()), [alongParts(parts, 0, count)], identity(term()));
  // squares of a part + pixels (mean of the part - mean)^2
  const [squares, partMean, whole, sum] = [term(), term(), term(), term()];
  const distance = apply('Sub', [partMean, whole]);
  const squared = apply('Mul', [distance, distance]);
  const weighted = apply('Mul', [squared, scalar(pixels)]);
  const all = apply('Add', [squares, weighted]);
  const before = { nodes: [distance, squared, weighted, all].map((value) => value.node), leaves: [squares, partMean, whole], results: [all] };
  const share = apply('Mul', [sum, scalar(1 / (pixels * count))]);
  const after = { nodes: [share.node], leaves: [sum], results: [share] };
  const variance = combine(p, node, 'sum', before, [alongParts(parts, 1, count), alongParts(parts, 0, count), alongParts(mean, 0, count)], after);
  return [mean, variance].map((view) => ofChannels(view, x.shape[1]));
}

function lowerSums(p: Planner, node: Node): readonly View[] {
  const [dy, x, mean] = node.inputs as readonly Value[];
  const { parts } = lowerParts(p, node, 'products', [dy, x], p.blockedView(p.view(mean), 0, node.name));
  const [count, , channels] = parts.shape;
  // Both results at once: they lie side by side.
  const both = { ...parts, shape: [2 * channels, count], strides: [1, parts.strides[0]] };
  const sums = combine(p, node, 'sum', identity(term()), [both], identity(term()));
  return [0, channels].map((offset) => ofChannels(sums, x.shape[1], offset));
}

/** Both results are made when the first is asked for. */
const result = (lower: (p: Planner, node: Node) => readonly View[], which: number): Lower => (p, node) => {
  if (!p.views.has(node.outputs[which])) lower(p, node).forEach((view, i) => p.views.set(node.outputs[i], view));
  return p.views.get(node.outputs[which])!;
};

/** A row of moveOps, and one of the second results. */
export const channelOps: Readonly<Record<string, Lower>> = { ChannelMoments: result(lowerMoments, 0), ChannelSums: result(lowerSums, 0) };
export const channelSeconds: Readonly<Record<string, Lower>> = { ChannelMoments: result(lowerMoments, 1), ChannelSums: result(lowerSums, 1) };
