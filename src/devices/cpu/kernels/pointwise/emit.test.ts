/** Every row of the table, in both modes and all its dtypes, on every instruction set, against the operators' reference. */
import { expect, test } from 'vitest';
import { type Attrs, constant, type DType, dtypes, fromNumbers, input, makeNode, type Node, type TensorData, tensorData } from '../../../../graph/index.ts';
import { evaluateNode } from '../../../../ops/index.ts';
import { KernelBuilder, lanesOf } from '../../codegen/index.ts';
import { type Target, targets } from '../math/testing.ts';
import { canEmit, canVectorise, castLane, emitLoad, type EmitMode, emitNode, emitStore, emittableOps, type Lane } from './index.ts';

const size = 256;
const scalar: EmitMode = { kind: 'scalar' };

/** Runs one node over arrays of `size` elements; floats of vector mode may be cast to and from bools around it. */
function run(target: Target, mode: EmitMode, node: Node, inputs: readonly (TensorData | null)[]): TensorData {
  const b = new KernelBuilder(node.op, target.isa);
  const result = node.outputs[0];
  const given = inputs.filter((data) => data !== null);
  const pointers = [...given, result].map(() => b.param());
  const step = mode.kind === 'vector' ? lanesOf(target.isa, mode.elem) : 1;
  const bool: DType = mode.kind === 'vector' && mode.elem === 'f64' ? 'float64' : 'float32';
  const held = (dtype: DType): DType => (mode.kind === 'vector' && dtype === 'bool' ? bool : dtype);
  b.loop(size / step, () => {
    let next = 0;
    const lanes = node.inputs.map((value): Lane | null => {
      if (!value) return null;
      const lane = emitLoad(b, mode, held(value.dtype), b.at(pointers[next++]));
      return castLane(b, mode, lane, value.dtype);
    });
    const lane = emitNode(b, mode, node, lanes);
    emitStore(b, mode, held(result.dtype), b.at(pointers[next]), castLane(b, mode, lane, held(result.dtype)));
    [...given, result].forEach(({ dtype }, i) => b.advance(pointers[i], step * dtypes[held(dtype)].bytes));
  });
  const call = target.compile(b.finish({ entry: true }));
  const offsets = pointers.map((_, i) => i * size * 8);
  const arrayAt = (i: number, dtype: DType, length = size) => new dtypes[dtype].array(target.memory, offsets[i], length);
  given.forEach((data, i) => (arrayAt(i, held(data.dtype)) as Float64Array).set(data.data as Float64Array));
  call(...offsets);
  const got = arrayAt(given.length, held(result.dtype));
  const out = new dtypes[result.dtype].array(size);
  (out as Float64Array).set(got as Float64Array);
  return tensorData(result.dtype, [size], out);
}

const view = new DataView(new ArrayBuffer(8));
const ordered = (dtype: DType, x: number): bigint => {
  if (dtype === 'float32') view.setFloat32(0, x);
  else view.setFloat64(0, x);
  const bits = dtype === 'float32' ? BigInt(view.getInt32(0)) : view.getBigInt64(0);
  return bits < 0n ? -(bits & (dtype === 'float32' ? 0x7fffffffn : 0x7fffffffffffffffn)) : bits;
};

/** Floats may be `ulps` floats apart, or `absolute`; everything else is exact. */
function expectClose(got: TensorData, want: TensorData, ulps: number, absolute: number, where: string, inputs: readonly (TensorData | null)[]): void {
  expect(got.dtype).toBe(want.dtype);
  for (let i = 0; i < size; i++) {
    const [a, b] = [got.data[i], want.data[i]];
    if (Object.is(a, b) || a === b) continue;
    const at = () => `${where} at (${inputs.map((data) => data && String(data.data[i])).join(', ')}): got ${a}, want ${b}`;
    if (dtypes[got.dtype].kind !== 'float' || Number.isNaN(a) || Number.isNaN(b)) throw new Error(at());
    const apart = ordered(got.dtype, Number(a)) - ordered(got.dtype, Number(b));
    if ((apart < 0n ? -apart : apart) > BigInt(ulps) && !(Math.abs(Number(a) - Number(b)) <= absolute)) throw new Error(at());
  }
}

