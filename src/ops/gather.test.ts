import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bool, f32, i32, i64, run, runDecomposed, vector } from '../../test/support/ops.ts';
import { type Attrs, type DType, fromNumbers, input, makeNode, sizeOf, type TensorData, toNumbers } from '../graph/index.ts';
import { gatherGeometry } from './index.ts';

const ints = (...values: number[]) => vector(values, 'int64');
const iota = (shape: readonly number[]) => f32(shape, Array.from({ length: sizeOf(shape) }, (_, i) => i));
const typed = (op: string, types: readonly (readonly [DType, readonly number[]])[], attrs: Attrs = {}) =>
  makeNode(op, types.map(([dtype, shape], i) => input(`x${i}`, dtype, shape)), attrs);

describe('Gather', () => {
  const table = f32([3, 2], [1, 1.2, 2.3, 3.4, 4.5, 5.7]);
  test('rows, columns, single ones, from the end', () => {
    expect(run('Gather', [table, i64([2, 2], [0, 1, 1, 2])])[0]).toEqual(f32([2, 2, 2], [1, 1.2, 2.3, 3.4, 2.3, 3.4, 4.5, 5.7]));
    expect(run('Gather', [iota([3, 3]), i64([1, 2], [0, 2])], { axis: 1 })[0]).toEqual(f32([3, 1, 2], [0, 2, 3, 5, 6, 8]));
    expect(run('Gather', [table, i64([], [-1])])[0]).toEqual(f32([2], [4.5, 5.7].map(Math.fround)));
    expect(run('Gather', [table, i32([2], [-3, 2])], { axis: -2 })[0]).toEqual(f32([2, 2], [1, 1.2, 4.5, 5.7]));
    expect(run('Gather', [table, ints()])[0]).toEqual(f32([0, 2], []));
  });
  test('of ascending indices is a Slice', () => {
    const cases = fc.record({ shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }), at: fc.nat(), from: fc.nat(), to: fc.nat() });
    fc.assert(fc.property(cases, ({ shape, at, from, to }) => {
      const axis = at % shape.length;
      const [start, end] = [from % shape[axis], to % (shape[axis] + 1)];
      const indices = Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i);
      expect(run('Gather', [iota(shape), ints(...indices)], { axis })).toEqual(run('Slice', [iota(shape), ints(start), ints(end), ints(axis)]));
    }));
  });
  test('geometry is read from a node', () => {
    expect(gatherGeometry(typed('Gather', [['float32', [5, 6, 7]], ['int64', [2, 3]]], { axis: 1 }))).toEqual({
      axis: 1, outer: 5, dim: 6, inner: 7, indices: 6, shape: [5, 2, 3, 7],
    });
  });
});

