/** Runs: a log of each on disk, and a page that shows them as they train. Needs Node. */
export type { LoggedImage } from './checks.ts';
export { LabError } from './errors.ts';
export { openRun, type Run, type RunOptions } from './run.ts';
export { type Lab, type LabOptions, startLab } from './server.ts';
export type { Config, ConfigValue } from './shared/index.ts';