// ---- operands: pairs of all of these, in three different orders
const floats = [0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3.25, -7.75, 1e-3, -1e-3, 20.5, -33, 88, -100, 1e10, -1e-30, 1e-42, 3e38, NaN, Infinity, -Infinity];
const wholes = [0n, 1n, -1n, 2n, -2n, 3n, -3n, 7n, -7n, 10n, 100n, -128n, 127n, 255n, 40000n, -32768n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 32n - 1n, 2n ** 62n, -(2n ** 63n), 2n ** 63n - 1n];

function operand(dtype: DType, turn: number, values: readonly number[] = floats): TensorData {
  const { array, kind } = dtypes[dtype];
  const data = new array(size);
  for (let i = 0; i < size; i++) {
    const j = turn === 0 ? i : turn === 1 ? i * 7 + Math.floor(i / values.length) : i * 5 + 3;
    if (kind === 'float') data[i] = values[j % values.length] as never;
    else if (kind === 'bool') data[i] = ((i >> turn) & 1) as never;
    else if (dtypes[dtype].bytes === 8) data[i] = wholes[j % wholes.length] as never;
    else data[i] = Number(BigInt.asIntN(32, wholes[j % wholes.length])) as never;
  }
  return tensorData(dtype, [size], data);
}

const float: readonly DType[] = ['float32', 'float64'];
const int: readonly DType[] = ['int32', 'int64', 'int8', 'uint8', 'int16', 'uint16', 'uint32', 'uint64'];
const signed: readonly DType[] = ['int32', 'int64', 'int8', 'int16'];
const numeric = [...float, ...int];

interface Case {
  readonly op: string;
  readonly operands?: number;
  readonly dtypes?: readonly DType[];
  readonly attrs?: Attrs;
  /** Floats that result and reference may lie apart; default 0. */
  readonly ulps?: number;
  /** Other operands than `floats`. */
  readonly floats?: readonly number[];
  /** For results that cancel: how far apart they may be. */
  readonly absolute?: number;
}
const cases: Case[] = [
  { op: 'Identity', dtypes: [...numeric, 'bool'] },
  ...['Add', 'Sub', 'Mul', 'Div'].map((op): Case => ({ op, operands: 2, dtypes: numeric })),
  { op: 'Mod', operands: 2, dtypes: int },
  { op: 'Mod', operands: 2, dtypes: numeric, attrs: { fmod: 1 } },
  { op: 'Pow', operands: 2, dtypes: [...float, 'int32', 'int64'], ulps: 4 },
  ...['Min', 'Max'].flatMap((op) => [1, 2, 3].map((operands): Case => ({ op, operands, dtypes: numeric }))),
  // The reference adds in doubles, which do not overflow.
  ...['Sum', 'Mean'].map((op): Case => ({ op, operands: 2, ulps: 1, floats: floats.filter((x) => x !== 3e38) })),
  ...['Neg', 'Abs', 'Sign'].map((op): Case => ({ op, dtypes: [...float, ...signed] })),
  ...['Reciprocal', 'Sqrt', 'Floor', 'Ceil', 'Round'].map((op): Case => ({ op })),
  ...['Exp', 'Log', 'Sin', 'Cos', 'Tan', 'Asin', 'Acos', 'Atan', 'Sinh', 'Cosh', 'Tanh', 'Erf', 'Sigmoid', 'Softplus'].map(
    (op): Case => ({ op, ulps: 4 }),
  ),
  // x times a factor that is denormal far to the left.
  { op: 'Mish', ulps: 5, absolute: 1e-40 },
  { op: 'Relu', dtypes: [...float, ...signed] },
  ...([{}, { alpha: 0.3 }, { alpha: 1.5 }, { alpha: -0.5 }] as Attrs[]).map((attrs): Case => ({ op: 'LeakyRelu', attrs, ulps: 1 })),
  { op: 'PRelu', operands: 2, dtypes: [...float, 'int32'] },
  { op: 'ThresholdedRelu', attrs: { alpha: 1.25 } },
  { op: 'Shrink', attrs: { bias: 0.25, lambd: 1 } },
  ...['Elu', 'Selu', 'Celu'].map((op): Case => ({ op, attrs: { alpha: 0.7 }, ulps: 5 })),
  { op: 'HardSigmoid', ulps: 2 },
  { op: 'HardSigmoid', attrs: { alpha: 0.3, beta: 0.1 }, ulps: 2 },
  { op: 'HardSwish', ulps: 3, absolute: 1e-6 },
  // At -Infinity the reference multiplies it by 0.
  { op: 'Gelu', ulps: 8, absolute: 1e-11, floats: floats.filter((x) => x !== -Infinity) },
  { op: 'Gelu', attrs: { approximate: 'tanh' }, ulps: 60 },
  { op: 'Softsign', ulps: 2 },
  { op: 'IsNaN' },
  ...([{}, { detect_negative: 0 }, { detect_positive: 0 }, { detect_negative: 0, detect_positive: 0 }] as Attrs[]).map(
    (attrs): Case => ({ op: 'IsInf', attrs }),
  ),
  { op: 'Equal', operands: 2, dtypes: [...numeric, 'bool'] },
  ...['Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'].map((op): Case => ({ op, operands: 2, dtypes: numeric })),
  ...['And', 'Or', 'Xor'].map((op): Case => ({ op, operands: 2, dtypes: ['bool'] })),
  { op: 'Not', dtypes: ['bool'] },
];
/** Covered by tests of their own below. */
const others = ['Where', 'Cast', 'Clip'];

