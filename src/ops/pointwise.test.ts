import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bool, coreOps, expectClose, f32, i32, i64, nodeOf, numbers, random, run, runDecomposed, vector } from '../../test/support/ops.ts';
import { type Attrs, type DType, fromNumbers, GraphError, opOf, toNumbers } from '../graph/index.ts';
import { pointwiseOps } from './index.ts';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

describe('reference values', () => {
  // Operator, operands, result; attributes last.
  const cases: [op: string, operands: number[][], expected: number[], attrs?: Attrs][] = [
    ['Add', [[1, inf, nan], [2, -inf, 1]], [3, nan, nan]],
    ['Sub', [[1, 2], [3, 5]], [-2, -3]],
    ['Mul', [[3, 0], [-2, inf]], [-6, nan]],
    ['Div', [[1, -1, 0, 7], [0, 0, 0, 2]], [inf, -inf, nan, 3.5]],
    ['Pow', [[2, 1, -1, -8, 0, 9], [10, nan, inf, 1 / 3, -1, 0.5]], [1024, 1, 1, nan, inf, 3]],
    ['Mod', [[-7, 7, -7, 5.5, 1, inf], [3, -3, -3, 2, 0, 2]], [-1, 1, -1, 1.5, nan, nan], { fmod: 1 }],
    ['Max', [[1, nan, 3], [2, 0, nan]], [2, nan, nan]],
    ['Min', [[1, nan, 3], [2, 0, nan], [0, 1, 1]], [0, nan, nan]],
    ['Sum', [[1, 2], [3, 4], [5, 6]], [9, 12]],
    ['Mean', [[1, 2], [3, 4], [5, 9]], [3, 5]],
    ['Neg', [[1, -0, inf]], [-1, 0, -inf]],
    ['Abs', [[-1, -0, -inf, nan]], [1, 0, inf, nan]],
    ['Sign', [[-3, 5, 0, -0, nan, -inf]], [-1, 1, 0, 0, nan, -1]],
    ['Reciprocal', [[4, 0, -0, inf]], [0.25, inf, -inf, 0]],
    ['Sqrt', [[4, -1, 0, inf]], [2, nan, 0, inf]],
    ['Exp', [[0, -inf, inf, 1]], [1, 0, inf, Math.fround(Math.E)]],
    ['Log', [[1, 0, -1, inf]], [0, -inf, nan, inf]],
    ['Floor', [[1.5, -1.5]], [1, -2]],
    ['Ceil', [[1.5, -1.5]], [2, -1]],
    ['Round', [[0.5, 1.5, -2.5, 2.4, nan]], [0, 2, -2, 2, nan]],
    ['IsNaN', [[nan, 1, inf]], [1, 0, 0]],
    ['IsInf', [[inf, -inf, nan, 1]], [1, 1, 0, 0]],
    ['IsInf', [[inf, -inf, nan, 1]], [1, 0, 0, 0], { detect_negative: 0 }],
    ['IsInf', [[inf, -inf, nan, 1]], [0, 1, 0, 0], { detect_positive: 0 }],
    ['IsInf', [[inf, -inf, nan, 1]], [0, 0, 0, 0], { detect_positive: 0, detect_negative: 0 }],
    ['Identity', [[1, nan]], [1, nan]],
    ['Relu', [[-1, 2, nan]], [0, 2, nan]],
    ['LeakyRelu', [[-2, 3]], [-1, 3], { alpha: 0.5 }],
    ['PRelu', [[-2, 3], [0.5, 7]], [-1, 3]],
    ['ThresholdedRelu', [[1, 1.5, -3]], [0, 1.5, 0]],
    ['Shrink', [[-2, -1, 0.5, 1, 3, nan]], [-1.5, 0, 0, 0, 2.5, 0], { bias: 0.5, lambd: 1 }],
    ['HardSigmoid', [[-3, 0, 1, 9, nan]], [0, 0.5, 0.75, 1, nan], { alpha: 0.25 }],
    ['HardSwish', [[-3, 0, 3, 6]], [-0, 0, 3, 6]],
    ['Elu', [[-inf, 0, 5]], [-2, 0, 5], { alpha: 2 }],
    ['Celu', [[-inf, 0, 5]], [-2, 0, 5], { alpha: 2 }],
    ['Selu', [[-inf, 0, 2]], [-6, 0, 4], { alpha: 3, gamma: 2 }],
    ['Softplus', [[0, 1000, -inf]], [Math.fround(Math.LN2), 1000, 0]],
    ['Softsign', [[1, -3]], [0.5, -0.75]],
    ['Gelu', [[0, 100, -100]], [0, 100, -0]],
    ['Equal', [[1, nan, 0], [1, nan, -0]], [1, 0, 1]],
    ['Greater', [[2, 1, nan], [1, 1, 0]], [1, 0, 0]],
    ['Less', [[1, 1, nan], [2, 1, 0]], [1, 0, 0]],
    ['GreaterOrEqual', [[2, 1, 0, nan], [1, 1, 1, nan]], [1, 1, 0, 0]],
    ['LessOrEqual', [[2, 1, 0, nan], [1, 1, 1, nan]], [0, 1, 1, 0]],
  ];

  it.each(cases)('%s %j', (op, operands, expected, attrs) => {
    const tensors = operands.map((values) => vector(values));
    expect(numbers(op, tensors, attrs)).toEqual(expected);
    if (opOf(op).decompose) expect(toNumbers(runDecomposed(op, tensors, attrs)[0]).map(positiveZero)).toEqual(expected.map(positiveZero));
  });

  // Decompositions may lose the sign of a zero.
  const positiveZero = (x: number): number => (x === 0 ? 0 : x);

  // To 1e-6: from Python's math module and scipy.special.
  const approximate: [op: string, x: number, y: number, attrs?: Attrs][] = [
    ['Sin', 1, 0.841470985], ['Cos', 1, 0.540302306], ['Tan', 1, 1.557407725],
    ['Asin', 0.5, 0.523598776], ['Acos', 0.5, 1.047197551], ['Atan', 2, 1.107148718],
    ['Sinh', 1, 1.175201194], ['Cosh', 1, 1.543080635], ['Tanh', 1, 0.761594156],
    ['Asinh', 1, 0.881373587], ['Acosh', 2, 1.316957897], ['Atanh', 0.5, 0.549306144],
    ['Erf', 0.5, 0.520499878], ['Sigmoid', -2, 0.119202922],
    ['Elu', -1, -0.632120559], ['Selu', -1, -1.111330738], ['Celu', -1, -0.786938681, { alpha: 2 }],
    ['Gelu', -1, -0.158655254], ['Gelu', -1, -0.158808009, { approximate: 'tanh' }], ['Mish', 1, 0.865098388], ['Softplus', 1, 1.313261688],
  ];

  it.each(approximate)('%s(%f) = %f', (op, x, y, attrs) => {
    expect(Math.abs(numbers(op, [f32([], [x])], attrs)[0] - y)).toBeLessThan(1e-6);
  });
});

