/** AttributeProto <-> the graph's plain attributes, by the operator table. */
import { type Attr, type Attrs, type DType, dtypes, type TensorData } from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import { type AttributeKind, type AttributeRow } from './operators.ts';
import { attributeTypes, type Proto, type ProtoDraft } from './schema.ts';
import { dtypeOf, elementTypeOf, readTensor, type TensorContext, writeTensor } from './tensors.ts';

type AttributeProto = Proto<'AttributeProto'>;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Which field holds an attribute: its declared type, or for files older than IR version 2 the field that is there. */
function typeOf(proto: AttributeProto): number {
  if (proto.type) return proto.type;
  const { f, i, s, t, g, floats, ints, strings } = proto;
  if (f !== undefined) return attributeTypes.float;
  if (i !== undefined) return attributeTypes.int;
  if (s !== undefined) return attributeTypes.string;
  if (t !== undefined) return attributeTypes.tensor;
  if (g !== undefined) return attributeTypes.graph;
  if (floats.length > 0) return attributeTypes.floats;
  return ints.length > 0 ? attributeTypes.ints : strings.length > 0 ? attributeTypes.strings : 0;
}

/** The attribute as the file has it; undefined for a graph. @throws FormatError on types that no operator of ours takes. */
export function readAttribute(proto: AttributeProto, where: string, context: TensorContext): Attr | undefined {
  switch (typeOf(proto)) {
    case attributeTypes.float:
      return proto.f ?? 0;
    case attributeTypes.int:
      return proto.i ?? 0;
    case attributeTypes.string:
      return decoder.decode(proto.s);
    case attributeTypes.tensor:
      if (proto.t === undefined) break;
      return readTensor(proto.t, where, context);
    case attributeTypes.graph:
      return undefined;
    case attributeTypes.floats:
      return proto.floats;
    case attributeTypes.ints:
      return proto.ints;
    case attributeTypes.strings:
      return proto.strings.map((bytes) => decoder.decode(bytes));
  }
  throw new FormatError(where, { file: context.file, expected: 'a number, string, list or tensor', got: `attribute type ${proto.type ?? 0}` });
}

const isTensor = (value: Attr): value is TensorData => typeof value === 'object' && 'data' in value;
const isList = (value: Attr): boolean => Array.isArray(value) && value.every((v) => typeof v === 'number');

const matches: Readonly<Record<AttributeKind, (value: Attr) => boolean>> = {
  float: (value) => typeof value === 'number',
  int: (value) => Number.isInteger(value),
  dtype: (value) => Number.isInteger(value),
  string: (value) => typeof value === 'string',
  tensor: isTensor,
  floats: isList,
  ints: (value) => isList(value) && (value as number[]).every(Number.isInteger),
};

/** Attributes that only concern number formats Whetstone does not have; they change nothing else. */
const irrelevant: Readonly<Record<string, readonly string[]>> = { Cast: ['saturate', 'round_mode'] };

/** Checks what the file says against the operator's row. @throws FormatError on an unknown attribute or a wrong type. */
export function checkAttributes(op: string, attrs: Attrs, row: AttributeRow, where: string, file?: string): Attrs {
  const checked: Record<string, Attr> = {};
  for (const [name, value] of Object.entries(attrs)) {
    const kind = Object.hasOwn(row, name) ? row[name] : undefined;
    if (kind === undefined) {
      if (Object.hasOwn(irrelevant, op) && irrelevant[op].includes(name)) continue;
      const known = Object.keys(row).join(', ') || 'no attributes';
      throw new FormatError(where, { file, expected: known, got: `attribute '${name}'`, hint: `${op} of this opset does not have it` });
    }
    if (!matches[kind](value)) throw new FormatError(`${where}, attribute '${name}'`, { file, expected: kind, got: describe(value) });
    checked[name] = kind === 'dtype' ? dtypeOf(value as number, `${where}, attribute '${name}'`, file) : value;
  }
  return checked;
}

function describe(value: Attr): string {
  return isTensor(value) ? 'a tensor' : JSON.stringify(value).slice(0, 60);
}

/** An attribute as a kind of the table. @throws FormatError where the graph's value is not of that kind. */
export function writeAttribute(name: string, kind: AttributeKind, value: Attr, where: string): ProtoDraft<'AttributeProto'> {
  if (kind === 'dtype') {
    if (typeof value !== 'string' || !Object.hasOwn(dtypes, value)) {
      throw new FormatError(`${where}, attribute '${name}'`, { expected: 'a dtype', got: describe(value) });
    }
    return { name, type: attributeTypes.int, i: elementTypeOf(value as DType) };
  }
  const plain = typeof value === 'boolean' ? Number(value) : value;
  if (!matches[kind](plain)) throw new FormatError(`${where}, attribute '${name}'`, { expected: kind, got: describe(value) });
  const type = attributeTypes[kind];
  switch (kind) {
    case 'float':
      return { name, type, f: Math.fround(plain as number) };
    case 'int':
      return { name, type, i: plain as number };
    case 'string':
      return { name, type, s: encoder.encode(plain as string) };
    case 'tensor':
      return { name, type, t: writeTensor(plain as TensorData) };
    case 'floats':
      return { name, type, floats: plain as number[] };
    case 'ints':
      return { name, type, ints: plain as number[] };
  }
}
