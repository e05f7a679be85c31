/**
 * Fusion: nodes that are computed together. A group is pointwise nodes around at most one anchor (convolution, matrix
 * product, reduction, pooling): what comes before a reduction is computed as it reads, what comes after as it stores.
 *
 * Nodes are visited from the outputs back, so that a node joins a group only when everybody who reads it is in it: no value
 * is computed twice, diamonds fuse whole, and a group can never come to depend on itself. Where others read it as well, but
 * only after the group is done, it leaves the group as one more result: the averages of an optimizer, the gates of a cell.
 */
import { type Graph, type Node, sameShape, topologicalOrder, type Value } from '../../../graph/index.ts';
import { canVectorise, emittableOps, type Expression, scalarOf } from '../kernels/index.ts';

export interface Group {
  readonly anchor?: Node;
  /** Pointwise nodes before the anchor (or, without one, none). */
  readonly before: readonly Node[];
  /** Pointwise nodes after the anchor, or all there are without one. */
  readonly after: readonly Node[];
  /** The value that leaves the group. */
  readonly root: Value;
  /** Further values that leave it, of the root's type: of maps, matrix products and weights' cotangents only. */
  readonly extras: readonly Value[];
}

/** What an anchor lets into its group. */
export interface AnchorRule {
  readonly before: boolean;
  readonly after: boolean;
}

export const anchorRules: Readonly<Record<string, AnchorRule>> = {
  Conv: { before: false, after: true },
  ConvTranspose: { before: false, after: true },
  ConvBackwardWeights: { before: false, after: true },
  MatMul: { before: false, after: true },
  AveragePool: { before: false, after: true },
  AveragePoolBackward: { before: false, after: true },
  MaxPool: { before: false, after: false },
  MaxPoolBackward: { before: false, after: true },
  Softmax: { before: false, after: false },
  LayerNormalization: { before: false, after: false },
  ReduceSum: { before: true, after: true },
  ReduceMean: { before: true, after: true },
  ReduceMax: { before: true, after: true },
  ReduceMin: { before: true, after: true },
  ReduceProd: { before: true, after: true },
};

const mostNodes = 40;
const mostLeaves = 8;
/** Of a group with several results: it saves reading again what it has in registers. */
const mostOperands = 14;
/** Of a matrix product that has several results. */
const mostTerms = 1024;

interface Draft {
  anchor?: Node;
  before: Node[];
  after: Node[];
  root: Value;
  extras: Value[];
}

