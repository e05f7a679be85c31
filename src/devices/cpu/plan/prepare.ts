/** What a graph becomes before it is planned: only operators that this device runs, and nothing of it to no purpose. */
import { apply, constant, fromNumbers, type Graph, type Node, opOf, rewriteGraph, sizeOf, topologicalOrder, type Value } from '../../../graph/index.ts';
import { convTransposeGeometry } from '../../../ops/index.ts';
import {
  commonSubexpressions,
  type Decompose,
  decompose,
  eliminate,
  foldConstants,
  hardSwish,
  mergeAffine,
  mergePads,
  mergeSums,
  type Pass,
  runPasses,
  tablesFirst,
} from '../../../optimize/index.ts';
import { blockChannels, canEmit, emittableOps } from '../kernels/index.ts';
import { anchorRules } from './fuse.ts';
import { hasPhases } from './lower/conv-transpose.ts';
import { channelOps, hasChannelSums } from './lower/channel-sums.ts';
import { convWeightsKind } from './lower/conv-weights.ts';
import { hasPoolBackward } from './lower/pool-backward.ts';
import { moveOps, viewOps } from './lower/movement.ts';
import { hasRows, rowOps } from './lower/rows.ts';

export const isNative = (op: string): boolean =>
  op in anchorRules || op in viewOps || op in moveOps || emittableOps.has(op) || op === 'Constant' || op === 'Input';

/** Whether the device runs a node: its operator, on its element types. Views and copies take any, arithmetic no half floats. */
export function runs(node: Node): boolean {
  if (emittableOps.has(node.op)) return canEmit(node);
  if (rowOps.includes(node.op)) return hasRows(node);
  if (node.op in channelOps) return hasChannelSums(node);
  if (node.op === 'MaxPoolBackward' || node.op === 'AveragePoolBackward') return hasPoolBackward(node);
  if (node.op === 'ConvBackwardWeights') return convWeightsKind(node) !== undefined;
  const isHalf = (value: Value | null) => value?.dtype === 'float16' || value?.dtype === 'bfloat16';
  return isNative(node.op) && !(node.op in anchorRules && [...node.inputs, ...node.outputs].some(isHalf));
}

export const prepare = (graph: Graph): Graph => runPasses(graph, passes);

/** The second fold makes constants of what decompositions compute from constants; the passes after it look for those. */
const passes: readonly Pass[] = [
  { name: 'fold', run: foldConstants },
  { name: 'layerStatistics', run: layerStatistics },
  { name: 'decompose', run: (graph) => decompose(graph, runs, (node) => own[node.op]?.(node)) },
  { name: 'fold', run: foldConstants },
  { name: 'eliminate', run: eliminate },
  { name: 'commonSubexpressions', run: commonSubexpressions },
  { name: 'tablesFirst', run: tablesFirst },
  { name: 'mergeSums', run: mergeSums },
  { name: 'commonSubexpressions', run: commonSubexpressions },
  { name: 'mergePads', run: mergePads },
  { name: 'hardSwish', run: hardSwish },
  { name: 'mergeAffine', run: mergeAffine },
];

/** Nodes whose further results somebody reads. */
export const secondsRead = (graph: Graph, order = topologicalOrder(graph)): Set<Node> => {
  const read = [...order.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ value }) => value)];
  return new Set(read.flatMap((value) => (value && value.index > 0 ? [value.node] : [])));
};

/** Layer normalisations whose statistics somebody reads, as gradients do, are taken apart: their kernel keeps them to itself. */
function layerStatistics(graph: Graph): Graph {
  const seconds = secondsRead(graph);
  return rewriteGraph(graph, (node) => (node.op === 'LayerNormalization' && seconds.has(node) ? opOf(node.op).decompose?.(node) : undefined));
}

const int64s = (values: readonly number[]): Value => constant(fromNumbers('int64', [values.length], values));

/** A vector along the channels of an image. */
const perChannel = (vector: Value, image: Value): Value => apply('Reshape', [vector, int64s([vector.shape[0], ...image.shape.slice(2).map(() => 1)])]);

const own: Readonly<Record<string, Decompose>> = {
  /** A bias is an addition like any other, and fuses like any other. */
  Conv: (node) => {
    const [x, w, bias] = node.inputs;
    if (!bias) return undefined;
    const sum = apply('Conv', [x, w], node.attrs, node.name);
    return [apply('Add', [sum, perChannel(bias, sum)], {}, node.name)];
  },
  ConvTranspose: convTranspose,
  Softmax: (node) => {
    if (hasRows(node)) return undefined;
    const x = node.inputs[0] as Value;
    const axis = int64s([(node.attrs.axis as number | undefined) ?? -1]);
    const shifted = apply('Sub', [x, apply('ReduceMax', [x, axis], { keepdims: 1 })]);
    const powers = apply('Exp', [shifted]);
    return [apply('Div', [powers, apply('ReduceSum', [powers, axis], { keepdims: 1 })], {}, node.name)];
  },
};

/** In phases where that can be; a bias is an addition again. */
function convTranspose(node: Node): readonly Value[] | undefined {
  const [x, w, bias] = node.inputs;
  if (bias) {
    const sum = apply('ConvTranspose', [x, w], node.attrs, node.name);
    return [apply('Add', [sum, perChannel(bias, sum)], {}, node.name)];
  }
  if (isShuffle(node)) return shuffled(node);
  if (isDense(node)) return [turnedRound(node)];
  return hasPhases(node) ? undefined : spreadOut(node);
}

