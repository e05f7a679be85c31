/** Named graph -> graph passes. Each keeps what the graph means; none re-associates floating-point arithmetic. */
export { type Decompose, decompose } from './decompose.ts';
export { foldConstants } from './fold.ts';
