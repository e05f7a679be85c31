/** The training loop: fit, evaluate and predict, also as methods of every module; metrics, checkpoints, and who watches. */
import './methods.ts';

export { type BatchOf, type BatchOptions, type TrainData, type Values } from './batches.ts';
export type { Checkpoint, CheckpointStore } from './checkpoint.ts';
export type { AnyOptimizer, LossChoice, LossFunction, OptimizerChoice } from './choices.ts';
export { TrainError } from './errors.ts';
export { evaluate, predict, type PredictOptions } from './evaluate.ts';
export { fit } from './fit.ts';
export * from './metrics.ts';
export type { EpochRecord, History } from './history.ts';
export type { Callback, EarlyStopping, EvaluateOptions, Extent, FitOptions, HistogramOptions, Progress, ScheduleLike } from './options.ts';
export type { RecordedImage, Recorder } from './recorder.ts';
export type { Step, StepResult } from './step.ts';
