/** Depthwise convolutions (float32, up to two spatial axes) in blocked layout. */
import type { Node, Value } from '../../../../graph/index.ts';
import { convGeometry } from '../../../../ops/index.ts';
import { blockChannels, depthwiseKernel, type DepthwiseSpec } from '../../kernels/index.ts';
import { expressionOf, type Group } from '../fuse.ts';
import { epilogueText, expressionKey } from '../key.ts';
import { argument, kernelName, type Planner } from '../planner.ts';
import { atPadding, reshapeView, type View } from '../view.ts';
import { blockedOperand, haloOf } from './conv.ts';

export function lowerDepthwise(p: Planner, group: Group): View {
  const node = group.anchor as Node;
  const g = convGeometry(node);
  const [x, w] = node.inputs as readonly Value[];
  const name = node.name;
  const shape = group.root.shape;
  const input = atPadding(p.blockedView(p.view(x), 1, name, haloOf(g)), g.padsBegin);
  const plain = reshapeView(p.contiguous(w), [g.outChannels, ...g.kernel]) as View;
  const weights = p.blocked('float32', plain.shape, 0, plain.storage.constant);
  p.pack(plain, weights, 'PackWeights', name);
  const out = p.blocked('float32', shape, 1, false, p.haloWishes.get(group.root));
  const after = expressionOf(group.after, group.root, node.outputs[0]);
  const placed = [...after.leaves.slice(1).map((leaf) => p.view(leaf)), out].map((leaf) => blockedOperand(p, leaf, shape, (whole) => whole, name));

  const two = <T>(list: readonly T[], fill: T): readonly [T, T] => (list.length === 1 ? [fill, list[0]] : [list[0], list[1]]);
  const [height, width] = two(input.strides.slice(2), 0);
  const [outHeight, outWidth] = two(g.outSpatial, 1);
  const spec: DepthwiseSpec = {
    name: kernelName(node.op, shape),
    batch: g.n,
    blocks: Math.ceil(g.outChannels / blockChannels),
    out: { height: outHeight, width: outWidth },
    input: { batch: input.strides[0], block: (input.block as { stride: number }).stride, height, width },
    kernel: two(g.kernel, 1),
    stride: two(g.strides, 1),
    dilation: two(g.dilations, 1),
    after,
    operands: placed.map(({ operand }) => operand),
  };
  const { after: _, name: __, ...shapeOnly } = spec;
  const args = [input, weights, ...placed.map(({ view }) => view)].map((view) => argument(view));
  p.addStep(() => depthwiseKernel(p.isa, spec), `depthwise|${JSON.stringify(shapeOnly)}|${expressionKey(after)}`, args, 1, {
    op: node.op,
    name,
    shapes: [x.shape, w.shape, shape].map((dims) => dims.join('x')).join(':'),
    layout: 'nCx16c depthwise',
    epilogue: epilogueText(after),
  });
  return out;
}