describe('integers', () => {
  it('wrap at their width', () => {
    expect(numbers('Add', [i32([2], [2 ** 31 - 1, -(2 ** 31)]), i32([2], [1, -1])])).toEqual([-(2 ** 31), 2 ** 31 - 1]);
    expect(numbers('Mul', [i32([1], [123456789]), i32([1], [987654321])])).toEqual([Math.imul(123456789, 987654321)]);
    expect(numbers('Neg', [i32([1], [-(2 ** 31)])])).toEqual([-(2 ** 31)]);
    expect(numbers('Sub', [vector([3], 'uint8'), vector([5], 'uint8')])).toEqual([254]);
  });

  it('are exact in 64 bits', () => {
    const [sum] = run('Add', [{ ...i64([1], [0]), data: BigInt64Array.of(2n ** 62n) }, { ...i64([1], [0]), data: BigInt64Array.of(2n ** 62n + 1n) }]);
    expect(sum.data[0]).toBe(BigInt.asIntN(64, 2n ** 63n + 1n));
    const huge = { ...fromNumbers('uint64', [1], [0]), data: BigUint64Array.of(2n ** 64n - 1n) };
    expect(run('Max', [huge, fromNumbers('uint64', [1], [5])])[0].data[0]).toBe(2n ** 64n - 1n);
    expect(numbers('Greater', [huge, fromNumbers('uint64', [1], [5])])).toEqual([1]);
  });

  it('divide truncating, by zero giving zero', () => {
    expect(numbers('Div', [i32([4], [7, -7, 7, 7]), i32([4], [2, 2, -2, 0])])).toEqual([3, -3, -3, 0]);
    expect(numbers('Div', [i32([1], [-(2 ** 31)]), i32([1], [-1])])).toEqual([-(2 ** 31)]);
  });

  it('have Mod with the sign of the divisor, or of the dividend with fmod', () => {
    const operands = [i64([5], [-7, 7, -7, 7, 7]), i64([5], [3, -3, -3, 3, 0])];
    expect(numbers('Mod', operands)).toEqual([2, -2, -1, 1, 0]);
    expect(numbers('Mod', operands, { fmod: 1 })).toEqual([-1, 1, -1, 1, 0]);
  });

  it('raise to any power in no time', () => {
    expect(numbers('Pow', [i64([6], [3, -1, -1, 1, 2, 0]), i64([6], [4, -3, -2, -9, -1, 0])])).toEqual([81, -1, 1, 1, 0, 1]);
    const [wrapped] = run('Pow', [i64([1], [3]), { ...i64([1], [0]), data: BigInt64Array.of(2n ** 62n) }]);
    expect(wrapped.data[0]).toBe(BigInt.asIntN(64, 1n + 2n ** 64n)); // 3 has order 2^62 modulo 2^64
    expect(numbers('Pow', [i32([3], [2, 3, 4]), vector([0.5, 2, -1])])).toEqual([1, 9, 0]);
    expect(numbers('Pow', [vector([2, 4]), i64([2], [3, -1])])).toEqual([8, 0.25]);
  });

  it('clip, pick and compare', () => {
    expect(numbers('Clip', [i32([3], [-5, 0, 5]), i32([], [-1]), i32([], [2])])).toEqual([-1, 0, 2]);
    expect(numbers('Relu', [i32([2], [-5, 5])])).toEqual([0, 5]);
    expect(numbers('Where', [bool([2], [1, 0]), i64([2], [1, 2]), i64([], [9])])).toEqual([1, 9]);
    expect(numbers('Equal', [bool([2], [1, 0]), bool([], [1])])).toEqual([1, 0]);
  });
});

