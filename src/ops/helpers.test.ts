import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DType, GraphError, sizeOf, toNumbers } from '../graph/index.ts';
import { decodeHalf, encodeHalf, type HalfDType, roundHalfEven } from './half.ts';
import {
  broadcastShapes,
  broadcastStrides,
  constantInts,
  dtypeGroups,
  flagAttr,
  fromElements,
  intAttr,
  intsAttr,
  intRange,
  normalizeAxes,
  normalizeAxis,
  numberAttr,
  numbersOf,
  offsetsOf,
  operand,
  stringAttr,
} from './helpers.ts';

describe('broadcastShapes', () => {
  it('follows NumPy', () => {
    expect(broadcastShapes([2, 1, 3], [4, 1])).toEqual([2, 4, 3]);
    expect(broadcastShapes([], [5])).toEqual([5]);
    expect(broadcastShapes([0], [1])).toEqual([0]);
    expect(broadcastShapes()).toEqual([]);
    expect(broadcastShapes([1], [3, 1], [1, 1, 2])).toEqual([1, 3, 2]);
  });

  it('names what does not fit', () => {
    expect(() => broadcastShapes([2, 3], [2, 4])).toThrow('broadcast: expected equal dimensions, or 1, got [2,3] and [2,4] (axis -1)');
    expect(() => broadcastShapes([0], [2])).toThrow(GraphError);
  });

  it('gives strides that read every element where the broadcast puts it', () => {
    const dims = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(dims, fc.nat({ max: 15 }), (target, ones) => {
        const shape = target.map((dim, axis) => ((ones >> axis) & 1 ? 1 : dim)).slice(ones % (target.length + 1));
        const offsets = offsetsOf(target, broadcastStrides(shape, target));
        expect(offsets.length).toBe(sizeOf(target));
        offsets.forEach((offset, i) => {
          let [rest, expected, stride] = [i, 0, 1];
          for (let back = 1; back <= target.length; back++) {
            const index = rest % target[target.length - back];
            rest = Math.floor(rest / target[target.length - back]);
            if (back > shape.length) continue;
            const dim = shape[shape.length - back];
            expected += (dim === 1 ? 0 : index) * stride;
            stride *= dim;
          }
          expect(offset).toBe(expected);
        });
      }),
    );
  });
});

it('normalises axes and rejects what is out of range or twice there', () => {
  expect(normalizeAxis(-1, 3)).toBe(2);
  expect(normalizeAxes([-1, 0], 3)).toEqual([2, 0]);
  expect(() => normalizeAxis(3, 3)).toThrow('axis: expected an integer in [-3, 2] for rank 3, got 3');
  expect(() => normalizeAxis(0, 0)).toThrow(GraphError);
  expect(() => normalizeAxis(0.5, 2)).toThrow(GraphError);
  expect(() => normalizeAxes([0, -2], 2)).toThrow('distinct');
});

it('reads attributes with defaults and checks', () => {
  const attrs = { a: 1.5, i: 3, s: 'x', list: [1, -1], flag: 1, t: fromElements({ dtype: 'float32', shape: [] }, [1]) };
  expect(numberAttr(attrs, 'a')).toBe(1.5);
  expect(numberAttr(attrs, 'absent', 7)).toBe(7);
  expect(flagAttr(attrs, 'flag')).toBe(true);
  expect(intsAttr(attrs, 'list')).toEqual([1, -1]);
  expect(() => numberAttr(attrs, 'absent')).toThrow('attribute absent: expected a number, got nothing');
  expect(() => intAttr(attrs, 'a')).toThrow('an integer, got 1.5');
  expect(() => intAttr(attrs, 'i', 0, 4)).toThrow('at least 4, got 3');
  expect(() => intsAttr(attrs, 'list', [], 0)).toThrow('at least 0, got [1,-1]');
  expect(() => stringAttr(attrs, 's', 'y', ['y', 'z'])).toThrow('one of y, z, got "x"');
  expect(() => numberAttr(attrs, 't')).toThrow('a number, got a tensor');
  expect(() => flagAttr(attrs, 'i')).toThrow('0 or 1');
});

