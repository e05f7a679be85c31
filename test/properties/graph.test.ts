/** Any graph: it verifies, its text and hash depend on what it is alone, and both notice every change. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Attrs,
  constantOf,
  type Graph,
  hashGraph,
  Node,
  printGraph,
  type TensorData,
  topologicalOrder,
  type TypedArray,
  type Value,
  verifyGraph,
} from '../../src/graph/index.ts';
import { randomGraph, runs } from '../support/random-graph.ts';

const graphs = fc.oneof(randomGraph({ exact: true }), randomGraph({ exact: false }));

interface Change {
  attrs?: Attrs;
  inputs?: readonly (Value | null)[];
  op?: string;
}

/** The same graph of new nodes, some of them changed; nothing is checked, as in a graph made by hand. */
function copyGraph(graph: Graph, change: (node: Node) => Change = () => ({}), nameOf = (name: string): string => name): Graph {
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value): Value => copies.get(value) as Value;
  for (const node of topologicalOrder({ outputs: [...graph.inputs, ...graph.outputs] })) {
    const { op = node.op, attrs = node.attrs, inputs = node.inputs } = change(node);
    const copy = new Node(op, inputs.map((value) => value && copyOf(value)), { ...attrs }, node.outputs, nameOf(node.name));
    node.outputs.forEach((value, i) => copies.set(value, copy.outputs[i]));
  }
  const copyList = (list: Graph['inputs']) => list.map(({ name, value }) => ({ name, value: copyOf(value) }));
  return { name: nameOf(graph.name), inputs: copyList(graph.inputs), outputs: copyList(graph.outputs) };
}

const copyData = (tensor: TensorData, data = tensor.data.slice() as TypedArray): TensorData => ({ ...tensor, shape: [...tensor.shape], data });

/** A copy with constants copied as well. */
const rebuilt = (graph: Graph): Graph =>
  copyGraph(graph, (node) => {
    const tensor = constantOf(node.outputs[0]);
    return tensor ? { attrs: { value: copyData(tensor) } } : {};
  });

test('is valid', () => {
  fc.assert(fc.property(graphs, ({ graph }) => verifyGraph(graph)), runs(200));
});

test('has the same text and hash when it is built again', () => {
  fc.assert(
    fc.property(graphs, ({ graph }) => {
      const again = rebuilt(graph);
      expect(printGraph(again)).toBe(printGraph(graph));
      expect(hashGraph(again)).toBe(hashGraph(graph));
      expect(hashGraph(copyGraph(graph), { constants: 'identity' })).toBe(hashGraph(graph, { constants: 'identity' }));
    }),
    runs(150),
  );
});

test('has a hash that names of nodes have no part in', () => {
  fc.assert(
    fc.property(graphs, fc.string(), ({ graph }, name) => {
      expect(hashGraph(copyGraph(graph, undefined, (old) => old + name))).toBe(hashGraph(graph));
    }),
    runs(50),
  );
});

test('has another hash with one attribute, operator, operand or constant changed', () => {
  fc.assert(
    fc.property(graphs, fc.nat(), fc.nat(), ({ graph }, which, how) => {
      const nodes = topologicalOrder(graph);
      const target = nodes[which % nodes.length];
      const changed = changes(target, nodes, how);
      fc.pre(changed !== undefined);
      const other = copyGraph(graph, (node) => (node === target ? (changed as Change) : {}));
      expect(hashGraph(other)).not.toBe(hashGraph(graph));
      expect(hashGraph(other, { constants: 'identity' })).not.toBe(hashGraph(graph, { constants: 'identity' }));
    }),
    runs(400),
  );
});

/** One change of a node, chosen by `how`; undefined where that one does not apply. */
function changes(node: Node, order: readonly Node[], how: number): Change | undefined {
  const { attrs, inputs } = node;
  if (node.op === 'Input') return undefined;
  const tensor = constantOf(node.outputs[0]);
  if (tensor) {
    if (tensor.data.length === 0) return undefined;
    const data = tensor.data.slice() as Uint8Array;
    new Uint8Array(data.buffer)[how % data.byteLength] ^= 1 << (how % 8);
    return { attrs: { value: copyData(tensor, data) } };
  }
  const earlier = order.slice(0, order.indexOf(node)).flatMap(({ outputs }) => outputs);
  const operand = how % Math.max(1, inputs.length);
  const other = earlier[how % Math.max(1, earlier.length)];
  const key = Object.keys(attrs)[how % Math.max(1, Object.keys(attrs).length)];
  const kinds: (() => Change | undefined)[] = [
    () => ({ op: `${node.op}2` }),
    () => ({ attrs: { ...attrs, extra: how } }),
    () => {
      const attr = attrs[key];
      if (typeof attr === 'number') return { attrs: { ...attrs, [key]: attr + 1 } };
      if (typeof attr === 'string') return { attrs: { ...attrs, [key]: `${attr}x` } };
      return Array.isArray(attr) && attr.length > 0 ? { attrs: { ...attrs, [key]: attr.with(how % attr.length, (attr[how % attr.length] as number) + 1) as number[] } } : undefined;
    },
    () => (other && other !== inputs[operand] ? { inputs: inputs.with(operand, other) } : undefined),
    () => ({ inputs: [...inputs, null] }),
  ];
  return kinds[how % kinds.length]();
}
