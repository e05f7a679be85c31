/** fold: nodes whose operands are all constants become constants, where the result is small enough to keep. */
import { constant, constantOf, type Graph, type Node, rewriteGraph, sizeOf, type TensorData } from '../graph/index.ts';
import { evaluateNode } from '../ops/index.ts';

/** Larger results are left to the device: it computes them once, faster, and in the layout it wants. */
const mostElements = 4096;

/** Operators that may visit every operand element for every result element; of these visits there may be so many. */
const contractions: ReadonlySet<string> = new Set('Conv ConvTranspose MatMul Gemm Einsum MaxPool AveragePool LpPool LRN'.split(' '));
const mostVisits = 2 ** 28;

export const foldConstants = (graph: Graph): Graph => rewriteGraph(graph, foldNode);

function foldNode(node: Node) {
  if (node.op === 'Constant' || node.op === 'Input') return undefined;
  if (node.outputs.some(({ shape }) => sizeOf(shape) > mostElements)) return undefined;
  const inputs: (TensorData | null)[] = [];
  let work = 0;
  for (const input of node.inputs) {
    const value = input && constantOf(input);
    if (value === undefined) return undefined;
    if (value) work += value.data.length;
    inputs.push(value);
  }
  if (inputs.length === 0 || work > 16 * mostElements) return undefined;
  const kernel = sizeOf((node.attrs.kernel_shape as readonly number[] | undefined) ?? []);
  if (contractions.has(node.op) && Math.max(work, kernel) * sizeOf(node.outputs[0].shape) > mostVisits) return undefined;
  return evaluateNode(node, inputs).map((result) => constant(result, node.name));
}
