/** Training in Node: checkpoints in a folder. */
export { checkpoints, type CheckpointsOptions, readCheckpoint } from './node/checkpoints.ts';
