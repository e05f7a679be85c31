/** A Graph -> an ONNX file that other runtimes read: constants as initializers, operators in the words of the chosen opset. */
import {
  constantOf,
  type Graph,
  type Node,
  opOf,
  rewriteGraph,
  type TensorData,
  type TensorType,
  topologicalOrder,
  useCounts,
  type Value,
} from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import { concatBytes, encode } from '../protobuf.ts';
import { writeAttribute } from './attributes.ts';
import { canWrite, describeNode, downgrade, oldestExport } from './downgrades.ts';
import { irVersions, newestOpset, type ProtoDraft, schema } from './schema.ts';
import { bytesOf, elementTypeOf, writeTensor } from './tensors.ts';

export interface ExportOptions {
  /** 17 or newer. Default 21, the first in which every operator means what it means here. */
  readonly opset?: number;
}

/** Protobuf messages end at 2 GB. */
const maxBytes = 2 ** 31 - 1;
/** Tensors below this size stay in the model file when data goes beside it. */
const smallTensor = 1024;
const dataAlignment = 64;

/** @throws FormatError on operators that ONNX does not have, and where the file would exceed protobuf's 2 GB. */
export function exportOnnx(graph: Graph, options: ExportOptions = {}): Uint8Array {
  return finish(writeGraph(graph, options, (data, name) => writeTensor(data, name)));
}

export interface ExternalExport {
  readonly model: Uint8Array;
  /** What goes into the data file, one after another; views of the graph's constants, so not to be changed. */
  readonly data: readonly Uint8Array[];
}

/** The same with the constants in a file beside the model, called `location`; for models of any size. @throws FormatError */
export function exportOnnxExternal(graph: Graph, location: string, options: ExportOptions = {}): ExternalExport {
  const data: Uint8Array[] = [];
  let offset = 0;
  const model = writeGraph(graph, options, (tensor, name) => {
    const bytes = bytesOf(tensor);
    if (bytes.length < smallTensor) return writeTensor(tensor, name);
    const gap = -offset & (dataAlignment - 1);
    if (gap > 0) data.push(new Uint8Array(gap));
    data.push(bytes);
    offset += gap + bytes.length;
    const entries = { location, offset: `${offset - bytes.length}`, length: `${bytes.length}` };
    return {
      ...writeTensor(tensor, name),
      raw_data: undefined,
      external_data: Object.entries(entries).map(([key, value]) => ({ key, value })),
      data_location: 1,
    };
  });
  return { model: finish(model), data };
}

function finish(model: ProtoDraft<'ModelProto'>): Uint8Array {
  const chunks = encode(schema, 'ModelProto', model);
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if (size > maxBytes) {
    throw new FormatError('ONNX export', { expected: 'at most 2 GB in one file', got: `${size} bytes`, hint: 'use exportOnnxExternal' });
  }
  return concatBytes(chunks);
}

type WriteTensor = (data: TensorData, name: string) => ProtoDraft<'TensorProto'>;

