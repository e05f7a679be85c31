/**
 * Optimizer: what all of them share. A step assigns to every parameter that has a gradient what the algorithm's rule makes of it;
 * lazily, so that forward, backward and update are one program, the same one at every step. What changes from step to step
 * (learning rates, counts of steps, averages) is a tensor, and so nothing is frozen within `compile` either.
 */
import { fromNumbers, sameShape, zeros } from '../graph/index.ts';
import { fromTensorData, fromTypedArray, noGrad, realize, type Tensor } from '../tensor/index.ts';
import { OptimError } from './errors.ts';
import { type GroupOf, liveOption, makeGroup, type ParamGroup, type Params, scalarInput } from './groups.ts';

/** What an optimizer keeps for a parameter, by name; `step` is shared by parameters that began together. */
export type ParamState = Record<string, Tensor>;
/** An option as a tensor. */
export type Live = (name: string, i?: number) => Tensor;

/** An algorithm: what it keeps for a parameter, and what becomes of the parameter. */
export interface Rule<O extends BaseOptions, F> {
  readonly name: string;
  readonly defaults: O;
  /** Options that are inputs of programs. */
  readonly live: readonly string[];
  /** Whether steps are counted. */
  readonly counts: (options: O) => boolean;
  /** Options that exclude each other. @throws OptimError */
  readonly check?: (options: O) => void;
  /** Names of the state, and what it begins with. */
  readonly state: (options: O) => Readonly<Record<string, number>>;
  /** What is the same for all parameters of a group: scalars. `step` is 1 at the first step. */
  readonly factors: (live: Live, options: O, step: Tensor | undefined) => F;
  /** Changes the state, and returns the parameter's new value. */
  readonly update: (param: Tensor, grad: Tensor, state: ParamState, factors: F, options: O) => Tensor;
}

export interface BaseOptions {
  readonly lr: number;
  /** Climb rather than descend. Default: false. */
  readonly maximize: boolean;
}

/** All that an optimizer needs to go on from where it was. Tensors in it do not change with further steps. */
export interface OptimizerState {
  /** By the parameter's number, counted through all groups. */
  readonly state: Readonly<Record<number, Readonly<ParamState>>>;
  readonly paramGroups: readonly (Readonly<Record<string, unknown>> & { readonly params: readonly number[] })[];
}

export abstract class Optimizer<O extends BaseOptions = BaseOptions, F = unknown> {
  /** Options may be set: `optimizer.paramGroups[0].lr = 0.01`. */
  readonly paramGroups: ParamGroup<O>[] = [];
  readonly #rule: Rule<O, F>;
  readonly #options: O;
  readonly #states = new Map<Tensor, ParamState>();
  /** Parameters of the last step. */
  #updated: Tensor[] = [];

  /** @throws OptimError where there are no parameters, one comes twice, or an option makes no sense */
  constructor(rule: Rule<O, F>, params: Params<O>, options: Partial<O>) {
    this.#rule = rule;
    this.#options = { ...rule.defaults, ...given(rule, options) };
    const list = [...(params as Iterable<Tensor | GroupOf<O>>)];
    const groups = list.filter((item): item is GroupOf<O> => 'params' in item);
    if (groups.length > 0 && groups.length < list.length) throw new OptimError(rule.name, { expected: 'parameters, or groups of them', got: 'both' });
    if (groups.length > 0) for (const group of groups) this.addParamGroup(group);
    else this.addParamGroup({ params: list as Tensor[] } as unknown as GroupOf<O>);
  }

