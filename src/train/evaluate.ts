/** evaluate and predict: a model in use, batch by batch, without dropout and without gradients. */
import type { Module } from '../nn/index.ts';
import { cat, compile, noGrad, realize, Tensor } from '../tensor/index.ts';
import { type Batches, type BatchOf, type BatchOptions, batchesOf, flatten, itemsIn, type TrainData } from './batches.ts';
import { breather } from './breathe.ts';
import { lossOf } from './choices.ts';
import { TrainError } from './errors.ts';
import type { Metrics, MetricValues } from './metrics.ts';
import type { EvaluateOptions } from './options.ts';
import { makeEvaluateStep, type Step, usualStep } from './step.ts';
import { Totals } from './totals.ts';

/** Runs `work` with the model as in use; afterwards every module is as it was. */
export async function inUse<T>(model: Module, work: () => Promise<T>): Promise<T> {
  const before = model.modules().map((module) => [module, module.training] as const);
  model.eval();
  try {
    return await work();
  } finally {
    for (const [module, training] of before) module.training = training;
  }
}

/** The loss and the metrics of all batches. The mean loss is over items, not over batches. */
export async function evaluateBatches<B>(model: Module, batches: Batches<B>, step: ReturnType<typeof makeEvaluateStep<B>>, metrics: Metrics): Promise<Totals> {
  const totals = new Totals(metrics);
  const breathe = breather();
  await inUse(model, async () => {
    for await (const batch of batches.of(batches.start, 0)) {
      const flat = flatten(batch);
      totals.add(step(flat), itemsIn(flat));
      await breathe();
    }
  });
  return totals;
}

/**
 * What the model is worth on data: `loss` (where there is one) and the metrics by their names.
 * @throws TrainError for data or batches of another kind, and where there are no batches
 */
export async function evaluate<D extends TrainData, M extends Metrics = Record<never, never>>(model: Module, data: D, options: EvaluateOptions<BatchOf<D>, M> = {}): Promise<{ readonly loss: number } & MetricValues<M>> {
  const { metrics = {} as M, compile = true, loss, step = usualStep(model, loss === undefined ? undefined : lossOf(loss)) } = options;
  const totals = await evaluateBatches(model, batchesOf(data, options), makeEvaluateStep(step as Step<BatchOf<D>>, metrics, compile ? 'compiled' : 'plain'), metrics);
  if (totals.items === 0) throw new TrainError('evaluate', { expected: 'batches', got: 'none' });
  return { ...(totals.hasLoss ? { loss: totals.loss / totals.items } : {}), ...totals.metrics() } as { readonly loss: number } & MetricValues<M>;
}

export interface PredictOptions extends Pick<BatchOptions, 'batchSize'> {
  readonly compile?: boolean;
}

/**
 * The model's output for each item, one after the other along the first dimension. `data` is the input (a tensor, or a list of
 * them where the model takes several), or batches of inputs.
 * @throws TrainError where the model's output is no tensor, and where there are no batches
 */
export async function predict(model: Module, data: Tensor | TrainData, { batchSize = 32, compile: compiles = true }: PredictOptions = {}): Promise<Tensor> {
  const batches = batchesOf(data instanceof Tensor ? [data] : data, { batchSize }) as Batches<unknown>;
  const forward = (inputs: readonly Tensor[]): Tensor => {
    const output = (model as Module & { call(...args: Tensor[]): unknown }).call(...inputs);
    if (!(output instanceof Tensor)) throw new TrainError('predict', { expected: `a tensor from ${model.constructor.name}`, got: typeof output });
    return output;
  };
  const call = (...inputs: readonly Tensor[]): Tensor => noGrad(() => forward(inputs).detach());
  const run = compiles ? compile(call) : call;
  const parts: Tensor[] = [];
  const breathe = breather();
  await inUse(model, async () => {
    for await (const batch of batches.of(batches.start, 0)) {
      const { tensors } = flatten(batch);
      parts.push(run(...tensors).realize());
      await breathe();
    }
  });
  if (parts.length === 0) throw new TrainError('predict', { expected: 'batches', got: 'none' });
  const all = parts.length === 1 ? parts[0] : cat(parts);
  realize(all);
  return all;
}
