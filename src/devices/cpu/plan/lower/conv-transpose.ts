/**
 * Transposed convolutions without the zeros between: every s-th result, counted from r, sees every s-th tap of the kernel,
 * so that each of these phases is an ordinary convolution of the input, which writes every s-th pixel ("sub-pixel
 * convolution", Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016).
 */
import { constant, type Node, type Value, zeros } from '../../../../graph/index.ts';
import { type ConvGeometry, convTransposeGeometry } from '../../../../ops/index.ts';
import { blockChannels } from '../../kernels/index.ts';
import { expressionOf, type Group } from '../fuse.ts';
import { epilogueText } from '../key.ts';
import type { Halo, Planner } from '../planner.ts';
import { sliceView, type View } from '../view.ts';
import { addDirect, haloOf, overChannels } from './conv.ts';

/** Whether it runs in phases. */
export function hasPhases(node: Node): boolean {
  const g = convTransposeGeometry(node);
  const [{ dtype }] = node.inputs as readonly Value[];
  return (
    dtype === 'float32' && g.groups === 1 && g.kernel.length <= 2 && g.inChannels >= blockChannels / 2 &&
    g.strides.every((stride, axis) => stride === 1 || g.dilations[axis] === 1)
  );
}

/** Results first, first + stride, ... of an axis. */
interface AxisPhase {
  readonly first: number;
  readonly size: number;
  /** Taps firstTap, firstTap + stride, ... of the kernel, the last one first; none where the stride leads past the kernel. */
  readonly firstTap: number;
  readonly taps: number;
  /** How far before the input the window begins; negative where it begins within. */
  readonly padBegin: number;
}

function axisPhases(g: ConvGeometry, axis: number): AxisPhase[] {
  const stride = g.strides[axis];
  return Array.from({ length: Math.min(stride, g.outSpatial[axis]) }, (_, first) => {
    const shifted = first + g.padsBegin[axis];
    const firstTap = shifted % stride;
    const taps = Math.max(0, Math.ceil((g.kernel[axis] - firstTap) / stride));
    const size = Math.ceil((g.outSpatial[axis] - first) / stride);
    return { first, size, firstTap, taps, padBegin: (taps - 1) * g.dilations[axis] - Math.floor(shifted / stride) };
  });
}

/** Every combination of the axes' phases, and the convolution that each is. */
function phasesOf(node: Node): { axes: AxisPhase[]; geometry: ConvGeometry }[] {
  const g = convTransposeGeometry(node);
  const combined = g.kernel.reduce<AxisPhase[][]>((all, _, axis) => all.flatMap((list) => axisPhases(g, axis).map((phase) => [...list, phase])), [[]]);
  return combined.map((axes) => ({
    axes,
    geometry: {
      ...g,
      kernel: axes.map(({ taps }) => taps),
      strides: axes.map(() => 1),
      padsBegin: axes.map(({ padBegin }) => padBegin),
      outSpatial: axes.map(({ size }) => size),
    },
  }));
}

const isEmpty = ({ axes }: { readonly axes: readonly AxisPhase[] }): boolean => axes.some(({ taps }) => taps === 0);

/** What all phases together read beyond the input. */
export function transposedHalo(node: Node): Halo {
  const halos = phasesOf(node).filter((phase) => !isEmpty(phase)).map(({ geometry }) => haloOf(geometry));
  const most = (side: 'begin' | 'end') => node.inputs[0]!.shape.slice(2).map((_, axis) => Math.max(0, ...halos.map((halo) => halo[side][axis])));
  return { begin: most('begin'), end: most('end'), fill: 0 };
}

export function lowerConvTranspose(p: Planner, group: Group): View {
  const node = group.anchor as Node;
  const { strides } = convTransposeGeometry(node);
  const [x, w] = node.inputs as readonly Value[];
  const input = p.blockedView(p.view(x), 1, node.name, transposedHalo(node));
  const kernel = p.unblocked(w);
  const shape = group.root.shape;
  const out = p.blocked('float32', shape, 1, false, p.haloWishes.get(group.root));
  for (const phase of phasesOf(node)) {
    const { axes, geometry } = phase;
    const starts = [0, 0, ...axes.map(({ first }) => first)];
    const sizes = [shape[0], shape[1], ...geometry.outSpatial];
    const part = (whole: View) => sliceView(whole, starts, [1, 1, ...strides], sizes) as View;
    if (isEmpty(phase)) {
      addEmpty(p, group, part, out);
      continue;
    }
    const [si, so, ...taps] = kernel.strides;
    const last = axes.map(({ firstTap, taps: count }, axis) => firstTap + (count - 1) * strides[axis]);
    const weights: View = {
      ...kernel,
      shape: [shape[1], x.shape[1], ...geometry.kernel],
      strides: [so, si, ...taps.map((stride, axis) => -stride * strides[axis])],
      offset: kernel.offset + last.reduce((sum, tap, axis) => sum + tap * taps[axis], 0),
    };
    addDirect(p, group, out, { kind: 'direct', geometry, input, weights, part });
  }
  return out;
}

/** Results that no tap reaches: what the epilogue makes of zero. */
function addEmpty(p: Planner, group: Group, part: (whole: View) => View, out: View): void {
  const { op, name, outputs } = group.anchor as Node;
  const after = expressionOf(group.after, group.root, outputs[0]);
  const zero = p.view(constant(zeros('float32', [1])));
  const leaves = [zero, ...after.leaves.slice(1).map((leaf) => p.view(leaf))].map((view) => part(overChannels(p, view, out.shape, name)));
  p.map(after, leaves, [part(out)], { op, name, epilogue: epilogueText(after) });
}
