/** TopK: the largest or smallest elements along an axis, in order, and where they were. Sorting is taking all of them. */
import { apply, type Attrs, defineOp, dtypes, GraphError, type InferContext, type Shape, sizeOf, type TensorData, tensorData, type TypedArray } from '../graph/index.ts';
import { filled } from './gradient.ts';
import { bigintsOf, constantInts, flagAttr, intAttr, normalizeAxis, numbersOf, operand } from './helpers.ts';

function topKShape(context: InferContext): number[] {
  const { shape } = operand(context, 0, 'numeric');
  const axis = axisOf(context.attrs, shape);
  const k = constantInts(context, 1, 'k') ?? [];
  flagAttr(context.attrs, 'largest', true);
  flagAttr(context.attrs, 'sorted', true);
  if (k.length !== 1 || k[0] < 0 || k[0] > shape[axis]) throw new GraphError('k', { expected: `one number in [0, ${shape[axis]}]`, got: `[${k.join(',')}]` });
  return shape.map((dim, a) => (a === axis ? k[0] : dim));
}

const axisOf = (attrs: Attrs, shape: Shape): number => normalizeAxis(intAttr(attrs, 'axis', -1), shape.length);

/** Equal elements keep their order, and NaN counts as larger than everything, as in PyTorch. */
function orderOf(elements: ArrayLike<number | bigint>, largest: boolean): (i: number, j: number) => number {
  const sign = largest ? -1 : 1;
  return (i, j) => {
    const [a, b] = [elements[i], elements[j]];
    if (a < b) return -sign;
    if (a > b) return sign;
    if (a === b) return i - j;
    const [x, y] = [Number(a !== a), Number(b !== b)];
    return x === y ? i - j : sign * (x - y);
  };
}

defineOp({
  name: 'TopK',
  inputs: [2, 2],
  infer(context) {
    const shape = topKShape(context);
    return [
      { dtype: context.inputs[0]!.dtype, shape },
      { dtype: 'int64', shape },
    ];
  },
  // Sorted, whether that was asked for or not.
  evaluate([x], attrs, [type]): TensorData[] {
    const axis = axisOf(attrs, x!.shape);
    const [dim, k, inner] = [x!.shape[axis], type.shape[axis], sizeOf(x!.shape.slice(axis + 1))];
    const order = orderOf(dtypes[x!.dtype].kind === 'int' ? bigintsOf(x!) : numbersOf(x!), flagAttr(attrs, 'largest', true));
    const values = new dtypes[type.dtype].array(sizeOf(type.shape)) as Float64Array;
    const indices = new BigInt64Array(values.length);
    const places = new Float64Array(dim);
    for (let line = 0; line < (dim === 0 ? 0 : x!.data.length / dim); line++) {
      const [outer, column] = [Math.floor(line / inner), line % inner];
      const start = outer * dim * inner + column;
      for (let i = 0; i < dim; i++) places[i] = start + i * inner;
      places.sort(order);
      for (let i = 0; i < k; i++) {
        const at = (outer * k + i) * inner + column;
        values[at] = (x!.data as Float64Array)[places[i]];
        indices[at] = BigInt((places[i] - start) / inner);
      }
    }
    return [tensorData(type.dtype, type.shape, values as TypedArray), tensorData('int64', type.shape, indices)];
  },
  gradient: (node, [dy]) => [
    dy && apply('ScatterElements', [filled(node.inputs[0]!, 0), node.outputs[1], dy], { axis: axisOf(node.attrs, node.inputs[0]!.shape), reduction: 'add' }),
    null,
  ],
});
