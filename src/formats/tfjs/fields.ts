/** Untrusted JSON read field by field: every access is checked, and a wrong field is an error that names its owner. */
import { FormatError } from '../errors.ts';

const show = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 80);

/** An object of a JSON file. A field that is null counts as absent, as Keras writes it. */
export class Fields {
  /** What the object is, for messages: `layer 'conv1'`. */
  readonly where: string;
  readonly file: string | undefined;
  private readonly values: Readonly<Record<string, unknown>>;

  /** @throws FormatError where `value` is no object. */
  constructor(where: string, value: unknown, file?: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new FormatError(where, { file, expected: 'an object', got: show(value) });
    }
    this.where = where;
    this.file = file;
    this.values = value as Record<string, unknown>;
  }

  raw(name: string): unknown {
    return Object.hasOwn(this.values, name) ? (this.values[name] ?? undefined) : undefined;
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  /** The error for a field that is not as expected. */
  wrong(name: string, expected: string, hint?: string): FormatError {
    return new FormatError(`${this.where}, '${name}'`, { file: this.file, expected, got: show(this.raw(name)), hint });
  }

  text(name: string, fallback?: string): string {
    const value = this.raw(name) ?? fallback;
    if (typeof value !== 'string') throw this.wrong(name, 'a text');
    return value;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback?: T): T {
    const value = this.text(name, fallback);
    if (!(allowed as readonly string[]).includes(value)) throw this.wrong(name, `one of ${allowed.join(', ')}`);
    return value as T;
  }

  number(name: string, fallback?: number): number {
    const value = this.raw(name) ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.wrong(name, 'a number');
    return value;
  }

  int(name: string, fallback?: number, min = 0): number {
    const value = this.raw(name) ?? fallback;
    if (!isInt(value, min)) throw this.wrong(name, `an integer of at least ${min}`);
    return value;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.raw(name) ?? fallback;
    if (typeof value !== 'boolean') throw this.wrong(name, 'true or false');
    return value;
  }

  list(name: string, fallback?: readonly unknown[]): readonly unknown[] {
    const value = this.raw(name) ?? fallback;
    if (!Array.isArray(value)) throw this.wrong(name, 'a list');
    return value;
  }

  ints(name: string, fallback?: readonly number[], min = 0): readonly number[] {
    const value = this.list(name, fallback);
    if (!value.every((item) => isInt(item, min))) throw this.wrong(name, `integers of at least ${min}`);
    return value as number[];
  }

  /** One integer an axis; a single integer stands for all of them. */
  perAxis(name: string, rank: number, fallback?: number | readonly number[], min = 1): readonly number[] {
    const value = this.raw(name) ?? fallback;
    const list = typeof value === 'number' ? new Array<number>(rank).fill(value) : value;
    if (!Array.isArray(list) || list.length !== rank || !list.every((item) => isInt(item, min))) {
      throw this.wrong(name, `${rank} integer${rank > 1 ? 's' : ''} of at least ${min}`);
    }
    return list as number[];
  }

  /** Amounts before and after each axis (padding, cropping): `n`, `[n, n]` or `[[before, after], ...]`. */
  margins(name: string, rank: number): readonly (readonly [before: number, after: number])[] {
    const value = this.raw(name) ?? 1;
    const isPair = (item: unknown): item is [number, number] =>
      Array.isArray(item) && item.length === 2 && item.every((amount) => isInt(amount, 0));
    if (isInt(value, 0)) return new Array<[number, number]>(rank).fill([value, value]);
    if (rank === 1 && isPair(value)) return [value];
    if (Array.isArray(value) && value.length === rank) {
      if (value.every((item) => isInt(item, 0))) return value.map((item) => [item, item]);
      if (value.every(isPair)) return value;
    }
    throw this.wrong(name, `a size, ${rank} sizes, or ${rank} pairs of sizes`);
  }

  child(name: string, where = `${this.where}, '${name}'`): Fields {
    return new Fields(where, this.raw(name), this.file);
  }
}

function isInt(value: unknown, min: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && Math.abs(value as number) < 2 ** 31;
}
