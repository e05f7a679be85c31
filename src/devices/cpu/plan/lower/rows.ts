/** Softmax and layer normalisation along the last axis: a kernel each, in place of the reductions that they decompose to. */
import { type Node, sizeOf, type Value } from '../../../../graph/index.ts';
import { epsilonOf } from '../../../../ops/index.ts';
import type { Isa } from '../../codegen/index.ts';
import { layerNormKernel, rowLengths, type RowsSpec, softmaxKernel, type TaskedKernel } from '../../kernels/index.ts';
import type { Group } from '../fuse.ts';
import { argument, kernelName, layoutOf, type Planner } from '../planner.ts';
import { broadcastView, type View } from '../view.ts';

const makers: Readonly<Record<string, (isa: Isa, spec: RowsSpec, node: Node) => TaskedKernel>> = {
  Softmax: softmaxKernel,
  LayerNormalization: (isa, spec, node) => layerNormKernel(isa, { ...spec, epsilon: epsilonOf(node.attrs) }),
};

/** The operators that have kernels along rows. */
export const rowOps: readonly string[] = Object.keys(makers);

/** Whether a node of these operators has a kernel; of layer normalisation, where nobody reads the statistics. */
export function hasRows(node: Node): boolean {
  const [x, ...affine] = node.inputs;
  const { dtype, shape } = x as Value;
  const axis = (node.attrs.axis as number | undefined) ?? -1;
  const length = shape.at(-1) ?? 0;
  const along = axis === -1 || axis === shape.length - 1;
  const fits = length >= rowLengths.least && length <= rowLengths.most;
  return dtype === 'float32' && along && fits && affine.every((value) => !value || value.shape.at(-1) === length);
}

export function lowerRows(p: Planner, group: Group): View {
  const node = group.anchor as Node;
  const { shape } = group.root;
  if (sizeOf(shape) === 0) return p.plain(group.root.dtype, shape, false);
  const besides = (view: View): View => (view.block || view.strides.at(-1) !== 1 ? p.contiguousView(view, node.name) : view);
  const read = node.inputs.flatMap((value) => (value ? [broadcastView(besides(p.view(value)), shape)] : []));
  const out = p.plain(group.root.dtype, shape, read.every(({ storage }) => storage.constant));
  const views = [...read, out];
  const spec: RowsSpec = {
    name: kernelName(node.op, shape),
    extents: shape.slice(0, -1),
    operands: views.map(({ dtype, strides }) => ({ dtype, strides: strides.slice(0, -1) })),
    length: shape.at(-1) as number,
  };
  const key = `${node.op}|${JSON.stringify([spec.extents, spec.operands, spec.length, node.attrs.epsilon])}`;
  p.addStep(() => makers[node.op](p.isa, spec, node), key, views.map((view) => argument(view)), 1, {
    op: node.op,
    name: node.name,
    shapes: views.map((view) => view.shape.join('x')).join(':'),
    layout: layoutOf(read[0]),
    epilogue: '',
  });
  return out;
}
