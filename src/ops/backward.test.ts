/** The operators that gradients are made of: they are adjoint to what they go back through, taken apart as well. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Attrs, type TensorData, toNumbers } from '../graph/index.ts';
import { expectClose, f64, i64, numbers, random, run, runDecomposed } from '../../test/support/ops.ts';

const dot = (a: TensorData, b: TensorData): number => toNumbers(a).reduce((sum, x, i) => sum + x * toNumbers(b)[i], 0);
const noise = (seed: number) => {
  const next = random(seed);
  return (...shape: number[]): TensorData => f64(shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next() * 2 - 1));
};

/** An operator on two operands both ways. */
function bothWays(op: string, operands: readonly TensorData[], attrs: Attrs): TensorData {
  const [result] = run(op, operands, attrs);
  const [decomposed] = runDecomposed(op, operands, attrs);
  expectClose(decomposed, result, { ulp: 0, absolute: 1e-12 }, `${op} taken apart`);
  return result;
}

const axis = fc.record({ extra: fc.nat(5), kernel: fc.integer({ min: 1, max: 3 }), stride: fc.integer({ min: 1, max: 3 }), dilation: fc.integer({ min: 1, max: 2 }), begin: fc.nat(2), end: fc.nat(2) });
const window = fc.record({ axes: fc.array(axis, { minLength: 1, maxLength: 2 }), groups: fc.integer({ min: 1, max: 2 }), seed: fc.nat(1000) });

describe('ConvBackwardWeights', () => {
  test('is the adjoint of Conv in its weights: <conv(x, w), dy> = <w, backward(x, dy)>', () => {
    fc.assert(
      fc.property(window, ({ axes, groups, seed }) => {
        const make = noise(seed);
        const sizes = axes.map(({ extra, kernel, dilation, begin, end }) => Math.max(1, (kernel - 1) * dilation + 1 - begin - end) + extra);
        const of = (key: keyof (typeof axes)[number]) => axes.map((entry) => entry[key]);
        const [x, w] = [make(2, 2 * groups, ...sizes), make(3 * groups, 2, ...of('kernel'))];
        const attrs = { kernel_shape: of('kernel'), strides: of('stride'), dilations: of('dilation'), group: groups };
        const [y] = run('Conv', [x, w], { ...attrs, pads: [...of('begin'), ...of('end')] });
        const dy = make(...y.shape);
        const dw = bothWays('ConvBackwardWeights', [x, dy], { ...attrs, pads: of('begin') });
        expect(dw.shape).toEqual(w.shape);
        expect(dot(w, dw)).toBeCloseTo(dot(y, dy), 9);
      }),
      { numRuns: 60 },
    );
  });

  const attrs = { kernel_shape: [2], strides: [1], dilations: [1], pads: [0] };
  test.each<[string, TensorData[], Attrs, string]>([
    ['batches', [f64([1, 1, 2], [1, 2]), f64([2, 1, 1], [1, 2])], attrs, 'with one N and rank, got float64[1,1,2] and float64[2,1,1]'],
    ['groups', [f64([1, 1, 2], [1, 2]), f64([1, 1, 1], [1])], { ...attrs, group: 2 }, 'expected a divisor of 1 and 1 channels, got 2'],
    ['strides', [f64([1, 1, 2], [1, 2]), f64([1, 1, 1], [1])], { ...attrs, strides: [0] }, 'strides: expected whole numbers from 1'],
    ['kernels', [f64([1, 2, 1], [1, 2]), f64([1, 1, 1], [1])], { ...attrs, kernel_shape: [2 ** 31 - 1] }, 'fewer than 2^31 elements'],
  ])('says what is wrong with %s', (_what, operands, given, message) => {
    expect(() => run('ConvBackwardWeights', operands, given)).toThrow(message);
  });
});

