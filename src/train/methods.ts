/** fit, evaluate and predict as methods of every module, in Keras's manner. Importing this attaches them. */
import { Module } from '../nn/index.ts';
import { asTensor, Tensor } from '../tensor/index.ts';
import type { BatchOf, TrainData, Values } from './batches.ts';
import { evaluate, predict, type PredictOptions } from './evaluate.ts';
import { TrainError } from './errors.ts';
import { fit } from './fit.ts';
import type { Metrics, MetricValues } from './metrics.ts';
import type { History } from './history.ts';
import type { EvaluateOptions, FitOptions } from './options.ts';

declare module '../nn/module.ts' {
  interface Module {
    /** Trains on inputs and targets, tensors or numbers; see `fit`. */
    fit<M extends Metrics = Metrics>(x: Values | readonly Tensor[], y: Values, options?: FitOptions<Tensor[], M>): Promise<History>;
    /** Trains on tensors side by side, a dataset, or batches; see `fit`. */
    fit<D extends TrainData, M extends Metrics = Metrics>(data: D, options?: FitOptions<BatchOf<D>, M>): Promise<History>;
    /** Loss and metrics of inputs and targets; see `evaluate`. */
    evaluate<M extends Metrics = Record<never, never>>(x: Values | readonly Tensor[], y: Values, options?: EvaluateOptions<Tensor[], M>): Promise<{ readonly loss: number } & MetricValues<M>>;
    /** Loss and metrics of tensors side by side, a dataset, or batches; see `evaluate`. */
    evaluate<D extends TrainData, M extends Metrics = Record<never, never>>(data: D, options?: EvaluateOptions<BatchOf<D>, M>): Promise<{ readonly loss: number } & MetricValues<M>>;
    /** The outputs for inputs; see `predict`. */
    predict(x: Values | TrainData, options?: PredictOptions): Promise<Tensor>;
  }
}

/** Whether it is numbers, as typed array or nested lists, that make a tensor. */
function isNumbers(data: unknown): data is Exclude<Values, Tensor> {
  let first = data;
  while (Array.isArray(first)) [first] = first;
  return ArrayBuffer.isView(first) || ['number', 'boolean', 'bigint'].includes(typeof first);
}
const isValues = (data: unknown): data is Values => data instanceof Tensor || isNumbers(data);
/** Parts of the data side by side. */
const partsOf = (data: unknown): Tensor[] => (isValues(data) ? [asTensor(data)] : (data as Tensor[]));

/** Data and options of `(x, y, options)` or `(data, options)`. */
function sorted(where: string, [data, second, third]: readonly unknown[]): [data: TrainData, options: object | undefined] {
  if (!isValues(second)) return [data as TrainData, second as object | undefined];
  const parts = partsOf(data);
  if (!Array.isArray(parts) || !parts.every((part) => part instanceof Tensor)) throw new TrainError(where, { expected: 'inputs as tensors or numbers beside targets', got: typeof data });
  return [[...parts, asTensor(second)], third as object | undefined];
}

const methods: Record<'fit' | 'evaluate' | 'predict', (this: Module, ...args: unknown[]) => unknown> = {
  fit(...args) {
    return fit(this, ...sorted('fit', args));
  },
  evaluate(...args) {
    return evaluate(this, ...sorted('evaluate', args));
  },
  predict(data, options) {
    return predict(this, isValues(data) ? asTensor(data) : (data as TrainData), options as PredictOptions);
  },
};
for (const [name, value] of Object.entries(methods)) Object.defineProperty(Module.prototype, name, { configurable: true, writable: true, value });
