/**
 * The pointwise operators of the CPU, a row each: adding one here is all there is to do. A row says what the operator does
 * to floats (whole vectors), to 64-bit integers (one at a time; the result wraps to its dtype) and to truths.
 */
import { constantOf, type Node, type Value } from '../../../../graph/index.ts';
import type { Int, KernelBuilder, Long, Mask, Vec } from '../../codegen/index.ts';
import * as maths from '../math/index.ts';
import type { Floats } from '../math/index.ts';
import { asMask, asVec, castLane, elemOf, type EmitMode, type Lane, long, mask, vec } from './emit-lane.ts';

/** And, or and not of truths, whether they are masks or integers. */
export interface Logic<T> {
  and(p: T, q: T): T;
  or(p: T, q: T): T;
  not(p: T): T;
}

export interface Row {
  /** Operands left out are undefined. */
  readonly float?: (f: Floats, x: readonly Vec[], node: Node) => Vec;
  /** From floats to a truth. */
  readonly floatTest?: (f: Floats, x: readonly Vec[], node: Node) => Mask;
  readonly int?: (b: KernelBuilder, x: readonly Long[], node: Node) => Long;
  readonly intTest?: (b: KernelBuilder, x: readonly Long[]) => Int;
  /** Instead of those, where unsigned numbers that fill all 64 bits go another way. */
  readonly uint64?: Pick<Row, 'int' | 'intTest'>;
  readonly logic?: <T>(l: Logic<T>, x: readonly T[]) => T;
  /** For operators whose operands differ in type: all by themselves. */
  readonly emit?: (b: KernelBuilder, mode: EmitMode, node: Node, inputs: readonly Lane[]) => Lane;
}

type Function = (b: KernelBuilder, elem: maths.FloatElem, x: Vec) => Vec;
const ofOne = (fn: Function): Row => ({ float: (f, [x]) => fn(f.b, f.elem, x) });
const rounding = (op: 'floor' | 'ceil' | 'round' | 'sqrt'): Row => ({ float: (f, [x]) => f.b.unary(op, f.elem, x) });

const number = (node: Node, name: string, fallback: number): number => (node.attrs[name] ?? fallback) as number;

const arithmetic = (float: 'add' | 'sub' | 'mul', int: 'iadd' | 'isub' | 'imul'): Row => ({
  float: (f, [x, y]) => f[float](x, y),
  int: (b, [x, y]) => b.integer(int, x, y),
});
const comparison = (pred: 'gt' | 'lt' | 'ge' | 'le'): Row => ({
  floatTest: (f, [x, y]) => f.compare(pred, x, y),
  intTest: (b, [x, y]) => b.icompare(pred, x, y),
  uint64: { intTest: (b, [x, y]) => b.icompare(pred, reorder(b, x), reorder(b, y)) },
});
const reorder = maths.reordered;
/** What only compares and picks, done in the order of signed numbers. */
const inOrder = (int: NonNullable<Row['int']>): Row['uint64'] => ({
  int: (b, x, node) => reorder(b, int(b, x.map((value) => value && reorder(b, value)), node)),
});
const extreme = (op: 'min' | 'max'): Row => {
  const int: Row['int'] = (b, x) => x.reduce((a, c) => pick(b, op, a, c));
  return { float: (f, x) => x.reduce((a, c) => maths.extreme(f.b, f.elem, op, a, c)), int, uint64: inOrder(int) };
};
const pick = (b: KernelBuilder, op: 'min' | 'max', x: Long, y: Long): Long => b.iselect(b.icompare(op === 'min' ? 'lt' : 'gt', x, y), x, y);

function clip(b: KernelBuilder, [x, low, high]: readonly Long[]): Long {
  const above = low ? pick(b, 'max', x, low) : x;
  return high ? pick(b, 'min', above, high) : above;
}

const clamp01 = (f: Floats, x: Vec): Vec => f.min(f.max(x, 0), 1);
/** negative(x) where x < 0, else x. */
const bent = (f: Floats, x: Vec, negative: Vec): Vec => f.select(f.compare('lt', x, 0), negative, x);
const expm1 = (f: Floats, x: Vec): Vec => maths.expm1(f.b, f.elem, x);
const exp = (f: Floats, x: Vec): Vec => maths.exp(f.b, f.elem, x);

