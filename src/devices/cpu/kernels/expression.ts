/** Pointwise expressions: a few graph nodes computed on registers, the same wherever values are about to be stored. */
import { constantOf, type Node, type Value } from '../../../graph/index.ts';
import { type Int, type Isa, KernelBuilder } from '../codegen/index.ts';
import { type EmitMode, emitLoad, emitNode, type Lane } from './pointwise/index.ts';

export interface Expression {
  /** Pointwise nodes, each after its inputs. */
  readonly nodes: readonly Node[];
  /** Values that come from memory or from the kernel around it, in the order in which their lanes are given. */
  readonly leaves: readonly Value[];
  /** Values to be stored. */
  readonly results: readonly Value[];
}

/** The value passed on as it is. */
export const identity = (value: Value): Expression => ({ nodes: [], leaves: [value], results: [value] });

/** A constant of one element, which an expression holds itself instead of reading it from memory. */
export function scalarOf(value: Value): number | bigint | undefined {
  const data = constantOf(value)?.data;
  return data?.length === 1 ? data[0] : undefined;
}

/** A leaf's lanes, or how to load them: then they are loaded where they are read first, and occupy no register before. */
export type LeafLanes = Lane | (() => Lane);

/** Emits the nodes over the leaves' lanes; returns the results' lanes. */
export function emitExpression(b: KernelBuilder, mode: EmitMode, expression: Expression, lanes: readonly LeafLanes[]): Lane[] {
  const values = new Map<Value, Lane>();
  const lane = (value: Value): Lane => {
    let known = values.get(value);
    if (!known) values.set(value, (known = leafLane(value) ?? emitScalar(b, mode, value)));
    return known;
  };
  const leafLane = (value: Value): Lane | undefined => {
    const lanesOf = lanes[expression.leaves.indexOf(value)];
    return typeof lanesOf === 'function' ? lanesOf() : lanesOf;
  };
  for (const node of expression.nodes) {
    const inputs = node.inputs.map((input) => input && lane(input));
    values.set(node.outputs[0], emitNode(b, mode, node, inputs as Lane[]));
  }
  return expression.results.map(lane);
}

/** A constant in all lanes. */
function emitScalar(b: KernelBuilder, mode: EmitMode, value: Value): Lane {
  const scalar = scalarOf(value);
  if (scalar === undefined) throw new Error(`expression reads ${value.node.op} '${value.node.name}', which is no leaf`);
  if (value.dtype === 'float32') return { kind: 'vec', elem: 'f32', reg: b.splat('f32', scalar) };
  if (value.dtype === 'float64') return { kind: 'vec', elem: 'f64', reg: b.splat('f64', scalar) };
  if (mode.kind === 'vector') {
    const zero = b.splat(mode.elem, 0);
    return { kind: 'mask', elem: mode.elem, reg: b.compare(mode.elem, Number(scalar) !== 0 ? 'eq' : 'ne', zero, zero) };
  }
  return { kind: 'long', reg: b.long(BigInt.asIntN(64, BigInt(scalar))) };
}

/** A leaf's lanes from memory: a vector at unit stride, one element repeated at stride 0, a gather at any other. */
export function emitLeaf(
  b: KernelBuilder,
  mode: EmitMode,
  leaf: Value,
  pointer: Int,
  stride: number,
  offsetBytes: number,
  count?: number,
): Lane {
  if (mode.kind === 'vector' && (leaf.dtype === 'float32' || leaf.dtype === 'float64')) {
    const elem = mode.elem;
    if (stride === 0) return { kind: 'vec', elem, reg: b.load(elem, b.splatAt(pointer, offsetBytes)) };
    if (stride !== 1) {
      const bytes = stride * (elem === 'f64' ? 8 : 4);
      return { kind: 'vec', elem, reg: b.loadStrided(elem, b.at(pointer, offsetBytes), bytes, count) };
    }
  }
  return emitLoad(b, mode, leaf.dtype, b.at(pointer, offsetBytes), count);
}

/** Instructions that a float32 expression comes to. */
export function expressionLength(isa: Isa, expression: Expression): number {
  const b = new KernelBuilder('length', isa);
  const mode: EmitMode = { kind: 'vector', elem: 'f32' };
  emitExpression(b, mode, expression, expression.leaves.map(() => ({ kind: 'vec', elem: 'f32', reg: b.variable('f32') })));
  return b.body.length;
}
