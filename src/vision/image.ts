/** An Image: 8-bit samples in rows from the top, channels side by side. Cut and resized here, always into a new one. */
import { VisionError } from './errors.ts';

export interface Image {
  readonly width: number;
  readonly height: number;
  /** 1 is grey, 3 is RGB, 4 is RGB and alpha (which nothing here multiplies in). */
  readonly channels: 1 | 3 | 4;
  /** height x width x channels. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Largest side of an image made here; more is a mistake, and no memory is taken for it. */
const maxSide = 1 << 16;

/** @throws VisionError where the image's parts do not fit each other. */
export function checkImage(image: Image): Image {
  const { width, height, channels, data } = image;
  checkSize(width, height);
  if (![1, 3, 4].includes(channels)) throw new VisionError('an image', { expected: '1, 3 or 4 channels', got: `${channels}` });
  if (data.length !== width * height * channels) {
    throw new VisionError(`an image of ${width} x ${height} x ${channels}`, { expected: `${width * height * channels} samples`, got: `${data.length}` });
  }
  return image;
}

function checkSize(width: number, height: number): void {
  if (![width, height].every((side) => Number.isInteger(side) && side >= 1 && side <= maxSide)) {
    throw new VisionError('size of an image', { expected: `sides from 1 to ${maxSide}`, got: `${width} x ${height}` });
  }
}

export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** @throws VisionError where the region reaches beyond the image. */
export function crop(image: Image, { left, top, width, height }: Region): Image {
  checkImage(image);
  checkRegion({ left, top, width, height }, image.width, image.height);
  const { channels } = image;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * channels;
    data.set(image.data.subarray(from, from + width * channels), y * width * channels);
  }
  return { width, height, channels, data };
}

function checkRegion({ left, top, width, height }: Region, fullWidth: number, fullHeight: number): void {
  checkSize(width, height);
  const inside = Number.isInteger(left) && Number.isInteger(top) && left >= 0 && top >= 0 && left + width <= fullWidth && top + height <= fullHeight;
  if (!inside) {
    throw new VisionError('region of an image', { expected: `one inside ${fullWidth} x ${fullHeight}`, got: `${width} x ${height} at ${left}, ${top}` });
  }
}

/** The middle of an area of this size; the odd pixel is left over at the right and the bottom, as in torchvision's floor. */
export const centre = (width: number, height: number, fullWidth: number, fullHeight: number): Region => ({
  left: Math.floor((fullWidth - width) / 2),
  top: Math.floor((fullHeight - height) / 2),
  width,
  height,
});

/** @throws VisionError where the image is smaller. */
export const centreCrop = (image: Image, width: number, height: number): Image => crop(image, centre(width, height, image.width, image.height));

// ---- resizing

export type Interpolation = 'bilinear' | 'nearest';

export interface ResizeOptions {
  readonly interpolation?: Interpolation;
  /** Shrinking averages all pixels that fall together, as Pillow does, rather than picking two a side. Default true. */
  readonly antialias?: boolean;
  /** The part of the result that is wanted; only that is computed. Default all. */
  readonly region?: Region;
}

/** For each output position, the first input position it reads and the weights of those from there on. */
interface Filter {
  readonly start: Int32Array;
  readonly taps: number;
  /** `taps` for each output position, zero where fewer are needed. */
  readonly weights: Float32Array;
}

/**
 * A triangle around the output pixel's centre, cut at the border and normalised: the coefficients of Pillow's Resample.c.
 * Without antialiasing it is one input pixel wide to each side, which is bilinear interpolation with clamped borders.
 */
function triangle(from: number, to: number, first: number, count: number, antialias: boolean): Filter {
  const scale = from / to;
  const support = antialias ? Math.max(scale, 1) : 1;
  const taps = Math.min(from, Math.ceil(2 * support));
  const start = new Int32Array(count);
  const weights = new Float32Array(count * taps);
  for (let i = 0; i < count; i++) {
    const middle = (first + i + 0.5) * scale;
    // The window may start later than the triangle at the far border, so that all its taps lie inside.
    const low = Math.min(Math.max(0, Math.ceil(middle - support - 0.5)), from - taps);
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const weight = Math.max(0, 1 - Math.abs(low + k + 0.5 - middle) / support);
      weights[i * taps + k] = weight;
      sum += weight;
    }
    start[i] = low;
    for (let k = 0; k < taps; k++) weights[i * taps + k] /= sum;
  }
  return { start, taps, weights };
}

/** The input pixel the output pixel's centre falls into. */
function nearest(from: number, to: number, first: number, count: number): Filter {
  const start = Int32Array.from({ length: count }, (_, i) => Math.min(from - 1, Math.floor((first + i + 0.5) * (from / to))));
  return { start, taps: 1, weights: new Float32Array(count).fill(1) };
}

/** One output pixel of the pass across; RGB, nearly all there is, has its three sums in registers. */
function filterPixel(data: Image['data'], from: number, channels: number, { taps, weights }: Filter, x: number, out: Float32Array, to: number): void {
  const first = x * taps;
  if (channels === 3) {
    let r = 0;
    let g = 0;
    let b = 0;
    for (let k = 0, at = from; k < taps; k++, at += 3) {
      const weight = weights[first + k];
      r += weight * data[at];
      g += weight * data[at + 1];
      b += weight * data[at + 2];
    }
    out[to] = r;
    out[to + 1] = g;
    out[to + 2] = b;
    return;
  }
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let k = 0; k < taps; k++) sum += weights[first + k] * data[from + k * channels + c];
    out[to + c] = sum;
  }
}

/** Resizes to width x height, not keeping proportions. @throws VisionError for sizes or a region that make no sense. */
export function resize(image: Image, width: number, height: number, options: ResizeOptions = {}): Image {
  checkImage(image);
  checkSize(width, height);
  const { interpolation = 'bilinear', antialias = true, region = { left: 0, top: 0, width, height } } = options;
  checkRegion(region, width, height);
  const filter = (from: number, to: number, first: number, count: number): Filter =>
    interpolation === 'nearest' ? nearest(from, to, first, count) : triangle(from, to, first, count, antialias);
  const columns = filter(image.width, width, region.left, region.width);
  const rows = filter(image.height, height, region.top, region.height);
  const { channels } = image;

  // Across first, only the rows that are read afterwards, kept in floats; then down.
  const firstRow = rows.start[0];
  const rowCount = rows.start[region.height - 1] + rows.taps - firstRow;
  const lineSize = region.width * channels;
  const across = new Float32Array(rowCount * lineSize);
  for (let y = 0; y < rowCount; y++) {
    const line = (firstRow + y) * image.width * channels;
    for (let x = 0; x < region.width; x++) {
      const from = line + columns.start[x] * channels;
      filterPixel(image.data, from, channels, columns, x, across, y * lineSize + x * channels);
    }
  }
  const data = new Uint8Array(region.height * lineSize);
  const sums = new Float32Array(lineSize);
  for (let y = 0; y < region.height; y++) {
    sums.fill(0);
    for (let k = 0; k < rows.taps; k++) {
      const weight = rows.weights[y * rows.taps + k];
      const from = (rows.start[y] - firstRow + k) * lineSize;
      if (weight !== 0) for (let i = 0; i < lineSize; i++) sums[i] += weight * across[from + i];
    }
    // Weights are positive and sum to 1, so rounding cannot leave 0 to 255.
    for (let i = 0; i < lineSize; i++) data[y * lineSize + i] = sums[i] + 0.5;
  }
  return { width: region.width, height: region.height, channels, data };
}
