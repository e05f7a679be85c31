/** The CPU device: graphs become machine code for exactly their shapes, run on all cores. */
import type { Device } from '../device.ts';
import { allocate, compile } from './compile.ts';
import { isNative } from './plan/index.ts';

export const cpu: Device = {
  name: 'cpu',
  supports: (op) => isNative(op),
  compile,
  allocate,
};

export { measurePeak, type Peak } from './peak.ts';
export { PlanError } from './plan/index.ts';
export { type Cores, countCores, getRuntime, type IsaReport, RuntimeError, surveyIsas } from './runtime/index.ts';
