import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { f32, numbers, run, runDecomposed, vector } from '../../test/support/ops.ts';
import { type Attrs, constant, input, makeNode, sizeOf, tensorData, toNumbers, type TensorData } from '../graph/index.ts';
import { padGeometry, padTables, sliceGeometry } from './index.ts';

const ints = (...values: number[]) => vector(values, 'int64');
const iota = (shape: readonly number[]) => f32(shape, Array.from({ length: sizeOf(shape) }, (_, i) => i));
const most = tensorData('int64', [1], BigInt64Array.of(2n ** 63n - 1n));
const least = tensorData('int64', [1], BigInt64Array.of(-(2n ** 63n)));
const node = (op: string, shape: readonly number[], operands: readonly (number[] | null)[], attrs: Attrs = {}) =>
  makeNode(op, [input('x', 'float32', shape), ...operands.map((list) => list && constant(ints(...list)))], attrs);

describe('Slice', () => {
  const x = vector([0, 1, 2, 3, 4, 5]);
  const at = (start: TensorData, end: TensorData, step = 1) => numbers('Slice', [x, start, end, ints(0), ints(step)]);

  test.each<[number, number, number, number[]]>([
    [1, 4, 1, [1, 2, 3]],
    [-3, -1, 1, [3, 4]],
    [0, 100, 2, [0, 2, 4]],
    [1, 100, 4, [1, 5]],
    [4, 1, 1, []],
    [100, 200, 1, []],
    [-100, 2, 1, [0, 1]],
    [4, 1, -1, [4, 3, 2]],
    [100, 0, -2, [5, 3, 1]],
    [5, -100, -3, [5, 2]],
    [1, 4, -1, []],
    [-100, -200, -1, [0]],
  ])('%i to %i by %i', (start, end, step, expected) => expect(at(ints(start), ints(end), step)).toEqual(expected));

  test('the ends of int64 mean to the end', () => {
    expect(at(ints(2), most)).toEqual([2, 3, 4, 5]);
    expect(at(ints(2), least, -1)).toEqual([2, 1, 0]);
    expect(at(most, least, -1)).toEqual([5, 4, 3, 2, 1, 0]);
    expect(numbers('Slice', [x, ints(1), most, ints(0), most])).toEqual([1]);
  });
  test('several axes, in any order, or the first ones', () => {
    expect(run('Slice', [iota([3, 4]), ints(1, 0), ints(3, 2), ints(-1, 0)])[0]).toEqual(f32([2, 2], [1, 2, 5, 6]));
    expect(run('Slice', [iota([3, 2]), ints(2), ints(3)])[0]).toEqual(f32([1, 2], [4, 5]));
    expect(run('Slice', [f32([0, 2], []), ints(0), ints(5)])[0]).toEqual(f32([0, 2], []));
  });
  test('is what a list of indices says, within bounds', () => {
    const bound = fc.integer({ min: -9, max: 9 });
    fc.assert(fc.property(fc.integer({ min: 1, max: 6 }), bound, bound, fc.integer({ min: 1, max: 4 }), fc.boolean(), (dim, from, to, size, back) => {
      const step = back ? -size : size;
      const clamp = (v: number, low: number, high: number) => Math.min(high, Math.max(low, v < 0 ? v + dim : v));
      const expected: number[] = [];
      if (back) for (let i = clamp(from, 0, dim - 1); i > clamp(to, -1, dim - 1); i += step) expected.push(i);
      else for (let i = clamp(from, 0, dim); i < clamp(to, 0, dim); i += step) expected.push(i);
      expect(numbers('Slice', [iota([dim]), ints(from), ints(to), ints(0), ints(step)])).toEqual(expected);
    }));
  });
  test('twice backwards is nothing', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 }), (shape) => {
      const back = (tensor: TensorData) => {
        const all = shape.map((_, axis) => axis);
        return run('Slice', [tensor, ints(...all.map(() => -1)), ints(...all.map(() => -100)), ints(...all), ints(...all.map(() => -1))])[0];
      };
      expect(back(back(iota(shape)))).toEqual(iota(shape));
      expect(toNumbers(back(iota(shape)))).toEqual(toNumbers(iota(shape)).reverse());
    }));
  });
  test('geometry has an entry for every axis', () => {
    expect(sliceGeometry(node('Slice', [3, 6, 4], [[-1, 3], [-100, 4], [1, 2], [-2, 5]]))).toEqual({ starts: [0, 5, 3], steps: [1, -2, 1], shape: [3, 3, 1] });
  });
  test.each<[(number[] | null)[], RegExp]>([
    [[[0], [1], [0], [0]], /steps: expected no 0/],
    [[[0], [1, 2]], /ends: expected 1 values, as starts, got 2/],
    [[[0], [1], [0, 1]], /axes: expected 1 values/],
    [[[0], [1], [2]], /axes: expected an integer in \[-2, 1\]/],
    [[[0, 0], [1, 1], [0, -2]], /axes: expected distinct axes/],
    [[[0, 0, 0], [1, 1, 1]], /starts: expected at most 2 values, got 3/],
  ])('%j of a matrix is refused', (operands, message) => expect(() => node('Slice', [2, 3], operands)).toThrow(message));
  test('computed bounds are refused', () => {
    expect(() => makeNode('Slice', [input('x', 'float32', [3]), input('s', 'int64', [1]), constant(ints(1))])).toThrow(/starts: expected a constant, got a computed value/);
    expect(() => makeNode('Slice', [input('x', 'float32', [3]), constant(vector([0])), constant(ints(1))])).toThrow(/starts: expected a index tensor/);
  });
});

