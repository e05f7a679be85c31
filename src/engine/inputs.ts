/** What a caller gives a model, checked before anything is compiled or run: one tensor for each input, of a type that fits. */
import { type Dim, dtypes, formatType, type ModelInput, type Shape, sizeOf, type TensorData } from '../graph/index.ts';
import { EngineError } from './errors.ts';

/** Tensors by the names of the model's inputs; the tensor alone where the model has one input. */
export type Inputs = TensorData | Readonly<Record<string, TensorData>>;

/**
 * The tensors by name, each seen to fit its input.
 * @throws EngineError on an unknown, missing or wrong input.
 */
export function checkInputs(declared: readonly ModelInput[], given: Inputs): Record<string, TensorData> {
  const named = byName(declared, given);
  for (const name of Object.keys(named)) {
    if (!declared.some((input) => input.name === name)) {
      throw new EngineError(`input '${name}'`, { expected: `one of ${namesOf(declared)}`, got: 'a name the model does not have' });
    }
  }
  const sizes = new Map<string, { size: number; by: string }>();
  return Object.fromEntries(
    declared.map((input) => {
      const tensor = Object.hasOwn(named, input.name) ? named[input.name] : undefined;
      if (tensor === undefined || tensor === null) throw new EngineError(`input '${input.name}'`, { expected: formatInput(input), got: 'nothing' });
      checkTensor(input, tensor);
      checkFreeDims(input, tensor.shape, sizes);
      return [input.name, tensor];
    }),
  );
}

function byName(declared: readonly ModelInput[], given: Inputs): Readonly<Record<string, TensorData>> {
  if (typeof given !== 'object' || given === null) throw new EngineError('inputs', { expected: 'tensors by name', got: String(given) });
  if (!isTensor(given)) return given;
  if (declared.length === 1) return { [declared[0].name]: given };
  throw new EngineError('inputs', {
    expected: `one tensor for each of ${namesOf(declared)}`,
    got: 'a single tensor',
    hint: `pass { ${declared.map(({ name }) => `'${name}': tensor`).join(', ')} }`,
  });
}

/** A record of tensors has tensors under names such as `data` or `shape` where a tensor has its own fields. */
const isTensor = (given: Inputs): given is TensorData =>
  typeof given.dtype === 'string' && Array.isArray(given.shape) && ArrayBuffer.isView(given.data);

function checkTensor(input: ModelInput, tensor: TensorData): void {
  const where = `input '${input.name}'`;
  const expected = formatInput(input);
  if (!isTensor(tensor)) {
    throw new EngineError(where, { expected: `a ${expected} tensor`, got: describe(tensor), hint: 'make it with tensorData(dtype, shape, values)' });
  }
  const { dtype, shape, data } = tensor;
  const got = formatType(tensor);
  if (dtype !== input.dtype) throw new EngineError(where, { expected, got, hint: dtypeHint(input.dtype, dtype) });
  if (!fits(shape, input.shape)) throw new EngineError(where, { expected, got, hint: shapeHint(shape, input.shape) });
  const { array } = dtypes[dtype];
  if (!(data instanceof array) || data.length !== sizeOf(shape)) {
    throw new EngineError(where, { expected: `${array.name} of ${sizeOf(shape)} values for ${got}`, got: `${data.constructor.name} of ${data.length}` });
  }
}

/** A free dimension has one size throughout the model. */
function checkFreeDims(input: ModelInput, shape: Shape, sizes: Map<string, { size: number; by: string }>): void {
  if (isAnyShape(input.shape)) return;
  input.shape.forEach((dim, axis) => {
    if (typeof dim === 'number') return;
    const before = sizes.get(dim);
    if (before && before.size !== shape[axis]) {
      throw new EngineError(`input '${input.name}'`, { expected: `${dim} = ${before.size}, as '${before.by}' has it`, got: `${shape[axis]}` });
    }
    sizes.set(dim, { size: shape[axis], by: input.name });
  });
}

/** An ONNX input of unknown rank has the single dimension `...`. */
const isAnyShape = (shape: readonly Dim[]): boolean => shape.length === 1 && shape[0] === '...';
const isSize = (dim: unknown): boolean => Number.isInteger(dim) && (dim as number) >= 0;

const fits = (given: Shape, declared: readonly Dim[]): boolean =>
  given.every(isSize) &&
  (isAnyShape(declared) || (given.length === declared.length && declared.every((dim, axis) => typeof dim === 'string' || dim === given[axis])));

function dtypeHint(expected: string, got: string): string | undefined {
  if (expected.startsWith('float') && got.startsWith('uint8')) return 'pictures are prepared with preprocess(image, recipe)';
  return `convert the values to ${expected}`;
}

function shapeHint(given: Shape, declared: readonly Dim[]): string | undefined {
  if (given.length === declared.length - 1 && fits([1, ...given], declared)) return `add a batch axis: [${[1, ...given].join(',')}]`;
  if (given.length !== declared.length) return `expected ${declared.length} axes, got ${given.length}`;
  const [n, a, b, c] = given;
  if (given.length === 4 && (fits([n, c, a, b], declared) || fits([n, b, c, a], declared))) return 'NCHW and NHWC seem to be mixed up';
  return undefined;
}

export const formatInput = ({ dtype, shape }: Pick<ModelInput, 'dtype' | 'shape'>): string => `${dtype}[${shape.join(',')}]`;
const namesOf = (declared: readonly ModelInput[]): string => declared.map(({ name }) => `'${name}'`).join(', ') || 'none';
const describe = (value: unknown): string => (ArrayBuffer.isView(value) ? value.constructor.name : Array.isArray(value) ? 'an array' : typeof value);
