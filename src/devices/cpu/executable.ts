/** A loaded program as an Executable: inputs bound or written, results read, runs one after the other. */
import { dtypes, formatType, sameShape, sizeOf, type TensorData, tensorData, type TypedArray } from '../../graph/index.ts';
import type { Executable, ProfileRecord, RunOptions, TensorSpec } from '../device.ts';
import { bytesOfView, type MemoryPlan, type Plan, PlanError, type Storage, type View } from './plan/index.ts';
import { type Block, type Execution, type Runtime, view as viewBlock } from './runtime/index.ts';

export interface Place {
  readonly block: Block;
  readonly offset: number;
}

export interface Parts {
  readonly planned: Plan;
  readonly memory: MemoryPlan;
  readonly runtime: Runtime;
  readonly execution: Execution;
  readonly constants: ReadonlyMap<Storage, Place>;
  readonly slots: ReadonlyMap<Storage, string>;
  readonly threads: number;
  readonly info: Executable['info'];
}

/** An input or output: its bytes in the arena or among the constants, or the slot that is bound to the caller's array. */
interface Port extends TensorSpec {
  readonly place: Uint8Array | string;
  /** Of an output: the input whose memory it is written into. */
  readonly updates?: string;
}

export function makeExecutable({ planned, memory, runtime, execution, constants, slots, threads, info }: Parts): Executable {
  const spec = ({ name, view }: Plan['inputs'][number]): TensorSpec => ({ name, dtype: view.dtype, shape: view.shape });
  const placeOf = (view: View): Place => {
    const shift = view.offset * dtypes[view.dtype].bytes;
    const constant = constants.get(view.storage);
    if (constant) return { block: constant.block, offset: constant.offset + shift };
    // An input or output that no step touches has no place, and no elements worth one.
    return { block: execution.arena, offset: (memory.offsets.get(view.storage) ?? 0) + shift };
  };
  const port = (tensor: Plan['outputs'][number]): Port => {
    const { view, updates } = tensor;
    return { ...spec(tensor), updates, place: slots.get(view.storage) ?? viewBytes(placeOf(view), bytesOfView(view.shape, view.dtype)) };
  };
  const inputs = planned.inputs.map(port);
  const outputs = planned.outputs.map(port);
  const updated = inputs.filter(({ name }) => outputs.some(({ updates }) => updates === name));
  const binding = bindings(runtime, execution);
  let records: ProfileRecord[] = [];
  let disposed = false;
  let inFlight: Promise<unknown> | undefined;

  const write = (values: Readonly<Record<string, TensorData>>, into: RunOptions['into'] = {}): TensorData[] => {
    if (disposed) throw new PlanError('this executable was disposed of');
    for (const input of inputs) {
      const value = values[input.name];
      checkType(`input '${input.name}'`, value, input);
      if (typeof input.place !== 'string') input.place.set(bytesIn(value.data));
      else binding.toInput(input.place, value.data);
    }
    return outputs.map((output) => {
      const { name, dtype, shape, place, updates } = output;
      if (updates !== undefined) return values[updates];
      if (into[name]) checkType(`output '${name}'`, into[name], output);
      const isBound = typeof place === 'string';
      const result = into[name] ?? tensorData(dtype, shape, isBound ? boundArray(output) : new dtypes[dtype].array(sizeOf(shape)));
      if (isBound) binding.toOutput(place, result.data);
      return result;
    });
  };
  const boundArray = ({ dtype, shape }: TensorSpec): TypedArray => {
    const { buffer, byteOffset } = runtime.array(bytesOfView(shape, dtype));
    return new dtypes[dtype].array(buffer, byteOffset, sizeOf(shape));
  };
  const read = (values: Readonly<Record<string, TensorData>>, results: readonly TensorData[]): Record<string, TensorData> => {
    for (const { name, place } of updated) {
      if (typeof place === 'string') binding.copyBack(place, values[name].data);
      else bytesIn(values[name].data).set(place);
    }
    const named: Record<string, TensorData> = {};
    outputs.forEach(({ name, place, updates }, i) => {
      if (typeof place !== 'string' && updates === undefined) bytesIn(results[i].data).set(place);
      named[name] = results[i];
    });
    return named;
  };
  const profiled = (options: RunOptions | undefined) => execution.profile(options?.profile === true);
  const keep = (options: RunOptions | undefined) => {
    if (!options?.profile) return;
    records = execution.records.map((record) => ({
      op: record.op,
      name: record.name ?? '',
      shapes: record.shapes ?? '',
      layout: record.layout ?? '',
      epilogue: record.epilogue ?? '',
      isa: info.isa,
      threads: record.threads,
      ms: record.milliseconds,
    }));
  };
  return {
    inputs: planned.inputs.map(spec),
    outputs: planned.outputs.map(spec),
    info,
    run(values, options) {
      if (inFlight) throw new PlanError('run: an asynchronous run is in flight; await it first');
      const results = write(values, options?.into);
      profiled(options);
      execution.run(threads);
      keep(options);
      return read(values, results);
    },
    async runAsync(values, options) {
      // Inputs are taken now: the caller may change them while the run waits for its turn, or runs.
      const taken = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { ...value, data: value.data.slice() as TypedArray }]));
      const before = inFlight;
      const mine = (async () => {
        await before?.catch(() => {});
        const results = write(taken, options?.into);
        profiled(options);
        await execution.runAsync(threads);
        keep(options);
        return read(taken, results);
      })();
      inFlight = mine;
      try {
        return await mine;
      } finally {
        if (inFlight === mine) inFlight = undefined;
      }
    },
    profile: () => records,
    dispose() {
      if (inFlight) throw new PlanError('dispose: an asynchronous run is in flight; await it first');
      if (disposed) return;
      disposed = true;
      execution.dispose();
    },
  };
}

