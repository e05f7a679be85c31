/** Conv and ConvTranspose over any number of spatial axes: layout N C spatial, weights O I kernel (I O kernel transposed). */
import { defineOp, formatType, GraphError, type InferContext, sizeOf, type TensorData, type TensorType, type Value } from '../graph/index.ts';
import { contextOf, type OpSource } from './context.ts';
import { convBackwardBias, convBackwardData, convBackwardWeights, convForward } from './conv-backward.ts';
import {
  autoPadAttr,
  kernelExtent,
  listAttr,
  splitPads,
  type Window,
  windowAttrs,
  windowGeometry,
  windowList,
  windowWalker,
} from './geometry.ts';
import { commonDType, expectShape, fromElements, intAttr, numbersOf, operand, optionalOperand } from './helpers.ts';

/** All that a kernel needs to know of a convolution; the channel counts are those of all groups together. */
export interface ConvGeometry extends Window {
  readonly n: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly groups: number;
  readonly spatial: readonly number[];
  readonly outSpatial: readonly number[];
}

/** Operands and kernel shape, checked; `weightChannels` finds input and output channels in the weights' shape. */
function convOperands(context: InferContext, weightChannels: (weights: readonly number[], groups: number) => [into: number, out: number]) {
  const x = operand(context, 0, 'float', 'X');
  const w = operand(context, 1, 'float', 'W');
  const b = optionalOperand(context, 2, 'float', 'B');
  commonDType(b ? [x, w, b] : [x, w]);
  const { attrs } = context;
  if (x.shape.length < 3) throw new GraphError('X', { expected: 'N, C and at least one spatial axis', got: formatType(x) });
  if (w.shape.length !== x.shape.length) throw new GraphError('W', { expected: `rank ${x.shape.length}, as X`, got: formatType(w) });
  const groups = intAttr(attrs, 'group', 1, 1);
  const [n, inChannels, ...spatial] = x.shape;
  const kernel = w.shape.slice(2);
  const [weightsIn, outChannels] = weightChannels(w.shape, groups);
  if (weightsIn !== inChannels) {
    throw new GraphError('channels', {
      expected: `${weightsIn} input channels (W ${formatType(w)}, group ${groups})`,
      got: `${inChannels}`,
      hint: 'W is [out, in / group, ...] for Conv, [in, out / group, ...] for ConvTranspose',
    });
  }
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new GraphError('group', { expected: `a divisor of ${inChannels} and ${outChannels} channels`, got: `${groups}` });
  }
  const given = listAttr(attrs, 'kernel_shape');
  if (given && given.join() !== kernel.join()) {
    throw new GraphError('kernel_shape', { expected: `[${kernel.join(',')}], as W`, got: `[${given.join(',')}]` });
  }
  if (b) expectShape(b, [outChannels], 'B');
  return { n, inChannels, outChannels, groups, spatial, kernel };
}

const resultType = (context: InferContext, { n, outChannels, outSpatial }: ConvGeometry): TensorType => ({
  dtype: operand(context, 0).dtype,
  shape: [n, outChannels, ...outSpatial],
});

/** @throws GraphError where operands or attributes do not fit. */
export function convGeometry(source: OpSource): ConvGeometry {
  const context = contextOf(source);
  const operands = convOperands(context, ([outChannels, groupIn], groups) => [groupIn * groups, outChannels]);
  const { output, ...window } = windowGeometry(operands.spatial, operands.kernel, windowAttrs(context.attrs));
  return { ...operands, ...window, outSpatial: output };
}

/**
 * The same for ConvTranspose: input position i and kernel element k meet at output i * stride - padsBegin + k * dilation,
 * where that lies in `outSpatial`. An `output_shape` beyond the reach of the kernel leaves bias alone there; `padsEnd`
 * is negative then.
 * @throws GraphError where operands or attributes do not fit.
 */
