/** The reference evaluator: what a graph means, slowly. Folds constants; is the oracle that devices are tested against. */
import {
  formatType,
  type Graph,
  GraphError,
  type Node,
  opOf,
  sameShape,
  sizeOf,
  type TensorData,
  type TensorType,
  type Value,
  zeros,
} from '../graph/index.ts';

export interface EvaluateOptions {
  /** Nodes to take apart although they could be evaluated; tests of decompositions say which. Default: none. */
  readonly decompose?: (node: Node) => boolean;
}

/**
 * Evaluates a graph; inputs and results go by the graph's names.
 * @throws GraphError on a missing input or one of another type.
 */
export function evaluateGraph(
  graph: Graph,
  inputs: Readonly<Record<string, TensorData>>,
  options: EvaluateOptions = {},
): Record<string, TensorData> {
  const known = new Map<Value, TensorData>();
  for (const { name, value } of graph.inputs) {
    const given = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
    if (!given) throw new GraphError(`graph input '${name}'`, { expected: formatType(value), got: 'nothing' });
    expectType(given, value, `graph input '${name}'`);
    known.set(value, given);
  }
  const results = evaluateValues(graph.outputs.map(({ value }) => value), known, options);
  return Object.fromEntries(graph.outputs.map(({ name }, i) => [name, results[i]]));
}

/** Evaluates values, given some of those they depend on (and adding to them what was computed on the way). */
export function evaluateValues(
  values: readonly Value[],
  known: Map<Value, TensorData> = new Map(),
  options: EvaluateOptions = {},
): TensorData[] {
  // Depth first with a stack of our own: graphs may be deeper than the call stack.
  const stack = values.map(({ node }) => node).reverse();
  while (stack.length > 0) {
    const node = stack[stack.length - 1];
    const missing = isKnown(node) ? [] : node.inputs.filter((value) => value !== null && !known.has(value));
    if (missing.length > 0) {
      for (const value of missing) stack.push(value!.node);
      continue;
    }
    stack.pop();
    if (isKnown(node)) continue;
    const results = evaluateNode(node, node.inputs.map((value) => value && known.get(value)!), options);
    node.outputs.forEach((value, i) => known.set(value, results[i]));
  }
  return values.map((value) => known.get(value)!);

  function isKnown(node: Node): boolean {
    return node.outputs.every((value) => known.has(value));
  }
}

/**
 * Evaluates one node for given operand values; a node without `evaluate` is decomposed.
 * @throws GraphError on an Input, which has no value of its own.
 */
export function evaluateNode(node: Node, inputs: readonly (TensorData | null)[], options: EvaluateOptions = {}): TensorData[] {
  const { evaluate, decompose } = opOf(node.op);
  if (decompose && (!evaluate || options.decompose?.(node))) {
    const known = new Map<Value, TensorData>();
    node.inputs.forEach((value, i) => value && known.set(value, inputs[i]!));
    const results = decompose(node);
    return checked(node, evaluateValues(results, known, options));
  }
  if (!evaluate) throw new GraphError(`${node.op} ${String(node.attrs.name ?? '')}: has no value of its own`);
  // Nothing to compute, however large the other dimensions are.
  if (node.outputs.every(({ shape }) => sizeOf(shape) === 0)) return node.outputs.map(({ dtype, shape }) => zeros(dtype, shape));
  return checked(node, evaluate(inputs, node.attrs, node.outputs));
}

function checked(node: Node, results: TensorData[]): TensorData[] {
  node.outputs.forEach((value, i) => expectType(results[i], value, `result ${i} of ${node.op} '${node.name}'`));
  return results;
}

function expectType(tensor: TensorType, type: TensorType, where: string): void {
  if (tensor.dtype !== type.dtype || !sameShape(tensor.shape, type.shape)) {
    throw new GraphError(where, { expected: formatType(type), got: formatType(tensor) });
  }
}
