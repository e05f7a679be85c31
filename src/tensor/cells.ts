/**
 * Where values live. A graph value is known once it was computed; a cell is an Input node that stands for a value, known or
 * still to be computed: gradients end there, computation goes through.
 *
 * What is known is held by the graph value itself (weakly from here), so it lives as long as a tensor or a pending expression
 * can still read it. Nobody counts references.
 */
import { constantOf, dtypes, Node, type TensorData, type TensorType, type Value } from '../graph/index.ts';

interface Slot {
  data?: TensorData;
  /** What a cell stands for, until it is known. */
  source?: Value;
}

const slots = new WeakMap<Value, Slot>();

const cell = ({ dtype, shape }: TensorType, slot: Slot): Value => {
  const [value] = new Node('Input', [], { name: '', dtype, shape: [...shape] }, [{ dtype, shape }], '').outputs;
  slots.set(value, slot);
  return value;
};

/** A value that is known. Its data is not copied and must not be changed afterwards. */
export const known = (data: TensorData): Value => cell(data, { data });

let origins: Map<Value, Value> | undefined;
/** While a map is given, cells made for what is known already are noted in it, with what they were made for. */
export const noteOrigins = (map: Map<Value, Value> | undefined): void => void (origins = map);

/** The same value, to which no gradient goes back. */
export function alias(value: Value): Value {
  const source = resolve(value);
  const data = slots.get(source)?.data;
  if (!data) return cell(value, { source });
  const result = cell(value, { data });
  origins?.set(result, origins.get(source) ?? source);
  return result;
}

/** The value that a cell stands for: one that is known, or an expression. Cells on the way learn it. */
export function resolve(value: Value): Value {
  let slot = slots.get(value);
  if (!slot?.source) return value;
  let end: Value = slot.source;
  for (let next = slots.get(end); next?.source; next = slots.get(end)) end = next.source;
  const data = slots.get(end)?.data;
  if (!data) {
    slot.source = end;
    return end;
  }
  // The expression is not needed any more.
  for (let at: Value | undefined = value; at && at !== end; ) {
    slot = slots.get(at)!;
    at = slot.source;
    slot.source = undefined;
    slot.data = data;
  }
  return value;
}

/** What the value is, where that is known. */
export const dataOf = (value: Value): TensorData | undefined => {
  const at = resolve(value);
  return slots.get(at)?.data ?? constantOf(at);
};

export const store = (value: Value, data: TensorData): void => void slots.set(resolve(value), { data });

/** Known without a look at cells: of values that were resolved. */
export const storedIn = (resolved: Value): TensorData | undefined => slots.get(resolved)?.data;

const literals = new WeakSet<Node>();

/**
 * A number that somebody wrote in an expression: a constant, until it changes from run to run (`x.mul(rate)`); then its program
 * takes it as an input.
 */
export function literal(data: TensorData): Value {
  const node = new Node('Constant', [], { value: data }, [data], '');
  if (dtypes[data.dtype].kind === 'float') literals.add(node);
  return node.outputs[0];
}

export const isLiteral = (node: Node): boolean => literals.has(node);
