/**
 * tablesFirst: a product with rows picked from a table is rows picked from the product with the table. Where more rows are picked
 * than there are (an embedding of a few symbols, read at every place of every sequence), the smaller product is computed:
 *
 *     E[i] W         ->  (E W)[i]                picked after the product, and after the bias
 *     D^T E[i]       ->  S^T E                   S: the rows of D added up by what they were picked for
 *     sum at i of D W ->  S W                    the table's own gradient
 */
import { apply, constant, constantOf, type Graph, makeNode, type Node, rewriteGraph, type Shape, sizeOf, type Value, zeros } from '../graph/index.ts';
import { normalizeAxis, numbersOf, transposePerm } from '../ops/index.ts';

export const tablesFirst = (graph: Graph): Graph =>
  rewriteGraph(graph, (node) => {
    const result = rules[node.op]?.(node);
    return result && [result];
  });

/** Rows of a table of two axes, more often picked than there are any. */
interface Rows {
  readonly table: Value;
  readonly indices: Value;
}

function rowsOf(value: Value): Rows | undefined {
  const { node } = value;
  if (node.op !== 'Gather') return undefined;
  const [table, indices] = node.inputs as readonly Value[];
  return table.shape.length === 2 && normalizeAxis(node.attrs.axis as number ?? 0, 2) === 0 && pays(indices, table) ? { table, indices } : undefined;
}

const pays = (indices: { readonly shape: Shape }, table: Value): boolean => sizeOf(indices.shape) >= 2 * table.shape[0] && table.shape[0] > 0;

const pick = (table: Value, indices: Value): Value => apply('Gather', [table, indices], { axis: 0 });

const ints = (values: readonly number[]): Value => constant({ dtype: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) });

/** The same elements under another shape; of reshaped ones, the first of that shape. */
function reshaped(value: Value, shape: Shape): Value {
  let source = value;
  for (;;) {
    if (source.shape.join() === shape.join()) return source;
    if (source.node.op !== 'Reshape') break;
    source = source.node.inputs[0]!;
  }
  return apply('Reshape', [source, ints(shape)], { allowzero: 1 });
}

const isTurned = ({ node }: Value): boolean => node.op === 'Transpose' && transposePerm(node).join() === '1,0';
const turned = (value: Value): Value => (isTurned(value) ? value.node.inputs[0]! : apply('Transpose', [value], { perm: [1, 0] }));

/** Rows [n, width] added up in the places of a table of `count` rows. */
const addedUp = (rows: Value, indices: Value, count: number): Value => {
  const start = constant(zeros(rows.dtype, [count, rows.shape[1]]));
  return makeNode('ScatterND', [start, reshaped(indices, [rows.shape[0], 1]), rows], { reduction: 'add' }).outputs[0];
};

const rules: Readonly<Record<string, (node: Node) => Value | undefined>> = {
  // Indices are moved sooner than rows.
  Transpose(node) {
    const rows = rowsOf(node.inputs[0]!);
    const perm = transposePerm(node);
    if (!rows || perm.length < 3 || perm.at(-1) !== perm.length - 1) return undefined;
    return pick(rows.table, apply('Transpose', [rows.indices], { perm: perm.slice(0, -1) }));
  },
  Reshape(node) {
    const rows = rowsOf(node.inputs[0]!);
    const [{ shape }] = node.outputs;
    if (!rows || shape.length < 2 || shape.at(-1) !== rows.table.shape[1]) return undefined;
    return pick(rows.table, reshaped(rows.indices, shape.slice(0, -1)));
  },
  MatMul(node) {
    const [a, b] = node.inputs as readonly Value[];
    const left = rowsOf(a);
    if (left && b.shape.length === 2) return pick(apply('MatMul', [left.table, b], {}, node.name), left.indices);
    if (a.shape.length !== 2 || b.shape.length !== 2) return undefined;
    const right = rowsOf(b);
    if (right && isTurned(a)) return apply('MatMul', [turned(addedUp(turned(a), right.indices, right.table.shape[0])), right.table], {}, node.name);
    const other = isTurned(a) ? rowsOf(turned(a)) : undefined;
    return other && apply('MatMul', [turned(other.table), addedUp(b, other.indices, other.table.shape[0])], {}, node.name);
  },
  Add(node) {
    const at = node.inputs.findIndex((value) => value!.node.op === 'Gather' && value!.node.inputs[0]!.node.op === 'MatMul');
    if (at < 0) return undefined;
    const rows = rowsOf(node.inputs[at]!);
    const other = node.inputs[1 - at]!;
    return rows && other.shape.length === 1 && other.shape[0] === rows.table.shape[1] ? pick(apply('Add', [rows.table, other], {}, node.name), rows.indices) : undefined;
  },
  ScatterND(node) {
    const [start, indices, updates] = node.inputs as readonly Value[];
    const data = constantOf(start);
    const isSum = node.attrs.reduction === 'add' && start.shape.length === 2 && indices.shape.length === 2 && indices.shape[1] === 1;
    if (!isSum || !data || !Array.from(numbersOf(data)).every((n) => n === 0) || !pays(indices, start)) return undefined;
    // Back through what only moves rows, moving the indices instead.
    let [rows, places] = [updates, indices];
    for (; ; rows = rows.node.inputs[0]!) {
      const { op, inputs } = rows.node;
      const from = inputs[0];
      places = reshaped(places, rows.shape.slice(0, -1));
      if (op === 'Reshape' && from!.shape.at(-1) === rows.shape.at(-1) && from!.shape.length > 1) continue;
      const perm = op === 'Transpose' ? transposePerm(rows.node) : undefined;
      if (!perm || perm.at(-1) !== perm.length - 1) break;
      const back = perm.slice(0, -1).map((_, axis) => perm.indexOf(axis));
      places = apply('Transpose', [places], { perm: back });
    }
    const [d, w] = rows.node.inputs;
    if (rows.node.op !== 'MatMul' || w!.shape.length !== 2 || d!.shape.length < 2) return undefined;
    const flat = reshaped(d!, [sizeOf(d!.shape.slice(0, -1)), d!.shape.at(-1)!]);
    return apply('MatMul', [addedUp(flat, places, start.shape[0]), w!], {}, node.name);
  },
};
