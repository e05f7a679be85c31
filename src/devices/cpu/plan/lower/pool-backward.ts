/** Pooling backwards, over blocked images. An average's dY is divided first, as each pixel's window has its own count. */
import { apply, constant, type Node, type Shape, sizeOf, tensorData, type Value } from '../../../../graph/index.ts';
import { averageGeometry, poolDivisors, type PoolGeometry, poolGeometry } from '../../../../ops/index.ts';
import { blockChannels, poolBackwardKernel, type PoolBackwardSpec } from '../../kernels/index.ts';
import { expressionOf, type Group } from '../fuse.ts';
import { epilogueText, expressionKey } from '../key.ts';
import { argument, kernelName, type Planner } from '../planner.ts';
import { broadcastView, type View } from '../view.ts';
import { blockedOperand, placeholder } from './conv.ts';

/** Images of one or two spatial axes. */
export function hasPoolBackward({ inputs: [dy], outputs: [dx] }: Node): boolean {
  return dx.dtype === 'float32' && dx.shape.length <= 4 && sizeOf(dx.shape) > 0 && sizeOf(dy!.shape) > 0;
}

export function lowerPoolBackward(p: Planner, group: Group): View {
  const node = group.anchor as Node;
  const [dy, x, y] = node.inputs as readonly Value[];
  const name = node.name;
  const { shape } = node.outputs[0];
  const isMax = node.op === 'MaxPoolBackward';
  const g = isMax ? poolGeometry({ inputs: [x], attrs: node.attrs }) : averageGeometry(dy, node.attrs);
  const shares = isMax ? p.view(dy) : averaged(p, node, g);
  const after = expressionOf(group.after, group.root, node.outputs[0]);
  const out = p.blocked('float32', shape, 1, false, p.haloWishes.get(group.root));
  const operand = (view: View, of: Shape) => blockedOperand(p, view, of, (whole) => whole, name);
  const placed = [
    operand(p.blockedView(shares, 1, name), dy.shape),
    ...(isMax ? [operand(p.blockedView(p.view(x), 1, name), shape), operand(p.blockedView(p.view(y), 1, name), dy.shape)] : []),
    ...after.leaves.slice(1).map((leaf) => operand(p.view(leaf), shape)),
    operand(out, shape),
  ];
  const two = (list: readonly number[], fill: number): readonly [number, number] => (list.length === 1 ? [fill, list[0]] : [list[0], list[1]]);
  const spec: PoolBackwardSpec = {
    name: kernelName(node.op, shape),
    kind: isMax ? 'max' : 'sum',
    batch: g.n,
    blocks: Math.ceil(g.channels / blockChannels),
    size: two(g.spatial, 1),
    out: two(g.outSpatial, 1),
    kernel: two(g.kernel, 1),
    stride: two(g.strides, 1),
    dilation: two(g.dilations, 1),
    padsBegin: two(g.padsBegin, 0),
    operands: placed.map(({ operand: strided }) => strided),
    after,
  };
  const { after: _, name: __, ...shapeOnly } = spec;
  const args = placed.map(({ view }) => argument(view));
  p.addStep(() => poolBackwardKernel(p.isa, spec), `pool-backward|${JSON.stringify(shapeOnly)}|${expressionKey(after)}`, args, 1, {
    op: node.op,
    name,
    shapes: [dy.shape, shape].map((dims) => dims.join('x')).join(':'),
    layout: 'nCx16c',
    epilogue: epilogueText(after),
  });
  return out;
}

/** dY over the count of its window. */
function averaged(p: Planner, node: Node, g: PoolGeometry): View {
  const dy = node.inputs[0]!;
  const shares = Float32Array.from(poolDivisors(g), (count) => (count === 0 ? 0 : 1 / count));
  const table = p.view(constant(tensorData('float32', [1, 1, ...g.outSpatial], shares)));
  const from = p.blockedView(p.view(dy), 1, node.name);
  const out = p.blocked('float32', dy.shape, 1, false);
  const [value, share] = [placeholder(dy), placeholder(dy)];
  const product = apply('Mul', [value, share]);
  p.map({ nodes: [product.node], leaves: [value, share], results: [product] }, [from, broadcastView(table, dy.shape)], [out], { op: 'Mul', name: node.name, epilogue: '' });
  return out;
}