export function convTransposeGeometry(source: OpSource): ConvGeometry {
  const context = contextOf(source);
  const { attrs } = context;
  const operands = convOperands(context, ([inChannels, groupOut], groups) => [inChannels, groupOut * groups]);
  const { spatial } = operands;
  const rank = spatial.length;
  const fill = (value: number, length = rank) => new Array<number>(length).fill(value);
  const kernel = windowList('kernel_shape', operands.kernel, rank, 1);
  const strides = windowList('strides', listAttr(attrs, 'strides') ?? fill(1), rank, 1);
  const dilations = windowList('dilations', listAttr(attrs, 'dilations') ?? fill(1), rank, 1);
  const outputPadding = windowList('output_padding', listAttr(attrs, 'output_padding') ?? fill(0), rank, 0);
  const pads = windowList('pads', listAttr(attrs, 'pads') ?? fill(0, 2 * rank), 2 * rank, 0);
  const autoPad = autoPadAttr(attrs);
  // ONNX speaks of spatial sizes; some writers give N and C as well.
  const given = listAttr(attrs, 'output_shape')?.slice(-rank);
  const same = autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER';
  const wanted = given ? windowList('output_shape', given, rank, 1) : same ? spatial.map((size, axis) => size * strides[axis]) : undefined;

  const padsBegin: number[] = [];
  const padsEnd: number[] = [];
  const outSpatial: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    if (spatial[axis] === 0) throw new GraphError(`spatial axis ${axis}`, { expected: 'at least 1 element', got: '0' });
    const reach = (spatial[axis] - 1) * strides[axis] + kernelExtent(kernel[axis], dilations[axis]) + outputPadding[axis];
    if (wanted) {
      outSpatial[axis] = wanted[axis];
      padsBegin[axis] = splitPads(Math.max(0, reach - wanted[axis]), autoPad === 'SAME_UPPER')[0];
      padsEnd[axis] = reach - wanted[axis] - padsBegin[axis];
    } else {
      padsBegin[axis] = autoPad === 'VALID' ? 0 : pads[axis];
      padsEnd[axis] = autoPad === 'VALID' ? 0 : pads[rank + axis];
      outSpatial[axis] = reach - padsBegin[axis] - padsEnd[axis];
    }
    if (outSpatial[axis] < 1) {
      throw new GraphError(`spatial axis ${axis}`, { expected: 'pads that leave some output', got: `a size of ${outSpatial[axis]}` });
    }
  }
  return { ...operands, kernel, strides, dilations, padsBegin, padsEnd, outSpatial };
}

defineOp({
  name: 'Conv',
  inputs: [2, 3],
  infer: (context) => [resultType(context, convGeometry(context))],
  evaluate(inputs, attrs, [type]) {
    const g = convGeometry({ inputs, attrs });
    const [x, w, bias] = inputs.map((operand) => operand && numbersOf(operand));
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
        for (let m = 0; m < g.outChannels; m++) {
          const firstChannel = n * g.inChannels + Math.floor(m / groupOut) * groupIn;
          let sum = bias ? bias[m] : 0;
          for (let c = 0; c < groupIn; c++) {
            const plane = (firstChannel + c) * inSize;
            const weights = (m * groupIn + c) * kernelSize;
            for (let k = 0; k < kernelSize; k++) if (taps[k] >= 0) sum += x![plane + taps[k]] * w![weights + k];
          }
          result[(n * g.outChannels + m) * outSize + position] = sum;
        }
      }
    }
    return [fromElements(type, result)];
  },
  gradient(node, [dy]) {
    const g = convGeometry(node);
    const [x, w] = node.inputs as Value[];
    return [convBackwardData(dy!, w, g, g.spatial), convBackwardWeights(x, dy!, g), convBackwardBias(dy!)];
  },
});

defineOp({
  name: 'ConvTranspose',
  inputs: [2, 3],
  infer: (context) => [resultType(context, convTransposeGeometry(context))],
  evaluate(inputs, attrs, [type]): TensorData[] {
    const g = convTransposeGeometry({ inputs, attrs });
    const [x, w, bias] = inputs.map((operand) => operand && numbersOf(operand));
    const inSize = sizeOf(g.spatial);
    const outSize = sizeOf(g.outSpatial);
    const kernelSize = sizeOf(g.kernel);
    const groupIn = g.inChannels / g.groups;
    const groupOut = g.outChannels / g.groups;
    const result = new Float64Array(sizeOf(type.shape));
    if (bias) for (let i = 0; i < result.length; i++) result[i] = bias[Math.floor(i / outSize) % g.outChannels];
    const taps = new Int32Array(kernelSize);
    const walk = windowWalker(g.spatial, g.outSpatial, g);
    for (let position = 0; position < inSize; position++) {
      walk(position, taps);
      for (let n = 0; n < g.n; n++) {
        for (let c = 0; c < g.inChannels; c++) {
          const value = x![(n * g.inChannels + c) * inSize + position];
          const firstOut = Math.floor(c / groupIn) * groupOut;
          for (let m = 0; m < groupOut; m++) {
            const plane = (n * g.outChannels + firstOut + m) * outSize;
            const weights = (c * groupOut + m) * kernelSize;
            for (let k = 0; k < kernelSize; k++) if (taps[k] >= 0) result[plane + taps[k]] += value * w![weights + k];
          }
        }
      }
    }
    return [fromElements(type, result)];
  },
  gradient(node, [dy]) {
    const g = convTransposeGeometry(node);
    const [x, w] = node.inputs as Value[];
    return [convForward(dy!, w, g, g.spatial), convBackwardWeights(dy!, x, g), convBackwardBias(dy!)];
  },
});
