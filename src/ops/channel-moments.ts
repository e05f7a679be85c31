/** What batch normalisation asks of its channels in training, forward and backward, as operators that devices may run in one pass. */
import { apply, defineOp, GraphError, type InferContext, makeNode, type Shape, sizeOf, type TensorData, type TensorType, type Value } from '../graph/index.ts';
import { sumOver } from './gradient.ts';
import { commonDType, expectShape, fromElements, int64s, numbersOf, operand, reshape } from './helpers.ts';
import { mul, sub } from './terms.ts';

/** All axes but the channels'. */
const othersOf = (shape: Shape): number[] => [...shape.keys()].filter((axis) => axis !== 1);

/** [C] as [1, C, 1, ...], which broadcasts over batch and positions. */
export const perChannel = (vector: Value, rank: number): Value =>
  reshape(vector, Array.from({ length: rank }, (_, axis) => (axis === 1 ? vector.shape[0] : 1)));

/** x [N, C, ...] and one result [C] twice. */
function channelTypes(context: InferContext): TensorType[] {
  const { dtype, shape } = operand(context, 0, 'float');
  if (shape.length < 2) throw new GraphError('input 0', { expected: 'rank of at least 2', got: `${shape.length}` });
  const type = { dtype, shape: [shape[1]] };
  return [type, type];
}

/** Calls `use` with every element's place and channel. */
function eachElement(shape: Shape, use: (i: number, channel: number) => void): void {
  const positions = sizeOf(shape.slice(2));
  for (let i = 0; i < sizeOf(shape); i++) use(i, Math.floor(i / positions) % shape[1]);
}

/** x [N, C, ...] -> mean and variance of each channel, [C]; the variance is that of what is there, divided by its count. */
defineOp({
  name: 'ChannelMoments',
  inputs: [1, 1],
  infer: channelTypes,
  evaluate([x], _attrs, types) {
    const { shape } = x!;
    const elements = numbersOf(x!);
    const count = sizeOf(shape) / shape[1];
    const means = new Float64Array(shape[1]);
    eachElement(shape, (i, channel) => (means[channel] += elements[i] / count));
    const variances = new Float64Array(shape[1]);
    eachElement(shape, (i, channel) => (variances[channel] += (elements[i] - means[channel]) ** 2 / count));
    return [means, variances].map((values, i) => fromElements(types[i], values));
  },
  /** The variance is of the centred values: a large mean costs no digits. */
  decompose({ inputs: [x] }) {
    const { shape } = x!;
    const meanOf = (value: Value) => apply('ReduceMean', [value, int64s(othersOf(shape))], { keepdims: 1 });
    const mean = meanOf(x!);
    const centred = sub(x!, mean);
    return [mean, meanOf(mul(centred, centred))].map((value) => reshape(value, [shape[1]]));
  },
});

/** dy and x [N, C, ...], mean [C] -> the sums over each channel of dy, and of dy (x - mean), [C]. */
defineOp({
  name: 'ChannelSums',
  inputs: [3, 3],
  infer(context) {
    const [dy, x, mean] = [0, 1, 2].map((i) => operand(context, i, 'float'));
    commonDType([dy, x, mean]);
    expectShape(x, dy.shape, 'x');
    expectShape(mean, [dy.shape[1]], 'mean');
    return channelTypes(context);
  },
  evaluate(inputs, _attrs, types) {
    const [dy, x, mean] = (inputs as TensorData[]).map(numbersOf);
    const { shape } = inputs[0]!;
    const results = types.map(() => new Float64Array(shape[1]));
    eachElement(shape, (i, channel) => {
      results[0][channel] += dy[i];
      results[1][channel] += dy[i] * (x[i] - mean[channel]);
    });
    return results.map((values, i) => fromElements(types[i], values));
  },
  decompose({ inputs }) {
    const [dy, x, mean] = inputs as Value[];
    const axes = othersOf(dy.shape);
    return [sumOver(dy, axes), sumOver(mul(dy, sub(x, perChannel(mean, x.shape.length))), axes)];
  },
});

export const channelMoments = (x: Value): readonly Value[] => makeNode('ChannelMoments', [x]).outputs;
export const channelSums = (dy: Value, x: Value, mean: Value): readonly Value[] => makeNode('ChannelSums', [dy, x, mean]).outputs;
