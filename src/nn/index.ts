/** Modules as PyTorch has them: layers with its parameter names, layouts and first values, losses, initialisers. */
export * from './activation.ts';
export * from './attention.ts';
export { ModuleList, Sequential } from './containers.ts';
export * from './conv.ts';
export { ModuleError } from './errors.ts';
export * as functional from './functional.ts';
export { GraphModule, type GraphModuleOptions } from './graph-module.ts';
export * as init from './init.ts';
export { Embedding, type EmbeddingOptions, Linear } from './linear.ts';
export * from './loss.ts';
export * from './module.ts';
export * from './normalization.ts';
export * from './pooling.ts';
export * from './recurrent.ts';
export * from './resampling.ts';
export * from './shape.ts';
