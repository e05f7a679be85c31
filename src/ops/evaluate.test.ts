import { describe, expect, it } from 'vitest';
import { coreOps, f32, vector } from '../../test/support/ops.ts';
import { apply, constant, defineOp, type Graph, input, makeNode, toNumbers, type Value } from '../graph/index.ts';
import { evaluateGraph, evaluateNode, evaluateValues } from './index.ts';

const x = input('x', 'float32', [2]);
const graphOf = (y: Value): Graph => ({ name: 'g', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'y', value: y }] });

describe('evaluateGraph', () => {
  it('goes by names', () => {
    const { y } = evaluateGraph(graphOf(apply('Add', [x, constant(f32([], [1]))])), { x: vector([1, 2]) });
    expect(toNumbers(y)).toEqual([2, 3]);
  });

  it('refuses missing and wrong inputs', () => {
    const graph = graphOf(apply('Neg', [x]));
    expect(() => evaluateGraph(graph, {})).toThrow("graph input 'x': expected float32[2], got nothing");
    expect(() => evaluateGraph(graph, { x: vector([1, 2, 3]) })).toThrow('expected float32[2], got float32[3]');
    expect(() => evaluateGraph(graph, { x: vector([1, 2], 'float64') })).toThrow('got float64[2]');
    expect(() => evaluateGraph(graph, JSON.parse('{"__proto__": 1}'))).toThrow('got nothing');
  });

  it('says which input a graph does not declare', () => {
    expect(() => evaluateGraph({ ...graphOf(apply('Neg', [x])), inputs: [] }, {})).toThrow('Input x: has no value of its own');
  });

  it('evaluates deep and wide graphs once a node', () => {
    let y: Value = x;
    // Without memory of what is known this would take 2^20000 steps.
    for (let i = 0; i < 20000; i++) y = apply('Max', [y, y]);
    expect(toNumbers(evaluateGraph(graphOf(y), { x: vector([1, -2]) }).y)).toEqual([1, -2]);
  });
});

it('evaluates values from others that are known', () => {
  const doubled = apply('Add', [x, x]);
  const known = new Map([[x, vector([3, 4])]]);
  expect(evaluateValues([doubled, apply('Neg', [doubled])], known).map(toNumbers)).toEqual([[6, 8], [-6, -8]]);
  expect(known.has(doubled)).toBe(true);
});

it('takes apart what it is told to', () => {
  const seen: string[] = [];
  const node = apply('Softplus', [x]).node;
  evaluateNode(node, [vector([0, 1])], { decompose: ({ op }) => (seen.push(op), !coreOps.has(op)) });
  expect(seen).toContain('Softplus');
});

it('checks what operators return against what they promised', () => {
  defineOp({ name: 'test.Liar', inputs: [1, 1], infer: () => [{ dtype: 'float32', shape: [3] }], evaluate: ([a]) => [a!] });
  expect(() => evaluateNode(makeNode('test.Liar', [x]), [vector([1, 2])])).toThrow("result 0 of test.Liar '': expected float32[3], got float32[2]");
});
