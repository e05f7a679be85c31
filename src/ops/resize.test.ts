import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectClose, f32, f64, vector } from '../../test/support/ops.ts';
import { type Attrs, constant, constantOf, type DType, fromNumbers, input, makeNode, type Node, type Shape, sizeOf, type TensorData, toNumbers } from '../graph/index.ts';
import { evaluateNode, resizeGeometry } from './index.ts';

interface Wanted {
  readonly roi?: readonly number[];
  readonly scales?: readonly number[];
  readonly sizes?: readonly number[];
}

function nodeOf(type: { dtype: DType; shape: Shape }, { roi, scales, sizes }: Wanted, attrs: Attrs = {}): Node {
  const floats = (values?: readonly number[]) => (values ? constant(vector(values)) : null);
  return makeNode('Resize', [input('x', type.dtype, type.shape), floats(roi), floats(scales), sizes ? constant(vector(sizes, 'int64')) : null], attrs);
}

function resize(x: TensorData, wanted: Wanted, attrs: Attrs = {}): TensorData {
  const node = nodeOf(x, wanted, attrs);
  return evaluateNode(node, [x, ...node.inputs.slice(1).map((value) => constantOf(value) ?? null)])[0];
}

const iota = (size: number) => Array.from({ length: size }, (_, i) => i + 1);
const image = f32([1, 1, 4, 4], iota(16));
const [small, wide] = [f32([1, 1, 2, 2], iota(4)), f32([1, 1, 2, 4], iota(8))];
const rows = (...lists: number[][]) => lists.flat();
const both = { axes: [2, 3] };

