/** Products of matrices: MatMul as in NumPy, Gemm as in BLAS. */
import { apply, type DType, defineOp, formatType, GraphError, type Shape, sizeOf, type TensorData, type Value } from '../graph/index.ts';
import { contextOf, type OpSource } from './context.ts';
import { sumTo } from './gradient.ts';
import {
  bigintsOf,
  broadcastShapes,
  broadcastStrides,
  commonDType,
  flagAttr,
  fromElements,
  isFloat,
  numberAttr,
  numbersOf,
  offsetsOf,
  operand,
  optionalOperand,
  reshape,
} from './helpers.ts';
import { transposePerm } from './movement.ts';
import { add, mul } from './terms.ts';

/** C[batch, m, n] = A[batch, m, k] B[batch, k, n], whatever the ranks of the operands. */
export interface MatMulGeometry {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  /** Broadcast batch shape; empty for a single product. */
  readonly batch: readonly number[];
  /** Where the matrices of A and B lie, in elements per batch axis; 0 along a broadcast one. */
  readonly aStrides: readonly number[];
  readonly bStrides: readonly number[];
  /** The result's shape: batch, m unless A is a vector, n unless B is. */
  readonly shape: readonly number[];
}

/** @throws GraphError where operands do not fit. */
export function matMulGeometry(source: OpSource): MatMulGeometry {
  const context = contextOf(source);
  const a = operand(context, 0, 'numeric', 'A');
  const b = operand(context, 1, 'numeric', 'B');
  commonDType([a, b]);
  if (a.shape.length === 0 || b.shape.length === 0) {
    const got = `${formatType(a)} and ${formatType(b)}`;
    throw new GraphError('operands', { expected: 'at least one axis each', got, hint: 'Mul scales by a scalar' });
  }
  const [m, k] = a.shape.length === 1 ? [1, a.shape[0]] : a.shape.slice(-2);
  const [bk, n] = b.shape.length === 1 ? [b.shape[0], 1] : b.shape.slice(-2);
  if (k !== bk) throw new GraphError('inner axes', { expected: 'equal sizes', got: `${k} and ${bk}` });
  const aBatch = a.shape.slice(0, -2);
  const bBatch = b.shape.slice(0, -2);
  const batch = broadcastShapes(aBatch, bBatch);
  return {
    m,
    k,
    n,
    batch,
    aStrides: broadcastStrides(aBatch, batch).map((stride) => stride * m * k),
    bStrides: broadcastStrides(bBatch, batch).map((stride) => stride * k * n),
    shape: [...batch, ...(a.shape.length === 1 ? [] : [m]), ...(b.shape.length === 1 ? [] : [n])],
  };
}

/** sum_k A[k] B[k]: sums in doubles for floats (exact in integers below 2^53), in bigints for wrapping integers. */
function products(a: TensorData, b: TensorData, { m, k, n, batch, aStrides, bStrides }: MatMulGeometry) {
  const aOffsets = offsetsOf(batch, aStrides);
  const bOffsets = offsetsOf(batch, bStrides);
  const multiply = <T extends number | bigint>(x: ArrayLike<T>, y: ArrayLike<T>, zero: T, result: { [i: number]: T }) => {
    let at = 0;
    for (let i = 0; i < aOffsets.length; i++) {
      for (let row = 0; row < m; row++) {
        for (let column = 0; column < n; column++) {
          let sum = zero;
          const first = aOffsets[i] + row * k;
          for (let j = 0; j < k; j++) sum = ((sum as number) + (x[first + j] as number) * (y[bOffsets[i] + j * n + column] as number)) as T;
          result[at++] = sum;
        }
      }
    }
  };
  const size = sizeOf(batch) * m * n;
  if (isFloat(a.dtype)) {
    const result = new Float64Array(size);
    multiply(numbersOf(a), numbersOf(b), 0, result);
    return result;
  }
  const result = new BigInt64Array(size);
  multiply(bigintsOf(a), bigintsOf(b), 0n, result);
  return result;
}

