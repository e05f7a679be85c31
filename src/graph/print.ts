/** printGraph: a graph as text for people, one node a line, the same text for the same graph. */
import { dtypes, type TypedArray } from './dtype.ts';
import { contentHash, hex } from './hash.ts';
import { type Attr, type Attrs, constantOf, type Graph, type Node, topologicalOrder, type Value } from './node.ts';
import { formatType, type TensorData } from './tensor-data.ts';

/**
 * For example:
 *
 *     graph 'net'
 *     in  %0: float32[1,3,8,8] 'image'
 *         %1: float32[4,3,3,3] = Constant [0.5, -1, 0.25, ... #1f0c77aa] 'kernel'
 *         %2: float32[1,4,8,8] = Conv(%0, %1) {pads=[1,1,1,1]} 'layer1.conv'
 *     out %2 'y'
 *
 * A node's further results are %2.1, %2.2, ...; an input left out is `none`. Text from files is quoted: no name can
 * look like a line.
 */
export function printGraph(graph: Graph): string {
  const order = numberedOrder(graph);
  const numbers = new Map(order.map((node, number) => [node, number]));
  const reference = (value: Value | null): string => {
    if (value === null) return 'none';
    return `%${numbers.get(value.node)}${value.index === 0 ? '' : `.${value.index}`}`;
  };
  const lines = [`graph ${quote(graph.name)}`];
  const declared = new Set<Node>();
  for (const { name, value } of graph.inputs) {
    lines.push(`in  ${reference(value)}: ${formatType(value)} ${quote(name)}`);
    declared.add(value.node);
  }
  for (const node of order) {
    if (declared.has(node)) continue;
    const types = node.outputs.map(formatType).join(', ');
    const tensor = node.outputs.length === 1 ? constantOf(node.outputs[0]) : undefined;
    const meaning = tensor ? `Constant ${formatTensor(tensor)}` : `${node.op}(${node.inputs.map(reference).join(', ')})${formatAttrs(node.attrs)}`;
    lines.push(`    %${numbers.get(node)}: ${types} = ${meaning}${node.name === '' ? '' : ` ${quote(node.name)}`}`);
  }
  for (const { name, value } of graph.outputs) lines.push(`out ${reference(value)} ${quote(name)}`);
  return lines.join('\n');
}

/** The order of the printer, by which messages number nodes: declared inputs, then every node after its inputs. */
export const numberedOrder = (graph: Graph): Node[] => topologicalOrder({ outputs: [...graph.inputs, ...graph.outputs] });

const mostListed = 16;
const mostElements = 8;
const fewElements = 3;

const quote = (text: string): string => `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;

function formatAttrs(attrs: Attrs): string {
  const names = Object.keys(attrs).sort();
  return names.length === 0 ? '' : ` {${names.map((name) => `${name}=${formatAttr(attrs[name])}`).join(', ')}}`;
}

function formatAttr(attr: Attr): string {
  if (typeof attr === 'string') return quote(attr);
  if (typeof attr === 'number') return formatNumber(attr);
  if (typeof attr !== 'object') return String(attr);
  if ('data' in attr) return `${formatType(attr)} ${formatTensor(attr)}`;
  const shown = attr.slice(0, mostListed).map(formatAttr).join(',');
  return attr.length > mostListed ? `[${shown},... ${attr.length} in all]` : `[${shown}]`;
}

/** All elements of a small tensor; else the first few, and of the rest the beginning of its hash. */
function formatTensor({ dtype, data }: TensorData): string {
  const small = data.length <= mostElements;
  const elements = Array.from((data as Float64Array).subarray(0, small ? mostElements : fewElements), (element) => formatElement(element, dtype, data));
  if (!small) elements.push(`... #${hex(contentHash(data)).slice(0, 8)}`);
  return `[${elements.join(', ')}]`;
}

function formatElement(element: number | bigint, dtype: TensorData['dtype'], data: TypedArray): string {
  // 16-bit floats are held as their bits.
  if (dtypes[dtype].kind === 'float' && data instanceof Uint16Array) return `0x${element.toString(16).padStart(4, '0')}`;
  return typeof element === 'bigint' ? `${element}` : formatNumber(data instanceof Float32Array ? Number(element.toPrecision(7)) : element);
}

const formatNumber = (value: number): string => (Object.is(value, -0) ? '-0' : `${value}`);
