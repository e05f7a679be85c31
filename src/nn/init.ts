/**
 * Initialisers: they give a tensor new values in place (and return it), drawn from tensor's default generator or the one given.
 * Lazy as everything: nothing is drawn for a parameter that is loaded before it is used.
 */
import { sizeOf } from '../graph/index.ts';
import { fromTypedArray, type Generator, noGrad, rand, randn, type Tensor } from '../tensor/index.ts';
import { ModuleError } from './errors.ts';

export interface InitOptions {
  readonly generator?: Generator;
}
export interface KaimingOptions extends InitOptions {
  /** Negative slope of the leaky ReLU behind. Default 0. */
  readonly a?: number;
  /** Whether variance is kept forward or backward. Default 'fanIn'. */
  readonly mode?: 'fanIn' | 'fanOut';
  readonly nonlinearity?: Nonlinearity;
}
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

const wide = ({ dtype }: Tensor) => (dtype === 'float64' ? 'float64' : 'float32');
const fill = <T extends Tensor>(tensor: T, value: () => Tensor | number): T => noGrad(() => tensor.assign(value()));

/** Uniform in [low, high). */
export const uniform_ = <T extends Tensor>(tensor: T, low = 0, high = 1, { generator }: InitOptions = {}): T =>
  fill(tensor, () => rand(tensor.shape, { dtype: wide(tensor), generator }).mul(high - low).add(low));
/** Normal with this mean and standard deviation. */
export const normal_ = <T extends Tensor>(tensor: T, mean = 0, std = 1, { generator }: InitOptions = {}): T =>
  fill(tensor, () => randn(tensor.shape, { dtype: wide(tensor), generator }).mul(std).add(mean));
/** All of one value. */
export const constant_ = <T extends Tensor>(tensor: T, value: number): T => fill(tensor, () => value);
export const zeros_ = <T extends Tensor>(tensor: T): T => constant_(tensor, 0);
export const ones_ = <T extends Tensor>(tensor: T): T => constant_(tensor, 1);

/** How many inputs an output has, and outputs an input, of a weight [out, in, ...kernel]. @throws ModuleError below two dimensions */
export function fans({ shape }: Tensor): { readonly fanIn: number; readonly fanOut: number } {
  if (shape.length < 2) throw new ModuleError('fans', { expected: 'a weight of at least two dimensions', got: `[${shape.join(',')}]` });
  const field = sizeOf(shape.slice(2));
  return { fanIn: shape[1] * field, fanOut: shape[0] * field };
}

/** What the standard deviation is multiplied by, so that it survives the nonlinearity. */
export function gain(nonlinearity: Nonlinearity, a = 0.01): number {
  const gains: Readonly<Record<Nonlinearity, number>> = { linear: 1, sigmoid: 1, tanh: 5 / 3, relu: Math.SQRT2, leakyRelu: Math.sqrt(2 / (1 + a * a)), selu: 3 / 4 };
  return gains[nonlinearity];
}

const xavierStd = (tensor: Tensor, gain: number): number => {
  const { fanIn, fanOut } = fans(tensor);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
};
const kaimingStd = (tensor: Tensor, { a = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' }: KaimingOptions): number => gain(nonlinearity, a) / Math.sqrt(fans(tensor)[mode]);
const spread = <T extends Tensor>(tensor: T, std: number, options: InitOptions): T => uniform_(tensor, -Math.sqrt(3) * std, Math.sqrt(3) * std, options);

/** Glorot and Bengio (2010) */
export const xavierUniform_ = <T extends Tensor>(tensor: T, gain = 1, options: InitOptions = {}): T => spread(tensor, xavierStd(tensor, gain), options);
/** Glorot and Bengio (2010) */
export const xavierNormal_ = <T extends Tensor>(tensor: T, gain = 1, options: InitOptions = {}): T => normal_(tensor, 0, xavierStd(tensor, gain), options);
/** He et al. (2015) */
export const kaimingUniform_ = <T extends Tensor>(tensor: T, options: KaimingOptions = {}): T => spread(tensor, kaimingStd(tensor, options), options);
/** He et al. (2015) */
export const kaimingNormal_ = <T extends Tensor>(tensor: T, options: KaimingOptions = {}): T => normal_(tensor, 0, kaimingStd(tensor, options), options);

/**
 * Rows that are orthonormal (columns, where there are more rows than columns; dimensions after the first count as one), times
 * `gain`; uniformly distributed (Saxe, McClelland and Ganguli, 2013). Drawn at once, unlike the others.
 */
export function orthogonal_<T extends Tensor>(tensor: T, gain = 1, { generator }: InitOptions = {}): T {
  if (tensor.ndim < 2) throw new ModuleError('orthogonal_', { expected: 'a weight of at least two dimensions', got: `[${tensor.shape.join(',')}]` });
  const rows = tensor.shape[0];
  const columns = tensor.numel / rows;
  const [count, length] = rows < columns ? [rows, columns] : [columns, rows];
  const vectors = randn([count, length], { dtype: 'float64', generator }).toArray() as Float64Array;
  orthonormalise(vectors, count, length);
  const matrix = fromTypedArray(vectors, [count, length]);
  return fill(tensor, () => (rows < columns ? matrix : matrix.transpose(0, 1)).reshape([...tensor.shape]).mul(gain));
}

/** Gram-Schmidt, each vector twice, which is enough (Giraud, Langou and Rozloznik, 2005). */
function orthonormalise(vectors: Float64Array, count: number, length: number): void {
  const dot = (a: number, b: number): number => {
    let sum = 0;
    for (let i = 0; i < length; i++) sum += vectors[a * length + i] * vectors[b * length + i];
    return sum;
  };
  for (let v = 0; v < count; v++) {
    for (let round = 0; round < 2; round++) {
      for (let other = 0; other < v; other++) {
        const along = dot(v, other);
        for (let i = 0; i < length; i++) vectors[v * length + i] -= along * vectors[other * length + i];
      }
    }
    const size = Math.sqrt(dot(v, v));
    for (let i = 0; i < length; i++) vectors[v * length + i] /= size;
  }
}