  /** Further parameters, with options of their own. */
  addParamGroup({ params, ...options }: GroupOf<O>): void {
    const group = makeGroup(this.#rule.name, params, { ...this.#options, ...given(this.#rule, options) }, this.#rule.live);
    this.#rule.check?.(group as O);
    const all = [...this.#params, ...group.params];
    if (new Set(all).size < all.length) throw new OptimError(this.#rule.name, { expected: 'each parameter once', got: 'one several times' });
    this.paramGroups.push(group);
  }

  get #params(): Tensor[] {
    return this.paramGroups.flatMap(({ params }) => params);
  }

  /** Lets go of gradients: before the next backward pass, unless gradients are to add up over several. */
  zeroGrad(): void {
    for (const param of this.#params) param.grad = null;
  }

  /**
   * Updates the parameters that have a gradient. Computed with whatever is computed next (`realize(...parameters)`, reading the
   * loss), and at the latest by the next step.
   */
  step(): void {
    // Steps that nobody looks at would otherwise grow into one long expression.
    realize(...this.#updated);
    this.#updated = [];
    noGrad(() => {
      this.#begin();
      for (const group of this.paramGroups) this.#update(group);
    });
  }

  /** States of parameters that come for the first time; counts of all that take part. */
  #begin(): void {
    let first: Tensor | undefined;
    const beginning = (): Tensor => (first ??= scalarInput(0));
    for (const group of this.paramGroups) {
      for (const param of group.params) if (param.grad) this.#extend(param, group, beginning);
    }
    const together = new Map<Tensor, { readonly state: ParamState; readonly going: boolean }[]>();
    for (const [param, state] of this.#states) {
      if (!state.step) continue;
      const members = together.get(state.step) ?? [];
      members.push({ state, going: param.grad !== null });
      together.set(state.step, members);
    }
    for (const [step, members] of together) {
      const going = members.filter((member) => member.going);
      if (going.length === 0) continue;
      const next = going.length === members.length ? step : fromTypedArray(step.toArray(), []);
      for (const { state } of going) state.step = next;
      next.assign(next.add(1));
    }
  }

  #extend(param: Tensor, group: ParamGroup<O>, beginning: () => Tensor): void {
    const state = this.#states.get(param) ?? {};
    this.#states.set(param, state);
    // Known from the start: within compile(), an expression would begin anew at every call.
    for (const [name, value] of Object.entries(this.#rule.state(group as O))) state[name] ??= filled(param, value);
    if (this.#rule.counts(group as O)) state.step ??= beginning();
  }

  #update(group: ParamGroup<O>): void {
    const { factors, update } = this.#rule;
    const options = group as O;
    const made = new Map<Tensor | undefined, F>();
    for (const param of group.params) {
      if (!param.grad) continue;
      const state = this.#states.get(param)!;
      if (!made.has(state.step)) made.set(state.step, factors((name, i) => liveOption(group, name, i), options, state.step));
      const grad = options.maximize ? param.grad.neg() : param.grad;
      param.assign(update(param, grad, state, made.get(state.step)!, options));
      this.#updated.push(param);
    }
  }

  /** What a checkpoint needs, in PyTorch's structure. */
  stateDict(): OptimizerState {
    const params = this.#params;
    const state: Record<number, ParamState> = {};
    params.forEach((param, i) => {
      const kept = this.#states.get(param);
      if (kept) state[i] = Object.fromEntries(Object.entries(kept).map(([name, value]) => [name, value.detach()]));
    });
    const paramGroups = this.paramGroups.map((group) => ({ ...group, params: group.params.map((param) => params.indexOf(param)) }));
    return { state, paramGroups };
  }

  /** Goes on from there. @throws OptimError where groups, options or shapes are not this optimizer's; nothing has changed then */
  loadStateDict({ state, paramGroups }: OptimizerState): void {
    const params = this.#params;
    this.#check(state, paramGroups, params);
    paramGroups.forEach(({ params: _, ...options }, i) => Object.assign(this.paramGroups[i], options));
    const steps = new Map<string, Tensor>();
    const places = new Map([...new Set([...this.#states.values()].map(({ step }) => step))].map((step, i) => [step, i]));
    params.forEach((param, i) => {
      const loaded = state[i];
      if (!loaded) return void this.#states.delete(param);
      const mine = this.#states.get(param) ?? {};
      this.#states.set(param, mine);
      for (const [name, value] of Object.entries(loaded)) {
        if (name === 'step') continue;
        // Into the tensors there are: compiled functions read those.
        if (mine[name]) mine[name].assign(value);
        else mine[name] = fromTensorData(value.to(param.dtype).toTensorData());
      }
      if (!loaded.step) return;
      const count = loaded.step.item();
      const key = `${places.get(mine.step)} ${count}`;
      const taken = [...steps.values()].includes(mine.step);
      const step = steps.get(key) ?? (mine.step && !taken ? mine.step.assign(count).realize() : scalarInput(count));
      steps.set(key, step);
      mine.step = step;
    });
  }

  #check(state: OptimizerState['state'], groups: OptimizerState['paramGroups'], params: readonly Tensor[]): void {
    const where = `${this.#rule.name}.loadStateDict`;
    const sizes = (list: readonly { readonly params: readonly unknown[] }[]) => list.map((group) => group.params.length).join(', ');
    if (sizes(groups) !== sizes(this.paramGroups)) throw new OptimError(where, { expected: `groups of ${sizes(this.paramGroups)} parameters`, got: sizes(groups) });
    groups.forEach(({ params: own, ...options }, i) => {
      const { initialLr: _, ...known } = options;
      // Made on trial: it checks the options.
      makeGroup(this.#rule.name, this.paramGroups[i].params, { ...this.#options, ...given(this.#rule, known) }, []);
    });
    params.forEach((param, i) => {
      for (const [name, { shape }] of Object.entries(state[i] ?? {})) {
        if (!sameShape(shape, name === 'step' ? [] : param.shape)) throw new OptimError(where, { expected: `${name} of parameter ${i} as [${param.shape.join(',')}]`, got: `[${shape.join(',')}]` });
      }
    });
  }
}

/** Options as given, without those left undefined. @throws OptimError for one that the algorithm does not have */
function given<O extends BaseOptions>({ name, defaults }: { readonly name: string; readonly defaults: O }, options: object): Partial<O> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  const unknown = entries.find(([key]) => !Object.hasOwn(defaults, key));
  if (unknown) throw new OptimError(name, { expected: `options among ${Object.keys(defaults).join(', ')}`, got: unknown[0] });
  return Object.fromEntries(entries) as Partial<O>;
}

function filled({ dtype, shape }: Tensor, value: number): Tensor {
  const tensor = zeros(dtype, shape);
  if (value !== 0) tensor.data.fill(fromNumbers(dtype, [], [value]).data[0] as never);
  return fromTensorData(tensor);
}
