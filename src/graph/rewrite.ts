/** Graph -> graph: the one way passes change a graph. Nodes are immutable, so what changes is made anew. */
import { type Graph, type Node, topologicalOrder, type Value } from './node.ts';
import { makeNode } from './registry.ts';

/**
 * What a pass does with a node whose inputs have already been rewritten: undefined keeps it, values replace its
 * outputs one for one (the replaced node's shape and dtype must be kept; the verifier checks).
 */
export type Rewrite = (node: Node, original: Node) => readonly Value[] | undefined;

/** Applies `rewrite` to every node in topological order. Returns the same graph where nothing changed. */
export function rewriteGraph(graph: Graph, rewrite: Rewrite): Graph {
  const mapped = new Map<Value, Value>();
  const map = (value: Value): Value => mapped.get(value) ?? value;
  for (const original of topologicalOrder(graph)) {
    const changed = original.inputs.some((value) => value !== null && mapped.has(value));
    const node = changed
      ? makeNode(original.op, original.inputs.map((value) => value && map(value)), original.attrs, original.name)
      : original;
    const results = rewrite(node, original) ?? node.outputs;
    original.outputs.forEach((value, i) => {
      if (results[i] !== undefined && results[i] !== value) mapped.set(value, results[i]);
    });
  }
  if (mapped.size === 0) return graph;
  return { ...graph, outputs: graph.outputs.map(({ name, value }) => ({ name, value: map(value) })) };
}
