/**
 * Outputs that take the place of inputs, as updated parameters do. The step that makes such an output writes it right over the
 * input, where nobody reads the old values after it and it reads them itself only as it goes; it is moved behind later readers
 * where that is all that is in the way. Elsewhere the result is copied over at the end.
 */
import { formatType } from '../../../graph/index.ts';
import { PlanError } from './errors.ts';
import type { PlannedStep, Planner } from './planner.ts';
import { isContiguous, type Storage, type View } from './view.ts';

export interface Port {
  readonly name: string;
  readonly view: View;
  /** Of an output: the input whose memory it is in after a run. */
  readonly updates?: string;
}

/** The outputs, those named in `inPlace` in the memory of an input. */
export function updateInPlace(p: Planner, inputs: readonly Port[], outputs: readonly Port[], inPlace: Readonly<Record<string, string>>): Port[] {
  const ports = [...inputs, ...outputs].map(({ view }) => view.storage);
  const pairs = outputs.flatMap((output) => {
    const name = inPlace[output.name];
    if (name === undefined) return [];
    const target = inputs.find((input) => input.name === name);
    if (!target || formatType(target.view) !== formatType(output.view)) {
      throw new PlanError(`inPlace: expected an input of type ${formatType(output.view)} for output '${output.name}', got '${name}' ${target ? formatType(target.view) : 'that is none'}`);
    }
    const { storage } = output.view;
    // What others hold as well, or an input that may itself be overwritten, is taken out first.
    const isOwn = !storage.constant && ports.filter((other) => other === storage).length === 1;
    return [{ output, target, source: isOwn || storage === target.view.storage ? output.view : copyOf(p, output.view) }];
  });
  for (const { source, target } of pairs) {
    if (source.storage === target.view.storage) continue;
    if (!writesOver(p, source, target.view)) p.copy(source, target.view, 'Assign', '');
  }
  return outputs.map((output) => {
    const pair = pairs.find((one) => one.output === output);
    return pair ? { name: output.name, view: pair.target.view, updates: pair.target.name } : output;
  });
}

function copyOf(p: Planner, view: View): View {
  const out = p.plain(view.dtype, view.shape, false);
  p.copy(view, out, 'Assign', '');
  return out;
}

const reads = ({ args, writes }: PlannedStep, storage: Storage): boolean => args.slice(0, args.length - writes).some((arg) => arg.storage === storage);
const written = ({ args, writes }: PlannedStep): Storage[] => args.slice(args.length - writes).map(({ storage }) => storage);

/** Lets the one step that writes `source` write the input's memory instead; false where it cannot. */
function writesOver({ steps }: Planner, source: View, target: View): boolean {
  const whole = (view: View) => view.offset === 0 && isContiguous(view);
  if (!whole(source) || !whole(target) || source.storage.fixed || source.storage.bytes !== target.storage.bytes) return false;
  const writers = steps.filter((step) => written(step).includes(source.storage));
  if (writers.length !== 1) return false;
  const [writer] = writers;
  if (!readsAsItGoes(writer, source.storage, target.storage)) return false;
  const from = steps.indexOf(writer);
  const last = steps.findLastIndex((step) => reads(step, target.storage));
  if (last > from) {
    const results = written(writer);
    const between = steps.slice(from + 1, last + 1);
    const blocks = between.some((step) => results.some((storage) => reads(step, storage)) || written(step).some((storage) => reads(writer, storage) || results.includes(storage)));
    if (blocks) return false;
    steps.splice(from, 1);
    steps.splice(last, 0, writer);
  }
  const moved = (args: PlannedStep['args']) => args.map((arg) => (arg.storage === source.storage ? { ...arg, storage: target.storage } : arg));
  steps.forEach((step, i) => {
    if (step.args.some(({ storage }) => storage === source.storage)) steps[i] = { ...step, args: moved(step.args) };
  });
  return true;
}

/** Whether a step reads every element of the input before it writes the one of the result that takes its place. */
function readsAsItGoes({ args, writes, walks }: PlannedStep, result: Storage, input: Storage): boolean {
  const at = args.findIndex((arg, i) => i >= args.length - writes && arg.storage === result);
  return args.every(({ storage }, i) => storage !== input || (walks[i] && walks[i] === walks[at]));
}
