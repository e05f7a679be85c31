/** TF.js layers models (Keras's layers as JSON, weights in shards) become Models, computed with channels first. */
import { apply, dtypes, type DType, type Graph, input, type Model, type ModelInput } from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import { bindShapes } from '../shapes.ts';
import { type Dialect, unsupportedActivation } from './activations.ts';
import { inLayer } from './call.ts';
import { Constants } from './constants.ts';
import { Fields } from './fields.ts';
import { asIs, plain, type Tensor } from './layout.ts';
import { layerRules } from './layers.ts';
import { inputShape, type Layer, type Network, parseTopology, type Ref } from './topology.ts';
import { type ReadShard, readWeights } from './weights.ts';

export type { ReadShard } from './weights.ts';

export interface TfjsOptions {
  /** Name of the model; by default the one in the file. */
  readonly name?: string;
  /** The file that is being read, for messages. */
  readonly file?: string;
}

/**
 * Imports a layers model: `modelJson` is the text of model.json or its parsed value, `readShard` gives a shard's bytes by
 * its path in the manifest (always inside the model's folder). Inputs and outputs are as in Keras, channels last; null
 * dimensions are free, the first one as `batch`. Weights become constants at the first `build`, once.
 * @throws FormatError for anything the file has wrong, and for layers that are not supported, all of them at once.
 */
export async function importTfjs(modelJson: unknown, readShard: ReadShard, options: TfjsOptions = {}): Promise<Model> {
  const { file } = options;
  const model = new Fields('model.json', typeof modelJson === 'string' ? parseJson(modelJson, file) : modelJson, file);
  const format = model.text('format', 'layers-model');
  if (format !== 'layers-model') {
    throw model.wrong('format', "'layers-model'", format === 'graph-model' ? 'convert the Keras model with --output_format=tfjs_layers_model' : undefined);
  }
  const topology = model.child('modelTopology');
  const config = topology.has('model_config') ? topology.child('model_config') : topology;
  const network = parseTopology(config.text('class_name'), config.raw('config'), file);
  const dialect = dialectOf(topology.text('keras_version', config.text('keras_version', '2')));
  refuseUnsupported(network, file);
  const constants = new Constants(await readWeights(model.list('weightsManifest', []), readShard, file), file);

  const inputs = network.inputs.map((ref) => modelInput(network.layers[ref.layer]));
  const outputs = outputNames(network);
  const name = options.name ?? network.name;
  const build = (shapes?: Readonly<Record<string, readonly number[]>>): Graph => {
    const values = bindShapes(inputs, shapes, file).map((shape, i) => input(inputs[i].name, inputs[i].dtype, shape));
    const results = run(network, values.map(asIs), { constants, dialect, file }, []);
    return {
      name,
      inputs: values.map((value, i) => ({ name: inputs[i].name, value })),
      outputs: results.map((result, i) => ({ name: outputs[i], value: plain(result) })),
    };
  };
  return { name, inputs, outputs, build };
}

function parseJson(text: string, file?: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormatError('model.json', { file, expected: 'JSON', got: (error as Error).message });
  }
}

function dialectOf(kerasVersion: string): Dialect {
  if (kerasVersion.startsWith('tfjs')) return 'tfjs';
  return kerasVersion.startsWith('3') ? 'keras3' : 'keras2';
}

/** @throws FormatError that lists every layer and activation there is no rule for. */
function refuseUnsupported(network: Network, file?: string): void {
  const missing: string[] = [];
  const collect = ({ layers }: Network): void => {
    for (const { className, name, config, network: inner } of layers) {
      if (inner) collect(inner);
      else if (className !== 'InputLayer' && !layerRules.has(className)) missing.push(`${className} '${name}'`);
      else {
        const activation = unsupportedActivation(config);
        if (activation !== undefined) missing.push(`activation ${activation} of '${name}'`);
      }
    }
  };
  collect(network);
  if (missing.length === 0) return;
  const shown = missing.slice(0, 50).join(', ') + (missing.length > 50 ? `, and ${missing.length - 50} more` : '');
  throw new FormatError('layers', { file, expected: 'supported ones', got: shown, hint: 'Lambda and custom layers hold code and cannot be imported' });
}

function modelInput({ name, config }: Layer): ModelInput {
  const raw = inputShape(config);
  if (!Array.isArray(raw) || raw.length === 0 || !raw.every((dim) => dim === null || (Number.isSafeInteger(dim) && dim > 0 && dim < 2 ** 31))) {
    throw config.wrong('batch_input_shape', 'a list of sizes, null where free');
  }
  const dtype = config.raw('dtype') ?? 'float32';
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypes, dtype)) throw config.wrong('dtype', 'an element type');
  return { name, dtype: dtype as DType, shape: raw.map((dim, axis) => dim ?? (axis === 0 ? 'batch' : `${name}_${axis}`)) };
}

function outputNames({ layers, outputs }: Network): string[] {
  const names = outputs.map(({ layer }) => layers[layer].name);
  return names.map((name, i) => (names.indexOf(name) === i ? name : `${name}:${i}`));
}

interface Scope {
  readonly constants: Constants;
  readonly dialect: Dialect;
  readonly file: string | undefined;
}

/** Makes a network's nodes; `path` names the models around it. */
function run(network: Network, inputs: readonly Tensor[], scope: Scope, path: readonly string[]): Tensor[] {
  const results = new Map<string, readonly Tensor[]>();
  const key = ({ layer, call }: Ref): string => `${layer}/${call}`;
  const resultOf = (ref: Ref): Tensor => results.get(key(ref))![ref.output];
  for (const ref of network.order) {
    const layer = network.layers[ref.layer];
    const operands = layer.calls[ref.call].map(resultOf);
    const place = [...path, layer.name];
    if (layer.className === 'InputLayer') {
      const position = network.inputs.findIndex((given) => given.layer === ref.layer);
      if (position < 0) throw new FormatError(layer.config.where, { file: scope.file, expected: 'it among the inputs of the model', got: 'it only in the graph' });
      results.set(key(ref), [inputs[position]]);
    } else {
      results.set(key(ref), layer.network ? run(layer.network, operands, scope, place) : [runLayer(layer, operands, scope, place)]);
    }
  }
  return network.outputs.map(resultOf);
}

function runLayer({ className, config }: Layer, operands: readonly Tensor[], scope: Scope, path: readonly string[]): Tensor {
  if (operands.length === 0) throw new FormatError(config.where, { file: scope.file, expected: 'at least 1 input', got: '0' });
  const name = path.join('/');
  return inLayer({ config }, () =>
    layerRules.get(className)!({
      name,
      config,
      // Keras computes in floats whatever comes in; only indices stay whole.
      inputs: className === 'Embedding' ? operands : operands.map((tensor) => asFloat(tensor, name)),
      dialect: scope.dialect,
      weight: (weight, rank, arrangement = 'as-is') => scope.constants.get(path, weight, rank, arrangement),
    }),
  );
}

const asFloat = (tensor: Tensor, name: string): Tensor =>
  tensor.value.dtype === 'float32' ? tensor : { ...tensor, value: apply('Cast', [tensor.value], { to: 'float32' }, name) };
