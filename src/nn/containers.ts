/** Modules in a row: chained, or just held. */
import type { Tensor } from '../tensor/index.ts';
import { ModuleError } from './errors.ts';
import { type Layer, Module } from './module.ts';

const hold = (target: Module, name: string, module: Module): void => {
  if (!(module instanceof Module)) throw new ModuleError(target.constructor.name, { expected: 'modules', got: typeof module });
  if (name in target) throw new ModuleError(target.constructor.name, { expected: 'another name', got: `'${name}', which is taken` });
  Object.assign(target, { [name]: module });
};

/** Modules by number, in order. Subclasses of it decide what a forward pass is. */
abstract class Row<M extends Module> extends Module {
  get length(): number {
    return this.children().length;
  }
  /** The module at this place, from the end where negative. @throws ModuleError where there is none */
  at(index: number): M {
    const module = this.children().at(index);
    if (!module) throw new ModuleError(this.constructor.name, { expected: `a place among ${this.length}`, got: `${index}` });
    return module as M;
  }
  append(module: M): this {
    hold(this, String(this.length), module);
    return this;
  }
  [Symbol.iterator](): IterableIterator<M> {
    return (this.children() as M[])[Symbol.iterator]();
  }
}

/** Each module takes what the one before it gave: `new Sequential(a, b)`, or `new Sequential({ first: a, second: b })`. */
export class Sequential extends Row<Layer> {
  constructor(...layers: readonly Layer[] | readonly [Readonly<Record<string, Layer>>]) {
    super();
    const [first] = layers;
    const named = layers.length === 1 && !(first instanceof Module) ? Object.entries(first as Readonly<Record<string, Layer>>) : Object.entries(layers as readonly Layer[]);
    for (const [name, layer] of named) hold(this, name, layer);
  }
  forward(x: Tensor): Tensor {
    let result = x;
    for (const layer of this) result = layer.call(result);
    return result;
  }
}

/** Modules that are found as its parts; what is computed with them is its owner's business. */
export class ModuleList<M extends Module = Layer> extends Row<M> {
  constructor(modules: Iterable<M> = []) {
    super();
    for (const module of modules) this.append(module);
  }
  forward(): never {
    throw new ModuleError('ModuleList', { expected: 'its modules to be called one by one', got: 'a call of the list', hint: 'Sequential chains modules' });
  }
}
