/** Shapes and places: views, slicing and indexing, gathering and scattering, padding. */
import { type Attrs, sameShape, sizeOf } from '../graph/index.ts';
import { known } from './cells.ts';
import { TensorError } from './errors.ts';
import { dimOf, int64s, lift, make, makeAll, type Operand } from './make.ts';
import { Tensor } from './tensor.ts';

/** Numbers one by one, or a list of them. */
type Sizes = number[] | [sizes: readonly number[]];
const listOf = (sizes: Sizes): readonly number[] => (Array.isArray(sizes[0]) ? sizes[0] : sizes) as readonly number[];

/** The same elements in another shape; one dimension may be -1: what is left. `reshape(2, -1)` or `reshape([2, -1])`. */
export function reshape(self: Tensor, ...sizes: Sizes): Tensor {
  const shape = [...listOf(sizes)];
  const rest = shape.indexOf(-1);
  const others = sizeOf(shape.filter((_, i) => i !== rest));
  if (rest >= 0) shape[rest] = others === 0 ? 0 : self.numel / others;
  if (sizeOf(shape) !== self.numel || shape.some((dim) => !Number.isInteger(dim) || dim < 0)) {
    throw new TensorError('reshape', { expected: `a shape of ${self.numel} elements for [${self.shape.join(',')}]`, got: `[${listOf(sizes).join(',')}]` });
  }
  return sameShape(shape, self.shape) ? self : make('Reshape', [self, int64s(shape)], { allowzero: 1 });
}
/** As `reshape`: whether memory is shared is nobody's concern here. */
export const view = reshape;
/** Dimensions in another order. */
export const permute = (self: Tensor, ...dims: Sizes): Tensor => make('Transpose', [self], { perm: listOf(dims).map((dim) => dimOf(dim, self.ndim)) });
/** Two dimensions exchanged. */
export function transpose(self: Tensor, dim0: number, dim1: number): Tensor {
  const perm = [...self.shape.keys()];
  const [a, b] = [dimOf(dim0, self.ndim), dimOf(dim1, self.ndim)];
  if (a === b) return self;
  [perm[a], perm[b]] = [b, a];
  return make('Transpose', [self], { perm });
}
/** A matrix turned over; vectors and scalars stay as they are. */
export function t(self: Tensor): Tensor {
  if (self.ndim > 2) throw new TensorError('t', { expected: 'at most 2 dimensions', got: `[${self.shape.join(',')}]`, hint: 'use transpose' });
  return self.ndim < 2 ? self : transpose(self, 0, 1);
}
/** A dimension at another place. */
export function movedim(self: Tensor, from: number, to: number): Tensor {
  const perm = [...self.shape.keys()];
  perm.splice(dimOf(to, self.ndim), 0, ...perm.splice(dimOf(from, self.ndim), 1));
  return permute(self, perm);
}
/** Without a dimension of size 1, or all of them; a dimension of another size stays. */
export function squeeze(self: Tensor, dim?: number): Tensor {
  const gone = dim === undefined ? [...self.shape.keys()] : [dimOf(dim, self.ndim)];
  return reshape(self, self.shape.filter((size, i) => size !== 1 || !gone.includes(i)));
}
/** With a dimension of size 1 more, in front of `dim`. */
export const unsqueeze = (self: Tensor, dim: number): Tensor => reshape(self, self.shape.toSpliced(dimOf(dim, self.ndim + 1), 0, 1));
/** Dimensions of size 1, and new ones in front, repeated; -1 keeps a size. */
export function expand(self: Tensor, ...sizes: Sizes): Tensor {
  const list = listOf(sizes);
  const shape = list.map((size, i) => (size === -1 ? (self.shape[i - list.length + self.ndim] ?? -1) : size));
  const fits = list.length >= self.ndim && self.shape.every((dim, i) => dim === 1 || dim === shape[i + list.length - self.ndim]);
  if (!fits) throw new TensorError('expand', { expected: `a shape that [${self.shape.join(',')}] broadcasts to`, got: `[${list.join(',')}]` });
  return sameShape(shape, self.shape) ? self : make('Expand', [self, int64s(shape)]);
}
/** In the shape of another tensor. */
export const expandAs = (self: Tensor, other: Tensor): Tensor => expand(self, other.shape);
/** The whole tensor so many times along each dimension. */
export function repeat(self: Tensor, ...times: Sizes): Tensor {
  const list = listOf(times);
  const wide = reshape(self, [...list.slice(self.ndim).map(() => 1), ...self.shape]);
  return make('Tile', [wide, int64s(list)]);
}
/** Dimensions `start` to `end` as one. */
export function flatten(self: Tensor, start = 0, end = -1): Tensor {
  if (self.ndim === 0) return reshape(self, [1]);
  const [a, b] = [dimOf(start, self.ndim), dimOf(end, self.ndim)];
  return reshape(self, [...self.shape.slice(0, a), sizeOf(self.shape.slice(a, b + 1)), ...self.shape.slice(b + 1)]);
}
/** One dimension as several. */
export const unflatten = (self: Tensor, dim: number, sizes: readonly number[]): Tensor => {
  const at = dimOf(dim, self.ndim);
  const rest = self.shape[at] / -sizeOf(sizes);
  return reshape(self, self.shape.toSpliced(at, 1, ...sizes.map((size) => (size === -1 ? rest : size))));
};

