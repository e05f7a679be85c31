/**
 * ONNX's losses for classes: scores or log probabilities [N, C, d1, ...], labels [N, d1, ...] of integers, and optional weights [C].
 * Attribute `ignore_index`: a label that does not count. `reduction` none, sum or mean; the mean is over the weights that count.
 */
import { apply, type Attrs, constant, defineOp, formatType, GraphError, type InferContext, type TensorType, type Value } from '../graph/index.ts';
import { filled, sumOver } from './gradient.ts';
import { commonDType, expectShape, fromElements, intAttr, operand, optionalOperand, reshape, stringAttr } from './helpers.ts';
import { cast, div, equal, exp, mul, neg, sub, where } from './terms.ts';

const reductions = ['none', 'sum', 'mean'] as const;
const reductionOf = (attrs: Attrs) => stringAttr(attrs, 'reduction', 'mean', reductions);

/** The scores' type and the loss's. @throws GraphError where operands or attributes do not fit. */
function lossTypes(context: InferContext): [scores: TensorType, loss: TensorType] {
  const scores = operand(context, 0, 'float', 'scores');
  const { dtype, shape } = scores;
  if (shape.length < 2) throw new GraphError('scores', { expected: 'N, C and possibly more axes', got: formatType(scores) });
  const positions = shape.toSpliced(1, 1);
  expectShape(operand(context, 1, 'index', 'labels'), positions, 'labels');
  const weights = optionalOperand(context, 2, 'float', 'weights');
  if (weights) {
    commonDType([scores, weights]);
    expectShape(weights, [shape[1]], 'weights');
  }
  if (context.attrs.ignore_index !== undefined) intAttr(context.attrs, 'ignore_index');
  return [scores, { dtype, shape: reductionOf(context.attrs) === 'none' ? positions : [] }];
}

/** [N, 1, d1, ...]: labels that name a class (an ignored one becomes 0), and how much each counts, over all where `mean` is asked. */
function counted(scores: Value, labels: Value, weights: Value | null | undefined, attrs: Attrs): { index: Value; share: Value } {
  const column = reshape(labels, scores.shape.with(1, 1));
  const ignored = attrs.ignore_index === undefined ? undefined : equal(column, intAttr(attrs, 'ignore_index'));
  const index = ignored ? where(ignored, 0, column) : column;
  const all = weights ? apply('Gather', [weights, index]) : filled({ dtype: scores.dtype, shape: column.shape }, 1);
  const share = ignored ? where(ignored, 0, all) : all;
  return { index, share: reductionOf(attrs) === 'mean' ? div(share, sumOver(share, [...share.shape.keys()], 1)) : share };
}

/** From log probabilities to the loss. */
function pickedLoss(logs: Value, { index, share }: { index: Value; share: Value }, attrs: Attrs): Value {
  const losses = neg(mul(apply('GatherElements', [logs, index], { axis: 1 }), share));
  return reductionOf(attrs) === 'none' ? reshape(losses, logs.shape.toSpliced(1, 1)) : reshape(sumOver(losses, [...losses.shape.keys()]), []);
}

/** The loss's cotangent as one for each label, [N, 1, d1, ...], times how much it counts. */
function shared(dLoss: Value, scores: Value, share: Value, attrs: Attrs): Value {
  return mul(reductionOf(attrs) === 'none' ? reshape(dLoss, scores.shape.with(1, 1)) : dLoss, share);
}

/** 1 at each label's class; pointwise, so that it fuses with what reads it. */
function oneHot(index: Value, { dtype, shape }: TensorType): Value {
  const type = { dtype: index.dtype, shape: shape.map((dim, axis) => (axis === 1 ? dim : 1)) };
  return cast(equal(index, constant(fromElements(type, [...Array(shape[1]).keys()]))), dtype);
}

/** loss, and the log probabilities that it was picked from. */
defineOp({
  name: 'SoftmaxCrossEntropyLoss',
  inputs: [2, 3],
  infer(context) {
    const [scores, loss] = lossTypes(context);
    return [loss, { dtype: scores.dtype, shape: scores.shape }];
  },
  decompose({ inputs: [scores, labels, weights], attrs }) {
    const logs = apply('LogSoftmax', [scores], { axis: 1 });
    return [pickedLoss(logs, counted(logs, labels!, weights, attrs), attrs), logs];
  },
  gradient({ inputs: [scores, labels, weights], attrs, outputs: [, logs] }, [dLoss, dLogs], wanted) {
    if (!dLoss || dLogs || wanted[2]) return undefined;
    const { index, share } = counted(scores!, labels!, weights, attrs);
    return [mul(sub(exp(logs), oneHot(index, scores!)), shared(dLoss, scores!, share, attrs))];
  },
});

defineOp({
  name: 'NegativeLogLikelihoodLoss',
  inputs: [2, 3],
  infer: (context) => [lossTypes(context)[1]],
  decompose: ({ inputs: [logs, labels, weights], attrs }) => [pickedLoss(logs!, counted(logs!, labels!, weights, attrs), attrs)],
  gradient({ inputs: [logs, labels, weights], attrs }, [dLoss], wanted) {
    if (wanted[2]) return undefined;
    const { index, share } = counted(logs!, labels!, weights, attrs);
    return [neg(mul(oneHot(index, logs!), shared(dLoss!, logs!, share, attrs)))];
  },
});
