/** ONNX: models in, graphs out, and back. */
export { type ImportOptions, importOnnx } from './import.ts';
export { checkRange, type ExternalData, externalDataFrom, readTensorFile } from './tensors.ts';
export { type ExportOptions, exportOnnx, exportOnnxExternal, type ExternalExport } from './export.ts';
