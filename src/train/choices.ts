/** What may be named rather than made: losses and optimizers, as Keras's users do. */
import { functional, type Module } from '../nn/index.ts';
import { Adagrad, Adam, AdamW, type BaseOptions, Optimizer, RMSprop, SGD } from '../optim/index.ts';
import type { Tensor } from '../tensor/index.ts';
import { TrainError } from './errors.ts';

/** Of output and target, the mean over the batch. */
export type LossFunction = (output: Tensor, target: Tensor) => Tensor;

const losses = {
  crossEntropy: functional.crossEntropy,
  nll: functional.nllLoss,
  mse: functional.mseLoss,
  l1: functional.l1Loss,
  smoothL1: functional.smoothL1Loss,
  huber: functional.huberLoss,
  bce: functional.binaryCrossEntropy,
  bceWithLogits: functional.binaryCrossEntropyWithLogits,
} satisfies Record<string, LossFunction>;

/** A loss by name, a module of output and target, or a function of them. */
export type LossChoice = keyof typeof losses | (Module & { forward(output: Tensor, target: Tensor): Tensor }) | LossFunction;

export function lossOf(choice: LossChoice): LossFunction {
  if (typeof choice === 'function') return choice;
  if (typeof choice === 'object') return (output, target) => choice.call(output, target);
  if (!Object.hasOwn(losses, choice)) throw new TrainError('loss', { expected: `one of ${Object.keys(losses).join(', ')}`, got: String(choice) });
  return (output, target) => losses[choice](output, target);
}

const optimizers = {
  sgd: (params: Tensor[], lr = 0.01) => new SGD(params, { lr, momentum: 0.9 }),
  adam: (params: Tensor[], lr?: number) => new Adam(params, { lr }),
  adamw: (params: Tensor[], lr?: number) => new AdamW(params, { lr }),
  rmsprop: (params: Tensor[], lr?: number) => new RMSprop(params, { lr }),
  adagrad: (params: Tensor[], lr?: number) => new Adagrad(params, { lr }),
} satisfies Record<string, (params: Tensor[], lr?: number) => AnyOptimizer>;

/** Any of them, whatever its options. */
export type AnyOptimizer = Pick<Optimizer<BaseOptions>, 'zeroGrad' | 'step' | 'stateDict' | 'loadStateDict'> & {
  readonly paramGroups: readonly { lr: number; initialLr?: number; readonly params: readonly Tensor[] }[];
};

/** An optimizer, one by name with its usual options (`sgd` has a momentum of 0.9), or a maker of one. */
export type OptimizerChoice = keyof typeof optimizers | AnyOptimizer | ((params: Tensor[]) => AnyOptimizer);

export function optimizerOf(choice: OptimizerChoice, model: Module, lr: number | undefined): AnyOptimizer {
  if (typeof choice === 'string') {
    if (!Object.hasOwn(optimizers, choice)) throw new TrainError('optimizer', { expected: `one of ${Object.keys(optimizers).join(', ')}`, got: choice });
    return optimizers[choice](trainable(model), lr);
  }
  if (lr !== undefined) throw new TrainError('lr', { expected: 'none beside an optimizer that has its own', got: `${lr}` });
  return typeof choice === 'function' ? choice(trainable(model)) : choice;
}

const trainable = (model: Module): Tensor[] => model.parameters().filter(({ requiresGrad }) => requiresGrad);