/** Nodes that are neither views nor constants nor inputs, in groups, each after those it reads. */
export function fuse(graph: Graph, isView: (node: Node) => boolean): Group[] {
  const planned = topologicalOrder(graph);
  const positions = new Map(planned.map((node, i) => [node, i]));
  const order = masksLast(planned);
  const readers = new Map<Value, Node[]>();
  for (const node of order) {
    for (const value of new Set(node.inputs)) {
      if (!value) continue;
      const list = readers.get(value);
      if (list) list.push(node);
      else readers.set(value, [node]);
    }
  }
  const outputs = new Set(graph.outputs.map(({ value }) => value));
  const place = new Map<Node, { group: Draft; region: 'before' | 'after' | 'anchor' }>();
  const groups: Draft[] = [];

  for (const node of [...order].reverse()) {
    if (isView(node) || node.op === 'Constant' || node.op === 'Input') continue;
    const value = node.outputs[0];
    const rule = anchorRules[node.op];
    const pointwise = emittableOps.has(node.op);
    const may = node.outputs.length === 1 && (rule?.after || pointwise);
    const joined = may && !outputs.has(value) ? regionOf(value) : undefined;
    const shared = may && !rule && !joined ? groupBefore(value) : undefined;
    if (shared) {
      shared.after.unshift(node);
      shared.extras.push(value);
      place.set(node, { group: shared, region: 'after' });
      continue;
    }
    if (joined && joins(node, joined.group, joined.region, rule)) {
      if (rule) joined.group.anchor = node;
      else joined.group[joined.region].unshift(node);
      place.set(node, { group: joined.group, region: rule ? 'anchor' : joined.region });
      continue;
    }
    const group: Draft = rule ? { anchor: node, before: [], after: [], root: value, extras: [] } : { before: [], after: [node], root: value, extras: [] };
    groups.push(group);
    place.set(node, { group, region: rule ? 'anchor' : 'after' });
  }
  return groups.reverse();

  /** The group and side that all readers of a value share. */
  function regionOf(value: Value): { group: Draft; region: 'before' | 'after' } | undefined {
    const list = readers.get(value) ?? [];
    if (list.length === 0) return undefined;
    const first = place.get(list[0]);
    if (!first || list.some((node) => place.get(node)?.group !== first.group)) return undefined;
    const sides = new Set(list.map((node) => place.get(node)?.region));
    if (sides.size !== 1) return undefined;
    if (first.region !== 'anchor') return { group: first.group, region: first.region };
    return anchorRules[(first.group.anchor as Node).op]?.before ? { group: first.group, region: 'before' } : undefined;
  }

  /** A map that reads the value and is done before all its other readers come. */
  function groupBefore(value: Value): Draft | undefined {
    const list = readers.get(value) ?? [];
    const groups = new Set(list.flatMap((node) => place.get(node)?.group ?? []));
    for (const group of groups) {
      const end = positions.get(group.root.node)!;
      if (group.anchor || group.root.dtype !== value.dtype || !sameShape(group.root.shape, value.shape)) continue;
      if (!list.every((node) => place.get(node)?.group === group || positions.get(node)! > end)) continue;
      const nodes = [value.node, ...group.after];
      if (nodes.length > mostNodes || leavesOf(nodes).length + group.extras.length + 2 > mostOperands) continue;
      if (oneFloat(nodes, value.dtype) && canVectorise(nodes)) return group;
    }
    return undefined;
  }

  function joins(node: Node, group: Draft, region: 'before' | 'after', rule: AnchorRule | undefined): boolean {
    const value = node.outputs[0];
    if (rule && (region === 'before' || group.anchor)) return false;
    // A product of many terms keeps its partial sums in its one result.
    const mayShare = node.op === 'ConvBackwardWeights' || (node.op === 'MatMul' && node.inputs.every((input) => input!.shape.length === 2) && node.inputs[0]!.shape[1] <= mostTerms);
    if (rule && group.extras.length > 0 && !mayShare) return false;
    const shape = region === 'after' ? group.root.shape : (group.anchor as Node).inputs[0]!.shape;
    if (!sameShape(value.shape, shape)) return false;
    const nodes = region === 'after' ? group.after : group.before;
    const most = group.extras.length > 0 ? mostOperands - 1 - group.extras.length : mostLeaves;
    if (nodes.length >= mostNodes || leavesOf([node, ...nodes]).length > most) return false;
    if (!rule && !group.anchor) return sameWidth([node, ...group.after]);
    // Beside an anchor everything happens in vectors of one element type.
    return oneFloat([...group.before, ...group.after, node], value.dtype) && canVectorise(rule ? group.after : [...nodes, node]);
  }
}

/**
 * The same order, with each node of a truth value as close before its first reader as can be: read back from there, what a mask
 * is put over comes after the mask, and can join the group that has it.
 */
function masksLast(order: readonly Node[]): Node[] {
  const waiting = new Set<Node>();
  const result: Node[] = [];
  const put = (node: Node): void => {
    for (const value of node.inputs) if (value && waiting.delete(value.node)) put(value.node);
    result.push(node);
  };
  for (const node of order) {
    if (node.outputs[0].dtype === 'bool' && emittableOps.has(node.op)) waiting.add(node);
    else put(node);
  }
  return [...result, ...waiting];
}

/** Values a list of nodes reads but does not make; constants of one element are no leaves. */
function leavesOf(nodes: readonly Node[]): Value[] {
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const leaves = new Set<Value>();
  for (const node of nodes) {
    for (const value of node.inputs) if (value && !made.has(value) && scalarOf(value) === undefined) leaves.add(value);
  }
  return [...leaves];
}

/** The expression a list of nodes is; `first` (an anchor's result) leads its leaves, whether it is read or not. */
export function expressionOf(nodes: readonly Node[], result: Value, first?: Value, extras: readonly Value[] = []): Expression {
  const leaves = nodes.length === 0 ? [result] : leavesOf(nodes);
  return { nodes, results: [result, ...extras], leaves: first ? [first, ...leaves.filter((leaf) => leaf !== first)] : leaves };
}

const isFloat = ({ dtype }: Value) => dtype === 'float32' || dtype === 'float64';
const oneFloat = (nodes: readonly Node[], dtype: string): boolean =>
  (dtype === 'float32' || dtype === 'float64') &&
  nodes.every((node) => [...node.inputs, ...node.outputs].every((value) => !value || value.dtype === dtype || value.dtype === 'bool')) &&
  leavesOf(nodes).every((leaf) => leaf.dtype === dtype);

/** Keeps vector arithmetic apart from what only runs one element at a time. */
const sameWidth = (nodes: readonly Node[]): boolean => {
  const vector = (list: readonly Node[]) => canVectorise(list) && leavesOf(list).every(isFloat);
  return vector(nodes) || !vector(nodes.slice(1)) || nodes.length === 1;
};
