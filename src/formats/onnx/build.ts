/** The file's nodes -> graph nodes, for concrete input shapes; what is known on the way is folded to constants. */
import {
  type Attr,
  constant,
  constantOf,
  dtypes,
  GraphError,
  makeNode,
  type Node,
  type TensorData,
  type TensorType,
  toNumbers,
  type Value,
} from '../../graph/index.ts';
import { evaluateNode } from '../../ops/index.ts';
import { FormatError } from '../errors.ts';
import { checkAttributes, readAttribute } from './attributes.ts';
import { operatorRow } from './operators.ts';
import type { Proto } from './schema.ts';
import { checkNames, checkOperators, type FunctionProto, functionKey, isDefaultDomain, labelOf, type NodeProto } from './structure.ts';
import { readTensor, type TensorContext } from './tensors.ts';
import { type Call, type Make, upgrade } from './upgrades.ts';

type AttributeProto = Proto<'AttributeProto'>;

/** What all builds of a model share. */
export interface Source {
  readonly context: TensorContext;
  readonly opset: number;
  readonly functions: ReadonlyMap<string, FunctionProto>;
  /** Attribute tensors that have been read, so that builds share them. */
  readonly tensors: WeakMap<AttributeProto, TensorData>;
  /** Constants of branches that have been taken. */
  readonly branches: WeakMap<Proto<'GraphProto'>, ReadonlyMap<string, Value>>;
}

/** Names and what they stand for; a branch sees the scope around it. */
export interface Scope {
  readonly values: Map<string, Value>;
  readonly outer?: Scope;
}

function lookup(scope: Scope, name: string): Value | undefined {
  for (let at: Scope | undefined = scope; at; at = at.outer) {
    const value = at.values.get(name);
    if (value) return value;
  }
  return undefined;
}

/** Inlined functions and branches may not nest or multiply without end. */
const maxNesting = 64;
const maxNodes = 1_000_000;
/** No operator takes or gives more. */
const maxOperands = 16_384;
/** Constants are folded while they are small: floats to this many elements, integers (shapes, indices) to that many. */
const maxFoldedFloats = 1 << 16;
const maxFoldedInts = 1 << 20;
/** All that one build may fold, in elements. */
const foldingBudget = 1 << 24;

/** Their cost is not bounded by what goes in and comes out; no shape is ever computed by them. */
const neverFolded = new Set(['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool', 'MatMul', 'Gemm', 'Resize']);

/** Makes the nodes of one body after another; `make` is shared with the upgrades. */
export class Builder {
  readonly #source: Source;
  #nodes = 0;
  #folded = 0;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Adds to `scope` what the nodes make. @throws FormatError naming the node that does not fit. */
  run(nodes: readonly NodeProto[], scope: Scope, opset: number, bound: ReadonlyMap<string, AttributeProto> = new Map(), nesting = 0): void {
    const { file } = this.#source.context;
    if (nesting > maxNesting) throw new FormatError('graph', { file, expected: `at most ${maxNesting} nested functions and branches`, got: 'more' });
    for (const node of nodes) {
      if (++this.#nodes > maxNodes) throw new FormatError('graph', { file, expected: `at most ${maxNodes} nodes`, got: 'more' });
      checkCounts(node, file);
      let results: readonly Value[];
      try {
        results = this.#convert(node, scope, opset, bound, nesting);
      } catch (error) {
        if (!(error instanceof GraphError)) throw error;
        const label = labelOf(node);
        throw new FormatError(error.message.startsWith(label) ? error.message : `${label}: ${error.message}`, { file });
      }
      node.output.forEach((name, i) => {
        if (name !== '' && results[i]) scope.values.set(name, results[i]);
      });
    }
  }

  #convert(node: NodeProto, scope: Scope, opset: number, bound: ReadonlyMap<string, AttributeProto>, nesting: number): readonly Value[] {
    const { context, functions } = this.#source;
    const { file } = context;
    const inputs = node.input.map((name) => {
      if (name === '') return null;
      const value = lookup(scope, name);
      if (value) return value;
      throw new FormatError(labelOf(node), { file, expected: `a value '${name}'`, got: 'an optional result that is not computed' });
    });
    while (inputs.at(-1) === null) inputs.pop();
    const protos = bindAttributes(node, bound, file);

    const local = functions.get(functionKey(node, node.op_type));
    if (local) return this.#inlineFunction(local, inputs, protos, nesting);
    if (node.op_type === 'If' && isDefaultDomain(node.domain)) return this.#inlineBranch(node, inputs, protos, scope, opset, bound, nesting);

    const attrs: Record<string, Attr> = {};
    for (const [name, proto] of protos) {
      const value = this.#attribute(proto, `${labelOf(node)}, attribute '${name}'`);
      if (value === undefined) throw new FormatError(labelOf(node), { file, hint: `attribute '${name}' is a graph, which only If may have` });
      attrs[name] = value;
    }
    const make: Make = (op, inputs, attrs) => this.#make(op, inputs, attrs ?? {}, '')[0];
    const outputs = node.output.findLastIndex((name) => name !== '') + 1;
    const upgraded = upgrade({ op: node.op_type ?? '', inputs, attrs, outputs }, opset, make);
    if (!('op' in upgraded)) return upgraded;
    return this.#apply(upgraded, node);
  }

