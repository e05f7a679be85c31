import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { f32, i64, run, runDecomposed, vector } from '../../test/support/ops.ts';
import { type Attrs, constant, type DType, fromNumbers, input, makeNode, opOf, type TensorData, toNumbers } from '../graph/index.ts';
import { evaluateValues } from './index.ts';

const ints = (...values: number[]) => vector(values, 'int64');
const shaped = (op: string, shape: readonly number[], operands: readonly TensorData[] = [], attrs: Attrs = {}, dtype: DType = 'float32') =>
  makeNode(op, [input('x', dtype, shape), ...operands.map((tensor) => constant(tensor))], attrs).outputs[0];

describe('Reshape', () => {
  test.each<[number[], number[], Attrs, number[]]>([
    [[2, 3, 4], [4, 2, 3], {}, [4, 2, 3]],
    [[2, 3, 4], [2, -1, 2], {}, [2, 6, 2]],
    [[2, 3, 4], [-1], {}, [24]],
    [[2, 3, 4], [2, 0, 4, 1], {}, [2, 3, 4, 1]],
    [[2, 3, 4], [2, 0, 1, -1], {}, [2, 3, 1, 4]],
    [[0, 3, 4], [3, 4, 0], { allowzero: 1 }, [3, 4, 0]],
    [[0, 3], [0, 5], {}, [0, 5]],
    [[1], [], {}, []],
  ])('%j to %j %o', (shape, wanted, attrs, expected) => expect(shaped('Reshape', shape, [ints(...wanted)], attrs).shape).toEqual(expected));

  test.each<[number[], number[], Attrs, RegExp]>([
    [[2, 3], [4], {}, /shape: expected 6 elements, as float32\[2,3\], got \[4\]/],
    [[2, 3], [4, -1], {}, /expected 6 elements/],
    [[2, 3], [-1, -1], {}, /at most one -1/],
    [[2, 3], [-2, 3], {}, /dimensions of at least -1/],
    [[2, 3], [2, 3, 0], {}, /0 only where float32\[2,3\] has an axis to copy/],
    [[0, 3], [0, -1], {}, /no -1 beside a dimension of 0/],
    [[2, 3], [2 ** 40, 2 ** 40, 2 ** 40], {}, /expected 6 elements/],
    [[2, 3], [1, 1, 1, 1, ...new Array<number>(62).fill(1), 6], {}, /at most 64 dimensions/],
  ])('%j to %j %o is refused', (shape, wanted, attrs, message) => expect(() => shaped('Reshape', shape, [ints(...wanted)], attrs)).toThrow(message));

  test('a shape that is computed is refused with what to do', () => {
    expect(() => makeNode('Reshape', [input('x', 'float32', [2]), input('shape', 'int64', [1])])).toThrow(/shape: expected a constant, got a computed value; .*fold/);
    expect(() => shaped('Reshape', [2], [vector([2])])).toThrow(/shape: expected a int tensor, got float32/);
  });
  test('any dtype passes through, bits and all', () => {
    const halves = fromNumbers('float16', [2], [0x7e01, 0x3c00]);
    expect(run('Reshape', [halves, ints(1, 2)])[0]).toEqual({ ...halves, shape: [1, 2] });
  });
});

describe('operators that only rename axes', () => {
  test.each<[string, number[], number[] | undefined, Attrs, number[]]>([
    ['Flatten', [2, 3, 4], undefined, {}, [2, 12]],
    ['Flatten', [2, 3, 4], undefined, { axis: 0 }, [1, 24]],
    ['Flatten', [2, 3, 4], undefined, { axis: 3 }, [24, 1]],
    ['Flatten', [2, 3, 4], undefined, { axis: -1 }, [6, 4]],
    ['Flatten', [], undefined, { axis: 0 }, [1, 1]],
    ['Squeeze', [1, 3, 1, 5], undefined, {}, [3, 5]],
    ['Squeeze', [1, 3, 1, 5], [-2], {}, [1, 3, 5]],
    ['Squeeze', [1, 3, 1, 5], [2, 0], {}, [3, 5]],
    ['Unsqueeze', [3, 4], [2, 0], {}, [1, 3, 1, 4]],
    ['Unsqueeze', [3, 4], [-1], {}, [3, 4, 1]],
    ['Unsqueeze', [], [0], {}, [1]],
    ['Unsqueeze', [3], [], {}, [3]],
  ])('%s %j %j %o', (op, shape, axes, attrs, expected) => {
    const x = f32(shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i));
    expect(runDecomposed(op, axes ? [x, ints(...axes)] : [x], attrs)).toEqual([{ ...x, shape: expected }]);
  });
  test.each<[string, number[], number[] | undefined, Attrs, RegExp]>([
    ['Flatten', [2, 3], undefined, { axis: 3 }, /axis: expected an integer in \[-2, 2\], got 3/],
    ['Squeeze', [1, 3], [1], {}, /axes: expected axes of size 1 in float32\[1,3\], got axis 1/],
    ['Squeeze', [1, 3], [2], {}, /axes: expected an integer in \[-2, 1\]/],
    ['Squeeze', [1, 1], [0, -2], {}, /axes: expected distinct axes/],
    ['Unsqueeze', [3], [2], {}, /axes: expected an integer in \[-2, 1\]/],
    ['Unsqueeze', [3], [0, 0], {}, /axes: expected distinct axes/],
    ['Unsqueeze', [3], new Array<number>(100).fill(0), {}, /axes: expected at most 64 axes in all, got 101/],
  ])('%s %j %j %o is refused', (op, shape, axes, attrs, message) =>
    expect(() => shaped(op, shape, axes && [ints(...axes)], attrs)).toThrow(message));
});

