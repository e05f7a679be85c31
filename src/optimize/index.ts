/** Named graph -> graph passes. Each keeps what the graph means; none but mergeAffine, mergeSums, tablesFirst and hardSwish changes how floating-point results are rounded. */
export { commonSubexpressions } from './common-subexpressions.ts';
export { type Decompose, decompose } from './decompose.ts';
export { eliminate } from './eliminate.ts';
export { foldConstants } from './fold.ts';
export { hardSwish } from './hard-swish.ts';
export { mergeAffine } from './merge-affine.ts';
export { mergePads } from './merge-pads.ts';
export { mergeSums } from './merge-sums.ts';
export { type Pass, runPasses } from './pipeline.ts';
export { tablesFirst } from './tables-first.ts';