/** The padding around x with which every result element sees the kernel whole; negative where x has to be cut. */
function placing(node: Node): { before: readonly number[]; after: readonly number[] } {
  const g = convTransposeGeometry(node);
  const before = g.kernel.map((k, i) => (k - 1) * g.dilations[i] - g.padsBegin[i]);
  const after = g.outSpatial.map((size, i) => size + (g.kernel[i] - 1) * g.dilations[i] - g.spatial[i] * g.strides[i] - before[i]);
  return { before, after };
}

/** Of stride 1, x as it is. */
function isDense(node: Node): boolean {
  const g = convTransposeGeometry(node);
  const { before, after } = placing(node);
  return g.groups === 1 && g.strides.every((stride) => stride === 1) && [...before, ...after].every((pad) => pad >= 0);
}

/** A convolution by the kernel turned round, with input and output channels exchanged. */
function turnedRound(node: Node): Value {
  const g = convTransposeGeometry(node);
  const [x, w] = node.inputs as readonly Value[];
  const axes = g.kernel.map((_, i) => 2 + i);
  const weights = reversed(apply('Transpose', [w], { perm: [1, 0, ...axes] }), axes);
  const { before, after } = placing(node);
  return apply('Conv', [x, weights], { pads: [...before, ...after], dilations: [...g.dilations], kernel_shape: [...g.kernel] }, node.name);
}

/** The elements along some axes from last to first. */
const reversed = (value: Value, axes: readonly number[]): Value =>
  apply('Slice', [value, int64s(axes.map(() => -1)), int64s(axes.map(() => -(2 ** 31))), int64s(axes), int64s(axes.map(() => -1))]);

/** No two taps meet, and the channels that one pixel becomes fit one block. */
function isShuffle(node: Node): boolean {
  const g = convTransposeGeometry(node);
  const dense = g.kernel.every((size, axis) => size === 1 || g.dilations[axis] === 1);
  const apart = dense && g.kernel.every((size, axis) => size === g.strides[axis] && g.outSpatial[axis] === size * g.spatial[axis]);
  return apart && g.groups === 1 && g.padsBegin.every((pad) => pad === 0) && g.outChannels * sizeOf(g.kernel) <= blockChannels;
}

/** A matrix product per pixel, whose results are then laid out as the pixels of a patch. */
function shuffled(node: Node): readonly Value[] {
  const [x, w] = node.inputs as readonly Value[];
  const g = convTransposeGeometry(node);
  const rank = g.kernel.length;
  const axes = g.kernel.map((_, i) => i);
  const ones = g.kernel.map(() => 1);
  const patches = apply('Transpose', [w], { perm: [...axes.map((i) => 2 + i), 1, 0] });
  const weights = apply('Reshape', [patches, int64s([sizeOf(g.kernel) * g.outChannels, g.inChannels, ...ones])]);
  const product = apply('Conv', [x, weights], {}, node.name);
  const open = apply('Reshape', [product, int64s([g.n, ...g.kernel, g.outChannels, ...g.spatial])]);
  const laid = apply('Transpose', [open], { perm: [0, 1 + rank, ...axes.flatMap((i) => [2 + rank + i, 1 + i])] });
  return [apply('Reshape', [laid, int64s([g.n, g.outChannels, ...g.outSpatial])], {}, node.name)];
}

/**
 * A transposed convolution is a convolution of the input with zeros between its elements, by the kernel turned round, with
 * input and output channels of each group exchanged (Dumoulin and Visin, "A guide to convolution arithmetic", 2016).
 */
function spreadOut(node: Node): readonly Value[] {
  const g = convTransposeGeometry(node);
  const [x, w] = node.inputs as readonly Value[];
  const rank = g.kernel.length;
  const inGroup = g.inChannels / g.groups;
  const outGroup = g.outChannels / g.groups;
  // [n, c, h, w] -> [n, c, h, 1, w, 1] -> pad the ones to the stride -> [n, c, h * s, w * s] without the last s - 1
  let spread = x;
  if (g.strides.some((s) => s > 1)) {
    const apart = g.spatial.flatMap((size) => [size, 1]);
    const begin = new Array<number>(2 + 2 * rank).fill(0);
    const end = [0, 0, ...g.strides.flatMap((s) => [0, s - 1])];
    const open = apply('Reshape', [x, int64s([g.n, g.inChannels, ...apart])]);
    const padded = apply('Pad', [open, int64s([...begin, ...end])]);
    spread = apply('Reshape', [padded, int64s([g.n, g.inChannels, ...g.spatial.map((size, i) => size * g.strides[i])])]);
  }
  // Padding so that every result element sees the kernel whole; negative padding cuts.
  const { before, after } = placing(node);
  const placed = apply('Pad', [spread, int64s([0, 0, ...before, 0, 0, ...after])]);
  const grouped = apply('Reshape', [w, int64s([g.groups, inGroup, outGroup, ...g.kernel])]);
  const axes = g.kernel.map((_, i) => 3 + i);
  const exchanged = apply('Transpose', [grouped], { perm: [0, 2, 1, ...axes] });
  const flipped = reversed(exchanged, axes);
  const weights = apply('Reshape', [flipped, int64s([g.outChannels, inGroup, ...g.kernel])]);
  const attrs = { group: g.groups, dilations: [...g.dilations], kernel_shape: [...g.kernel] };
  return [apply('Conv', [placed, weights], attrs, node.name)];
}
