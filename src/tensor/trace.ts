/** What `compile` notes while the function that it compiles runs for the first time. */
import type { Node, TensorData, Value } from '../graph/index.ts';
import { dataOf, noteOrigins, resolve } from './cells.ts';
import { compute } from './compute.ts';
import { TensorError } from './errors.ts';
import type { Tensor } from './tensor.ts';

export interface Trace {
  /** Cells of what was known, and whose they are: what they are worth changes with that. */
  readonly origins: Map<Value, Value>;
  /** Tensors that were read in an expression, by what they were worth then. */
  readonly used: Map<Value, Tensor>;
  /** Nodes that were made meanwhile: all others that are pending come from before, and are computed once. */
  readonly made: Set<Node>;
  readonly assigned: Set<Tensor>;
  /** Leaves that got a gradient. */
  readonly graded: Set<Tensor>;
  /** Seeds and counters that were drawn from, and how to draw the next. */
  readonly random: Map<Value, () => TensorData>;
}

let current: Trace | undefined;
export const currentTrace = (): Trace | undefined => current;

/** Runs `fn` and returns what it did. @throws TensorError within another trace */
export function traced<T>(fn: () => T): { readonly result: T; readonly trace: Trace } {
  if (current) throw new TensorError('compile', { expected: 'no compiled function that runs for the first time within another', got: 'one' });
  const trace: Trace = { origins: new Map(), used: new Map(), made: new Set(), assigned: new Set(), graded: new Set(), random: new Map() };
  current = trace;
  noteOrigins(trace.origins);
  try {
    return { result: fn(), trace };
  } finally {
    current = undefined;
    noteOrigins(undefined);
  }
}

/** Notes that a tensor is an operand. One that is pending since before the trace is computed now, and not again every time. */
export function noteUse(trace: Trace, tensor: Tensor): void {
  const { value } = tensor;
  if (!dataOf(value)) {
    if (trace.made.has(resolve(value).node)) return;
    compute([value], true);
  }
  const at = resolve(value);
  if (!trace.origins.has(at)) trace.used.set(at, tensor);
}

/** @throws TensorError where values are read while a function is compiled */
export function expectNoTrace(where: string): void {
  if (current) throw new TensorError(where, { expected: 'no reading of values in a function that is compiled', got: 'one', hint: 'return the tensor, and read it after the call' });
}
