import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { windowCounts, windowGeometry, type WindowOptions } from './index.ts';
import { windowWalker } from './geometry.ts';

const axis = fc.record({
  size: fc.integer({ min: 1, max: 12 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 4 }),
  dilation: fc.integer({ min: 1, max: 3 }),
  begin: fc.integer({ min: 0, max: 4 }),
  end: fc.integer({ min: 0, max: 4 }),
});
const axes = fc.array(axis, { minLength: 1, maxLength: 3 }).filter((list) =>
  list.every(({ size, kernel, dilation, begin, end }) => (kernel - 1) * dilation < size + begin + end));

const geometryOf = (list: { size: number; kernel: number; stride: number; dilation: number; begin: number; end: number }[], options: WindowOptions = {}) =>
  windowGeometry(list.map((a) => a.size), list.map((a) => a.kernel), {
    strides: list.map((a) => a.stride),
    dilations: list.map((a) => a.dilation),
    pads: [...list.map((a) => a.begin), ...list.map((a) => a.end)],
    ...options,
  });

describe('windowGeometry', () => {
  test.each<[number, number, WindowOptions, number, [number, number]]>([
    [224, 7, { strides: [2], pads: [3, 3] }, 112, [3, 3]],
    [5, 3, {}, 3, [0, 0]],
    [5, 3, { dilations: [2] }, 1, [0, 0]],
    [5, 2, { strides: [2] }, 2, [0, 0]],
    [5, 2, { strides: [2], ceilMode: true }, 3, [0, 0]],
    [5, 2, { strides: [2], ceilMode: true, autoPad: 'VALID' }, 2, [0, 0]],
    // The fourth window would start in the padding at the end.
    [6, 1, { strides: [3], pads: [0, 1], ceilMode: true }, 2, [0, 1]],
    [5, 3, { strides: [2], autoPad: 'SAME_UPPER' }, 3, [1, 1]],
    [6, 3, { strides: [2], autoPad: 'SAME_UPPER' }, 3, [0, 1]],
    [6, 3, { strides: [2], autoPad: 'SAME_LOWER' }, 3, [1, 0]],
    [5, 1, { strides: [3], autoPad: 'SAME_UPPER' }, 2, [0, 0]],
    [4, 3, { dilations: [2], autoPad: 'SAME_LOWER' }, 4, [2, 2]],
  ])('%i elements, kernel %i, %o', (size, kernel, options, output, pads) => {
    const geometry = windowGeometry([size], [kernel], options);
    expect(geometry.output).toEqual([output]);
    expect([geometry.padsBegin[0], geometry.padsEnd[0]]).toEqual(pads);
  });

  test('rounding down uses every window that fits, and no more', () => {
    fc.assert(fc.property(axes, (list) => {
      geometryOf(list).output.forEach((output, i) => {
        const { size, kernel, stride, dilation, begin, end } = list[i];
        const reach = (windows: number) => (windows - 1) * stride + (kernel - 1) * dilation + 1;
        expect(reach(output)).toBeLessThanOrEqual(size + begin + end);
        expect(reach(output + 1)).toBeGreaterThan(size + begin + end);
      });
    }));
  });

  test.each<[number[], number[], WindowOptions, RegExp]>([
    [[4], [5], {}, /spatial axis 0: expected a padded input of at least 5 .* got 4/],
    [[0], [1], { pads: [1, 1] }, /spatial axis 0/],
    [[0], [1], { autoPad: 'SAME_UPPER' }, /spatial axis 0/],
    [[4, 4], [2], {}, /kernel_shape: expected 2 values, got 1/],
    [[4], [2], { strides: [0] }, /strides: expected whole numbers from 1/],
    [[4], [2], { dilations: [-1] }, /dilations/],
    [[4], [2], { pads: [-1, 0] }, /pads: expected whole numbers from 0/],
    [[4], [2], { pads: [1] }, /pads: expected 2 values, got 1/],
    [[4], [1.5], {}, /kernel_shape/],
    [[4], [2], { strides: [2 ** 40] }, /strides/],
    [[4], [2], { dilations: [2 ** 31 - 1] }, /padded input of at least 2147483648/],
  ])('refuses %j with kernel %j, %o', (spatial, kernel, options, message) => {
    expect(() => windowGeometry(spatial, kernel, options)).toThrow(message);
  });
});

test('windowWalker finds what a loop nest over positions and kernel finds', () => {
  fc.assert(fc.property(axes, (list) => {
    const geometry = geometryOf(list);
    const spatial = list.map((a) => a.size);
    const taps = new Int32Array(geometry.kernel.reduce((a, b) => a * b));
    const walk = windowWalker(geometry.output, spatial, geometry);
    const coordinates = (flat: number, shape: readonly number[]) =>
      shape.map((dim, i) => Math.floor(flat / shape.slice(i + 1).reduce((a, b) => a * b, 1)) % dim);
    const size = geometry.output.reduce((a, b) => a * b);
    for (let position = 0; position < size; position += 1 + Math.floor(size / 20)) {
      walk(position, taps);
      const at = coordinates(position, geometry.output);
      const expected = Array.from(taps, (_, k) => {
        const place = coordinates(k, geometry.kernel).map((offset, i) => at[i] * list[i].stride - list[i].begin + offset * list[i].dilation);
        return place.some((p, i) => p < 0 || p >= spatial[i]) ? -1 : place.reduce((flat, p, i) => flat * spatial[i] + p, 0);
      });
      expect(Array.from(taps)).toEqual(expected);
    }
  }));
});

test('windowCounts multiplies to the taps inside the input, or inside the padded input', () => {
  fc.assert(fc.property(axes, fc.boolean(), fc.boolean(), (list, includePad, ceilMode) => {
    const geometry = geometryOf(list, { ceilMode });
    const bounds = list.map(({ size, begin, end }) => (includePad ? size + begin + end : size));
    const padsBegin = includePad ? list.map(() => 0) : geometry.padsBegin;
    const counts = windowCounts(list.map((a) => a.size), geometry, includePad);
    const walk = windowWalker(geometry.output, bounds, { ...geometry, padsBegin });
    const taps = new Int32Array(geometry.kernel.reduce((a, b) => a * b));
    const last = geometry.output.map((dim) => dim - 1);
    for (const at of [last, last.map(() => 0), last.map((i) => i >> 1)]) {
      walk(at.reduce((flat, p, i) => flat * geometry.output[i] + p, 0), taps);
      expect(at.reduce((product, p, i) => product * counts[i][p], 1)).toBe(taps.filter((tap) => tap >= 0).length);
    }
  }));
});
