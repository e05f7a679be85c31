/** Keras's Sequential and Functional topologies, read as one thing: layers, the calls made of them, and their order. */
import { FormatError } from '../errors.ts';
import { Fields } from './fields.ts';

/** One output of one call of a layer. */
export interface Ref {
  readonly layer: number;
  readonly call: number;
  readonly output: number;
}

export interface Layer {
  readonly name: string;
  readonly className: string;
  readonly config: Fields;
  /** The operands of each call. An InputLayer has one call, without operands. */
  readonly calls: readonly (readonly Ref[])[];
  /** What the layer consists of where it is a model itself. */
  readonly network?: Network;
}

export interface Network {
  readonly name: string;
  readonly layers: readonly Layer[];
  readonly inputs: readonly Ref[];
  readonly outputs: readonly Ref[];
  /** The calls that the outputs need, each after those it reads. */
  readonly order: readonly Ref[];
}

/** A reference as the file has it: by name, and before the numbering of calls is known. */
interface NamedRef {
  readonly layer: string;
  readonly node: number;
  readonly output: number;
}

interface NamedLayer extends Pick<Layer, 'name' | 'className' | 'config' | 'network'> {
  readonly inbound: readonly (readonly NamedRef[])[];
}

const networkClasses = ['Sequential', 'Model', 'Functional'];
const maxDepth = 32;
/** A nested model is unrolled at each of its calls, so a small file could ask for any number of nodes. */
const maxCalls = 200_000;

/** Reads a topology of the class and config Keras wrote. @throws FormatError */
export function parseTopology(className: string, config: unknown, file?: string): Network {
  const network = parseNetwork(className, config, 'model', file, 0);
  const calls = countCalls(network);
  if (calls > maxCalls) throw new FormatError('topology', { file, expected: `at most ${maxCalls} layer calls`, got: `${calls}` });
  return network;
}

const countCalls = ({ layers }: Network): number =>
  layers.reduce((sum, { calls, network }) => sum + calls.length * (network ? countCalls(network) : 1), 0);

/** Keras before 2.2.3 wrote a Sequential's layers in place of its config. */
const configFields = (where: string, config: unknown, file?: string): Fields =>
  new Fields(where, Array.isArray(config) ? { layers: config } : config, file);

function parseNetwork(className: string, config: unknown, name: string, file: string | undefined, depth: number): Network {
  const where = `model '${name}'`;
  if (depth > maxDepth) throw new FormatError(where, { file, expected: `models nested at most ${maxDepth} deep`, got: 'more' });
  if (!networkClasses.includes(className)) {
    throw new FormatError('topology', { file, expected: `one of ${networkClasses.join(', ')}`, got: `'${className}'` });
  }
  const fields = configFields(where, config, file);
  const layers = fields.list('layers').map((value, i) => parseLayer(value, i, fields, depth));
  if (layers.length === 0) throw fields.wrong('layers', 'at least one layer');
  const title = fields.text('name', name);
  if (className === 'Sequential') {
    const chain = chained(layers, fields);
    const end = (layer: NamedLayer): NamedRef => ({ layer: layer.name, node: 0, output: 0 });
    return { name: title, ...linked(chain, [end(chain[0])], [end(chain.at(-1)!)], fields) };
  }
  return { name: title, ...linked(layers, parseRefs('input_layers', fields), parseRefs('output_layers', fields), fields) };
}

function parseLayer(value: unknown, i: number, owner: Fields, depth: number): NamedLayer {
  const { file } = owner;
  const layer = new Fields(`layer ${i} of ${owner.where}`, value, file);
  const className = layer.text('class_name');
  const name = layer.text('name', configFields(layer.where, layer.raw('config'), file).text('name', `layer_${i}`));
  const config = configFields(`layer '${name}' (${className})`, layer.raw('config'), file);
  const network = networkClasses.includes(className) ? parseNetwork(className, layer.raw('config'), name, file, depth + 1) : undefined;
  const inbound = className === 'InputLayer' ? [[]] : layer.list('inbound_nodes', []).map((call) => parseCall(call, layer));
  return { name, className, config, network, inbound };
}

// ---- references

/** `[name, node, output, ...]`; what follows are keyword arguments, which inference does not need. */
function parseRef(value: unknown, owner: Fields): NamedRef {
  const [layer, node, output] = Array.isArray(value) ? value : [];
  if (typeof layer !== 'string' || !Number.isSafeInteger(node) || !Number.isSafeInteger(output) || node < 0 || output < 0) {
    throw new FormatError(`references of ${owner.where}`, {
      file: owner.file,
      expected: '[layer, node, output]',
      got: (JSON.stringify(value) ?? 'nothing').slice(0, 80),
    });
  }
  return { layer, node, output };
}

const isRef = (value: unknown): boolean => Array.isArray(value) && typeof value[0] === 'string';

/** A list of references, or the one that Keras writes bare where there is only one. */
const refList = (value: unknown, owner: Fields): NamedRef[] =>
  (isRef(value) ? [value] : Array.isArray(value) ? value : [undefined]).map((ref) => parseRef(ref, owner));

const parseRefs = (name: string, owner: Fields): NamedRef[] => refList(owner.list(name), owner);

