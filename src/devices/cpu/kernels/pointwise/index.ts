/** Pointwise operators on registers: how a node of an expression becomes instructions, and values come and go. */
export { canEmit, canVectorise, emitNode, emittableOps } from './emit.ts';
export { castLane, compareLongs, emitLoad, type EmitMode, emitStore, type Lane } from './emit-lane.ts';
