/**
 * Small valid graphs for property tests. A list of numbers decides everything, so that fast-check can shrink a failure: each
 * step of the list takes a few values that there are already and makes a few operators of them.
 */
import fc from 'fast-check';
import {
  constant,
  type Attrs,
  type DType,
  type Graph,
  GraphError,
  input,
  makeNode,
  printGraph,
  type Shape,
  sizeOf,
  type TensorData,
  type Value,
} from '../../src/graph/index.ts';
import { evaluateValues, fromElements, numbersOf } from '../../src/ops/index.ts';
import { random } from './ops.ts';
import { steps } from './random-steps.ts';

export interface RandomGraph {
  readonly graph: Graph;
  /** A tensor for each of its inputs. */
  readonly inputs: Readonly<Record<string, TensorData>>;
}

export interface RandomGraphOptions {
  /**
   * Whole numbers that stay small, and operators that keep them whole: every way to compute a result gives the same bits.
   * Else floats that are kept within [-1, 1], so that no error grows far.
   */
  readonly exact: boolean;
  /** Whether an operator may occur; all may where left out. */
  readonly allows?: (op: string) => boolean;
}

/** Options of a property with random graphs; WHET_RUNS=20 tries twenty times as many. */
export const runs = (count: number) => ({ numRuns: count * Number(process.env.WHET_RUNS || 1), interruptAfterTimeLimit: 50_000 * Number(process.env.WHET_RUNS || 1) });

/** Whole numbers no larger keep sums of a few thousand products exact in float32. */
const mostWhole = 2 ** 12;
const mostElements = 3000;

const inputShapes: readonly Shape[] = [
  [1, 3, 6, 6], [2, 16, 5, 4], [1, 20, 7, 5], [4], [2, 3], [5, 17], [1], [], [3, 1, 4], [1, 8, 9], [1, 4, 3, 3, 2], [2, 4, 6], [33], [1, 32, 4, 4], [0, 3], [1, 40, 3, 3],
];

export const randomGraph = (options: RandomGraphOptions): fc.Arbitrary<RandomGraph> =>
  fc.noBias(fc.array(fc.nat(2 ** 16 - 1), { minLength: 4, maxLength: 160, size: 'max' })).map((choices) => {
    const made = new Builder(choices, options).build();
    return Object.assign(made, { [fc.toStringMethod]: () => `${choices.join(' ')}\n${printGraph(made.graph)}` });
  });

/** What a step works with: values there are, choices, and a way to make nodes that drops what does not keep to the rules. */
export class Builder {
  readonly exact: boolean;
  private readonly choices: readonly number[];
  private readonly allows: (op: string) => boolean;
  private readonly pool: Value[] = [];
  private readonly data = new Map<Value, TensorData>();
  private next = 0;

  constructor(choices: readonly number[], { exact, allows = () => true }: RandomGraphOptions) {
    this.choices = choices;
    this.exact = exact;
    this.allows = allows;
  }

  build(): RandomGraph {
    const inputs = Array.from({ length: 1 + this.pick(3) }, (_, i) => {
      const dtype = this.pick(8) === 7 ? 'float64' : 'float32';
      const value = input(`x${i}`, dtype, inputShapes[this.pick(inputShapes.length)]);
      this.data.set(value, this.numbers(dtype, value.shape, i));
      this.pool.push(value);
      return { name: `x${i}`, value };
    });
    while (this.next < this.choices.length) {
      const step = steps[this.pick(steps.length)];
      if ((step.exact === false && this.exact) || (step.exact === true && !this.exact) || !step.ops.every(this.allows)) continue;
      for (const value of step.make(this) ?? []) this.keep(value);
    }
    const results = [this.pool[this.pool.length - 1], ...Array.from({ length: this.pick(3) }, () => this.pool[this.pick(this.pool.length)])];
    const outputs = results.map((value, i) => ({ name: `y${i}`, value }));
    return { graph: { name: 'random', inputs, outputs }, inputs: Object.fromEntries(inputs.map(({ name, value }) => [name, this.data.get(value)!])) };
  }

  /** A number below n; 0 when the choices have run out. */
  pick(n: number): number {
    const choice = this.choices[this.next++] ?? 0;
    return choice % n;
  }

  oneOf<T>(list: readonly T[]): T {
    return list[this.pick(list.length)];
  }

  /** One of the values that fit, late ones more often. */
  value(fits: (value: Value) => boolean = () => true): Value | undefined {
    const fitting = this.pool.filter(fits);
    return fitting.length === 0 ? undefined : fitting[fitting.length - 1 - Math.min(this.pick(fitting.length), this.pick(fitting.length))];
  }

  float(fits: (value: Value) => boolean = () => true): Value | undefined {
    return this.value((value) => value.dtype.startsWith('float') && fits(value));
  }

  /** An operator's first result; undefined where it may not occur, or values do not fit or would be large. */
  apply(op: string, operands: readonly (Value | null | undefined)[], attrs: Attrs = {}): Value | undefined {
    if (!this.allows(op) || operands.includes(undefined)) return undefined;
    try {
      const value = makeNode(op, operands as (Value | null)[], attrs).outputs[0];
      return sizeOf(value.shape) <= mostElements ? value : undefined;
    } catch (error) {
      if (error instanceof GraphError) return undefined;
      throw error;
    }
  }

  /** A constant of whole numbers from -2 to 2, or of floats from -1 to 1. */
  constant(dtype: DType, shape: Shape): Value {
    return constant(this.numbers(dtype, shape, this.pick(1000)));
  }

  ints(values: readonly number[]): Value {
    return constant(fromElements({ dtype: 'int64', shape: [values.length] }, values.map(BigInt)));
  }

  scalar(dtype: DType, value: number): Value {
    return constant(fromElements({ dtype, shape: [] }, dtype === 'int64' ? [BigInt(value)] : [value]));
  }

  private numbers(dtype: DType, shape: Shape, seed: number): TensorData {
    const next = random(seed + 1);
    return fromElements({ dtype, shape }, Float64Array.from({ length: sizeOf(shape) }, () => (this.exact ? Math.floor(next() * 5) - 2 : next() * 2 - 1)));
  }

  /** Takes a value into the pool, scaled down where it left [-1, 1]; whole numbers that grew too large are dropped. */
  private keep(value: Value | undefined): void {
    if (!value || sizeOf(value.shape) > mostElements) return;
    const [tensor] = evaluateValues([value], this.data);
    let largest = 0;
    for (const n of Array.from(numbersOf(tensor))) largest = Math.max(largest, Math.abs(n));
    if (this.exact ? !(largest <= mostWhole) : !Number.isFinite(largest)) return;
    this.pool.push(value);
    if (this.exact || largest <= 1 || !value.dtype.startsWith('float')) return;
    const scale = this.apply('Mul', [value, this.scalar(value.dtype, 2 ** -Math.ceil(Math.log2(largest)))]);
    this.pool.pop();
    if (!scale) return;
    evaluateValues([scale], this.data);
    this.pool.push(scale);
  }
}
