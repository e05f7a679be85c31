/** printTensor: a tensor as PyTorch prints it: four decimals, one format for all elements, large ones in outline. */
import { dtypes, type TensorData } from '../graph/index.ts';
import { numbersOf } from '../ops/index.ts';

export interface Printed extends TensorData {
  readonly requiresGrad: boolean;
  readonly gradFn: string | undefined;
}

/** From so many elements on, of each axis the first and last three. */
const outlineFrom = 1000;
const edge = 3;
const lineWidth = 80;

export function printTensor(tensor: Printed): string {
  const { dtype, shape, data } = tensor;
  const outline = data.length > outlineFrom;
  const elements: ArrayLike<number | bigint> = data instanceof BigInt64Array || data instanceof BigUint64Array ? data : numbersOf(tensor);
  const shown: (number | bigint)[] = [];
  const indicesOf = (dim: number): (number | null)[] =>
    outline && dim > 2 * edge ? [0, 1, 2, null, dim - 3, dim - 2, dim - 1] : Array.from({ length: dim }, (_, i) => i);
  walk(0, 0, data.length, (at) => shown.push(elements[at]));
  const format = dtypes[dtype].kind === 'float' ? floatFormat(shown as number[]) : dtype === 'bool' ? (x: number | bigint) => (x ? 'True' : 'False') : String;
  const texts = shown.map((element) => format(element as never));
  // Neither nan nor inf makes the others wider, as in PyTorch.
  const width = shape.length === 0 ? 0 : Math.max(0, ...texts.map((text) => (/n/.test(text) && dtype !== 'bool' ? 0 : text.length)));
  let next = 0;
  const body = data.length === 0 ? '[]' : render(0, 'tensor('.length);
  const notes = [
    data.length === 0 && shape.length > 1 ? `size=[${shape.join(', ')}]` : '',
    (data.length > 0 ? ['float32', 'int64', 'bool'] : ['float32']).includes(dtype) ? '' : `dtype=${dtype}`,
    tensor.gradFn ? `grad_fn=<${tensor.gradFn}>` : tensor.requiresGrad ? 'requires_grad=True' : '',
  ];
  return `tensor(${[body, ...notes.filter(Boolean)].join(', ')})`;

  function walk(axis: number, start: number, size: number, take: (at: number) => void): void {
    if (size === 0) return;
    if (axis === shape.length) return take(start);
    const step = size / shape[axis];
    for (const i of indicesOf(shape[axis])) if (i !== null) walk(axis + 1, start + i * step, step, take);
  }

  function render(axis: number, indent: number): string {
    if (axis === shape.length) return texts[next++].padStart(width);
    const items = indicesOf(shape[axis]).map((i) => (i === null ? '...' : render(axis + 1, indent + 1)));
    if (axis < shape.length - 1) return `[${items.join(`,${'\n'.repeat(shape.length - 1 - axis)}${' '.repeat(indent + 1)}`)}]`;
    const perLine = Math.max(1, Math.floor((lineWidth - indent) / (width + 2)));
    const lines = Array.from({ length: Math.ceil(items.length / perLine) }, (_, i) => items.slice(i * perLine, (i + 1) * perLine).join(', '));
    return `[${lines.join(`,\n${' '.repeat(indent + 1)}`)}]`;
  }
}

/** Whole numbers as `3.`, others with four decimals, in powers of ten where they lie far apart. */
function floatFormat(elements: readonly number[]): (x: number) => string {
  const finite = elements.filter((x) => Number.isFinite(x) && x !== 0).map(Math.abs);
  const largest = Math.max(0, ...finite);
  const smallest = Math.min(Infinity, ...finite);
  const special = (format: (x: number) => string) => (x: number) =>
    Number.isNaN(x) ? 'nan' : Math.abs(x) === Infinity ? (x > 0 ? 'inf' : '-inf') : format(x);
  const exponential = special((x) => x.toExponential(4).replace(/e([+-])(\d)$/, 'e$10$2'));
  if (elements.every((x) => !Number.isFinite(x) || Number.isInteger(x))) {
    return largest >= 1e8 ? exponential : special((x) => `${Object.is(x, -0) ? '-0' : x}.`);
  }
  return largest / smallest > 1000 || largest >= 1e8 || smallest < 1e-4 ? exponential : special((x) => x.toFixed(4));
}
