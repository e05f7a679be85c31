/** Keras's layers that take several inputs. */
import { apply, type Value } from '../../graph/index.ts';
import { axisOf, type Call, type LayerRule, wrongInput } from './call.ts';
import { asIs, channelsFirst, heldAxis, heldChannelsFirst, plain, reshape, scalar, shapeOf, type Tensor, transpose } from './layout.ts';

/** All inputs in one order: channels first as soon as one of them is held so. */
function aligned(inputs: readonly Tensor[]): Tensor[] {
  const first = inputs.some((input) => input.channelsFirst);
  return inputs.map((input) => (first ? heldChannelsFirst(channelsFirst(input)) : asIs(plain(input))));
}

/** Inputs of lower rank get axes of size 1 after the batch, as Keras broadcasts. */
function ofOneRank(inputs: readonly Tensor[]): readonly Tensor[] {
  const rank = Math.max(...inputs.map((input) => shapeOf(input).length));
  return inputs.map((input) => {
    const [batch, ...rest] = shapeOf(input);
    const missing = rank - 1 - rest.length;
    return missing === 0 ? input : asIs(reshape(plain(input), [batch, ...new Array<number>(missing).fill(1), ...rest]));
  });
}

function atLeastTwo(call: Call): readonly Tensor[] {
  if (call.inputs.length < 2) throw wrongInput(call, '2 or more', `${call.inputs.length}`);
  return call.inputs;
}

/** Folds the inputs with a binary operator, then finishes. */
export const merge = (op: string, finish?: (sum: Value, call: Call) => Value): LayerRule => (call) => {
  const inputs = aligned(ofOneRank(atLeastTwo(call)));
  const value = inputs.map((input) => input.value).reduce((a, b) => apply(op, [a, b], {}, call.name));
  return { value: finish ? finish(value, call) : value, channelsFirst: inputs[0].channelsFirst };
};

export const average = merge('Add', (sum, { inputs, name }) => apply('Mul', [sum, scalar(1 / inputs.length)], {}, name));

export const subtract: LayerRule = (call) => {
  if (call.inputs.length !== 2) throw wrongInput(call, '2', `${call.inputs.length}`);
  return merge('Sub')(call);
};

export const concatenate: LayerRule = (call) => {
  const inputs = aligned(atLeastTwo(call));
  const axis = axisOf(call, 'axis', call.config.raw('axis') ?? -1, shapeOf(inputs[0]).length);
  const value = apply('Concat', inputs.map((input) => input.value), { axis: heldAxis(inputs[0], axis) }, call.name);
  return { value, channelsFirst: inputs[0].channelsFirst };
};

/** Batched products along one axis of each, for tensors of rank 2 and 3. */
export const dot: LayerRule = (call) => {
  const [a, b] = atLeastTwo(call).map(plain);
  const ranks = [a.shape.length, b.shape.length];
  if (call.inputs.length > 2 || ranks.some((rank) => rank !== 2 && rank !== 3)) {
    throw wrongInput(call, '2 of rank 2 or 3', `${call.inputs.length} of rank ${ranks.join(' and ')}`);
  }
  if (call.config.flag('normalize', false)) throw call.config.wrong('normalize', 'false', 'cosine proximity is not supported yet');
  const axes = call.config.raw('axes');
  const [axisA, axisB] = (Array.isArray(axes) ? axes : [axes, axes]).map((axis, i) => axisOf(call, 'axes', axis, ranks[i]));
  if (axisA === 0 || axisB === 0) throw call.config.wrong('axes', 'axes other than the batch');
  // To [batch, rows, summed] and [batch, summed, columns]; rank 2 has one row or column.
  const left = ranks[0] === 2 ? reshape(a, [a.shape[0], 1, a.shape[1]]) : axisA === 2 ? a : transpose(a, [0, 2, 1]);
  const right = ranks[1] === 2 ? reshape(b, [...b.shape, 1]) : axisB === 1 ? b : transpose(b, [0, 2, 1]);
  const product = apply('MatMul', [left, right], {}, call.name);
  const [batch, rows, columns] = product.shape;
  const shape = [batch, ...(ranks[0] === 3 ? [rows] : []), ...(ranks[1] === 3 ? [columns] : [])];
  return asIs(shape.length === 3 ? product : reshape(product, shape.length === 1 ? [batch, 1] : shape, call.name));
};
