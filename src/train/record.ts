/** What a training writes to its recorder: means over the updates since the last entry, and histograms. */
import type { Module } from '../nn/index.ts';
import { defaultGenerator, realize, type Tensor } from '../tensor/index.ts';
import type { Flat } from './batches.ts';
import type { Metrics } from './metrics.ts';
import type { HistogramOptions } from './options.ts';
import type { Recorder } from './recorder.ts';
import { expectLoss, type Measured, perLayout, resultOf, type Step } from './step.ts';
import { Totals } from './totals.ts';

export interface Entries {
  /** An update that took so long. */
  add(measured: Measured, items: number, ms: number): void;
  /** After update `step`, so many epochs from the start: writes when it is time. */
  after(step: number, epochs: number, rate: number): void;
  /** The values of validation after that epoch (from 1). */
  validated(values: Readonly<Record<string, number>>, epoch: number, step: number): void;
}

export function recordEntries(recorder: Recorder, metrics: Metrics, every: number): Entries {
  let totals = new Totals(metrics);
  let [ms, norm, updates] = [0, NaN, 0];
  return {
    add(measured, items, took) {
      totals.add(measured, items);
      ms += took;
      if (measured.gradientNorm !== undefined) norm = measured.gradientNorm;
    },
    after(step, epochs, rate) {
      updates++;
      if (step % every !== 0) return;
      const gradient: Record<string, number> = Number.isNaN(norm) ? {} : { 'gradient-norm': norm };
      recorder.log({ epoch: epochs, ...totals.values('train'), 'learning-rate': rate, 'step-ms': ms / updates, ...gradient }, step);
      totals = new Totals(metrics);
      [ms, norm, updates] = [0, NaN, 0];
    },
    validated: (values, epoch, step) => recorder.log({ epoch, ...values }, step),
  };
}

/** Most elements of a tensor that a histogram is of; of larger ones, that many at equal distances. */
const mostElements = 2 ** 16;

function sample(tensor: Tensor): Float32Array {
  const { data } = tensor.to('float32').toTensorData();
  const stride = Math.ceil(data.length / mostElements);
  if (stride <= 1) return Float32Array.from(data as Float32Array);
  return Float32Array.from({ length: Math.floor(data.length / stride) }, (_, i) => Number(data[i * stride]));
}

/** Histograms of weights and of a batch's gradients, every so many epochs. */
export function histogramRecorder<B>(recorder: Recorder, model: Module, step: Step<B>, { every = 1, gradients = true }: HistogramOptions = {}): (epoch: number, at: number, last: Flat | undefined) => void {
  const gradientsOf = gradients ? gradientsBy(model, step) : undefined;
  return (epoch, at, last) => {
    if (epoch % every !== 0) return;
    for (const [name, parameter] of model.namedParameters()) recorder.histogram(`weights/${name}`, sample(parameter.detach()), at);
    if (!last || !gradientsOf) return;
    for (const [name, gradient] of Object.entries(gradientsOf(last))) recorder.histogram(`gradients/${name}`, sample(gradient), at);
  };
}

/** Gradients of a batch's loss, by a program of their own. Whatever the step changes on its way is put back. */
function gradientsBy<B>(model: Module, step: Step<B>): (batch: Flat) => Record<string, Tensor> {
  const parameters = model.namedParameters().filter(([, { requiresGrad }]) => requiresGrad);
  const run = perLayout<B>((batch) => {
    model.zeroGrad();
    expectLoss(resultOf(step(batch))).backward();
    return Object.fromEntries(parameters.flatMap(([name, { grad }]) => (grad ? [[name, grad]] : [])));
  }, 'compiled');
  return (batch) => {
    const random = defaultGenerator.state;
    const buffers = model.buffers().map((buffer) => [buffer, buffer.detach()] as const);
    const gradients = run(batch);
    for (const [buffer, before] of buffers) buffer.assign(before);
    realize(...buffers.map(([buffer]) => buffer));
    defaultGenerator.state = random;
    return gradients;
  };
}