  #apply(call: Call, node: NodeProto): readonly Value[] {
    const { file } = this.#source.context;
    const row = operatorRow(call.op) ?? {};
    const attrs = checkAttributes(call.op, call.attrs, row, labelOf(node), file);
    const inputs = [...call.inputs];
    while (inputs.at(-1) === null) inputs.pop();
    const results = this.#make(call.op, inputs, attrs, node.name || node.output[0] || '');
    if (results.length < call.outputs) {
      throw new FormatError(labelOf(node), { file, expected: `at most ${results.length} results`, got: `${call.outputs}` });
    }
    return results;
  }

  #attribute(proto: AttributeProto, where: string): Attr | undefined {
    const { tensors, context } = this.#source;
    const known = tensors.get(proto);
    if (known) return known;
    const value = readAttribute(proto, where, context);
    if (proto.t && typeof value === 'object' && 'data' in value) tensors.set(proto, value);
    return value;
  }

  /** Makes a node; its results, or constants where they are known already. */
  #make(op: string, inputs: readonly (Value | null)[], attrs: Readonly<Record<string, Attr>>, name: string): readonly Value[] {
    const node = makeNode(op, inputs, attrs, name);
    const operands = this.#foldable(node);
    return operands ? evaluateNode(node, operands).map((data) => constant(data, name)) : node.outputs;
  }

  /** The operands to evaluate the node with now, where that is possible and cheap. */
  #foldable(node: Node): (TensorData | null)[] | undefined {
    if (node.inputs.length === 0 || neverFolded.has(node.op)) return undefined;
    const limitOf = ({ dtype }: TensorType) => (dtypes[dtype].kind === 'float' ? maxFoldedFloats : maxFoldedInts);
    if (node.outputs.some((type) => extentOf(type) > limitOf(type))) return undefined;
    // These two read the type of their input alone.
    if (node.op === 'Shape' || node.op === 'Size') {
      const [{ dtype, shape }] = node.inputs as Value[];
      return [constantOf(node.inputs[0]) ?? { dtype, shape, data: new dtypes[dtype].array(0) }];
    }
    let size = node.outputs.reduce((sum, type) => sum + extentOf(type), 0);
    const operands: (TensorData | null)[] = [];
    for (const input of node.inputs) {
      const data = input && constantOf(input);
      if (data === undefined) return undefined;
      size += data ? extentOf(data) : 0;
      operands.push(data);
    }
    if (this.#folded + size > foldingBudget) return undefined;
    this.#folded += size;
    return operands;
  }

  #inlineBranch(
    node: NodeProto,
    inputs: readonly (Value | null)[],
    protos: ReadonlyMap<string, AttributeProto>,
    scope: Scope,
    opset: number,
    bound: ReadonlyMap<string, AttributeProto>,
    nesting: number,
  ): readonly Value[] {
    const { context, functions, branches } = this.#source;
    const { file } = context;
    const condition = constantOf(inputs[0]);
    if (!condition || condition.dtype !== 'bool' || condition.data.length !== 1) {
      throw new FormatError(labelOf(node), {
        file,
        expected: 'a condition that is known when the graph is built',
        got: condition ? `a ${condition.dtype} of ${condition.data.length} elements` : 'a computed one',
      });
    }
    const taken = toNumbers(condition)[0] ? 'then_branch' : 'else_branch';
    const graph = protos.get(taken)?.g;
    if (!graph) throw new FormatError(labelOf(node), { file, expected: `a graph in attribute '${taken}'`, got: 'none' });
    const outputs = graph.output.map(({ name }) => name ?? '');
    const constants = branches.get(graph) ?? readInitializers(graph, context);
    branches.set(graph, constants);
    const values = new Map(constants);
    checkOperators(graph.node, functions, file);
    checkNames({ nodes: graph.node, known: values.keys(), outputs }, (name) => lookup(scope, name) !== undefined, file);
    const inner: Scope = { values, outer: scope };
    this.run(graph.node, inner, opset, bound, nesting + 1);
    return outputs.map((name) => resultOf(inner, name, labelOf(node), file));
  }

  #inlineFunction(
    body: FunctionProto,
    inputs: readonly (Value | null)[],
    attributes: ReadonlyMap<string, AttributeProto>,
    nesting: number,
  ): readonly Value[] {
    const { context, opset } = this.#source;
    const { file } = context;
    const where = `function ${body.name}`;
    if (inputs.length > body.input.length) {
      throw new FormatError(where, { file, expected: `at most ${body.input.length} inputs`, got: `${inputs.length}` });
    }
    const bound = new Map(body.attribute_proto.map((proto) => [proto.name ?? '', proto]));
    for (const [name, proto] of attributes) bound.set(name, proto);
    const values = new Map<string, Value>();
    // An optional input that was left out is a name for nothing.
    const absent = new Set<string>();
    body.input.forEach((name, i) => (inputs[i] ? values.set(name, inputs[i]) : absent.add(name)));
    const nodes = absent.size === 0 ? body.node : body.node.map((node) => ({ ...node, input: node.input.map((name) => (absent.has(name) ? '' : name)) }));
    const inner: Scope = { values };
    checkNames({ nodes, known: values.keys(), outputs: body.output }, () => false, file);
    const version = body.opset_import.find(({ domain }) => isDefaultDomain(domain))?.version ?? opset;
    this.run(nodes, inner, version, bound, nesting + 1);
    return body.output.map((name) => resultOf(inner, name, where, file));
  }
}

