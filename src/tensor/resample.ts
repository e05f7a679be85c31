/** Pictures made larger and smaller: by interpolation, or by moving channels into space and back. N C spatial. */
import { type Attrs, constant, formatType, type Value } from '../graph/index.ts';
import { fromElements } from '../ops/index.ts';
import { TensorError } from './errors.ts';
import { int64s, make } from './make.ts';
import { permute, reshape } from './shape.ts';
import type { Tensor } from './tensor.ts';

export type InterpolateMode = 'nearest' | 'linear' | 'bilinear' | 'trilinear' | 'bicubic';

export interface InterpolateOptions {
  /** Of the result's spatial dimensions: one for all, or one each. This or `scaleFactor`. */
  readonly size?: number | readonly number[] | null;
  readonly scaleFactor?: number | readonly number[] | null;
  /** Default 'nearest'. */
  readonly mode?: InterpolateMode;
  /** Whether the corners' centres stay where they are. Not with 'nearest'. Default false. */
  readonly alignCorners?: boolean | null;
}

const ranks: Readonly<Record<InterpolateMode, readonly number[]>> = { nearest: [1, 2, 3], linear: [1], bilinear: [2], trilinear: [3], bicubic: [2] };

/** [N, C, spatial] to another size of its spatial dimensions. @throws TensorError for a mode of other dimensions, or no size */
export function interpolate(self: Tensor, { size, scaleFactor, mode = 'nearest', alignCorners = false }: InterpolateOptions): Tensor {
  const rank = self.ndim - 2;
  if (!ranks[mode]?.includes(rank)) throw new TensorError('interpolate', { expected: `${(ranks[mode] ?? []).join(' or ')} spatial dimensions for '${mode}'`, got: formatType(self.value) });
  if ((size === undefined || size === null) === (scaleFactor === undefined || scaleFactor === null)) throw new TensorError('interpolate', { expected: 'size or scaleFactor', got: size ? 'both' : 'neither' });
  const each = (value: number | readonly number[]): number[] => (typeof value === 'number' ? new Array<number>(rank).fill(value) : [...value]);
  const values = each((size ?? scaleFactor)!);
  const fits = size ? values.every((n) => Number.isInteger(n) && n > 0) : values.every((n, i) => n > 0 && Math.floor(n * self.shape[2 + i]) > 0);
  if (values.length !== rank || !fits) throw new TensorError('interpolate', { expected: `${rank} positive sizes or factors`, got: `[${values.join(',')}]` });
  const floats = (list: readonly number[]): Value => constant(fromElements({ dtype: 'float32', shape: [list.length] }, list));
  const sizes = size ? [null, int64s([...self.shape.slice(0, 2), ...values])] : [floats([1, 1, ...values])];
  const attrs: Attrs =
    mode === 'nearest'
      ? { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }
      : { mode: mode === 'bicubic' ? 'cubic' : 'linear', coordinate_transformation_mode: alignCorners ? 'align_corners' : 'half_pixel', cubic_coeff_a: -0.75 };
  return make('Resize', [self, null, ...sizes], attrs);
}

function expectPictures(where: string, self: Tensor, factor: number, fits: boolean): void {
  if (self.ndim === 4 && Number.isInteger(factor) && factor > 0 && fits) return;
  throw new TensorError(where, { expected: `[N, C, height, width] that a factor of ${factor} divides`, got: formatType(self.value) });
}

/** [N, C r r, H, W] to [N, C, H r, W r]: each r x r pixels were channels of one (Shi et al., 2016). */
export function pixelShuffle(self: Tensor, upscaleFactor: number): Tensor {
  expectPictures('pixelShuffle', self, upscaleFactor, self.shape[1] % upscaleFactor ** 2 === 0);
  return make('DepthToSpace', [self], { blocksize: upscaleFactor, mode: 'CRD' });
}

/** The inverse of `pixelShuffle`: [N, C, H r, W r] to [N, C r r, H, W]. */
export function pixelUnshuffle(self: Tensor, downscaleFactor: number): Tensor {
  const [n, c, h, w] = self.shape;
  const r = downscaleFactor;
  expectPictures('pixelUnshuffle', self, r, h % r === 0 && w % r === 0);
  return reshape(permute(reshape(self, [n, c, h / r, r, w / r, r]), [0, 1, 3, 5, 2, 4]), [n, c * r * r, h / r, w / r]);
}
