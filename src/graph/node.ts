/**
 * A node is immutable: operator, inputs, attributes, result types. Its types are inferred when it is made, so a wrong
 * shape is an error at the line that wrote it. A graph is the set of nodes its outputs reach.
 */
import type { TensorData, TensorType } from './tensor-data.ts';

/** Attributes are plain data, so that they can be hashed, printed and exported. */
export type Attr = number | string | boolean | readonly number[] | readonly string[] | TensorData;
export type Attrs = Readonly<Record<string, Attr>>;

/** One result of a node; what other nodes take as input. */
export interface Value extends TensorType {
  readonly node: Node;
  /** Which of the node's outputs this is. */
  readonly index: number;
}

export class Node {
  readonly op: string;
  /** null stands for an optional input that was left out. */
  readonly inputs: readonly (Value | null)[];
  readonly attrs: Attrs;
  readonly outputs: readonly Value[];
  /** Where it came from (an ONNX node's name, a layer's path); for messages and profiles only, not part of the hash. */
  readonly name: string;

  /** Use `makeNode`: it checks and infers. */
  constructor(op: string, inputs: readonly (Value | null)[], attrs: Attrs, types: readonly TensorType[], name: string) {
    this.op = op;
    this.inputs = inputs;
    this.attrs = attrs;
    this.name = name;
    this.outputs = types.map((type, index) => ({ node: this, index, dtype: type.dtype, shape: type.shape }));
  }
}

export interface GraphInput {
  readonly name: string;
  /** A value of an `Input` node. */
  readonly value: Value;
}

export interface GraphOutput {
  readonly name: string;
  readonly value: Value;
}

/** Inputs, outputs and what lies between; all shapes concrete. A model with free dimensions makes a Graph per shape. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly GraphOutput[];
}

/** A dimension of a model's input: a number, or the name of a free dimension such as `batch`. */
export type Dim = number | string;

export interface ModelInput {
  readonly name: string;
  readonly dtype: TensorType['dtype'];
  readonly shape: readonly Dim[];
}

/**
 * What a format's importer returns: a maker of graphs. `build` gives the graph for concrete input shapes (free
 * dimensions not named in `shapes` must have been fixed by the file). Constants are shared between the graphs it makes.
 */
export interface Model {
  readonly name: string;
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly string[];
  build(shapes?: Readonly<Record<string, readonly number[]>>): Graph;
}

/** The value of a Constant node, or undefined. */
export function constantOf(value: Value | null | undefined): TensorData | undefined {
  return value?.node.op === 'Constant' ? (value.node.attrs.value as TensorData) : undefined;
}

/** All nodes the outputs reach, every node after its inputs; iterative, so depth is no limit. */
export function topologicalOrder(graph: Pick<Graph, 'outputs'>): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: { node: Node; next: number }[] = [];
  const visit = (node: Node) => {
    if (seen.has(node)) return;
    seen.add(node);
    stack.push({ node, next: 0 });
  };
  for (const { value } of graph.outputs) {
    visit(value.node);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.node.inputs.length) {
        const input = top.node.inputs[top.next++];
        if (input !== null) visit(input.node);
      } else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}

/** How often each value is read, graph outputs included. */
export function useCounts(order: readonly Node[], outputs: readonly GraphOutput[]): Map<Value, number> {
  const uses = new Map<Value, number>();
  const count = (value: Value | null) => value && uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const node of order) node.inputs.forEach(count);
  for (const { value } of outputs) count(value);
  return uses;
}