describe("ONNX's examples", () => {
  test.each<[string, TensorData, Wanted, Attrs, Shape, number[]]>([
    ['nearest', small, { scales: [1, 1, 2, 3] }, {}, [1, 1, 4, 6], rows([1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2], [3, 3, 3, 4, 4, 4], [3, 3, 3, 4, 4, 4])],
    ['nearest, fewer', wide, { scales: [1, 1, 0.6, 0.6] }, {}, [1, 1, 1, 2], [1, 3]],
    ['axes in another order', small, { sizes: [8, 7] }, { axes: [3, 2] }, [1, 1, 7, 8],
      rows(...[1, 1, 1, 1, 3, 3, 3].map((v) => [v, v, v, v, v + 1, v + 1, v + 1, v + 1]))],
    ['not_larger', wide, { sizes: [1, 3] }, { ...both, keep_aspect_ratio_policy: 'not_larger' }, [1, 1, 1, 2], [1, 3]],
    ['not_smaller', wide, { sizes: [1, 3] }, { ...both, keep_aspect_ratio_policy: 'not_smaller' }, [1, 1, 2, 3], [1, 2, 4, 5, 6, 8]],
    ['not_larger, more', small, { sizes: [7, 8] }, { ...both, keep_aspect_ratio_policy: 'not_larger' }, [1, 1, 7, 7],
      rows(...[1, 1, 1, 1, 3, 3, 3].map((v) => [v, v, v, v, v + 1, v + 1, v + 1]))],
    ['floor, align_corners', f32([1, 1, 1, 4], iota(4)), { sizes: [1, 1, 1, 8] }, { coordinate_transformation_mode: 'align_corners', nearest_mode: 'floor' }, [1, 1, 1, 8], [1, 1, 1, 2, 2, 3, 3, 4]],
    ['round_prefer_ceil, asymmetric', f32([1, 1, 1, 4], iota(4)), { sizes: [1, 1, 1, 8] }, { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'round_prefer_ceil' }, [1, 1, 1, 8], [1, 2, 2, 3, 3, 4, 4, 4]],
    ['ceil, half_pixel', f32([1, 1, 1, 4], iota(4)), { sizes: [1, 1, 1, 8] }, { nearest_mode: 'ceil' }, [1, 1, 1, 8], [1, 2, 2, 3, 3, 4, 4, 4]],
    ['linear', small, { scales: [1, 1, 2, 2] }, { mode: 'linear' }, [1, 1, 4, 4],
      rows([1, 1.25, 1.75, 2], [1.5, 1.75, 2.25, 2.5], [2.5, 2.75, 3.25, 3.5], [3, 3.25, 3.75, 4])],
    ['linear, align_corners', small, { scales: [1, 1, 2, 2] }, { mode: 'linear', coordinate_transformation_mode: 'align_corners' }, [1, 1, 4, 4],
      rows([1, 4 / 3, 5 / 3, 2], [5 / 3, 2, 7 / 3, 8 / 3], [7 / 3, 8 / 3, 3, 10 / 3], [3, 10 / 3, 11 / 3, 4])],
    ['linear, align_corners with a size that was rounded down', wide, { scales: [1, 1, 0.6, 0.6] }, { mode: 'linear', coordinate_transformation_mode: 'align_corners' }, [1, 1, 1, 2], [1, 3.142857]],
    ['linear, pytorch_half_pixel', image, { sizes: [1, 1, 3, 1] }, { mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' }, [1, 1, 3, 1], [1.6666666, 7, 12.333333]],
    ['linear, half_pixel_symmetric', f32([1, 1, 1, 4], iota(4)), { scales: [1, 1, 1, 0.6] }, { mode: 'linear', coordinate_transformation_mode: 'half_pixel_symmetric' }, [1, 1, 1, 2], [1.6666667, 3.3333333]],
    ['linear, half_pixel_symmetric, more', small, { scales: [1, 1, 2.3, 2.94] }, { mode: 'linear', coordinate_transformation_mode: 'half_pixel_symmetric' }, [1, 1, 4, 5],
      rows([1, 1.15986395, 1.5, 1.84013605, 2], [1.56521738, 1.72508133, 2.06521738, 2.40535343, 2.56521738],
        [2.43478262, 2.59464657, 2.93478262, 3.27491867, 3.43478262], [3, 3.15986395, 3.5, 3.84013605, 4])],
    ['linear, tf_crop_and_resize', image, { roi: [0.6, 0.4, 0.8, 0.6], sizes: [3, 3] }, { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize', axes: [3, 2] }, [1, 1, 3, 3],
      rows([7.6, 7.9, 8.2], [8.8, 9.1, 9.4], [10, 10.3, 10.6])],
    ['linear, beyond the image', image, { roi: [0, 0, 0.4, 0.6, 1, 1, 1.2, 1.7], sizes: [1, 1, 3, 3] },
      { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize', extrapolation_value: 10 }, [1, 1, 3, 3], rows([7.6, 10, 10], [12.4, 10, 10], [10, 10, 10])],
    ['linear, antialias', image, { scales: [1, 1, 0.6, 0.6] }, { mode: 'linear', antialias: 1 }, [1, 1, 2, 2], [2.875, 4.5, 9.375, 11]],
    ['linear, antialias to a size', image, { sizes: [1, 1, 3, 3] }, { mode: 'linear', antialias: 1 }, [1, 1, 3, 3],
      rows([2.3636363, 3.590909, 4.818182], [7.2727275, 8.5, 9.727273], [12.181818, 13.409091, 14.636364])],
    ['cubic, asymmetric', f32([1, 1, 1, 4], iota(4)), { scales: [1, 1, 1, 2] }, { mode: 'cubic', coordinate_transformation_mode: 'asymmetric' }, [1, 1, 1, 8],
      [1, 1.40625, 2, 2.5, 3, 3.59375, 4, 4.09375]],
    ['cubic, antialias', image, { scales: [1, 1, 0.6, 0.6] }, { mode: 'cubic', antialias: 1 }, [1, 1, 2, 2], [2.5180721, 4.2858863, 9.589329, 11.357142]],
    ['cubic, antialias to a size', image, { sizes: [1, 1, 3, 3] }, { mode: 'cubic', antialias: 1 }, [1, 1, 3, 3],
      rows([1.7750092, 3.1200073, 4.4650054], [7.1550016, 8.5, 9.844998], [12.534994, 13.8799925, 15.224991])],
  ])('%s', (_, x, wanted, attrs, shape, expected) => expectClose(resize(x, wanted, attrs), f32(shape, expected), { ulp: 16 }));
});

const modes = ['half_pixel', 'half_pixel_symmetric', 'pytorch_half_pixel', 'align_corners', 'asymmetric'];
const anyResize = fc.record({
  sizes: fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 3 }),
  mode: fc.constantFrom('nearest', 'linear', 'cubic'),
  coordinates: fc.constantFrom(...modes),
  exclude: fc.boolean(),
  antialias: fc.boolean(),
}).map(({ sizes, mode, coordinates, exclude, antialias }) => ({
  shape: sizes.map(([from]) => from),
  wanted: { sizes: sizes.map(([, to]) => to) },
  attrs: { mode, coordinate_transformation_mode: coordinates, exclude_outside: exclude, antialias: antialias && mode !== 'nearest' },
}));

test('tables stay within the input, and their weights sum to 1', () => {
  fc.assert(fc.property(anyResize, ({ shape, wanted, attrs }) => {
    const geometry = resizeGeometry(nodeOf({ dtype: 'float32', shape }, wanted, attrs));
    expect(geometry.shape).toEqual(wanted.sizes);
    for (const { axis, inSize, outSize, taps, indices, weights, outside } of geometry.axes) {
      expect([inSize, outSize, indices.length, weights.length]).toEqual([shape[axis], wanted.sizes[axis], outSize * taps, outSize * taps]);
      expect(indices.every((index) => index >= 0 && index < inSize)).toBe(true);
      expect(outside).toBe(undefined);
      for (let o = 0; o < outSize; o++) {
        expect(weights.slice(o * taps, (o + 1) * taps).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
      }
    }
  }));
});

test('a constant image stays what it is', () => {
  fc.assert(fc.property(anyResize, ({ shape, wanted, attrs }) => {
    const y = resize(f64(shape, new Array<number>(sizeOf(shape)).fill(3)), wanted, attrs);
    for (const value of toNumbers(y)) expect(value).toBeCloseTo(3, 10);
  }));
});

test('linear takes a ramp to a ramp between its corners', () => {
  const ramp = resize(f64([5], [0, 1, 2, 3, 4]), { sizes: [9] }, { mode: 'linear', coordinate_transformation_mode: 'align_corners' });
  expect(toNumbers(ramp)).toEqual([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]);
});

describe('scales that float32 cannot hold', () => {
  const nearest = (size: number, scale: number, attrs: Attrs = {}) =>
    toNumbers(resize(f64([size], iota(size)), { scales: [scale] }, { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor', ...attrs }));
  test('take the neighbours that were meant', () => {
    // As float32, a third is too large and a tenth too; 3/10 of 10 and 10/3 are not whole in doubles.
    expect(nearest(9, 1 / 3)).toEqual([1, 4, 7]);
    expect(nearest(100, 0.1)).toEqual([1, 11, 21, 31, 41, 51, 61, 71, 81, 91]);
    expect(nearest(10, 0.3)).toEqual([1, 4, 7]);
    expect(nearest(10, 0.7).length).toBe(7);
    expect(nearest(3, 4 / 3)).toEqual([1, 1, 2, 3]);
  });
  test('a scale of 1 copies, however large the axis', () => {
    const size = 2 ** 24 + 1;
    expect(nodeOf({ dtype: 'float32', shape: [size] }, { scales: [1] }).outputs[0].shape).toEqual([size]);
    expect(resizeGeometry(nodeOf({ dtype: 'float32', shape: [size] }, { scales: [1] })).axes).toEqual([]);
  });
});

test('nearest takes every dtype, as its bits', () => {
  const x = fromNumbers('float16', [2], [0x7e01, 0x3c00]);
  expect(toNumbers(resize(x, { scales: [2] }))).toEqual([0x7e01, 0x7e01, 0x3c00, 0x3c00]);
  expect(toNumbers(resize(fromNumbers('int64', [1], [7]), { sizes: [3] }))).toEqual([7, 7, 7]);
  const crop = { coordinate_transformation_mode: 'tf_crop_and_resize', extrapolation_value: 9 };
  expect(toNumbers(resize(fromNumbers('int64', [3], [1, 2, 3]), { roi: [0, 2], sizes: [5] }, crop))).toEqual([1, 2, 3, 9, 9]);
});

test.each<[string, DType, Shape, Wanted, Attrs, RegExp]>([
  ['neither scales nor sizes', 'float32', [2], {}, {}, /operands: expected scales or sizes, got neither/],
  ['both', 'float32', [2], { scales: [2], sizes: [4] }, {}, /sizes: expected either scales or sizes, got both/],
  ['the wrong number', 'float32', [2, 2], { scales: [2] }, {}, /scales: expected 2 positive numbers, got \[2\]/],
  ['a scale of 0', 'float32', [2], { scales: [0] }, {}, /scales: expected 1 positive numbers/],
  ['no number', 'float32', [2], { scales: [Number.NaN] }, {}, /scales/],
  ['an endless scale', 'float32', [2], { scales: [Infinity] }, {}, /scales/],
  ['nothing left', 'float32', [2], { scales: [0.1] }, {}, /scales: expected at least 1 element on axis 0, got 2 resized to 0/],
  ['nothing there', 'float32', [0], { sizes: [2] }, {}, /scales: expected at least 1 element on axis 0/],
  ['too much', 'float32', [4, 4], { scales: [1e6, 1e6] }, {}, /fewer than 2\^31 elements/],
  ['a negative size', 'float32', [2], { sizes: [-2] }, {}, /sizes: expected 1 positive numbers/],
  ['axes twice', 'float32', [2, 2], { sizes: [2, 2] }, { axes: [0, -2] }, /axes: expected distinct axes/],
  ['linear integers', 'int32', [2], { scales: [2] }, { mode: 'linear' }, /X: expected a float tensor for mode linear, got int32; Cast/],
  ['nearest with antialias', 'float32', [2], { scales: [2] }, { antialias: 1 }, /antialias: expected mode linear or cubic, got nearest/],
  ['an unknown mode', 'float32', [2], { scales: [2] }, { mode: 'area' }, /attribute mode: expected one of nearest, linear, cubic/],
  ['unknown coordinates', 'float32', [2], { scales: [2] }, { coordinate_transformation_mode: 'toString' }, /attribute coordinate_transformation_mode/],
  ['a crop without a region', 'float32', [2], { scales: [2] }, { coordinate_transformation_mode: 'tf_crop_and_resize' }, /roi: expected 2 finite numbers .* got nothing/],
  ['a region without bounds', 'float32', [2], { roi: [0, Number.NaN], scales: [2] }, { coordinate_transformation_mode: 'tf_crop_and_resize' }, /roi/],
])('refuses %s', (_, dtype, shape, wanted, attrs, message) => expect(() => nodeOf({ dtype, shape }, wanted, attrs)).toThrow(message));

test('refuses scales that are computed', () => {
  expect(() => makeNode('Resize', [input('x', 'float32', [2]), null, input('scales', 'float32', [1])])).toThrow(/scales: expected a constant, got a computed value/);
});
