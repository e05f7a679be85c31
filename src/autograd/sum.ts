/** sumOf: cotangents of one value added up; those of its slices are put side by side instead of padded and added. */
import { apply, constant, type Value } from '../graph/index.ts';
import { fromElements, padGeometry } from '../ops/index.ts';

/** At least one term, all of one type. */
export const sumOf = (terms: readonly Value[]): Value => joined(terms).reduce((a, b) => apply('Add', [a, b]));

/** A slice's cotangent: zeros but for elements begin to end of one axis. */
interface Part {
  readonly value: Value;
  readonly axis: number;
  readonly begin: number;
  readonly end: number;
}

/** What a Pad of zeros along one axis has put in place; undefined for all other values. */
function partOf({ node, shape }: Value): Part | undefined {
  if (node.op !== 'Pad' || node.inputs.length > 2) return undefined;
  const { mode, begin, end } = padGeometry(node);
  const axes = [...shape.keys()].filter((axis) => begin[axis] !== 0 || end[axis] !== 0);
  const [axis] = axes;
  if (mode !== 'constant' || axes.length !== 1 || begin[axis] < 0 || end[axis] < 0) return undefined;
  return { value: node.inputs[0]!, axis, begin: begin[axis], end: shape[axis] - end[axis] };
}

/**
 * A recurrent network reads its input slice by slice: T whole tensors, zeros but for one slice each, would be added. Slices
 * of one axis that do not overlap become one Concat, with zeros where none is.
 */
function joined(terms: readonly Value[]): Value[] {
  const byAxis = new Map<number, Part[]>();
  const others: Value[] = [];
  for (const term of terms) {
    const part = terms.length > 1 ? partOf(term) : undefined;
    const known = part && byAxis.get(part.axis);
    if (!part) others.push(term);
    else if (known) known.push(part);
    else byAxis.set(part.axis, [part]);
  }
  const { dtype, shape } = terms[0];
  const concats = [...byAxis].flatMap(([axis, parts]) => rows(parts).map((row) => concat(row, axis)));
  return [...concats, ...others];

  function concat(row: readonly Part[], axis: number): Value {
    const pieces: Value[] = [];
    let at = 0;
    for (const { value, begin, end } of row) {
      if (begin > at) pieces.push(zeros(axis, begin - at));
      pieces.push(value);
      at = end;
    }
    if (at < shape[axis]) pieces.push(zeros(axis, shape[axis] - at));
    return apply('Concat', pieces, { axis });
  }

  function zeros(axis: number, size: number): Value {
    const dims = fromElements({ dtype: 'int64', shape: [shape.length] }, shape.with(axis, size));
    return apply('Expand', [constant(fromElements({ dtype, shape: [] }, [0])), constant(dims)]);
  }
}

/** Parts in the order of their places, distributed over rows so that none overlaps in its row. */
function rows(parts: readonly Part[]): Part[][] {
  const result: Part[][] = [];
  for (const part of parts.toSorted((a, b) => a.begin - b.begin)) {
    const row = result.find((others) => others[others.length - 1].end <= part.begin);
    if (row) row.push(part);
    else result.push([part]);
  }
  return result;
}
