/** compile: a function of tensors whose expression is built once; every further call only runs the program. */
import { formatType, type TensorData, type Value } from '../graph/index.ts';
import { dataOf, known, resolve } from './cells.ts';
import { collect } from './collect.ts';
import { compute, isHost } from './compute.ts';
import { TensorError } from './errors.ts';
import { bindProgram, currentSettings, type Settings } from './programs.ts';
import { Tensor } from './tensor.ts';
import { type Trace, traced } from './trace.ts';

/** What a compiled function returns: a tensor, several, or nothing. */
export type Results = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>> | void;

/** Where a value comes from when the program runs again. */
type Source = (args: readonly Tensor[]) => TensorData;

/** A result of the program, by its place, or where else it comes from. */
type Output = number | Source;

interface Compiled {
  readonly settings: Settings;
  readonly sources: readonly Source[];
  readonly run: (leaves: readonly TensorData[]) => TensorData[];
  readonly outputs: readonly Output[];
  readonly form: Form;
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
    if (found?.settings === currentSettings()) {
      const values = found.run(found.sources.map((source) => source(args)));
      const read = (output: Output): TensorData => (typeof output === 'number' ? values[output] : output(args));
      // All are looked up before the first changes: one may be assigned another's old value.
      const updates = found.assigned.map(({ output }) => read(output));
      const results = found.outputs.map((output) => new Tensor(known(read(output))));
      found.assigned.forEach(({ tensor }, i) => tensor.become(known(updates[i])));
      return handOver(results, found.form) as R;
    }
    compute(args.map(({ value }) => value));
    // Cells of their own: an argument may be read by other ways as well.
    const inputs = args.map((arg) => new Tensor(known(dataOf(arg.value)!)));
    const { result, trace } = traced(() => fn(...(inputs as unknown as A)));
    for (const leaf of trace.graded) leaf.grad = null;
    kept.set(key, compiled(inputs, trace, result));
    const [oldest] = kept.keys();
    if (kept.size > mostKept) kept.delete(oldest);
    const results = listOf(result);
    compute([...results, ...trace.assigned].map(({ value }) => value));
    return handOver(results.map((tensor) => new Tensor(known(dataOf(tensor.value)!))), formOf(result)) as R;
  };
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

function compiled(inputs: readonly Tensor[], trace: Trace, result: Results): Compiled {
  const resolved = (tensor: Tensor): Value => resolve(tensor.value);
  const [results, assigned] = [listOf(result), [...trace.assigned]];
  const roots = [...new Set([...results, ...assigned].map(resolved).filter((value) => !dataOf(value)))];
  const pending = collect(roots);
  const settings = currentSettings();
  for (const node of pending.order) {
    if (isHost(node.op, node.outputs[0].dtype, settings.device)) throw new TensorError('compile', { expected: 'operators that the device runs', got: node.op, hint: 'call it outside' });
  }
  const places = new Map(inputs.map((tensor, i) => [tensor.value, i]));
  const sourceOf = (leaf: Value): Source => {
    const value = trace.origins.get(leaf) ?? leaf;
    const place = places.get(value);
    if (place !== undefined) return ofArgument(place);
    const tensor = trace.used.get(value);
    return trace.random.get(value) ?? (tensor ? ofTensor(tensor) : ofData(dataOf(value)!));
  };
  const outputOf = (tensor: Tensor): Output => {
    const at = roots.indexOf(resolved(tensor));
    return at < 0 ? sourceOf(resolved(tensor)) : at;
  };
  return {
    settings,
    sources: pending.leaves.map(sourceOf),
    run: roots.length === 0 ? noResults : bindProgram(pending),
    outputs: results.map(outputOf),
    form: formOf(result),
    assigned: assigned.map((tensor) => ({ tensor, output: outputOf(tensor) })),
  };
}

// Sources are made out here, where they cannot hold on to the trace.
const ofArgument = (place: number): Source => (args) => currentData(args[place]);
const ofTensor = (tensor: Tensor): Source => () => currentData(tensor);
const noResults = (): TensorData[] => [];
const ofData = (data: TensorData): Source => () => data;

function currentData(tensor: Tensor): TensorData {
  const data = dataOf(tensor.value);
  if (data) return data;
  compute([tensor.value]);
  return dataOf(tensor.value)!;
}
