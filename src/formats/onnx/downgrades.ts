/**
 * What the newest operators are called in older opsets: one row a change, `below` being the opset that brought our form.
 * The counterpart of upgrades.ts, for writing. What an opset cannot say at all is decomposed, or refused.
 */
import { type Attr, constant, constantOf, formatType, fromNumbers, type Node, tensorData, toNumbers, type Value } from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import { type AttributeRow, operatorRow } from './operators.ts';
import { labelOf } from './structure.ts';

export const oldestExport = 17;

/** A node as it will be written. */
export interface Written {
  readonly op: string;
  readonly inputs: readonly (Value | null)[];
  readonly attrs: Readonly<Record<string, Attr>>;
  readonly row: AttributeRow;
}

interface Downgrade {
  readonly ops: string;
  readonly below: number;
  readonly change: (written: Written, node: Node) => Written;
}

/** Operators that came with this opset; below it they are decomposed. */
const since: Readonly<Record<string, number>> = { Mish: 18, Gelu: 20, GroupNormalization: 21, Swish: 24 };

const fail = (node: Node, what: string): never => {
  throw new FormatError(labelFor(node), { expected: 'what the opset can say', got: what, hint: 'export at a newer opset' });
};
const labelFor = (node: Node): string => labelOf({ op_type: node.op, name: node.name, output: [] } as never);

function constantInput(node: Node, value: Value, what: string): number[] {
  const data = constantOf(value);
  return data ? toNumbers(data) : fail(node, `computed ${what}`);
}

const withoutAttrs = (written: Written, ...names: string[]): Written => ({
  ...written,
  attrs: Object.fromEntries(Object.entries(written.attrs).filter(([name]) => !names.includes(name))),
});

const int64s = (values: readonly number[]): Value => constant(tensorData('int64', [values.length], BigInt64Array.from(values, BigInt)));

const axesToAttribute: Downgrade['change'] = (written, node) => {
  const axes = written.inputs[1];
  const list = axes ? constantInput(node, axes, 'axes') : [];
  if (list.length === 0 && written.attrs.noop_with_empty_axes) return { op: 'Identity', inputs: written.inputs.slice(0, 1), attrs: {}, row: {} };
  const { attrs } = withoutAttrs(written, 'noop_with_empty_axes');
  return {
    ...written,
    inputs: written.inputs.slice(0, 1),
    attrs: list.length > 0 ? { ...attrs, axes: list } : attrs,
    row: { ...written.row, axes: 'ints' },
  };
};

/** The sizes of the parts, which equal parts alone need not give. */
const partSizes: Downgrade['change'] = (written, node) => {
  if (written.inputs[1]) return written;
  const axis = Number(written.attrs.axis ?? 0);
  const sizes = node.outputs.map(({ shape }) => shape.at(axis)!);
  return withoutAttrs({ ...written, inputs: [written.inputs[0], int64s(sizes)] }, 'num_outputs');
};

/** Pads for every axis instead of those of some. */
const padsOfAllAxes: Downgrade['change'] = (written, node) => {
  const [x, pads, value, axes] = written.inputs;
  if (!x || !pads || !axes) return written;
  const rank = x.shape.length;
  const some = constantInput(node, pads, 'pads');
  const which = constantInput(node, axes, 'axes');
  const all = new Array<number>(2 * rank).fill(0);
  which.forEach((axis, i) => {
    const at = axis < 0 ? axis + rank : axis;
    all[at] = some[i];
    all[at + rank] = some[i + which.length];
  });
  return { ...written, inputs: value ? [x, int64s(all), value] : [x, int64s(all)] };
};

/** Scales or sizes for every axis instead of those of some. */
const resizeAllAxes: Downgrade['change'] = (written, node) => {
  const { axes, antialias, keep_aspect_ratio_policy: policy } = written.attrs;
  if (antialias) fail(node, 'antialias');
  if (policy !== undefined && policy !== 'stretch') fail(node, `keep_aspect_ratio_policy ${String(policy)}`);
  const rest = withoutAttrs(written, 'axes', 'antialias', 'keep_aspect_ratio_policy');
  const [x, roi, scales, sizes] = written.inputs;
  if (axes === undefined || !x) return rest;
  if (roi) fail(node, 'roi with axes');
  const spread = (values: number[], fill: readonly number[]): number[] => {
    const all = [...fill];
    (axes as number[]).forEach((axis, i) => (all[axis < 0 ? axis + all.length : axis] = values[i]));
    return all;
  };
  if (sizes) return { ...rest, inputs: [x, null, null, int64s(spread(constantInput(node, sizes, 'sizes'), x.shape))] };
  const all = spread(constantInput(node, scales!, 'scales'), x.shape.map(() => 1));
  return { ...rest, inputs: [x, null, constant(fromNumbers('float32', [all.length], all))] };
};

const refused =
  (attribute: string, isOld: (value: Attr) => boolean): Downgrade['change'] =>
  (written, node) => {
    const value = written.attrs[attribute];
    if (value !== undefined && !isOld(value)) fail(node, `${attribute} ${String(value)}`);
    return written;
  };

const withoutDilations: Downgrade['change'] = (written, node) => {
  const { dilations } = written.attrs;
  if (Array.isArray(dilations) && dilations.some((dilation) => dilation !== 1)) fail(node, 'dilations');
  return withoutAttrs(written, 'dilations');
};

const reductions = 'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare';

const downgrades: readonly Downgrade[] = [
  { ops: reductions, below: 18, change: axesToAttribute },
  { ops: 'Split', below: 18, change: partSizes },
  { ops: 'Pad', below: 18, change: padsOfAllAxes },
  { ops: 'Pad', below: 19, change: refused('mode', (mode) => mode !== 'wrap') },
  { ops: 'Resize', below: 18, change: resizeAllAxes },
  { ops: 'Resize', below: 19, change: refused('coordinate_transformation_mode', (mode) => mode !== 'half_pixel_symmetric') },
  { ops: 'AveragePool', below: 19, change: withoutDilations },
  { ops: 'LpPool', below: 18, change: withoutDilations },
  { ops: 'LpPool', below: 18, change: refused('ceil_mode', (mode) => !mode) },
  { ops: 'LpPool', below: 18, change: (written) => withoutAttrs(written, 'ceil_mode') },
];

const byOp = new Map<string, Downgrade[]>();
for (const downgrade of downgrades) {
  for (const op of downgrade.ops.split(' ')) byOp.set(op, [...(byOp.get(op) ?? []), downgrade]);
}

/** Whether the opset has the operator. */
export const canWrite = (op: string, opset: number): boolean =>
  operatorRow(op) !== undefined && opset >= (Object.hasOwn(since, op) ? since[op] : oldestExport);

/** The node as the opset says it. @throws FormatError where it cannot. */
export function downgrade(node: Node, opset: number): Written {
  let written: Written = { op: node.op, inputs: node.inputs, attrs: node.attrs, row: operatorRow(node.op) ?? {} };
  for (const { below, change } of byOp.get(node.op) ?? []) if (opset < below) written = change(written, node);
  return written;
}

/** For messages about values that ONNX has no place for. */
export const describeNode = (node: Node): string => `${labelFor(node)} -> ${node.outputs.map(formatType).join(', ')}`;