it('has boolean logic', () => {
  const [a, b] = [bool([4], [0, 0, 1, 1]), bool([4], [0, 1, 0, 1])];
  expect(numbers('And', [a, b])).toEqual([0, 0, 0, 1]);
  expect(numbers('Or', [a, b])).toEqual([0, 1, 1, 1]);
  expect(numbers('Xor', [a, b])).toEqual([0, 1, 1, 0]);
  expect(numbers('Not', [a])).toEqual([1, 1, 0, 0]);
});

describe('Clip', () => {
  const x = vector([-2, 0, 2, nan]);
  it('takes either bound, both or none', () => {
    expect(numbers('Clip', [x])).toEqual([-2, 0, 2, nan]);
    expect(numbers('Clip', [x, f32([], [-1])])).toEqual([-1, 0, 2, nan]);
    expect(numbers('Clip', [x, null, f32([], [1])])).toEqual([-2, 0, 1, nan]);
    expect(toNumbers(runDecomposed('Clip', [x, f32([1], [-1]), f32([], [1])])[0])).toEqual([-1, 0, 1, nan]);
  });
  it('gives max where min is larger', () => {
    expect(numbers('Clip', [vector([0, 5]), f32([], [3]), f32([], [1])])).toEqual([1, 1]);
  });
});

