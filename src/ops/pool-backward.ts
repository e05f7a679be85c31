/** Pooling backwards: the cotangents of what MaxPool and AveragePool read, as operators that devices may run. */
import { apply, type Attrs, constant, defineOp, makeNode, opOf, sizeOf, type TensorType, type Value } from '../graph/index.ts';
import { convBackwardData } from './conv-backward.ts';
import { listAttr, windowWalker } from './geometry.ts';
import { filled } from './gradient.ts';
import { commonDType, expectShape, fromElements, intsAttr, numbersOf, operand, reshape } from './helpers.ts';
import { divisors, type PoolGeometry, poolGeometry } from './pool.ts';
import { less, mul, where } from './terms.ts';

/** Attribute `shape` of AveragePoolBackward: that of the pooling's input. */
const inputShape = (attrs: Attrs): readonly number[] => intsAttr(attrs, 'shape', undefined, 0);

/** dy, and the x and y of a MaxPool: each element of dY goes to the first of the largest in its window. Attributes as MaxPool's. */
defineOp({
  name: 'MaxPoolBackward',
  inputs: [3, 3],
  infer(context) {
    const [dy, x, y] = ['dY', 'X', 'Y'].map((name, i) => operand(context, i, 'float', name));
    commonDType([dy, x, y]);
    const g = poolGeometry({ inputs: [x], attrs: context.attrs });
    for (const [name, type] of [['dY', dy], ['Y', y]] as const) expectShape(type, [g.n, g.channels, ...g.outSpatial], name);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  evaluate([dy, x], attrs, [type]) {
    const [, indices] = opOf('MaxPool').evaluate!([x], attrs, [dy!, { dtype: 'int64', shape: dy!.shape }]);
    const result = new Float64Array(sizeOf(type.shape));
    const values = numbersOf(dy!);
    Float64Array.from(numbersOf(indices)).forEach((place, i) => {
      if (place >= 0) result[place] += values[i];
    });
    return [fromElements(type, result)];
  },
  decompose({ inputs, outputs: [dx], attrs }) {
    const [dy, x] = inputs as Value[];
    const count = sizeOf(dy.shape);
    const flat = filled({ dtype: dy.dtype, shape: [sizeOf(dx.shape)] }, 0);
    if (count === 0) return [reshape(flat, dx.shape)];
    const indices = makeNode('MaxPool', [x], attrs).outputs[1];
    // A dilation may lead a window past every element; its index, -1, names no place.
    const isDilated = (listAttr(attrs, 'dilations') ?? []).some((dilation) => dilation > 1);
    const placed = isDilated ? where(less(indices, 0), 0, dy) : dy;
    const sums = apply('ScatterElements', [flat, reshape(indices, [count]), reshape(placed, [count])], { axis: 0, reduction: 'add' });
    return [reshape(sums, dx.shape)];
  },
});

/** The geometry of the AveragePool whose input had the attribute's shape. */
export function averageGeometry(type: TensorType, attrs: Attrs): PoolGeometry {
  const shape = inputShape(attrs);
  const g = poolGeometry({ inputs: [{ dtype: type.dtype, shape }], attrs });
  expectShape(type, [g.n, g.channels, ...g.outSpatial], 'dY');
  return g;
}

/** Each element of dY shared out evenly over its window; attributes as AveragePool's. */
defineOp({
  name: 'AveragePoolBackward',
  inputs: [1, 1],
  infer(context) {
    const dy = operand(context, 0, 'float', 'dY');
    averageGeometry(dy, context.attrs);
    return [{ dtype: dy.dtype, shape: inputShape(context.attrs) }];
  },
  evaluate([dy], attrs, [type]) {
    const g = averageGeometry(dy!, attrs);
    const values = numbersOf(dy!);
    const inSize = sizeOf(g.spatial);
    const outSize = sizeOf(g.outSpatial);
    const counts = divisors(g);
    const result = new Float64Array(sizeOf(type.shape));
    const taps = new Int32Array(sizeOf(g.kernel));
    const walk = windowWalker(g.outSpatial, g.spatial, g);
    for (let position = 0; position < outSize; position++) {
      walk(position, taps);
      for (let plane = 0; plane < g.n * g.channels; plane++) {
        const share = values[plane * outSize + position] / counts[position];
        for (let k = 0; k < taps.length; k++) if (taps[k] >= 0) result[plane * inSize + taps[k]] += share;
      }
    }
    return [fromElements(type, result)];
  },
  /** A convolution of ones, backwards, each channel an image of its own. */
  decompose({ inputs: [dy], attrs, outputs: [dx] }) {
    const g = averageGeometry(dy!, attrs);
    if (sizeOf(dx.shape) === 0) return [filled(dx, 0)];
    const type = { dtype: dy!.dtype, shape: [1, 1, ...g.outSpatial] };
    const parts = constant(fromElements(type, divisors(g).map((count) => (count === 0 ? 0 : 1 / count))));
    const shares = mul(reshape(dy!, [g.n * g.channels, 1, ...g.outSpatial]), parts);
    const ones = filled({ dtype: dy!.dtype, shape: [1, 1, ...g.kernel] }, 1);
    return [reshape(convBackwardData(shares, ones, { ...g, groups: 1 }, g.spatial), dx.shape)];
  },
  gradient({ attrs: { shape: _shape, ...attrs } }, [ddx]) {
    return [apply('AveragePool', [ddx!], attrs)];
  },
});
