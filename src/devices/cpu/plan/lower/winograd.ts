/** Convolutions by Winograd's F(4x4, 3x3): which they are, and their steps. */
import { type Node, sizeOf, type Value } from '../../../../graph/index.ts';
import { type ConvGeometry, convGeometry } from '../../../../ops/index.ts';
import { blockChannels, tileWinograd, winogradGeometry, winogradInput, winogradKernel, type WinogradSpec, type WinogradTiling, winogradWeights } from '../../kernels/index.ts';
import { expressionOf, type Group } from '../fuse.ts';
import { epilogueText, expressionKey } from '../key.ts';
import { argument, type Halo, kernelName, type PlannedArgument, type Planner, type Target } from '../planner.ts';
import { atPadding, type View } from '../view.ts';
import { blockedOperand, isConstant, lowerConv, packWeights } from './conv.ts';

/** Only what every tile of 4x4 results reads is not already there: up to three pixels more than a direct convolution's halo. */
export function winogradHalo(g: ConvGeometry): Halo {
  const end = g.spatial.map((size, axis) => Math.max(0, Math.ceil(g.outSpatial[axis] / 4) * 4 + 2 - g.padsBegin[axis] - size));
  return { begin: g.padsBegin.map((pad) => Math.max(0, pad)), end, fill: 0 };
}

/** How a convolution is tiled for Winograd, or undefined where it has to be, or better is, direct. */
export function winogradTiling({ isa, precision }: Target, node: Node): WinogradTiling | undefined {
  const [x, w] = node.inputs as readonly Value[];
  const g = convGeometry(node);
  const fits =
    precision === 'high' &&
    x.dtype === 'float32' &&
    g.groups === 1 &&
    g.kernel.length === 2 &&
    [g.kernel, g.strides, g.dilations].every((sizes, i) => sizes.every((size) => size === [3, 1, 1][i])) &&
    g.inChannels % blockChannels === 0 &&
    g.outChannels % blockChannels === 0 &&
    sizeOf(g.outSpatial) * g.n > 0;
  return fits ? tileWinograd(isa, shapeOf(g), isConstant(w)) : undefined;
}

const shapeOf = (g: ConvGeometry) => ({ batch: g.n, inChannels: g.inChannels, channels: g.outChannels, out: { height: g.outSpatial[0], width: g.outSpatial[1] } });

/** By Winograd where that pays, else as `lowerConv` does. */
export function lowerAnyConv(p: Planner, group: Group): View {
  const tiling = winogradTiling(p.target, group.anchor as Node);
  return tiling ? lowerWinograd(p, group, tiling) : lowerConv(p, group);
}

function lowerWinograd(p: Planner, group: Group, tiling: WinogradTiling): View {
  const node = group.anchor as Node;
  const { name } = node;
  const [x, w] = node.inputs as readonly Value[];
  const g = convGeometry(node);
  const { shape } = group.root;
  const input = atPadding(p.blockedView(p.view(x), 1, name, winogradHalo(g)), g.padsBegin);
  const out = p.blocked('float32', shape, 1, false, p.haloWishes.get(group.root));
  const after = expressionOf(group.after, group.root, node.outputs[0]);
  const placed = [...after.leaves.slice(1).map((leaf) => p.view(leaf)), out].map((leaf) => blockedOperand(p, leaf, shape, (whole) => whole, name));
  const spec: WinogradSpec = {
    name: kernelName(node.op, shape),
    ...shapeOf(g),
    input: { batch: input.strides[0], block: input.block?.stride ?? 0, height: input.strides[2], width: input.strides[3] },
    after,
    operands: placed.map(({ operand }) => operand),
  };
  const geometry = winogradGeometry(p.isa, spec, tiling);
  const { after: _, name: __, operands, ...shapeOnly } = spec;
  const key = `winograd|${JSON.stringify([shapeOnly, tiling])}`;
  const label = { op: node.op, name, shapes: [x.shape, w.shape, shape].map((dims) => dims.join('x')).join(':'), layout: 'nCx16c' };
  const at = (bytes: number, constant = false): PlannedArgument => ({ storage: p.storage(bytes, { constant }), offsetBytes: 0 });
  const scratch = (bytes: number, constant = false): PlannedArgument => ({ storage: p.storage(bytes, { constant, perThread: true }), offsetBytes: 0 });

  const packed = packWeights(p, p.unblocked(w), g, { kernel: [3, 3], blockSize: blockChannels }, geometry.panelWidth, name);
  const { constant } = packed.storage;
  let by = argument(packed);
  if (!tiling.weightsHere) {
    const u = at(geometry.groups * geometry.u.group, constant);
    const make = () => winogradWeights(p.isa, `${spec.name}_weights`, spec, tiling);
    p.addStep(make, `${key}|weights`, [by, scratch(geometry.half, constant), u], 2, { ...label, op: 'WinogradWeights', epilogue: '' });
    by = u;
  }

  let from = argument(input);
  if (!tiling.fused) {
    const v = at(geometry.blocks * geometry.v.block);
    p.addStep(() => winogradInput(p.isa, spec, tiling), `${key}|inputs`, [from, scratch(geometry.half), v], 2, { ...label, op: 'WinogradInput', epilogue: '' });
    from = v;
  }
  const args = [from, by, ...placed.map(({ view }) => argument(view)), scratch(geometry.scratch)];
  p.addStep(() => winogradKernel(p.isa, spec, tiling), `${key}|${JSON.stringify(operands)}|${expressionKey(after)}`, args, 2, { ...label, layout: `${label.layout}+winograd4x4`, epilogue: epilogueText(after) });
  return out;
}
