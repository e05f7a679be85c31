/** Pooling over any number of spatial axes (layout N C spatial): MaxPool, AveragePool, LpPool and their global forms. */
import {
  apply,
  constant,
  defineOp,
  formatType,
  GraphError,
  type InferContext,
  sizeOf,
  type TensorData,
  tensorData,
  type TensorType,
  type Value,
  zeros,
} from '../graph/index.ts';
import { contextOf, type OpSource } from './context.ts';
import { kernelExtent, listAttr, type Window, windowAttrs, windowCounts, windowGeometry, windowWalker } from './geometry.ts';
import { flagAttr, fromElements, int64s, intAttr, intRange, isFloat, numbersOf, operand } from './helpers.ts';
import { abs, mul, pow } from './terms.ts';

export interface PoolGeometry extends Window {
  readonly n: number;
  readonly channels: number;
  readonly spatial: readonly number[];
  readonly outSpatial: readonly number[];
  /** AveragePool: padding counts in the divisor. */
  readonly countIncludePad: boolean;
}

/** More would be a file's mistake, and no memory is taken for it. */
const maxKernelElements = 2 ** 24;

/** @throws GraphError where operands or attributes do not fit. */
export function poolGeometry(source: OpSource): PoolGeometry {
  const context = contextOf(source);
  const { n, channels, spatial } = planes(context);
  const kernel = listAttr(context.attrs, 'kernel_shape');
  if (!kernel) throw new GraphError('attribute kernel_shape', { expected: 'one size a spatial axis', got: 'nothing' });
  const { output, ...window } = windowGeometry(spatial, kernel, windowAttrs(context.attrs));
  if (sizeOf(kernel) > maxKernelElements) {
    throw new GraphError('kernel_shape', { expected: `at most ${maxKernelElements} elements`, got: `[${kernel.join(',')}]` });
  }
  kernel.forEach((size, axis) => {
    const extent = kernelExtent(size, window.dilations[axis]);
    if (window.padsBegin[axis] >= extent || window.padsEnd[axis] >= extent) {
      throw new GraphError('pads', {
        expected: `less than ${extent} (the dilated kernel) on spatial axis ${axis}`,
        got: `${window.padsBegin[axis]} and ${window.padsEnd[axis]}`,
        hint: 'windows in the padding alone have no value',
      });
    }
  });
  const countIncludePad = flagAttr(context.attrs, 'count_include_pad', false);
  return { n, channels, spatial, ...window, outSpatial: output, countIncludePad };
}

/**
 * What an average divides by: at output position (i, j, ...) the product of `counts[0][i]`, `counts[1][j]`, ...
 * Padding counts where the geometry says so, what `ceil_mode` reads beyond it never (as in PyTorch).
 */
export const poolCounts = (g: PoolGeometry): Int32Array[] => windowCounts(g.spatial, { ...g, output: g.outSpatial }, g.countIncludePad);

function planes(context: InferContext, group: 'numeric' | 'float' = 'numeric') {
  const x = operand(context, 0, group, 'X');
  if (x.shape.length < 3) throw new GraphError('X', { expected: 'N, C and at least one spatial axis', got: formatType(x) });
  const [n, channels, ...spatial] = x.shape;
  return { x, n, channels, spatial };
}

const pooledType = (context: InferContext, group?: 'float'): TensorType => {
  const { x, n, channels } = planes(context, group);
  return { dtype: x.dtype, shape: [n, channels, ...poolGeometry(context).outSpatial] };
};

/** The divisors as a flat list over the output positions. */
export function divisors(g: PoolGeometry): Float64Array {
  let flat = Float64Array.of(1);
  for (const counts of poolCounts(g)) {
    const spread = new Float64Array(flat.length * counts.length);
    for (let i = 0; i < spread.length; i++) spread[i] = flat[Math.floor(i / counts.length)] * counts[i % counts.length];
    flat = spread;
  }
  return flat;
}

defineOp({
  name: 'MaxPool',
  inputs: [1, 1],
  infer(context) {
    intAttr(context.attrs, 'storage_order', 0, 0);
    const y = pooledType(context);
    return [y, { dtype: 'int64', shape: y.shape }];
  },
  // The first of equal elements wins; NaN wins over all, as in PyTorch. A window that a dilation leads past every
  // element yields the lowest value and index -1.
  evaluate(inputs, attrs, [type, indicesType]) {
    const g = poolGeometry({ inputs, attrs });
    const x = numbersOf(inputs[0]!);
    const columnMajor = intAttr(attrs, 'storage_order', 0) === 1;
    const inSize = sizeOf(g.spatial);
    const outSize = sizeOf(g.outSpatial);
    const lowest = isFloat(type.dtype) ? -Infinity : Number(intRange(type.dtype)[0]);
    const result = new Float64Array(sizeOf(type.shape));
    const indices = new BigInt64Array(result.length);
    const taps = new Int32Array(sizeOf(g.kernel));
    const walk = windowWalker(g.outSpatial, g.spatial, g);
    for (let position = 0; position < outSize; position++) {
      walk(position, taps);
      for (let plane = 0; plane < g.n * g.channels; plane++) {
        let best = -1;
        for (let k = 0; k < taps.length; k++) {
          if (taps[k] < 0) continue;
          const at = plane * inSize + taps[k];
          if (best < 0 || x[at] > x[best] || (Number.isNaN(x[at]) && !Number.isNaN(x[best]))) best = at;
        }
        const out = plane * outSize + position;
        result[out] = best < 0 ? lowest : x[best];
        const inPlane = best - plane * inSize;
        const index = best >= 0 && columnMajor ? plane * inSize + toColumnMajor(inPlane, g.spatial) : best;
        indices[out] = BigInt(index);
      }
    }
    return [fromElements(type, result), tensorData('int64', indicesType.shape, indices)];
  },
  gradient({ inputs: [x], attrs: { storage_order: _order, ...attrs }, outputs: [y] }, [dy]) {
    return [apply('MaxPoolBackward', [dy!, x, y], attrs)];
  },
});

