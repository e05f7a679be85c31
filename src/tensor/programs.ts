/** Programs by signature: the first expression of its kind is compiled, those after it run the same code on their own data. */
import { input, makeNode, type Node, type TensorData, type TensorType, type Value } from '../graph/index.ts';
import { type CompileOptions, cpu, type Device, type Executable } from '../devices/index.ts';
import { resolve } from './cells.ts';
import type { Pending } from './collect.ts';
import { TensorError } from './errors.ts';

export interface Settings extends CompileOptions {
  /** Where tensors are computed. */
  readonly device: Device;
  /** Most programs that are kept; the least recently used goes first. */
  readonly programs: number;
  /** Most memory that they may hold between their runs. */
  readonly programBytes: number;
}

let settings: Settings = { device: cpu, programs: 256, programBytes: 2 ** 30 };

/** How tensors are computed from now on: on which device, with which instruction set, how many threads and what precision. Returns what held before. */
export function configure(changes: Partial<Settings>): Settings {
  const before = settings;
  settings = { ...settings, ...changes };
  return before;
}

export const currentSettings = (): Settings => settings;

interface Program {
  readonly executable: Executable;
  /** The literals that are compiled in; NaN where a literal is an input. */
  readonly fixed: readonly number[];
  /** Asynchronous runs under way: an executable has one arena. */
  running: number;
}

/** What programs were asked for and made; for tests and for `whet`'s people who look for a key that changes. */
export const counts = { compiled: 0, ran: 0 };

const programs = new Map<string, Program>();

const numberOf = (node: Node): number => Number((node.attrs.value as TensorData).data[0]);

/** Which roots take the place of which leaves: pairs of their numbers. */
type InPlace = readonly (readonly [root: number, leaf: number])[];

/** The program that computes `pending`, compiled where there is none yet. `sync`: it must be idle. */
function programFor(pending: Pending, sync: boolean, inPlace: InPlace = []): Program {
  const { device, isa, threads, precision } = settings;
  const key = `${device.name} ${isa} ${threads} ${precision} ${inPlace.join(' ')} ${pending.key}`;
  const numbers = pending.literals.map(numberOf);
  let found = programs.get(key);
  if (found) programs.delete(key);
  const agrees = found?.fixed.every((value, i) => Number.isNaN(value) || Object.is(value, numbers[i]));
  // A literal that changed once changes again: what differs becomes an input. NaN literals are never compiled in.
  if (!found || !agrees) {
    const fixed = numbers.map((value, i) => (found && !Object.is(found.fixed[i], value) ? NaN : value));
    found = make(pending, fixed, inPlace);
  } else if (sync && found.running > 0) return make(pending, found.fixed, inPlace);
  const isNew = !agrees;
  programs.set(key, found);
  if (isNew) forgetOldest();
  return found;
}

const bytesOf = ({ executable: { info } }: Program): number => info.arenaBytes + info.constantBytes;

/** Keeps what the settings allow, the latest program in any case. */
function forgetOldest(): void {
  let bytes = [...programs.values()].reduce((sum, program) => sum + bytesOf(program), 0);
  for (const [key, program] of programs) {
    if (programs.size === 1 || (programs.size <= settings.programs && bytes <= settings.programBytes)) break;
    programs.delete(key);
    bytes -= bytesOf(program);
  }
}

function make(pending: Pending, fixed: readonly number[], pairs: InPlace): Program {
  const { device, isa, threads, precision } = settings;
  counts.compiled++;
  const inPlace = Object.fromEntries(pairs.map(([root, leaf]) => [outputName(root), leafName(leaf)]));
  return { executable: device.compile(graphOf(pending, fixed), { isa, threads, precision, inPlace }), fixed, running: 0 };
}

/** Names of inputs: leaves, then literals. */
const leafName = (i: number): string => `i${i}`;
const literalName = (i: number): string => `n${i}`;
const outputName = (i: number): string => `o${i}`;

/** The expression as a graph of its own, which holds on to none of the user's values. */
function graphOf({ roots, order, leaves, literals }: Pending, fixed: readonly number[]) {
  const mapped = new Map<Value, Value>();
  const inputs: { name: string; value: Value }[] = [];
  const declare = (value: Value, name: string): void => {
    const declared = input(name, value.dtype, value.shape);
    inputs.push({ name, value: declared });
    mapped.set(value, declared);
  };
  leaves.forEach((value, i) => declare(value, leafName(i)));
  literals.forEach((node, i) => Number.isNaN(fixed[i]) && declare(node.outputs[0], literalName(i)));
  const map = (value: Value): Value => {
    const source = resolve(value);
    return mapped.get(source) ?? source;
  };
  for (const node of order) {
    if (node.inputs.length === 0) continue;
    const copy = makeNode(node.op, node.inputs.map((value) => value && map(value)), node.attrs, node.name);
    // A result may be known although another of its node is to be computed.
    node.outputs.forEach((value, i) => mapped.has(value) || mapped.set(value, copy.outputs[i]));
  }
  return { name: 'expression', inputs, outputs: roots.map((value, i) => ({ name: outputName(i), value: map(value) })) };
}

function inputsOf({ leaves, literals }: Pending, fixed: readonly number[], dataOf: (leaf: Value) => TensorData): Record<string, TensorData> {
  const inputs: Record<string, TensorData> = {};
  leaves.forEach((value, i) => (inputs[leafName(i)] = dataOf(value)));
  literals.forEach((node, i) => Number.isNaN(fixed[i]) && (inputs[literalName(i)] = node.attrs.value as TensorData));
  return inputs;
}

/** Zeros where programs reach them. */
export const allocate = (type: TensorType): TensorData => settings.device.allocate(type, settings);

/** Values of the roots, in their order. */
export function runProgram(pending: Pending, dataOf: (leaf: Value) => TensorData): TensorData[] {
  const { executable, fixed } = programFor(pending, true);
  counts.ran++;
  const results = executable.run(inputsOf(pending, fixed, dataOf));
  return pending.roots.map((_, i) => results[outputName(i)]);
}

/** The program, to be run with other values of its leaves (of the same types, in their order). Those in `inPlace` are written over. */
export function bindProgram(pending: Pending, inPlace: InPlace): (leaves: readonly TensorData[]) => TensorData[] {
  const program = programFor(pending, true, inPlace);
  const literals = inputsOf({ ...pending, leaves: [] }, program.fixed, () => undefined as never);
  const count = pending.roots.length;
  return (leaves) => {
    const inputs = { ...literals };
    leaves.forEach((data, i) => (inputs[leafName(i)] = data));
    counts.ran++;
    if (program.running > 0) throw new TensorError('compiled function', { expected: 'no asynchronous run of the same program', got: 'one in flight', hint: 'await it first' });
    const results = program.executable.run(inputs);
    return Array.from({ length: count }, (_, i) => results[outputName(i)]);
  };
}

/** As `runProgram`, while the event loop stays free. */
export async function runProgramAsync(pending: Pending, dataOf: (leaf: Value) => TensorData): Promise<TensorData[]> {
  const program = programFor(pending, false);
  counts.ran++;
  program.running++;
  try {
    const results = await program.executable.runAsync(inputsOf(pending, program.fixed, dataOf));
    return pending.roots.map((_, i) => results[outputName(i)]);
  } finally {
    program.running--;
  }
}
