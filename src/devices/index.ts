/** The devices there are, by name. */
import { cpu } from './cpu/index.ts';
import type { Device } from './device.ts';

export { type Cores, countCores, cpu, type IsaReport, measurePeak, type Peak, PlanError, RuntimeError, surveyIsas } from './cpu/index.ts';
export type {
  CompileOptions,
  Device,
  Executable,
  ExecutableInfo,
  IsaName,
  Precision,
  ProfileRecord,
  RunOptions,
  TensorSpec,
} from './device.ts';

export const devices: Readonly<Record<string, Device>> = { cpu };
