/** graph -> plan: fusion groups, layouts, kernels and steps. */
import { formatType, type Graph, type Node, topologicalOrder, type Value } from '../../../graph/index.ts';
import { convGeometry, poolGeometry } from '../../../ops/index.ts';
import type { Precision } from '../../device.ts';
import type { Isa, KernelCode } from '../codegen/index.ts';
import { blockChannels } from '../kernels/index.ts';
import { PlanError } from './errors.ts';
import { expressionOf, fuse, type Group } from './fuse.ts';
import { type Port, updateInPlace } from './in-place.ts';
import { epilogueText } from './key.ts';
import { channelSeconds } from './lower/channel-sums.ts';
import { convKind, haloOf } from './lower/conv.ts';
import { convWeightsHalo, lowerConvWeights } from './lower/conv-weights.ts';
import { lowerConvTranspose, transposedHalo } from './lower/conv-transpose.ts';
import { lowerDepthwise } from './lower/depthwise.ts';
import { lowerMatMul } from './lower/matmul.ts';
import { moveOps, padHalo, viewOps } from './lower/movement.ts';
import { lowerPool, lowerPoolIndices, poolFill } from './lower/pool.ts';
import { lowerPoolBackward } from './lower/pool-backward.ts';
import { lowerReduce } from './lower/reduce.ts';
import { lowerRows } from './lower/rows.ts';
import { lowerAnyConv, winogradHalo, winogradTiling } from './lower/winograd.ts';
import { Parts } from './parts.ts';
import { type Halo, type PlannedStep, Planner, type Target } from './planner.ts';
import { prepare, runs, secondsRead } from './prepare.ts';
import { broadcastView, type View } from './view.ts';

export { PlanError } from './errors.ts';
export { isNative } from './prepare.ts';
export { aligned, type MemoryPlan, planMemory } from './memory.ts';
export type { PlannedArgument, PlannedStep } from './planner.ts';
export { bytesOfView, type Storage, type View } from './view.ts';

export interface Plan {
  readonly kernels: readonly KernelCode[];
  /** Run once, when the program is loaded: they make constants from constants. */
  readonly setup: readonly PlannedStep[];
  readonly steps: readonly PlannedStep[];
  readonly inputs: readonly Port[];
  /** Plain and contiguous. */
  readonly outputs: readonly Port[];
}

/** Groups with an anchor, by its operator. */
const anchored: Readonly<Record<string, (p: Planner, group: Group) => View>> = {
  Conv: (p, group) => (convKind(group.anchor as Node) === 'depthwise' ? lowerDepthwise(p, group) : lowerAnyConv(p, group)),
  ConvTranspose: lowerConvTranspose,
  ConvBackwardWeights: lowerConvWeights,
  MatMul: lowerMatMul,
  MaxPool: lowerPool,
  AveragePool: lowerPool,
  MaxPoolBackward: lowerPoolBackward,
  AveragePoolBackward: lowerPoolBackward,
  Softmax: lowerRows,
  LayerNormalization: lowerRows,
  ReduceSum: lowerReduce,
  ReduceMean: lowerReduce,
  ReduceMax: lowerReduce,
  ReduceMin: lowerReduce,
  ReduceProd: lowerReduce,
};

export interface PlanOptions {
  readonly precision?: Precision;
  /** Inputs by the name of the output that takes their place. */
  readonly inPlace?: Readonly<Record<string, string>>;
}

/** @throws PlanError naming every operator that this device neither runs nor can take apart. */
export function plan(graph: Graph, isa: Isa, { precision = 'high', inPlace = {} }: PlanOptions = {}): Plan {
  const prepared = prepare(graph);
  const order = topologicalOrder(prepared);
  const seconds = secondsRead(prepared, order);
  refuseUnsupported(order, seconds);
  const target = { isa, precision };
  const groups = new Map(fuse(prepared, isUnfused).map((group) => [group.root.node, group]));
  const p = new Planner(target, haloWishes(target, order), new Parts(order, groups.values(), prepared.outputs));

  const inputs = graph.inputs.map(({ name, value }) => {
    const view = p.plain(value.dtype, value.shape, false);
    p.views.set(value, view);
    return { name, view };
  });
  for (const node of order) {
    if (node.op === 'Constant' || node.op === 'Input') continue;
    const lower = viewOps[node.op] ?? moveOps[node.op];
    const group = groups.get(node);
    if (seconds.has(node)) p.views.set(node.outputs[1], secondResults[node.op](p, node));
    if (lower) p.views.set(node.outputs[0], lower(p, node));
    else if (group) p.views.set(group.root, group.anchor ? anchored[group.anchor.op](p, group) : lowerPointwise(p, group));
  }
  const outputs = prepared.outputs.map(({ name, value }) => ({ name, view: p.contiguous(value) }));
  return { kernels: p.kernels, setup: p.setup, steps: p.steps, inputs, outputs: updateInPlace(p, inputs, outputs, inPlace) };
}

