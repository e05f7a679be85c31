/** mergePads: padding with zeros, where only a convolution or an average pooling reads it, becomes the reader's own padding. */
import { constantOf, type Graph, makeNode, type Node, rewriteGraph, sameShape, sizeOf, topologicalOrder, useCounts, type Value } from '../graph/index.ts';
import { convGeometry, numbersOf, padGeometry, poolGeometry, type Window } from '../ops/index.ts';

/** (Weights are taken to be finite: a product of padding and an infinite weight would be NaN, and is now left out.) */
export function mergePads(graph: Graph): Graph {
  const uses = useCounts(topologicalOrder(graph), graph.outputs);
  return rewriteGraph(graph, (node, original) => {
    if (!(node.op in readers)) return undefined;
    let merged = node;
    // One padding may stand before another; whether others read it is asked of the graph as it was.
    let padded = original.inputs[0] as Value;
    while (merged.inputs[0]?.node.op === 'Pad' && uses.get(padded) === 1) {
      const next = merge(merged, merged.inputs[0].node);
      if (!next) break;
      merged = next;
      padded = padded.node.inputs[0] as Value;
    }
    return merged === node ? undefined : merged.outputs;
  });
}

interface Reader {
  geometry(node: Node): Window & { readonly outSpatial: readonly number[] };
  /** Attributes that the padding needs beside `pads`; undefined where the reader cannot take it. */
  extra(node: Node, window: Window): Readonly<Record<string, number>> | undefined;
}

const readers: Readonly<Record<string, Reader>> = {
  Conv: { geometry: convGeometry, extra: () => ({}) },
  AveragePool: {
    geometry: poolGeometry,
    // The merged zeros count in the divisor: so must padding of its own, if there was any.
    extra(node, { padsBegin, padsEnd }) {
      const own = [...padsBegin, ...padsEnd].some((n) => n > 0);
      return own && !poolGeometry(node).countIncludePad ? undefined : { count_include_pad: 1 };
    },
  },
};

function merge(node: Node, pad: Node): Node | undefined {
  const [x, , fill] = pad.inputs;
  const { mode, begin, end } = padGeometry(pad);
  const { geometry, extra } = readers[node.op];
  const onlySpatial = begin[0] === 0 && begin[1] === 0 && end[0] === 0 && end[1] === 0;
  const wanted = mode === 'constant' && onlySpatial && [...begin, ...end].every((n) => n >= 0);
  if (!wanted || !isZero(fill) || sizeOf(x!.shape) === 0) return undefined;
  const window = geometry(node);
  const more = extra(node, window);
  if (!more) return undefined;
  const padsBegin = window.padsBegin.map((n, axis) => n + begin[axis + 2]);
  const padsEnd = window.padsEnd.map((n, axis) => n + end[axis + 2]);
  // A pooling refuses windows that lie in its padding alone.
  if (node.op === 'AveragePool' && [...padsBegin, ...padsEnd].some((n, i) => n >= extentOf(window, i % padsBegin.length))) return undefined;
  const { auto_pad: _, ...attrs } = node.attrs;
  const merged = makeNode(node.op, [x, ...node.inputs.slice(1)], { ...attrs, ...more, pads: [...padsBegin, ...padsEnd] }, node.name);
  // With ceil_mode the number of windows depends on which of the zeros are padding.
  return sameShape(merged.outputs[0].shape, node.outputs[0].shape) ? merged : undefined;
}

const extentOf = ({ kernel, dilations }: Window, axis: number): number => (kernel[axis] - 1) * dilations[axis] + 1;

function isZero(fill: Value | null | undefined): boolean {
  if (!fill) return true;
  const tensor = constantOf(fill);
  return tensor !== undefined && Object.is(numbersOf(tensor)[0], 0);
}
