/** Emits one node of a pointwise expression on registers, by the table of operators. */
import type { Node } from '../../../../graph/index.ts';
import type { KernelBuilder, Long, Mask } from '../../codegen/index.ts';
import { floats } from '../math/index.ts';
import { asLong, asVec, elemOf, type EmitMode, isEmittable, type Lane, long, mask, truth, wrapTo } from './emit-lane.ts';
import { type Logic, rows } from './emit-table.ts';

/** Names of the operators that the table has; `canEmit` also looks at the types. */
export const emittableOps: ReadonlySet<string> = new Set(Object.keys(rows));

const typesOf = (node: Node) => [...node.inputs, ...node.outputs].flatMap((value) => (value ? [value.dtype] : []));

/** Whether the node can be emitted one element at a time. */
export const canEmit = (node: Node): boolean => emittableOps.has(node.op) && typesOf(node).every(isEmittable);

/**
 * Whether the nodes can be computed in whole vectors: all their floats are of one type, nothing is an integer, and bools stay
 * inside. (A constant bool of one element may come from outside.)
 */
export function canVectorise(nodes: readonly Node[]): boolean {
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const types = new Set(nodes.flatMap(typesOf).filter((dtype) => dtype !== 'bool'));
  const [only] = types;
  if (nodes.length > 0 && (types.size !== 1 || elemOf(only) === undefined)) return false;
  return nodes.every((node) => {
    const boolsIn = node.inputs.filter((value) => value?.dtype === 'bool');
    const boolsOut = node.outputs.filter(({ dtype }) => dtype === 'bool');
    return (
      emittableOps.has(node.op) &&
      boolsIn.every((value) => made.has(value!) || value!.node.op === 'Constant') &&
      boolsOut.every((value) => read.has(value))
    );
  });
}

/**
 * Emits a node on its operands' lanes (null or undefined where one was left out); all of its operators have one result.
 * @throws Error where operator, types and mode do not fit: ask canEmit and canVectorise before.
 */
export function emitNode(b: KernelBuilder, mode: EmitMode, node: Node, inputs: readonly (Lane | null | undefined)[]): Lane {
  const row = rows[node.op];
  const [first] = inputs;
  if (!row || !first) throw new Error(`pointwise: ${node.op} has no row in the table, or no operand`);
  if (row.emit) return wrapped(b, node, row.emit(b, mode, node, inputs as Lane[]));
  const { dtype } = node.inputs[0]!;
  if (first.kind === 'vec') {
    const f = floats(b, first.elem);
    const x = inputs.map((lane) => lane && asVec(lane)) as Parameters<NonNullable<typeof row.float>>[1];
    if (row.float) return { ...first, reg: row.float(f, x, node) };
    if (row.floatTest) return truth(b, mode, first.elem, row.floatTest(f, x, node));
  } else if (dtype === 'bool' && row.logic) {
    if (first.kind === 'mask') return mask(first.elem, row.logic(masks(b), inputs.map((lane) => (lane as Lane).reg as Mask)));
    return long(row.logic(longs(b), inputs.map((lane) => asLong(lane as Lane))));
  } else if (first.kind === 'long') {
    const x = inputs.map((lane) => lane && asLong(lane)) as Long[];
    const { int, intTest } = { ...row, ...(dtype === 'uint64' ? row.uint64 : undefined) };
    if (int) return wrapped(b, node, long(int(b, x, node)));
    if (intTest) return long(b.extend(intTest(b, x)));
  }
  throw new Error(`pointwise: ${node.op} of ${dtype} cannot be emitted in ${mode.kind} mode`);
}

/** Integers with as many bits as their dtype has. */
function wrapped(b: KernelBuilder, node: Node, lane: Lane): Lane {
  const { dtype } = node.outputs[0];
  return lane.kind === 'long' && dtype !== 'bool' ? long(wrapTo(b, dtype, lane.reg)) : lane;
}

const masks = (b: KernelBuilder): Logic<Mask> => ({
  and: (p, q) => b.maskLogic('maskAnd', p, q),
  or: (p, q) => b.maskLogic('maskOr', p, q),
  not: (p) => b.maskNot(p),
});
const longs = (b: KernelBuilder): Logic<Long> => ({
  and: (p, q) => b.integer('iand', p, q),
  or: (p, q) => b.integer('ior', p, q),
  not: (p) => b.integer('ixor', p, 1),
});
