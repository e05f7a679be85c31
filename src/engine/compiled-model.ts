/**
 * A model made ready to run: one Executable for each set of input shapes that was met, the latest few kept. It checks what it
 * is given, so that whatever reaches a device fits.
 */
import { formatType, type Graph, type Model, type ModelInput, sameShape, type Shape, type TensorData } from '../graph/index.ts';
import type { CompileOptions, Device, Executable, ProfileRecord, RunOptions } from '../devices/index.ts';
import { EngineError } from './errors.ts';
import { checkInputs, type Inputs } from './inputs.ts';

export interface EngineOptions extends CompileOptions {
  /** How many Executables, one for each set of input shapes, are kept. Default 8; the one not used for longest goes first. */
  readonly maxExecutables?: number;
}

/** An Executable and the asynchronous runs of it that are under way. */
interface Slot {
  readonly executable: Executable;
  running: number;
  evicted: boolean;
}

/** Made by `compileModel`. */
export class CompiledModel {
  readonly name: string;
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly string[];
  readonly device: Device;
  private readonly source: Pick<Model, 'build'>;
  private readonly options: CompileOptions;
  private readonly maxExecutables: number;
  /** By input shapes, the one used last at the end. */
  private readonly slots = new Map<string, Slot>();
  private latest: Executable | undefined;
  private disposed = false;

  constructor(model: Model | Graph, device: Device, options: EngineOptions) {
    const { maxExecutables = 8, ...compileOptions } = options;
    if (!Number.isInteger(maxExecutables) || maxExecutables < 1) {
      throw new EngineError('maxExecutables', { expected: 'a whole number of at least 1', got: `${maxExecutables}` });
    }
    const source = 'build' in model ? model : asModel(model);
    this.name = source.name;
    this.inputs = source.inputs;
    this.outputs = source.outputs;
    this.device = device;
    this.source = source;
    this.options = compileOptions;
    this.maxExecutables = maxExecutables;
  }

  /**
   * Runs the model on the calling thread and the pool; returns one tensor for each output, by name.
   * @throws EngineError where the inputs do not fit; what the device throws where it cannot compile or run the model.
   */
  infer(inputs: Inputs, options?: RunOptions): Record<string, TensorData> {
    const tensors = checkInputs(this.inputs, inputs);
    const { executable } = this.slotFor(shapesOf(tensors));
    this.latest = executable;
    return executable.run(tensors, options);
  }

  /** As `infer`, while the event loop stays free. The inputs may be changed as soon as it returns its promise. */
  async inferAsync(inputs: Inputs, options?: RunOptions): Promise<Record<string, TensorData>> {
    const tensors = checkInputs(this.inputs, inputs);
    const slot = this.slotFor(shapesOf(tensors));
    this.latest = slot.executable;
    slot.running++;
    try {
      return await slot.executable.runAsync(tensors, options);
    } finally {
      slot.running--;
      if (slot.evicted && slot.running === 0) slot.executable.dispose();
    }
  }

  /**
   * Compiles for these input shapes now rather than at the first `infer` with them. Inputs whose shape the model fixes may be
   * left out. The Executable stays the model's own: do not dispose of it.
   */
  compile(shapes: Readonly<Record<string, Shape>> = {}): Executable {
    const graph = this.source.build(shapes);
    const concrete = Object.fromEntries(graph.inputs.map(({ name, value }) => [name, value.shape]));
    return this.slotFor(concrete, () => graph).executable;
  }

  /** Records of the latest run, where it was run with `profile: true`. */
  profile(): readonly ProfileRecord[] {
    return this.latest?.profile() ?? [];
  }

  /** Gives memory back now rather than when it is collected; runs under way end first. */
  dispose(): void {
    this.disposed = true;
    this.latest = undefined;
    for (const key of [...this.slots.keys()]) this.evict(key);
  }

  private slotFor(shapes: Readonly<Record<string, Shape>>, build = () => this.source.build(shapes)): Slot {
    if (this.disposed) throw new EngineError(`model '${this.name}'`, { expected: 'a model in use', got: 'one that was disposed of' });
    const key = JSON.stringify(this.inputs.map(({ name }) => shapes[name]));
    const slot = this.slots.get(key) ?? { executable: this.device.compile(build(), this.options), running: 0, evicted: false };
    // A Map keeps the order of insertion: what was used last goes to the end.
    this.slots.delete(key);
    this.slots.set(key, slot);
    if (this.slots.size > this.maxExecutables) this.evict(this.slots.keys().next().value as string);
    return slot;
  }

  private evict(key: string): void {
    const slot = this.slots.get(key) as Slot;
    this.slots.delete(key);
    slot.evicted = true;
    if (slot.running === 0) slot.executable.dispose();
  }
}

const shapesOf = (tensors: Readonly<Record<string, TensorData>>): Record<string, Shape> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));

/** A Graph is a Model of one shape. */
function asModel(graph: Graph): Model {
  const inputs = graph.inputs.map(({ name, value: { dtype, shape } }) => ({ name, dtype, shape }));
  return {
    name: graph.name,
    inputs,
    outputs: graph.outputs.map(({ name }) => name),
    build(shapes = {}) {
      for (const [name, shape] of Object.entries(shapes)) {
        const input = inputs.find((candidate) => candidate.name === name);
        if (!input) throw new EngineError(`shape of '${name}'`, { expected: `one of the inputs ${inputs.map((known) => known.name).join(', ')}` });
        if (!sameShape(input.shape, shape)) throw new EngineError(`shape of '${name}'`, { expected: formatType(input), got: `[${shape.join(',')}]` });
      }
      return graph;
    },
  };
}
