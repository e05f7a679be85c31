import { describe, expect, test } from 'vitest';
import { f32, i64, vector } from '../../test/support/ops.ts';
import '../ops/index.ts';
import { apply, type Attrs, constant, type Graph, input, makeNode, Node, type TensorData, type TensorType, type Value, verifyGraph } from './index.ts';

const x = input('x', 'float32', [2, 3]);
const inputs = [{ name: 'x', value: x }];
const graphOf = (...values: Value[]): Graph => ({ name: 'g', inputs, outputs: values.map((value, i) => ({ name: `y${i}`, value })) });
/** A node as a bug would make it: nothing is checked. */
const handmade = (op: string, operands: readonly (Value | null)[], attrs: unknown = {}, types: readonly TensorType[] = [x], name = 'bad'): Value =>
  new Node(op, operands, attrs as Attrs, types, name).outputs[0];
const problem = (graph: Graph): string => {
  try {
    verifyGraph(graph);
  } catch (error) {
    return (error as Error).message;
  }
  return 'valid';
};

describe('verifyGraph', () => {
  test('takes valid graphs, with unused inputs, shared values and left out operands', () => {
    const clipped = apply('Clip', [x, null, constant(vector([6]))]);
    const graph = graphOf(clipped, clipped, x, makeNode('Split', [x], { axis: 0, num_outputs: 2 }).outputs[1]);
    verifyGraph({ ...graph, inputs: [...inputs, { name: 'unused', value: input('unused', 'int64', [0]) }] });
  });

  test.each<[string, Value, string]>([
    ['an unknown operator', handmade('Frobnicate', [x]), "graph 'g': Frobnicate 'bad': expected a registered operator, got 'Frobnicate'"],
    ['an unnamed node, by its number', handmade('Frobnicate', [x], {}, [x], ''), "graph 'g': %1 Frobnicate: expected a registered operator, got 'Frobnicate'"],
    ['too few operands', handmade('Add', [x]), "graph 'g': Add 'bad': Add: expected 2 inputs, got 1"],
    ['operands that do not fit', handmade('Add', [x, constant(vector([1, 2]))]), "graph 'g': Add 'bad': Add(float32[2,3], float32[2]): broadcast: expected equal dimensions, or 1, got [2,3] and [2] (axis -1)"],
    ['a left out operand that must be there', handmade('Add', [x, null]), "graph 'g': Add 'bad': Add(float32[2,3], none): input 1: expected a tensor, got nothing"],
    ['another shape than inferred', handmade('Relu', [x], {}, [{ dtype: 'float32', shape: [3, 2] }]), "graph 'g': Relu 'bad': result 0: expected float32[2,3], got float32[3,2]"],
    ['another dtype than inferred', handmade('Relu', [x], {}, [{ dtype: 'float64', shape: [2, 3] }]), "graph 'g': Relu 'bad': result 0: expected float32[2,3], got float64[2,3]"],
    ['a missing result', handmade('MaxPool', [input('x', 'float32', [1, 1, 4])], { kernel_shape: [2] }, [x]), "graph 'g': MaxPool 'bad': expected 2 results, got 1"],
    ['an attribute the operator refuses', handmade('Transpose', [x], { perm: [0, 0] }), "graph 'g': Transpose 'bad': Transpose(float32[2,3]): perm: expected a permutation of 2 axes, got [0,0]"],
    ['an attribute that is no data', handmade('Relu', [x], { hook: () => 1 }), "graph 'g': Relu 'bad': attribute hook: expected plain data: a number, string, boolean, list of one of the first two, or tensor, got function"],
    ['an attribute that is undefined', handmade('Relu', [x], { a: undefined }), 'attribute a: expected plain data'],
    ['an attribute that is null', handmade('Relu', [x], { a: null }), 'got null'],
    ['a list of mixed things', handmade('Relu', [x], { a: [1, 'b'] }), 'got a list of other things'],
    ['a list of lists', handmade('Relu', [x], { a: [[1]] }), 'got a list of other things'],
    ['a typed array', handmade('Relu', [x], { a: Float32Array.of(1) }), 'got an object of dtype undefined'],
    ['a constant without a tensor', handmade('Constant', [], {}), "graph 'g': Constant 'bad': attribute value: expected a tensor, got undefined"],
    ['a constant of unknown dtype', handmade('Constant', [], { value: { dtype: 'float7', shape: [], data: Float32Array.of(1) } }), 'got an object of dtype float7'],
    ['a constant of a dtype from a prototype', handmade('Constant', [], { value: { dtype: 'toString', shape: [], data: [] } }), 'got an object of dtype toString'],
    ['a constant of negative size', handmade('Constant', [], { value: { dtype: 'float32', shape: [-1], data: new Float32Array(1) } }), 'got a tensor without a shape'],
    ['a constant held in another array', handmade('Constant', [], { value: { dtype: 'float32', shape: [1], data: new Float64Array(1) } }), 'got float32[1] not held in a Float32Array'],
    ['a constant shorter than its shape', handmade('Constant', [], { value: { dtype: 'float32', shape: [2, 3], data: new Float32Array(5) } }), 'got float32[2,3] of 5 elements'],
    ['an input nobody declared', apply('Relu', [input('z', 'float32', [1])]), "graph 'g': Input 'z': expected to be declared by the graph, got a reader, but no declaration"],
    ['an input of unknown dtype', handmade('Input', [], { name: 'z', dtype: 'float7', shape: [] }, [{ dtype: 'float7', shape: [] } as never]), 'expected a dtype, got float7'],
  ])('refuses %s', (_, value, message) => {
    expect(problem(graphOf(value))).toContain(message);
    // However deep it lies.
    expect(problem(graphOf(handmade('Neg', [value], {}, [value], 'reader')))).toContain(message);
  });

  test('refuses values that their node does not know', () => {
    const node = makeNode('Relu', [x], {}, 'relu');
    expect(problem(graphOf({ ...node.outputs[0] }))).toBe("graph 'g': output 'y0': expected a value that is a result of its node, got one its node does not know");
    expect(problem(graphOf(handmade('Neg', [{ ...node.outputs[0], index: 3 }])))).toContain("input 0 of Neg 'bad': expected a value that is a result of its node");
    expect(problem(graphOf(handmade('Neg', [undefined as never])))).toContain("input 0 of Neg 'bad'");
    const stolen = makeNode('Relu', [x], {}, 'thief');
    (stolen as { outputs: readonly Value[] }).outputs = [...stolen.outputs, node.outputs[0]];
    expect(problem(graphOf(stolen.outputs[0]))).toContain("Relu 'thief': expected 1 results, got 2");
  });

  test('refuses a cycle, however it is reached, and shows it', () => {
    const a = new Node('Neg', [x], {}, [x], 'a');
    const b = new Node('Relu', [a.outputs[0]], {}, [x], 'b');
    (a as { inputs: readonly Value[] }).inputs = b.outputs;
    expect(problem(graphOf(apply('Abs', [x]), handmade('Neg', [b.outputs[0]], {}, [x], 'c')))).toBe("graph 'g': cycle: got Relu 'b' reads Neg 'a' reads Relu 'b'");
    const self = new Node('Neg', [x], {}, [x], 'self');
    (self as { inputs: readonly Value[] }).inputs = self.outputs;
    expect(problem(graphOf(self.outputs[0]))).toBe("graph 'g': cycle: got Neg 'self' reads Neg 'self'");
  });

  test('walks graphs and cycles deeper than the call stack', () => {
    const first = new Node('Neg', [x], {}, [x], 'first');
    let value: Value = first.outputs[0];
    for (let i = 0; i < 20_000; i++) value = apply('Neg', [value], {}, `n${i}`);
    expect(problem(graphOf(value))).toBe('valid');
    (first as { inputs: readonly Value[] }).inputs = [value];
    expect(problem(graphOf(value))).toMatch(/^graph 'g': cycle: got Neg 'n19999' reads .* reads 19994 more reads .* reads Neg 'n19999'$/);
  });

  test('refuses declarations that are double, or of no input', () => {
    const y = input('y', 'float32', [1]);
    const declare = (...list: [string, Value][]): Graph => ({ ...graphOf(x), inputs: list.map(([name, value]) => ({ name, value })) });
    expect(problem(declare(['x', x], ['x', y]))).toBe("graph 'g': input 'x': expected a name of its own, got a second input of this name");
    expect(problem(declare(['x', x], ['again', x]))).toBe("graph 'g': input 'again': expected a value of its own, got that of input 'x'");
    expect(problem(declare(['x', x], ['c', constant(i64([1], [1]))]))).toBe("graph 'g': input 'c': expected the value of an Input, got Constant ''");
    const graph = graphOf(x, x);
    expect(problem({ ...graph, outputs: graph.outputs.map(({ value }) => ({ name: 'y', value })) })).toContain("output 'y': expected a name of its own");
  });

  test('names the constant in a large graph that is too short', () => {
    const short = { ...f32([2, 3], [1, 2, 3, 4, 5, 6]), data: Float32Array.of(1) } as TensorData;
    expect(problem(graphOf(apply('Add', [x, handmade('Constant', [], { value: short }, [x], 'fc.bias')])))).toContain("Constant 'fc.bias'");
  });
});