it('passes Dropout through, with a mask that keeps everything', () => {
  for (const results of [run('Dropout', [vector([1, 2])]), runDecomposed('Dropout', [vector([1, 2])])]) {
    expect(results.map(toNumbers)).toEqual([[1, 2], [1, 1]]);
    expect(results[1].dtype).toBe('bool');
  }
});

describe('shape rules', () => {
  const [a23, a3, a2] = [f32([2, 3], [1, 2, 3, 4, 5, 6]), vector([10, 20, 30]), vector([1, 2])];

  it('broadcast', () => {
    const [sum] = run('Add', [a23, a3]);
    expect(sum.shape).toEqual([2, 3]);
    expect(toNumbers(sum)).toEqual([11, 22, 33, 14, 25, 36]);
    expect(numbers('Sub', [f32([2, 1], [1, 2]), a3])).toEqual([-9, -19, -29, -8, -18, -28]);
    expect(numbers('Where', [bool([2, 1], [1, 0]), a23, f32([], [0])])).toEqual([1, 2, 3, 0, 0, 0]);
    expect(run('Max', [a3, f32([2, 1], [0, 25]), f32([], [15])])[0].shape).toEqual([2, 3]);
    expect(numbers('Add', [f32([0], []), f32([1], [1])])).toEqual([]);
  });

  const refused: [op: string, operands: Parameters<typeof run>[1], message: string, attrs?: Attrs][] = [
    ['Add', [a23, a2], 'Add(float32[2,3], float32[2]): broadcast: expected equal dimensions, or 1, got [2,3] and [2] (axis -1)'],
    ['Add', [a2, i32([2], [1, 2])], 'operands: expected one dtype, got float32 and int32; insert a Cast'],
    ['Add', [bool([1], [1]), bool([1], [1])], 'input 0: expected a numeric tensor, got bool'],
    ['Add', [a2], 'Add: expected 2 inputs, got 1'],
    ['Add', [a2, null], 'input 1: expected a tensor, got nothing'],
    ['Sqrt', [i32([1], [4])], 'expected a float tensor, got int32'],
    ['Neg', [vector([1], 'uint8')], 'expected a signed tensor, got uint8'],
    ['Not', [a2], 'expected a bool tensor'],
    ['Mod', [a2, a2], 'attribute fmod: expected 1 for float32, got 0'],
    ['PRelu', [a3, f32([2, 1], [1, 2])], 'expected shape [2,3], got float32[3]'],
    ['Clip', [a2, a2], 'min: expected shape [], got float32[2]'],
    ['Clip', [a2, i32([], [1])], 'one dtype'],
    ['Where', [a2, a2, a2], 'condition: expected a bool tensor'],
    ['Gelu', [a2], 'attribute approximate: expected one of none, tanh, got "erf"', { approximate: 'erf' }],
    ['LeakyRelu', [a2], 'attribute alpha: expected a number, got "x"', { alpha: 'x' }],
    ['Dropout', [a2, null, bool([], [1])], 'training_mode: expected constant false'],
    ['Max', [], 'Max: expected at least 1 inputs, got 0'],
  ];
  it.each(refused)('%s refuses %#', (op, operands, message, attrs) => {
    expect(() => nodeOf(op, operands, attrs)).toThrow(GraphError);
    expect(() => nodeOf(op, operands, attrs)).toThrow(message);
  });
});

it('names the pointwise operators, and no others', () => {
  for (const op of ['Add', 'Where', 'Cast', 'Clip', 'Gelu', 'Pow', 'Mod', 'Max', 'Sum', 'PRelu', 'Identity']) expect(pointwiseOps.has(op), op).toBe(true);
  for (const op of ['Softmax', 'ReduceSum', 'BatchNormalization', 'Dropout', 'MatMul']) expect(pointwiseOps.has(op), op).toBe(false);
});

