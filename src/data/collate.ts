/** collate: items to a batch, as PyTorch's default does: tensors are stacked, numbers become one, lists and records go part by part. */
import { dtypes, sameShape, sizeOf, type TensorData } from '../graph/index.ts';
import { fromTypedArray, realize, Tensor, tensor } from '../tensor/index.ts';
import { DataError } from './errors.ts';

/** What a batch of such items is. */
export type Batch<T> = T extends Tensor
  ? Tensor
  : T extends number | bigint | boolean
    ? Tensor
    : T extends readonly unknown[]
      ? { -readonly [K in keyof T]: Batch<T[K]> }
      : T extends string
        ? string[]
        : T extends Readonly<Record<string, number | bigint | boolean | string | Tensor>>
          ? { [K in keyof T]: Batch<T[K]> }
          : T[];

/** Numbers become float32, bigints int64, truths bool; what has no tensor (strings, pictures) stays a list. @throws DataError where shapes differ */
export function collate<T>(items: readonly T[]): Batch<T> {
  return join(items) as Batch<T>;
}

function join(items: readonly unknown[]): unknown {
  const [first] = items;
  if (first instanceof Tensor) return stackTensors(items as readonly Tensor[]);
  if (typeof first === 'number' || typeof first === 'bigint' || typeof first === 'boolean') return tensor(items as number[]);
  if (Array.isArray(first)) {
    const odd = (items as readonly unknown[][]).find((item) => !Array.isArray(item) || item.length !== first.length);
    if (odd) throw new DataError('a batch', { expected: `lists of ${first.length}`, got: Array.isArray(odd) ? `one of ${odd.length}` : typeof odd });
    return first.map((_, i) => join((items as readonly unknown[][]).map((item) => item[i])));
  }
  if (isRecord(first)) return Object.fromEntries(Object.keys(first).map((key) => [key, join((items as readonly Record<string, unknown>[]).map((item) => item[key]))]));
  return [...items];
}

/** A plain object whose parts all have batches; others (pictures, classes' objects) are left as they are. */
function isRecord(item: unknown): item is Record<string, unknown> {
  if (typeof item !== 'object' || item === null || Object.getPrototypeOf(item) !== Object.prototype) return false;
  return Object.values(item).every((part) => part instanceof Tensor || ['number', 'bigint', 'boolean', 'string'].includes(typeof part));
}

/** Side by side along a new first dimension; copied here rather than by a program, which is quicker for what is known already. */
function stackTensors(items: readonly Tensor[]): Tensor {
  const [{ dtype, shape }] = items;
  const odd = items.find((item) => item.dtype !== dtype || !sameShape(item.shape, shape));
  if (odd) throw new DataError('a batch', { expected: `tensors of ${dtype} [${shape.join(',')}]`, got: `${odd.dtype} [${odd.shape.join(',')}]`, hint: 'pad them, or give collate' });
  realize(...items);
  return rows(dtype, shape, items.map((item) => ({ data: item.toTensorData().data, at: 0 })));
}

/** Parts of `shape` that begin at those places, as one tensor with a dimension in front. */
export function rows(dtype: TensorData['dtype'], shape: readonly number[], parts: readonly { readonly data: TensorData['data']; readonly at: number }[]): Tensor {
  const size = sizeOf(shape);
  const result = new dtypes[dtype].array(size * parts.length);
  parts.forEach(({ data, at }, i) => result.set(data.subarray(at, at + size) as never, i * size));
  return fromTypedArray(result, [parts.length, ...shape], dtype);
}
