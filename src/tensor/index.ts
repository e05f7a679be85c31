/** Tensors as PyTorch has them: expressions that are computed when read, and gradients of them. */
import './methods.ts';

export { type Anomaly, AnomalyError, describeAnomaly, detectAnomaly } from './anomaly.ts';
export { type BackwardOptions, grad, type GradOptions } from './autograd.ts';
export { compile, type Results } from './compile.ts';
export * from './create.ts';
export { TensorError } from './errors.ts';
export * from './functional.ts';
export * from './linalg.ts';
export { makeAll as applyOp, type Operand, promoteTypes, resultType } from './make.ts';
export * from './pointwise.ts';
export { configure, counts as programCounts, type Settings } from './programs.ts';
export * from './random.ts';
export * from './reduce.ts';
export * from './resample.ts';
export * from './shape.ts';
export { enableGrad, type GradFn, isGradEnabled, noGrad } from './tape.ts';
export { type Nested, realize, realizeAsync, Tensor } from './tensor.ts';