defineOp({
  name: 'MatMul',
  inputs: [2, 2],
  infer: (context) => [{ dtype: operand(context, 0).dtype, shape: matMulGeometry(context).shape }],
  evaluate: (inputs, attrs, [type]) => [fromElements(type, products(inputs[0]!, inputs[1]!, matMulGeometry({ inputs, attrs })))],
  gradient(node, [cotangent]) {
    const [a, b] = node.inputs as Value[];
    const { m, k, n, batch } = matMulGeometry(node);
    const dy = reshape(cotangent!, [...batch, m, n]);
    const left = reshape(a, [...a.shape.slice(0, -2), m, k]);
    const right = reshape(b, [...b.shape.slice(0, -2), k, n]);
    const da = product(dy, swapped(right), isTurned(a));
    // One matrix for all of the batch, as a layer's weights are: its cotangent is one product too, of all rows at once.
    const rows = sizeOf(batch) * m;
    const isShared = right.shape.length === 2;
    const db = isShared ? product(swapped(reshape(left, [rows, k])), reshape(dy, [rows, n]), isTurned(b)) : product(swapped(left), dy, isTurned(b));
    return [reshape(sumTo(da, left.shape), a.shape), reshape(sumTo(db, right.shape), b.shape)];
  },
});

const swappedAxes = ({ shape }: Value): number[] => [...shape.keys()].slice(0, -2).concat(shape.length - 1, shape.length - 2);

const swapped = (x: Value): Value => apply('Transpose', [x], { perm: swappedAxes(x) });

const isTurned = (x: Value): boolean => x.node.op === 'Transpose' && transposePerm(x.node).join() === swappedAxes(x).join();

/** The product of two matrices, made the other way round where it will be turned round again, as weights [out, in] are. */
const product = (a: Value, b: Value, turned: boolean): Value =>
  turned ? swapped(apply('MatMul', [swapped(b), swapped(a)])) : apply('MatMul', [a, b]);

function gemmShape(source: OpSource): Shape {
  const context = contextOf(source);
  const a = operand(context, 0, 'numeric', 'A');
  const b = operand(context, 1, 'numeric', 'B');
  const c = optionalOperand(context, 2, 'numeric', 'C');
  const dtype = commonDType(c ? [a, b, c] : [a, b]);
  for (const [name, type] of [['A', a], ['B', b]] as const) {
    if (type.shape.length !== 2) throw new GraphError(name, { expected: 'a matrix', got: formatType(type), hint: 'Flatten or Reshape it first' });
  }
  const [m, k] = flagAttr(context.attrs, 'transA', false) ? [a.shape[1], a.shape[0]] : a.shape;
  const [bk, n] = flagAttr(context.attrs, 'transB', false) ? [b.shape[1], b.shape[0]] : b.shape;
  if (k !== bk) throw new GraphError('inner axes', { expected: 'equal sizes', got: `${k} and ${bk}` });
  if (c && broadcastShapes(c.shape, [m, n]).join() !== `${m},${n}`) {
    throw new GraphError('C', { expected: `a shape that broadcasts to [${m},${n}]`, got: formatType(c) });
  }
  for (const name of ['alpha', 'beta']) wholeForInts(dtype, name, numberAttr(context.attrs, name, 1));
  return [m, n];
}

function wholeForInts(dtype: DType, name: string, value: number): void {
  if (!isFloat(dtype) && !Number.isInteger(value)) throw new GraphError(name, { expected: `a whole number for ${dtype}`, got: `${value}` });
}

/** alpha A' B' + beta C. */
defineOp({
  name: 'Gemm',
  inputs: [2, 3],
  infer: (context) => [{ dtype: operand(context, 0).dtype, shape: gemmShape(context) }],
  decompose({ inputs: [a, b, c], attrs }) {
    const oriented = (value: Value, flag: string): Value => (flagAttr(attrs, flag, false) ? apply('Transpose', [value], { perm: [1, 0] }) : value);
    const scaled = (value: Value, name: string): Value => {
      const factor = numberAttr(attrs, name, 1);
      return factor === 1 ? value : mul(value, factor);
    };
    const product = scaled(apply('MatMul', [oriented(a!, 'transA'), oriented(b!, 'transB')]), 'alpha');
    return [c ? add(product, scaled(c, 'beta')) : product];
  },
});