function writeGraph(original: Graph, { opset = 21 }: ExportOptions, writeConstant: WriteTensor): ProtoDraft<'ModelProto'> {
  if (!Number.isInteger(opset) || opset < oldestExport || opset > newestOpset) {
    throw new FormatError('ONNX export', { expected: `an opset from ${oldestExport} to ${newestOpset}`, got: `${opset}` });
  }
  const graph = expressible(original, opset);
  const order = topologicalOrder(graph);
  const names = new Names();
  // onnxruntime refuses nodes of one name, and an importer may make several of one layer.
  const nodeNames = new Names();
  const initializers: ProtoDraft<'TensorProto'>[] = [];
  const nodes: ProtoDraft<'NodeProto'>[] = [];

  for (const { name, value } of graph.inputs) names.give(value, name);
  // An output's name belongs to the value that is computed for it; what has a name already is copied at the end.
  const copies = graph.outputs.filter(({ name, value }) => {
    if (constantOf(value) || names.of(value) !== undefined) return true;
    names.give(value, name);
    return false;
  });
  for (const { name } of copies) names.reserve(name);

  const nameOf = (value: Value | null): string => {
    if (value === null) return '';
    const known = names.of(value);
    if (known !== undefined) return known;
    const data = constantOf(value);
    const name = names.make(value, value.node.name || (data ? 'constant' : value.node.op.toLowerCase()));
    if (data) initializers.push(writeConstant(data, name));
    return name;
  };

  const uses = useCounts(order, graph.outputs);
  for (const node of order) {
    if (node.op === 'Constant') continue;
    if (node.op === 'Input') {
      if (names.of(node.outputs[0]) === undefined) throw new FormatError('ONNX export', { expected: 'inputs that the graph lists', got: describeNode(node) });
      continue;
    }
    const { op, inputs, attrs, row } = downgrade(node, opset);
    const outputs = node.outputs.map((value) => (uses.has(value) || !optionalResults.has(op) ? nameOf(value) : ''));
    while (outputs.at(-1) === '') outputs.pop();
    nodes.push({
      input: trimmed(inputs.map(nameOf)),
      output: outputs,
      name: node.name === '' ? undefined : nodeNames.make(node.outputs[0], node.name),
      op_type: op,
      attribute: Object.entries(attrs).map(([name, value]) => {
        if (!Object.hasOwn(row, name)) throw new FormatError(describeNode(node), { expected: Object.keys(row).join(', ') || 'no attributes', got: `attribute '${name}'` });
        return writeAttribute(name, row[name], value, describeNode(node));
      }),
    });
  }
  for (const { name, value } of copies) nodes.push({ op_type: 'Identity', input: [nameOf(value)], output: [name] });

  return {
    ir_version: irVersions.get(opset),
    producer_name: 'whetstone',
    opset_import: [{ domain: '', version: opset }],
    graph: {
      node: nodes,
      name: graph.name || 'graph',
      initializer: initializers,
      input: graph.inputs.map(({ name, value }) => valueInfo(name, value)),
      output: graph.outputs.map(({ name, value }) => valueInfo(name, value)),
    },
  };
}

/** Operators with results that may be left out. */
const optionalResults = new Set(['MaxPool', 'BatchNormalization', 'LayerNormalization']);

function trimmed(inputs: string[]): string[] {
  while (inputs.at(-1) === '') inputs.pop();
  return inputs;
}

const valueInfo = (name: string, { dtype, shape }: TensorType): ProtoDraft<'ValueInfoProto'> => ({
  name,
  type: { tensor_type: { elem_type: elementTypeOf(dtype), shape: { dim: shape.map((size) => ({ dim_value: size })) } } },
});

/** Decompositions may hold what must be decomposed again; none nests this deep. */
const maxRounds = 16;

/** The graph in operators that the opset has. @throws FormatError listing all that it has not. */
function expressible(graph: Graph, opset: number): Graph {
  const isWritable = ({ op }: Node) => op === 'Input' || canWrite(op, opset);
  let current = graph;
  for (let round = 0; round < maxRounds; round++) {
    const next = rewriteGraph(current, (node) => (isWritable(node) ? undefined : opOf(node.op).decompose?.(node)));
    if (next === current) break;
    current = next;
  }
  const rest = topologicalOrder(current).filter((node) => !isWritable(node));
  if (rest.length === 0) return current;
  throw new FormatError('ONNX export', {
    expected: `operators of opset ${opset}`,
    got: [...new Set(rest.map(describeNode))].join('; '),
    hint: 'an operator needs a row in src/formats/onnx/operators.ts, or a decomposition',
  });
}

/** One name a value, none twice. */
class Names {
  readonly #names = new Map<Value, string>();
  readonly #taken = new Set<string>();
  readonly #next = new Map<string, number>();

  of(value: Value): string | undefined {
    return this.#names.get(value);
  }

  reserve(name: string): void {
    if (name === '' || this.#taken.has(name)) throw new FormatError('ONNX export', { expected: 'inputs and outputs with names of their own', got: `'${name}'` });
    this.#taken.add(name);
  }

  give(value: Value, name: string): void {
    this.reserve(name);
    this.#names.set(value, name);
  }

  make(value: Value, wish: string): string {
    const base = value.index === 0 ? wish : `${wish}_${value.index}`;
    let name = base;
    let number = this.#next.get(base) ?? 1;
    while (this.#taken.has(name)) name = `${base}_${number++}`;
    this.#next.set(base, number);
    this.give(value, name);
    return name;
  }
}