const isUnfused = (node: Node): boolean => node.op in viewOps || node.op in moveOps;

/** Results after the first: of these operators only. */
const secondResults: Readonly<Record<string, (p: Planner, node: Node) => View>> = { MaxPool: lowerPoolIndices, ...channelSeconds };

function refuseUnsupported(order: readonly Node[], seconds: ReadonlySet<Node>): void {
  const refused = order.filter((node) => !runs(node) || (seconds.has(node) && !(node.op in secondResults)));
  if (refused.length === 0) return;
  const list = refused.map((node) => `${node.op}${seconds.has(node) ? ' with more than one result' : ''} '${node.name}' (${node.outputs.map(formatType).join(', ')})`);
  throw new PlanError(`operators that the CPU device does not run: ${list.join(', ')}`);
}

/** A group of pointwise nodes alone: one map, in the layout of what it reads. */
function lowerPointwise(p: Planner, group: Group): View {
  const { root, extras } = group;
  const expression = expressionOf(group.after, root, undefined, extras);
  const views = expression.leaves.map((leaf) => p.view(leaf));
  const { shape, dtype } = root;
  const constant = views.every(({ storage }) => storage.constant);
  const blocked = dtype === 'float32' && views.some((view) => broadcastView(view, shape).block?.axis === 1) && shape.length > 2;
  const values = [root, ...extras];
  const places = values.map((value) => (blocked ? [p.blocked(dtype, shape, 1, constant, p.haloWishes.get(value))] : p.parts.placesOf(p, value, constant)));
  const results = places.flatMap((list, i) => list.map(() => values[i]));
  p.map({ ...expression, results }, views, places.flat(), { op: group.after.map(({ op }) => op).join('+'), name: root.node.name, epilogue: epilogueText(expression) });
  values.forEach((value, i) => p.views.set(value, places[i][0]));
  return places[0][0];
}

/**
 * Where convolutions, poolings and paddings read beyond a value's edges: its producer then writes it into memory that has
 * room for that, and nobody copies. The first fill asked for wins; who needs another one copies.
 */
function haloWishes(target: Target, order: readonly Node[]): Map<Value, Halo> {
  const wishes = new Map<Value, Halo>();
  const wish = (value: Value, halo: Halo | undefined) => {
    if (!halo || value.shape[1] < blockChannels / 2) return;
    const known = wishes.get(value);
    if (!known) wishes.set(value, halo);
    else if (Object.is(known.fill, halo.fill)) {
      const larger = (a: readonly number[], b: readonly number[]) => a.map((n, i) => Math.max(n, b[i]));
      wishes.set(value, { begin: larger(known.begin, halo.begin), end: larger(known.end, halo.end), fill: halo.fill });
    }
  };
  for (const node of order) {
    const value = node.inputs[0] as Value;
    if (node.op === 'Conv' && ['direct', 'depthwise'].includes(convKind(node))) wish(value, (winogradTiling(target, node) ? winogradHalo : haloOf)(convGeometry(node)));
    else if (node.op === 'ConvTranspose') wish(value, transposedHalo(node));
    else if (node.op === 'ConvBackwardWeights') wish(value, convWeightsHalo(node));
    else if (node.op === 'MaxPool' || node.op === 'AveragePool') {
      if (value.dtype === 'float32') wish(value, haloOf(poolGeometry(node), poolFill(node)));
    } else if (node.op === 'Pad') wish(value, padHalo(node));
  }
  return wishes;
}
