/** Softmax, LogSoftmax and Hardmax along one axis (opset 13 semantics: no flattening). */
import { apply, type Attrs, constant, defineOp, stridesOf, type TensorData, tensorData, type Value } from '../graph/index.ts';
import { fromElements, int64s, intAttr, normalizeAxis, numbersOf, offsetsOf, operand } from './helpers.ts';
import * as t from './terms.ts';

const axisOf = (attrs: Attrs, rank: number): number => normalizeAxis(intAttr(attrs, 'axis', -1), rank);

/** Maps each line of elements along an axis to a line of as many. */
function mapLines(x: TensorData, axis: number, fn: (line: readonly number[]) => readonly number[]): TensorData {
  const strides = stridesOf(x.shape);
  const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
  const starts = offsetsOf(others.map((i) => x.shape[i]), others.map((i) => strides[i]));
  const elements = numbersOf(x);
  const results = new Float64Array(elements.length);
  for (const start of starts) {
    const line = Array.from({ length: x.shape[axis] }, (_, i) => elements[start + i * strides[axis]]);
    fn(line).forEach((value, i) => void (results[start + i * strides[axis]] = value));
  }
  return fromElements(x, results);
}

const largest = (line: readonly number[]): number => line.reduce((a, b) => Math.max(a, b), -Infinity);
const sum = (line: readonly number[]): number => line.reduce((a, b) => a + b, 0);

function softmax(line: readonly number[]): number[] {
  const shift = largest(line);
  const exps = line.map((x) => Math.exp(x - shift));
  const total = sum(exps);
  return exps.map((x) => x / total);
}

function logSoftmax(line: readonly number[]): number[] {
  const shift = largest(line);
  const logTotal = Math.log(sum(line.map((x) => Math.exp(x - shift))));
  return line.map((x) => x - shift - logTotal);
}

/** 1 at the first of the largest elements. NaN counts as largest, as for ArgMax. */
function hardmax(line: readonly number[]): number[] {
  const max = largest(line);
  const first = line.findIndex((x) => x === max || Number.isNaN(x));
  return line.map((_, i) => (i === first ? 1 : 0));
}

function defineLineOp(
  name: string,
  line: (line: readonly number[]) => readonly number[],
  decompose: (x: Value, axis: number) => Value,
  gradient: (dy: Value, y: Value, axis: number) => Value | null,
): void {
  defineOp({
    name,
    inputs: [1, 1],
    infer(context) {
      const { dtype, shape } = operand(context, 0, 'float');
      axisOf(context.attrs, shape.length);
      return [{ dtype, shape }];
    },
    evaluate: ([x], attrs) => [mapLines(x!, axisOf(attrs, x!.shape.length), line)],
    decompose: ({ inputs: [x], attrs }) => [decompose(x!, axisOf(attrs, x!.shape.length))],
    gradient: ({ attrs, outputs: [y] }, [dy]) => [gradient(dy!, y, axisOf(attrs, y.shape.length))],
  });
}

const reduce = (op: string, x: Value, axis: number): Value => apply(op, [x, int64s([axis])], { keepdims: 1 });

defineLineOp('Softmax', softmax, (x, axis) => {
  const exps = t.exp(t.sub(x, reduce('ReduceMax', x, axis)));
  return t.div(exps, reduce('ReduceSum', exps, axis));
}, (dy, y, axis) => t.mul(y, t.sub(dy, reduce('ReduceSum', t.mul(dy, y), axis))));

defineLineOp('LogSoftmax', logSoftmax, (x, axis) => {
  const shifted = t.sub(x, reduce('ReduceMax', x, axis));
  return t.sub(shifted, t.log(reduce('ReduceSum', t.exp(shifted), axis)));
}, (dy, y, axis) => t.sub(dy, t.mul(t.exp(y), reduce('ReduceSum', dy, axis))));

defineLineOp('Hardmax', hardmax, (x, axis) => {
  const shape = x.shape.map((dim, i) => (i === axis ? dim : 1));
  if (shape[axis] === 0) return x;
  const indices = constant(tensorData('int64', shape, BigInt64Array.from({ length: shape[axis] }, (_, i) => BigInt(i))));
  return t.cast(t.equal(apply('ArgMax', [x], { axis, keepdims: 1 }), indices), x.dtype);
}, () => null);