/** The operands of one call: Keras 2's list of references, or Keras 3's arguments with a `keras_history` in each tensor. */
function parseCall(call: unknown, owner: Fields): NamedRef[] {
  if (Array.isArray(call)) return refList(call, owner);
  const pending: unknown[] = [new Fields(owner.where, call, owner.file).raw('args')];
  const refs: NamedRef[] = [];
  while (pending.length > 0) {
    const value = pending.pop();
    if (Array.isArray(value)) pending.push(...value.toReversed());
    else if (typeof value === 'object' && value !== null) {
      refs.push(parseRef(new Fields(owner.where, (value as { config?: unknown }).config, owner.file).raw('keras_history'), owner));
    }
  }
  return refs;
}

// ---- Sequential

/** A Sequential's layers as a chain of calls behind an InputLayer. */
function chained(layers: readonly NamedLayer[], owner: Fields): NamedLayer[] {
  const chain = layers[0].className === 'InputLayer' ? [...layers] : [implicitInput(layers[0], owner), ...layers];
  return chain.map((layer, i) => (i === 0 ? layer : { ...layer, inbound: [[{ layer: chain[i - 1].name, node: 0, output: 0 }]] }));
}

function implicitInput(first: NamedLayer, owner: Fields): NamedLayer {
  const inner = first.network?.layers[first.network.inputs[0].layer].config;
  const known = [first.config, ...(inner ? [inner] : [])].find((config) => inputShape(config) !== undefined);
  const shape = known ? inputShape(known) : owner.raw('build_input_shape');
  if (shape === undefined) {
    throw first.config.wrong('batch_input_shape', 'the input shape of the first layer', 'build the model before saving it');
  }
  const name = `${first.name}_input`;
  const config = new Fields(`layer '${name}' (InputLayer)`, { batch_input_shape: shape, dtype: known?.raw('dtype') }, owner.file);
  return { name, className: 'InputLayer', config, inbound: [[]] };
}

/** Keras 2 and Keras 3 name it differently. */
export const inputShape = (config: Fields): unknown => config.raw('batch_input_shape') ?? config.raw('batch_shape');

// ---- linking

function linked(
  named: readonly NamedLayer[],
  inputs: readonly NamedRef[],
  outputs: readonly NamedRef[],
  owner: Fields,
): Pick<Network, 'layers' | 'inputs' | 'outputs' | 'order'> {
  const { file } = owner;
  const byName = new Map(named.map((layer, i) => [layer.name, i]));
  if (byName.size < named.length) {
    const twice = named.find((layer, i) => byName.get(layer.name) !== i)!.name;
    throw new FormatError(owner.where, { file, expected: 'layers of different names', got: `'${twice}' twice` });
  }
  // Keras counts the making of a nested model as its node 0, so calls of it are counted from 1; TF.js counts from 0.
  const usesNode0 = new Set<string>();
  for (const ref of [...named.flatMap(({ inbound }) => inbound.flat()), ...inputs, ...outputs]) {
    if (ref.node === 0) usesNode0.add(ref.layer);
  }
  const resolve = ({ layer, node, output }: NamedRef): Ref => {
    const i = byName.get(layer);
    const target = i === undefined ? undefined : named[i];
    const call = target?.network && !usesNode0.has(layer) ? node - 1 : node;
    const results = target?.network?.outputs.length ?? 1;
    if (i === undefined || call >= target!.inbound.length || output >= results) {
      throw new FormatError(owner.where, { file, expected: 'references to outputs of its layers', got: `output ${output} of call ${node} of '${layer}'` });
    }
    return { layer: i, call, output };
  };
  const layers = named.map(({ inbound, ...layer }): Layer => ({ ...layer, calls: inbound.map((refs) => refs.map(resolve)) }));
  for (const { name, network, calls } of layers) {
    const wrong = network && calls.find((operands) => operands.length !== network.inputs.length);
    if (wrong) throw new FormatError(`model '${name}'`, { file, expected: `${network.inputs.length} inputs`, got: `${wrong.length}` });
  }
  const links = { layers, inputs: inputs.map(resolve), outputs: outputs.map(resolve) };
  for (const { layer } of links.inputs) {
    if (layers[layer].className !== 'InputLayer') throw new FormatError(owner.where, { file, expected: 'InputLayers as inputs', got: `'${layers[layer].name}'` });
  }
  return { ...links, order: callOrder(layers, links.outputs, owner) };
}

/** Depth first from the outputs, with a stack of our own: a chain may be longer than the call stack is deep. */
function callOrder(layers: readonly Layer[], outputs: readonly Ref[], { where, file }: Fields): Ref[] {
  const order: Ref[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const stack: { ref: Ref; next: number }[] = [];
  const key = ({ layer, call }: Ref): string => `${layer}/${call}`;
  const visit = (ref: Ref): void => {
    const seen = state.get(key(ref));
    if (seen === 'open') throw new FormatError(where, { file, expected: 'a graph without cycles', got: `one through '${layers[ref.layer].name}'` });
    if (seen === 'done') return;
    state.set(key(ref), 'open');
    stack.push({ ref, next: 0 });
  };
  for (const output of outputs) {
    visit(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const operands = layers[top.ref.layer].calls[top.ref.call];
      if (top.next < operands.length) visit(operands[top.next++]);
      else {
        order.push(top.ref);
        state.set(key(top.ref), 'done');
        stack.pop();
      }
    }
  }
  return order;
}