describe('GatherElements', () => {
  const data = f32([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  test('along either axis, from the end, from more rows than it has indices', () => {
    expect(run('GatherElements', [f32([2, 2], [1, 2, 3, 4]), i64([2, 2], [0, 0, 1, 0])], { axis: 1 })[0]).toEqual(f32([2, 2], [1, 1, 4, 3]));
    expect(run('GatherElements', [data, i64([2, 3], [1, 2, 0, 2, 0, 0])])[0]).toEqual(f32([2, 3], [4, 8, 3, 7, 2, 3]));
    expect(run('GatherElements', [data, i64([2, 3], [-1, -2, 0, -2, 0, 0])])[0]).toEqual(f32([2, 3], [7, 5, 3, 4, 2, 3]));
    expect(run('GatherElements', [data, i64([1, 5], [0, 1, 2, 1, 0])], { axis: 1 })[0]).toEqual(f32([1, 5], [1, 2, 3, 2, 1]));
  });
});

describe('GatherND', () => {
  const cube = i32([2, 2, 2], [0, 1, 2, 3, 4, 5, 6, 7]);
  test("ONNX's examples", () => {
    expect(run('GatherND', [i32([2, 2], [0, 1, 2, 3]), i64([2, 2], [0, 0, 1, 1])])[0]).toEqual(i32([2], [0, 3]));
    expect(run('GatherND', [i32([2, 2], [0, 1, 2, 3]), i64([2, 1], [1, 0])])[0]).toEqual(i32([2, 2], [2, 3, 0, 1]));
    expect(run('GatherND', [cube, i64([2, 1, 2], [0, 1, 1, 0])])[0]).toEqual(i32([2, 1, 2], [2, 3, 4, 5]));
    expect(run('GatherND', [cube, i64([2, 1], [1, 0])], { batch_dims: 1 })[0]).toEqual(i32([2, 2], [2, 3, 4, 5]));
    expect(run('GatherND', [cube, i64([2, 1, 1], [-1, 0])], { batch_dims: 1 })[0]).toEqual(i32([2, 1, 2], [2, 3, 4, 5]));
  });
  test('with all coordinates in order it is the tensor', () => {
    const all = i64([2, 2, 2, 3], Array.from({ length: 8 }, (_, i) => [i >> 2, (i >> 1) & 1, i & 1]).flat());
    expect(run('GatherND', [cube, all])[0]).toEqual(cube);
  });
});

describe('ScatterElements', () => {
  const zeros = f32([3, 3], new Array(9).fill(0));
  const indices = i64([2, 3], [1, 0, 2, 0, 2, 1]);
  test('writes where GatherElements reads', () => {
    const updates = f32([2, 3], [1, 1.1, 1.2, 2, 2.1, 2.2]);
    const scattered = run('ScatterElements', [zeros, indices, updates])[0];
    expect(scattered).toEqual(f32([3, 3], [2, 1.1, 0, 1, 0, 2.2, 0, 2.1, 1.2]));
    expect(run('GatherElements', [scattered, indices])[0]).toEqual(updates);
  });
  test.each<[string, number[]]>([
    ['none', [1, 3, 3, 4, 5]],
    ['add', [1, 7, 3, 4, 5]],
    ['mul', [1, 12, 3, 4, 5]],
    ['max', [1, 3, 3, 4, 5]],
    ['min', [1, 2, 3, 4, 5]],
  ])('reduction %s', (reduction, expected) => {
    expect(toNumbers(run('ScatterElements', [f32([1, 5], [1, 2, 3, 4, 5]), i64([1, 2], [1, -4]), f32([1, 2], [2, 3])], { axis: 1, reduction })[0])).toEqual(expected);
  });
  test('integers add without loss and wrap', () => {
    const there = i64([1], [2 ** 53]);
    expect(run('ScatterElements', [there, ints(0), ints(1)], { reduction: 'add' })[0].data[0]).toBe(2n ** 53n + 1n);
    expect(toNumbers(there)).toEqual([2 ** 53]);
    expect(toNumbers(run('ScatterElements', [i32([1], [2 ** 31 - 1]), ints(0), i32([1], [1])], { reduction: 'add' })[0])).toEqual([-(2 ** 31)]);
  });
  test('half floats reduce as numbers, NaN wins', () => {
    const half = (...values: number[]) => fromNumbers('float16', [values.length], values);
    expect(toNumbers(run('ScatterElements', [half(0x3c00), ints(0), half(0x3c00)], { reduction: 'add' })[0])).toEqual([0x4000]);
    expect(toNumbers(run('ScatterElements', [vector([Number.NaN, 1]), ints(0, 1), vector([1, Number.NaN])], { reduction: 'max' })[0])).toEqual([Number.NaN, Number.NaN]);
  });
});

describe('ScatterND', () => {
  const vector8 = vector([1, 2, 3, 4, 5, 6, 7, 8]);
  test('elements and rows', () => {
    expect(run('ScatterND', [vector8, i64([4, 1], [4, 3, 1, 7]), vector([9, 10, 11, 12])])[0]).toEqual(vector([1, 11, 3, 10, 9, 6, 7, 12]));
    expect(run('ScatterND', [iota([3, 2]), i64([2, 1], [2, 0]), f32([2, 2], [9, 9, 8, 8])])[0]).toEqual(f32([3, 2], [8, 8, 2, 3, 9, 9]));
  });
  test('reductions see earlier updates', () => {
    expect(run('ScatterND', [vector([1, 2]), i64([2, 1], [0, 0]), vector([3, 4])], { reduction: 'add' })[0]).toEqual(vector([8, 2]));
    expect(run('ScatterND', [vector([1, 2]), i64([2, 1], [-2, 0]), vector([3, 4])], { reduction: 'mul' })[0]).toEqual(vector([12, 2]));
  });
  test('then GatherND of the same places gives the updates', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 11 }), { minLength: 1, maxLength: 6 }), (places) => {
      const indices = i64([places.length, 2], places.flatMap((place) => [Math.floor(place / 4), place % 4]));
      const updates = iota([places.length]);
      expect(run('GatherND', [run('ScatterND', [f32([3, 4], new Array(12).fill(-1)), indices, updates])[0], indices])[0]).toEqual(updates);
    }));
  });
});

