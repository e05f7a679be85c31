/** plan -> Executable: constants placed, setup steps run once, an execution with its arena. */
import { dtypes, type Graph, sizeOf, type TensorData, tensorData, type TensorType, type TypedArray } from '../../graph/index.ts';
import type { CompileOptions, Executable } from '../device.ts';
import { makeExecutable, type Place } from './executable.ts';
import { aligned, bytesOfView, type MemoryPlan, plan, type Plan, planMemory, type PlannedStep, type Storage } from './plan/index.ts';
import { type Block, type BufferRef, type Code, getRuntime, readEnvironment, type Runtime, type StepSpec, type TypedArrayType, view as viewBlock } from './runtime/index.ts';

export function compile(graph: Graph, options: CompileOptions = {}): Executable {
  const start = performance.now();
  const runtime = getRuntime(options.isa);
  const threads = options.threads ?? runtime.threads;
  runtime.startThreads(threads);
  const { precision = readEnvironment().precision, inPlace } = options;
  const planned = plan(graph, runtime.isa, { precision, inPlace });
  const code = runtime.load(planned.kernels);
  const constants = placeConstants(runtime, code, planned, threads);
  const slots = slotsOf(runtime, planned);
  const storagesOf = (tensors: Plan['inputs']) => tensors.map(({ view }) => view.storage);
  const memory = planMemory(planned.steps, storagesOf(planned.inputs), storagesOf(planned.outputs), threads, (storage) => !storage.constant && !slots.has(storage));
  const execution = runtime.createExecution(code, stepsOf(planned.steps, memory, constants, slots), memory.bytes, threads);
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
  return makeExecutable({ planned, memory, runtime, execution, constants, slots, threads, info });
}

/** A tensor whose memory the programs of an instruction set read and write where it lies; its elements are 0. */
export function allocate({ dtype, shape }: TensorType, { isa }: Pick<CompileOptions, 'isa'> = {}): TensorData {
  return tensorData(dtype, shape, getRuntime(isa).resident(dtypes[dtype].array as TypedArrayType<TypedArray>, sizeOf(shape)));
}

/** Tensors from this size on are read and written where the caller has them; smaller ones are copied sooner than bound. */
const boundBytes = 64 * 1024;

/**
 * Inputs and outputs that lie in the caller's arrays. wasm reads only memory of its own: what lies elsewhere is copied, and
 * results are copied out for the caller to keep. What is updated in place stays where it is between runs, however small.
 */
function slotsOf(runtime: Runtime, planned: Plan): Map<Storage, string> {
  const slots = new Map<Storage, string>();
  const touched = new Set(planned.steps.flatMap(({ args }) => args.map(({ storage }) => storage)));
  const fresh = planned.outputs.filter(({ updates }) => updates === undefined);
  const updated = new Set(planned.outputs.map(({ updates }) => updates));
  // Memory that is input and output, or two outputs, at once stays ours: one array of the caller's cannot be both.
  const ports = [...planned.inputs, ...fresh].map(({ view }) => view.storage);
  const add = (prefix: string) => ({ name, view }: Plan['inputs'][number]) => {
    const { storage } = view;
    const whole = view.offset === 0 && storage.bytes === bytesOfView(view.shape, view.dtype);
    const shared = ports.filter((other) => other === storage).length > 1;
    const pays = storage.bytes >= boundBytes || (prefix === 'input ' && updated.has(name));
    if (whole && !shared && pays && !storage.constant && !storage.fixed && touched.has(storage)) slots.set(storage, `${prefix}${name}`);
  };
  planned.inputs.forEach(add('input '));
  if (runtime.isa.name !== 'wasm') fresh.forEach(add('output '));
  return slots;
}

/** Steps for the runtime: each argument in a slot, in a block of constants, or else in the arena. */
function stepsOf(steps: readonly PlannedStep[], memory: MemoryPlan, constants: ReadonlyMap<Storage, Place>, slots?: ReadonlyMap<Storage, string>): StepSpec[] {
  const refOf = ({ storage, offsetBytes }: PlannedStep['args'][number]): BufferRef => {
    const slot = slots?.get(storage);
    if (slot !== undefined) return { slot, offset: offsetBytes };
    const place = constants.get(storage);
    if (place) return { block: place.block, offset: place.offset + offsetBytes };
    return { arena: (memory.offsets.get(storage) as number) + offsetBytes, perThread: storage.perThread ? aligned(storage.bytes) : undefined };
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
    const temporaries = planMemory(planned.setup, [], [], threads, (storage) => !kept.has(storage) && !storage.data);
    for (const { args } of planned.setup) {
      for (const { storage } of args) {
        if (places.has(storage) || !storage.data) continue;
        const own = runtime.wrap(storage.data);
        temporary.push(own);
        places.set(storage, { block: own, offset: 0 });
      }
    }
    const execution = runtime.createExecution(code, stepsOf(planned.setup, temporaries, places), temporaries.bytes, threads);
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