describe('AveragePoolBackward', () => {
  test('is the adjoint of AveragePool', () => {
    fc.assert(
      fc.property(window, fc.boolean(), fc.boolean(), ({ axes, seed }, includePad, ceil) => {
        const make = noise(seed);
        const of = (key: keyof (typeof axes)[number]) => axes.map((entry) => entry[key]);
        const pads = axes.map(({ kernel, dilation, begin, end }) => [begin, end].map((n) => Math.min(n, (kernel - 1) * dilation)));
        const sizes = axes.map(({ extra, kernel, dilation }) => (kernel - 1) * dilation + 1 + extra);
        const attrs = {
          kernel_shape: of('kernel'),
          strides: of('stride'),
          dilations: of('dilation'),
          pads: [...pads.map(([n]) => n), ...pads.map(([, n]) => n)],
          count_include_pad: Number(includePad),
          ceil_mode: Number(ceil),
        };
        const x = make(2, 2, ...sizes);
        const [y] = run('AveragePool', [x], attrs);
        const dy = make(...y.shape);
        const dx = bothWays('AveragePoolBackward', [dy], { ...attrs, shape: [...x.shape] });
        expect(dot(x, dx)).toBeCloseTo(dot(y, dy), 9);
      }),
      { numRuns: 60 },
    );
  });

  test('wants as many elements as the pooling gave', () => {
    expect(() => run('AveragePoolBackward', [f64([1, 1, 3], [1, 2, 3])], { kernel_shape: [2], shape: [1, 1, 3] })).toThrow('dY: expected shape [1,1,2], got float64[1,1,3]');
  });
});

describe('MaxPoolBackward', () => {
  const x = f64([1, 1, 5], [3, 1, 3, 3, 2]);
  const y = f64([1, 1, 4], [3, 3, 3, 3]);
  const dy = f64([1, 1, 4], [1, 2, 4, 8]);
  test('adds up what goes to one place, the first of equal ones', () => {
    expect(toNumbers(bothWays('MaxPoolBackward', [dy, x, y], { kernel_shape: [2] }))).toEqual([1, 0, 6, 8, 0]);
  });

  test('a window that a dilation leads past every element', () => {
    const attrs = { kernel_shape: [2], dilations: [4], strides: [1], pads: [2, 2] };
    const wide = f64([1, 1, 1], [7]);
    expect(toNumbers(bothWays('MaxPoolBackward', [wide, f64([1, 1, 1], [2]), f64([1, 1, 1], [-Infinity])], attrs))).toEqual([0]);
  });

  test('wants what the pooling read and gave', () => {
    expect(() => run('MaxPoolBackward', [dy, x, f64([1, 1, 3], [1, 2, 3])], { kernel_shape: [2] })).toThrow('Y: expected shape [1,1,4], got float64[1,1,3]');
  });
});

describe('losses of classes', () => {
  const scores = f64([3, 2], [0, 0, 1, 3, -1, 5]);
  const labels = i64([3], [1, 0, 1]);
  const each = [Math.log(2), Math.log(1 + Math.exp(2)), Math.log(1 + Math.exp(-6))];
  const near = (actual: number[], expected: number[]) => actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 12));

  test('one loss a label', () => near(numbers('SoftmaxCrossEntropyLoss', [scores, labels], { reduction: 'none' }), each));
  test('sum and mean', () => {
    near(numbers('SoftmaxCrossEntropyLoss', [scores, labels], { reduction: 'sum' }), [each[0] + each[1] + each[2]]);
    near(numbers('SoftmaxCrossEntropyLoss', [scores, labels]), [(each[0] + each[1] + each[2]) / 3]);
  });
  test('weights, over which the mean is', () => {
    near(numbers('SoftmaxCrossEntropyLoss', [scores, labels, f64([2], [1, 3])]), [(3 * each[0] + each[1] + 3 * each[2]) / 7]);
  });
  test('labels that do not count', () => {
    near(numbers('SoftmaxCrossEntropyLoss', [scores, i64([3], [1, -100, 1])], { ignore_index: -100 }), [(each[0] + each[2]) / 2]);
    near(numbers('NegativeLogLikelihoodLoss', [scores, i64([3], [1, -100, 1])], { ignore_index: -100, reduction: 'none' }), [0, 0, -5]);
  });
  test('the second result is what the loss is picked from', () => {
    near(toNumbers(run('SoftmaxCrossEntropyLoss', [scores, labels])[1]), numbers('LogSoftmax', [scores], { axis: 1 }));
  });
  test('errors', () => {
    expect(() => run('NegativeLogLikelihoodLoss', [scores, i64([2], [0, 1])])).toThrow('labels: expected shape [3], got int64[2]');
    expect(() => run('SoftmaxCrossEntropyLoss', [scores, labels, f64([3], [1, 2, 3])])).toThrow('weights: expected shape [2], got float64[3]');
    expect(() => run('SoftmaxCrossEntropyLoss', [scores, labels], { reduction: 'max' })).toThrow('expected one of none, sum, mean');
  });
});