describe('decompositions agree with the reference', () => {
  const specials = [0, -0, 1, -1, 0.5, -0.5, 2, -2, inf, -inf, nan, 1e-45, 1e-38, -1e-38, 3.4e38, -3.4e38, 1e20, -1e20, 1e-8, -1e-8,
    88.7, 89, -87, -104, 0.99999994, -0.99999994, 1.0000001, 3e9, 2 ** 28, -(2 ** 28), 20, -20, 3, -3];
  const samples = (): number[] => {
    const next = random(7);
    const sign = () => (next() < 0.5 ? -1 : 1);
    const drawn = Array.from({ length: 1500 }, () => [sign() * 10 ** (next() * 10 - 7), next() * 2 - 1, 1 + next() * 3, next() * 240 - 120]);
    return [...specials, ...drawn.flat()];
  };

  // Allowed error in units of the last place, when every core operator is correctly rounded; absolute where the
  // function is 0 by cancellation, as it is on any machine.
  const unary: [op: string, ulp: number, absolute?: number, attrs?: Attrs][] = [
    ['Tan', 3], ['Atan', 4], ['Asin', 5], ['Acos', 5], ['Sinh', 4], ['Cosh', 3], ['Asinh', 3], ['Acosh', 3], ['Atanh', 4],
    ['IsInf', 0], ['Identity', 0], ['Relu', 0], ['LeakyRelu', 1], ['ThresholdedRelu', 0], ['Clip', 0],
    ['Elu', 3], ['Elu', 3, 0, { alpha: 2.5 }], ['Selu', 4], ['Celu', 3], ['Celu', 4, 0, { alpha: 0.3 }],
    ['HardSigmoid', 2, 1e-7], ['HardSwish', 2, 3e-7], ['Softplus', 3], ['Softsign', 2], ['Mish', 6, 1e-43],
    ['Gelu', 6, 6e-7], ['Gelu', 250, 0, { approximate: 'tanh' }],
  ];

  it.each(unary)('%s within %d ulp', (op, ulp, absolute, attrs) => {
    for (const dtype of ['float32', 'float64'] as const) {
      const x = vector(samples(), dtype);
      // tanh's argument reaches 700 in float64: its rounding is magnified so much more.
      const scale = dtype === 'float64' && attrs?.approximate ? 10 : 1;
      expectClose(runDecomposed(op, [x], attrs)[0], run(op, [x], attrs)[0], { ulp: ulp * scale, absolute }, `${op} ${dtype}`);
    }
  });

  const several = ['Max', 'Min', 'Sum', 'Mean', 'PRelu', 'Less', 'GreaterOrEqual', 'LessOrEqual'];
  it.each(several)('%s', (op) => {
    const variadic = ['Max', 'Min', 'Sum', 'Mean'].includes(op);
    const element = fc.oneof(fc.constantFrom(...specials), fc.float());
    const operands = variadic ? fc.array(fc.array(element, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 4 }) : fc.tuple(fc.array(element, { minLength: 4, maxLength: 4 }), fc.array(element, { minLength: 4, maxLength: 4 }));
    fc.assert(
      fc.property(operands, fc.constantFrom<DType>('float32', 'float64'), (lists: number[][], dtype) => {
        const tensors = lists.map((values) => vector(values, dtype));
        const expected = run(op, tensors)[0];
        // A sum of several rounds oftener, and by as much as its largest term.
        const largest = Math.max(...lists.flat().map(Math.abs).filter((x) => x < 1e38), 0);
        const sums = op === 'Sum' || op === 'Mean';
        if (sums && lists.flat().some((x) => Math.abs(x) >= 1e38)) return;
        expectClose(runDecomposed(op, tensors)[0], expected, { ulp: 0, absolute: sums ? largest * 1e-6 : 0 }, op);
      }),
      { numRuns: 200 },
    );
  });

  it('and reach the core operators', () => {
    for (const op of pointwiseOps) {
      if (coreOps.has(op) && !['Max', 'Min'].includes(op)) continue;
      expect(opOf(op).decompose, op).toBeDefined();
    }
  });
});
