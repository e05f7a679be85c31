/**
 * Steps: what happens to one batch, as compiled functions. Forward pass, backward pass, clipping, update and what the batch adds
 * to the metrics are one program, traced at the first batch of each set of shapes.
 */
import type { Module } from '../nn/index.ts';
import { clipGradNorm, clipGradValue } from '../optim/index.ts';
import { compile, detectAnomaly, fromTypedArray, noGrad, realize, type Tensor, zerosLike } from '../tensor/index.ts';
import { type Flat, unflatten } from './batches.ts';
import type { AnyOptimizer, LossFunction } from './choices.ts';
import { TrainError } from './errors.ts';
import type { Metrics } from './metrics.ts';

/** What a step of one's own makes of a batch: expressions, not read in it. */
export interface StepResult {
  /** The mean over the batch, of one element. */
  readonly loss?: Tensor;
  /** What metrics compare. Needed where there are metrics. */
  readonly output?: Tensor;
  readonly target?: Tensor;
}

/** A step: what a batch's loss is. What it does in plain JavaScript is done once; see `compile`. */
export type Step<B> = (batch: B) => StepResult | Tensor;

/** `model.call(...inputs)` against the last part of the batch. */
export function usualStep<B>(model: Module, loss: LossFunction | undefined): Step<B> {
  return (batch) => {
    if (!Array.isArray(batch) || batch.length < 2) throw new TrainError('a batch', { expected: 'a list of inputs and a target', got: batch?.constructor?.name ?? String(batch), hint: 'give a `step` for batches of another kind' });
    const inputs = batch.slice(0, -1) as Tensor[];
    const target = batch.at(-1) as Tensor;
    const output = (model as Module & { call(...args: Tensor[]): unknown }).call(...inputs) as Tensor;
    return { loss: loss?.(output, target), output, target };
  };
}

export const resultOf = (result: StepResult | Tensor): StepResult => ('value' in result ? { loss: result } : result);

export function expectLoss({ loss }: StepResult): Tensor {
  if (!loss) throw new TrainError('a step', { expected: 'a loss', got: 'none', hint: 'give `loss`, or return one from `step`' });
  if (loss.numel !== 1) throw new TrainError('a step', { expected: 'a loss of one element', got: `[${loss.shape.join(',')}]`, hint: 'take its mean()' });
  return loss;
}

/** What the metrics' totals gain by a batch. */
function additions({ output, target }: StepResult, metrics: Metrics): Tensor[] {
  const list = Object.values(metrics);
  if (list.length === 0) return [];
  if (!output || !target) throw new TrainError('a step', { expected: 'output and target, for the metrics', got: output ? 'no target' : 'no output', hint: 'return { loss, output, target }' });
  const outcome = { output: output.detach(), target };
  return noGrad(() => list.map((metric) => metric.update(outcome).toDouble()));
}

/** What a step is worth, once computed. */
export interface Measured {
  readonly loss: number | undefined;
  /** Of each metric. */
  readonly totals: readonly Float64Array[];
  /** Norm of the gradients before they were clipped. */
  readonly gradientNorm?: number;
}

type Body = (...tensors: readonly Tensor[]) => Record<string, Tensor>;

/** How steps run: as compiled programs, as expressions built anew each time, or looked at for values that are not finite. */
export type Manner = 'compiled' | 'plain' | 'watched';
const manners: Record<Manner, (body: Body) => Body> = {
  compiled: compile,
  plain: (body) => body,
  watched: (body) => (...tensors) => detectAnomaly(() => body(...tensors)),
};

/** One function for each structure of batches. */
export function perLayout<B>(body: (batch: B) => Record<string, Tensor>, manner: Manner): (flat: Flat) => Record<string, Tensor> {
  const made = new Map<string, Body>();
  return ({ tensors, layout }) => {
    const key = JSON.stringify(layout);
    let run = made.get(key);
    if (!run) made.set(key, (run = manners[manner]((...given) => body(unflatten<B>(layout, given)))));
    const results = run(...tensors);
    realize(...Object.values(results));
    return results;
  };
}

