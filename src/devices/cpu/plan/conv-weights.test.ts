/** The weights' cotangents of convolutions, in every layout, against the reference. */
import { apply, input, type Value } from '../../../graph/index.ts';
import '../../../ops/index.ts';
import { expect, test } from 'vitest';
import { type DeviceCase, random, testOnCpu } from '../../../../test/support/cpu.ts';
import { isas } from '../codegen/index.ts';
import { plan } from './index.ts';

interface Shapes {
  readonly x: readonly number[];
  readonly out: number;
  readonly kernel: readonly number[];
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  readonly pads?: readonly number[];
  readonly positions: readonly number[];
  readonly group?: number;
}

const attrsOf = ({ x, kernel, strides, dilations, pads, group }: Shapes) => {
  const fill = (value: number) => x.slice(2).map(() => value);
  return { kernel_shape: [...kernel], strides: [...(strides ?? fill(1))], dilations: [...(dilations ?? fill(1))], pads: [...(pads ?? fill(0))], group: group ?? 1 };
};
const weightsOf = (shapes: Shapes, [x, dy]: Value[]) => apply('ConvBackwardWeights', [x, dy], attrsOf(shapes));
const operands = ({ x, out, positions }: Shapes) => [random(x), random([x[0], out, ...positions], 'float32', 2)];
/** Sums are as long as there are pixels. */
const tolerance = 1e-4;
const of = (shapes: Shapes): DeviceCase => ({ inputs: operands(shapes), build: (values) => weightsOf(shapes, values), tolerance });

const shapes: Readonly<Record<string, Shapes>> = {
  '3x3': { x: [2, 32, 9, 11], out: 48, kernel: [3, 3], pads: [1, 1], positions: [9, 11] },
  '1x1, one line of pixels': { x: [3, 32, 13, 17], out: 32, kernel: [1, 1], positions: [13, 17] },
  'blocks that end early': { x: [2, 21, 7, 8], out: 24, kernel: [3, 2], pads: [1, 0], positions: [7, 7] },
  'fewer channels than a block': { x: [2, 9, 7, 8], out: 5, kernel: [3, 3], pads: [1, 1], positions: [7, 8] },
  'strides and dilations': { x: [2, 16, 15, 17], out: 32, kernel: [3, 3], strides: [2, 3], dilations: [2, 1], pads: [2, 1], positions: [8, 6] },
  'elements that no window reaches': { x: [1, 16, 9, 10], out: 16, kernel: [2, 2], strides: [2, 2], positions: [4, 4] },
  '1x1 at stride 2': { x: [2, 48, 8, 8], out: 32, kernel: [1, 1], strides: [2, 2], positions: [4, 4] },
  'an image of one channel': { x: [4, 1, 12, 12], out: 32, kernel: [3, 3], positions: [10, 10] },
  'an image of three channels': { x: [2, 3, 18, 18], out: 24, kernel: [7, 7], strides: [2, 2], pads: [3, 3], positions: [9, 9] },
  'one axis': { x: [3, 20, 40], out: 16, kernel: [5], pads: [2], positions: [40] },
  groups: { x: [2, 32, 6, 7], out: 64, kernel: [3, 3], pads: [1, 1], positions: [6, 7], group: 2 },
  'groups that are no blocks': { x: [2, 12, 6, 7], out: 18, kernel: [3, 3], pads: [1, 1], positions: [6, 7], group: 3 },
  depthwise: { x: [2, 20, 9, 9], out: 20, kernel: [3, 3], pads: [1, 1], positions: [9, 9], group: 20 },
  'depthwise at stride 2': { x: [2, 32, 9, 9], out: 32, kernel: [5, 3], strides: [2, 2], pads: [2, 1], positions: [5, 5], group: 32 },
  'a kernel as large as the image': { x: [2, 16, 5, 5], out: 16, kernel: [5, 5], positions: [1, 1] },
  'many pixels, in parts': { x: [6, 16, 40, 40], out: 16, kernel: [1, 1], positions: [40, 40] },
  'many weights': { x: [1, 160, 4, 4], out: 208, kernel: [3, 3], pads: [1, 1], positions: [4, 4] },
};

/** Velocity and weights, both of them results. */
function momentum(list: Shapes): DeviceCase {
  const w = [list.out, list.x[1] / (list.group ?? 1), ...list.kernel];
  return {
    inputs: [...operands(list), random(w), random(w, 'float32', 3), random([1])],
    build: ([x, dy, weights, velocity, rate]) => {
      const next = apply('Add', [apply('Mul', [velocity, rate]), weightsOf(list, [x, dy])]);
      return [next, apply('Sub', [weights, apply('Mul', [next, rate])])];
    },
    tolerance,
  };
}

const update = shapes['blocks that end early'];

testOnCpu({
  ...Object.fromEntries(Object.entries(shapes).map(([name, list]) => [name, of(list)])),
  'an update of the weights, fused': {
    inputs: [...operands(update), random([24, 21, 3, 2]), random([1])],
    build: ([x, dy, w, rate]) => apply('Sub', [w, apply('Mul', [weightsOf(update, [x, dy]), rate])]),
    tolerance,
  },
  ...Object.fromEntries(
    (['3x3', 'blocks that end early', 'depthwise'] as const).map((name) => [`an update with momentum, fused: ${name}`, momentum(shapes[name])]),
  ),
  'after the convolution and beside its other cotangent': {
    inputs: [random([2, 16, 8, 8]), random([32, 16, 3, 3]), random([2, 32, 8, 8])],
    build: ([x, w, dy]) => {
      const y = apply('Relu', [apply('Conv', [x, w], { pads: [1, 1, 1, 1] })]);
      const masked = apply('Mul', [dy, y]);
      return [
        apply('ConvBackwardWeights', [x, masked], attrsOf({ x: x.shape, out: 32, kernel: [3, 3], pads: [1, 1], positions: [8, 8] })),
        apply('ConvTranspose', [masked, w], { pads: [1, 1, 1, 1] }),
      ];
    },
    tolerance: 1e-3,
  },
});

test('reads its operands as the convolution left them', () => {
  const x = input('x', 'float32', shapes['3x3'].x);
  const [v, w] = [input('v', 'float32', [32, 32, 1, 1]), input('w', 'float32', [48, 32, 3, 3])];
  const hidden = apply('Relu', [apply('Conv', [x, v])]);
  const y = apply('Relu', [apply('Conv', [hidden, w], { pads: [1, 1, 1, 1] })]);
  const dw = weightsOf(shapes['3x3'], [hidden, y]);
  const inputs = Object.entries({ x, v, w }).map(([name, value]) => ({ name, value }));
  const { steps } = plan({ name: 'step', inputs, outputs: [{ name: 'dw', value: dw }] }, isas.avx512);
  const ops = steps.map(({ label }) => label.op);
  expect(ops.filter((op) => op === 'Reorder')).toHaveLength(1); // of x
  expect(ops.filter((op) => op === 'ConvBackwardWeights')).toHaveLength(1);
});
