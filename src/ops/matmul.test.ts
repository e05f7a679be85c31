import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { f32, i32, i64, numbers, random, run, runDecomposed, vector } from '../../test/support/ops.ts';
import { type Attrs, type DType, fromNumbers, input, makeNode, type TensorData, toNumbers } from '../graph/index.ts';
import { matMulGeometry } from './index.ts';

const typed = (op: string, types: readonly (readonly [DType, readonly number[]])[], attrs: Attrs = {}) =>
  makeNode(op, types.map(([dtype, shape], i) => input(`x${i}`, dtype, shape)), attrs);
const shaped = (op: string, shapes: readonly number[][], attrs: Attrs = {}) => typed(op, shapes.map((shape) => ['float32', shape] as const), attrs);
const randomTensor = (shape: readonly number[], seed: number): TensorData => {
  const next = random(seed);
  return f32(shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.floor(next() * 9 - 4)));
};

describe('MatMul', () => {
  const a = f32([2, 3], [1, 2, 3, 4, 5, 6]);
  const b = f32([3, 2], [1, 0, 0, 1, 1, 1]);

  test('matrices and vectors', () => {
    expect(run('MatMul', [a, b])).toEqual([f32([2, 2], [4, 5, 10, 11])]);
    expect(run('MatMul', [a, vector([1, 1, 1])])).toEqual([f32([2], [6, 15])]);
    expect(run('MatMul', [vector([1, 2]), a])).toEqual([f32([3], [9, 12, 15])]);
    expect(run('MatMul', [vector([1, 2]), vector([3, 4])])).toEqual([f32([], [11])]);
  });
  test.each<[number[], number[], number[]]>([
    [[5, 2, 3], [3, 4], [5, 2, 4]],
    [[2, 3], [5, 3, 4], [5, 2, 4]],
    [[5, 1, 2, 3], [7, 3, 4], [5, 7, 2, 4]],
    [[3], [5, 3, 4], [5, 4]],
    [[5, 2, 3], [3], [5, 2]],
    [[0, 3], [3, 4], [0, 4]],
    [[2, 0], [0, 4], [2, 4]],
  ])('%j times %j is %j', (x, y, shape) => expect(shaped('MatMul', [x, y]).outputs[0].shape).toEqual(shape));

  test('a product over no elements is 0', () => expect(numbers('MatMul', [f32([1, 0], []), f32([0, 2], [])])).toEqual([0, 0]));
  test('integers wrap and stay exact', () => {
    expect(numbers('MatMul', [i32([1, 2], [2 ** 30, 2 ** 30]), i32([2, 1], [2, 2])])).toEqual([0]);
    const exact = run('MatMul', [i64([1, 1], [2 ** 52 + 1]), i64([1, 1], [3])])[0];
    expect(exact.data[0]).toBe(3n * (2n ** 52n + 1n));
    expect(numbers('MatMul', [fromNumbers('uint32', [1, 1], [2 ** 31]), fromNumbers('uint32', [1, 1], [3])])).toEqual([2 ** 31]);
  });
  test('a batch is one product each', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.boolean(), fc.nat(),
      (batch, m, k, n, shared, seed) => {
        const x = randomTensor([batch, m, k], seed);
        const y = randomTensor(shared ? [k, n] : [batch, k, n], seed + 1);
        const each = Array.from({ length: batch }, (_, i) => {
          const part = (tensor: TensorData) => {
            const size = tensor.shape.at(-1)! * tensor.shape.at(-2)!;
            const start = tensor.shape.length === 2 ? 0 : i * size;
            return f32(tensor.shape.slice(-2), toNumbers(tensor).slice(start, start + size));
          };
          return numbers('MatMul', [part(x), part(y)]);
        });
        expect(numbers('MatMul', [x, y])).toEqual(each.flat());
      }));
  });
  test('(A B) transposed is B transposed A transposed', () => {
    const [x, y] = [randomTensor([4, 3], 1), randomTensor([3, 5], 2)];
    const transposed = (tensor: TensorData) => run('Transpose', [tensor])[0];
    expect(transposed(run('MatMul', [x, y])[0])).toEqual(run('MatMul', [transposed(y), transposed(x)])[0]);
  });
  test('geometry is read from a node', () => {
    expect(matMulGeometry(shaped('MatMul', [[5, 1, 2, 3], [7, 3, 4]]))).toEqual({
      m: 2, k: 3, n: 4, batch: [5, 7], aStrides: [6, 0], bStrides: [0, 12], shape: [5, 7, 2, 4],
    });
  });
  test.each<[readonly (readonly [DType, readonly number[]])[], RegExp]>([
    [[['float32', [2, 3]], ['float32', [4, 2]]], /inner axes: expected equal sizes, got 3 and 4/],
    [[['float32', [2, 2, 3]], ['float32', [3, 3, 2]]], /broadcast: expected equal dimensions/],
    [[['float32', []], ['float32', [3]]], /operands: expected at least one axis each/],
    [[['float32', [2, 3]], ['float64', [3, 2]]], /operands: expected one dtype/],
    [[['bool', [2, 3]], ['bool', [3, 2]]], /A: expected a numeric tensor/],
    [[['float32', [2 ** 16, 1]], ['float32', [1, 2 ** 16]]], /fewer than 2\^31 elements/],
  ])('refuses %j', (types, message) => expect(() => typed('MatMul', types)).toThrow(message));
});

