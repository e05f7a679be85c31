/** Every operator, one file a family: importing this folder defines them all. */
import './cast.ts';
import './logic.ts';
import './normalise.ts';
import './pointwise-activation.ts';
import './pointwise-binary.ts';
import './pointwise-unary.ts';
import './reduce.ts';
import './softmax.ts';

export { castData } from './cast.ts';
export { evaluateGraph, evaluateNode, type EvaluateOptions, evaluateValues } from './evaluate.ts';
export { decodeHalf, encodeHalf } from './half.ts';
export { broadcastShapes, broadcastStrides, constantInts, fromElements, normalizeAxis, numbersOf } from './helpers.ts';
export { pointwiseOps } from './pointwise.ts';
export { reducedAxes } from './reduce.ts';
