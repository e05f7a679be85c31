/** Augmentation: pictures cut, mirrored and recoloured at random, as torchvision does. Each is a function of a picture and random numbers. */
import { fromTypedArray, type Tensor } from '../tensor/index.ts';
import { checkImage, crop, type Image, resize } from '../vision/index.ts';
import { checkCount, DataError } from './errors.ts';
import { type Random, shuffledIndices } from './random.ts';

export type Augmentation = (image: Image, random: Random) => Image;

/** One after the other. */
export const compose = (...steps: readonly Augmentation[]): Augmentation => (image, random) => steps.reduce((result, step) => step(result, random), image);

const chance = (where: string, p: number): number => {
  if (!(p >= 0 && p <= 1)) throw new DataError(where, { expected: 'a probability', got: `${p}` });
  return p;
};

/** A part of this size, at a random place, after `padding` black pixels were put around. @throws VisionError where the picture is smaller */
export function randomCrop(width: number, height: number, { padding = 0 }: { readonly padding?: number } = {}): Augmentation {
  checkCount('padding', padding, 0);
  return (image, random) => {
    const wide = padding === 0 ? image : padded(image, padding);
    // Where it does not fit, crop says so.
    const place = (room: number): number => Math.floor(random() * Math.max(1, room + 1));
    return crop(wide, { left: place(wide.width - width), top: place(wide.height - height), width, height });
  };
}

function padded(image: Image, by: number): Image {
  checkImage(image);
  const { channels } = image;
  const [width, height] = [image.width + 2 * by, image.height + 2 * by];
  const data = new Uint8Array(width * height * channels);
  const row = image.width * channels;
  for (let y = 0; y < image.height; y++) data.set(image.data.subarray(y * row, (y + 1) * row), ((y + by) * width + by) * channels);
  return { width, height, channels, data };
}

export interface ResizedCropOptions {
  /** The part's area, as a fraction of the picture's: from, to. */
  readonly scale?: readonly [number, number];
  /** Its width over its height: from, to. */
  readonly ratio?: readonly [number, number];
}

/** A part of random size, proportions and place, brought to this size: what networks for ImageNet are trained on. */
export function randomResizedCrop(width: number, height: number, { scale = [0.08, 1], ratio = [3 / 4, 4 / 3] }: ResizedCropOptions = {}): Augmentation {
  return (image, random) => {
    const area = image.width * image.height;
    for (let attempt = 0; attempt < 10; attempt++) {
      const size = area * (scale[0] + random() * (scale[1] - scale[0]));
      // Evenly on a logarithmic scale: as often wide as high.
      const proportion = ratio[0] * (ratio[1] / ratio[0]) ** random();
      const [w, h] = [Math.round(Math.sqrt(size * proportion)), Math.round(Math.sqrt(size / proportion))];
      if (w < 1 || h < 1 || w > image.width || h > image.height) continue;
      const region = { left: Math.floor(random() * (image.width - w + 1)), top: Math.floor(random() * (image.height - h + 1)), width: w, height: h };
      return resize(crop(image, region), width, height);
    }
    return resize(image, width, height);
  };
}

/** Mirrored left to right, with probability p. */
export function randomHorizontalFlip(p = 0.5): Augmentation {
  chance('randomHorizontalFlip', p);
  return (image, random) => (random() < p ? moved(image, (x, y) => y * image.width + (image.width - 1 - x)) : image);
}
/** Upside down, with probability p. */
export function randomVerticalFlip(p = 0.5): Augmentation {
  chance('randomVerticalFlip', p);
  return (image, random) => (random() < p ? moved(image, (x, y) => (image.height - 1 - y) * image.width + x) : image);
}

/** The pixel at x, y comes from `from(x, y)`. */
function moved(image: Image, from: (x: number, y: number) => number): Image {
  const { width, height, channels, data } = checkImage(image);
  const result = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let at = from(x, y) * channels;
      for (let c = 0; c < channels; c++) result[to++] = data[at++];
    }
  }
  return { width, height, channels, data: result };
}

export interface ColourJitterOptions {
  /** Factors are drawn from 1 - value (at least 0) to 1 + value. */
  readonly brightness?: number;
  readonly contrast?: number;
  readonly saturation?: number;
}

/** Lighter or darker, with more or less contrast, more or less colourful; in random order. Transparency stays. */
export function colourJitter({ brightness = 0, contrast = 0, saturation = 0 }: ColourJitterOptions): Augmentation {
  const amounts = [brightness, contrast, saturation];
  for (const amount of amounts) if (!(amount >= 0 && Number.isFinite(amount))) throw new DataError('colourJitter', { expected: 'amounts from 0 on', got: `${amount}` });
  return (image, random) => {
    checkImage(image);
    return shuffledIndices(3, random).reduce((result, i) => {
      if (amounts[i] === 0) return result;
      const low = Math.max(0, 1 - amounts[i]);
      return recoloured(result, recolourings[i](result), low + random() * (1 + amounts[i] - low));
    }, image);
  };
}

/** Rec. 601's luma, as Pillow's greys are. */
const luma = ({ channels, data }: Image, at: number): number => (channels === 1 ? data[at] : 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]);

/** Of a picture: the colour that each pixel is moved away from, by the pixel's place. */
const recolourings: readonly ((image: Image) => (at: number) => number)[] = [
  () => () => 0,
  (image) => {
    let sum = 0;
    for (let at = 0; at < image.data.length; at += image.channels) sum += luma(image, at);
    const mean = sum / (image.width * image.height);
    return () => mean;
  },
  (image) => (at) => luma(image, at),
];

function recoloured(image: Image, away: (at: number) => number, factor: number): Image {
  const { channels, data } = image;
  // Clamped and rounded by the array.
  const result = new Uint8ClampedArray(data);
  for (let at = 0; at < data.length; at += channels) {
    const from = away(at);
    for (let c = 0; c < Math.min(channels, 3); c++) result[at + c] = from + factor * (data[at + c] - from);
  }
  return { ...image, data: result };
}

export interface ImageTensorOptions {
  /** Of each channel, taken off after samples were brought to 0 to 1. Default: 0. */
  readonly mean?: readonly number[];
  /** Of each channel, divided by then. Default: 1. */
  readonly std?: readonly number[];
}

/** float32 [channels, height, width] of samples from 0 to 1, less the mean and over the deviation where they are given. */
export function imageTensor(image: Image, { mean = [], std = [] }: ImageTensorOptions = {}): Tensor {
  const { width, height, channels, data } = checkImage(image);
  const size = width * height;
  const result = new Float32Array(channels * size);
  for (let c = 0; c < channels; c++) {
    const [shift, scale] = [mean[c] ?? 0, std[c] ?? 1];
    for (let i = 0; i < size; i++) result[c * size + i] = (data[i * channels + c] / 255 - shift) / scale;
  }
  return fromTypedArray(result, [channels, height, width]);
}
