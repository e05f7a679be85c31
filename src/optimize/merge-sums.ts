/**
 * mergeSums: a sum of matrix products is one product, of the operands put side by side: A B + C D = [A C] [B; D]. So the
 * gradient of a weight that is used at every step of a recurrent network is one product over all of them, and the gradient of
 * its bias, a sum of sums over the batch, one sum. (The order of the additions changes, as any product's may.)
 */
import { apply, constantOf, type Graph, type Node, rewriteGraph, sameShape, sizeOf, topologicalOrder, useCounts, type Value } from '../graph/index.ts';
import { transposePerm } from '../ops/index.ts';

export function mergeSums(graph: Graph): Graph {
  const order = topologicalOrder(graph);
  const uses = useCounts(order, graph.outputs);
  const isInner = (value: Value, shape: readonly number[]): boolean => value.node.op === 'Add' && uses.get(value) === 1 && sameShape(value.shape, shape);
  const inner = new Set(order.flatMap((node) => (node.op === 'Add' ? node.inputs.filter((value) => isInner(value!, node.outputs[0].shape)).map((value) => value!.node) : [])));
  return rewriteGraph(graph, (node, original) => {
    if (node.op !== 'Add' || inner.has(original)) return undefined;
    const { shape } = node.outputs[0];
    const terms: Term[] = [];
    const visit = (now: Node, before: Node): void =>
      before.inputs.forEach((value, i) => {
        const term = now.inputs[i]!;
        if (isInner(value!, shape)) visit(term.node, value!.node);
        else terms.push({ value: term, kind: uses.get(value!) === 1 && sameShape(term.shape, shape) ? kindOf(term) : undefined });
      });
    visit(node, original);
    const sums = merged(terms);
    return sums.length === terms.length ? undefined : [sums.reduce((sum, term) => apply('Add', [sum, term]))];
  });
}

interface Term {
  readonly value: Value;
  /** Terms of one kind are merged. */
  readonly kind: string | undefined;
}

/** In the order in which the first of each kind comes. */
function merged(terms: readonly Term[]): Value[] {
  const kinds = new Map<string, Value[]>();
  for (const { value, kind } of terms) if (kind !== undefined) kinds.set(kind, [...(kinds.get(kind) ?? []), value]);
  return terms.flatMap(({ value, kind }) => {
    const alike = kind === undefined ? [value] : (kinds.get(kind) as Value[]);
    if (alike.length === 1) return [value];
    return alike[0] === value ? [mergers[value.node.op](alike)] : [];
  });
}

function kindOf({ node, dtype }: Value): string | undefined {
  const [a, b] = node.inputs;
  if (dtype !== 'float32' && dtype !== 'float64') return undefined;
  if (node.op === 'MatMul') {
    const [m, k, n] = [a!.shape[0], b!.shape[0], b!.shape[1]];
    // Putting operands side by side takes copies; results that are not added up must be worth them.
    return a!.shape.length === 2 && b!.shape.length === 2 && k * (m + n) <= 2 * m * n ? 'MatMul' : undefined;
  }
  if (node.op !== 'ReduceSum') return undefined;
  const axes = axesOf(node);
  return axes && axes.length > 0 && sizeOf(a!.shape) > 0 ? `ReduceSum ${axes} ${node.attrs.keepdims} ${a!.shape}` : undefined;
}

const axesOf = ({ inputs }: Node): number[] | undefined => {
  const axes = inputs[1] ? constantOf(inputs[1]) : undefined;
  return axes && Array.from(axes.data as BigInt64Array, (axis) => (Number(axis) + inputs[0]!.shape.length) % inputs[0]!.shape.length);
};

const mergers: Readonly<Record<string, (terms: readonly Value[]) => Value>> = {
  MatMul: (terms) => apply('MatMul', [beside(terms.map(({ node }) => node.inputs[0]!), 1), beside(terms.map(({ node }) => node.inputs[1]!), 0)]),
  ReduceSum: ([first, ...others]) => {
    const { node } = first;
    const rows = [first, ...others].map((term) => term.node.inputs[0]!);
    return apply('ReduceSum', [apply('Concat', rows, { axis: axesOf(node)![0] }), node.inputs[1]], node.attrs, node.name);
  },
};

/** Matrices side by side along an axis; transposed ones before that. */
function beside(matrices: readonly Value[], axis: number): Value {
  const isTurned = matrices.every(({ node }) => node.op === 'Transpose' && transposePerm(node).join() === '1,0');
  if (!isTurned) return apply('Concat', matrices, { axis });
  return apply('Transpose', [apply('Concat', matrices.map(({ node }) => node.inputs[0]!), { axis: 1 - axis })], { perm: [1, 0] });
}
