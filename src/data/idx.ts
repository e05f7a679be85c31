/** idx: the files of MNIST. Two zero bytes, the type, the number of dimensions; sizes and then elements, largest byte first. */
import { type DType, dtypes, type TensorData, tensorData } from '../graph/index.ts';
import { DataError } from './errors.ts';

const types: Readonly<Record<number, DType>> = { 0x08: 'uint8', 0x09: 'int8', 0x0b: 'int16', 0x0c: 'int32', 0x0d: 'float32', 0x0e: 'float64' };
/** More is a mistake: MNIST has 3. */
const mostDimensions = 8;

/** @throws DataError for another kind of file, and for one that is shorter or longer than it says */
export function parseIdx(bytes: Uint8Array, file = 'idx file'): TensorData {
  const wrong = (expected: string, got: string): DataError => new DataError(file, { expected, got });
  if (bytes.length < 4) throw wrong('at least 4 bytes', `${bytes.length}`);
  const [zero, alsoZero, type, rank] = bytes;
  if (zero !== 0 || alsoZero !== 0) throw wrong('two zero bytes first, as in idx files', `${zero}, ${alsoZero}`);
  if (!Object.hasOwn(types, type)) throw wrong(`a type among ${Object.keys(types).map((code) => `0x0${Number(code).toString(16)}`).join(', ')}`, `0x${type.toString(16)}`);
  if (rank > mostDimensions) throw wrong(`at most ${mostDimensions} dimensions`, `${rank}`);
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw wrong(`${start} bytes of header`, `${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const dtype = types[type];
  const { array: Kind, bytes: width } = dtypes[dtype];
  // In doubles: a product that is not exact is far more than any file holds.
  const count = shape.reduce((product, size) => product * size, 1);
  if (bytes.length - start !== count * width) throw wrong(`${count * width} bytes of elements for ${dtype} [${shape.join(',')}]`, `${bytes.length - start}`);
  // A copy, which slice() of Node's Buffer is not.
  const elements = new Uint8Array(bytes.subarray(start));
  // Largest byte first in the file, smallest first in memory.
  if (width > 1) for (let at = 0; at < elements.length; at += width) elements.subarray(at, at + width).reverse();
  return tensorData(dtype, shape, new Kind(elements.buffer, elements.byteOffset, count));
}
