/**
 * Whetstone's face: graphs, file formats, inference, tensors and pictures, in Node and in browsers. What needs Node has subpaths of its
 * own: `whetstone/formats/node`, `whetstone/vision/node`, `whetstone/data/node`, `whetstone/zoo`.
 */
export {
  apply,
  constant,
  cutModel,
  type Dim,
  type DType,
  dtypes,
  formatType,
  fromNumbers,
  type Graph,
  GraphError,
  type GraphInput,
  type GraphOutput,
  input,
  type Model,
  type ModelInput,
  opNames,
  type Shape,
  sizeOf,
  type TensorData,
  tensorData,
  type TensorType,
  toNumbers,
  type TypedArray,
  type Value,
  zeros,
} from './graph/index.ts';
export { evaluateGraph } from './ops/index.ts';
export {
  type ExportOptions,
  exportOnnx,
  exportOnnxExternal,
  type ExternalExport,
  FormatError,
  importOnnx,
  type ImportOptions,
  importTfjs,
  readSafetensors,
  type ReadShard,
  type Safetensors,
  type TfjsOptions,
  writeSafetensors,
} from './formats/index.ts';
export { CompiledModel, compileModel, EngineError, type EngineOptions, type Inputs } from './engine/index.ts';
export {
  type CompileOptions,
  type Cores,
  countCores,
  cpu,
  type Device,
  devices,
  type Executable,
  type ExecutableInfo,
  type IsaName,
  type IsaReport,
  measurePeak,
  type Peak,
  PlanError,
  type ProfileRecord,
  type RunOptions,
  RuntimeError,
  surveyIsas,
  type TensorSpec,
} from './devices/index.ts';
export {
  centreCrop,
  crop,
  type Fit,
  type Image,
  type Prediction,
  preprocess,
  type Recipe,
  resize,
  type ResizeOptions,
  topK,
  VisionError,
} from './vision/index.ts';
export { ctcGreedy, type CtcLine, type CtcOptions, TextError } from './text/index.ts';
export {
  compile,
  enableGrad,
  grad,
  manualSeed,
  noGrad,
  realize,
  realizeAsync,
  Tensor,
  tensor,
  TensorError,
} from './tensor/index.ts';
export * as nn from './nn/index.ts';
export * as optim from './optim/index.ts';
export {
  collate,
  csvColumn,
  type CsvTable,
  csvTensor,
  DataError,
  DataLoader,
  type Dataset,
  imageTensor,
  mapDataset,
  parseCsv,
  parseIdx,
  randomSplit,
  Subset,
  TensorDataset,
} from './data/index.ts';
export { version } from './version.ts';
