/** Inference: a model from any door, compiled for a device and run, with every input checked. Names follow OpenVINO. */
import type { Graph, Model } from '../graph/index.ts';
import { type Device, devices } from '../devices/index.ts';
import { CompiledModel, type EngineOptions } from './compiled-model.ts';
import { EngineError } from './errors.ts';

export { CompiledModel, type EngineOptions } from './compiled-model.ts';
export { EngineError } from './errors.ts';
export type { Inputs } from './inputs.ts';

/**
 * Makes a model, or a graph, ready to run on a device. Nothing is compiled yet: that happens for the input shapes that
 * `infer` meets, or when `compile(shapes)` is called.
 * @throws EngineError for a device that is not known.
 */
export function compileModel(model: Model | Graph, device: Device | string = 'cpu', options: EngineOptions = {}): CompiledModel {
  return new CompiledModel(model, typeof device === 'string' ? named(device) : device, options);
}

function named(name: string): Device {
  if (Object.hasOwn(devices, name)) return devices[name];
  throw new EngineError('device', { expected: `one of ${Object.keys(devices).join(', ')}`, got: `'${name}'` });
}
