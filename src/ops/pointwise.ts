/** How pointwise operators are defined: a row of scalar functions each, from which shape rule and evaluation follow. */
import { type Attrs, defineOp, dtypes, type Node, type OpDefinition, sizeOf, type TensorData, type TensorType, type TypedArray, type Value } from '../graph/index.ts';
import {
  bigintsOf,
  broadcastShapes,
  broadcastStrides,
  commonDType,
  type DTypeGroup,
  expectShape,
  fromElements,
  isFloat,
  numberAttr,
  numbersOf,
  offsetsOf,
  operand,
} from './helpers.ts';
import { sumTo } from './gradient.ts';
import { isHalf } from './half.ts';

/** Attributes that are numbers, with their defaults; the scalar functions get the values by name. */
export type Params = Readonly<Record<string, number>>;

// Functions of as many elements as the operator has operands, then the parameters.
type NumberFunction = (...elements: number[]) => number | boolean;
type BigintFunction = (...elements: bigint[]) => bigint | boolean;
type AnyFunction = (...elements: never[]) => unknown;

export interface PointwiseRow {
  readonly name: string;
  readonly inputs: 1 | 2 | 3;
  /** Which dtypes the operands may have. All have the same one. */
  readonly group: DTypeGroup;
  /** The result's dtype, where it is not the operands'. */
  readonly result?: 'bool';
  /** Operands broadcast to the first one's shape only, not it to theirs. */
  readonly keepsShape?: boolean;
  readonly params?: Params;
  /** On doubles; the result is rounded to the dtype. */
  readonly float?: (params: Params) => NumberFunction;
  /** On integers of any width, as bigints; the result wraps. */
  readonly int?: (params: Params) => BigintFunction;
  /** On elements as they are held (bigints where 64-bit integers), for what needs no arithmetic. */
  readonly any?: AnyFunction;
  readonly decompose?: (inputs: readonly Value[], params: Params, node: Node) => Value;
  readonly gradient?: PointwiseGradient;
}

/** The cotangents of the operands from that of the result, all as large as the result: broadcasting is undone for them. */
export type PointwiseGradient = (
  dy: Value,
  inputs: readonly Value[],
  y: Value,
  params: Params,
  wanted: readonly boolean[],
) => readonly (Value | null)[];

const names = new Set<string>();

/** Operators whose every result element depends only on the (broadcast) operand elements at its own index. */
export const pointwiseOps: ReadonlySet<string> = names;

export const markPointwise = (name: string): void => void names.add(name);

const readParams = (attrs: Attrs, defaults: Params = {}): Params =>
  Object.fromEntries(Object.entries(defaults).map(([name, fallback]) => [name, numberAttr(attrs, name, fallback)]));

export function definePointwise(row: PointwiseRow): void {
  const { name, inputs, group, result, params, decompose } = row;
  markPointwise(name);
  defineOp({
    name,
    inputs: [inputs, inputs],
    infer(context) {
      readParams(context.attrs, params);
      const types = Array.from({ length: inputs }, (_, i) => operand(context, i, group));
      const dtype = commonDType(types);
      const shape = broadcastShapes(...types.map((type) => type.shape));
      if (row.keepsShape) expectShape(types[0], shape, 'the broadcast of the operands');
      return [{ dtype: result ?? dtype, shape }];
    },
    evaluate(operands, attrs, [type]) {
      const values = operands as TensorData[];
      if (row.any) return [mapElements(row.any, values, type, 'any')];
      const given = readParams(attrs, params);
      return isFloat(values[0].dtype) || !row.int
        ? [mapElements(row.float!(given), values, type, 'float')]
        : [mapElements(row.int(given), values, type, 'int')];
    },
    decompose: decompose && ((node) => [decompose(node.inputs as Value[], readParams(node.attrs, params), node)]),
    gradient: row.gradient && pointwiseGradient(row.gradient, params),
  });
}

/** A registry rule of a pointwise one; also for operators that are not defined by a row. */
export const pointwiseGradient =
  (rule: PointwiseGradient, params?: Params): OpDefinition['gradient'] =>
  ({ inputs, outputs: [y], attrs }, [dy], wanted) =>
    rule(dy!, inputs as Value[], y, readParams(attrs, params), wanted).map((cotangent, i) => cotangent && sumTo(cotangent, inputs[i]!.shape));

/** How a scalar function sees elements: as numbers, as bigints, or as they are held. */
const domains = {
  float: numbersOf,
  int: bigintsOf,
  any: (tensor: TensorData): ArrayLike<number> | ArrayLike<bigint> => (isHalf(tensor.dtype) ? numbersOf(tensor) : tensor.data),
} as const;

/** Applies a function of one, two or three elements over operands that broadcast to the result's shape. */
export function mapElements(
  fn: AnyFunction,
  operands: readonly TensorData[],
  type: TensorType,
  domain: keyof typeof domains,
): TensorData {
  const size = sizeOf(type.shape);
  // An operand that is not repeated is read at the index itself.
  const [ia, ib, ic] = operands.map(({ data, shape }) =>
    data.length === size ? undefined : offsetsOf(type.shape, broadcastStrides(shape, type.shape)),
  );
  // Typed as numbers; the loops are the same for bigints.
  const [a, b, c] = operands.map(domains[domain]) as ArrayLike<number>[];
  const call = fn as (...elements: number[]) => number;
  const out = resultBuffer(type, domain) as Float64Array;
  if (operands.length === 1) for (let i = 0; i < size; i++) out[i] = call(a[i]);
  else if (operands.length === 2) for (let i = 0; i < size; i++) out[i] = call(a[ia ? ia[i] : i], b[ib ? ib[i] : i]);
  else for (let i = 0; i < size; i++) out[i] = call(a[ia ? ia[i] : i], b[ib ? ib[i] : i], c[ic ? ic[i] : i]);
  return fromElements(type, out);
}

/** Bigints collect in 64 bits, whose low bits are right for every width; doubles where `fromElements` must convert them. */
function resultBuffer({ dtype, shape }: TensorType, domain: keyof typeof domains): TypedArray {
  const size = sizeOf(shape);
  const int = dtypes[dtype].kind === 'int';
  if (isHalf(dtype) || (domain === 'float' && int)) return new Float64Array(size);
  return domain === 'int' && int ? new BigInt64Array(size) : new dtypes[dtype].array(size);
}
