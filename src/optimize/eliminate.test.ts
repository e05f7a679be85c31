import { describe, expect, test } from 'vitest';
import { i64 } from '../../test/support/ops.ts';
import { apply, constant, type Shape, type Value } from '../graph/index.ts';
import { eliminate } from './index.ts';
import { graphOf, opsOf, optimized } from '../../test/support/passes.ts';

const ints = (...values: number[]): Value => constant(i64([values.length], values));
const left = (shapes: readonly Shape[], build: (...inputs: Value[]) => Value | readonly Value[]): string[] => opsOf(optimized(graphOf(shapes, build), eliminate));

describe('eliminate', () => {
  test.each<[string, Shape, (x: Value) => Value, string[]]>([
    ['Identity', [2], (x) => apply('Identity', [apply('Identity', [x])]), []],
    ['a Cast to the same type', [2], (x) => apply('Cast', [x], { to: 'float32' }), []],
    ['no other Cast', [2], (x) => apply('Cast', [x], { to: 'float64' }), ['Cast']],
    ['an Expand to its own shape', [2, 3], (x) => apply('Expand', [x, ints(1, 3)]), []],
    ['no other Expand', [1, 3], (x) => apply('Expand', [x, ints(2, 3)]), ['Expand']],
    ['a Slice of everything', [2, 3], (x) => apply('Slice', [x, ints(0), ints(2 ** 31), ints(1)]), []],
    ['no Slice that turns an axis round', [2, 3], (x) => apply('Slice', [x, ints(-1), ints(-(2 ** 31)), ints(1), ints(-1)]), ['Slice']],
    ['no Slice of a part', [2, 3], (x) => apply('Slice', [x, ints(1), ints(3), ints(1)]), ['Slice']],
    ['a Pad by nothing', [2, 3], (x) => apply('Pad', [x, ints(0, 0, 0, 0)], { mode: 'reflect' }), []],
    ['no Pad that moves', [2, 3], (x) => apply('Pad', [x, ints(0, 1, 0, -1)]), ['Pad']],
    ['a Concat of one', [2, 3], (x) => apply('Concat', [x], { axis: -1 }), []],
    ['a Concat with nothing', [2, 3], (x) => apply('Concat', [x, apply('Slice', [x, ints(0), ints(0), ints(1)])], { axis: 1 }), []],
    ['a Concat of nothing', [2, 0], (x) => apply('Concat', [x, x], { axis: 1 }), []],
    ['a Reshape to its own shape', [2, 3], (x) => apply('Reshape', [x, ints(0, -1)]), []],
    ['all but the last of many Reshapes', [2, 6], (x) => apply('Reshape', [apply('Reshape', [apply('Reshape', [x, ints(12)]), ints(3, 4)]), ints(0, -1, 2)]), ['Reshape']],
    ['Reshapes that come back', [2, 6], (x) => apply('Reshape', [apply('Reshape', [x, ints(12)]), ints(2, 6)]), []],
    ['Reshapes of nothing', [0, 6], (x) => apply('Reshape', [apply('Reshape', [x, ints(0, 2, 3)]), ints(3, 0)], { allowzero: 1 }), ['Reshape']],
    ['a Transpose of nothing', [2, 3], (x) => apply('Transpose', [x], { perm: [0, 1] }), []],
    ['Transposes that cancel', [2, 3, 4], (x) => apply('Transpose', [apply('Transpose', [x], { perm: [1, 2, 0] })], { perm: [2, 0, 1] }), []],
    ['two default Transposes', [2, 3, 4], (x) => apply('Transpose', [apply('Transpose', [x])]), []],
    ['all but one of many Transposes', [2, 3, 4], (x) => apply('Transpose', [apply('Transpose', [apply('Transpose', [x], { perm: [1, 2, 0] })], { perm: [0, 2, 1] })], { perm: [1, 2, 0] }), ['Transpose']],
  ])('leaves %s', (_, shape, build, ops) => expect(left([shape], build)).toEqual(ops));

  test('drops the empty ones of many that are joined', () => {
    const graph = graphOf([[2, 3], [2, 0], [2, 2]], (a, b, c) => apply('Concat', [a, b, c], { axis: 1 }));
    expect(optimized(graph, eliminate).outputs[0].value.node.inputs).toHaveLength(2);
  });

  test('keeps what others read', () => {
    expect(left([[2, 3]], (x) => {
      const turned = apply('Transpose', [x]);
      return [apply('Neg', [turned]), apply('Transpose', [turned])];
    })).toEqual(['Transpose', 'Neg']);
  });

  test('leaves a graph it finds nothing in as it is', () => {
    const graph = graphOf([[2, 3]], (x) => apply('Neg', [x]));
    expect(eliminate(graph)).toBe(graph);
  });
});
