/** The concrete input shapes of a model: what the caller gave, checked against what the file allows. */
import { type Dim, type ModelInput, type Shape, sizeOf } from '../graph/index.ts';
import { FormatError } from './errors.ts';

export const formatInput = ({ dtype, shape }: ModelInput): string => `${dtype}[${shape.join(',')}]`;
/** The shape of an input whose rank the file leaves open. */
export const anyShape: readonly Dim[] = ['...'];
const isAnyShape = (shape: readonly Dim[]): boolean => shape.length === 1 && shape[0] === anyShape[0];

/** Whether a concrete shape has the file's rank and fixed dimensions. */
export const fitsShape = (given: Shape, shape: readonly Dim[]): boolean =>
  isAnyShape(shape) || (given.length === shape.length && shape.every((dim, axis) => typeof dim === 'string' || dim === given[axis]));

const isSize = (dim: number): boolean => Number.isSafeInteger(dim) && dim >= 0;

/**
 * One shape for each input, in the inputs' order: as given, else from the file and from the free dimensions that other
 * inputs fixed. A free dimension has one size throughout the model.
 * @throws FormatError for an unknown input, a shape that does not fit, or a free dimension left open.
 */
export function bindShapes(inputs: readonly ModelInput[], shapes: Readonly<Record<string, Shape>> = {}, file?: string): Shape[] {
  const free = new Map<string, { size: number; by: string }>();
  for (const [name, given] of Object.entries(shapes)) {
    const input = inputs.find((candidate) => candidate.name === name);
    const where = `shape of '${name}'`;
    if (!input) throw new FormatError(where, { file, expected: `one of the inputs ${inputs.map((candidate) => candidate.name).join(', ')}` });
    if (!fitsShape(given, input.shape) || !given.every(isSize) || !Number.isSafeInteger(sizeOf(given))) {
      throw new FormatError(where, { file, expected: formatInput(input), got: `[${given.join(',')}]` });
    }
    if (isAnyShape(input.shape)) continue;
    input.shape.forEach((dim, axis) => {
      if (typeof dim === 'number') return;
      const before = free.get(dim);
      if (before && before.size !== given[axis]) {
        throw new FormatError(where, { file, expected: `${dim} = ${before.size}, as '${before.by}' has it`, got: `${given[axis]}` });
      }
      free.set(dim, { size: given[axis], by: name });
    });
  }
  return inputs.map((input) => {
    if (Object.hasOwn(shapes, input.name)) return shapes[input.name];
    return input.shape.map((dim: Dim): number => {
      const size = typeof dim === 'number' ? dim : free.get(dim)?.size;
      if (size !== undefined) return size;
      const hint = `build({ '${input.name}': [...] })`;
      throw new FormatError(`shape of '${input.name}'`, { file, expected: `a size for ${dim} of ${formatInput(input)}`, got: 'none', hint });
    });
  });
}
