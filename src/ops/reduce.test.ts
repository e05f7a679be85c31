import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bool, expectClose, f32, i32, i64, nodeOf, numbers, run, runDecomposed, vector } from '../../test/support/ops.ts';
import { type Attrs, fromNumbers, sizeOf, type TensorData, toNumbers } from '../graph/index.ts';
import { fromElements } from './helpers.ts';
import { reducedAxes } from './index.ts';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const x = f32([2, 3], [1, -2, 3, 4, 5, -6]);
const axes = (...list: number[]): TensorData => i64([list.length], list);

describe('reductions', () => {
  const table: [op: string, all: number, rows: number[]][] = [
    ['ReduceSum', 5, [2, 3]],
    ['ReduceMean', 5 / 6, [2 / 3, 1]],
    ['ReduceMax', 5, [3, 5]],
    ['ReduceMin', -6, [-2, -6]],
    ['ReduceProd', 720, [-6, -120]],
    ['ReduceL1', 21, [6, 15]],
    ['ReduceL2', Math.sqrt(91), [Math.sqrt(14), Math.sqrt(77)]],
    ['ReduceSumSquare', 91, [14, 77]],
    ['ReduceLogSum', Math.log(5), [Math.log(2), Math.log(3)]],
    ['ReduceLogSumExp', 5.4203268, [3.1328452, 5.3132739]],
  ];

  it.each(table)('%s', (op, all, rows) => {
    expectClose(run(op, [x], { keepdims: 0 })[0], f32([], [all]), { ulp: 1, absolute: 1e-5 });
    expectClose(run(op, [x])[0], f32([1, 1], [all]), { ulp: 1, absolute: 1e-5 });
    expectClose(run(op, [x, axes(-1)])[0], f32([2, 1], rows), { ulp: 1, absolute: 1e-5 });
    expectClose(run(op, [x, axes(1)], { keepdims: 0 })[0], f32([2], rows), { ulp: 1, absolute: 1e-5 });
    expect(run(op, [x, axes(0)])[0].shape).toEqual([1, 3]);
    expect(run(op, [x, axes(1, 0)], { keepdims: 0 })[0].shape).toEqual([]);
    expect(run(op, [f32([], [2])])[0].shape).toEqual([]);
  });

  it('keep each element apart with noop_with_empty_axes and no axes', () => {
    expect(numbers('ReduceSum', [x, axes()], { noop_with_empty_axes: 1 })).toEqual(toNumbers(x));
    expect(numbers('ReduceSumSquare', [x], { noop_with_empty_axes: 1 })).toEqual([1, 4, 9, 16, 25, 36]);
    expect(toNumbers(runDecomposed('ReduceL1', [x], { noop_with_empty_axes: 1 })[0])).toEqual([1, 2, 3, 4, 5, 6]);
    expect(run('ReduceSum', [x, axes()])[0].shape).toEqual([1, 1]);
  });

  it('of nothing are the identity', () => {
    const none = f32([2, 0], []);
    const of = (op: string) => numbers(op, [none, axes(1)], { keepdims: 0 })[0];
    expect(['ReduceSum', 'ReduceProd', 'ReduceMax', 'ReduceMin', 'ReduceMean', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceL2'].map(of)).toEqual([
      0, 1, -inf, inf, nan, -inf, -inf, 0,
    ]);
    expect(numbers('ReduceMax', [i32([0], [])])).toEqual([-(2 ** 31)]);
    expect(numbers('ReduceSum', [none, axes(0)], { keepdims: 0 })).toEqual([]);
  });

  it('treat specials as IEEE 754 does', () => {
    expect(numbers('ReduceMax', [vector([1, nan, 3])])).toEqual([nan]);
    expect(numbers('ReduceMin', [vector([1, -inf])])).toEqual([-inf]);
    for (const [values, expected] of [[[-inf, -inf], -inf], [[inf, 1], inf], [[nan, 1], nan], [[1000, 1000], 1000 + Math.LN2]] as const) {
      const result = f32([1], [expected]);
      expectClose(run('ReduceLogSumExp', [vector(values)])[0], result, { ulp: 1 });
      expectClose(runDecomposed('ReduceLogSumExp', [vector(values)])[0], result, { ulp: 1 });
    }
  });

  it('are exact on integers', () => {
    const big = { ...i64([2], [0, 0]), data: BigInt64Array.of(2n ** 62n, 3n) };
    expect(run('ReduceSum', [big])[0].data[0]).toBe(2n ** 62n + 3n);
    expect(run('ReduceMax', [big])[0].data[0]).toBe(2n ** 62n);
    expect(numbers('ReduceProd', [i32([2], [65536, 65537])])).toEqual([65536]);
    expect(numbers('ReduceMean', [i32([2], [-3, 0])])).toEqual([-1]);
    expect(numbers('ReduceL1', [i32([2], [-3, 4])])).toEqual([7]);
    expect(numbers('ReduceMax', [bool([2], [0, 1])])).toEqual([1]);
    expect(numbers('ReduceMin', [bool([2], [0, 1])])).toEqual([0]);
    expect(toNumbers(runDecomposed('ReduceL2', [i32([2], [3, 4])])[0])).toEqual([5]);
  });

  it('decompose to the same', () => {
    const anyAxes = fc.array(fc.integer({ min: -3, max: 2 }), { maxLength: 2 }).filter((list) => new Set(list.map((a) => (a + 3) % 3)).size === list.length);
    const shape = fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 1, max: 4 })));
    const op = fc.constantFrom('ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSum', 'ReduceLogSumExp');
    fc.assert(
      fc.property(op, shape, anyAxes, fc.boolean(), fc.boolean(), fc.infiniteStream(fc.double({ min: 0.1, max: 30, noNaN: true })), (name, dims, list, keep, noop, stream) => {
        const tensor = fromElements({ dtype: 'float32', shape: dims }, [...stream.take(sizeOf(dims))]);
        const attrs: Attrs = { keepdims: Number(keep), noop_with_empty_axes: Number(noop) };
        const operands = [tensor, axes(...list)];
        expectClose(runDecomposed(name, operands, attrs)[0], run(name, operands, attrs)[0], { ulp: 8, absolute: 1e-5 }, name);
      }),
      { numRuns: 200 },
    );
  });

  it('tell devices their axes', () => {
    expect(reducedAxes(nodeOf('ReduceSum', [x, axes(-1, 0)]))).toEqual([0, 1]);
    expect(reducedAxes(nodeOf('ReduceSum', [x]))).toEqual([0, 1]);
    expect(reducedAxes(nodeOf('ReduceSum', [x], { noop_with_empty_axes: 1 }))).toEqual([]);
  });

  it('refuse axes that do not exist, repeat, or are not known', () => {
    expect(() => nodeOf('ReduceSum', [x, axes(2)])).toThrow('axes: expected an integer in [-2, 1] for rank 2, got 2');
    expect(() => nodeOf('ReduceSum', [x, axes(0, -2)])).toThrow('distinct');
    expect(() => nodeOf('ReduceSum', [x, i32([1], [0])])).toThrow('axes: expected a constant');
    expect(() => nodeOf('ReduceSum', [bool([1], [1])])).toThrow('numeric');
    expect(() => nodeOf('ReduceSum', [x], { keepdims: 2 })).toThrow('attribute keepdims');
  });
});