export const rows: Readonly<Record<string, Row>> = {
  Identity: { float: (_, [x]) => x, int: (_, [x]) => x, logic: (_, [p]) => p },

  // ---- arithmetic
  Add: arithmetic('add', 'iadd'),
  Sub: arithmetic('sub', 'isub'),
  Mul: arithmetic('mul', 'imul'),
  Div: {
    float: (f, [x, y]) => f.div(x, y),
    int: (b, [x, y]) => maths.integerDivide(b, x, y),
    uint64: { int: (b, [x, y]) => maths.unsignedDivide(b, x, y) },
  },
  Mod: {
    float: (f, [x, y]) => maths.fmod(f.b, f.elem, x, y),
    int: (b, [x, y], node) => (node.attrs.fmod ? maths.integerRemainder(b, x, y) : maths.integerModulo(b, x, y)),
    uint64: { int: (b, [x, y]) => maths.unsignedRemainder(b, x, y) },
  },
  Pow: { emit: emitPow },
  Min: extreme('min'),
  Max: extreme('max'),
  Sum: { float: (f, x) => x.reduce((a, c) => f.add(a, c)) },
  Mean: { float: (f, x) => f.div(x.reduce((a, c) => f.add(a, c)), x.length) },
  Neg: { float: (f, [x]) => f.neg(x), int: (b, [x]) => b.integer('isub', b.long(0n), x) },
  Abs: {
    float: (f, [x]) => f.abs(x),
    int: (b, [x]) => b.iselect(b.icompare('lt', x, 0), b.integer('isub', b.long(0n), x), x),
    uint64: { int: (_, [x]) => x },
  },
  Sign: {
    ...ofOne(maths.sign),
    int: (b, [x]) => b.extend(b.integer('isub', b.icompare('gt', x, 0), b.icompare('lt', x, 0))),
    uint64: { int: (b, [x]) => b.extend(b.icompare('ne', x, 0)) },
  },
  Reciprocal: { float: (f, [x]) => f.div(1, x) },
  Clip: {
    // Operands 1 and 2 may be missing; where they cross, the upper one wins.
    float: (f, [x, low, high]) => {
      const above = low ? f.max(x, low) : x;
      return high ? f.min(above, high) : above;
    },
    int: clip,
    uint64: inOrder(clip),
  },

  // ---- functions
  Sqrt: rounding('sqrt'),
  Floor: rounding('floor'),
  Ceil: rounding('ceil'),
  Round: rounding('round'),
  Exp: ofOne(maths.exp),
  Log: ofOne(maths.log),
  Sin: ofOne(maths.sin),
  Cos: ofOne(maths.cos),
  Tan: ofOne(maths.tan),
  Asin: ofOne(maths.asin),
  Acos: ofOne(maths.acos),
  Atan: ofOne(maths.atan),
  Sinh: ofOne(maths.sinh),
  Cosh: ofOne(maths.cosh),
  Tanh: ofOne(maths.tanh),
  Erf: ofOne(maths.erf),

  // ---- activations
  Relu: { float: (f, [x]) => f.max(x, 0), int: (b, [x]) => pick(b, 'max', x, b.long(0n)) },
  LeakyRelu: {
    float: (f, [x], node) => {
      const alpha = number(node, 'alpha', 0.01);
      const scaled = f.mul(x, alpha);
      return alpha > 0 && alpha <= 1 ? f.max(x, scaled) : bent(f, x, scaled);
    },
  },
  PRelu: {
    float: (f, [x, slope]) => bent(f, x, f.mul(x, slope)),
    int: (b, [x, slope]) => b.iselect(b.icompare('lt', x, 0), b.integer('imul', x, slope), x),
  },
  ThresholdedRelu: { float: (f, [x], node) => f.select(f.compare('gt', x, number(node, 'alpha', 1)), x, 0) },
  Shrink: {
    float: (f, [x], node) => {
      const bias = number(node, 'bias', 0);
      const lambda = number(node, 'lambd', 0.5);
      const above = f.select(f.compare('gt', x, lambda), f.sub(x, bias), 0);
      return f.select(f.compare('lt', x, -lambda), f.add(x, bias), above);
    },
  },
  Elu: { float: (f, [x], node) => bent(f, x, f.mul(expm1(f, x), number(node, 'alpha', 1))) },
  Selu: {
    float: (f, [x], node) => {
      const gamma = number(node, 'gamma', 1.0507009873554805);
      const negative = f.mul(expm1(f, x), gamma * number(node, 'alpha', 1.6732632423543772));
      return f.select(f.compare('gt', x, 0), f.mul(x, gamma), negative);
    },
  },
  Celu: {
    float: (f, [x], node) => {
      const alpha = number(node, 'alpha', 1);
      return f.add(f.max(x, 0), f.min(f.mul(expm1(f, f.div(x, alpha)), alpha), 0));
    },
  },
  Sigmoid: ofOne(maths.sigmoid),
  HardSigmoid: { float: (f, [x], node) => clamp01(f, f.fma(x, number(node, 'alpha', 0.2), number(node, 'beta', 0.5))) },
  HardSwish: { float: (f, [x]) => f.mul(x, clamp01(f, f.fma(x, 1 / 6, 0.5))) },
  Gelu: { float: (f, [x], node) => (node.attrs.approximate === 'tanh' ? maths.geluByTanh : maths.gelu)(f.b, f.elem, x) },
  Softplus: ofOne(maths.softplus),
  Softsign: { float: (f, [x]) => f.div(x, f.add(f.abs(x), 1)) },
  Mish: {
    // tanh(log(1 + e^x)) = p / (p + 2) with p = e^x (e^x + 2); from 20 on that is 1.
    float: (f, [x]) => {
      const e = exp(f, f.min(x, 20));
      const p = f.mul(e, f.add(e, 2));
      return f.mul(x, f.div(p, f.add(p, 2)));
    },
  },

  // ---- truths
  IsNaN: { floatTest: (f, [x]) => f.compare('ne', x, x) },
  IsInf: {
    floatTest: (f, [x], node) => {
      const positive = number(node, 'detect_positive', 1) !== 0;
      if (number(node, 'detect_negative', 1) === 0) return f.compare('eq', x, positive ? Infinity : NaN);
      return positive ? f.compare('eq', f.abs(x), Infinity) : f.compare('eq', x, -Infinity);
    },
  },
  Equal: {
    floatTest: (f, [x, y]) => f.compare('eq', x, y),
    intTest: (b, [x, y]) => b.icompare('eq', x, y),
    logic: (l, [p, q]) => l.or(l.and(p, q), l.not(l.or(p, q))),
  },
  Greater: comparison('gt'),
  GreaterOrEqual: comparison('ge'),
  Less: comparison('lt'),
  LessOrEqual: comparison('le'),
  And: { logic: (l, [p, q]) => l.and(p, q) },
  Or: { logic: (l, [p, q]) => l.or(p, q) },
  Xor: { logic: (l, [p, q]) => l.and(l.or(p, q), l.not(l.and(p, q))) },
  Not: { logic: (l, [p]) => l.not(p) },

  Where: { emit: emitWhere },
  Cast: { emit: (b, mode, node, [x]) => castLane(b, mode, x, node.outputs[0].dtype, node.inputs[0]?.dtype) },
};

