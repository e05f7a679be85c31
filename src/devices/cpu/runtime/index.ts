/** The CPU runtime: runs programs of generated kernels on all cores, in shared memory. Works in Node and in browsers. */
export { type IsaReport, surveyIsas } from './choose.ts';
export { type Cores, countCores } from './cores.ts';
export { type Environment, maxThreads, readEnvironment } from './environment.ts';
export { RuntimeError } from './errors.ts';
export type { Execution } from './execution.ts';
export { type Block, type TypedArrayType, view } from './memory.ts';
export type { BufferRef, StepLabel, StepRecord, StepSpec } from './program.ts';
export { type Code, getRuntime, type Runtime } from './runtime.ts';