describe('constants from shapes', () => {
  /** Taken apart with an operand that has no value. */
  const known = (op: string, shape: readonly number[], attrs: Attrs = {}, dtype?: DType) => {
    const { node } = shaped(op, shape, [], attrs, dtype);
    return evaluateValues(opOf(op).decompose!(node))[0];
  };
  test.each<[Attrs, number[]]>([
    [{}, [2, 3, 4]],
    [{ start: 1 }, [3, 4]],
    [{ start: -1 }, [4]],
    [{ end: 1 }, [2]],
    [{ end: -1 }, [2, 3]],
    [{ start: 1, end: 2 }, [3]],
    [{ start: -10, end: 10 }, [2, 3, 4]],
    [{ start: 2, end: 1 }, []],
  ])('Shape %o', (attrs, expected) => expect(known('Shape', [2, 3, 4], attrs)).toEqual(ints(...expected)));
  test('Size', () => {
    expect(known('Size', [2, 3, 4])).toEqual(i64([], [24]));
    expect(known('Size', [2, 0])).toEqual(i64([], [0]));
  });
  test('EyeLike', () => {
    expect(known('EyeLike', [2, 3])).toEqual(f32([2, 3], [1, 0, 0, 0, 1, 0]));
    expect(known('EyeLike', [2, 3], { k: 1, dtype: 'int32' })).toEqual(fromNumbers('int32', [2, 3], [0, 1, 0, 0, 0, 1]));
    expect(known('EyeLike', [3, 2], { k: -1 })).toEqual(f32([3, 2], [0, 0, 1, 0, 0, 1]));
    expect(known('EyeLike', [2, 2], { k: 5, dtype: 'float16' })).toEqual(fromNumbers('float16', [2, 2], [0, 0, 0, 0]));
    expect(() => known('EyeLike', [2])).toThrow(/a matrix/);
  });
});

describe('ConstantOfShape', () => {
  const make = (shape: TensorData, attrs: Attrs = {}) => makeNode('ConstantOfShape', [constant(shape)], attrs);
  test.each<[number[], Attrs, TensorData]>([
    [[2, 2], {}, f32([2, 2], [0, 0, 0, 0])],
    [[3], { value: i64([1], [7]) }, i64([3], [7, 7, 7])],
    [[], { value: i64([1], [7]) }, i64([], [7])],
    [[2, 0], {}, f32([2, 0], [])],
  ])('case %#', (shape, attrs, expected) => {
    const node = make(ints(...shape), attrs);
    expect(evaluateValues(node.outputs)).toEqual([expected]);
    expect(evaluateValues(opOf('ConstantOfShape').decompose!(node))).toEqual([expected]);
  });
  test.each<[TensorData, Attrs, RegExp]>([
    [ints(-1), {}, /whole dimensions/],
    [ints(2 ** 20, 2 ** 20), {}, /fewer than 2\^31 elements/],
    [ints(2), { value: vector([1, 2]) }, /attribute value: expected a tensor of one element/],
    [ints(2), { value: 3 }, /attribute value/],
  ])('case %# is refused', (shape, attrs, message) => expect(() => make(shape, attrs)).toThrow(message));
});

describe('Range', () => {
  const range = (dtype: DType, ...values: number[]) => makeNode('Range', values.map((value) => constant(fromNumbers(dtype, [], [value]))));
  const values = (dtype: DType, ...bounds: number[]) => {
    const node = range(dtype, ...bounds);
    const [direct] = evaluateValues(node.outputs);
    expect(evaluateValues(opOf('Range').decompose!(node))).toEqual([direct]);
    return toNumbers(direct);
  };
  test('counts up and down, without its limit', () => {
    expect(values('float32', 1, 5, 2)).toEqual([1, 3]);
    expect(values('int32', 10, 6, -3)).toEqual([10, 7]);
    expect(values('int64', 3, 3, 1)).toEqual([]);
    expect(values('int64', 3, 9, -1)).toEqual([]);
    expect(values('float64', 0, 1, 0.25)).toEqual([0, 0.25, 0.5, 0.75]);
  });
  test('as a loop counts', () => {
    fc.assert(fc.property(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -20, max: 20 }), fc.integer({ min: -5, max: 5 }).filter((d) => d !== 0), (start, limit, delta) => {
      const expected: number[] = [];
      for (let i = start; delta > 0 ? i < limit : i > limit; i += delta) expected.push(i);
      expect(values('int64', start, limit, delta)).toEqual(expected);
    }));
  });
  test.each<[DType, number[], RegExp]>([
    ['int64', [0, 5, 0], /delta other than 0/],
    ['float32', [0, Infinity, 1], /finite bounds/],
    ['float32', [Number.NaN, 1, 1], /finite bounds/],
    ['int64', [0, 2 ** 40, 1], /fewer than 2\^31 elements/],
    ['bool', [0, 1, 1], /expected a numeric tensor, got bool/],
  ])('%s %j is refused', (dtype, bounds, message) => expect(() => range(dtype, ...bounds)).toThrow(message));
  test('of several elements or of a computed value is refused', () => {
    expect(() => makeNode('Range', [input('a', 'int64', []), constant(i64([], [3])), constant(i64([], [1]))])).toThrow(/start: expected a constant/);
    expect(() => makeNode('Range', [ints(0, 1), ints(3), ints(1)].map((tensor) => constant(tensor)))).toThrow(/start: expected one element/);
  });
});
