/**
 * Module: what has parameters and a forward pass. A property that is a Parameter, a Buffer or a Module is found under its own
 * name, so `this.conv1 = new Conv2d(...)` makes `conv1.weight`; the names are those of PyTorch's state dicts.
 */
import { type DType, dtypes, formatType, sameShape, type TensorData } from '../graph/index.ts';
import { fromTensorData, noGrad, realize, Tensor } from '../tensor/index.ts';
import { ModuleError } from './errors.ts';

/** A tensor that is learnt. Its first value may be pending, and is then computed by the first `call` of a module that has it. */
export class Parameter extends Tensor {
  readonly kind = 'parameter';
  constructor(data: Tensor, requiresGrad = true) {
    super(data.detach().value);
    this.requiresGrad = requiresGrad;
  }
  override toString(): string {
    return `Parameter containing:\n${super.toString()}`;
  }
}

/** A tensor that belongs to a module's state and is not learnt, such as running statistics. */
export class Buffer extends Tensor {
  readonly kind = 'buffer';
  /** Whether it is in the state dict. */
  readonly persistent: boolean;
  constructor(data: Tensor, { persistent = true }: { readonly persistent?: boolean } = {}) {
    super(data.detach().value);
    this.persistent = persistent;
  }
}

/** Values by dotted name: what `readSafetensors` gives, or tensors. */
export type StateDict = ReadonlyMap<string, TensorData | Tensor> | Readonly<Record<string, TensorData | Tensor>>;

/** Names that a state dict lacks, and names of it that the module lacks. */
export interface LoadResult {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

/** Sees what goes in; may give other arguments in its place. */
export type ForwardPreHook = (module: Module, args: readonly unknown[]) => readonly unknown[] | void;
/** Sees what went in and what came out; may give another output in its place. */
export type ForwardHook = (module: Module, args: readonly unknown[], output: unknown) => unknown;
export interface HookHandle {
  remove(): void;
}

/** A module from tensor to tensor, as `Sequential` chains them. */
export type Layer = Module & { forward(x: Tensor): Tensor };

const dotted = (prefix: string, name: string): string => (prefix ? `${prefix}.${name}` : name);

export abstract class Module {
  /** Whether `train()` or `eval()` was last. Change it through them. */
  training = true;
  readonly #preHooks = new Set<ForwardPreHook>();
  readonly #hooks = new Set<ForwardHook>();
  #isReady = false;

  /** What the module computes. Users `call` it, so that hooks run. */
  abstract forward(...args: never[]): unknown;

