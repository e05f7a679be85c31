import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { f32, i64, numbers, run, runDecomposed, vector } from '../../test/support/ops.ts';
import { type Attrs, constant, type DType, dtypes, input, makeNode, sizeOf, tensorData, type TensorData, toNumbers } from '../graph/index.ts';

const ints = (...values: number[]) => vector(values, 'int64');
const iota = (shape: readonly number[]) => f32(shape, Array.from({ length: sizeOf(shape) }, (_, i) => i));
const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 });
const shaped = (op: string, shape: readonly number[], operands: readonly number[][] = [], attrs: Attrs = {}) =>
  makeNode(op, [input('x', 'float32', shape), ...operands.map((list) => constant(ints(...list)))], attrs).outputs[0];

describe('Transpose', () => {
  test('reverses axes, or permutes them', () => {
    expect(run('Transpose', [iota([2, 3])])[0]).toEqual(f32([3, 2], [0, 3, 1, 4, 2, 5]));
    expect(run('Transpose', [iota([1, 2, 3])], { perm: [1, 0, 2] })[0]).toEqual(f32([2, 1, 3], [0, 1, 2, 3, 4, 5]));
    expect(run('Transpose', [f32([], [7])])[0]).toEqual(f32([], [7]));
  });
  test('the inverse permutation takes it back', () => {
    const cases = shapes.chain((shape) => fc.record({ shape: fc.constant(shape), perm: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }) }));
    fc.assert(fc.property(cases, ({ shape, perm }) => {
      const x = iota(shape);
      const y = run('Transpose', [x], { perm })[0];
      expect(y.shape).toEqual(perm.map((axis) => shape[axis]));
      expect(run('Transpose', [y], { perm: perm.map((_, axis) => perm.indexOf(axis)) })[0]).toEqual(x);
    }));
  });
  test('moves every dtype without touching its bits', () => {
    for (const dtype of Object.keys(dtypes) as DType[]) {
      const bytes = Uint8Array.from({ length: 6 * dtypes[dtype].bytes }, (_, i) => 255 - 7 * i);
      const x = tensorData(dtype, [2, 3], new dtypes[dtype].array(bytes.buffer));
      const there = run('Transpose', [x])[0];
      expect(there.data[1], dtype).toEqual(x.data[3]);
      expect(run('Transpose', [there])[0], dtype).toEqual(x);
    }
  });
  test.each([[[0]], [[0, 0]], [[0, 2]], [[-1, 0]], [[0, 1, 2]]])('perm %j of a matrix is refused', (perm) => {
    expect(() => shaped('Transpose', [2, 3], [], { perm })).toThrow(/perm/);
  });
});

describe('Expand', () => {
  test('broadcasts both ways', () => {
    expect(run('Expand', [f32([3, 1], [1, 2, 3]), ints(3, 4)])[0]).toEqual(f32([3, 4], [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]));
    expect(run('Expand', [f32([3, 1], [1, 2, 3]), ints(2, 1, 2)])[0]).toEqual(f32([2, 3, 2], [1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]));
    expect(run('Expand', [f32([2], [1, 2]), ints(1)])[0]).toEqual(f32([2], [1, 2]));
    expect(run('Expand', [f32([], [5]), ints(2, 0)])[0]).toEqual(f32([2, 0], []));
  });
  test.each<[number[], number[], RegExp]>([
    [[3], [2], /broadcast: expected equal dimensions, or 1/],
    [[3], [-1], /shape: expected no negative dimension, got \[-1\]; write 1/],
    [[1], [2 ** 31], /fewer than 2\^31 elements/],
    [[1, 1], [2 ** 16, 2 ** 16], /fewer than 2\^31 elements/],
  ])('%j to %j is refused', (shape, wanted, message) => expect(() => shaped('Expand', shape, [wanted])).toThrow(message));
});

describe('Tile', () => {
  test('repeats along every axis', () => {
    expect(run('Tile', [f32([2, 2], [0, 1, 2, 3]), ints(2, 2)])[0]).toEqual(f32([4, 4], [0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3]));
  });
  test('taken apart it is the same, and it is a Concat of copies', () => {
    fc.assert(fc.property(shapes, fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 }), (shape, counts) => {
      const repeats = counts.slice(0, shape.length);
      const x = iota(shape);
      const [tiled] = run('Tile', [x, ints(...repeats)]);
      expect(runDecomposed('Tile', [x, ints(...repeats)])).toEqual([tiled]);
      if (repeats.some((repeat) => repeat === 0)) return;
      const copied = repeats.reduce((y, repeat, axis) => run('Concat', new Array<TensorData>(repeat).fill(y), { axis })[0], x);
      expect(tiled).toEqual(copied);
    }));
  });
  test.each([[[2]], [[1, 1, 1]], [[-1, 1]]])('repeats %j of a matrix is refused', (repeats) => {
    expect(() => shaped('Tile', [2, 3], [repeats])).toThrow(/repeats: expected a count of at least 0 for each axis of float32\[2,3\]/);
  });
});

