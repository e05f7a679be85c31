/**
 * Parameter groups: parameters with the options of their optimizer. Options that change while one trains (learning rate,
 * momentum, betas) are tensors as well: the program of a step reads them as inputs, so changing one compiles nothing anew and
 * reaches functions that were compiled before.
 */
import { fromTypedArray, Tensor } from '../tensor/index.ts';
import { OptimError } from './errors.ts';

/** What an option may be. */
type Option = number | boolean | readonly number[];

/** Options, which may be set, and the parameters that they are for. */
export type ParamGroup<O> = { -readonly [K in keyof O]: O[K] } & {
  readonly params: readonly Tensor[];
  /** The learning rate that schedules start from. */
  initialLr?: number;
};

/** Parameters with options of their own; the others are the optimizer's. */
export type GroupOf<O> = { readonly params: Iterable<Tensor> } & Partial<O>;
/** What an optimizer is made of. */
export type Params<O> = Iterable<Tensor> | Iterable<GroupOf<O>>;

/** A number that programs take as an input. In float64, so that 1 - beta^t loses nothing. */
export const scalarInput = (value: number): Tensor => fromTypedArray(Float64Array.of(value), []);

const inputs = new WeakMap<object, Readonly<Record<string, readonly Tensor[]>>>();

/** A live option as a tensor; of a list, element `i`. */
export const liveOption = (group: object, name: string, i = 0): Tensor => inputs.get(group)![name][i];

/** @throws OptimError where an option is not a number from 0 on (or a list of them), or no parameters or no leaves are given */
export function makeGroup<O extends object>(optimizer: string, params: Iterable<Tensor>, options: O, live: readonly string[]): ParamGroup<O> {
  const group = { params: [...params] };
  if (group.params.length === 0) throw new OptimError(optimizer, { expected: 'parameters', got: 'none' });
  for (const param of group.params) {
    if (!(param instanceof Tensor)) throw new OptimError(optimizer, { expected: 'tensors as parameters', got: typeof param });
    if (!param.isLeaf) throw new OptimError(optimizer, { expected: 'leaves as parameters', got: `a result of ${param.gradFn!.name}`, hint: 'use detach()' });
  }
  const tensors: Record<string, Tensor[]> = {};
  for (const [name, value] of Object.entries(options) as [string, Option][]) {
    checkOption(optimizer, name, value);
    let current = value;
    if (live.includes(name)) tensors[name] = [value].flat().map((number) => scalarInput(number as number));
    Object.defineProperty(group, name, {
      enumerable: true,
      get: () => current,
      set(next: Option) {
        checkOption(optimizer, name, next, current);
        current = next;
        // Known at once, and so a leaf of the next program.
        if (live.includes(name)) [next].flat().forEach((number, i) => tensors[name][i].assign(number as number).realize());
      },
    });
  }
  inputs.set(group, tensors);
  return group as unknown as ParamGroup<O>;
}

const kindOf = (value: unknown): string => (Array.isArray(value) ? `a list of ${value.length}` : typeof value);

function checkOption(optimizer: string, name: string, value: Option, like: Option = value): void {
  const where = `${optimizer}'s ${name}`;
  if (kindOf(value) !== kindOf(like)) throw new OptimError(where, { expected: kindOf(like), got: kindOf(value) });
  for (const number of [value].flat()) {
    if (typeof number === 'boolean') continue;
    if (!(Number.isFinite(number) && number >= 0)) throw new OptimError(where, { expected: 'a finite number from 0 on', got: `${number}` });
    if (name === 'betas' && number >= 1) throw new OptimError(where, { expected: 'numbers below 1', got: `${number}` });
  }
}
