/** Files of other systems, read and written: each format gives a Model (or named tensors), or takes a Graph. */
export { FormatError, type FormatMismatch } from './errors.ts';
export { readSafetensors, type Safetensors, writeSafetensors } from './safetensors/index.ts';
export {
  type ExportOptions,
  exportOnnx,
  exportOnnxExternal,
  type ExternalData,
  type ExternalExport,
  externalDataFrom,
  importOnnx,
  type ImportOptions,
} from './onnx/index.ts';
export { importTfjs, type ReadShard, type TfjsOptions } from './tfjs/index.ts';
