/** Examples that `whet train` runs: each a folder that imports Whetstone by its name, as a program of one's own would. Node only. */
import type { Example } from './example.ts';
import { mnist } from './mnist/index.ts';
import { seq2seq } from './seq2seq/index.ts';
import { transfer } from './transfer/index.ts';

export type { Example, Report, Setting, Watch } from './example.ts';
export { configs as seq2seqConfigs } from './seq2seq/configs.ts';
export { makePairs } from './seq2seq/data.ts';
export { sampleLines, trainSeq2Seq } from './seq2seq/index.ts';

export const examples: Readonly<Record<string, Example>> = { seq2seq, mnist, transfer };
