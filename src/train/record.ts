/** What a training writes to its recorder: means over the updates since the last entry, and histograms. */
import type { Module } from '../nn/index.ts';
import { compile, defaultGenerator, realize, type Tensor } from '../tensor/index.ts';
import { type Flat, unflatten } from './batches.ts';
import type { Metrics } from './metrics.ts';
import type { Recorder } from './recorder.ts';
import type { Measured, Step, StepResult } from './step.ts';
import { Totals } from './totals.ts';

export interface Entries {
  /** An update that took so long. */
  add(measured: Measured, items: number, ms: number): void;
  /** After update `step`, so many epochs from the start: writes when it is time. */
  after(step: number, epochs: number, rate: number): void;
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

export function recordWeights(recorder: Recorder, model: Module, step: number): void {
  const parameters = model.namedParameters();
  for (const [name, parameter] of parameters) recorder.histogram(`weights/${name}`, sample(parameter.detach()), step);
}

/** Gradients of a batch's loss, by a program of their own. Whatever the step changes on its way is put back. */
export function gradientRecorder<B>(recorder: Recorder, model: Module, step: Step<B>): (batch: Flat, at: number) => void {
  const parameters = model.namedParameters().filter(([, { requiresGrad }]) => requiresGrad);
  const made = new Map<string, (...tensors: readonly Tensor[]) => Record<string, Tensor>>();
  const gradientsOf = ({ layout }: Flat): ((...tensors: readonly Tensor[]) => Record<string, Tensor>) => {
    const key = JSON.stringify(layout);
    const known = made.get(key);
    if (known) return known;
    const fresh = compile((...tensors: readonly Tensor[]): Record<string, Tensor> => {
      model.zeroGrad();
      const result = step(unflatten<B>(layout, tensors));
      ('value' in result ? (result as Tensor) : (result as StepResult).loss!).backward();
      return Object.fromEntries(parameters.flatMap(([name, { grad }]) => (grad ? [[name, grad]] : [])));
    });
    made.set(key, fresh);
    return fresh;
  };
  return (batch, at) => {
    const random = defaultGenerator.state;
    const buffers = model.buffers().map((buffer) => [buffer, buffer.detach()] as const);
    const gradients = gradientsOf(batch)(...batch.tensors);
    for (const [buffer, before] of buffers) buffer.assign(before);
    realize(...buffers.map(([buffer]) => buffer));
    defaultGenerator.state = random;
    for (const [name, gradient] of Object.entries(gradients)) recorder.histogram(`gradients/${name}`, sample(gradient), at);
  };
}
