/**
 * Runs a plan in the kernel interpreter, each storage on an island of its own in a sea of NaN: a step that writes beside its
 * results is named, and one that reads what nobody wrote makes its results NaN. Runs plans of every instruction set anywhere.
 */
import { interpret } from '../../src/devices/cpu/codegen/interpret.ts';
import type { Isa } from '../../src/devices/cpu/codegen/index.ts';
import { plan, type PlannedStep, type Storage, type View } from '../../src/devices/cpu/plan/index.ts';
import { dtypes, type Graph, sizeOf, type TensorData, tensorData } from '../../src/graph/index.ts';

const sea = 4096;
const poison = 0x7fc0dead;
/** More than any small graph's kernel runs: what comes this far does not end. */
const maxSteps = 200_000_000;

/** @throws Error naming a step that wrote where it must not. */
export function interpretPlan(graph: Graph, isa: Isa, inputs: Readonly<Record<string, TensorData>>): Record<string, TensorData> {
  const planned = plan(graph, isa);
  const steps = [...planned.setup, ...planned.steps];
  const islands = new Map<Storage, number>();
  let end = sea;
  const settle = (storage: Storage): void => {
    if (islands.has(storage)) return;
    islands.set(storage, end);
    end += Math.ceil(storage.bytes / 64) * 64 + sea;
  };
  for (const { view } of [...planned.inputs, ...planned.outputs]) settle(view.storage);
  for (const { args } of steps) for (const { storage } of args) settle(storage);

  const argumentsAt = end;
  const memory = new ArrayBuffer(end + sea);
  const words = new Uint32Array(memory).fill(poison);
  for (const [{ data, fixed, bytes }, at] of islands) {
    if (fixed) new Float32Array(memory, at, bytes >> 2).fill(fixed.fill);
    if (data) new Uint8Array(memory, at, bytes).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const bytesOf = ({ storage, offset, dtype, shape }: View): Uint8Array =>
    new Uint8Array(memory, islands.get(storage)! + offset * dtypes[dtype].bytes, sizeOf(shape) * dtypes[dtype].bytes);
  for (const { name, view } of planned.inputs) {
    const { data } = inputs[name];
    bytesOf(view).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  for (const step of steps) {
    step.args.forEach(({ storage, offsetBytes }, i) => new BigInt64Array(memory, argumentsAt)[i] = BigInt(islands.get(storage)! + offsetBytes));
    const before = words.slice();
    for (let task = 0; task < step.tasks; task++) interpret(planned.kernels[step.kernel], memory, [argumentsAt, task], { maxSteps });
    const allowed = step.args.slice(step.args.length - step.writes).map(({ storage }) => [islands.get(storage)!, islands.get(storage)! + storage.bytes]);
    for (let i = 0; i < words.length; i++) {
      // The last word of an island may be shared with the sea: bytes are smaller than words.
      if (words[i] === before[i] || allowed.some(([from, to]) => i * 4 >= from && i * 4 < to)) continue;
      throw new Error(`${describe(step)} wrote at ${placeOf(i * 4)}`);
    }
  }
  return Object.fromEntries(
    planned.outputs.map(({ name, view }) => {
      const bytes = bytesOf(view);
      return [name, tensorData(view.dtype, view.shape, new dtypes[view.dtype].array(bytes.slice().buffer))];
    }),
  );

  function placeOf(address: number): string {
    for (const [{ id, bytes }, at] of islands) if (address >= at - sea / 2 && address < at + bytes + sea / 2) return `byte ${address - at} of storage ${id}, which has ${bytes}`;
    return `${address}`;
  }
}

const describe = ({ label, args, writes }: PlannedStep): string =>
  `${label.op} ${label.shapes} ${label.layout} (${args.map(({ storage, offsetBytes }) => `${storage.id}+${offsetBytes}`).join(' ')}, ${writes} written)`;