function emitWhere(b: KernelBuilder, _mode: EmitMode, _node: Node, [condition, x, y]: readonly Lane[]): Lane {
  if (x.kind === 'vec') return vec(x.elem, b.select(x.elem, asMask(b, x.elem, condition), x.reg, asVec(y)));
  if (x.kind === 'long' && y.kind === 'long' && condition.kind === 'long') {
    return long(b.iselect(b.icompare('ne', condition.reg, 0), x.reg, y.reg));
  }
  if (x.kind !== 'mask' || y.kind !== 'mask' || condition.kind !== 'mask') throw new Error('Where: operands are held differently');
  const chosen = b.maskLogic('maskAnd', condition.reg, x.reg);
  return mask(x.elem, b.maskLogic('maskOr', chosen, b.maskLogic('maskAnd', b.maskNot(condition.reg), y.reg)));
}

/** Exponents that need no logarithm; but for -1 and 0.5 the results are products. */
const simplePowers: Readonly<Record<number, (f: Floats, x: Vec) => Vec>> = {
  0.5: (f, x) => f.select(f.compare('eq', x, -Infinity), Infinity, f.add(f.sqrt(x), 0)),
  [-1]: (f, x) => f.div(1, x),
  1: (_, x) => x,
  2: (f, x) => f.mul(x, x),
  3: (f, x) => f.mul(x, f.mul(x, x)),
};

/** The exponent's dtype is free; the result has the base's. Integers with integers are exact, all else goes by floats. */
function emitPow(b: KernelBuilder, mode: EmitMode, node: Node, [base, exponent]: readonly Lane[]): Lane {
  const [{ dtype }, power] = node.inputs as readonly Value[];
  if (base.kind === 'long' && exponent.kind === 'long') {
    return long(maths.integerPower(b, base.reg, exponent.reg, power.dtype === 'uint64'));
  }
  const isWide = [...node.inputs].some((value) => value && value.dtype !== 'float32');
  const wide = isWide ? 'float64' : 'float32';
  const f = maths.floats(b, elemOf(wide)!);
  const x = asVec(castLane(b, mode, base, wide, dtype));
  const constant = constantOf(power)?.data;
  const simple = constant?.length === 1 ? simplePowers[Number(constant[0])] : undefined;
  const y = simple ? undefined : asVec(castLane(b, mode, exponent, wide, power.dtype));
  const result = y ? maths.pow(b, f.elem, x, y) : simple!(f, x);
  return castLane(b, mode, vec(f.elem, result), dtype);
}
