/** ONNX's backend cases as Debian's libonnx-testdata has them: a model, and data sets of inputs and expected outputs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorData } from '../../src/graph/index.ts';
import { readTensorFile } from '../../src/formats/onnx/index.ts';
import { type Proto, schema } from '../../src/formats/onnx/schema.ts';
import { decode } from '../../src/formats/protobuf.ts';

export const dataFolder = process.env.WHET_ONNX_TESTDATA ?? '/usr/share/libonnx-testdata/data';
const suites = ['node', 'simple', 'pytorch-converted', 'pytorch-operator'];

export interface DataSet {
  readonly inputs: readonly TensorData[];
  readonly outputs: readonly TensorData[];
}

export interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly proto: Proto<'ModelProto'>;
  /** Every operator in it, branches included. */
  readonly ops: readonly string[];
  /** What the case's tensors are: element type numbers of inputs and outputs, undefined for what is no tensor. */
  readonly elementTypes: readonly (number | undefined)[];
  /** Reads the data sets. @throws FormatError on types that are not ours. */
  dataSets(): DataSet[];
}

/** All cases, or undefined where the data is not installed. */
export function findCases(filter = /./): Case[] | undefined {
  if (!existsSync(dataFolder)) return undefined;
  return suites.flatMap((suite) => {
    const folder = join(dataFolder, suite);
    if (!existsSync(folder)) return [];
    const names = readdirSync(folder).sort().filter((name) => filter.test(name) && existsSync(join(folder, name, 'model.onnx')));
    return names.map((name) => readCase(join(folder, name), name));
  });
}

function readCase(folder: string, name: string): Case {
  const bytes = readFileSync(join(folder, 'model.onnx'));
  const proto = decode(schema, 'ModelProto', bytes, name);
  const graph = proto.graph!;
  const ops = new Set<string>();
  collectOps(graph, ops);
  return {
    name,
    bytes,
    proto,
    ops: [...ops].sort(),
    elementTypes: [...graph.input, ...graph.output].map(({ type }) => type?.tensor_type?.elem_type),
    dataSets: () =>
      readdirSync(folder)
        .filter((entry) => entry.startsWith('test_data_set'))
        .sort()
        .map((set) => ({ inputs: readTensors(join(folder, set), 'input'), outputs: readTensors(join(folder, set), 'output') })),
  };
}

function collectOps(graph: Proto<'GraphProto'>, ops: Set<string>): void {
  for (const { op_type, domain, attribute } of graph.node) {
    ops.add(domain && domain !== 'ai.onnx' ? `${domain}.${op_type}` : (op_type ?? ''));
    for (const { g } of attribute) if (g) collectOps(g, ops);
  }
}

function readTensors(folder: string, kind: 'input' | 'output'): TensorData[] {
  const count = readdirSync(folder).filter((entry) => entry.startsWith(`${kind}_`)).length;
  return Array.from({ length: count }, (_, i) => {
    const file = join(folder, `${kind}_${i}.pb`);
    return readTensorFile(readFileSync(file), file);
  });
}
