/** The devices there are, by name. */
import type { Device } from './device.ts';

export type {
  CompileOptions,
  Device,
  Executable,
  ExecutableInfo,
  IsaName,
  ProfileRecord,
  RunOptions,
  TensorSpec,
} from './device.ts';

export const devices: Readonly<Record<string, Device>> = {};
