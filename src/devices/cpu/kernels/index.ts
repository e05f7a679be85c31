/** Kernels written in the kernel language: the few loop nests that every operator becomes. */
export { argReduceKernel } from './argreduce.ts';
export { fits, mostRows, type TileShape } from './contract.ts';
export { type BlockedStrides, channelSumsKernel, type ChannelSumsSpec } from './channel-sums.ts';
export { blockChannels, convKernel, type ConvSpec, type ConvTiling, tileConv } from './conv.ts';
export { convWeightsKernel, convWeightsSize, type ConvWeightsSpec, tileConvWeights } from './conv-weights.ts';
export { depthwiseKernel, type DepthwiseSpec } from './depthwise.ts';
export { type Expression, identity, scalarOf } from './expression.ts';
export { blocksOfK, gemmKernel, type GemmSpec, tileGemm } from './gemm.ts';
export { mapKernel, type MapSpec, type TaskedKernel } from './map.ts';
export type { StridedOperand } from './nest.ts';
export { philoxKernel, type PhiloxSpec } from './philox.ts';
export { type IndexDType, placesKernel, type PlacesSpec } from './places.ts';
export { canEmit, canVectorise, emittableOps } from './pointwise/index.ts';
export { poolBackwardKernel, type PoolBackwardSpec } from './pool-backward.ts';
export { reduceKernel, type ReduceSpec, type Reduction } from './reduce.ts';
export { scanKernel, scanLines, type ScanSpec } from './scan.ts';
export { takeKernel, type TakeSpec } from './take.ts';
export { tileWinograd, winogradGeometry, winogradInput, winogradKernel, type WinogradSpec, type WinogradTiling, winogradWeights } from './winograd/index.ts';