/** The offset of a row-major position in the column-major order of the same plane. */
function toColumnMajor(position: number, spatial: readonly number[]): number {
  let result = 0;
  for (let axis = spatial.length - 1; axis >= 0; axis--) {
    result = result * spatial[axis] + (position % spatial[axis]);
    position = Math.floor(position / spatial[axis]);
  }
  return result;
}

defineOp({
  name: 'AveragePool',
  inputs: [1, 1],
  infer: (context) => [pooledType(context, 'float')],
  /** A window that a dilation leads past every element yields 0. */
  evaluate(inputs, attrs, [type]): TensorData[] {
    const g = poolGeometry({ inputs, attrs });
    const x = numbersOf(inputs[0]!);
    const inSize = sizeOf(g.spatial);
    const outSize = sizeOf(g.outSpatial);
    const counts = divisors(g);
    const result = new Float64Array(sizeOf(type.shape));
    const taps = new Int32Array(sizeOf(g.kernel));
    const walk = windowWalker(g.outSpatial, g.spatial, g);
    for (let position = 0; position < outSize; position++) {
      walk(position, taps);
      for (let plane = 0; plane < g.n * g.channels; plane++) {
        let sum = 0;
        for (let k = 0; k < taps.length; k++) if (taps[k] >= 0) sum += x[plane * inSize + taps[k]];
        result[plane * outSize + position] = counts[position] === 0 ? 0 : sum / counts[position];
      }
    }
    return [fromElements(type, result)];
  },
  gradient: ({ inputs: [x], attrs }, [dy]) => [apply('AveragePoolBackward', [dy!], { ...attrs, shape: [...x!.shape] })],
});

/** (sum |x|^p)^(1/p), for a given sum. */
function pNorm(x: Value, p: number, sum: (powers: Value) => Value): Value {
  return pow(sum(pow(abs(x), p)), 1 / p);
}

defineOp({
  name: 'LpPool',
  inputs: [1, 1],
  infer(context) {
    intAttr(context.attrs, 'p', 2, 1);
    return [pooledType(context, 'float')];
  },
  // A sum is the average over the elements that are there, times their number.
  decompose({ inputs: [x], attrs: { p, ...window }, outputs: [y] }) {
    if (sizeOf(y.shape) === 0) return [constant(zeros(y.dtype, y.shape))];
    const sum = (powers: Value): Value => {
      const average = apply('AveragePool', [powers], { ...window, count_include_pad: 0 });
      const g = poolGeometry(average.node);
      const counts = fromElements({ dtype: powers.dtype, shape: [1, 1, ...g.outSpatial] }, divisors(g));
      return mul(average, constant(counts));
    };
    return [pNorm(x!, (p as number | undefined) ?? 2, sum)];
  },
});

function globalType(context: InferContext, group?: 'float'): TensorType[] {
  const { x, n, channels, spatial } = planes(context, group);
  if (sizeOf(spatial) === 0) throw new GraphError('X', { expected: 'at least one element a channel', got: formatType(x) });
  return [{ dtype: x.dtype, shape: [n, channels, ...spatial.map(() => 1)] }];
}

const overSpatial = (op: string, x: Value): Value => apply(op, [x, int64s(x.shape.slice(2).map((_, axis) => axis + 2))], { keepdims: 1 });

defineOp({
  name: 'GlobalAveragePool',
  inputs: [1, 1],
  infer: (context) => globalType(context, 'float'),
  decompose: ({ inputs: [x] }) => [overSpatial('ReduceMean', x!)],
});

defineOp({
  name: 'GlobalMaxPool',
  inputs: [1, 1],
  infer: (context) => globalType(context),
  decompose: ({ inputs: [x] }) => [overSpatial('ReduceMax', x!)],
});

defineOp({
  name: 'GlobalLpPool',
  inputs: [1, 1],
  infer(context) {
    intAttr(context.attrs, 'p', 2, 1);
    return globalType(context, 'float');
  },
  decompose: ({ inputs: [x], attrs }) => [pNorm(x!, intAttr(attrs, 'p', 2), (powers) => overSpatial('ReduceSum', powers))],
});
