/** Every operator, one file a family: importing this folder defines them all. */
export { evaluateGraph, evaluateNode, type EvaluateOptions, evaluateValues } from './evaluate.ts';
export { broadcastShapes, broadcastStrides, constantInts, fromElements, numbersOf } from './helpers.ts';
