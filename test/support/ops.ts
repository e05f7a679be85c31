/** For tests of operators: run one operator on values, directly or taken apart, and compare. */
import { expect } from 'vitest';
import {
  type Attrs,
  constant,
  type DType,
  fromNumbers,
  input,
  makeNode,
  type Node,
  type Shape,
  type TensorData,
  toNumbers,
} from '../../src/graph/index.ts';
import { evaluateNode, fromElements, numbersOf } from '../../src/ops/index.ts';

/** What a device must run itself; all else is taken apart into these (and convolutions, pooling and matrix products). */
export const coreOps: ReadonlySet<string> = new Set(
  `Add Sub Mul Div Pow Min Max Mod Neg Abs Sqrt Exp Log Sin Cos Tanh Sigmoid Erf Floor Ceil Round Reciprocal Sign IsNaN Not And Or
  Xor Equal Greater Less GreaterOrEqual LessOrEqual Where Cast Relu LeakyRelu Clip HardSigmoid HardSwish ReduceSum ReduceMean ReduceMax
  ReduceMin ReduceProd ArgMax ArgMin Softmax Reshape Transpose Concat Slice Pad Expand Gather AveragePool Constant Input`.split(/\s+/),
);

export const f32 = (shape: Shape, values: readonly number[]): TensorData => fromElements({ dtype: 'float32', shape }, values);
export const f64 = (shape: Shape, values: readonly number[]): TensorData => fromElements({ dtype: 'float64', shape }, values);
export const i32 = (shape: Shape, values: readonly number[]): TensorData => fromNumbers('int32', shape, values);
export const i64 = (shape: Shape, values: readonly number[]): TensorData => fromNumbers('int64', shape, values);
export const bool = (shape: Shape, values: readonly number[]): TensorData => fromNumbers('bool', shape, values);
export const vector = (values: readonly number[], dtype: DType = 'float32'): TensorData => fromElements({ dtype, shape: [values.length] }, values);

/** Integer operands after the first become constants, since they may decide shapes; all others graph inputs. */
export function nodeOf(op: string, operands: readonly (TensorData | null)[], attrs: Attrs = {}): Node {
  const values = operands.map((tensor, i) => {
    if (tensor === null) return null;
    return i > 0 && tensor.dtype === 'int64' ? constant(tensor) : input(`x${i}`, tensor.dtype, tensor.shape);
  });
  return makeNode(op, values, attrs);
}

/** All results of one operator. */
export const run = (op: string, operands: readonly (TensorData | null)[], attrs: Attrs = {}): TensorData[] =>
  evaluateNode(nodeOf(op, operands, attrs), operands);

/** The first result as plain numbers. */
export const numbers = (op: string, operands: readonly (TensorData | null)[], attrs: Attrs = {}): number[] =>
  toNumbers(run(op, operands, attrs)[0]);

/** The same, computed by the operator's decomposition, and of whatever in it a device would not run. */
export function runDecomposed(op: string, operands: readonly (TensorData | null)[], attrs: Attrs = {}): TensorData[] {
  const target = nodeOf(op, operands, attrs);
  return evaluateNode(target, operands, { decompose: (node) => node === target || !coreOps.has(node.op) });
}

/** Distance in units of the expected value's last place; 0 where both are NaN or the same infinity. */
export function ulpDistance(actual: number, expected: number, dtype: DType): number {
  if (Object.is(actual, expected) || actual === expected) return 0;
  if (!Number.isFinite(actual) || !Number.isFinite(expected)) return Infinity;
  const [mantissa, minExponent] = dtype === 'float64' ? [52, -1022] : [23, -126];
  const exponent = expected === 0 ? minExponent : Math.max(Math.floor(Math.log2(Math.abs(expected))), minExponent);
  // 2^-1074 is the least power that is not 0.
  return Math.abs(actual - expected) / 2 ** Math.max(exponent - mantissa, -1074);
}

export interface Tolerance {
  /** Allowed in units of the last place ... */
  readonly ulp: number;
  /** ... or else absolutely. */
  readonly absolute?: number;
}

export function expectClose(actual: TensorData, expected: TensorData, { ulp, absolute = 0 }: Tolerance, about = ''): void {
  expect([actual.dtype, actual.shape], about).toEqual([expected.dtype, expected.shape]);
  const [a, e] = [numbersOf(actual), numbersOf(expected)];
  for (let i = 0; i < e.length; i++) {
    const close = ulpDistance(a[i], e[i], expected.dtype) <= ulp || Math.abs(a[i] - e[i]) <= absolute;
    if (!close) expect.fail(`${about} element ${i}: expected ${e[i]}, got ${a[i]} (${ulpDistance(a[i], e[i], expected.dtype)} ulp)`);
  }
}

/** Reproducible numbers in [0, 1) (Mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
