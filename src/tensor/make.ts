/** make: one operator on tensors. What all families of methods are written in: dtypes meet as in PyTorch, numbers join in. */
import { type Attrs, type DType, dtypes, makeNode, type Value } from '../graph/index.ts';
import { fromElements } from '../ops/index.ts';
import { alias, literal } from './cells.ts';
import { TensorError } from './errors.ts';
import { isGradEnabled } from './tape.ts';
import { Tensor } from './tensor.ts';
import { currentTrace, noteUse } from './trace.ts';
import { currentWatch } from './watch.ts';

export type Operand = Tensor | number;

/** All results of an operator of the graph, by its ONNX name. Operands that are graph values (axes, sizes) have no gradient. */
export function makeAll(op: string, operands: readonly (Tensor | Value | null)[], attrs: Attrs = {}): Tensor[] {
  let requires = false;
  const trace = currentTrace();
  const inputs = operands.map((operand) => {
    if (!(operand instanceof Tensor)) return operand;
    if (operand.requiresGrad) requires = true;
    if (trace) noteUse(trace, operand);
    return operand.value;
  });
  const recorded = requires && isGradEnabled();
  const node = makeNode(op, inputs, attrs);
  trace?.made.add(node);
  currentWatch()?.sites.set(node, new Error('made here'));
  return node.outputs.map((value) => {
    if (dtypes[value.dtype].kind !== 'float') return new Tensor(value);
    return new Tensor(requires && !recorded ? alias(value) : value, recorded);
  });
}

/** The first result of an operator. */
export const make = (op: string, operands: readonly (Tensor | Value | null)[], attrs?: Attrs): Tensor => makeAll(op, operands, attrs)[0];

// ---- constants

export const scalar = (dtype: DType, value: number): Tensor => new Tensor(literal(fromElements({ dtype, shape: [] }, [value])));
export const int64s = (values: readonly number[]): Value => makeNode('Constant', [], { value: fromElements({ dtype: 'int64', shape: [values.length] }, values) }).outputs[0];
export const int64 = (value: number): Value => makeNode('Constant', [], { value: fromElements({ dtype: 'int64', shape: [] }, [value]) }).outputs[0];

// ---- dtypes

const kinds = ['bool', 'int', 'float'] as const;
const kindOf = (dtype: DType): number => kinds.indexOf(dtypes[dtype].kind);
export const isFloat = (dtype: DType): boolean => dtypes[dtype].kind === 'float';

/** The dtype in which two dtypes meet: float before integer before bool, then the wider one, as in PyTorch. */
export function promoteTypes(a: DType, b: DType): DType {
  if (a === b) return a;
  if (kindOf(a) !== kindOf(b)) return kindOf(a) > kindOf(b) ? a : b;
  const [wide, narrow] = dtypes[a].bytes >= dtypes[b].bytes ? [a, b] : [b, a];
  if (isFloat(a)) return dtypes[wide].bytes === dtypes[narrow].bytes ? 'float32' : wide;
  const unsigned = (dtype: DType) => dtype.startsWith('u');
  if (unsigned(wide) === unsigned(narrow) || (!unsigned(wide) && dtypes[wide].bytes > dtypes[narrow].bytes)) return wide;
  return (['int16', 'int32', 'int64'] as const).find((dtype) => dtypes[dtype].bytes > dtypes[wide].bytes) ?? 'int64';
}

/** The dtype of an expression of these operands: numbers, and then scalars, give way to tensors of the same kind. */
export function resultType(...operands: readonly Operand[]): DType {
  let result: DType | undefined;
  let decided = -1;
  const ranks = (operand: Operand): number => (typeof operand === 'number' ? 0 : operand.ndim === 0 ? 1 : 2);
  for (const rank of [2, 1, 0]) {
    for (const operand of operands) {
      if (ranks(operand) !== rank) continue;
      const dtype = typeof operand === 'number' ? numberType(operand) : operand.dtype;
      if (result === undefined || kindOf(dtype) > kindOf(result)) result = dtype;
      else if (decided === rank) result = promoteTypes(result, dtype);
      decided = rank;
    }
  }
  return result ?? 'float32';
}

const numberType = (value: number): DType => (Number.isInteger(value) ? 'int64' : 'float32');

/** The operand as a tensor of this dtype. */
export function lift(operand: Operand, dtype: DType): Tensor {
  if (typeof operand === 'number') return scalar(dtype, operand);
  return operand.dtype === dtype ? operand : make('Cast', [operand], { to: dtype });
}

/** Integers and truths as float32; floats as they are. */
export const asFloat = (operand: Operand): Tensor => {
  const dtype = typeof operand === 'number' ? 'float32' : operand.dtype;
  return lift(operand, isFloat(dtype) ? dtype : 'float32');
};

/** Operands in the dtype in which they meet. @throws TensorError where all are numbers. */
export function meet(...operands: readonly Operand[]): Tensor[] {
  if (!operands.some((operand) => operand instanceof Tensor)) throw new TensorError('operands', { expected: 'a tensor among them', got: operands.join(' and ') });
  const dtype = resultType(...operands);
  return operands.map((operand) => lift(operand, dtype));
}

// ---- dimensions

/** @throws TensorError outside [-rank, rank - 1] */
export function dimOf(dim: number, rank: number): number {
  const size = Math.max(rank, 1);
  if (!Number.isInteger(dim) || dim < -size || dim >= size) {
    throw new TensorError('dim', { expected: `an integer in [${-size}, ${size - 1}]`, got: `${dim}` });
  }
  return dim < 0 ? dim + size : dim;
}
