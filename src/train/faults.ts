/** What may go wrong in a step, said with its place in the training. */
import type { Module } from '../nn/index.ts';
import { AnomalyError, describeAnomaly, type Tensor } from '../tensor/index.ts';
import { TrainError } from './errors.ts';

/** @throws TrainError where a loss is not finite. `saved`: the update that the last checkpoint was taken after. */
export function expectFinite(loss: number | undefined, where: () => string, saved: number | undefined): void {
  if (loss === undefined || Number.isFinite(loss)) return;
  const checkpoint = saved === undefined ? '' : `; the last checkpoint is of update ${saved}`;
  throw new TrainError(`the loss of ${where()}`, { expected: 'a finite number', got: `${loss}`, hint: `\`anomaly: true\` names the operator that made it${checkpoint}` });
}

/** Runs a step. @throws TrainError for an anomaly in it, with what it was given by name where that was not finite */
export function placed<T>(work: () => T, where: () => string, model: Module, batchParts: readonly Tensor[]): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AnomalyError)) throw error;
    const { anomaly } = error;
    const named: [string, Tensor][] = [...batchParts.map((part, i): [string, Tensor] => [`part ${i} of the batch`, part]), ...model.namedParameters(), ...model.namedBuffers()];
    const given = anomaly.phase === 'input' ? named.find(([, tensor]) => !tensor.detach().isFinite().all().item())?.[0] : undefined;
    const got = `${describeAnomaly(anomaly)}${given === undefined ? '' : `, ${given}`}`;
    throw Object.assign(new TrainError(where(), { expected: 'finite numbers', got, hint: 'the parameters are as before it' }), { cause: error });
  }
}
