/** Convolution backwards: the cotangents of inputs and weights of Conv and ConvTranspose, as operators that devices may run. */
import { apply, defineOp, formatType, GraphError, type Node, sizeOf, type TensorType, type Value } from '../graph/index.ts';
import { contextOf, type OpSource } from './context.ts';
import { kernelExtent, listAttr, type Window, windowList, windowWalker } from './geometry.ts';
import { sumOver, transposed } from './gradient.ts';
import { commonDType, fromElements, int64s, intAttr, numbersOf, operand, reshape } from './helpers.ts';

/** What is needed of a convolution to go back through it: the window, and the groups. */
export type ConvWindow = Window & { readonly groups: number };

/** Each axis' end padding with which windows over `spatial` have exactly `positions` places; negative to leave elements out. */
const endPads = ({ kernel, strides, dilations, padsBegin }: Window, spatial: readonly number[], positions: readonly number[]): number[] =>
  spatial.map((size, axis) => (positions[axis] - 1) * strides[axis] + kernelExtent(kernel[axis], dilations[axis]) - size - padsBegin[axis]);

const windowAttrsOf = ({ kernel, strides, dilations }: Window) => ({ kernel_shape: [...kernel], strides: [...strides], dilations: [...dilations] });

/** The input's cotangent: every element of dy spread over its window by the weights. The weights' layout is as it was. */
export function convBackwardData(dy: Value, weights: Value, window: ConvWindow, spatial: readonly number[]): Value {
  const ends = endPads(window, spatial, dy.shape.slice(2));
  return apply('ConvTranspose', [dy, weights], {
    ...windowAttrsOf(window),
    group: window.groups,
    pads: [...window.padsBegin, ...ends.map((end) => Math.max(0, end))],
    // Elements at the end that no window reached.
    output_padding: ends.map((end) => Math.max(0, -end)),
  });
}

/** The convolution that a ConvTranspose is the backward of, over its result's axes: as many positions as it had elements. */
export function convForward(x: Value, weights: Value, window: ConvWindow, positions: readonly number[]): Value {
  const ends = endPads(window, x.shape.slice(2), positions);
  const attrs = { ...windowAttrsOf(window), group: window.groups };
  if (ends.every((end) => end >= 0)) return apply('Conv', [x, weights], { ...attrs, pads: [...window.padsBegin, ...ends] });
  // Conv leaves nothing out; Pad does.
  return apply('Conv', [apply('Pad', [x, int64s([0, 0, ...window.padsBegin, 0, 0, ...ends])]), weights], attrs);
}

/** The weights' cotangent, [out, in / group, kernel]: of Conv(x, w), or of ConvTranspose with x and dy exchanged. */
export const convBackwardWeights = (x: Value, dy: Value, window: ConvWindow): Value =>
  apply('ConvBackwardWeights', [x, dy], { ...windowAttrsOf(window), group: window.groups, pads: [...window.padsBegin] });

/** A bias is added to all positions of its channel. */
export const convBackwardBias = (dy: Value): Value => sumOver(dy, [...dy.shape.keys()].filter((axis) => axis !== 1));

export interface ConvBackwardWeightsGeometry extends ConvWindow {
  readonly n: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly spatial: readonly number[];
  readonly outSpatial: readonly number[];
}

/** @throws GraphError where operands or attributes do not fit. */
export function convBackwardWeightsGeometry(source: OpSource): ConvBackwardWeightsGeometry {
  const context = contextOf(source);
  const x = operand(context, 0, 'float', 'X');
  const dy = operand(context, 1, 'float', 'dY');
  commonDType([x, dy]);
  const [n, inChannels, ...spatial] = x.shape;
  const [dyN, outChannels, ...outSpatial] = dy.shape;
  const rank = spatial.length;
  if (x.shape.length < 3 || dy.shape.length !== x.shape.length || dyN !== n) {
    throw new GraphError('operands', { expected: 'N, C, spatial axes, with one N and rank', got: `${formatType(x)} and ${formatType(dy)}` });
  }
  const list = (name: string, length: number, min: number) => windowList(name, listAttr(context.attrs, name) ?? [], length, min);
  const window = {
    kernel: list('kernel_shape', rank, 1),
    strides: list('strides', rank, 1),
    dilations: list('dilations', rank, 1),
    padsBegin: list('pads', rank, 0),
  };
  const groups = intAttr(context.attrs, 'group', 1, 1);
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new GraphError('group', { expected: `a divisor of ${inChannels} and ${outChannels} channels`, got: `${groups}` });
  }
  const padsEnd = endPads({ ...window, padsEnd: [] }, spatial, outSpatial);
  return { n, inChannels, outChannels, groups, spatial, outSpatial, ...window, padsEnd };
}

