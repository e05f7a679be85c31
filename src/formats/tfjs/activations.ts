/** Keras's activations: a table from its names to graph nodes. */
import { apply, type Attrs, type Value } from '../../graph/index.ts';
import type { Fields } from './fields.ts';
import { heldAxis, scalar, shapeOf, type Tensor } from './layout.ts';

/** What wrote the file: Keras 3 and TF.js changed a few defaults. */
export type Dialect = 'keras2' | 'keras3' | 'tfjs';

interface ActivationContext {
  /** Where the last axis of Keras lies in the value: what softmax runs along. */
  readonly axis: number;
  readonly dialect: Dialect;
  readonly name: string;
}

type Activation = (x: Value, context: ActivationContext) => Value;

const op = (name: string, attrs: Attrs = {}): Activation => (x, context) => apply(name, [x], attrs, context.name);
const along = (name: string): Activation => (x, context) => apply(name, [x], { axis: context.axis }, context.name);
const identity: Activation = (x) => x;
const swish: Activation = (x, { name }) => apply('Mul', [x, apply('Sigmoid', [x], {}, name)], {}, name);

const activations: ReadonlyMap<string, Activation> = new Map<string, Activation>([
  ['linear', identity],
  ['relu', op('Relu')],
  ['relu6', (x, { name }) => clip(x, 0, 6, name)],
  ['leakyrelu', op('LeakyRelu', { alpha: 0.2 })],
  ['elu', op('Elu', { alpha: 1 })],
  ['selu', op('Selu')],
  ['sigmoid', op('Sigmoid')],
  // Keras 3 took the one of PyTorch.
  ['hardsigmoid', (x, { dialect, name }) => apply('HardSigmoid', [x], { alpha: dialect === 'keras3' ? 1 / 6 : 0.2, beta: 0.5 }, name)],
  ['tanh', op('Tanh')],
  ['softplus', op('Softplus')],
  ['softsign', op('Softsign')],
  ['exponential', op('Exp')],
  ['softmax', along('Softmax')],
  ['logsoftmax', along('LogSoftmax')],
  ['swish', swish],
  ['silu', swish],
  ['hardswish', op('HardSwish')],
  ['hardsilu', op('HardSwish')],
  ['mish', op('Mish')],
  ['gelu', op('Gelu', { approximate: 'none' })],
  ['gelunew', op('Gelu', { approximate: 'tanh' })],
]);

/** The name as the table has it: `hard_sigmoid`, `hardSigmoid` and `{class_name: 'HardSigmoid'}` are one. */
function nameOf(config: Fields, field: string): string {
  const raw = config.raw(field) ?? 'linear';
  const name = typeof raw === 'string' ? raw : config.child(field).text('class_name');
  const key = name.replaceAll('_', '').toLowerCase();
  // Keras 3 writes a plain function as {class_name: 'function', config: 'relu'}.
  return key === 'function' && typeof raw !== 'string' ? config.child(field).text('config').replaceAll('_', '').toLowerCase() : key;
}

/** The name of the activation a layer's config asks for, where there is none of that name here. */
export function unsupportedActivation(config: Fields, field = 'activation'): string | undefined {
  const name = nameOf(config, field);
  return activations.has(name) ? undefined : name;
}

/** Applies the activation a config names, in whichever order the tensor is held. @throws FormatError for an unknown one. */
export function activate(x: Tensor, config: Fields, dialect: Dialect, name: string, field = 'activation'): Tensor {
  const activation = activations.get(nameOf(config, field));
  if (!activation) throw config.wrong(field, 'an activation of Keras');
  const axis = heldAxis(x, shapeOf(x).length - 1);
  return { ...x, value: activation(x.value, { axis, dialect, name: activation === identity ? name : `${name}/${nameOf(config, field)}` }) };
}

/** Clip to constants; either bound may be left out. */
export function clip(x: Value, min: number | undefined, max: number | undefined, name: string): Value {
  const bound = (value: number | undefined) => (value === undefined ? null : scalar(value));
  return apply('Clip', [x, bound(min), bound(max)], {}, name);
}
