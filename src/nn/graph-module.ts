/** GraphModule: an imported model as a module, so that a pretrained network is trained like any other. */
import { constantOf, dtypes, formatType, type Graph, type Model, type Shape, topologicalOrder, type Value } from '../graph/index.ts';
import { applyOp, fromTensorData, Tensor } from '../tensor/index.ts';
import { ModuleError } from './errors.ts';
import { Buffer, Module, Parameter } from './module.ts';

export interface GraphModuleOptions {
  /** Input shapes to look for weights with, where those that the model leaves free cannot be 1. */
  readonly shapes?: Readonly<Record<string, Shape>>;
}

/** Most graphs that are kept, one for each set of input shapes. */
const mostGraphs = 8;

/**
 * The model's named float constants of one dimension or more are its parameters, under their names in the file (`conv1/kernel` of
 * Keras, `layer1.0.conv1.weight` of PyTorch's ONNX), in the file's layout. Batch normalisation keeps to the statistics that were
 * learnt, in training as well: they are buffers. That is what fine-tuning with small batches wants; its scale and shift are
 * parameters like others. Dropout is left out, as it is in the file. `cutModel` gives a part of a model.
 */
export class GraphModule extends Module {
  readonly #model: Model;
  readonly #state: ReadonlyMap<string, Tensor>;
  readonly #graphs = new Map<string, Graph>();

  /** @throws ModuleError for a weight whose name a module has taken already; what the model's `build` throws */
  constructor(model: Model, { shapes = freeAsOne(model) }: GraphModuleOptions = {}) {
    super();
    this.#model = model;
    const state = new Map<string, Tensor>();
    const graph = model.build(shapes);
    for (const { op, inputs } of topologicalOrder(graph)) {
      inputs.forEach((value, i) => {
        const data = constantOf(value);
        const name = value?.node.name;
        if (!data || !name || state.has(name) || data.shape.length === 0 || dtypes[data.dtype].kind !== 'float') return;
        if (name in this) throw new ModuleError('GraphModule', { expected: 'another name of a weight', got: `'${name}', which a module has taken` });
        const isStatistic = op === 'BatchNormalization' && i >= 3;
        state.set(name, isStatistic ? new Buffer(fromTensorData(data)) : new Parameter(fromTensorData(data)));
      });
    }
    Object.assign(this, Object.fromEntries(state));
    this.#state = state;
  }

  /** The model's inputs, in order, to its only output. @throws ModuleError where it has several, or the inputs do not fit */
  forward(...inputs: Tensor[]): Tensor {
    const results = this.outputs(...inputs);
    const names = Object.keys(results);
    if (names.length !== 1) throw new ModuleError(`GraphModule '${this.#model.name}'`, { expected: 'one output', got: names.join(', '), hint: 'outputs() gives all of them' });
    return results[names[0]];
  }

  /** As `forward`, all outputs by name. */
  outputs(...inputs: Tensor[]): Record<string, Tensor> {
    this.#check(inputs);
    const graph = this.#graphFor(inputs);
    const tensors = new Map<Value, Tensor>(graph.inputs.map(({ value }, i) => [value, inputs[i]]));
    for (const node of topologicalOrder(graph)) {
      const weight = node.op === 'Constant' ? this.#state.get(node.name) : undefined;
      if (weight) tensors.set(node.outputs[0], weight);
      // What hangs on constants alone stays as it is.
      if (!node.inputs.some((value) => value && tensors.has(value))) continue;
      const results = applyOp(node.op, node.inputs.map((value) => value && (tensors.get(value) ?? value)), node.attrs);
      node.outputs.forEach((value, i) => tensors.set(value, results[i]));
    }
    return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, tensors.get(value) ?? new Tensor(value)]));
  }

  #check(inputs: readonly Tensor[]): void {
    const wanted = this.#model.inputs;
    const isWanted = wanted.length === inputs.length && wanted.every(({ dtype }, i) => inputs[i].dtype === dtype);
    if (isWanted) return;
    const expected = wanted.map(({ dtype, shape }) => `${dtype}[${shape.join(',')}]`).join(', ');
    throw new ModuleError(`GraphModule '${this.#model.name}'`, { expected, got: inputs.map(({ value }) => formatType(value)).join(', ') || 'nothing' });
  }

  #graphFor(inputs: readonly Tensor[]): Graph {
    const key = inputs.map(({ shape }) => shape.join()).join(';');
    const graph = this.#graphs.get(key) ?? this.#model.build(Object.fromEntries(this.#model.inputs.map(({ name }, i) => [name, inputs[i].shape])));
    this.#graphs.delete(key);
    this.#graphs.set(key, graph);
    if (this.#graphs.size > mostGraphs) this.#graphs.delete(this.#graphs.keys().next().value!);
    return graph;
  }

  override extraRepr(): string {
    return this.#model.name;
  }
}

const freeAsOne = ({ inputs }: Model): Record<string, Shape> =>
  Object.fromEntries(inputs.map(({ name, shape }) => [name, shape.map((dim) => (typeof dim === 'number' ? dim : 1))]));
