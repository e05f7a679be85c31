/** decompose: operators that a device does not run become simpler ones, until it runs them all. */
import { type Graph, type Node, opOf, rewriteGraph, type Value } from '../graph/index.ts';

/** A device's own way to take a node apart; undefined where it has none. */
export type Decompose = (node: Node) => readonly Value[] | undefined;

/** Decompositions may make operators that are taken apart in turn; deeper than this is a circle. */
const mostRounds = 12;

/**
 * @param isNative operators that stay as they are
 * @param own decompositions that come before the operator's own
 */
export function decompose(graph: Graph, isNative: (node: Node) => boolean, own: Decompose = () => undefined): Graph {
  let current = graph;
  for (let round = 0; round < mostRounds; round++) {
    const next = rewriteGraph(current, (node) => own(node) ?? (isNative(node) ? undefined : opOf(node.op).decompose?.(node)));
    if (next === current) return current;
    current = next;
  }
  return current;
}
