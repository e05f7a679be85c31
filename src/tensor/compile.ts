/** compile: a function of tensors whose expression is built once; every further call only runs the program. */
import { formatType, type TensorData, type Value } from '../graph/index.ts';
import { dataOf, known, resolve } from './cells.ts';
import { collect } from './collect.ts';
import { compute, forgetAssignments, isHost } from './compute.ts';
import { TensorError } from './errors.ts';
import { allocate, bindProgram, currentSettings, type Settings } from './programs.ts';
import { copyOf, Tensor } from './tensor.ts';
import { type Trace, traced } from './trace.ts';

/** What a compiled function returns: a tensor, several, or nothing. */
export type Results = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>> | void;

/** Where a value comes from when the program runs again: a tensor that has it then, or how it is made. */
type Source = (args: readonly Tensor[]) => Tensor | TensorData;

/** A result of the program, by its place, or where else it comes from. */
type Output = number | Source;

interface Compiled {
  readonly settings: Settings;
  readonly sources: readonly Source[];
  readonly run: (leaves: readonly TensorData[]) => TensorData[];
  readonly outputs: readonly Output[];
  readonly form: Form;
  /** Assigned tensors whose new value is written over the old one, by the number of that leaf. */
  readonly updated: ReadonlyMap<number, Tensor>;
  /** All others. */
  readonly assigned: readonly { readonly tensor: Tensor; readonly output: Output }[];
}

/** How results are handed over: alone, in a list, by name, or not at all. */
type Form = 'one' | 'list' | 'none' | readonly string[];

/** Most sets of argument types that are kept. */
const mostKept = 16;

/**
 * The function, traced at the first call for each set of argument types and from then on run as one program: forward, backward,
 * updates of parameters. Tensors that it reads but that are no arguments count with the value they have at the call, assignments
 * are made, random tensors drawn anew.
 *
 * What it does in plain JavaScript is done once: numbers, branches and prints are those of the first call. So what changes from
 * call to call (a learning rate, a count of steps) must be a tensor. Values may not be read in it, and `grad` is null after it.
 * @throws TensorError where it reads a value, or uses what no device runs (sorting)
 */
export function compile<A extends readonly Tensor[], R extends Results>(fn: (...args: A) => R): (...args: A) => R {
  const kept = new Map<string, Compiled>();
  return (...args) => {
    const key = args.map(({ value }) => formatType(value)).join();
    const found = kept.get(key);
    if (found?.settings === currentSettings()) return handOver(again(found, args), found.form) as R;
    compute(args.map(({ value }) => value));
    // Cells of their own: an argument may be read by other ways as well.
    const inputs = args.map((arg) => new Tensor(known(dataOf(arg.value)!)));
    const { result, trace } = traced(() => fn(...(inputs as unknown as A)));
    for (const leaf of trace.graded) leaf.grad = null;
    const { program, first } = compiled(inputs, trace, result);
    kept.set(key, program);
    const [oldest] = kept.keys();
    if (kept.size > mostKept) kept.delete(oldest);
    forgetAssignments(trace.assigned);
    const start = (source: Source) => first.get(source)!;
    return handOver(run(program, start, start, (_, leaf) => copyOf(start(program.sources[leaf]), allocate)), program.form) as R;
  };
}

const again = (program: Compiled, args: readonly Tensor[]): Tensor[] => {
  const peek = (source: Source): TensorData => {
    const from = source(args);
    return from instanceof Tensor ? from.peek() : from;
  };
  const keep = (source: Source): TensorData => {
    const from = source(args);
    return from instanceof Tensor ? dataOf(from.realize().value)! : from;
  };
  return run(program, peek, keep, (tensor) => tensor.own(allocate));
};

