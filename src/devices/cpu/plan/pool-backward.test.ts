/** The cotangents of what poolings read, against the reference. */
import { apply, type Attrs, constant, fromNumbers, input, type TensorData, toNumbers } from '../../../graph/index.ts';
import '../../../ops/index.ts';
import { type DeviceCase, random, testOnCpu } from '../../../../test/support/cpu.ts';

/** Few different numbers, so that windows have several largest elements; and one NaN. */
function tied(shape: readonly number[]): TensorData {
  const values = toNumbers(random(shape)).map((value) => Math.round(Number(value) * 2) / 2);
  values[values.length >> 1] = NaN;
  return fromNumbers('float32', [...shape], values);
}
const positionsOf = (op: string, x: readonly number[], attrs: Attrs) => apply(op, [input('x', 'float32', [...x])], attrs).shape;

const max = (x: readonly number[], attrs: Attrs): DeviceCase => ({
  inputs: [tied(x), random(positionsOf('MaxPool', x, attrs))],
  build: ([image, dy]) => apply('MaxPoolBackward', [dy, image, apply('MaxPool', [image], attrs)], attrs),
});
const average = (x: readonly number[], attrs: Attrs): DeviceCase => ({
  inputs: [random(positionsOf('AveragePool', x, attrs))],
  build: ([dy]) => apply('AveragePoolBackward', [dy], { ...attrs, shape: [...x] }),
});

const windows: Readonly<Record<string, readonly [x: readonly number[], attrs: Attrs]>> = {
  '2x2, stride 2': [[2, 32, 8, 6], { kernel_shape: [2, 2], strides: [2, 2] }],
  '2x2, stride 2, a line and a column left over': [[2, 21, 7, 9], { kernel_shape: [2, 2], strides: [2, 2] }],
  '3x3, stride 2, padded': [[2, 16, 12, 14], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  '3x2, stride 1, padded on one side': [[1, 18, 7, 7], { kernel_shape: [3, 2], pads: [2, 0, 0, 1] }],
  'few channels': [[3, 3, 6, 6], { kernel_shape: [3, 3], strides: [3, 3] }],
  'dilated, beyond the end': [[1, 16, 9, 9], { kernel_shape: [2, 3], dilations: [3, 2], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 }],
  'windows apart': [[1, 16, 9, 8], { kernel_shape: [2, 1], strides: [3, 2] }],
  'one axis': [[2, 40, 50], { kernel_shape: [5], strides: [3], pads: [2, 2] }],
  'the whole image': [[2, 24, 5, 4], { kernel_shape: [5, 4] }],
};
/** After a Relu, as a network has it: its mask, and a convolution before it that wants dX. */
const between = (attrs: Attrs): DeviceCase => ({
  inputs: [random([2, 16, 9, 9]), random([24, 16, 2, 2]), random(positionsOf('MaxPool', [2, 24, 8, 8], attrs))],
  build: ([x, w, dy]) => {
    const y = apply('Relu', [apply('Conv', [x, w])]);
    const dx = apply('MaxPoolBackward', [dy, y, apply('MaxPool', [y], attrs)], attrs);
    const zero = constant(fromNumbers('float32', [], [0]));
    return apply('ConvTranspose', [apply('Where', [apply('Greater', [y, zero]), dx, zero]), w]);
  },
});

testOnCpu({
  ...Object.fromEntries(Object.entries(windows).map(([name, [x, attrs]]) => [`maximum, ${name}`, max(x, attrs)])),
  ...Object.fromEntries(Object.entries(windows).map(([name, [x, attrs]]) => [`average, ${name}`, average(x, attrs)])),
  'fused, each pixel in one window': between({ kernel_shape: [2, 2], strides: [2, 2] }),
  'fused, windows that overlap': between({ kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 0, 0] }),
  'average, padding counted': average([1, 16, 8, 8], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }),
});