  /** The forward pass, with hooks. */
  call(...args: Parameters<this['forward']>): ReturnType<this['forward']> {
    this.#makeReady();
    let given: readonly unknown[] = args;
    for (const hook of [...this.#preHooks]) given = hook(this, given) ?? given;
    let output: unknown = this.forward(...(given as never[]));
    for (const hook of [...this.#hooks]) output = hook(this, given, output) ?? output;
    return output as ReturnType<this['forward']>;
  }
  /** First values are computed once and together, or the first training step would be another program than those after it. */
  #makeReady(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    const pending = [...this.parameters(), ...this.buffers()].filter((tensor) => !tensor.isRealized);
    if (pending.length > 0) realize(...pending);
  }

  /** Runs before each `call`. */
  registerForwardPreHook(hook: ForwardPreHook): HookHandle {
    this.#preHooks.add(hook);
    return { remove: () => void this.#preHooks.delete(hook) };
  }
  /** Runs after each `call`. */
  registerForwardHook(hook: ForwardHook): HookHandle {
    this.#hooks.add(hook);
    return { remove: () => void this.#hooks.delete(hook) };
  }

  // ---- what is in it

  /** The modules that are its properties, in order. */
  namedChildren(): [name: string, module: Module][] {
    return Object.entries(this).filter((entry): entry is [string, Module] => entry[1] instanceof Module);
  }
  children(): Module[] {
    return this.namedChildren().map(([, module]) => module);
  }
  /** Itself ('') and all modules within, each once. */
  namedModules(): [name: string, module: Module][] {
    const found = new Map<Module, string>();
    const visit = (module: Module, prefix: string): void => {
      if (found.has(module)) return;
      found.set(module, prefix);
      for (const [name, child] of module.namedChildren()) visit(child, dotted(prefix, name));
    };
    visit(this, '');
    return [...found].map(([module, name]) => [name, module]);
  }
  modules(): Module[] {
    return this.namedModules().map(([, module]) => module);
  }
  /** Parameters of it and all modules within, each once, under its first name. */
  namedParameters(): [name: string, parameter: Parameter][] {
    return once(stateOf(this).filter((entry): entry is [string, Parameter] => entry[1] instanceof Parameter));
  }
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }
  namedBuffers(): [name: string, buffer: Buffer][] {
    return once(stateOf(this).filter((entry): entry is [string, Buffer] => entry[1] instanceof Buffer));
  }
  buffers(): Buffer[] {
    return this.namedBuffers().map(([, buffer]) => buffer);
  }

  // ---- changing all of it

  /** Calls `fn` with every module within, then with this one. */
  apply(fn: (module: Module) => void): this {
    for (const module of this.modules().reverse()) fn(module);
    return this;
  }
  /** Makes dropout and batch normalisation behave as in training, or (false) as in use. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }
  /** `train(false)` */
  eval(): this {
    return this.train(false);
  }
  /** Makes all parameters require a gradient, or (false) freezes them. */
  requiresGrad_(wanted = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = wanted;
    return this;
  }
  /** Forgets the gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }
  /** Casts parameters and buffers that are floats. @throws ModuleError for a dtype that is none */
  to(dtype: DType): this {
    if (dtypes[dtype]?.kind !== 'float') throw new ModuleError('to', { expected: 'a float dtype', got: dtype });
    for (const tensor of [...this.parameters(), ...this.buffers()]) {
      if (dtypes[tensor.dtype].kind !== 'float' || tensor.dtype === dtype) continue;
      tensor.become(tensor.detach().to(dtype).detach().value);
      tensor.grad = tensor.grad?.detach().to(dtype) ?? null;
    }
    return this;
  }
  /** As float32 */
  float(): this {
    return this.to('float32');
  }
  /** As float64 */
  double(): this {
    return this.to('float64');
  }

  // ---- state

  /** Parameters and persistent buffers by dotted name, computed; what the module learns later does not change it. */
  stateDict(): Map<string, TensorData> {
    const state = persistent(this);
    if (state.length > 0) realize(...state.map(([, tensor]) => tensor));
    return new Map(state.map(([name, tensor]) => [name, tensor.toTensorData()]));
  }
  /**
   * Takes over values by name, cast to the dtypes here; data is not copied and must not be changed afterwards. Either all is
   * taken or nothing.
   * @throws ModuleError where shapes differ, or (unless `strict` is false) names are missing or unexpected
   */
  loadStateDict(dict: StateDict, { strict = true }: { readonly strict?: boolean } = {}): LoadResult {
    const given = new Map(dict instanceof Map ? (dict as ReadonlyMap<string, TensorData | Tensor>) : Object.entries(dict));
    const own = persistent(this);
    const names = new Set(own.map(([name]) => name));
    const missing = [...names].filter((name) => !given.has(name));
    const unexpected = [...given.keys()].filter((name) => !names.has(name));
    const where = `loadStateDict of ${this.constructor.name}`;
    if (strict && missing.length + unexpected.length > 0) {
      const what = [missing.length > 0 ? `${few(missing)} missing` : '', unexpected.length > 0 ? `${few(unexpected)} unexpected` : ''];
      throw new ModuleError(where, { expected: 'the names of this module', got: what.filter(Boolean).join(', '), hint: '{ strict: false } takes what fits' });
    }
    const taken = own.flatMap(([name, tensor]) => {
      const value = given.get(name);
      if (!value) return [];
      if (!sameShape(value.shape, tensor.shape)) throw new ModuleError(`${where}, '${name}'`, { expected: formatType(tensor.value), got: formatType(value) });
      return [[tensor, value] as const];
    });
    noGrad(() => {
      for (const [tensor, value] of taken) tensor.assign(value instanceof Tensor ? value : fromTensorData(value));
    });
    return { missing, unexpected };
  }

  // ---- printing

  /** What `toString` shows of the module itself, beside its name. */
  extraRepr(): string {
    return '';
  }
  /** As PyTorch prints it. */
  toString(): string {
    const children = this.namedChildren().map(([name, child]) => `(${name}): ${child}`.replaceAll('\n', '\n  '));
    const extra = this.extraRepr();
    const name = this.constructor.name;
    if (children.length === 0) return `${name}(${extra})`;
    return `${name}(\n  ${[...(extra ? [extra] : []), ...children].join('\n  ')}\n)`;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** All parameters and buffers with dotted names, shared ones under each of theirs. */
function stateOf(module: Module, prefix = '', path: readonly Module[] = []): [string, Parameter | Buffer][] {
  if (path.includes(module)) throw new ModuleError(module.constructor.name, { expected: 'modules within modules', got: `a module within itself, as '${prefix}'` });
  const own: [string, Parameter | Buffer][] = [];
  const within: [string, Parameter | Buffer][] = [];
  for (const [name, value] of Object.entries(module)) {
    if (value instanceof Parameter || value instanceof Buffer) own.push([dotted(prefix, name), value]);
    else if (value instanceof Module) within.push(...stateOf(value, dotted(prefix, name), [...path, module]));
  }
  return [...own, ...within];
}

const persistent = (module: Module): [string, Parameter | Buffer][] => stateOf(module).filter(([, tensor]) => !(tensor instanceof Buffer) || tensor.persistent);

function once<T extends Tensor>(entries: readonly [string, T][]): [string, T][] {
  const seen = new Set<T>();
  return entries.filter(([, tensor]) => !seen.has(tensor) && seen.add(tensor));
}

const few = (names: readonly string[]): string => `${names.slice(0, 5).join(' ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
