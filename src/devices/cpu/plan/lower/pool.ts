/** Pooling: a reduction over a sliding window, which is a strided view of the input and its halo. */
import { apply, constant, type DType, input, type Node, sizeOf, stridesOf, tensorData, type Value } from '../../../../graph/index.ts';
import { poolDivisors, type PoolGeometry, poolGeometry } from '../../../../ops/index.ts';
import { argReduceKernel, blockChannels, type Expression, identity } from '../../kernels/index.ts';
import { expressionOf, type Group } from '../fuse.ts';
import { argument, kernelName, type Planner } from '../planner.ts';
import { atPadding, type View, windowView } from '../view.ts';
import { haloOf, overChannels } from './conv.ts';
import { lowerReduction } from './reduce.ts';

/** What the padding of a maximum must not exceed. */
const lowest: Partial<Record<DType, number>> = { uint8: 0, int8: -128, int32: -(2 ** 31), int64: -(2 ** 62) };

export const poolFill = (node: Node): number => (node.op === 'MaxPool' ? (lowest[node.outputs[0].dtype] ?? -Infinity) : 0);

export function lowerPool(p: Planner, group: Group): View {
  const node = group.anchor as Node;
  const g = poolGeometry(node);
  const source = node.inputs[0] as Value;
  const shape = group.root.shape;
  const halo = haloOf(g, poolFill(node));
  const view = p.view(source);
  const isBlocked = source.dtype === 'float32' && (view.block?.axis === 1 || g.channels >= blockChannels / 2);
  const padded = isBlocked ? p.blockedView(view, 1, node.name, halo) : p.plainHaloView(p.unblockedView(view, node.name), node.name, halo);
  const windows = windowView(atPadding(padded, g.padsBegin), g.outSpatial, g);
  const out = isBlocked ? p.blocked('float32', shape, 1, false, p.haloWishes.get(group.root)) : p.plain(source.dtype, shape, view.storage.constant);
  const fused = expressionOf(group.after, group.root, node.outputs[0]);
  const { after, counts, mean } = node.op === 'AveragePool' ? averaged(node, fused, g) : { after: fused, counts: [], mean: false };
  const leafViews = [...counts.map((value) => p.view(value)), ...fused.leaves.slice(1).map((leaf) => p.view(leaf))];
  const spread = leafViews.map((leaf) => overChannels(p, isBlocked ? leaf : p.unblockedView(leaf, node.name), shape, node.name));
  return lowerReduction(p, {
    label: { op: node.op, name: node.name },
    operation: node.op === 'MaxPool' ? 'max' : mean ? 'mean' : 'sum',
    propagateNaN: false,
    shape: windows.shape,
    keptRank: 2 + g.kernel.length,
    before: identity(source),
    beforeViews: [windows],
    after,
    afterViews: spread,
    out,
  });
}

/** An average divides by one number everywhere, or by a table of counts that is one more operand. */
function averaged(node: Node, fused: Expression, g: PoolGeometry): { after: Expression; counts: Value[]; mean: boolean } {
  const kernel = sizeOf(g.kernel);
  // A window of padding alone sums to 0, which is its average.
  const table = poolDivisors(g).map((count) => Math.max(1, count));
  if (table.every((count) => count === kernel)) return { after: fused, counts: [], mean: true };
  const sum = node.outputs[0];
  const data = sum.dtype === 'float64' ? table : Float32Array.from(table);
  const divisor = constant(tensorData(sum.dtype, [...g.outSpatial], data));
  // The fused nodes read the quotient where they read the pool's result.
  const raw = input('sum', sum.dtype, sum.shape);
  const quotient = apply('Div', [raw, divisor]).node;
  const renamed = Object.assign(Object.create(Object.getPrototypeOf(quotient)) as Node, quotient, { outputs: [sum] });
  return {
    after: { nodes: [renamed, ...fused.nodes], leaves: [raw, divisor, ...fused.leaves.slice(1)], results: fused.results },
    counts: [divisor],
    mean: false,
  };
}

/** MaxPool's second result: for each maximum its index in the flat input; `storage_order` 1 counts columns first. */
export function lowerPoolIndices(p: Planner, node: Node): View {
  const g = poolGeometry(node);
  const source = node.inputs[0] as Value;
  const padded = p.plainHaloView(p.unblockedView(p.view(source), node.name), node.name, haloOf(g, poolFill(node)));
  const out = p.plain('int64', node.outputs[1].shape, padded.storage.constant);
  const plane = sizeOf(g.spatial);
  const rowFirst = stridesOf(g.spatial);
  const columnFirst = [...g.spatial.keys()].map((axis) => sizeOf(g.spatial.slice(0, axis)));
  const along = node.attrs.storage_order === 1 ? columnFirst : rowFirst;
  const spatial = padded.strides.slice(2);
  const results = stridesOf(out.shape);
  const spec = {
    name: kernelName('MaxPoolIndices', out.shape),
    dtype: source.dtype,
    kept: [
      { extent: g.n, data: padded.strides[0], result: results[0], index: g.channels * plane },
      { extent: g.channels, data: padded.strides[1], result: results[1], index: plane },
      ...g.outSpatial.map((extent, axis) => ({
        extent,
        data: spatial[axis] * g.strides[axis],
        result: results[axis + 2],
        index: along[axis] * g.strides[axis],
      })),
    ],
    searched: g.kernel.map((extent, axis) => ({ extent, data: spatial[axis] * g.dilations[axis], index: along[axis] * g.dilations[axis] })),
    firstIndex: -g.padsBegin.reduce((sum, pad, axis) => sum + pad * along[axis], 0),
    greatest: true,
    selectLast: false,
  };
  const from = atPadding(padded, g.padsBegin);
  p.addStep(() => argReduceKernel(p.isa, spec), `arg|${JSON.stringify({ ...spec, name: '' })}`, [argument(from), argument(out)], 1, {
    op: 'MaxPoolIndices',
    name: node.name,
    shapes: `${source.shape.join('x')}:${out.shape.join('x')}`,
    layout: 'plain',
    epilogue: '',
  });
  return out;
}
