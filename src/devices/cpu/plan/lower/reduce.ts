/** Reductions and what is made of them: sums over axes, over windows, over products. */
import type { Node, Shape, Value } from '../../../../graph/index.ts';
import { sizeOf } from '../../../../graph/index.ts';
import { reducedAxes } from '../../../../ops/index.ts';
import { type Expression, identity, reduceKernel, type Reduction } from '../../kernels/index.ts';
import { expressionOf, type Group } from '../fuse.ts';
import { epilogueText, expressionKey } from '../key.ts';
import { argument, kernelName, layoutOf, type Planner, walkOf } from '../planner.ts';
import { broadcastView, piecesOf, reshapeView, transposeView, type View } from '../view.ts';

export interface ReductionPlan {
  readonly label: { readonly op: string; readonly name: string };
  readonly operation: Reduction;
  readonly propagateNaN: boolean;
  /** Kept axes, then reduced ones: the shape of the terms' views. */
  readonly shape: Shape;
  readonly keptRank: number;
  readonly before: Expression;
  readonly beforeViews: readonly View[];
  /** First leaf: the reduced value. */
  readonly after: Expression;
  /** Views of the other leaves, broadcast to the kept shape. */
  readonly afterViews: readonly View[];
  /** Of the kept shape. */
  readonly out: View;
}

/** Adds the steps of a reduction; returns `out`. */
export function lowerReduction(p: Planner, plan: ReductionPlan): View {
  const { shape, keptRank, before, after, out } = plan;
  const reduced = shape.slice(keptRank);
  if (sizeOf(shape.slice(0, keptRank)) === 0) return out;
  const overAll = (view: View): View => ({
    ...view,
    shape,
    strides: [...view.strides, ...reduced.map(() => 0)],
  });
  // A blocked result is computed in lanes of channels, which all operands must have.
  const inLanes = (view: View): View => (out.block && view.strides[out.block.axis] > 1 ? p.blockedView(view, out.block.axis, plan.label.name) : view);
  const views = [...plan.beforeViews, ...plan.afterViews.map((view) => overAll(inLanes(view))), overAll(out)];
  const pieces = piecesOf(shape, views, 1, keptRank) ?? piecesOf(shape, views.map((view) => (view === views.at(-1) ? view : plainOf(p, view, plan.label.name))), 1, keptRank);
  if (!pieces) throw new Error(`${plan.label.op} '${plan.label.name}': a reduction of blocked views along different axes`);
  for (const piece of pieces) {
    const extra = piece.extents.length - shape.length;
    const kept = piece.extents.slice(0, keptRank + extra);
    const spec = {
      name: kernelName(plan.label.op, out.shape),
      kept,
      reduced,
      operation: plan.operation,
      propagateNaN: plan.propagateNaN,
      before,
      after,
      operands: piece.operands,
      valid: piece.valid,
    };
    const layout = piece.operands.map(({ dtype, strides, padded }) => [dtype, strides, padded]);
    const key = `reduce|${JSON.stringify([kept, reduced, plan.operation, plan.propagateNaN, layout, piece.valid])}|${expressionKey(before)}|${expressionKey(after)}`;
    const args = views.map((view, i) => argument(view, piece.operands[i].offset));
    p.addStep(() => reduceKernel(p.isa, spec), key, args, 1, {
      ...plan.label,
      shapes: [...views.slice(0, -1), out].map((view) => view.shape.join('x')).join(':'),
      layout: layoutOf(out),
      epilogue: epilogueText(after),
    }, piece.operands.map((operand, i) => (i < before.leaves.length ? '' : walkOf(operand))));
  }
  return out;
}

/** A strided, unblocked view of the same elements: the blocked one is copied out first. */
function plainOf(p: Planner, view: View, name: string): View {
  return view.block ? p.contiguousView(view, name) : view;
}

const operations: Readonly<Record<string, Reduction>> = {
  ReduceSum: 'sum',
  ReduceMean: 'mean',
  ReduceProd: 'prod',
  ReduceMax: 'max',
  ReduceMin: 'min',
};

export function lowerReduce(p: Planner, group: Group): View {
  const node = group.anchor as Node;
  const source = node.inputs[0] as Value;
  const rank = source.shape.length;
  const axes = reducedAxes(node);
  const kept = source.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const before = group.before.length > 0 ? expressionOf(group.before, source) : identity(source);
  let beforeViews = before.leaves.map((leaf) => transposeView(broadcastView(p.view(leaf), source.shape), order));
  // Blocks along a reduced axis would be two axes in its place: copied out.
  if (beforeViews.some(({ block }) => block && block.axis >= kept.length)) {
    beforeViews = before.leaves.map((leaf) => transposeView(broadcastView(p.unblocked(leaf), source.shape), order));
  }
  const keptShape = kept.map((axis) => source.shape[axis]);
  const after = expressionOf(group.after, group.root, node.outputs[0]);
  const rootShape = group.root.shape;
  const inKept = (view: View): View => reshapeToKept(p, broadcastView(view, rootShape), keptShape, rootShape.length === rank ? kept : undefined, node.name);
  const constant = [...beforeViews, ...after.leaves.slice(1).map((leaf) => p.view(leaf))].every(({ storage }) => storage.constant);
  const whole = p.plain(group.root.dtype, rootShape, constant);
  const result = reshapeView(whole, keptShape) as View;
  lowerReduction(p, {
    label: { op: node.op, name: node.name },
    operation: operations[node.op],
    propagateNaN: true,
    shape: order.map((axis) => source.shape[axis]),
    keptRank: kept.length,
    before,
    beforeViews,
    after,
    afterViews: after.leaves.slice(1).map((leaf) => inKept(p.view(leaf))),
    out: result,
  });
  return whole;
}

/** A view of the result's shape as one of the kept axes alone: with keepdims the reduced axes have one element. */
function reshapeToKept(p: Planner, view: View, keptShape: Shape, kept: readonly number[] | undefined, name: string): View {
  if (!kept) return view;
  const plain = view.block && !kept.includes(view.block.axis) ? p.contiguousView(view, name) : view;
  return {
    ...plain,
    shape: keptShape,
    strides: kept.map((axis) => plain.strides[axis]),
    block: plain.block && { ...plain.block, axis: kept.indexOf(plain.block.axis) },
  };
}