test('every operator of the table has a case here', () => {
  expect([...new Set(cases.map(({ op }) => op)), ...others].sort()).toEqual([...emittableOps].sort());
});

function check(target: Target, node: Node, inputs: readonly (TensorData | null)[], modes: readonly EmitMode[], ulps = 0, absolute = 0): void {
  const [want] = evaluateNode(node, inputs);
  const types = node.inputs.map((value) => value?.dtype);
  for (const mode of modes) {
    const where = `${node.op}(${types.join(', ')}) on ${target.name} in ${mode.kind} mode`;
    expectClose(run(target, mode, node, inputs), want, ulps, absolute, where, inputs);
  }
}
const vector = (dtype: DType): EmitMode => ({ kind: 'vector', elem: dtype === 'float64' ? 'f64' : 'f32' });

for (const target of targets) {
  test(`operators on ${target.name}`, () => {
    for (const { op, operands = 1, dtypes: list = float, attrs = {}, ulps, absolute, floats: values } of cases) {
      for (const dtype of list) {
        const inputs = Array.from({ length: operands }, (_, i) => operand(dtype, i, values));
        const node = makeNode(op, inputs.map((_, i) => input(`x${i}`, dtype, [size])), attrs);
        expect(canEmit(node)).toBe(true);
        const modes = dtypes[dtype].kind === 'float' ? [scalar, vector(dtype)] : dtype === 'bool' ? [scalar, vector('float32'), vector('float64')] : [scalar];
        check(target, node, inputs, modes, ulps, absolute);
      }
    }
  });

  test(`Cast on ${target.name}`, () => {
    const all: DType[] = [...numeric, 'bool'];
    for (const from of all) {
      for (const to of all) {
        const node = makeNode('Cast', [input('x', from, [size])], { to });
        const vectors = [from, to].every((dtype) => dtype === 'bool' || dtypes[dtype].kind === 'float') && !(from !== to && from !== 'bool' && to !== 'bool');
        const elem = from === 'bool' ? to : from;
        check(target, node, [operand(from, 0)], vectors ? [scalar, vector(elem)] : [scalar]);
      }
    }
  });

  test(`Where on ${target.name}`, () => {
    for (const dtype of [...numeric, 'bool'] as DType[]) {
      const node = makeNode('Where', [input('c', 'bool', [size]), input('x', dtype, [size]), input('y', dtype, [size])]);
      const modes = dtypes[dtype].kind === 'int' ? [scalar] : [scalar, vector(dtype)];
      check(target, node, [operand('bool', 1), operand(dtype, 0), operand(dtype, 2)], modes);
    }
  });

  test(`Clip with and without bounds on ${target.name}`, () => {
    for (const dtype of ['float32', 'float64', 'int32', 'uint8', 'uint64'] as DType[]) {
      for (const [low, high] of [[-2, 3], [5, 1], [undefined, 3], [1, undefined], [undefined, undefined]]) {
        const bounds = [low, high].map((value) => (value === undefined ? null : fromNumbers(dtype, [size], new Array<number>(size).fill(Math.abs(value)))));
        const x = operand(dtype, 0);
        // The reference takes scalars; the emitter whatever lane it is given.
        const full = makeNode('Clip', [input('x', dtype, [size]), ...bounds.map((value) => value && input('bound', dtype, []))]);
        const [want] = evaluateNode(full, [x, ...bounds.map((value) => value && fromNumbers(dtype, [], [Number(value.data[0])]))]);
        for (const mode of dtypes[dtype].kind === 'float' ? [scalar, vector(dtype)] : [scalar]) {
          expectClose(run(target, mode, full, [x, ...bounds]), want, 0, 0, `Clip(${low}, ${high}) of ${dtype}`, [x]);
        }
      }
    }
  });

  test(`Pow of mixed types and by constants on ${target.name}`, () => {
    const pairs: [DType, DType][] = [['float32', 'int32'], ['float32', 'int64'], ['float32', 'float64'], ['float64', 'int32'], ['int32', 'float32'], ['int64', 'int32'], ['float32', 'uint64'], ['int64', 'uint64']];
    for (const [base, exponent] of pairs) {
      const node = makeNode('Pow', [input('x', base, [size]), input('y', exponent, [size])]);
      check(target, node, [operand(base, 0), operand(exponent, 1)], [scalar], 4);
    }
    for (const exponent of [0.5, -1, 1, 2, 3, 0, -0.5, 2.5]) {
      for (const dtype of float) {
        const power = fromNumbers(dtype, [], [exponent]);
        const node = makeNode('Pow', [input('x', dtype, [size]), constant(power)]);
        const filled = fromNumbers(dtype, [size], new Array<number>(size).fill(exponent));
        const x = operand(dtype, 0);
        const [want] = evaluateNode(node, [x, power]);
        for (const mode of [scalar, vector(dtype)]) expectClose(run(target, mode, node, [x, filled]), want, 4, 0, `Pow by ${exponent}`, [x]);
      }
    }
  });
}

