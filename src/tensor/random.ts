/**
 * Random tensors, by Philox counters: element i of the n-th random tensor after `manualSeed(s)` is a pure function of s, n's
 * counter and i, the same on every device and thread count. Seed and counter are inputs of the program that draws.
 */
import { type DType, sizeOf, type TensorData } from '../graph/index.ts';
import { philoxCounters } from '../ops/index.ts';
import { known } from './cells.ts';
import type { TensorOptions } from './create.ts';
import { TensorError } from './errors.ts';
import { lift, make, type Operand, scalar } from './make.ts';
import { add, cos, floor, log, lt, mul, neg, sqrt, sub } from './pointwise.ts';
import { argsort } from './reduce.ts';
import type { Tensor } from './tensor.ts';
import { currentTrace } from './trace.ts';

/** Where a sequence of random numbers stands; plain data, to be kept in a checkpoint. */
export interface RandomState {
  readonly seed: bigint;
  readonly counter: bigint;
}

export interface Generator {
  /** The state from which the next tensor is drawn. Setting it goes on from there. */
  state: RandomState;
  /** From now on the numbers of this seed, from their beginning. */
  manualSeed(seed: number | bigint): void;
}

/** A sequence of random numbers of its own. */
export function generator(seed: number | bigint = 0): Generator {
  return {
    state: { seed: seedOf(seed), counter: 0n },
    manualSeed(next) {
      this.state = { seed: seedOf(next), counter: 0n };
    },
  };
}

function seedOf(seed: number | bigint): bigint {
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) throw new TensorError('seed', { expected: 'a whole number', got: `${seed}` });
  return BigInt.asIntN(64, BigInt(seed));
}

/** The one that is used where none is given. Seeded by the clock until `manualSeed`. */
export const defaultGenerator: Generator = generator(Date.now());
/** Seeds the default generator: same seed, same numbers. */
export const manualSeed = (seed: number | bigint): void => defaultGenerator.manualSeed(seed);

export interface RandomOptions extends TensorOptions {
  readonly generator?: Generator;
}

function uniform(shape: readonly number[], dtype: DType, source: Generator): Tensor {
  const used = BigInt(philoxCounters(dtype, sizeOf(shape)));
  const next = (): TensorData => {
    const { seed, counter } = source.state;
    source.state = { seed, counter: counter + used };
    return { dtype: 'int64', shape: [2], data: BigInt64Array.of(seed, counter) };
  };
  const state = known(next());
  currentTrace()?.random.set(state, next);
  return make('PhiloxUniform', [state], { dtype, shape: [...shape] });
}

function draw(shape: readonly number[], { dtype = 'float32', requiresGrad = false, generator: source = defaultGenerator }: RandomOptions, from: (uniform: () => Tensor) => Tensor): Tensor {
  const wide = dtype === 'float64' ? 'float64' : 'float32';
  const result = lift(from(() => uniform(shape, wide, source)), dtype);
  return requiresGrad ? result.requiresGrad_() : result;
}

/** Uniform in [0, 1). */
export const rand = (shape: readonly number[], options: RandomOptions = {}): Tensor => draw(shape, options, (next) => next());
/** Standard normal, by Box and Muller's transform (1958). */
export const randn = (shape: readonly number[], options: RandomOptions = {}): Tensor =>
  draw(shape, options, (next) => {
    // The logarithm is of (0, 1].
    const radius = sqrt(mul(log(sub(1, next())), -2));
    return mul(radius, cos(mul(next(), 2 * Math.PI)));
  });
/** Normal with this mean and standard deviation. */
export const normal = (mean: Operand, std: Operand, shape: readonly number[], options?: RandomOptions): Tensor => add(mul(randn(shape, options), std), mean);
/** Whole numbers from low to before high, as int64. */
export function randint(low: number, high: number, shape: readonly number[], { dtype = 'int64', generator: source = defaultGenerator }: RandomOptions = {}): Tensor {
  if (!(Number.isSafeInteger(low) && Number.isSafeInteger(high) && high > low)) throw new TensorError('randint', { expected: 'whole numbers, low < high', got: `${low} and ${high}` });
  return lift(add(floor(mul(uniform(shape, 'float64', source), high - low)), low), dtype);
}
/** The numbers from 0 to before n in random order, as int64. */
export const randperm = (n: number, { dtype = 'int64', generator: source = defaultGenerator }: RandomOptions = {}): Tensor => lift(argsort(uniform([n], 'float64', source)), dtype);
/** 1 with the probability that each element is, else 0; of its dtype. */
export const bernoulli = (probabilities: Tensor, { generator: source = defaultGenerator }: RandomOptions = {}): Tensor =>
  lift(lt(uniform(probabilities.shape, probabilities.dtype === 'float64' ? 'float64' : 'float32', source), probabilities), probabilities.dtype);
/** In training, elements are 0 with probability p and the others 1 / (1 - p) times as large. */
export function dropout(self: Tensor, p = 0.5, training = true, { generator: source = defaultGenerator }: RandomOptions = {}): Tensor {
  if (!(p >= 0 && p <= 1)) throw new TensorError('dropout', { expected: 'a probability', got: `${p}` });
  if (!training || p === 0) return self;
  if (p === 1) return mul(self, 0);
  const kept = lt(uniform(self.shape, 'float32', source), 1 - p);
  return make('Where', [kept, mul(self, 1 / (1 - p)), scalar(self.dtype, 0)]);
}
/** Uniform in [0, 1), of another tensor's shape and dtype. */
export const randLike = (like: Tensor, options: RandomOptions = {}): Tensor => rand(like.shape, { dtype: like.dtype, ...options });
/** Standard normal, of another tensor's shape and dtype. */
export const randnLike = (like: Tensor, options: RandomOptions = {}): Tensor => randn(like.shape, { dtype: like.dtype, ...options });
/** Standard exponential: -log(1 - u). */
export const exponential = (shape: readonly number[], options: RandomOptions = {}): Tensor => draw(shape, options, (next) => neg(log(sub(1, next()))));
