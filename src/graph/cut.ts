/**
 * cutModel: a part of a model as a model of its own, from inner values on or up to inner values. Transfer learning keeps the
 * first part of a pretrained network as it is and trains the rest.
 */
import { GraphError } from './errors.ts';
import { type Graph, type Model, type ModelInput, topologicalOrder, type Value } from './node.ts';
import { input } from './registry.ts';
import { rewriteGraph } from './rewrite.ts';
import type { Shape } from './tensor-data.ts';

export interface Cut {
  /** Layers (or nodes) whose results the part is given, in place of the model's inputs. */
  readonly inputs?: readonly string[];
  /** Layers (or nodes) whose results the part gives, in place of the model's outputs. */
  readonly outputs?: readonly string[];
}

/**
 * Values keep the layout they have in the graph: those of an imported Keras model lie channels first. Where the part begins within
 * the model, nothing but the batch may be free.
 * @throws GraphError for a name that no layer has, or where the part reads the model's inputs by another way than its own
 */
export function cutModel(model: Model, { inputs: from, outputs: to }: Cut): Model {
  const part: Model = to ? { ...model, outputs: to, build: (shapes) => endAt(model.build(shapes), to) } : model;
  return from ? beginAt(part, from) : part;
}

const endAt = (graph: Graph, names: readonly string[]): Graph => ({ ...graph, outputs: names.map((name) => ({ name, value: valueOf(graph, name) })) });

/** The result of a layer: of the last of its nodes, whose names are the layer's or begin with it and a slash. */
function valueOf(graph: Graph, name: string): Value {
  const output = graph.outputs.find((one) => one.name === name);
  if (output) return output.value;
  const order = topologicalOrder(graph);
  // Where the layout changes between two layers, that node is no part of the first.
  const belongs = (node: string): boolean => node === name || (node.startsWith(`${name}/`) && !node.endsWith('/layout'));
  const node = order.findLast((one) => one.op !== 'Constant' && belongs(one.name));
  if (node) return node.outputs[0];
  const known = [...new Set(order.map((one) => one.name.split('/')[0]).filter(Boolean))];
  throw new GraphError(`cut of '${graph.name}'`, { expected: 'the name of a layer on the way', got: `'${name}'`, hint: `the last ones are ${known.slice(-6).join(', ')}` });
}

function beginAt(part: Model, names: readonly string[]): Model {
  const where = `cut of '${part.name}'`;
  const free = [...new Set(part.inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === 'string')))];
  if (free.length > 1) throw new GraphError(where, { expected: 'a model in which nothing but the batch is free', got: free.join(', ') });
  const built = (batch: number): Graph =>
    part.build(Object.fromEntries(part.inputs.map(({ name, shape }) => [name, shape.map((dim) => (typeof dim === 'number' ? dim : batch))])));
  // What the batch is an axis of shows where it is another.
  const [one, two] = [1, 2].map((batch) => {
    const graph = built(batch);
    return names.map((name) => valueOf(graph, name));
  });
  const inputs = names.map((name, i): ModelInput => {
    const shape = one[i].shape.map((size, axis) => (size === two[i].shape[axis] ? size : free[0]));
    return { name, dtype: one[i].dtype, shape };
  });
  return { ...part, inputs, build: (shapes) => replaceInputs(built(batchOf(where, inputs, shapes)), names) };
}

/** @throws GraphError where the shapes do not fit the inputs, or disagree about the batch */
function batchOf(where: string, inputs: readonly ModelInput[], shapes: Readonly<Record<string, Shape>> = {}): number {
  const sizes = new Set<number>();
  for (const { name, shape } of inputs) {
    const given = shapes[name] ?? shape;
    const fits = given.length === shape.length && given.every((size, axis) => Number.isSafeInteger(size) && (typeof shape[axis] === 'string' || shape[axis] === size));
    if (!fits) throw new GraphError(where, { expected: `'${name}' of shape [${shape.join(',')}]`, got: `[${given.join(',')}]` });
    shape.forEach((dim, axis) => typeof dim === 'string' && sizes.add(given[axis] as number));
  }
  if (sizes.size > 1) throw new GraphError(where, { expected: 'one batch', got: [...sizes].join(' and ') });
  return [...sizes][0] ?? 1;
}

function replaceInputs(graph: Graph, names: readonly string[]): Graph {
  const inputs = names.map((name) => ({ name, old: valueOf(graph, name) })).map(({ name, old }) => ({ name, old, value: input(name, old.dtype, old.shape) }));
  const result = rewriteGraph(graph, (node, original) => {
    const found = inputs.filter(({ old }) => old.node === original);
    return found.length === 0 ? undefined : node.outputs.map((value, i) => found.find(({ old }) => old.index === i)?.value ?? value);
  });
  const around = topologicalOrder(result).find((node) => node.op === 'Input' && !inputs.some(({ value }) => value.node === node));
  if (around) {
    const { name } = graph.inputs.find(({ value }) => value.node === around)!;
    throw new GraphError(`cut of '${graph.name}'`, { expected: `all ways to lead through ${names.join(', ')}`, got: `one from '${name}' that does not` });
  }
  return { ...result, inputs: inputs.map(({ name, value }) => ({ name, value })) };
}