/** What the slots of an execution are bound to: arrays that generated code reaches, or room of their own for all others. */
function bindings(runtime: Runtime, execution: Execution) {
  const bound = new Map<string, TypedArray>();
  const rooms = new Map<string, Uint8Array>();
  /** Whether the array itself is bound now. What was bound last time costs nothing. */
  const bind = (slot: string, data: TypedArray): boolean => {
    if (bound.get(slot) === data) return true;
    const block = runtime.reach(data);
    if (!block) return false;
    execution.bind(slot, block);
    bound.set(slot, data);
    return true;
  };
  const roomFor = (slot: string, bytes: number): Uint8Array => {
    let room = rooms.get(slot);
    if (!room) {
      const block = runtime.allocate(bytes);
      rooms.set(slot, (room = viewBlock(block, Uint8Array)));
    }
    bind(slot, room);
    return room;
  };
  return {
    toInput(slot: string, data: TypedArray): void {
      if (!bind(slot, data)) roomFor(slot, data.byteLength).set(bytesIn(data));
    },
    toOutput(slot: string, data: TypedArray): void {
      if (!bind(slot, data)) throw new PlanError(`${slot}: an array that generated code does not reach`);
    },
    copyBack(slot: string, data: TypedArray): void {
      if (bound.get(slot) !== data) bytesIn(data).set(rooms.get(slot) as Uint8Array);
    },
  };
}

const bytesIn = (data: TypedArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const viewBytes = ({ block, offset }: Place, bytes: number): Uint8Array =>
  viewBlock(block, Uint8Array, Math.min(offset, block.bytes - bytes), bytes);

function checkType(where: string, value: TensorData | undefined, type: TensorSpec): void {
  const fits = value?.dtype === type.dtype && sameShape(value.shape, type.shape);
  if (!fits) throw new PlanError(`${where}: expected ${formatType(type)}, got ${value ? formatType(value) : 'nothing'}`);
  // An array that was transferred to another thread is empty.
  if (value.data.length !== sizeOf(type.shape)) throw new PlanError(`${where}: expected ${sizeOf(type.shape)} elements, got ${value.data.length}`);
}