/** @param peek what a source is worth, for this run; `keep`: for longer; `ownOf`: memory with a tensor's value, to be written over */
function run(program: Compiled, peek: (source: Source) => TensorData, keep: (source: Source) => TensorData, ownOf: (tensor: Tensor, leaf: number) => TensorData): Tensor[] {
  const { sources, updated, assigned, outputs } = program;
  const leaves = sources.map((source, i) => {
    const tensor = updated.get(i);
    return tensor ? ownOf(tensor, i) : peek(source);
  });
  const made = program.run(leaves);
  const read = (output: Output): TensorData => (typeof output === 'number' ? made[output] : keep(output));
  // All are looked up before the first changes: one may be assigned another's old value.
  const updates = assigned.map(({ output }) => read(output));
  const results = outputs.map((output) => new Tensor(known(read(output))));
  assigned.forEach(({ tensor }, i) => tensor.become(known(updates[i])));
  for (const [leaf, tensor] of updated) tensor.hold(leaves[leaf]);
  return results;
}

const listOf = (results: Results): readonly Tensor[] =>
  results === undefined ? [] : results instanceof Tensor ? [results] : Object.values(results as Record<string, Tensor>);
const formOf = (results: Results): Form =>
  results === undefined ? 'none' : results instanceof Tensor ? 'one' : Array.isArray(results) ? 'list' : Object.keys(results);

function handOver(tensors: readonly Tensor[], form: Form): Results {
  if (form === 'none') return undefined;
  if (form === 'one') return tensors[0];
  return form === 'list' ? tensors : Object.fromEntries(form.map((name, i) => [name, tensors[i]]));
}

function compiled(inputs: readonly Tensor[], trace: Trace, result: Results): { readonly program: Compiled; readonly first: ReadonlyMap<Source, TensorData> } {
  const resolved = (tensor: Tensor): Value => resolve(tensor.value);
  const results = listOf(result);
  const roots = [...new Set([...results, ...trace.assigned].map(resolved).filter((value) => !dataOf(value)))];
  const pending = collect(roots);
  const settings = currentSettings();
  for (const node of pending.order) {
    if (isHost(node.op, node.outputs[0].dtype, settings.device)) throw new TensorError('compile', { expected: 'operators that the device runs', got: node.op, hint: 'call it outside' });
  }
  const places = new Map(inputs.map((tensor, i) => [tensor.value, i]));
  const first = new Map<Source, TensorData>();
  const read = new Map<Source, Tensor>();
  const sourceOf = (leaf: Value): Source => {
    const value = trace.origins.get(leaf) ?? leaf;
    const place = places.get(value);
    const drawn = trace.random.get(value);
    const tensor = trace.used.get(value);
    const source = place !== undefined ? ofArgument(place) : drawn ?? (tensor ? ofTensor(tensor) : ofData(dataOf(value)!));
    if (place === undefined && !drawn && tensor) read.set(source, tensor);
    first.set(source, dataOf(leaf)!);
    return source;
  };
  const outputOf = (tensor: Tensor): Output => {
    const at = roots.indexOf(resolved(tensor));
    return at < 0 ? sourceOf(resolved(tensor)) : at;
  };
  const outputs = results.map(outputOf);
  const assigned = [...trace.assigned].map((tensor) => ({ tensor, output: outputOf(tensor) }));
  // Old values that somebody is to keep must stay.
  const staying = new Set(read.values());
  const sources = pending.leaves.map(sourceOf);
  const all = [...outputs, ...assigned.map(({ output }) => output)];
  const pairs: [root: number, leaf: number][] = [];
  const updated = new Map<number, Tensor>();
  for (const { tensor, output } of assigned) {
    const leaves = [...sources.keys()].filter((i) => read.get(sources[i]) === tensor);
    if (typeof output !== 'number' || staying.has(tensor) || leaves.length !== 1 || all.filter((other) => other === output).length > 1) continue;
    pairs.push([output, leaves[0]]);
    updated.set(leaves[0], tensor);
  }
  const others = assigned.filter(({ tensor }) => ![...updated.values()].includes(tensor));
  const program = { settings, sources, run: roots.length === 0 ? noResults : bindProgram(pending, pairs), outputs, form: formOf(result), updated, assigned: others };
  return { program, first };
}

// Sources are made out here, where they cannot hold on to the trace.
const ofArgument = (place: number): Source => (args) => args[place];
const ofTensor = (tensor: Tensor): Source => () => tensor;
const noResults = (): TensorData[] => [];
const ofData = (data: TensorData): Source => () => data;
