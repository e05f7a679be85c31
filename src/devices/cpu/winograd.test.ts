/** Winograd convolutions: that they run where they should, and that they are right wherever they run. */
import { describe, expect, test } from 'vitest';
import { apply, constant, type Graph, input, sizeOf, type Value } from '../../graph/index.ts';
import { type DeviceCase, expectNear, isas, random, testOnCpu } from '../../../test/support/cpu.ts';
import { isas as codes } from './codegen/index.ts';
import { cpu } from './index.ts';
import { plan } from './plan/index.ts';

const weights = (...shape: number[]): Value => constant(random(shape, 'float32', shape.length));
const perChannel = (n: number): Value => constant(random([1, n, 1, 1], 'float32', 9));

const conv = (shape: number[], channels: number, pads = [1, 1, 1, 1], after: (y: Value, x: Value) => Value = (y) => y): DeviceCase => ({
  inputs: [random(shape)],
  build: ([x]) => after(apply('Conv', [x, weights(channels, shape[1], 3, 3)], { pads }), x),
  // A sum of 9 * channels products below 1 in size; Winograd's error is a few millionths of its scale.
  tolerance: 2e-5 * Math.sqrt(shape[1]),
});

const cases: Record<string, DeviceCase> = {
  'whole tiles': conv([1, 32, 16, 16], 32),
  'lines and columns that are no whole tiles': conv([1, 48, 15, 18], 64),
  'an odd image, without pads': conv([1, 64, 19, 23], 32, [0, 0, 0, 0]),
  'pads on one side': conv([1, 64, 13, 17], 64, [2, 0, 0, 1]),
  'wide pads': conv([1, 32, 14, 14], 32, [2, 2, 2, 2]),
  'a batch whose blocks of tiles go from image to image': conv([5, 48, 11, 14], 32),
  'few lines, many channels': conv([1, 96, 6, 33], 64),
  'bias, batch normalisation, Relu': conv([1, 32, 18, 15], 64, [1, 1, 1, 1], (y) => apply('Relu', [apply('Add', [apply('Mul', [y, perChannel(64)]), perChannel(64)])])),
  'a residual block': conv([2, 32, 17, 17], 32, [1, 1, 1, 1], (y, x) => apply('Relu', [apply('Add', [y, x])])),
  'an image that all channels share': {
    inputs: [random([1, 32, 16, 16]), random([1, 1, 16, 16])],
    build: ([x, y]) => apply('Mul', [apply('Conv', [x, weights(32, 32, 3, 3)], { pads: [1, 1, 1, 1] }), y]),
    tolerance: 2e-4,
  },
  'weights that every run brings': {
    inputs: [random([3, 32, 17, 16]), random([48, 32, 3, 3])],
    build: ([x, w]) => apply('Conv', [x, w], { pads: [1, 1, 1, 1] }),
    tolerance: 2e-4,
  },
  'backwards, masked': {
    inputs: [random([3, 48, 14, 15]), random([48, 32, 3, 3]), random([3, 32, 16, 17])],
    build: ([dy, w, y]) => apply('Mul', [apply('ConvTranspose', [dy, w]), apply('Relu', [y])]),
    tolerance: 2e-4,
  },
  'one after the other, into a concatenation': {
    inputs: [random([1, 48, 16, 15])],
    build: ([x]) => {
      const same = { pads: [1, 1, 1, 1] };
      const y = apply('Relu', [apply('Conv', [x, weights(64, 48, 3, 3)], same)]);
      const z = apply('Conv', [y, weights(48, 64, 3, 3)], same);
      return apply('MaxPool', [apply('Concat', [x, y, z], { axis: 1 })], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
    },
    tolerance: 1e-3,
  },
};

describe('against the reference', () => testOnCpu(cases));

function graphOf(shape: number[], channels: number, attrs: { group?: number; strides?: number[]; dilations?: number[] } = {}, kernel = 3): Graph {
  const x = input('x', 'float32', shape);
  const y = apply('Conv', [x, weights(channels, shape[1] / (attrs.group ?? 1), kernel, kernel)], { pads: [1, 1, 1, 1], ...attrs });
  return { name: 'conv', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'y', value: y }] };
}

describe.each(isas)('%s', (isa) => {
  const layouts = (graph: Graph, precision?: 'high' | 'highest'): string[] => {
    const { shape } = graph.inputs[0].value;
    const executable = cpu.compile(graph, { isa, precision });
    executable.run({ x: random(shape) }, { profile: true });
    const records = executable.profile().filter(({ op }) => op === 'Conv');
    executable.dispose();
    return records.map(({ layout }) => layout);
  };

  test.each(Object.entries(cases))('it is what the reference was compared with: %s', (_name, { inputs, build }) => {
    const values = inputs.map(({ dtype, shape }, i) => input(`x${i}`, dtype, shape));
    const y = build(values) as Value;
    const graph = { name: 'case', inputs: values.map((value, i) => ({ name: `x${i}`, value })), outputs: [{ name: 'y', value: y }] };
    const convolutions = plan(graph, codes[isa]).steps.filter(({ label }) => label.op === 'Conv');
    expect(convolutions.filter(({ label }) => !label.layout.includes('winograd'))).toEqual([]);
    expect(convolutions.length).toBeGreaterThan(0);
  });

  test('it is what runs, unless the highest precision is asked for', () => {
    const graph = graphOf([1, 64, 28, 28], 64);
    expect(layouts(graph)).toEqual(['nCx16c+winograd4x4']);
    expect(layouts(graph, 'high')).toEqual(['nCx16c+winograd4x4']);
    expect(layouts(graph, 'highest')).toEqual(['nCx16c']);
  });

  test.each([
    ['a stride', graphOf([1, 64, 28, 28], 64, { strides: [2, 2] })],
    ['dilation', graphOf([1, 64, 28, 28], 64, { dilations: [2, 2] })],
    ['groups', graphOf([1, 64, 28, 28], 64, { group: 4 })],
    ['another window', graphOf([1, 64, 28, 28], 64, {}, 5)],
    ['few pixels and many weights', graphOf([1, 256, 4, 4], 256)],
  ])('direct with %s', (_what, graph) => {
    expect(layouts(graph).filter((layout) => layout.includes('winograd'))).toEqual([]);
  });

  // Kinds of tiling that shapes small enough for the reference do not take: weights too large to be kept transformed.
  test.each([
    ['large weights', [1, 320, 14, 14], 320],
    ['large weights, a batch', [5, 320, 7, 10], 320],
    ['a shared input', [1, 128, 20, 28], 128],
    ['tiles and weights in one task', [1, 64, 60, 57], 64],
  ] as const)('%s: as direct, and the same for any number of threads', (_what, shape, channels) => {
    const graph = graphOf([...shape], channels);
    expect(layouts(graph)).toEqual(['nCx16c+winograd4x4']);
    const feed = { x: random(shape) };
    const run = (precision: 'high' | 'highest', threads: number) => {
      const executable = cpu.compile(graph, { isa, precision, threads });
      const { y } = executable.run(feed);
      executable.dispose();
      return y;
    };
    const [direct, one, three] = [run('highest', 1), run('high', 1), run('high', 3)];
    const scale = Math.sqrt((direct.data as Float32Array).reduce((sum, v) => sum + v * v, 0) / sizeOf(direct.shape));
    expectNear(one, direct, 3e-5 * scale, `${isa}`);
    expect(three.data).toEqual(one.data);
  });
});