// ---- parts

/** Elements `start` to before `end` of a dimension, every `step`-th; negative ones count from the end. */
export function slice(self: Tensor, dim = 0, start: number | null = null, end: number | null = null, step = 1): Tensor {
  const at = dimOf(dim, self.ndim);
  if (step === 0 || !Number.isInteger(step)) throw new TensorError('slice', { expected: 'a whole step other than 0', got: `${step}` });
  const bounds = step > 0 ? [0, self.shape[at]] : [self.shape[at] - 1, -(2 ** 31)];
  if (step === 1 && (start ?? 0) === 0 && (end === null || end >= self.shape[at])) return self;
  return make('Slice', [self, int64s([start ?? bounds[0]]), int64s([end ?? bounds[1]]), int64s([at]), int64s([step])]);
}
/** `length` elements of a dimension from `start` on. */
export function narrow(self: Tensor, dim: number, start: number, length: number): Tensor {
  const size = self.shape[dimOf(dim, self.ndim)];
  const from = start < 0 ? start + size : start;
  if (!(from >= 0 && length >= 0 && from + length <= size)) throw new TensorError('narrow', { expected: `a part of ${size} elements`, got: `${length} from ${start}` });
  return slice(self, dim, from, from + length);
}
/** One element of a dimension, which goes away. */
export function select(self: Tensor, dim: number, index: number): Tensor {
  const at = dimOf(dim, self.ndim);
  const size = self.shape[at];
  if (self.ndim === 0 || !Number.isInteger(index) || index < -size || index >= size) {
    throw new TensorError('select', { expected: `an index in [${-size}, ${size - 1}]`, got: `${index}` });
  }
  const from = index < 0 ? index + size : index;
  return reshape(slice(self, at, from, from + 1), self.shape.toSpliced(at, 1));
}
/** Pieces of `size` elements (the last may be shorter), or of the sizes listed. */
export function split(self: Tensor, size: number | readonly number[], dim = 0): Tensor[] {
  const at = dimOf(dim, self.ndim);
  const whole = self.shape[at];
  if (typeof size === 'number' && !(Number.isInteger(size) && size > 0)) throw new TensorError('split', { expected: 'a size of at least 1', got: `${size}` });
  const sizes = typeof size === 'number' ? Array.from({ length: Math.max(1, Math.ceil(whole / size)) }, (_, i) => Math.min(size, whole - i * size)) : size;
  return makeAll('Split', [self, int64s(sizes)], { axis: at });
}
/** So many pieces of equal size (the last ones shorter or missing). */
export const chunk = (self: Tensor, chunks: number, dim = 0): Tensor[] => split(self, Math.max(1, Math.ceil(self.shape[dimOf(dim, self.ndim)] / chunks)), dim);
/** All elements of a dimension, which goes away, one by one. */
export const unbind = (self: Tensor, dim = 0): Tensor[] => {
  const at = dimOf(dim, self.ndim);
  return split(self, 1, at).map((part) => reshape(part, self.shape.toSpliced(at, 1)));
};
/** Dimensions in reverse. */
export const flip = (self: Tensor, ...dims: Sizes): Tensor => listOf(dims).reduce((x, dim) => slice(x, dim, null, null, -1), self);
/** Shifted along a dimension; what leaves at one end comes in at the other. */
export function roll(self: Tensor, shift: number, dim: number): Tensor {
  const size = self.shape[dimOf(dim, self.ndim)];
  const by = ((shift % size) + size) % size;
  if (size === 0 || by === 0) return self;
  return make('Concat', [slice(self, dim, size - by), slice(self, dim, 0, size - by)], { axis: dimOf(dim, self.ndim) });
}

/** Of one dimension: an index; [start, end, step] (null for the ends); null or ':' for all of it; a tensor of integers. */
export type Index = number | null | ':' | readonly [start: number | null, end?: number | null, step?: number] | Tensor;

/**
 * Part of a tensor, as Python's brackets: `x.at(0, [1, 3], null, [null, null, 2])` is x[0, 1:3, :, ::2]. A tensor of integers picks
 * elements of its dimension (one such index), a tensor of truths as the only index those that are true (which reads it).
 */
