/** Einsum, always taken apart: diagonals and sums first, then one matrix product for each further operand. */
import { apply, type Attrs, defineOp, formatType, GraphError, sizeOf, type TensorType, type Value } from '../graph/index.ts';
import { broadcastShapes, commonDType, int64s, operand, reshape, stringAttr } from './helpers.ts';

/** A letter, or `.1`, `.2`, ... for what an ellipsis stands for, counted from its end, so that operands align there. */
type Label = string;

interface Equation {
  /** One label an axis, for each operand. */
  readonly terms: readonly (readonly Label[])[];
  readonly result: readonly Label[];
  readonly sizes: ReadonlyMap<Label, number>;
}

/** A value whose axes are named, each by another label. */
interface Named {
  readonly value: Value;
  readonly labels: readonly Label[];
}

const ellipsis = (count: number): Label[] => Array.from({ length: count }, (_, i) => `.${count - i}`);

function labelsOf(term: string, ellipsisRank: number, equation: string): Label[] {
  const parts = term.split('...');
  if (parts.length > 2 || !parts.every((part) => /^[a-zA-Z]*$/.test(part))) {
    throw new GraphError('equation', { expected: 'letters, and at most one ellipsis a term', got: `'${equation}'` });
  }
  return parts.length === 1 ? [...term] : [...parts[0], ...ellipsis(ellipsisRank), ...parts[1]];
}

/** @throws GraphError where the equation is malformed or does not fit the operands. */
function parse(attrs: Attrs, types: readonly TensorType[]): Equation {
  const equation = stringAttr(attrs, 'equation').replaceAll(' ', '');
  const [left, right, ...more] = equation.split('->');
  const sources = left.split(',');
  if (more.length > 0 || sources.length !== types.length) {
    throw new GraphError('equation', { expected: `${types.length} terms, one an operand`, got: `'${equation}'` });
  }
  const terms = sources.map((term, i) => {
    const { shape } = types[i];
    const letters = term.replace('...', '').length;
    const labels = labelsOf(term, Math.max(0, shape.length - letters), equation);
    if (labels.length !== shape.length) throw new GraphError(`input ${i}`, { expected: `as many axes as '${term}' names`, got: formatType(types[i]) });
    return labels;
  });
  const sizes = new Map<Label, number>();
  terms.forEach((labels, i) =>
    labels.forEach((label, axis) => {
      const [size, known = size] = [types[i].shape[axis], sizes.get(label)];
      if (label.startsWith('.')) sizes.set(label, broadcastShapes([known], [size])[0]);
      else if (known === size) sizes.set(label, size);
      else throw new GraphError(`input ${i}`, { expected: `${known} elements on the axis called ${label}`, got: `${size}` });
    }),
  );
  const result = right === undefined ? implicitResult(terms) : labelsOf(right, Math.max(0, ...terms.map(ellipsisRank)), equation);
  if (new Set(result).size !== result.length || result.some((label) => !sizes.has(label))) {
    throw new GraphError('equation', { expected: 'each axis of the result once, and from an operand', got: `'${equation}'` });
  }
  return { terms, result, sizes };
}

const ellipsisRank = (labels: readonly Label[]): number => labels.filter((label) => label.startsWith('.')).length;

/** Without `->`: what ellipses stand for, then the letters that occur once, in alphabetical order. */
function implicitResult(terms: readonly (readonly Label[])[]): Label[] {
  const all = terms.flat();
  const once = [...new Set(all)].filter((label) => !label.startsWith('.') && all.indexOf(label) === all.lastIndexOf(label));
  return [...ellipsis(Math.max(0, ...terms.map(ellipsisRank))), ...once.sort()];
}

