/** Pictures in, tensors out, and names for what comes back. Runs in the browser; decoding files is `vision/node`. */
export { asProbabilities, type Prediction, topK } from './classes.ts';
export { VisionError } from './errors.ts';
export { centreCrop, checkImage, crop, type Image, type Interpolation, type Region, resize, type ResizeOptions } from './image.ts';
export { type Fit, fitted, preprocess, type Recipe } from './preprocess.ts';
