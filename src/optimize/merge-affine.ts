/**
 * mergeAffine: what follows a convolution or matrix product as a chain of additions and multiplications by constants, one
 * number a channel or one for all, becomes one multiplication and one addition (a bias and a batch normalisation: 3 -> 2).
 *
 * The one pass that changes rounding: ((x + b) * s) + t becomes x * s + (b * s + t), its constants computed in double and
 * rounded once. With u the dtype's half unit in the last place (2^-24 for float32) the new form is off by at most
 * 3u |x * s| + 2u |b * s + t|: little beside these terms, though not beside their sum where they cancel, which the old form
 * could compute exactly (x close to -b). Chains whose constants overflow stay as they are.
 */
import { apply, constant, constantOf, type Graph, type Node, rewriteGraph, sameShape, type Shape, sizeOf, topologicalOrder, useCounts, type Value } from '../graph/index.ts';
import { fromElements, numbersOf } from '../ops/index.ts';

/** One number, or one a channel. */
type Numbers = ArrayLike<number>;

/** value = base * scale + shift, which `cost` nodes compute. */
interface Affine {
  readonly base: Value;
  readonly scale: Numbers;
  readonly shift: Numbers;
  readonly cost: number;
}

/** Which axis of an anchor's result the channels are, counted from the last. */
const channelFromEnd: Readonly<Record<string, (rank: number) => number>> = {
  Conv: (rank) => rank - 2,
  ConvTranspose: (rank) => rank - 2,
  MatMul: () => 0,
};

export function mergeAffine(graph: Graph): Graph {
  const uses = useCounts(topologicalOrder(graph), graph.outputs);
  const chains = new Map<Value, Affine>();
  return rewriteGraph(graph, (node, original) => {
    const result = node.outputs[0];
    if (node.op in channelFromEnd) {
      if (result.dtype === 'float32' || result.dtype === 'float64') chains.set(result, { base: result, scale: [1], shift: [0], cost: 0 });
      return undefined;
    }
    const at = node.inputs.findIndex((value) => value !== null && chains.has(value));
    // What others read as well has to be computed anyway.
    if (at < 0 || uses.get(original.inputs[at] as Value) !== 1) return undefined;
    const chain = extended(node, at, chains.get(node.inputs[at] as Value) as Affine);
    if (!chain) return undefined;
    const merged = chain.cost > costOf(chain) ? emit(chain, node.name) : undefined;
    chains.set(merged ?? result, merged ? { ...chain, cost: costOf(chain) } : chain);
    return merged && [merged];
  });
}

/** The chain with one more operation, or undefined where that is none by constants a channel. */
function extended(node: Node, at: number, { base, scale, shift, cost }: Affine): Affine | undefined {
  const operation = operations[node.op];
  const other = node.inputs[1 - at];
  const c = operation && other && channelNumbers(other, base);
  if (!c || !sameShape(node.outputs[0].shape, base.shape)) return undefined;
  const next = operation(scale, shift, c, at === 0);
  if (!next) return undefined;
  const isFinite = base.dtype === 'float32' ? (n: number) => Number.isFinite(Math.fround(n)) : Number.isFinite;
  return next.every((numbers) => all(numbers, isFinite)) ? { base, scale: next[0], shift: next[1], cost: cost + 1 } : undefined;
}

/** Scale and shift after an operation by c; `first`: the chain is its first operand. */
type Operation = (scale: Numbers, shift: Numbers, c: Numbers, first: boolean) => readonly [scale: Numbers, shift: Numbers] | undefined;

const operations: Readonly<Partial<Record<string, Operation>>> = {
  Add: (scale, shift, c) => [scale, zip(shift, c, (a, b) => a + b)],
  Mul: (scale, shift, c) => [zip(scale, c, (a, b) => a * b), zip(shift, c, (a, b) => a * b)],
  Sub: (scale, shift, c, first) =>
    first ? [scale, zip(shift, c, (a, b) => a - b)] : [zip(scale, [-1], (a, b) => a * b), zip(shift, c, (a, b) => b - a)],
  Div: (scale, shift, c, first) => (first ? [zip(scale, c, (a, b) => a / b), zip(shift, c, (a, b) => a / b)] : undefined),
};

function zip(a: Numbers, b: Numbers, fn: (a: number, b: number) => number): Float64Array {
  const result = new Float64Array(Math.max(a.length, b.length));
  for (let i = 0; i < result.length; i++) result[i] = fn(a[a.length === 1 ? 0 : i], b[b.length === 1 ? 0 : i]);
  return result;
}

function all(numbers: Numbers, holds: (n: number) => boolean): boolean {
  for (let i = 0; i < numbers.length; i++) if (!holds(numbers[i])) return false;
  return true;
}

/** A constant's numbers where it differs at most from channel to channel of `base`. */
function channelNumbers(value: Value, base: Value): Numbers | undefined {
  const tensor = constantOf(value);
  if (!tensor) return undefined;
  const fromEnd = channelAxisFromEnd(base);
  const perChannel = tensor.shape.every((dim, axis) => dim === 1 || axis === tensor.shape.length - 1 - fromEnd);
  return perChannel && sizeOf(tensor.shape) > 0 ? numbersOf(tensor) : undefined;
}

const channelAxisFromEnd = ({ node, shape }: Value): number => channelFromEnd[node.op](shape.length);

const isAll = (numbers: Numbers, value: number): boolean => all(numbers, (n) => n === value);

/** How many nodes `emit` makes. */
const costOf = ({ scale, shift }: Affine): number => (isAll(scale, 1) ? 0 : 1) + (isAll(shift, 0) ? 0 : 1);

function emit({ base, scale, shift }: Affine, name: string): Value {
  const constantNumbers = (numbers: Numbers): Value => {
    const shape: Shape = numbers.length === 1 ? [] : [numbers.length, ...new Array<number>(channelAxisFromEnd(base)).fill(1)];
    return constant(fromElements({ dtype: base.dtype, shape }, Float64Array.from(numbers)));
  };
  const scaled = isAll(scale, 1) ? base : apply('Mul', [base, constantNumbers(scale)], {}, name);
  return isAll(shift, 0) ? scaled : apply('Add', [scaled, constantNumbers(shift)], {}, name);
}
