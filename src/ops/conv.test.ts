import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { f32, f64, numbers, random, run, vector } from '../../test/support/ops.ts';
import { type Attrs, input, makeNode, sizeOf, type TensorData, toNumbers } from '../graph/index.ts';
import { convGeometry, convTransposeGeometry } from './index.ts';

const iota = (size: number, start = 0) => Array.from({ length: size }, (_, i) => start + i);
const ones = (size: number) => new Array<number>(size).fill(1);
const randomTensor = (shape: readonly number[], seed: number): TensorData => {
  const next = random(seed);
  return f64(shape, Array.from({ length: sizeOf(shape) }, () => Math.round(next() * 20 - 10)));
};
const dot = (a: TensorData, b: TensorData) => toNumbers(a).reduce((sum, value, i) => sum + value * toNumbers(b)[i], 0);
const shapeOf = (op: string, shapes: readonly number[][], attrs: Attrs = {}) =>
  makeNode(op, shapes.map((shape, i) => input(`x${i}`, 'float32', shape)), attrs).outputs[0].shape;

describe('Conv', () => {
  const image = f32([1, 1, 5, 5], iota(25));
  const box = f32([1, 1, 3, 3], ones(9));

  // ONNX's own examples.
  test('with padding', () => {
    expect(numbers('Conv', [image, box], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })).toEqual([
      12, 21, 27, 33, 24, 33, 54, 63, 72, 51, 63, 99, 108, 117, 81, 93, 144, 153, 162, 111, 72, 111, 117, 123, 84,
    ]);
  });
  test('without padding', () => expect(numbers('Conv', [image, box])).toEqual([54, 63, 72, 99, 108, 117, 144, 153, 162]));
  test('auto_pad and strides', () => {
    expect(numbers('Conv', [image, box], { auto_pad: 'SAME_LOWER', strides: [2, 2] })).toEqual([12, 27, 24, 63, 108, 81, 72, 117, 84]);
  });
  test('strides and asymmetric padding', () => {
    const tall = f32([1, 1, 7, 5], iota(35));
    expect(numbers('Conv', [tall, box], { pads: [1, 0, 1, 0], strides: [2, 2] })).toEqual([21, 33, 99, 117, 189, 207, 171, 183]);
  });
  test('one axis, with a bias and two channels', () => {
    expect(numbers('Conv', [f32([1, 2, 3], [1, 2, 3, 10, 20, 30]), f32([1, 2, 2], [1, 1, 1, -1]), vector([0.5])])).toEqual([-6.5, -4.5]);
  });
  test('three axes', () => {
    expect(numbers('Conv', [f32([1, 1, 2, 2, 2], iota(8)), f32([1, 1, 2, 2, 2], iota(8))])).toEqual([140]);
  });

  const scene = fc.record({
    n: fc.integer({ min: 1, max: 2 }),
    groups: fc.integer({ min: 1, max: 3 }),
    into: fc.integer({ min: 1, max: 2 }),
    out: fc.integer({ min: 1, max: 2 }),
    spatial: fc.array(fc.integer({ min: 5, max: 7 }), { minLength: 1, maxLength: 2 }),
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 2 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    begin: fc.integer({ min: 0, max: 2 }),
    end: fc.integer({ min: 0, max: 2 }),
    seed: fc.nat(),
  }).map(({ n, groups, into, out, spatial, kernel, stride, dilation, begin, end, seed }) => {
    const each = (value: number) => spatial.map(() => value);
    return {
      groups,
      x: randomTensor([n, groups * into, ...spatial], seed),
      w: randomTensor([groups * out, into, ...each(kernel)], seed + 1),
      attrs: { group: groups, strides: each(stride), dilations: each(dilation), pads: [...each(begin), ...each(end)] },
      rank: spatial.length,
      each,
      kernel,
      dilation,
    };
  });

  test('groups are convolutions side by side', () => {
    fc.assert(fc.property(scene, ({ groups, x, w, attrs }) => {
      const part = (tensor: TensorData, axis: number, group: number) => {
        const size = tensor.shape[axis] / groups;
        const bounds = [group * size, (group + 1) * size, axis].map((value) => vector([value], 'int64'));
        return run('Slice', [tensor, ...bounds])[0];
      };
      const parts = Array.from({ length: groups }, (_, g) => run('Conv', [part(x, 1, g), part(w, 0, g)], { ...attrs, group: 1 })[0]);
      expect(run('Conv', [x, w], attrs)[0]).toEqual(run('Concat', parts, { axis: 1 })[0]);
    }), { numRuns: 40 });
  });

  test('padding is a Pad before', () => {
    fc.assert(fc.property(scene, ({ x, w, attrs, each }) => {
      const pads = [0, 0, ...attrs.pads.slice(0, each(0).length), 0, 0, ...attrs.pads.slice(each(0).length)];
      const padded = run('Pad', [x, vector(pads, 'int64')])[0];
      expect(run('Conv', [x, w], attrs)[0]).toEqual(run('Conv', [padded, w], { ...attrs, pads: attrs.pads.map(() => 0) })[0]);
    }), { numRuns: 40 });
  });

  test('a dilated kernel is one with zeros between', () => {
    fc.assert(fc.property(scene, ({ x, w, attrs, each, kernel, dilation, rank }) => {
      // Upsampled with zeros by a transposed convolution with a kernel of one element.
      const channels = w.shape[0] * w.shape[1];
      const flat = run('Reshape', [w, vector([channels, 1, ...each(kernel)], 'int64')])[0];
      const apart = run('ConvTranspose', [flat, f64([1, 1, ...each(1)], [1])], { strides: each(dilation) })[0];
      const spread = run('Reshape', [apart, vector([w.shape[0], w.shape[1], ...each((kernel - 1) * dilation + 1)], 'int64')])[0];
      expect(rank).toBe(each(0).length);
      expect(run('Conv', [x, w], attrs)[0]).toEqual(run('Conv', [x, spread], { ...attrs, dilations: each(1) })[0]);
    }), { numRuns: 40 });
  });

  test('ConvTranspose is its adjoint: <conv(x), y> = <x, transpose(y)>', () => {
    fc.assert(fc.property(scene, ({ x, w, attrs, each }) => {
      const forward = run('Conv', [x, w], attrs)[0];
      const y = randomTensor(forward.shape, 7);
      // Input elements behind the last window have no part in it; output_padding reaches them.
      const spatial = x.shape.slice(2);
      const least = shapeOf('ConvTranspose', [[...y.shape], [...w.shape]], attrs).slice(2);
      const output_padding = each(0).map((_, axis) => spatial[axis] - least[axis]);
      expect(dot(forward, y)).toBe(dot(x, run('ConvTranspose', [y, w], { ...attrs, output_padding })[0]));
    }), { numRuns: 40 });
  });

  test.each<[string, number[][], Attrs, RegExp]>([
    ['a matrix', [[1, 3], [1, 3]], {}, /X: expected N, C and at least one spatial axis, got float32\[1,3\]/],
    ['another rank', [[1, 3, 8, 8], [4, 3, 3]], {}, /W: expected rank 4/],
    ['other channels', [[1, 3, 8, 8], [4, 2, 3, 3]], {}, /channels: expected 2 input channels .* got 3; W is/],
    ['groups that do not divide the output', [[1, 4, 8], [3, 2, 3]], { group: 2 }, /group: expected a divisor of 4 and 3 channels, got 2/],
    ['no groups', [[1, 4, 8], [4, 4, 3]], { group: 0 }, /attribute group: expected an integer of at least 1, got 0/],
    ['a bias of another length', [[1, 3, 8], [4, 3, 3], [3]], {}, /B: expected shape \[4\], got float32\[3\]/],
    ['another kernel_shape', [[1, 3, 8], [4, 3, 3]], { kernel_shape: [5] }, /kernel_shape: expected \[3\], as W, got \[5\]/],
    ['a kernel that does not fit', [[1, 3, 2], [4, 3, 3]], {}, /Conv\(float32\[1,3,2\], float32\[4,3,3\]\): spatial axis 0/],
    ['an unknown auto_pad', [[1, 3, 8], [4, 3, 3]], { auto_pad: 'SAME' }, /auto_pad: expected one of NOTSET, VALID/],
    ['pads beyond memory', [[1, 1, 8], [1, 1, 1]], { pads: [2 ** 31 - 1, 2 ** 31 - 1] }, /fewer than 2\^31 elements/],
  ])('refuses %s', (_, shapes, attrs, message) => expect(() => shapeOf('Conv', shapes, attrs)).toThrow(message));

  test('geometry is read from a node', () => {
    const node = makeNode('Conv', [input('x', 'float32', [2, 8, 9, 7]), input('w', 'float32', [16, 4, 3, 5])], { group: 2, strides: [2, 1], auto_pad: 'SAME_UPPER' });
    expect(convGeometry(node)).toEqual({
      n: 2, inChannels: 8, outChannels: 16, groups: 2, spatial: [9, 7], kernel: [3, 5],
      strides: [2, 1], dilations: [1, 1], padsBegin: [1, 2], padsEnd: [1, 2], outSpatial: [5, 7],
    });
  });
});

