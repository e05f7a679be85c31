/** plan -> Executable: constants placed, setup steps run once, an execution with its arena, results read back. */
import { dtypes, formatType, type Graph, sameShape, sizeOf, type TensorData, tensorData, type TypedArray } from '../../graph/index.ts';
import type { CompileOptions, Executable, ProfileRecord, RunOptions, TensorSpec } from '../device.ts';
import { bytesOfView, type MemoryPlan, plan, type Plan, planMemory, type PlannedStep, PlanError, type Storage, type View } from './plan/index.ts';
import { type Block, type BufferRef, type Code, type Execution, getRuntime, type Runtime, type StepSpec, view as viewBlock } from './runtime/index.ts';

export function compile(graph: Graph, options: CompileOptions = {}): Executable {
  const start = performance.now();
  const runtime = getRuntime(options.isa);
  const threads = options.threads ?? runtime.threads;
  runtime.startThreads(threads);
  const planned = plan(graph, runtime.isa);
  const code = runtime.load(planned.kernels);
  const constants = placeConstants(runtime, code, planned, threads);
  const slots = slotsOf(runtime, planned);
  const storagesOf = (tensors: Plan['inputs']) => tensors.map(({ view }) => view.storage);
  const memory = planMemory(planned.steps, storagesOf(planned.inputs), storagesOf(planned.outputs), (storage) => !storage.constant && !slots.has(storage));
  const execution = runtime.createExecution(code, stepsOf(planned.steps, memory, constants, slots), memory.bytes);
  for (const { offset, bytes, fill } of memory.fills) {
    viewBlock(execution.arena, Float32Array, offset, bytes / 4).fill(fill);
  }
  const constantBytes = [...new Set([...constants.values()].map(({ block }) => block))].reduce((sum, block) => sum + block.bytes, 0);
  const info = {
    isa: runtime.isa.name,
    threads,
    steps: planned.steps.length,
    kernels: planned.kernels.length,
    arenaBytes: memory.bytes,
    constantBytes,
    compileMs: performance.now() - start,
  };
  return executable({ planned, memory, runtime, execution, constants, slots, threads, info });
}

/** Tensors from this size on are read and written where the caller has them; smaller ones are copied sooner than bound. */
const boundBytes = 64 * 1024;

/** Inputs and outputs that lie in the caller's arrays: native code reads any memory, wasm only its own. */
function slotsOf(runtime: Runtime, planned: Plan): Map<Storage, string> {
  const slots = new Map<Storage, string>();
  if (runtime.isa.name === 'wasm') return slots;
  const touched = new Set(planned.steps.flatMap(({ args }) => args.map(({ storage }) => storage)));
  // Memory that is input and output, or two outputs, at once stays ours: one array of the caller's cannot be both.
  const ports = [...planned.inputs, ...planned.outputs].map(({ view }) => view.storage);
  const add = (prefix: string) => ({ name, view }: Plan['inputs'][number]) => {
    const { storage } = view;
    const whole = view.offset === 0 && storage.bytes === bytesOfView(view.shape, view.dtype);
    const shared = ports.filter((other) => other === storage).length > 1;
    const fits = whole && !shared && storage.bytes >= boundBytes && !storage.constant && !storage.fixed && touched.has(storage);
    if (fits) slots.set(storage, `${prefix}${name}`);
  };
  planned.inputs.forEach(add('input '));
  planned.outputs.forEach(add('output '));
  return slots;
}

interface Place {
  readonly block: Block;
  readonly offset: number;
}

/** Steps for the runtime: each argument in a slot, in a block of constants, or else in the arena. */
function stepsOf(steps: readonly PlannedStep[], memory: MemoryPlan, constants: ReadonlyMap<Storage, Place>, slots?: ReadonlyMap<Storage, string>): StepSpec[] {
  const refOf = ({ storage, offsetBytes }: PlannedStep['args'][number]): BufferRef => {
    const slot = slots?.get(storage);
    if (slot !== undefined) return { slot, offset: offsetBytes };
    const place = constants.get(storage);
    if (place) return { block: place.block, offset: place.offset + offsetBytes };
    return { arena: (memory.offsets.get(storage) as number) + offsetBytes };
  };
  return steps.map(({ kernel, tasks, label, args }) => ({ kernel, tasks, label, args: args.map(refOf) }));
}

/**
 * Runs the setup steps and returns where each constant that the program reads lies. What only setup reads is given back:
 * weights as they came in the file do not stay beside the packed ones.
 */
