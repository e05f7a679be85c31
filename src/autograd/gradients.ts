/** gradients: walks back from the outputs, node by node, by the rules that operators bring along. */
import { apply, constant, dtypes, formatType, GraphError, type Node, opOf, sameShape, type TensorType, type Value } from '../graph/index.ts';
import { fromElements } from '../ops/index.ts';
import { sumOf } from './sum.ts';

/** A value to differentiate, and by how much each of its elements counts: a float value of its type, or ones where left out. */
export interface Differentiated {
  readonly value: Value;
  readonly cotangent?: Value;
}

/**
 * The gradients of sum(value * cotangent), over all outputs, with respect to each value of `wrt`: of that value's type, or
 * null where the outputs do not depend on it (by way of floats). Only nodes between `wrt` and the outputs are looked at.
 * Subgradients are PyTorch's. Differentiating again is calling this on the results.
 * @throws GraphError where an output or `wrt` is no float, a cotangent is not of its value's type, or an operator in between
 * has no gradient
 */
export function gradients(outputs: readonly Differentiated[], wrt: readonly Value[]): (Value | null)[] {
  for (const value of [...outputs.map((output) => output.value), ...wrt]) {
    if (!isFloat(value)) throw new GraphError(`gradients of ${labelOf(value.node)}`, { expected: 'a float tensor', got: formatType(value) });
  }
  const seeds = outputs.map(({ value, cotangent = ones(value) }): [Value, Value] => {
    expectType(cotangent, value, `the cotangent of ${labelOf(value.node)}`);
    return [value, cotangent];
  });
  return backward(seeds, wrt, false);
}

let origins: Map<Node, Node> | undefined;
/** While a map is given, the nodes that gradients are made of are noted in it, each with the node whose gradient it is part of. */
export const noteGradients = (map: Map<Node, Node> | undefined): void => void (origins = map);

const isFloat = ({ dtype }: TensorType): boolean => dtypes[dtype].kind === 'float';
const labelOf = ({ op, name }: Node): string => (name === '' ? op : `${op} '${name}'`);

/** Ones of a type: a scalar, stretched. */
function ones({ dtype, shape }: TensorType): Value {
  const one = constant(fromElements({ dtype, shape: [] }, [1]));
  if (shape.length === 0) return one;
  const dims = constant(fromElements({ dtype: 'int64', shape: [shape.length] }, [...shape]));
  return apply('Expand', [one, dims]);
}

function expectType(got: TensorType, expected: TensorType, where: string): void {
  if (got.dtype === expected.dtype && sameShape(got.shape, expected.shape)) return;
  throw new GraphError(where, { expected: formatType(expected), got: formatType(got) });
}

/** `independent`: what lies before a value of `wrt` is none of its business, even where that is `wrt` too. */
function backward(seeds: readonly (readonly [value: Value, cotangent: Value])[], wrt: readonly Value[], independent: boolean): (Value | null)[] {
  const isLeaf = new Set(independent ? wrt : []);
  const path = pathTo(seeds.map(([value]) => value), wrt, isLeaf);
  const terms = new Map<Value, Value[]>();
  const add = (value: Value, cotangent: Value): void => {
    const list = terms.get(value);
    if (list) list.push(cotangent);
    else terms.set(value, [cotangent]);
  };
  /** The whole cotangent, once everybody who reads the value has been seen. */
  const total = (value: Value): Value | null => {
    const list = terms.get(value);
    if (!list) return null;
    const sum = sumOf(list);
    terms.set(value, [sum]);
    return sum;
  };
  for (const [value, cotangent] of seeds) if (path.active.has(value)) add(value, cotangent);
  for (const node of path.nodes.reverse()) {
    const cotangents = node.outputs.map((value) => (path.active.has(value) && !isLeaf.has(value) ? total(value) : null));
    if (cotangents.every((cotangent) => cotangent === null)) continue;
    const wanted = node.inputs.map((value) => value !== null && path.active.has(value));
    const made = gradientOf(node, cotangents, wanted);
    if (origins) noteOrigin(origins, node, made, cotangents);
    made.forEach((cotangent, i) => {
      if (!cotangent || !wanted[i]) return;
      expectType(cotangent, node.inputs[i]!, `the gradient of ${labelOf(node)} for input ${i}`);
      add(node.inputs[i]!, cotangent);
    });
  }
  return wrt.map(total);
}

/** Down to what was there before: the node itself, what it reads, and what came back to it. Of nodes within a decomposition, the outermost counts. */
function noteOrigin(map: Map<Node, Node>, node: Node, made: readonly (Value | null)[], cotangents: readonly (Value | null)[]): void {
  const seen = new Set<Node>([node, ...[...node.inputs, ...cotangents].flatMap((value) => (value ? [value.node] : []))]);
  const stack = made.flatMap((value) => (value ? [value.node] : []));
  for (let at = stack.pop(); at; at = stack.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    map.set(at, node);
    for (const input of at.inputs) if (input) stack.push(input.node);
  }
}

/** By the operator's rule, or else through its decomposition. */
function gradientOf(node: Node, cotangents: readonly (Value | null)[], wanted: readonly boolean[]): readonly (Value | null)[] {
  const { gradient, decompose } = opOf(node.op);
  const ruled = gradient?.(node, cotangents, wanted);
  if (ruled) return ruled;
  if (!decompose) throw new GraphError(labelOf(node), { expected: 'an operator with a gradient', got: node.op, hint: 'detach what feeds it' });
  const parts = decompose(node);
  const seeds = parts.flatMap((value, i): [Value, Value][] => (cotangents[i] ? [[value, cotangents[i]]] : []));
  const inputs = [...new Set(node.inputs.filter((_, i) => wanted[i]))] as Value[];
  const results = backward(seeds, inputs, true);
  // An operand that is read twice has its whole gradient at the first place.
  return node.inputs.map((value, i) => (wanted[i] && node.inputs.indexOf(value) === i ? results[inputs.indexOf(value!)] : null));
}

/** The float values that depend on `wrt`, and the nodes between, every node after its inputs. */
function pathTo(outputs: readonly Value[], wrt: readonly Value[], isLeaf: ReadonlySet<Value>): { nodes: Node[]; active: Set<Value> } {
  const active = new Set(wrt);
  const nodes: Node[] = [];
  const seen = new Set<Node>();
  const stack: { node: Node; next: number }[] = [];
  const visit = (value: Value): void => {
    if (isLeaf.has(value) || seen.has(value.node)) return;
    seen.add(value.node);
    stack.push({ node: value.node, next: 0 });
  };
  for (const output of outputs) {
    visit(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const { inputs } = top.node;
      if (top.next < inputs.length) {
        const input = inputs[top.next++];
        if (input) visit(input);
        continue;
      }
      stack.pop();
      if (!inputs.some((value) => value !== null && active.has(value))) continue;
      nodes.push(top.node);
      for (const value of top.node.outputs) if (isFloat(value)) active.add(value);
    }
  }
  return { nodes, active };
}