const metricKey = (i: number): string => `metric${i}`;
const pack = (result: StepResult, metrics: Metrics): Record<string, Tensor> => ({
  ...(result.loss ? { loss: result.loss.detach() } : {}),
  ...Object.fromEntries(additions(result, metrics).map((total, i) => [metricKey(i), total])),
});
function measured(results: Readonly<Record<string, Tensor>>, metrics: Metrics): Measured {
  const totals = Object.keys(metrics).map((_, i) => results[metricKey(i)].toArray() as Float64Array);
  return { loss: results.loss?.item(), totals, gradientNorm: results.norm?.item() };
}

// ---- evaluation

export function makeEvaluateStep<B>(step: Step<B>, metrics: Metrics, manner: Manner): (batch: Flat) => Measured {
  const run = perLayout<B>((batch) => noGrad(() => pack(resultOf(step(batch)), metrics)), manner);
  return (batch) => measured(run(batch), metrics);
}

// ---- training

export interface TrainStepOptions<B> {
  readonly step: Step<B>;
  readonly optimizer: AnyOptimizer;
  readonly metrics: Metrics;
  readonly clipNorm: number | undefined;
  readonly clipValue: number | undefined;
  readonly manner: Manner;
}

const paramsOf = ({ paramGroups }: AnyOptimizer): Tensor[] => paramGroups.flatMap(({ params }) => params);

/** Clips what was asked for; returns the norm where it was needed. */
function clip({ optimizer, clipNorm, clipValue }: Pick<TrainStepOptions<unknown>, 'optimizer' | 'clipNorm' | 'clipValue'>): Record<string, Tensor> {
  if (clipValue !== undefined) clipGradValue(paramsOf(optimizer), clipValue);
  return clipNorm === undefined ? {} : { norm: clipGradNorm(paramsOf(optimizer), clipNorm) };
}

/** A batch that ends in an update of the parameters. */
export function makeTrainStep<B>(options: TrainStepOptions<B>): (batch: Flat) => Measured {
  const { step, optimizer, metrics, manner } = options;
  const run = perLayout<B>((batch) => {
    optimizer.zeroGrad();
    const result = resultOf(step(batch));
    expectLoss(result).backward();
    const norm = clip(options);
    optimizer.step();
    return { ...pack(result, metrics), ...norm };
  }, manner);
  return (batch) => measured(run(batch), metrics);
}

/** Batches whose gradients add up, and an update by their mean. */
export function makeAccumulation<B>(options: TrainStepOptions<B>): { readonly add: (batch: Flat) => Measured; readonly update: () => Pick<Measured, 'gradientNorm'> } {
  const { step, optimizer, metrics, manner } = options;
  const params = paramsOf(optimizer).filter(({ requiresGrad }) => requiresGrad);
  /** Those that a batch's loss depends on: the optimizer leaves the others alone. */
  const reached = new Set<Tensor>();
  const sums = params.map((param) => zerosLike(param));
  realize(...sums);
  let count = 0;
  const add = perLayout<B>((batch) => {
    optimizer.zeroGrad();
    const result = resultOf(step(batch));
    expectLoss(result).backward();
    params.forEach((param, i) => {
      if (!param.grad) return;
      reached.add(param);
      sums[i].assign(sums[i].add(param.grad));
    });
    optimizer.zeroGrad();
    return pack(result, metrics);
  }, manner);
  const apply: Body = (batches) => {
    params.forEach((param, i) => (param.grad = reached.has(param) ? sums[i].div(batches) : null));
    const norm = clip(options);
    optimizer.step();
    optimizer.zeroGrad();
    for (const sum of sums) sum.assign(0);
    return norm;
  };
  const update = manners[manner](apply);
  return {
    add(batch) {
      count++;
      return measured(add(batch), metrics);
    },
    update() {
      const results = update(fromTypedArray(Float32Array.of(count), []));
      // Of a compiled step they are there, in place.
      if (manner === 'plain') realize(...Object.values(results), ...params);
      count = 0;
      return { gradientNorm: results.norm?.item() };
    },
  };
}

