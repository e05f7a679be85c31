/** Data on their way to a model: datasets, samplers, loaders, CSV, MNIST's files, augmentation. What reads files in Node is `data/node`. */
export {
  type Augmentation,
  colourJitter,
  type ColourJitterOptions,
  compose,
  imageTensor,
  type ImageTensorOptions,
  randomCrop,
  randomHorizontalFlip,
  randomResizedCrop,
  randomVerticalFlip,
  type ResizedCropOptions,
} from './augment.ts';
export { type Batch, collate } from './collate.ts';
export { csvColumn, type CsvOptions, type CsvTable, csvTensor, parseCsv } from './csv.ts';
export { concatDatasets, type Dataset, type IterableDataset, listDataset, mapDataset, randomSplit, Subset, TensorDataset } from './datasets.ts';
export { DataError } from './errors.ts';
export { parseIdx } from './idx.ts';
export { DataLoader, type LoaderOptions, type Source } from './loader.ts';
export { type Random, randomNumbers, shuffledIndices } from './random.ts';
export { batchSampler, type BatchSampler, randomSampler, type RandomSamplerOptions, type Sampler, sequentialSampler, weightedSampler } from './samplers.ts';
