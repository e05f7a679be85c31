/** eliminate: operators that only pass their input on, or undo each other, go. */
import { apply, constant, fromNumbers, type Graph, type Node, rewriteGraph, sameShape, type Shape, type Value } from '../graph/index.ts';
import { normalizeAxis, padGeometry, sliceGeometry, transposePerm } from '../ops/index.ts';

export const eliminate = (graph: Graph): Graph =>
  rewriteGraph(graph, (node) => {
    const simpler = rules[node.op]?.(node);
    return simpler && [simpler];
  });

/** By operator: the value that the node's result may be replaced by, or undefined. */
const rules: Readonly<Record<string, (node: Node) => Value | undefined>> = {
  Identity: inputOf,
  Cast: (node) => (inputOf(node).dtype === node.outputs[0].dtype ? inputOf(node) : undefined),
  Expand: unlessReshaped,
  Slice: (node) => (sliceGeometry(node).steps.every((step) => step === 1) ? unlessReshaped(node) : undefined),
  Pad(node) {
    const { begin, end } = padGeometry(node);
    return [...begin, ...end].every((n) => n === 0) ? inputOf(node) : undefined;
  },
  Reshape(node) {
    const inner = inputOf(node).node;
    return unlessReshaped(node) ?? (inner.op === 'Reshape' ? reshape(inputOf(inner), node.outputs[0].shape, node.name) : undefined);
  },
  Transpose(node) {
    const perm = transposePerm(node);
    const inner = inputOf(node).node;
    if (isIdentity(perm)) return inputOf(node);
    if (inner.op !== 'Transpose') return undefined;
    const before = transposePerm(inner);
    const both = perm.map((axis) => before[axis]);
    return isIdentity(both) ? inputOf(inner) : apply('Transpose', [inputOf(inner)], { perm: both }, node.name);
  },
  Concat(node) {
    const axis = normalizeAxis(node.attrs.axis as number, node.outputs[0].shape.length);
    const filled = (node.inputs as readonly Value[]).filter(({ shape }) => shape[axis] > 0);
    if (filled.length <= 1) return filled[0] ?? inputOf(node);
    return filled.length < node.inputs.length ? apply('Concat', filled, node.attrs, node.name) : undefined;
  },
};

function inputOf(node: Node): Value {
  return node.inputs[0] as Value;
}

/** The input, where the result has its shape (and so, in order, its elements). */
function unlessReshaped(node: Node): Value | undefined {
  return sameShape(inputOf(node).shape, node.outputs[0].shape) ? inputOf(node) : undefined;
}

const isIdentity = (perm: readonly number[]): boolean => perm.every((axis, i) => axis === i);

/** To a shape as it is: a 0 in it is a dimension of 0. */
function reshape(x: Value, shape: Shape, name: string): Value {
  if (sameShape(x.shape, shape)) return x;
  return apply('Reshape', [x, constant(fromNumbers('int64', [shape.length], shape))], shape.includes(0) ? { allowzero: 1 } : {}, name);
}