export function at(self: Tensor, ...indices: Index[]): Tensor {
  const [first] = indices;
  if (first instanceof Tensor && first.dtype === 'bool') return maskedSelect(self, first);
  if (indices.length > self.ndim) throw new TensorError('at', { expected: `at most ${self.ndim} indices for [${self.shape.join(',')}]`, got: `${indices.length}` });
  let dim = 0;
  let result = self;
  let picked = false;
  for (const index of indices) {
    if (typeof index === 'number') result = select(result, dim, index);
    else if (index instanceof Tensor) {
      if (picked) throw new TensorError('at', { expected: 'one tensor of indices', got: 'two', hint: 'use gather, or indexSelect for each' });
      picked = true;
      result = make('Gather', [result, lift(index, 'int64')], { axis: dim });
      dim += index.ndim;
    } else {
      if (index !== null && index !== ':') result = slice(result, dim, index[0], index[1] ?? null, index[2]);
      dim++;
    }
  }
  return result;
}

/** Where elements are not 0: int64 [count, ndim]. Reads. */
export function nonzero(self: Tensor): Tensor {
  const elements = self.toArray();
  const found: number[] = [];
  for (let i = 0; i < elements.length; i++) if (Number(elements[i]) !== 0) found.push(i);
  const result = new BigInt64Array(found.length * self.ndim);
  found.forEach((place, row) => {
    let rest = place;
    for (let dim = self.ndim - 1; dim >= 0; dim--) {
      result[row * self.ndim + dim] = BigInt(rest % self.shape[dim]);
      rest = Math.floor(rest / self.shape[dim]);
    }
  });
  return new Tensor(known({ dtype: 'int64', shape: [found.length, self.ndim], data: result }));
}
/** Elements where the mask (of the first dimensions' shape) is true. Reads the mask. */
export function maskedSelect(self: Tensor, mask: Tensor): Tensor {
  if (!sameShape(mask.shape, self.shape.slice(0, mask.ndim))) {
    throw new TensorError('maskedSelect', { expected: `a mask of the first dimensions of [${self.shape.join(',')}]`, got: `[${mask.shape.join(',')}]` });
  }
  const places = reshape(nonzero(reshape(mask, [-1])), [-1]);
  return make('Gather', [reshape(self, [mask.numel, ...self.shape.slice(mask.ndim)]), places], { axis: 0 });
}

/** Elements of a dimension by a list of indices. */
export const indexSelect = (self: Tensor, dim: number, index: Tensor): Tensor => make('Gather', [self, lift(index, 'int64')], { axis: dimOf(dim, self.ndim) });
/** One element for each index: result[i][j] = self[index[i][j]][j] along dimension 0, and so on. */
export const gather = (self: Tensor, dim: number, index: Tensor): Tensor => make('GatherElements', [self, index], { axis: dimOf(dim, self.ndim) });

function scattered(self: Tensor, dim: number, index: Tensor, source: Operand, attrs: Attrs): Tensor {
  const updates = expand(lift(source, self.dtype), index.shape);
  return make('ScatterElements', [self, index, updates], { axis: dimOf(dim, self.ndim), ...attrs });
}
/** With elements replaced: result[index[i][j]][j] = source[i][j] along dimension 0, and so on. `source` may be a number. */
export const scatter = (self: Tensor, dim: number, index: Tensor, source: Operand): Tensor => scattered(self, dim, index, source, {});
/** With elements added up at the places that the index names. */
export const scatterAdd = (self: Tensor, dim: number, index: Tensor, source: Operand): Tensor => scattered(self, dim, index, source, { reduction: 'add' });

export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular';
const padModes = { constant: 'constant', reflect: 'reflect', replicate: 'edge', circular: 'wrap' } as const;

/** Elements more (or, negative, fewer) around: before and after the last dimension, then the one in front of it, and so on. */
export function pad(self: Tensor, pads: readonly number[], mode: PadMode = 'constant', value = 0): Tensor {
  if (pads.length % 2 !== 0 || pads.length > 2 * self.ndim) throw new TensorError('pad', { expected: `pairs for at most ${self.ndim} dimensions`, got: `${pads.length} numbers` });
  const begin = self.shape.map((_, i) => pads[2 * (self.ndim - 1 - i)] ?? 0);
  const end = self.shape.map((_, i) => pads[2 * (self.ndim - 1 - i) + 1] ?? 0);
  return make('Pad', [self, int64s([...begin, ...end]), ...(mode === 'constant' && value !== 0 ? [lift(value, self.dtype)] : [])], { mode: padModes[mode] });
}