describe('ConvTranspose', () => {
  const x = f32([1, 1, 3, 3], iota(9));
  const w = f32([1, 2, 3, 3], ones(18));

  test("ONNX's example", () => {
    const plane = [0, 1, 3, 3, 2, 3, 8, 15, 12, 7, 9, 21, 36, 27, 15, 9, 20, 33, 24, 13, 6, 13, 21, 15, 8];
    expect(numbers('ConvTranspose', [x, w])).toEqual([...plane, ...plane]);
  });
  test('one axis', () => expect(numbers('ConvTranspose', [f32([1, 1, 3], iota(3)), f32([1, 2, 3], ones(6))])).toEqual([0, 1, 3, 3, 2, 0, 1, 3, 3, 2]));
  test('dilations', () => {
    const g = run('ConvTranspose', [f32([1, 1, 3, 3], [3, 8, 1, 9, 5, 7, 3, 2, 6]), f32([1, 1, 2, 2], [7, 2, 1, 9])], { dilations: [2, 2] })[0];
    expect(g.shape).toEqual([1, 1, 5, 5]);
    expect(toNumbers(g)).toEqual([21, 56, 13, 16, 2, 63, 35, 67, 10, 14, 24, 22, 76, 76, 21, 9, 5, 88, 45, 63, 3, 2, 33, 18, 54]);
  });

  test.each<[Attrs, number[], number[]]>([
    [{ strides: [3, 2], pads: [1, 2, 1, 2] }, [7, 3], [1, 2]],
    [{ strides: [3, 2], output_shape: [10, 8] }, [10, 8], [0, 0]],
    [{ strides: [3, 2], output_shape: [8, 6] }, [8, 6], [1, 1]],
    [{ strides: [3, 2], output_shape: [8, 6], auto_pad: 'SAME_UPPER' }, [8, 6], [0, 0]],
    [{ strides: [3, 2], output_padding: [1, 1] }, [10, 8], [0, 0]],
    [{ strides: [2, 2], auto_pad: 'SAME_UPPER' }, [6, 6], [0, 0]],
    [{ strides: [2, 2], auto_pad: 'SAME_LOWER' }, [6, 6], [1, 1]],
    [{ strides: [2, 2], auto_pad: 'VALID', pads: [1, 1, 1, 1] }, [7, 7], [0, 0]],
    [{ strides: [3, 2], output_shape: [1, 2, 10, 8] }, [10, 8], [0, 0]],
  ])('%o', (attrs, outSpatial, padsBegin) => {
    const node = makeNode('ConvTranspose', [input('x', 'float32', [1, 1, 3, 3]), input('w', 'float32', [1, 2, 3, 3])], attrs);
    expect(convTransposeGeometry(node)).toMatchObject({ outSpatial, padsBegin });
    expect(node.outputs[0].shape).toEqual([1, 2, ...outSpatial]);
  });

  test('beyond the kernel there is the bias alone', () => {
    expect(numbers('ConvTranspose', [f32([1, 1, 1], [3]), f32([1, 1, 2], [1, 2]), vector([10])], { output_shape: [4] })).toEqual([13, 16, 10, 10]);
  });

  test.each<[string, number[][], Attrs, RegExp]>([
    ['other channels', [[1, 3, 8], [2, 3, 3]], {}, /channels: expected 2 input channels/],
    ['groups that do not divide', [[1, 3, 8], [3, 2, 3]], { group: 2 }, /group: expected a divisor of 3 and 4/],
    ['pads that leave nothing', [[1, 1, 1], [1, 1, 3]], { pads: [2, 1] }, /spatial axis 0: expected pads that leave some output/],
    ['an empty axis', [[1, 1, 0], [1, 1, 3]], {}, /spatial axis 0: expected at least 1 element, got 0/],
    ['an output beyond memory', [[1, 1, 2 ** 16], [1, 1, 3]], { strides: [2 ** 20] }, /fewer than 2\^31 elements/],
  ])('refuses %s', (_, shapes, attrs, message) => expect(() => shapeOf('ConvTranspose', shapes, attrs)).toThrow(message));
});
