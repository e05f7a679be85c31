/** Batch normalisation in training, forward and backward, against the reference. */
import { apply, constant, fromNumbers, makeNode, type Value } from '../../../graph/index.ts';
import '../../../ops/index.ts';
import { type DeviceCase, random, testOnCpu } from '../../../../test/support/cpu.ts';

const moments = (x: number[]): DeviceCase => ({ inputs: [random(x)], build: ([value]) => makeNode('ChannelMoments', [value]).outputs });
const sums = (x: number[]): DeviceCase => ({
  inputs: [random(x), random(x, 'float32', 2), random([x[1]])],
  build: (values) => makeNode('ChannelSums', values).outputs,
  tolerance: 1e-4,
});
const shapes: Readonly<Record<string, number[]>> = {
  'a few pixels': [2, 32, 5, 7],
  'a last block of few channels': [3, 21, 6, 6],
  'fewer channels than a block': [2, 3, 9, 9],
  'one axis': [3, 18, 40],
  'images in parts': [2, 16, 61, 67],
  'one image in parts': [1, 40, 80, 48],
  'one pixel': [4, 16, 1, 1],
  'many blocks': [2, 144, 3, 3],
};

testOnCpu({
  ...Object.fromEntries(Object.entries(shapes).flatMap(([name, x]) => [[`moments of ${name}`, moments(x)], [`sums over ${name}`, sums(x)]])),
  'moments of what is far from zero': {
    inputs: [random([2, 16, 50, 50])],
    build: ([x]) => makeNode('ChannelMoments', [apply('Add', [x, constant(fromNumbers('float32', [], [1000]))])]).outputs,
  },
  'of a convolution that wrote a halo, then normalised': {
    inputs: [random([2, 16, 9, 9]), random([24, 16, 1, 1]), random([8, 24, 3, 3]), ...[1, 2, 3].map((seed) => random([24], 'float32', seed))],
    build: ([x, v, w, scale, bias, mean]: Value[]) => {
      const y = apply('Conv', [x, v]);
      const [normal] = makeNode('BatchNormalization', [y, scale, bias, mean, mean], { training_mode: 1 }).outputs;
      const first = apply('Relu', [normal]);
      return [apply('Conv', [first, w], { pads: [1, 1, 1, 1] }), ...makeNode('ChannelSums', [first, y, makeNode('ChannelMoments', [y]).outputs[0]]).outputs];
    },
    tolerance: 1e-4,
  },
});
