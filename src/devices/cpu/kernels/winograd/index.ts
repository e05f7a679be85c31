/** Winograd convolution F(4x4, 3x3). */
export { winogradGeometry, type WinogradSpec, type WinogradTiling } from './geometry.ts';
export { winogradInput, winogradKernel, winogradWeights } from './kernels.ts';
export { tileWinograd } from './choose.ts';
