/** Small ONNX files, written as a person would say them. */
import { type DType, fromNumbers, type TensorData } from '../../src/graph/index.ts';
import { attributeTypes, type ProtoDraft, schema } from '../../src/formats/onnx/schema.ts';
import { elementTypeOf, writeTensor } from '../../src/formats/onnx/tensors.ts';
import { concatBytes, encode } from '../../src/formats/protobuf.ts';

export type AttributeDraft = ProtoDraft<'AttributeProto'>;
export type NodeDraft = ProtoDraft<'NodeProto'>;

/** A number with a fraction, or written `float(2)`, is a FLOAT; other numbers are INTs. */
type Plain = number | string | readonly number[] | TensorData | AttributeDraft;

const { float: floatType, floats: floatsType } = attributeTypes;
export const float = (f: number): AttributeDraft => ({ type: floatType, f });
export const floats = (values: readonly number[]): AttributeDraft => ({ type: floatsType, floats: values });
export const graphAttribute = (g: ProtoDraft<'GraphProto'>): AttributeDraft => ({ type: attributeTypes.graph, g });

function attribute(name: string, value: Plain): AttributeDraft {
  if (typeof value === 'number') {
    return Number.isInteger(value) ? { name, type: attributeTypes.int, i: value } : { name, type: floatType, f: value };
  }
  if (typeof value === 'string') return { name, type: attributeTypes.string, s: new TextEncoder().encode(value) };
  if (Array.isArray(value)) return { name, type: attributeTypes.ints, ints: value };
  if ('data' in value) return { name, type: attributeTypes.tensor, t: writeTensor(value) };
  return { name, ...(value as AttributeDraft) };
}

/** `node('Conv', ['x', 'w'], ['y'], { strides: [2, 2] })` */
export function node(op: string, input: readonly string[], output: readonly string[], attrs: Readonly<Record<string, Plain>> = {}, rest: NodeDraft = {}): NodeDraft {
  return { op_type: op, input, output, attribute: Object.entries(attrs).map(([name, value]) => attribute(name, value)), ...rest };
}

export type Dim = number | string | undefined;

/** Shape undefined: unknown rank. */
export const valueInfo = (name: string, dtype: DType, shape?: readonly Dim[]): ProtoDraft<'ValueInfoProto'> => ({
  name,
  type: {
    tensor_type: {
      elem_type: elementTypeOf(dtype),
      shape: shape && { dim: shape.map((dim) => (typeof dim === 'number' ? { dim_value: dim } : typeof dim === 'string' ? { dim_param: dim } : {})) },
    },
  },
});

export interface ModelDraft {
  readonly opset?: number;
  readonly inputs?: readonly ProtoDraft<'ValueInfoProto'>[];
  readonly outputs?: readonly string[];
  readonly nodes: readonly NodeDraft[];
  readonly constants?: Readonly<Record<string, TensorData>>;
  readonly initializers?: readonly ProtoDraft<'TensorProto'>[];
  readonly model?: ProtoDraft<'ModelProto'>;
}

export function onnxFile({ opset = 21, inputs = [], outputs = ['y'], nodes, constants = {}, initializers = [], model = {} }: ModelDraft): Uint8Array {
  return concatBytes(
    encode(schema, 'ModelProto', {
      ir_version: 8,
      opset_import: [{ domain: '', version: opset }],
      graph: {
        name: 'test',
        node: nodes,
        input: inputs,
        output: outputs.map((name) => ({ name })),
        initializer: [...Object.entries(constants).map(([name, data]) => writeTensor(data, name)), ...initializers],
      },
      ...model,
    }),
  );
}

export const f32 = (shape: readonly number[], values: readonly number[]): TensorData => fromNumbers('float32', shape, values);
export const i64 = (values: readonly number[]): TensorData => fromNumbers('int64', [values.length], values);
/** 1, 2, 3, ... */
export const counting = (shape: readonly number[]): TensorData => f32(shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1));