/** Keeps of equally named axes the diagonal: they are made one, of which every (n+1)th element is taken. */
function diagonal({ value, labels }: Named): Named {
  const first = labels.findIndex((label, axis) => labels.indexOf(label, axis + 1) > 0);
  if (first < 0) return { value, labels };
  const second = labels.indexOf(labels[first], first + 1);
  const rest = [...labels.keys()].filter((axis) => axis !== first && axis !== second);
  const outer = rest.map((axis) => value.shape[axis]);
  const n = value.shape[first];
  const flat = reshape(apply('Transpose', [value], { perm: [...rest, first, second] }), [...outer, n * n]);
  const taken = apply('Slice', [flat, int64s([0]), int64s([n * n]), int64s([-1]), int64s([n + 1])]);
  return diagonal({ value: taken, labels: [...rest.map((axis) => labels[axis]), labels[first]] });
}

/** Sums over the axes that nobody asks for. */
function summed({ value, labels }: Named, wanted: ReadonlySet<Label>): Named {
  const axes = [...labels.keys()].filter((axis) => !wanted.has(labels[axis]));
  if (axes.length === 0) return { value, labels };
  return {
    value: apply('ReduceSum', [value, int64s(axes)], { keepdims: 0 }),
    labels: labels.filter((label) => wanted.has(label)),
  };
}

/** The axes in the given order; labels that it lacks become axes of size 1. */
function arranged({ value, labels }: Named, order: readonly Label[]): Value {
  const perm = order.filter((label) => labels.includes(label)).map((label) => labels.indexOf(label));
  const moved = perm.every((axis, i) => axis === i) ? value : apply('Transpose', [value], { perm });
  return reshape(moved, order.map((label) => (labels.includes(label) ? value.shape[labels.indexOf(label)] : 1)));
}

/** The product of two operands, summed over the labels that both have and nobody asks for. */
function product(a: Named, b: Named, wanted: ReadonlySet<Label>): Named {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const size = ({ value, labels }: Named, label: Label) => value.shape[labels.indexOf(label)];
  // An axis that is broadcast can not be summed by the product; it is a batch until the end.
  const inner = shared.filter((label) => !wanted.has(label) && size(a, label) === size(b, label));
  const batch = shared.filter((label) => !inner.includes(label));
  const [rows, columns] = [a, b].map(({ labels }) => labels.filter((label) => !shared.includes(label)));
  const matrices = (named: Named, groups: readonly (readonly Label[])[]) => {
    const value = arranged(named, [...batch, ...groups.flat()]);
    let at = batch.length;
    const flat = groups.map(({ length }) => sizeOf(value.shape.slice(at, (at += length))));
    return reshape(value, [...value.shape.slice(0, batch.length), ...flat]);
  };
  const result = apply('MatMul', [matrices(a, [rows, inner]), matrices(b, [inner, columns])]);
  const labels = [...batch, ...rows, ...columns];
  const outer = [...rows.map((label) => size(a, label)), ...columns.map((label) => size(b, label))];
  return { value: reshape(result, [...result.shape.slice(0, batch.length), ...outer]), labels };
}

defineOp({
  name: 'Einsum',
  inputs: [1, Infinity],
  infer(context) {
    const types = context.inputs.map((_, i) => operand(context, i, 'numeric'));
    const { result, sizes } = parse(context.attrs, types);
    return [{ dtype: commonDType(types), shape: result.map((label) => sizes.get(label)!) }];
  },
  decompose({ inputs, attrs }) {
    const { terms, result } = parse(attrs, inputs as Value[]);
    /** What the result or operands from `i` on ask for. */
    const wanted = (i: number) => new Set([...result, ...terms.slice(i).flat()]);
    const operands = inputs.map((value, i) => diagonal({ value: value!, labels: terms[i] }));
    let named = operands[0];
    for (let i = 1; i < operands.length; i++) {
      const others = new Set([...result, ...terms.filter((_, j) => j !== i).flat()]);
      named = product(summed(named, wanted(i)), summed(operands[i], others), wanted(i + 1));
    }
    return [arranged(summed(named, new Set(result)), result)];
  },
});