it('checks operands', () => {
  const context = {
    inputs: [{ dtype: 'int64' as DType, shape: [2] }, null],
    attrs: {},
    constant: (i: number) => (i === 0 ? fromElements({ dtype: 'int64', shape: [2] }, [2n ** 60n, 1n]) : undefined),
  };
  expect(operand(context, 0, 'int').dtype).toBe('int64');
  expect(() => operand(context, 0, 'float', 'scale')).toThrow('scale: expected a float tensor, got int64');
  expect(() => operand(context, 1)).toThrow('got nothing');
  expect(constantInts(context, 1)).toBeUndefined();
  expect(() => constantInts(context, 0, 'axes')).toThrow('less than 2^53');
  expect(() => constantInts({ ...context, constant: () => undefined }, 0, 'axes')).toThrow('axes: expected a constant');
  expect(dtypeGroups.signed).not.toContain('uint8');
});

describe('fromElements', () => {
  it('wraps bigints to every integer width, as two’s complement does', () => {
    for (const dtype of dtypeGroups.int) {
      const [low, high] = intRange(dtype);
      const tensor = fromElements({ dtype, shape: [3] }, [high + 1n, low - 1n, high]);
      expect(Array.from(tensor.data as BigInt64Array, BigInt), dtype).toEqual([low, high, high]);
    }
  });

  it('truncates and saturates numbers', () => {
    for (const dtype of dtypeGroups.int) {
      const [low, high] = intRange(dtype);
      const tensor = fromElements({ dtype, shape: [5] }, [2.9, Infinity, -Infinity, NaN, 1e30]);
      expect(Array.from(tensor.data as BigInt64Array, BigInt), dtype).toEqual([2n, high, low, 0n, high]);
    }
  });

  it('takes a buffer of the dtype as it is', () => {
    const data = Float32Array.of(1, 2);
    expect(fromElements({ dtype: 'float32', shape: [2] }, data).data).toBe(data);
  });
});

describe('16-bit floats', () => {
  it.each<HalfDType>(['float16', 'bfloat16'])('%s survives decoding and encoding', (dtype) => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = decodeHalf(dtype, bits);
      if (!Number.isNaN(value)) expect(encodeHalf(dtype, value)).toBe(bits);
    }
  });

  it('decodes by the formats’ definitions', () => {
    expect([0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x8000, 0x7c00].map((bits) => decodeHalf('float16', bits))).toEqual([
      1, -2, 65504, 2 ** -24, 2 ** -14, -0, Infinity,
    ]);
    expect([0x3f80, 0x4049, 0x0001].map((bits) => decodeHalf('bfloat16', bits))).toEqual([1, 3.140625, 2 ** -133]);
    expect(decodeHalf('float16', 0x7e00)).toBeNaN();
  });

  it.each<HalfDType>(['float16', 'bfloat16'])('%s rounds to nearest, ties to even, in one step', (dtype) => {
    for (let bits = 0; bits < 0x7c00; bits += 7) {
      const [low, high] = [decodeHalf(dtype, bits), decodeHalf(dtype, bits + 1)];
      const middle = low + (high - low) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      expect(encodeHalf(dtype, middle)).toBe(even);
      expect(encodeHalf(dtype, middle * (1 - 2 ** -50))).toBe(bits);
      expect(encodeHalf(dtype, -middle * (1 + 2 ** -50))).toBe(0x8000 | (bits + 1));
    }
    expect(encodeHalf('float16', 65520)).toBe(0x7c00);
    expect(encodeHalf('float16', 65519.99)).toBe(0x7bff);
    expect(encodeHalf('float16', NaN)).toBe(0x7e00);
  });

  it('is what tensors of these dtypes hold', () => {
    const tensor = fromElements({ dtype: 'float16', shape: [2] }, [1, 0.1]);
    expect(tensor.data).toBeInstanceOf(Uint16Array);
    expect(numbersOf(tensor)).toEqual(Float32Array.of(1, 0.0999755859375));
    expect(toNumbers(tensor)).toEqual([0x3c00, 0x2e66]);
  });
});

it('rounds half to even', () => {
  const cases = [0.5, 1.5, 2.5, -0.5, -1.5, 2.4999999999999996, 0.49999999999999994, -0.2, 4503599627370497, Infinity];
  expect(cases.map(roundHalfEven)).toEqual([0, 2, 2, -0, -2, 2, 0, -0, 4503599627370497, Infinity]);
});
