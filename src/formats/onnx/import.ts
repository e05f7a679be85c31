/** An ONNX file -> a Model: checked as a whole when it is read, turned into a Graph for concrete shapes when it is built. */
import {
  constant,
  type Dim,
  formatType,
  type Graph,
  input,
  type Model,
  type ModelInput,
  type TensorData,
  type Value,
} from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import { decode } from '../protobuf.ts';
import { anyShape, bindShapes, fitsShape, formatInput } from '../shapes.ts';
import { Builder, readInitializers, resultOf, type Source } from './build.ts';
import { newestOpset, type Proto, schema } from './schema.ts';
import { checkNames, checkOperators, functionKey, isDefaultDomain } from './structure.ts';
import { checkShape, dtypeOf, type ExternalData, externalDataFrom } from './tensors.ts';

export interface ImportOptions {
  /** What messages call the file. */
  readonly name?: string;
  /** Tensor data kept beside the model: the files by name, or a function that reads a range of one. */
  readonly externalData?: Readonly<Record<string, Uint8Array>> | ExternalData;
  /** The bytes may be changed, which makes them useless for another import: saves copying tensors that are not aligned. */
  readonly overwrite?: boolean;
  /** Inputs to be fixed to a value. Operands that decide shapes (axes, pads, sizes) must be. */
  readonly bind?: Readonly<Record<string, TensorData>>;
}

/**
 * Reads an ONNX model of any opset up to 26. Free dimensions keep the file's names; a free dimension without one is
 * called `<input>_<axis>`, an input of unknown rank has the single dimension `...`. Constants are made once, as views
 * of `bytes` where alignment allows, so the bytes must not be changed afterwards.
 * @throws FormatError where the file is damaged, or uses what is not supported: all such operators are listed at once.
 */
export function importOnnx(bytes: Uint8Array, options: ImportOptions = {}): Model {
  const { name: file, bind = {}, overwrite } = options;
  const proto = decode(schema, 'ModelProto', bytes, file);
  const { graph } = proto;
  if (!graph) throw new FormatError('model', { file, expected: 'an ONNX model', got: 'a file without a graph' });
  const opset = opsetOf(proto, file);
  const externalData = typeof options.externalData === 'object' ? externalDataFrom(options.externalData) : options.externalData;
  const context = { file, externalData, overwrite };

  const functions = new Map(proto.functions.map((f) => [functionKey(f, f.name), f]));
  checkOperators(graph.node, functions, file);
  const initializers = new Set(graph.initializer.map(({ name }) => name ?? ''));
  const declared = readInputs(graph, initializers, file);
  const outputs = graph.output.map(({ name }) => name ?? '');
  if (outputs.length === 0) throw new FormatError('model', { file, expected: 'at least one output', got: 'none' });
  checkNames({ nodes: graph.node, known: [...initializers, ...declared.map(({ name }) => name)], outputs }, () => false, file);

  const fixed = readInitializers(graph, context);
  for (const [name, data] of Object.entries(bind)) fixed.set(name, bound(name, data, declared, file));
  const inputs = declared.filter(({ name }) => !Object.hasOwn(bind, name));
  const source: Source = { context, opset, functions, tensors: new WeakMap(), branches: new WeakMap() };
  const name = graph.name || file || 'onnx';
  const { node: nodes, output: outputProtos } = graph;

  return {
    name,
    inputs,
    outputs,
    build(shapes = {}): Graph {
      const concrete = bindShapes(inputs, shapes, file);
      const made = inputs.map(({ name, dtype }, i) => ({ name, value: input(name, dtype, concrete[i]) }));
      const values = new Map<string, Value>(fixed);
      for (const { name, value } of made) values.set(name, value);
      const scope = { values };
      new Builder(source).run(nodes, scope, opset);
      return {
        name,
        inputs: made,
        outputs: outputProtos.map((output) => {
          const value = resultOf(scope, output.name ?? '', 'graph outputs', file);
          checkOutput(output, value, file);
          return { name: output.name ?? '', value };
        }),
      };
    },
  };
}

function opsetOf(proto: Proto<'ModelProto'>, file?: string): number {
  const row = proto.opset_import.find(({ domain }) => isDefaultDomain(domain));
  // Before IR version 3 there were no operator sets; all was opset 1.
  const version = row ? (row.version ?? 0) : (proto.ir_version ?? 0) < 3 ? 1 : undefined;
  if (version !== undefined && version >= 1 && version <= newestOpset) return version;
  throw new FormatError('opset', {
    file,
    expected: `a version from 1 to ${newestOpset} of ONNX's own operators`,
    got: version === undefined ? 'none' : `${version}`,
  });
}

type ValueInfo = Proto<'ValueInfoProto'>;

/** The inputs that are not initializers. @throws FormatError on inputs that are no tensors of ours. */
function readInputs(graph: Proto<'GraphProto'>, initializers: ReadonlySet<string>, file?: string): ModelInput[] {
  const seen = new Set<string>();
  return graph.input.flatMap((info) => {
    const name = info.name ?? '';
    if (name === '' || seen.has(name)) {
      throw new FormatError('graph inputs', { file, expected: 'a new name for each', got: name === '' ? 'none' : `'${name}' twice` });
    }
    seen.add(name);
    if (initializers.has(name)) return [];
    return [{ name, dtype: dtypeOf(tensorTypeOf(info, `input '${name}'`, file).elem_type, `input '${name}'`, file), shape: dimsOf(info, name, file) }];
  });
}

function tensorTypeOf({ type }: ValueInfo, where: string, file?: string): Proto<'TensorTypeProto'> {
  if (type?.tensor_type) return type.tensor_type;
  const kind = type?.sequence_type ? 'a sequence' : type?.map_type ? 'a map' : type?.optional_type ? 'an optional' : type?.sparse_tensor_type ? 'a sparse tensor' : 'no type';
  throw new FormatError(where, { file, expected: 'a tensor', got: kind });
}

function dimsOf(info: ValueInfo, name: string, file?: string): Dim[] {
  const shape = info.type?.tensor_type?.shape;
  if (!shape) return [...anyShape];
  const dims = shape.dim.map(({ dim_value: value, dim_param: param }, axis): Dim => {
    // Some writers say -1 where they mean a free dimension.
    if (value !== undefined && value >= 0) return value;
    return param || `${name}_${axis}`;
  });
  checkShape(dims.map((dim) => (typeof dim === 'number' ? dim : 1)), `input '${name}'`, file);
  return dims;
}

function bound(name: string, data: TensorData, declared: readonly ModelInput[], file?: string): Value {
  const info = declared.find((input) => input.name === name);
  if (!info) throw new FormatError(`bound input '${name}'`, { file, expected: `one of ${declared.map((input) => input.name).join(', ')}` });
  if (data.dtype !== info.dtype || !fitsShape(data.shape, info.shape)) {
    throw new FormatError(`bound input '${name}'`, { file, expected: formatInput(info), got: formatType(data) });
  }
  return constant(data, name);
}

function checkOutput(info: ValueInfo, value: Value, file?: string): void {
  const declared = info.type?.tensor_type?.elem_type;
  if (!declared) return;
  const dtype = dtypeOf(declared, `output '${info.name}'`, file);
  if (dtype !== value.dtype) throw new FormatError(`output '${info.name}'`, { file, expected: dtype, got: value.dtype });
}
