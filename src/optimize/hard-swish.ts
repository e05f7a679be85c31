/**
 * hardSwish: x * clip(x + 3, 0, 6) / 6, as models from before the operator write it, becomes HardSwish: two operations and no
 * division instead of four. Changes rounding, for x / 6 + 1/2 is rounded where x + 3 is exact beside its zero at -3: float32
 * results differ by up to 2^-22 of themselves or of 1, whichever is more.
 */
import { apply, constantOf, type Graph, type Node, rewriteGraph, sameShape, type Value } from '../graph/index.ts';

export const hardSwish = (graph: Graph): Graph =>
  rewriteGraph(graph, (node) => {
    const x = operandOf(node);
    return x && sameShape(x.shape, node.outputs[0].shape) ? [apply('HardSwish', [x], {}, node.name)] : undefined;
  });

/** What a node is HardSwish of: a sixth of x times clip(x + 3), in any order. */
function operandOf(node: Node): Value | undefined {
  const sixth = (node.op === 'Div' && isNumber(node.inputs[1], 6)) || (node.op === 'Mul' && node.inputs.some((value) => isNumber(value, 1 / 6)));
  const product = sixth ? node.inputs.find((value) => value?.node.op === 'Mul') : undefined;
  if (!product) return undefined;
  const [a, b] = product.node.inputs as readonly Value[];
  return clippedOf(b) === a ? a : clippedOf(a) === b ? b : undefined;
}

/** The x of clip(x + 3, 0, 6). */
function clippedOf({ node }: Value): Value | undefined {
  const [sum, low, high] = node.inputs;
  if (node.op !== 'Clip' || !isNumber(low, 0) || !isNumber(high, 6) || sum?.node.op !== 'Add') return undefined;
  const [a, b] = sum.node.inputs as readonly Value[];
  return isNumber(b, 3) ? a : isNumber(a, 3) ? b : undefined;
}

/** A constant that is, to its dtype's precision, this number. */
function isNumber(value: Value | null | undefined, number: number): boolean {
  const data = constantOf(value)?.data;
  return data?.length === 1 && (value?.dtype === 'float32' ? Math.fround(number) : number) === Number(data[0]);
}