describe('Concat', () => {
  test('along an axis, counted from either end', () => {
    const [a, b] = [f32([2, 1], [1, 2]), f32([2, 2], [3, 4, 5, 6])];
    expect(run('Concat', [a, b], { axis: 1 })[0]).toEqual(f32([2, 3], [1, 3, 4, 2, 5, 6]));
    expect(run('Concat', [a, b], { axis: -1 })).toEqual(run('Concat', [a, b], { axis: 1 }));
    expect(run('Concat', [a, f32([0, 1], []), a], { axis: 0 })[0]).toEqual(f32([4, 1], [1, 2, 1, 2]));
    expect(run('Concat', [ints(1), ints(), ints(2, 3)], { axis: 0 })[0]).toEqual(ints(1, 2, 3));
  });
  test('Split takes it apart again', () => {
    fc.assert(fc.property(shapes, fc.nat(), fc.nat(), (shape, at, cut) => {
      const axis = at % shape.length;
      const first = cut % (shape[axis] + 1);
      const x = iota(shape);
      const parts = runDecomposed('Split', [x, ints(first, shape[axis] - first)], { axis });
      expect(parts.map((part) => part.shape[axis])).toEqual([first, shape[axis] - first]);
      expect(run('Concat', parts, { axis })[0]).toEqual(x);
    }));
  });
  test.each<[readonly (readonly [DType, number[]])[], Attrs, RegExp]>([
    [[['float32', [2, 3]], ['float32', [3, 3]]], { axis: 1 }, /input 1: expected the shape of float32\[2,3\] but for axis 1, got float32\[3,3\]/],
    [[['float32', [2, 3]], ['float32', [2]]], { axis: 0 }, /input 1/],
    [[['float32', [2]], ['int64', [2]]], { axis: 0 }, /operands: expected one dtype/],
    [[['float32', [2]]], { axis: 1 }, /axis: expected an integer in \[-1, 0\]/],
    [[['float32', [2]]], {}, /attribute axis: expected an integer, got nothing/],
    [[['float32', []]], { axis: 0 }, /axis/],
    [[['float32', [2 ** 30]], ['float32', [2 ** 30]]], { axis: 0 }, /fewer than 2\^31 elements/],
    [[], { axis: 0 }, /expected at least 1 inputs/],
  ])('case %# is refused', (types, attrs, message) => {
    expect(() => makeNode('Concat', types.map(([dtype, shape], i) => input(`x${i}`, dtype, shape)), attrs)).toThrow(message);
  });
});

describe('DepthToSpace and SpaceToDepth', () => {
  const x = iota([1, 8, 1, 2]);
  test('by depth-column-row and by column-row-depth', () => {
    expect(toNumbers(runDecomposed('DepthToSpace', [x], { blocksize: 2 })[0])).toEqual([0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15]);
    expect(toNumbers(runDecomposed('DepthToSpace', [x], { blocksize: 2, mode: 'CRD' })[0])).toEqual([0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15]);
  });
  test('SpaceToDepth', () => {
    expect(runDecomposed('SpaceToDepth', [iota([1, 1, 2, 4])], { blocksize: 2 })[0]).toEqual(f32([1, 4, 1, 2], [0, 2, 1, 3, 4, 6, 5, 7]));
  });
  test('undo each other', () => {
    const size = fc.integer({ min: 1, max: 3 });
    fc.assert(fc.property(size, size, size, size, (blocksize, depth, h, w) => {
      const y = iota([2, depth * blocksize * blocksize, h, w]);
      expect(runDecomposed('SpaceToDepth', runDecomposed('DepthToSpace', [y], { blocksize }), { blocksize })[0]).toEqual(y);
    }), { numRuns: 30 });
  });
  test.each<[string, number[], Attrs, RegExp]>([
    ['DepthToSpace', [1, 6, 2, 2], { blocksize: 2 }, /N, C, H, W that blocks of 2 divide, got float32\[1,6,2,2\]/],
    ['SpaceToDepth', [1, 1, 2, 3], { blocksize: 2 }, /blocks of 2 divide/],
    ['SpaceToDepth', [1, 2, 2], { blocksize: 2 }, /N, C, H, W/],
    ['DepthToSpace', [1, 4, 2, 2], {}, /attribute blocksize/],
    ['DepthToSpace', [1, 4, 2, 2], { blocksize: 0 }, /attribute blocksize/],
    ['DepthToSpace', [1, 4, 2, 2], { blocksize: 2, mode: 'RCD' }, /attribute mode: expected one of DCR, CRD/],
  ])('%s %j %o is refused', (op, shape, attrs, message) => expect(() => shaped(op, shape, [], attrs)).toThrow(message));
});

test('int64 and bool move as well as floats', () => {
  expect(run('Tile', [i64([1], [2 ** 53]), ints(2)])[0]).toEqual(i64([2], [2 ** 53, 2 ** 53]));
  expect(numbers('Expand', [vector([1, 0], 'bool'), ints(2, 2)])).toEqual([1, 0, 1, 0]);
});
