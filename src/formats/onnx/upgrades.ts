/**
 * What an operator said in older opsets, said in the newest: one row a change. `below` is the opset that brought the new
 * form; rows apply top down, each to what the one before made of the call. History: onnx/docs/Changelog.md.
 */
import {
  type Attr,
  type Attrs,
  constant,
  constantOf,
  dtypes,
  fromNumbers,
  GraphError,
  hasOp,
  sizeOf,
  tensorData,
  toNumbers,
  type Value,
} from '../../graph/index.ts';
import { operatorRow } from './operators.ts';

/** A node of the file, its inputs found. */
export interface Call {
  readonly op: string;
  /** null where an optional input was left out. */
  readonly inputs: readonly (Value | null)[];
  readonly attrs: Attrs;
  /** How many results the file names. */
  readonly outputs: number;
}

/** Makes a node and returns its first result, folded where it can be. */
export type Make = (op: string, inputs: readonly (Value | null)[], attrs?: Attrs) => Value;

/** The call in newer words, or its results. */
type Change = (call: Call, make: Make) => Call | readonly Value[];

interface Upgrade {
  readonly ops: string;
  readonly below: number;
  readonly change: Change;
}

const always = Infinity;
const intMax = 2n ** 63n - 1n;

/** An int64 vector; numbers beyond int64 (2^63 - 1 read as a double) saturate. */
export const ints = (values: readonly number[]): Value =>
  constant(
    tensorData(
      'int64',
      [values.length],
      BigInt64Array.from(values, (value) => (value >= 2 ** 63 ? intMax : value <= -(2 ** 63) ? -intMax - 1n : BigInt(value))),
    ),
  );

const floats = (values: readonly number[]): Value => constant(fromNumbers('float32', [values.length], values));

/** A scalar of another value's dtype. */
function scalarLike(like: Value, value: number, make: Make): Value {
  const { kind } = dtypes[like.dtype];
  const scalar = constant(fromNumbers(kind === 'float' ? 'float64' : 'int64', [], [value]));
  return make('Cast', [scalar], { to: like.dtype });
}

function operand({ op, inputs }: Call, i: number): Value {
  const value = inputs[i];
  if (!value) throw new GraphError(op, { expected: `an input ${i}`, got: 'none' });
  return value;
}

function without(attrs: Attrs, ...names: string[]): Attrs {
  return Object.fromEntries(Object.entries(attrs).filter(([name]) => !names.includes(name)));
}

function numbers(attrs: Attrs, name: string): readonly number[] | undefined {
  const value = attrs[name];
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((v) => Number.isInteger(v))) {
    throw new GraphError(`attribute ${name}`, { expected: 'a list of integers', got: String(value) });
  }
  return value as number[];
}

function number(attrs: Attrs, name: string): number | undefined {
  const value = attrs[name];
  if (value !== undefined && typeof value !== 'number') throw new GraphError(`attribute ${name}`, { expected: 'a number', got: String(value) });
  return value;
}

/** Sets input `i`, with null for what was left out before it. */
function withInput(call: Call, i: number, value: Value | null): Call {
  const inputs = [...call.inputs];
  while (inputs.length <= i) inputs.push(null);
  inputs[i] = value;
  return { ...call, inputs };
}

/** Attributes that went away without leaving a meaning. */
const dropped =
  (...names: string[]): Change =>
  (call) => ({ ...call, attrs: without(call.attrs, ...names) });

/** A list attribute that became input `i`. */
const toInput =
  (name: string, i: number): Change =>
  (call) => {
    const values = numbers(call.attrs, name);
    return values === undefined ? call : withInput({ ...call, attrs: without(call.attrs, name) }, i, ints(values));
  };

/** A number attribute that became the scalar input `i`, of the first input's dtype. */
const toScalar =
  (name: string, i: number): Change =>
  (call, make) => {
    const value = number(call.attrs, name);
    const rest = { ...call, attrs: without(call.attrs, name) };
    return value === undefined ? rest : withInput(rest, i, scalarLike(operand(call, 0), value, make));
  };

