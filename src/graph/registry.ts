/** The operator registry: an operator is defined once, by `defineOp`, and everything else asks here. */
import { GraphError } from './errors.ts';
import { type Attrs, constantOf, Node, type Value } from './node.ts';
import { formatType, type Shape, sizeOf, type TensorData, type TensorType } from './tensor-data.ts';
import type { DType } from './dtype.ts';

/** What shape rules see. Optional inputs that were left out are null. */
export interface InferContext {
  readonly inputs: readonly (TensorType | null)[];
  readonly attrs: Attrs;
  /** The value of input i where it is a constant (shape arguments of Reshape, Slice, ...). */
  constant(i: number): TensorData | undefined;
}

export interface OpDefinition {
  /** ONNX's name and semantics, at its newest opset; attributes and optional inputs as there. */
  readonly name: string;
  /** Fewest and most inputs; Infinity where variadic. */
  readonly inputs: readonly [min: number, max: number];
  /** Types of the results. Throws GraphError through `expected` / `got` where operands do not fit. */
  infer(context: InferContext): TensorType[];
  /**
   * The reference meaning, in plain JavaScript: folds constants and is the oracle of tests. Slow and simple.
   * `types` is what `infer` returned. Left out only for operators that are always decomposed.
   */
  evaluate?(inputs: readonly (TensorData | null)[], attrs: Attrs, types: readonly TensorType[]): TensorData[];
  /** The same in simpler operators; used where a device does not run the operator itself. */
  decompose?(node: Node): readonly Value[];
  /**
   * Reverse-mode rule: from the cotangent of each result (null where it is zero) those of the operands, each of its operand's
   * type; null, or left out at the end, where it is zero. `wanted` says whose are used; the others may be null. Built of ordinary nodes, so that it can
   * be differentiated again. undefined: not by a rule of its own this time, but through `decompose`, which is also the way of
   * operators that have no rule.
   */
  gradient?(node: Node, cotangents: readonly (Value | null)[], wanted: readonly boolean[]): readonly (Value | null)[] | undefined;
}

const registry = new Map<string, OpDefinition>();

export function defineOp(definition: OpDefinition): OpDefinition {
  if (registry.has(definition.name)) throw new GraphError(`operator ${definition.name} is defined twice`);
  registry.set(definition.name, definition);
  return definition;
}

export const hasOp = (name: string): boolean => registry.has(name);
export const opNames = (): string[] => [...registry.keys()].sort();

export function opOf(name: string): OpDefinition {
  const definition = registry.get(name);
  if (!definition) throw new GraphError(`unknown operator ${name}`);
  return definition;
}

/** Makes a node: checks arity, infers result types. @throws GraphError naming operator, operands and shapes. */
export const makeNode = (op: string, inputs: readonly (Value | null)[], attrs: Attrs = {}, name = ''): Node =>
  new Node(op, inputs, attrs, inferTypes(op, inputs, attrs, name), name);

/** The result types of a node with these operands. @throws GraphError naming operator, operands and shapes. */
export function inferTypes(op: string, inputs: readonly (Value | null)[], attrs: Attrs, name = ''): TensorType[] {
  const definition = opOf(op);
  const [min, max] = definition.inputs;
  const label = name === '' ? op : `${op} '${name}'`;
  if (inputs.length < min || inputs.length > max) {
    const expected = min === max ? `${min} inputs` : max === Infinity ? `at least ${min} inputs` : `${min} to ${max} inputs`;
    throw new GraphError(label, { expected, got: `${inputs.length}` });
  }
  try {
    const types = definition.infer({ inputs, attrs, constant: (i) => constantOf(inputs[i]) });
    types.forEach(checkType);
    return types;
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const operands = inputs.map((input) => (input ? formatType(input) : 'none')).join(', ');
    throw new GraphError(`${label}(${operands}): ${error.message}`);
  }
}

/** Shapes come from files: no element count that a 32-bit index could not hold, and none hidden behind an empty axis. */
function checkType(type: TensorType): void {
  const { shape } = type;
  if (shape.length > 64) throw new GraphError('result', { expected: 'at most 64 dimensions', got: `${shape.length}` });
  const ok = shape.every((dim) => Number.isInteger(dim) && dim >= 0) && sizeOf(shape.map((dim) => Math.max(dim, 1))) < 2 ** 31;
  if (!ok) throw new GraphError('result', { expected: 'whole dimensions and fewer than 2^31 elements', got: formatType(type) });
}

/** Makes a node and returns its first result. */
export const apply = (op: string, inputs: readonly (Value | null)[], attrs: Attrs = {}, name = ''): Value =>
  makeNode(op, inputs, attrs, name).outputs[0];

/** A constant; its data is not copied and must not be changed afterwards. */
export const constant = (value: TensorData, name = ''): Value => apply('Constant', [], { value }, name);

/** A graph input of known type. */
export const input = (name: string, dtype: DType, shape: Shape): Value => apply('Input', [], { name, dtype, shape: [...shape] }, name);

defineOp({
  name: 'Constant',
  inputs: [0, 0],
  infer: ({ attrs }) => [attrs.value as TensorData],
  evaluate: (_inputs, attrs) => [attrs.value as TensorData],
});

defineOp({
  name: 'Input',
  inputs: [0, 0],
  infer: ({ attrs }) => [{ dtype: attrs.dtype as DType, shape: attrs.shape as number[] }],
});
