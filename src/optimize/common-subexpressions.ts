/** commonSubexpressions: nodes that compute the same from the same become one, the first of them. */
import { type Attr, formatType, type Graph, type Node, rewriteGraph, smallTensor, type TensorData, type TypedArray, type Value } from '../graph/index.ts';

export function commonSubexpressions(graph: Graph): Graph {
  const firsts = new Map<string, Node>();
  const valueIds = new Map<Value, number>();
  const arrayIds = new Map<TypedArray, number>();
  return rewriteGraph(graph, (node) => {
    // Two inputs are two values, however alike they are declared.
    if (node.op === 'Input') return undefined;
    const key = keyOf(node, (value) => idOf(valueIds, value), (array) => idOf(arrayIds, array));
    const first = firsts.get(key);
    if (first) return first.outputs;
    firsts.set(key, node);
    return undefined;
  });
}

function idOf<T>(ids: Map<T, number>, thing: T): number {
  let id = ids.get(thing);
  if (id === undefined) ids.set(thing, (id = ids.size));
  return id;
}

/** Operator, attributes and operands: equal for nodes that compute the same. */
function keyOf({ op, attrs, inputs }: Node, valueId: (value: Value) => number, arrayId: (array: TypedArray) => number): string {
  const textOf = (attr: Attr): string => {
    if (typeof attr === 'string') return JSON.stringify(attr);
    if (typeof attr === 'number') return numberText(attr);
    if (typeof attr !== 'object') return String(attr);
    return 'data' in attr ? tensorText(attr) : `[${attr.map(textOf).join()}]`;
  };
  // Large tensors are the same where they are one array in memory; small ones are made anew all the time.
  const tensorText = ({ dtype, shape, data }: TensorData): string =>
    `${formatType({ dtype, shape })}${data.length > smallTensor ? `@${arrayId(data)}` : `[${Array.from(data as Float64Array, numberText).join()}]`}`;
  const attrTexts = Object.keys(attrs).sort().map((name) => `${JSON.stringify(name)}:${textOf(attrs[name])}`);
  return `${op}(${inputs.map((value) => (value ? valueId(value) : '-')).join()}){${attrTexts.join()}}`;
}

const numberText = (value: number | bigint): string => (Object.is(value, -0) ? '-0' : `${value}`);