const withDefaults =
  (defaults: Attrs): Change =>
  (call) => ({ ...call, attrs: { ...defaults, ...call.attrs } });

const chain =
  (...changes: Change[]): Change =>
  (call, make) => {
    let current = call;
    for (const change of changes) {
      const next = change(current, make);
      if (!('op' in next)) return next;
      current = next;
    }
    return current;
  };

/** `axis` said where the second operand's shape starts in the first's; now shapes align at the end. */
const alignedAtAxis: Change = (call, make) => {
  const axis = number(call.attrs, 'axis');
  const rest = { ...call, attrs: without(call.attrs, 'axis', 'broadcast') };
  if (axis === undefined || !call.attrs.broadcast) return rest;
  const [a, b] = [operand(call, 0), operand(call, 1)];
  const start = axis < 0 ? axis + a.shape.length : axis;
  const after = a.shape.length - start - b.shape.length;
  if (!Number.isInteger(axis) || start < 0 || after < 0) {
    throw new GraphError('attribute axis', { expected: `a start of rank ${b.shape.length} within rank ${a.shape.length}`, got: `${axis}` });
  }
  return withInput(rest, 1, reshape(b, [...b.shape, ...new Array<number>(after).fill(1)], make));
};

const reshape = (value: Value, shape: readonly number[], make: Make): Value => make('Reshape', [value, ints(shape)], { allowzero: 1 });

/** A slope per channel was the only broadcast there was. */
const slopePerChannel: Change = (call, make) => {
  const [x, slope] = [operand(call, 0), operand(call, 1)];
  if (slope.shape.length !== 1 || x.shape.length < 3 || slope.shape[0] === 1) return call;
  return withInput(call, 1, reshape(slope, [slope.shape[0], ...new Array<number>(x.shape.length - 2).fill(1)], make));
};

/** Softmax, LogSoftmax and Hardmax took everything from `axis` on as one axis. */
const flattened: Change = (call, make) => {
  const x = operand(call, 0);
  const rank = x.shape.length;
  const axis = number(call.attrs, 'axis') ?? 1;
  const start = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || start < 0 || start > rank) {
    throw new GraphError('attribute axis', { expected: `an axis of rank ${rank}`, got: `${axis}` });
  }
  if (start === rank - 1) return { ...call, attrs: { axis: start } };
  const rows = reshape(x, [sizeOf(x.shape.slice(0, start)), sizeOf(x.shape.slice(start))], make);
  return [reshape(make(call.op, [rows], { axis: 1 }), x.shape, make)];
};