/** Elements, an axis of none counted as one: even an empty tensor costs index tables for its other axes. */
const extentOf = ({ shape }: TensorType): number => shape.reduce((size, dim) => size * Math.max(dim, 1), 1);

function checkCounts(node: NodeProto, file?: string): void {
  const most = Math.max(node.input.length, node.output.length, node.attribute.length);
  if (most <= maxOperands) return;
  throw new FormatError(labelOf(node), { file, expected: `at most ${maxOperands} inputs, outputs and attributes`, got: `${most}` });
}

/** The node's attributes; inside a function some stand for those of the call, and are absent where the call has none. */
function bindAttributes(node: NodeProto, bound: ReadonlyMap<string, AttributeProto>, file?: string): Map<string, AttributeProto> {
  const attributes = new Map<string, AttributeProto>();
  for (const proto of node.attribute) {
    const name = proto.name ?? '';
    if (attributes.has(name)) throw new FormatError(labelOf(node), { file, expected: 'each attribute once', got: `'${name}' twice` });
    const actual = proto.ref_attr_name ? bound.get(proto.ref_attr_name) : proto;
    if (actual) attributes.set(name, actual);
  }
  return attributes;
}

/** @throws FormatError where a promised result was not computed. */
export function resultOf(scope: Scope, name: string, where: string, file?: string): Value {
  const value = lookup(scope, name);
  if (value) return value;
  throw new FormatError(where, { file, expected: `a value '${name}'`, got: 'an optional result that is not computed' });
}

/** A graph's initializers as constants, by name. @throws FormatError */
export function readInitializers(graph: Proto<'GraphProto'>, context: TensorContext): Map<string, Value> {
  const { file } = context;
  const values = new Map<string, Value>();
  if (graph.sparse_initializer.length > 0) {
    throw new FormatError('initializers', { file, expected: 'dense tensors', got: `${graph.sparse_initializer.length} sparse ones`, hint: 'sparse tensors are not supported' });
  }
  for (const proto of graph.initializer) {
    const name = proto.name ?? '';
    if (name === '' || values.has(name)) {
      throw new FormatError('initializers', { file, expected: 'a new name for each', got: name === '' ? 'none' : `'${name}' twice` });
    }
    values.set(name, constant(readTensor(proto, `initializer '${name}'`, context), name));
  }
  return values;
}