function placeConstants(runtime: Runtime, code: Code, planned: Plan, threads: number): Map<Storage, Place> {
  const kept = new Set<Storage>();
  for (const { args } of planned.steps) for (const { storage } of args) if (storage.constant) kept.add(storage);
  for (const { view } of planned.outputs) if (view.storage.constant) kept.add(view.storage);

  const places = new Map<Storage, Place>();
  const temporary: Block[] = [];
  const aligned = (bytes: number) => Math.ceil(bytes / 64) * 64;
  // One block for all that is kept and made here or copied here; originals that only setup reads lie apart.
  let bytes = 0;
  const offsets = new Map<Storage, number>();
  for (const storage of kept) {
    offsets.set(storage, bytes);
    bytes += aligned(storage.bytes);
  }
  const block = runtime.allocate(bytes);
  for (const [storage, offset] of offsets) {
    places.set(storage, { block, offset });
    if (storage.data) copyInto(block, offset, storage.data);
    fillFixed(storage, block, offset);
  }
  if (planned.setup.length > 0) {
    const temporaries = planMemory(planned.setup, [], [], (storage) => !kept.has(storage) && !storage.data);
    for (const { args } of planned.setup) {
      for (const { storage } of args) {
        if (places.has(storage) || !storage.data) continue;
        const own = runtime.wrap(storage.data);
        temporary.push(own);
        places.set(storage, { block: own, offset: 0 });
      }
    }
    const execution = runtime.createExecution(code, stepsOf(planned.setup, temporaries, places), temporaries.bytes);
    for (const [storage, offset] of temporaries.offsets) fillFixed(storage, execution.arena, offset);
    execution.run(threads);
    execution.dispose();
    for (const own of temporary) runtime.free(own);
  }
  for (const storage of places.keys()) if (!kept.has(storage)) places.delete(storage);
  return places;
}

function fillFixed(storage: Storage, block: Block, offset: number): void {
  if (storage.fixed && storage.fixed.fill !== 0) viewBlock(block, Float32Array, offset, storage.bytes / 4).fill(storage.fixed.fill);
}

function copyInto(block: Block, offset: number, data: TypedArray): void {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  viewBlock(block, Uint8Array, offset, bytes.length).set(bytes);
}

interface Parts {
  readonly planned: Plan;
  readonly memory: MemoryPlan;
  readonly runtime: Runtime;
  readonly execution: Execution;
  readonly constants: Map<Storage, Place>;
  readonly slots: Map<Storage, string>;
  readonly threads: number;
  readonly info: Executable['info'];
}

/** An input or output: its bytes in the arena or among the constants, or the slot that is bound to the caller's array. */
interface Port extends TensorSpec {
  readonly bytes?: Uint8Array;
  readonly slot?: string;
}

function executable({ planned, memory, runtime, execution, constants, slots, threads, info }: Parts): Executable {
  const spec = ({ name, view }: Plan['inputs'][number]): TensorSpec => ({ name, dtype: view.dtype, shape: view.shape });
  const placeOf = (view: View): Place => {
    const shift = view.offset * dtypes[view.dtype].bytes;
    const constant = constants.get(view.storage);
    if (constant) return { block: constant.block, offset: constant.offset + shift };
    // An input or output that no step touches has no place, and no elements worth one.
    return { block: execution.arena, offset: (memory.offsets.get(view.storage) ?? 0) + shift };
  };
  const port = (tensor: Plan['inputs'][number]): Port => {
    const { view } = tensor;
    const slot = slots.get(view.storage);
    if (slot !== undefined) return { ...spec(tensor), slot };
    return { ...spec(tensor), bytes: viewBytes(placeOf(view), bytesOfView(view.shape, view.dtype)) };
  };
  const inputs = planned.inputs.map(port);
  const outputs = planned.outputs.map(port);
  let records: ProfileRecord[] = [];
  let disposed = false;
  let inFlight: Promise<unknown> | undefined;

  const write = (values: Readonly<Record<string, TensorData>>, into: RunOptions['into'] = {}) => {
    if (disposed) throw new PlanError('this executable was disposed of');
    for (const input of inputs) {
      const value = values[input.name];
      checkType(`input '${input.name}'`, value, input);
      if (input.slot) execution.bind(input.slot, runtime.wrap(value.data));
      else input.bytes?.set(new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength));
    }
    return outputs.map((output) => {
      const { name, dtype, shape, slot } = output;
      if (into[name]) checkType(`output '${name}'`, into[name], output);
      const data = into[name]?.data ?? (slot ? boundArray(output) : new dtypes[dtype].array(sizeOf(shape)));
      if (slot) execution.bind(slot, runtime.wrap(data));
      return data;
    });
  };
  const boundArray = ({ dtype, shape }: TensorSpec): TypedArray => {
    const { buffer, byteOffset } = runtime.array(bytesOfView(shape, dtype));
    return new dtypes[dtype].array(buffer, byteOffset, sizeOf(shape));
  };
  const read = (results: readonly TypedArray[]): Record<string, TensorData> =>
    Object.fromEntries(
      outputs.map(({ name, dtype, shape, bytes }, i) => {
        if (bytes) new Uint8Array(results[i].buffer, results[i].byteOffset, results[i].byteLength).set(bytes);
        return [name, tensorData(dtype, shape, results[i])];
      }),
    );
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
      return read(results);
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
        return read(results);
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

const viewBytes = ({ block, offset }: Place, bytes: number): Uint8Array =>
  viewBlock(block, Uint8Array, Math.min(offset, block.bytes - bytes), bytes);

function checkType(where: string, value: TensorData | undefined, type: TensorSpec): void {
  if (value?.dtype === type.dtype && sameShape(value.shape, type.shape)) return;
  throw new PlanError(`${where}: expected ${formatType(type)}, got ${value ? formatType(value) : 'nothing'}`);
}
