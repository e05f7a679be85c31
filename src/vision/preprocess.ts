/** From pictures to the tensor a model expects: a Recipe says how, and one function follows it. */
import { type TensorData, tensorData } from '../graph/index.ts';
import { VisionError } from './errors.ts';
import { centre, checkImage, type Image, type Interpolation, type Region, resize } from './image.ts';

/** How the picture is brought to the size of the model's input. */
export type Fit =
  /** To exactly this size, proportions be what they may. */
  | { readonly mode: 'stretch'; readonly width: number; readonly height: number }
  /** The shorter side to `shorter`, then the middle of this size. */
  | { readonly mode: 'crop'; readonly shorter: number; readonly width: number; readonly height: number }
  /** To this height in proportion, at most `maxWidth`; the right is filled with the mean up to `minWidth`. */
  | { readonly mode: 'line'; readonly height: number; readonly minWidth: number; readonly maxWidth: number }
  /** In proportion to at most `longest`, then each side rounded to a multiple. */
  | { readonly mode: 'whole'; readonly longest: number; readonly multiple: number };

export interface Recipe {
  readonly fit: Fit;
  /** Default bilinear with antialiasing. */
  readonly interpolation?: Interpolation;
  readonly antialias?: boolean;
  readonly layout: 'NCHW' | 'NHWC';
  readonly order: 'RGB' | 'BGR';
  /** A sample becomes (sample * scale - mean) / std; mean and std are in `order`. */
  readonly scale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Size to resize to, and the part of it that is kept. */
function placed(image: Image, fit: Fit): { width: number; height: number; region: Region } {
  const all = (width: number, height: number) => ({ width, height, region: { left: 0, top: 0, width, height } });
  switch (fit.mode) {
    case 'stretch':
      return all(fit.width, fit.height);
    case 'crop': {
      const scale = Math.max(fit.shorter / Math.min(image.width, image.height), fit.width / image.width, fit.height / image.height);
      const width = Math.max(fit.width, Math.round(image.width * scale));
      const height = Math.max(fit.height, Math.round(image.height * scale));
      return { width, height, region: centre(fit.width, fit.height, width, height) };
    }
    case 'line':
      return all(Math.min(fit.maxWidth, Math.max(1, Math.ceil((image.width * fit.height) / image.height))), fit.height);
    case 'whole': {
      const scale = Math.min(1, fit.longest / Math.max(image.width, image.height));
      const side = (size: number) => Math.max(fit.multiple, Math.round((size * scale) / fit.multiple) * fit.multiple);
      return all(side(image.width), side(image.height));
    }
  }
}

/** The picture at the size the recipe's fit gives it; before any filling to a common width. */
export function fitted(image: Image, recipe: Pick<Recipe, 'fit' | 'interpolation' | 'antialias'>): Image {
  const { width, height, region } = placed(checkImage(image), recipe.fit);
  const { interpolation, antialias } = recipe;
  return resize(image, width, height, { interpolation, antialias, region });
}

/**
 * One tensor for one picture or a batch of them: float32 [N, 3, H, W] or [N, H, W, 3].
 * @throws VisionError where there is none, or where pictures of a batch come out in different sizes.
 */
export function preprocess(images: Image | readonly Image[], recipe: Recipe): TensorData {
  const list = (Array.isArray(images) ? images : [images]) as readonly Image[];
  if (list.length === 0) throw new VisionError('a batch of images', { expected: 'at least one', got: 'none' });
  const pictures = list.map((image) => fitted(image, recipe));
  const [{ width, height }] = pictures;
  const { fit } = recipe;
  const odd = pictures.find((picture) => picture.height !== height || (fit.mode !== 'line' && picture.width !== width));
  if (odd) {
    throw new VisionError('a batch of images', {
      expected: `one size (${width} x ${height})`,
      got: `${odd.width} x ${odd.height}`,
      hint: 'run pictures of different proportions one at a time',
    });
  }
  const common = fit.mode === 'line' ? pictures.reduce((most, picture) => Math.max(most, picture.width), fit.minWidth) : width;
  return normalize(pictures, common, height, recipe);
}

/** Samples to floats in the recipe's order and layout. What a narrower picture leaves stays 0, which is the mean. */
function normalize(pictures: readonly Image[], width: number, height: number, { layout, order, scale, mean, std }: Recipe): TensorData {
  const planes = layout === 'NCHW';
  const size = width * height;
  const data = new Float32Array(pictures.length * 3 * size);
  pictures.forEach((picture, n) => {
    const { channels } = picture;
    for (let c = 0; c < 3; c++) {
      // A table of 256 values is exact and faster than the arithmetic.
      const value = Float32Array.from({ length: 256 }, (_, sample) => (sample * scale - mean[c]) / std[c]);
      const from = channels === 1 ? 0 : order === 'RGB' ? c : 2 - c;
      const start = n * 3 * size + (planes ? c * size : c);
      const step = planes ? 1 : 3;
      for (let y = 0; y < height; y++) {
        let to = start + y * width * step;
        let at = y * picture.width * channels + from;
        for (let x = 0; x < picture.width; x++, to += step, at += channels) data[to] = value[picture.data[at]];
      }
    }
  });
  return tensorData('float32', planes ? [pictures.length, 3, height, width] : [pictures.length, height, width, 3], data);
}
