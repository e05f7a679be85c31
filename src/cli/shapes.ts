/** Input shapes to run a model with where its file leaves some free: what was asked for, else what such dimensions usually are. */
import type { DType, Model, ModelInput, TensorData } from '../index.ts';
import { dtypes, sizeOf, tensorData } from '../index.ts';
import { UsageError } from './failure.ts';

type Shapes = Readonly<Record<string, readonly number[]>>;

export interface ShapeWishes {
  readonly batch?: number;
  /** By input; under '' for the only one. */
  readonly shape?: Shapes;
  /** What the zoo says of the first input. */
  readonly known?: readonly number[];
}

const usualPictureSide = 224;
const usualLength = 128;

/** A shape for every input. @throws UsageError where a wish names no input or goes against the file. */
export function concreteShapes({ inputs }: Pick<Model, 'inputs'>, { batch, shape = {}, known }: ShapeWishes): Record<string, number[]> {
  const names = inputs.map(({ name }) => name).join(', ');
  const asked: Record<string, readonly number[]> = { ...shape };
  if (Object.hasOwn(asked, '')) {
    if (inputs.length !== 1) throw new UsageError(`--shape: the model has ${inputs.length} inputs (${names}); say which, as in ${inputs[0]?.name ?? 'input'}=1x3x224x224`);
    asked[inputs[0].name] = asked[''];
    delete asked[''];
  }
  for (const name of Object.keys(asked)) {
    if (!inputs.some((input) => input.name === name)) throw new UsageError(`--shape: expected one of the inputs ${names}, got ${name}`);
  }
  return Object.fromEntries(inputs.map((input, i) => [input.name, shapeFor(input, { batch, asked: asked[input.name], known: i === 0 ? known : undefined })]));
}

function shapeFor(input: ModelInput, { batch, asked, known }: { batch?: number; asked?: readonly number[]; known?: readonly number[] }): number[] {
  const { name, shape } = input;
  if (asked) {
    const fits = shape[0] === '...' || (asked.length === shape.length && shape.every((dim, axis) => typeof dim === 'string' || dim === asked[axis]));
    if (!fits) throw new UsageError(`--shape: input ${name} is [${shape.join(',')}], got [${asked.join(',')}]`);
    return [...asked];
  }
  const first = shape[0];
  if (batch !== undefined && typeof first === 'number' && shape.length > 1 && first !== batch) {
    throw new UsageError(`--batch: the file fixes the batch of input ${name} to ${first} ([${shape.join(',')}])`);
  }
  return shape.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    if (axis === 0 || isBatch(dim)) return batch ?? known?.[axis] ?? 1;
    return known?.[axis] ?? usual(shape.length, axis, shape);
  });
}

const isBatch = (dim: string): boolean => /^n$|batch/i.test(dim);

function usual(rank: number, axis: number, shape: ModelInput['shape']): number {
  if (rank !== 4) return usualLength;
  const channelsLast = shape[3] === 3 || shape[3] === 1;
  return axis === 1 && !channelsLast ? 3 : usualPictureSide;
}

/** The same values every time: floats evenly from 0 to 1, small whole numbers that also serve as indices. */
export function sampleInput(dtype: DType, shape: readonly number[], seed = 1): TensorData {
  const data = new dtypes[dtype].array(sizeOf(shape));
  let state = seed;
  // Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8, 2003.
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  const value = sampleOf[dtype] ?? (() => (next() < 0.5 ? 0 : 1));
  const big = data instanceof BigInt64Array || data instanceof BigUint64Array;
  for (let i = 0; i < data.length; i++) data[i] = (big ? BigInt(value(next)) : value(next)) as never;
  return tensorData(dtype, shape, data);
}

/** Halves as bits: all patterns below that of 1 are numbers from 0 to 1. */
const sampleOf: Partial<Record<DType, (next: () => number) => number>> = {
  float32: (next) => next(),
  float64: (next) => next(),
  float16: (next) => Math.floor(next() * 0x3c00),
  bfloat16: (next) => Math.floor(next() * 0x3f80),
};
