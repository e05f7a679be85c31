/** Training in Node: checkpoints in a folder, progress on a terminal. */
export { checkpoints, type CheckpointsOptions, readCheckpoint } from './node/checkpoints.ts';
export { progress, type ProgressOptions, type ProgressStream } from './node/progress.ts';