describe('Gemm', () => {
  const a = f32([2, 3], [1, 2, 3, 4, 5, 6]);
  const b = f32([3, 2], [1, 0, 0, 1, 1, 1]);
  test.each<[string, TensorData[], Attrs, number[]]>([
    ['no bias', [a, b], {}, [4, 5, 10, 11]],
    ['a bias a column', [a, b, vector([10, 20])], {}, [14, 25, 20, 31]],
    ['a bias a row, scaled', [a, b, f32([2, 1], [10, 20])], { alpha: 0.5, beta: 2 }, [22, 22.5, 45, 45.5]],
    ['a scalar bias', [a, b, f32([], [1])], {}, [5, 6, 11, 12]],
    ['both transposed', [f32([3, 2], [1, 4, 2, 5, 3, 6]), f32([2, 3], [1, 0, 1, 0, 1, 1])], { transA: 1, transB: 1 }, [4, 5, 10, 11]],
  ])('%s', (_, operands, attrs, expected) => {
    const y = runDecomposed('Gemm', operands, attrs)[0];
    expect([y.dtype, y.shape, toNumbers(y)]).toEqual(['float32', [2, 2], expected]);
  });
  test.each<[number[][], Attrs, RegExp]>([
    [[[2, 3], [2, 3]], {}, /inner axes: expected equal sizes, got 3 and 2/],
    [[[2, 3, 1], [3, 2]], {}, /A: expected a matrix, got float32\[2,3,1\]; Flatten or Reshape it first/],
    [[[2, 3], [3, 2], [3]], {}, /broadcast/],
    [[[1, 3], [3, 2], [2, 2]], {}, /C: expected a shape that broadcasts to \[1,2\]/],
    [[[2, 3], [3, 2]], { transA: 2 }, /attribute transA: expected 0 or 1/],
  ])('refuses %j %o', (shapes, attrs, message) => expect(() => shaped('Gemm', shapes, attrs)).toThrow(message));
  test('integers take whole factors', () => {
    expect(toNumbers(runDecomposed('Gemm', [i32([1, 1], [3]), i32([1, 1], [4])], { alpha: 2 })[0])).toEqual([24]);
    expect(() => typed('Gemm', [['int32', [1, 1]], ['int32', [1, 1]]], { alpha: 0.5 })).toThrow(/alpha: expected a whole number for int32/);
  });
});