describe('Split', () => {
  test.each<[number, Attrs, number[]]>([
    [6, { num_outputs: 3 }, [2, 2, 2]],
    [7, { num_outputs: 3 }, [3, 3, 1]],
    [2, { num_outputs: 1 }, [2]],
    [0, { num_outputs: 2 }, [0, 0]],
  ])('%i elements, %o', (dim, attrs, sizes) => {
    const parts = runDecomposed('Split', [iota([dim, 2])], attrs);
    expect(parts.map((part) => part.shape)).toEqual(sizes.map((size) => [size, 2]));
    expect(parts.flatMap(toNumbers)).toEqual(toNumbers(iota([dim, 2])));
  });
  test('given sizes, along the last axis', () => {
    expect(runDecomposed('Split', [iota([2, 3]), ints(1, 0, 2)], { axis: -1 })).toEqual([f32([2, 1], [0, 3]), f32([2, 0], []), f32([2, 2], [1, 2, 4, 5])]);
  });
  test.each<[(number[] | null)[], Attrs, RegExp]>([
    [[[1, 1]], {}, /split: expected 1 to 65536 sizes that add up to 4, got \[1,1\]/],
    [[[5, -1]], {}, /split/],
    [[], {}, /split: expected sizes, or attribute num_outputs, got neither/],
    [[], { num_outputs: 0 }, /attribute num_outputs: expected an integer of at least 1/],
    [[], { num_outputs: 6 }, /num_outputs: expected a number of parts that 4 elements can make/],
    [[], { num_outputs: 2 ** 31 }, /num_outputs/],
    [[], { num_outputs: 2, axis: 2 }, /axis/],
  ])('%j %o of [4,3] is refused', (operands, attrs, message) => expect(() => node('Split', [4, 3], operands, attrs)).toThrow(message));
});

describe('Pad', () => {
  const x = vector([1, 2, 3]);
  test.each<[string, number[], number[]]>([
    ['constant', [2, 1], [0, 0, 1, 2, 3, 0]],
    ['edge', [2, 1], [1, 1, 1, 2, 3, 3]],
    ['reflect', [2, 1], [3, 2, 1, 2, 3, 2]],
    ['reflect', [5, 4], [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]],
    ['wrap', [2, 1], [2, 3, 1, 2, 3, 1]],
    ['wrap', [4, 4], [3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1]],
    ['constant', [-1, 1], [2, 3, 0]],
    ['edge', [1, -1], [1, 1, 2]],
    ['constant', [-2, -1], []],
  ])('%s %j', (mode, pads, expected) => expect(numbers('Pad', [x, ints(...pads)], { mode })).toEqual(expected));

  test('one element reflects as itself', () => expect(numbers('Pad', [vector([7]), ints(1, 2)], { mode: 'reflect' })).toEqual([7, 7, 7, 7]));
  test('a value of its own, some axes only', () => {
    expect(run('Pad', [iota([2, 2]), ints(1, 1), f32([], [9]), ints(-1)])[0]).toEqual(f32([2, 4], [9, 0, 1, 9, 9, 2, 3, 9]));
    expect(run('Pad', [ints(1), ints(0, 2), ints(5)])[0]).toEqual(ints(1, 5, 5));
    expect(run('Pad', [f32([0], []), ints(1, 1), f32([1], [4])])[0]).toEqual(vector([4, 4]));
  });
  test('Slice takes off what Pad put on, in every mode', () => {
    const axis = fc.record({ dim: fc.integer({ min: 1, max: 4 }), begin: fc.integer({ min: 0, max: 5 }), end: fc.integer({ min: 0, max: 5 }) });
    fc.assert(fc.property(fc.array(axis, { minLength: 1, maxLength: 3 }), fc.constantFrom('constant', 'edge', 'reflect', 'wrap'), (axes, mode) => {
      const tensor = iota(axes.map((a) => a.dim));
      const [begins, ends] = [axes.map((a) => a.begin), axes.map((a) => a.end)];
      const padded = run('Pad', [tensor, ints(...begins, ...ends)], { mode })[0];
      expect(padded.shape).toEqual(axes.map((a) => a.begin + a.dim + a.end));
      expect(run('Slice', [padded, ints(...begins), ints(...axes.map((a) => a.begin + a.dim))])[0]).toEqual(tensor);
      expect(run('Pad', [padded, ints(...begins.map((v) => -v), ...ends.map((v) => -v))])[0]).toEqual(tensor);
    }));
  });
  test('tables say what is read where', () => {
    const geometry = padGeometry(node('Pad', [2, 3], [[0, 1, 1, -1]]));
    expect(geometry).toEqual({ mode: 'constant', begin: [0, 1], end: [1, -1], shape: [3, 3] });
    expect(padTables(geometry).map((table) => Array.from(table))).toEqual([[0, 1, -1], [-1, 0, 1]]);
  });
  test.each<[number[], (number[] | null)[], Attrs, RegExp]>([
    [[2], [[1]], {}, /pads: expected a begin and an end for 1 axes, got 1 values/],
    [[2], [[-2, -1]], {}, /pads: expected no more taken away than axis 0 of float32\[2\] has/],
    [[0], [[1, 0]], { mode: 'edge' }, /pads: expected an element on axis 0 to repeat \(mode edge\)/],
    [[2], [[1, 1]], { mode: 'mirror' }, /attribute mode: expected one of constant, reflect, edge, wrap/],
    [[2], [[1, 1], [5]], {}, /operands: expected one dtype, got float32 and int64/],
    [[2], [[2 ** 31, 0]], {}, /fewer than 2\^31 elements/],
    [[2], [[1, 1], null, [1]], {}, /axes/],
  ])('%j by %j %o is refused', (shape, operands, attrs, message) => expect(() => node('Pad', shape, operands, attrs)).toThrow(message));
});