describe('OneHot', () => {
  const onOff = vector([1, 3]);
  test('along the last or another axis; indices outside match nothing', () => {
    expect(runDecomposed('OneHot', [i64([2, 2], [1, -1, 0, 9]), i64([], [3]), onOff])[0].shape).toEqual([2, 2, 3]);
    expect(toNumbers(runDecomposed('OneHot', [ints(1, -1, 9, -4), i64([1], [3]), onOff])[0])).toEqual([1, 3, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1]);
    expect(runDecomposed('OneHot', [vector([0, 2]), ints(3), ints(5, 7)], { axis: 0 })[0]).toEqual(i64([3, 2], [7, 5, 5, 5, 5, 7]));
    expect(runDecomposed('OneHot', [i64([], [1]), ints(2), bool([2], [0, 1])])[0]).toEqual(bool([2], [0, 1]));
  });
});

describe('indices outside are refused, before anything is read', () => {
  const outside = /indices: expected integers in \[-3, 2\], got (3|-4)/;
  test.each<[string, TensorData[], Attrs]>([
    ['Gather', [iota([3, 2]), ints(3)], {}],
    ['Gather', [iota([3, 2]), ints(-4)], {}],
    ['GatherElements', [iota([3, 2]), i64([1, 2], [0, 3])], {}],
    ['GatherND', [iota([3, 2]), i64([1, 2], [3, 0])], {}],
    ['ScatterElements', [iota([3, 2]), i64([1, 1], [-4]), f32([1, 1], [1])], {}],
    ['ScatterND', [iota([3, 2]), i64([1, 1], [3]), f32([1, 2], [1, 1])], {}],
  ])('%s', (op, operands, attrs) => expect(() => run(op, operands, attrs)).toThrow(outside));
  test('an empty axis has no places', () => expect(() => run('Gather', [f32([0], []), ints(0)])).toThrow(/indices/));
});

test.each<[string, readonly (readonly [DType, readonly number[]])[], Attrs, RegExp]>([
  ['Gather', [['float32', [3]], ['float32', [1]]], {}, /indices: expected a index tensor, got float32/],
  ['Gather', [['float32', [3]], ['int64', [1]]], { axis: 1 }, /axis: expected an integer in \[-1, 0\]/],
  ['Gather', [['float32', []], ['int64', []]], {}, /axis/],
  ['Gather', [['float32', [2, 2 ** 20]], ['int64', [2 ** 12]]], {}, /fewer than 2\^31 elements/],
  ['GatherElements', [['float32', [3, 2]], ['int64', [3]]], {}, /indices: expected the rank of float32\[3,2\]/],
  ['GatherElements', [['float32', [3, 2]], ['int64', [1, 3]]], {}, /no larger off axis 0, got int64\[1,3\]/],
  ['GatherND', [['float32', [3, 2]], ['int64', [1, 3]]], {}, /indices: expected a last axis of 1 to 2 coordinates, got int64\[1,3\]/],
  ['GatherND', [['float32', [3, 2]], ['int64', [1, 0]]], {}, /indices/],
  ['GatherND', [['float32', [3, 2]], ['int64', []]], {}, /indices/],
  ['GatherND', [['float32', [3, 2]], ['int64', [2, 1]]], { batch_dims: 1 }, /batch axes: expected equal sizes/],
  ['GatherND', [['float32', [3, 2]], ['int64', [3, 1]]], { batch_dims: 2 }, /indices/],
  ['ScatterElements', [['float32', [3]], ['int64', [2]], ['float32', [3]]], {}, /updates: expected shape \[2\], got float32\[3\]/],
  ['ScatterElements', [['float32', [3]], ['int64', [2]], ['int64', [2]]], {}, /one dtype/],
  ['ScatterElements', [['bool', [3]], ['int64', [2]], ['bool', [2]]], { reduction: 'add' }, /reduction: expected none for bool, got add/],
  ['ScatterElements', [['float32', [3]], ['int64', [2]], ['float32', [2]]], { reduction: 'mean' }, /attribute reduction/],
  ['ScatterND', [['float32', [3, 2]], ['int64', [2, 1]], ['float32', [2, 3]]], {}, /updates: expected shape \[2,2\]/],
  ['OneHot', [['int64', [2]], ['int64', []], ['float32', [2]]], {}, /depth: expected a constant/],
])('%s %j %o is refused', (op, types, attrs, message) => expect(() => typed(op, types, attrs)).toThrow(message));

test('OneHot refuses a depth or values that mean nothing', () => {
  expect(() => run('OneHot', [ints(0), ints(0), vector([0, 1])])).toThrow(/depth: expected one number of at least 1/);
  expect(() => run('OneHot', [ints(0), ints(2, 2), vector([0, 1])])).toThrow(/depth/);
  expect(() => run('OneHot', [ints(0), ints(2), vector([0])])).toThrow(/values: expected shape \[2\]/);
  expect(() => run('OneHot', [ints(0), ints(2 ** 40), vector([0, 1])])).toThrow(/whole dimensions/);
});