/**
 * dW[o, c, k] = the sum over n and positions p of dY[n, o, p] X[n, c of o's group, p * stride - pad + k * dilation], elements
 * beyond X being 0. Attributes as Conv's, all spelled out; `pads` are those at the begin, as ends follow from dY.
 */
defineOp({
  name: 'ConvBackwardWeights',
  inputs: [2, 2],
  infer(context): TensorType[] {
    const { inChannels, outChannels, groups, kernel } = convBackwardWeightsGeometry(context);
    return [{ dtype: operand(context, 0).dtype, shape: [outChannels, inChannels / groups, ...kernel] }];
  },
  evaluate(inputs, attrs, [type]) {
    const g = convBackwardWeightsGeometry({ inputs, attrs });
    const [x, dy] = inputs.map((tensor) => numbersOf(tensor!));
    const inSize = sizeOf(g.spatial);
    const outSize = sizeOf(g.outSpatial);
    const kernelSize = sizeOf(g.kernel);
    const groupIn = g.inChannels / g.groups;
    const groupOut = g.outChannels / g.groups;
    const result = new Float64Array(sizeOf(type.shape));
    const taps = new Int32Array(kernelSize);
    const walk = windowWalker(g.outSpatial, g.spatial, g);
    for (let position = 0; position < outSize; position++) {
      walk(position, taps);
      for (let n = 0; n < g.n; n++) {
        for (let o = 0; o < g.outChannels; o++) {
          const value = dy[(n * g.outChannels + o) * outSize + position];
          const firstChannel = n * g.inChannels + Math.floor(o / groupOut) * groupIn;
          for (let c = 0; c < groupIn; c++) {
            const plane = (firstChannel + c) * inSize;
            const weights = (o * groupIn + c) * kernelSize;
            for (let k = 0; k < kernelSize; k++) if (taps[k] >= 0) result[weights + k] += value * x[plane + taps[k]];
          }
        }
      }
    }
    return [fromElements(type, result)];
  },
  decompose(node) {
    const { kernel, groups } = convBackwardWeightsGeometry(node);
    return [sizeOf(kernel) === 1 && groups === 1 ? asProduct(node) : asConvolution(node)];
  },
  gradient(node, [dw]) {
    const [x, dy] = node.inputs as Value[];
    const g = convBackwardWeightsGeometry(node);
    return [convBackwardData(dy, dw!, g, g.spatial), convForward(x, dw!, g, g.outSpatial)];
  },
});

/** Of a kernel of one element: one matrix product over all images and positions. */
function asProduct(node: Node): Value {
  const [x, dy] = node.inputs as Value[];
  const { n, inChannels, outChannels, outSpatial, strides, padsBegin, padsEnd } = convBackwardWeightsGeometry(node);
  const axes = int64s(strides.map((_, axis) => axis + 2));
  const padded = apply('Pad', [x, int64s([0, 0, ...padsBegin, 0, 0, ...padsEnd])]);
  const isDense = strides.every((stride) => stride === 1);
  const read = isDense ? padded : apply('Slice', [padded, int64s(strides.map(() => 0)), int64s(padded.shape.slice(2)), axes, int64s(strides)]);
  const count = sizeOf(outSpatial);
  const rows = reshape(transposed(reshape(dy, [n, outChannels, count]), [1, 0, 2]), [outChannels, n * count]);
  const columns = reshape(transposed(reshape(read, [n, inChannels, count]), [0, 2, 1]), [n * count, inChannels]);
  return reshape(apply('MatMul', [rows, columns]), node.outputs[0].shape);
}

/** The convolution of x by dy with batch and channels exchanged, and so stride and dilation. */
function asConvolution(node: Node): Value {
  const [x, dy] = node.inputs as Value[];
  const { n, inChannels, outChannels, groups, spatial, outSpatial, kernel, strides, dilations, padsBegin } = convBackwardWeightsGeometry(node);
  const groupIn = inChannels / groups;
  const axes = spatial.map((_, axis) => axis);
  const grouped = transposed(reshape(x, [n, groups, groupIn, ...spatial]), [2, 1, 0, ...axes.map((axis) => axis + 3)]);
  const images = reshape(grouped, [groupIn, groups * n, ...spatial]);
  const filters = transposed(dy, [1, 0, ...axes.map((axis) => axis + 2)]);
  const window = { kernel: outSpatial, strides: dilations, dilations: strides, padsBegin, padsEnd: [], groups };
  return transposed(reshape(convForward(images, filters, window, kernel), [groupIn, outChannels, ...kernel]), [1, 0, ...axes.map((axis) => axis + 2)]);
}
