import { describe, expect, test } from 'vitest';
import { i64 } from '../../test/support/ops.ts';
import { graphOf, noise, opsOf, optimized } from '../../test/support/passes.ts';
import { apply, constant, type Graph, type Value, zeros } from '../graph/index.ts';
import { tablesFirst } from './index.ts';

const ints = (...values: number[]): Value => constant(i64([values.length], values));
/** 12 places of a table of 3 rows. */
const places = constant(i64([4, 3], [0, 2, 1, 1, 0, -1, 2, 2, 0, 1, 0, 0]));
const weights = constant(noise([5, 4]));
const bias = constant(noise([4]));
const picked = (table: Value, indices = places): Value => apply('Gather', [table, indices], { axis: 0 });
const turned = (x: Value, ...perm: number[]): Value => apply('Transpose', [x], { perm: perm.length > 0 ? perm : [1, 0] });
const flat = (x: Value): Value => apply('Reshape', [x, ints(12, x.shape.at(-1)!)]);
const after = (build: (table: Value) => Value): Graph => optimized(graphOf([[3, 5]], build), tablesFirst, 1e-5);
/** Whether a product over all rows is left. */
const isLarge = (graph: Graph): boolean => opsOf(graph).includes('MatMul') && graph.outputs[0].value.node.op === 'MatMul' && graph.outputs[0].value.shape[0] > 4;

describe('tablesFirst', () => {
  test.each<[string, (table: Value) => Value]>([
    ['a product', (e) => apply('MatMul', [picked(e), weights])],
    ['a layer with its bias', (e) => apply('Add', [apply('MatMul', [picked(e), weights]), bias])],
    ['a layer of transposed places', (e) => apply('Add', [bias, apply('MatMul', [turned(picked(e), 1, 0, 2), weights])])],
    ['a layer of rows', (e) => apply('MatMul', [flat(picked(e)), weights])],
  ])('picks from %s', (_, build) => {
    const graph = after(build);
    expect(graph.outputs[0].value.node.op).toBe('Gather');
    expect(isLarge(graph)).toBe(false);
  });

  test('adds up by place before a product: a weight gradient, either way round', () => {
    const d = constant(noise([12, 4]));
    for (const build of [(e: Value) => apply('MatMul', [turned(d), flat(picked(e))]), (e: Value) => apply('MatMul', [turned(flat(turned(picked(e), 1, 0, 2))), d])]) {
      const ops = opsOf(after(build));
      expect(ops).toContain('ScatterND');
      expect(ops).not.toContain('Gather');
    }
  });

  test('adds up by place before a product: the gradient of the table, rows moved about in between', () => {
    const sum = (updates: Value): Value => apply('ScatterND', [constant(zeros('float32', [3, 4])), apply('Reshape', [places, ints(12, 1)]), updates], { reduction: 'add' });
    for (const build of [
      (e: Value) => sum(flat(apply('MatMul', [apply('Expand', [apply('Slice', [e, ints(0), ints(1), ints(0)]), ints(4, 3, 5)]), weights]))),
      () => sum(flat(turned(apply('MatMul', [constant(noise([3, 4, 5])), weights]), 1, 0, 2))),
    ]) {
      expect(after(build).outputs[0].value.node.op).toBe('MatMul');
    }
  });

  test.each<[string, (table: Value) => Value]>([
    ['few places', (e) => apply('MatMul', [picked(e, ints(0, 2, 1)), weights])],
    ['what moves columns', (e) => apply('MatMul', [turned(picked(e), 0, 2, 1), constant(noise([3, 4]))])],
    ['columns', (e) => apply('MatMul', [apply('Gather', [e, ints(0, 2, 1, 0, 4, 3, 3, 3)], { axis: 1 }), constant(noise([8, 2]))])],
  ])('leaves alone %s', (_, build) => {
    expect(opsOf(after(build)).at(-1)).toBe('MatMul');
  });
});