/** Statistics for every activation instead of every channel (spatial = 0): plain arithmetic. */
const perActivation: Change = (call, make) => {
  const spatial = number(call.attrs, 'spatial') ?? 1;
  const rest = { ...call, attrs: without(call.attrs, 'spatial') };
  if (spatial !== 0) return rest;
  const [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map((i) => operand(call, i));
  const epsilon = scalarLike(x, number(call.attrs, 'epsilon') ?? 1e-5, make);
  const deviation = make('Sqrt', [make('Add', [variance, epsilon])]);
  const normal = make('Div', [make('Sub', [x, mean]), deviation]);
  return [make('Add', [make('Mul', [normal, scale]), bias])];
};

/** Scale and bias were given per group, not per channel. */
const perGroup: Change = (call, make) => {
  const channels = operand(call, 0).shape[1];
  const spread = (value: Value): Value => {
    const groups = value.shape[0];
    if (value.shape.length !== 1 || groups === 0 || channels % groups !== 0) {
      throw new GraphError('scale and bias', { expected: `a value a group of ${channels} channels`, got: `[${value.shape.join(',')}]` });
    }
    return reshape(make('Expand', [reshape(value, [groups, 1], make), ints([groups, channels / groups])]), [channels], make);
  };
  return { ...call, inputs: [call.inputs[0], spread(operand(call, 1)), spread(operand(call, 2))] };
};

/** The statistics that training would give; at inference nothing is computed for them. */
const firstOutput: Change = (call) => ({ ...call, outputs: 1 });

/** Upsample, and Resize of opset 10: sample positions are index / scale, rounded down. */
const asymmetric: Change = (call) => ({
  ...call,
  op: 'Resize',
  inputs: [call.inputs[0], null, call.inputs[1] ?? null],
  attrs: { ...call.attrs, coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
});

const upsampleScales: Change = (call) => {
  const { height_scale: height, width_scale: width, scales } = call.attrs;
  const list = scales ?? (height === undefined ? undefined : [1, 1, height, width]);
  if (!Array.isArray(list) || !list.every((scale) => typeof scale === 'number')) {
    throw new GraphError('attribute scales', { expected: 'a list of numbers', got: String(list) });
  }
  return withInput({ ...call, attrs: without(call.attrs, 'height_scale', 'width_scale', 'scales') }, 1, floats(list as number[]));
};

/** An empty tensor stood for an input that was left out. */
const emptyIsNone: Change = (call) => ({
  ...call,
  inputs: call.inputs.map((value, i) => (i > 0 && value && sizeOf(value.shape) === 0 ? null : value)),
});

/** The number of parts, which the file says by naming the results. */
const equalParts: Change = (call) => {
  const { num_outputs: count } = call.attrs;
  if (call.inputs[1]) return call;
  if (count === undefined) return { ...call, attrs: { ...call.attrs, num_outputs: call.outputs } };
  // Fewer names than parts are allowed: the last parts are not used.
  if (typeof count === 'number' && count >= call.outputs) return call;
  throw new GraphError('attribute num_outputs', { expected: `${call.outputs}, as results are named`, got: String(count) });
};

/** At inference nothing is dropped. */
const dropout: Change = (call, make) => {
  const x = operand(call, 0);
  const training = constantOf(call.inputs[2]);
  const ratio = constantOf(call.inputs[1]);
  const off = !call.inputs[2] || (training && toNumbers(training)[0] === 0) || (ratio && toNumbers(ratio)[0] === 0);
  if (!off) throw new GraphError('Dropout', { expected: 'inference', got: 'training_mode that is true or not constant' });
  if (call.outputs < 2) return [x];
  const kept = constant(tensorData('bool', [], Uint8Array.of(1)));
  return [x, make('Expand', [kept, ints(x.shape)])];
};

/** The forms a constant is written in. */
const constantForms: Change = ({ attrs }) => {
  const { value, value_float: f, value_floats: fs, value_int: i, value_ints: is } = attrs;
  if (value !== undefined) {
    if (typeof value === 'object' && 'data' in value) return [constant(value)];
  } else if (typeof f === 'number') return [constant(fromNumbers('float32', [], [f]))];
  else if (Array.isArray(fs) && fs.every((v) => typeof v === 'number')) return [floats(fs)];
  else if (Number.isInteger(i)) return [constant({ ...constantOf(ints([i as number]))!, shape: [] })];
  else if (Array.isArray(is) && is.every((v) => Number.isInteger(v))) return [ints(is as number[])];
  throw new GraphError('Constant', { expected: 'a numeric value', got: Object.keys(attrs).join(', ') || 'none' });
};

/** Cast named its type in words. */
const castNames: Readonly<Record<string, number>> = {
  FLOAT: 1, UINT8: 2, INT8: 3, UINT16: 4, INT16: 5, INT32: 6, INT64: 7, STRING: 8, BOOL: 9, FLOAT16: 10, DOUBLE: 11, UINT32: 12, UINT64: 13,
};
const castByName: Change = (call) => {
  const { to } = call.attrs;
  return typeof to === 'string' && Object.hasOwn(castNames, to) ? { ...call, attrs: { to: castNames[to] } } : call;
};

const renamed =
  (op: string): Change =>
  (call) => ({ ...call, op });

const binaryOps = 'Add Sub Mul Div Pow And Or Xor Equal Greater Less';
const oldReductions = 'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare';

const upgrades: readonly Upgrade[] = [
  {
    ops: `Abs Add BatchNormalization Ceil Clip Div Dropout Elu Exp Floor HardSigmoid InstanceNormalization LeakyRelu Log Max Mean Min
      Mul Neg PRelu Reciprocal Relu Reshape Selu Sigmoid Sqrt Sub Sum Tanh`,
    below: 6,
    change: dropped('consumed_inputs'),
  },
  { ops: binaryOps, below: 7, change: alignedAtAxis },
  { ops: 'PRelu', below: 7, change: slopePerChannel },
  { ops: 'Gemm', below: 7, change: dropped('broadcast') },
  { ops: 'Selu', below: 6, change: withDefaults({ alpha: 1.6732, gamma: 1.0507 }) },
  { ops: 'Cast', below: 6, change: castByName },
  { ops: 'Concat', below: 4, change: withDefaults({ axis: 1 }) },
  { ops: 'Reshape', below: 5, change: toInput('shape', 1) },
  { ops: 'Pad', below: 2, change: toInput('paddings', 1) },
  { ops: 'Pad', below: 11, change: chain(toInput('pads', 1), toScalar('value', 2)) },
  { ops: 'Slice', below: 10, change: chain(toInput('starts', 1), toInput('ends', 2), toInput('axes', 3)) },
  { ops: 'Clip', below: 11, change: chain(toScalar('min', 1), toScalar('max', 2)) },
  { ops: 'TopK', below: 10, change: (call, make) => toInput('k', 1)({ ...call, attrs: listed(call.attrs, 'k') }, make) },
  { ops: 'Squeeze Unsqueeze ReduceSum', below: 13, change: toInput('axes', 1) },
  { ops: oldReductions, below: 18, change: toInput('axes', 1) },
  { ops: 'Softmax LogSoftmax Hardmax', below: 13, change: flattened },
  { ops: 'BatchNormalization', below: 7, change: dropped('is_test') },
  { ops: 'BatchNormalization', below: 9, change: perActivation },
  { ops: 'BatchNormalization', below: 14, change: firstOutput },
  { ops: 'GroupNormalization', below: 21, change: perGroup },
  { ops: 'Upsample', below: 9, change: upsampleScales },
  { ops: 'Upsample', below: always, change: asymmetric },
  { ops: 'Resize', below: 11, change: asymmetric },
  { ops: 'Resize', below: always, change: emptyIsNone },
  { ops: 'Scatter', below: always, change: renamed('ScatterElements') },
  { ops: 'Split', below: 13, change: toInput('split', 1) },
  { ops: 'Split', below: always, change: equalParts },
  { ops: 'Dropout', below: always, change: dropout },
  { ops: 'Identity', below: always, change: (call) => [operand(call, 0)] },
  { ops: 'Constant', below: always, change: constantForms },
];

function listed(attrs: Attrs, name: string): Attrs {
  const value: Attr | undefined = attrs[name];
  return typeof value === 'number' ? { ...attrs, [name]: [value] } : attrs;
}

const byOp = new Map<string, Upgrade[]>();
for (const upgrade of upgrades) {
  for (const op of upgrade.ops.split(/\s+/)) byOp.set(op, [...(byOp.get(op) ?? []), upgrade]);
}

/** Operators that exist in files alone: the rows above turn them into others. */
const fileOnly: Readonly<Record<string, string>> = {
  Constant: 'Constant', Dropout: 'Constant', Identity: 'Constant', Scatter: 'ScatterElements', Upsample: 'Resize',
};

/** Whether the file's operator can be said with the operators that are registered. */
export function canExpress(op: string): boolean {
  const target = Object.hasOwn(fileOnly, op) ? fileOnly[op] : op;
  return hasOp(target) && operatorRow(target) !== undefined;
}

/** The call as the newest opset says it, or its results where no node is left. @throws GraphError */
export function upgrade(call: Call, opset: number, make: Make): Call | readonly Value[] {
  const { op } = call;
  let current = call;
  for (const { below, change } of byOp.get(op) ?? []) {
    if (opset >= below) continue;
    const next = change(current, make);
    if (!('op' in next)) return next;
    current = next;
  }
  return current;
}
