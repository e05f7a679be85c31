import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { f32, f64, i64, random, runDecomposed } from '../../test/support/ops.ts';
import { type DType, input, makeNode, sizeOf, stridesOf, type TensorData, toNumbers } from '../graph/index.ts';

const einsum = (equation: string, ...operands: TensorData[]): TensorData => runDecomposed('Einsum', operands, { equation })[0];
const iota = (shape: readonly number[]) => f64(shape, Array.from({ length: sizeOf(shape) }, (_, i) => i + 1));

describe('what it is for', () => {
  const a = f32([2, 2], [1, 2, 3, 4]);
  const b = f32([2, 2], [5, 6, 7, 8]);
  test.each<[string, TensorData[], readonly number[], number[]]>([
    ['ij->ji', [a], [2, 2], [1, 3, 2, 4]],
    ['ij->i', [a], [2], [3, 7]],
    ['ij->', [a], [], [10]],
    ['ii->i', [a], [2], [1, 4]],
    ['ii', [a], [], [5]],
    ['...ii->...i', [f32([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])], [2, 2], [1, 4, 5, 8]],
    ['ij,jk->ik', [a, b], [2, 2], [19, 22, 43, 50]],
    ['ij,jk', [a, b], [2, 2], [19, 22, 43, 50]],
    ['ba,cb', [a, b], [2, 2], [23, 31, 34, 46]],
    ['ij,ij->ij', [a, b], [2, 2], [5, 12, 21, 32]],
    ['i,j->ij', [f32([2], [1, 2]), f32([2], [3, 4])], [2, 2], [3, 4, 6, 8]],
    ['i,i', [f32([2], [1, 2]), f32([2], [3, 4])], [], [11]],
    [' b i j , b j k -> b i k ', [f32([1, 2, 2], [1, 2, 3, 4]), f32([1, 2, 2], [5, 6, 7, 8])], [1, 2, 2], [19, 22, 43, 50]],
    ['...ij,...jk', [f32([2, 1, 2], [1, 2, 3, 4]), f32([1, 2, 1], [5, 6])], [2, 1, 1], [17, 39]],
    ['...ij,...jk->ik', [f32([2, 1, 2], [1, 2, 3, 4]), f32([1, 2, 1], [5, 6])], [1, 1], [56]],
    ['...,...', [f32([], [2]), a], [2, 2], [2, 4, 6, 8]],
    ['i,ij,j->', [f32([2], [1, 2]), a, f32([2], [3, 4])], [], [61]],
  ])('%s', (equation, operands, shape, expected) => {
    const y = einsum(equation, ...operands);
    expect([y.shape, toNumbers(y)]).toEqual([shape, expected]);
  });
  test('integers', () => expect(einsum('i,i', i64([2], [1, 2]), i64([2], [3, 4]))).toEqual(i64([], [11])));
});

test('is the sum over all labels of the product of all operands', () => {
  const sizes: Record<string, number> = { a: 2, b: 3, c: 1, d: 2 };
  const term = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 3 });
  const cases = fc.array(term, { minLength: 1, maxLength: 3 }).chain((terms) => {
    const used = [...new Set(terms.flat())];
    return fc.record({ terms: fc.constant(terms), result: fc.shuffledSubarray(used), seed: fc.nat() });
  });
  fc.assert(fc.property(cases, ({ terms, result, seed }) => {
    const next = random(seed);
    const operands = terms.map((labels) => {
      const shape = labels.map((label) => sizes[label]);
      return f64(shape, Array.from({ length: sizeOf(shape) }, () => Math.floor(next() * 7 - 3)));
    });
    const labels = [...new Set(terms.flat())];
    const expected = new Array<number>(sizeOf(result.map((label) => sizes[label]))).fill(0);
    const flat = (names: readonly string[], at: Record<string, number>) => {
      const strides = stridesOf(names.map((name) => sizes[name]));
      return names.reduce((sum, name, axis) => sum + at[name] * strides[axis], 0);
    };
    const total = labels.reduce((count, label) => count * sizes[label], 1);
    for (let i = 0; i < total; i++) {
      let rest = i;
      const at = Object.fromEntries(labels.map((label) => {
        const place = rest % sizes[label];
        rest = Math.floor(rest / sizes[label]);
        return [label, place];
      }));
      expected[flat(result, at)] += terms.reduce((product, names, t) => product * Number(operands[t].data[flat(names, at)]), 1);
    }
    const y = einsum(`${terms.map((names) => names.join('')).join()}->${result.join('')}`, ...operands);
    expect(y.shape).toEqual(result.map((label) => sizes[label]));
    expect(toNumbers(y).map((value) => value + 0)).toEqual(expected.map((value) => value + 0));
  }));
});

test.each<[string, readonly (readonly number[])[], RegExp]>([
  ['ij', [[2]], /input 0: expected as many axes as 'ij' names, got float32\[2\]/],
  ['i...j', [[2]], /input 0/],
  ['ij,jk', [[2, 3], [2, 3]], /input 1: expected 3 elements on the axis called j, got 2/],
  ['ii', [[2, 3]], /input 0: expected 2 elements on the axis called i, got 3/],
  ['...i,...i', [[2, 4], [3, 4]], /broadcast/],
  ['i,j', [[2]], /equation: expected 1 terms, one an operand, got 'i,j'/],
  ['i->i->i', [[2]], /equation/],
  ['i->j', [[2]], /equation: expected each axis of the result once/],
  ['i->ii', [[2]], /equation: expected each axis of the result once/],
  ['1->1', [[2]], /equation: expected letters/],
  ['......', [[2]], /equation: expected letters, and at most one ellipsis/],
  ['a,b->ab', [[2 ** 16], [2 ** 16]], /fewer than 2\^31 elements/],
])('%s of %j is refused', (equation, shapes, message) => {
  const operands = shapes.map((shape, i) => input(`x${i}`, 'float32', shape));
  expect(() => makeNode('Einsum', operands, { equation })).toThrow(message);
});

test('refuses mixed dtypes and bool', () => {
  const make = (...types: DType[]) => makeNode('Einsum', types.map((dtype, i) => input(`x${i}`, dtype, [2])), { equation: types.map(() => 'i').join() });
  expect(() => make('float32', 'float64')).toThrow(/one dtype/);
  expect(() => make('bool')).toThrow(/input 0: expected a numeric tensor/);
  expect(() => einsum('ij', iota([2, 2]), iota([2]))).toThrow(/2 terms/);
});