describe('ArgMax and ArgMin', () => {
  const y = f32([2, 3], [1, 5, 5, 2, 2, 0]);
  it('find the first, or the last', () => {
    expect(numbers('ArgMax', [y], { axis: 1 })).toEqual([1, 0]);
    expect(numbers('ArgMax', [y], { axis: -1, select_last_index: 1 })).toEqual([2, 1]);
    expect(numbers('ArgMin', [y])).toEqual([0, 1, 1]);
    expect(run('ArgMax', [y])[0]).toMatchObject({ dtype: 'int64', shape: [1, 3] });
    expect(run('ArgMax', [y], { keepdims: 0 })[0].shape).toEqual([3]);
  });
  it('take NaN as the extreme, as NumPy does', () => {
    const z = vector([1, nan, inf, nan]);
    expect(numbers('ArgMax', [z])).toEqual([1]);
    expect(numbers('ArgMin', [z])).toEqual([1]);
    expect(numbers('ArgMax', [z], { select_last_index: 1 })).toEqual([3]);
  });
  it('work on 64-bit integers exactly', () => {
    const big = { ...i64([2], [0, 0]), data: BigInt64Array.of(2n ** 60n, 2n ** 60n + 1n) };
    expect(numbers('ArgMax', [big])).toEqual([1]);
  });
  it('refuse an axis without elements', () => {
    expect(() => nodeOf('ArgMax', [f32([0, 2], [])])).toThrow('axis 0: expected at least one element');
  });
});

describe('CumSum', () => {
  const table: [attrs: Attrs, expected: number[]][] = [
    [{}, [1, 3, 6, 10, 15]],
    [{ exclusive: 1 }, [0, 1, 3, 6, 10]],
    [{ reverse: 1 }, [15, 14, 12, 9, 5]],
    [{ reverse: 1, exclusive: 1 }, [14, 12, 9, 5, 0]],
  ];
  it.each(table)('%j', (attrs, expected) => {
    const operands = [vector([1, 2, 3, 4, 5]), i64([], [0])];
    expect(numbers('CumSum', operands, attrs)).toEqual(expected);
    expect(toNumbers(runDecomposed('CumSum', operands, attrs)[0])).toEqual(expected);
  });

  it('runs along any axis of integers and floats alike', () => {
    const dims = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(dims, fc.nat(), fc.boolean(), fc.boolean(), fc.constantFrom('float32', 'int64'), (shape, at, exclusive, reverse, dtype) => {
        const values = Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 7919) % 23) - 11);
        const operands = [fromNumbers(dtype as 'float32', shape, values), i64([], [at % shape.length])];
        const attrs = { exclusive: Number(exclusive), reverse: Number(reverse) };
        expect(toNumbers(runDecomposed('CumSum', operands, attrs)[0])).toEqual(numbers('CumSum', operands, attrs));
      }),
    );
  });

  it('does not let an infinity reach what lies before it', () => {
    const operands = [vector([1, inf, 2]), i64([], [0])];
    expect(toNumbers(runDecomposed('CumSum', operands)[0])).toEqual([1, inf, inf]);
  });

  it('wants one axis that exists', () => {
    expect(() => nodeOf('CumSum', [vector([1]), i64([], [1])])).toThrow('axis');
    expect(() => nodeOf('CumSum', [vector([1]), axes(0, 0)])).toThrow('axis: expected one integer, got 2');
  });
});
