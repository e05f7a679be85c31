/** Optimizers, schedules of their learning rate and clipping of gradients, as PyTorch has them. */
export { Adagrad, type AdagradOptions, Adam, type AdamOptions, AdamW, RMSprop, type RMSpropOptions, SGD, type SGDOptions } from './algorithms.ts';
export { clipGradNorm, clipGradValue } from './clip.ts';
export { OptimError } from './errors.ts';
export type { ParamGroup, Params } from './groups.ts';
export { type BaseOptions, Optimizer, type OptimizerState } from './optimizer.ts';
export { type PlateauOptions, type PlateauState, ReduceLROnPlateau } from './plateau.ts';
export {
  ConstantLR,
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  CyclicLR,
  type CyclicOptions,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  LRScheduler,
  MultiStepLR,
  OneCycleLR,
  type OneCycleOptions,
  PolynomialLR,
  type Schedule,
  type Scheduled,
  SequentialLR,
  StepLR,
} from './schedules.ts';
