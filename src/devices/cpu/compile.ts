/** plan -> Executable: constants placed, setup steps run once, an execution with its arena, results read back. */
import { dtypes, formatType, type Graph, sameShape, sizeOf, type TensorData, tensorData, type TypedArray } from '../../graph/index.ts';
import type { CompileOptions, Executable, ProfileRecord, RunOptions, TensorSpec } from '../device.ts';
import { plan, type Plan, type PlannedStep, PlanError, type Storage, type View } from './plan/index.ts';
import { planMemory } from './plan/memory.ts';
import { type Block, type BufferRef, type Code, type Execution, getRuntime, type Runtime, type StepSpec, view as viewBlock } from './runtime/index.ts';

export function compile(graph: Graph, options: CompileOptions = {}): Executable {
  const start = performance.now();
  const runtime = getRuntime(options.isa);
  const threads = options.threads ?? runtime.threads;
  runtime.startThreads(threads);
  const planned = plan(graph, runtime.isa);
  const code = runtime.load(planned.kernels);
  const constants = placeConstants(runtime, code, planned, threads);
  const refOf = (step: PlannedStep): StepSpec => ({
    kernel: step.kernel,
    tasks: step.tasks,
    label: step.label,
    args: step.args.map(({ storage, offsetBytes }): BufferRef => {
      const block = constants.get(storage);
      if (block) return { block: block.block, offset: block.offset + offsetBytes };
      return { arena: (planned.memory.offsets.get(storage) as number) + offsetBytes };
    }),
  });
  const execution = runtime.createExecution(code, planned.steps.map(refOf), planned.memory.bytes);
  for (const { offset, bytes, fill } of planned.memory.fills) {
    viewBlock(execution.arena, Float32Array, offset, bytes / 4).fill(fill);
  }
  const constantBytes = [...new Set([...constants.values()].map(({ block }) => block))].reduce((sum, block) => sum + block.bytes, 0);
  const info = {
    isa: runtime.isa.name,
    threads,
    steps: planned.steps.length,
    kernels: planned.kernels.length,
    arenaBytes: planned.memory.bytes,
    constantBytes,
    compileMs: performance.now() - start,
  };
  return executable(planned, execution, constants, threads, info);
}

interface Place {
  readonly block: Block;
  readonly offset: number;
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
    const steps = planned.setup.map((step): StepSpec => ({
      kernel: step.kernel,
      tasks: step.tasks,
      label: step.label,
      args: step.args.map(({ storage, offsetBytes }): BufferRef => {
        const place = places.get(storage);
        if (place) return { block: place.block, offset: place.offset + offsetBytes };
        return { arena: (temporaries.offsets.get(storage) as number) + offsetBytes };
      }),
    }));
    const execution = runtime.createExecution(code, steps, temporaries.bytes);
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

function executable(planned: Plan, execution: Execution, constants: Map<Storage, Place>, threads: number, info: Executable['info']): Executable {
  const spec = ({ name, view }: { name: string; view: View }): TensorSpec => ({ name, dtype: view.dtype, shape: view.shape });
  const bytesOf = ({ dtype, shape }: View) => sizeOf(shape) * dtypes[dtype].bytes;
  const placeOf = (view: View): Place => {
    const shift = view.offset * dtypes[view.dtype].bytes;
    const constant = constants.get(view.storage);
    if (constant) return { block: constant.block, offset: constant.offset + shift };
    // An input or output that no step touches has no place, and no elements worth one.
    return { block: execution.arena, offset: (planned.memory.offsets.get(view.storage) ?? 0) + shift };
  };
  const inputs = planned.inputs.map((input) => ({ ...spec(input), bytes: viewBytes(placeOf(input.view), bytesOf(input.view)) }));
  const outputs = planned.outputs.map((output) => ({ ...spec(output), bytes: viewBytes(placeOf(output.view), bytesOf(output.view)) }));
  let records: ProfileRecord[] = [];
  let disposed = false;
  let inFlight: Promise<unknown> | undefined;

  const write = (values: Readonly<Record<string, TensorData>>) => {
    if (disposed) throw new PlanError('this executable was disposed of');
    for (const input of inputs) {
      const value = values[input.name];
      if (!value || value.dtype !== input.dtype || !sameShape(value.shape, input.shape)) {
        throw new PlanError(`input '${input.name}': expected ${formatType(input)}, got ${value ? formatType(value) : 'nothing'}`);
      }
      input.bytes.set(new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength));
    }
  };
  const read = (): Record<string, TensorData> =>
    Object.fromEntries(
      outputs.map(({ name, dtype, shape, bytes }) => {
        const data = new dtypes[dtype].array(sizeOf(shape));
        new Uint8Array(data.buffer).set(bytes);
        return [name, tensorData(dtype, shape, data)];
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
      write(values);
      profiled(options);
      execution.run(threads);
      keep(options);
      return read();
    },
    async runAsync(values, options) {
      // Inputs are taken now; the run itself waits for its turn.
      const taken = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, inFlight ? { ...value, data: value.data.slice() as TypedArray } : value]));
      const before = inFlight;
      const mine = (async () => {
        await before?.catch(() => {});
        write(taken);
        profiled(options);
        await execution.runAsync(threads);
        keep(options);
        return read();
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