test('whole vectors: floats of one type, bools made and read inside', () => {
  const x = input('x', 'float32', [4]);
  const y = input('y', 'float64', [4]);
  const mask = input('mask', 'bool', [4]);
  const less = makeNode('Less', [x, x]);
  const where = makeNode('Where', [less.outputs[0], x, x]);
  expect(canVectorise([less, where])).toBe(true);
  expect(canVectorise([less])).toBe(false);
  expect(canVectorise([makeNode('Where', [mask, x, x])])).toBe(false);
  expect(canVectorise([makeNode('Where', [constant(fromNumbers('bool', [], [1])), x, x])])).toBe(true);
  expect(canVectorise([makeNode('Exp', [x]), makeNode('Exp', [y])])).toBe(false);
  expect(canVectorise([makeNode('Cast', [x], { to: 'int32' })])).toBe(false);
  const sum = makeNode('Add', [input('i', 'int32', [4]), input('j', 'int32', [4])]);
  expect(canVectorise([sum])).toBe(false);
  expect(canEmit(sum)).toBe(true);
  expect(canEmit(makeNode('Cast', [x], { to: 'float16' }))).toBe(false);
  expect(canEmit(makeNode('MatMul', [input('a', 'float32', [2, 2]), input('b', 'float32', [2, 2])]))).toBe(false);
});
