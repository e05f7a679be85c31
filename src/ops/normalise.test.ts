import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coreOps, expectClose, f32, nodeOf, numbers, random, run, runDecomposed, vector } from '../../test/support/ops.ts';
import { apply, type Attrs, constant, input, type Node, opOf, type Shape, sizeOf, type TensorData, topologicalOrder, toNumbers } from '../graph/index.ts';
import { fromElements } from './helpers.ts';
import { evaluateNode } from './index.ts';

const drawn = (shape: Shape, seed = 1, scale = 4, shift = -2): TensorData => {
  const next = random(seed);
  return fromElements({ dtype: 'float32', shape }, Array.from({ length: sizeOf(shape) }, () => next() * scale + shift));
};

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const variance = (values: readonly number[]): number => mean(values.map((v) => (v - mean(values)) ** 2));

describe('BatchNormalization', () => {
  const x = drawn([2, 3, 4]);
  const [scale, bias, mu] = [2, 3, 4].map((seed) => drawn([3], seed));
  const sigma2 = drawn([3], 5, 1, 0.5);
  const operands = [x, scale, bias, mu, sigma2];
  const byHand = toNumbers(x).map((value, i) => {
    const c = Math.floor(i / 4) % 3;
    const of = (tensor: TensorData) => tensor.data[c] as number;
    return ((value - of(mu)) / Math.sqrt(of(sigma2) + 1e-3)) * of(scale) + of(bias);
  });

  it('is an affine map a channel', () => {
    expectClose(run('BatchNormalization', operands, { epsilon: 1e-3 })[0], f32([2, 3, 4], byHand), { ulp: 2, absolute: 1e-6 });
    expectClose(runDecomposed('BatchNormalization', operands, { epsilon: 1e-3 })[0], f32([2, 3, 4], byHand), { ulp: 8, absolute: 2e-6 });
  });

  it('folds constant statistics into one multiplication and one addition', () => {
    const value = input('x', 'float32', x.shape);
    const node = apply('BatchNormalization', [value, ...operands.slice(1).map((tensor) => constant(tensor))], { epsilon: 1e-3 }).node;
    const inner = { decompose: () => true };
    expectClose(evaluateNode(node, operands, inner)[0], f32([2, 3, 4], byHand), { ulp: 4, absolute: 1e-6 });
  });

  it('in training mode uses the batch, and moves the running statistics', () => {
    const channel = (c: number) => toNumbers(x).filter((_, i) => Math.floor(i / 4) % 3 === c);
    for (const of of [run, runDecomposed]) {
      const [y, runningMean, runningVar] = of('BatchNormalization', operands, { training_mode: 1, momentum: 0.75 });
      expect(toNumbers(y)[5]).toBeCloseTo(((toNumbers(x)[5] - mean(channel(1))) / Math.sqrt(variance(channel(1)) + 1e-5)) * (scale.data[1] as number) + (bias.data[1] as number), 5);
      expect(toNumbers(runningMean)[2]).toBeCloseTo(0.75 * (mu.data[2] as number) + 0.25 * mean(channel(2)), 5);
      expect(toNumbers(runningVar)[2]).toBeCloseTo(0.75 * (sigma2.data[2] as number) + 0.25 * variance(channel(2)), 5);
    }
  });

  it('refuses operands that do not fit', () => {
    expect(() => nodeOf('BatchNormalization', [x, drawn([4]), bias, mu, sigma2])).toThrow('scale: expected shape [3], got float32[4]');
    expect(() => nodeOf('BatchNormalization', [drawn([3]), scale, bias, mu, sigma2])).toThrow('rank of at least 2');
    expect(() => nodeOf('BatchNormalization', [x, scale, bias, mu, vector([1, 1, 1], 'float64')])).toThrow('one dtype');
  });
});

describe('LayerNormalization', () => {
  it('gives mean 0 and variance 1, and the statistics', () => {
    const x = drawn([2, 3, 5]);
    const [y, mu, inverse] = run('LayerNormalization', [x, f32([5], [1, 1, 1, 1, 1])], { epsilon: 0 });
    expect([mu.shape, inverse.shape]).toEqual([[2, 3, 1], [2, 3, 1]]);
    const row = toNumbers(x).slice(5, 10);
    expect(toNumbers(mu)[1]).toBeCloseTo(mean(row), 6);
    expect(toNumbers(inverse)[1]).toBeCloseTo(1 / Math.sqrt(variance(row)), 5);
    expect(mean(toNumbers(y).slice(5, 10))).toBeCloseTo(0, 6);
    expect(variance(toNumbers(y).slice(5, 10))).toBeCloseTo(1, 5);
  });

  it('keeps its digits when the mean is large', () => {
    const x = drawn([1, 64], 3, 1, 1000);
    const operands = [x, drawn([64], 4), drawn([64], 5)];
    // The elements have 6e-5 for their last place: what is left of them after the mean can be no better.
    expectClose(runDecomposed('LayerNormalization', operands)[0], run('LayerNormalization', operands)[0], { ulp: 2, absolute: 2e-4 });
  });

  it('takes scale and bias of any shape that broadcasts to x', () => {
    const x = drawn([2, 3, 4]);
    const [scale, bias] = [drawn([3, 4], 8), drawn([1, 4], 9)];
    const y = numbers('LayerNormalization', [x, scale, bias], { axis: 1 });
    const plain = numbers('LayerNormalization', [x, f32([], [1])], { axis: 1 });
    expect(y[17]).toBeCloseTo(plain[17] * (scale.data[5] as number) + (bias.data[1] as number), 5);
    expect(() => nodeOf('LayerNormalization', [x, drawn([2, 2, 3, 4])])).toThrow('the broadcast of x, scale and bias');
    expect(() => nodeOf('LayerNormalization', [x, scale], { axis: 3 })).toThrow('axis: expected an integer in [-3, 2]');
  });
});

describe('InstanceNormalization and GroupNormalization', () => {
  const x = drawn([2, 4, 3, 2]);
  const [scale, bias] = [drawn([4], 2), drawn([4], 3)];

  it('normalise each group by itself', () => {
    const grouped = numbers('GroupNormalization', [x, scale, bias], { num_groups: 2 });
    const group = toNumbers(x).slice(12, 24);
    const expected = ((group[0] - mean(group)) / Math.sqrt(variance(group) + 1e-5)) * (scale.data[2] as number) + (bias.data[2] as number);
    expect(grouped[12]).toBeCloseTo(expected, 5);
  });

  it('are the same with a group a channel', () => {
    const instance = run('InstanceNormalization', [x, scale, bias])[0];
    expectClose(run('GroupNormalization', [x, scale, bias], { num_groups: 4 })[0], instance, { ulp: 0 });
  });

  it('want groups that divide the channels', () => {
    expect(() => nodeOf('GroupNormalization', [x, scale, bias], { num_groups: 3 })).toThrow('num_groups: expected a divisor of 4 channels, got 3');
    expect(() => nodeOf('GroupNormalization', [x, scale, bias], { num_groups: 0 })).toThrow('at least 1');
    expect(() => nodeOf('GroupNormalization', [x, scale, bias])).toThrow('num_groups');
  });
});

it('LpNormalization divides by the norm, and leaves zeros', () => {
  const x = f32([2, 2], [3, 4, 0, 0]);
  expectClose(run('LpNormalization', [x])[0], f32([2, 2], [0.6, 0.8, 0, 0]), { ulp: 1 });
  expectClose(run('LpNormalization', [x], { p: 1, axis: 0 })[0], f32([2, 2], [1, 1, 0, 0]), { ulp: 1 });
  expect(() => nodeOf('LpNormalization', [x], { p: 3 })).toThrow('attribute p: expected 1 or 2, got 3');
});

it('LRN divides by the squares of neighbouring channels', () => {
  const x = f32([1, 4, 1], [1, 2, 3, 4]);
  const attrs = { size: 3, alpha: 3, beta: 1, bias: 2 };
  const expected = f32([1, 4, 1], [1 / 7, 2 / 16, 3 / 31, 4 / 27]);
  expectClose(run('LRN', [x], attrs)[0], expected, { ulp: 1 });
  // An even window reaches further forward.
  expectClose(run('LRN', [x], { ...attrs, size: 2, alpha: 2 })[0], f32([1, 4, 1], [1 / 7, 2 / 15, 3 / 27, 4 / 18]), { ulp: 1 });
  // A window larger than all channels costs no more than they.
  expectClose(run('LRN', [x], { ...attrs, size: 1e9, alpha: 1e9 })[0], f32([1, 4, 1], [1, 2, 3, 4].map((v) => v / 32)), { ulp: 1 });
});

describe('Softmax, LogSoftmax and Hardmax', () => {
  it('have the values', () => {
    expectClose(run('Softmax', [vector([0, Math.log(3)])])[0], vector([0.25, 0.75]), { ulp: 1 });
    expectClose(run('LogSoftmax', [vector([0, Math.log(3)])])[0], vector([Math.log(0.25), Math.log(0.75)]), { ulp: 2 });
    expect(numbers('Hardmax', [f32([2, 3], [1, 3, 3, 0, -1, -2])])).toEqual([0, 1, 0, 1, 0, 0]);
    expect(numbers('Hardmax', [f32([2, 3], [1, 3, 3, 0, -1, -2])], { axis: 0 })).toEqual([1, 1, 1, 0, 0, 0]);
  });
  it('neither overflow nor lose small results', () => {
    expect(numbers('Softmax', [vector([1e4, 1e4, -Infinity])])).toEqual([0.5, 0.5, 0]);
    expect(numbers('LogSoftmax', [vector([0, 200])])).toEqual([-200, 0]);
    expect(numbers('Softmax', [vector([NaN, 1])])).toEqual([NaN, NaN]);
    expect(numbers('Softmax', [vector([Infinity, 1])])).toEqual([NaN, NaN]);
  });
  it('refuse an axis that is not there', () => {
    expect(() => nodeOf('Softmax', [vector([1])], { axis: 1 })).toThrow('axis: expected an integer in [-1, 0] for rank 1, got 1');
  });
});

describe('decompositions agree with the reference', () => {
  const affine = (shape: Shape): TensorData[] => [drawn([shape[1]], 11), drawn([shape[1]], 12)];
  const table: [op: string, operands: (shape: Shape) => TensorData[], attrs: (shape: Shape) => Attrs][] = [
    ['BatchNormalization', (s) => [...affine(s), drawn([s[1]], 13), drawn([s[1]], 14, 1, 0.5)], () => ({})],
    ['BatchNormalization', (s) => [...affine(s), drawn([s[1]], 13), drawn([s[1]], 14, 1, 0.5)], () => ({ training_mode: 1, epsilon: 0.1 })],
    ['LayerNormalization', (s) => [drawn([s[2]], 15), drawn([s[2]], 16)], () => ({ epsilon: 0.1 })],
    ['LayerNormalization', (s) => [drawn(s.slice(1), 15)], () => ({ axis: 1, epsilon: 0.1 })],
    ['InstanceNormalization', affine, () => ({ epsilon: 0.1 })],
    ['GroupNormalization', affine, (s) => ({ epsilon: 0.1, num_groups: s[1] % 2 === 0 ? 2 : 1 })],
    ['LpNormalization', () => [], () => ({ axis: 1 })],
    ['LRN', () => [], (s) => ({ size: s[1] + 1, alpha: 0.5 })],
    ['Softmax', () => [], () => ({ axis: 1 })],
    ['LogSoftmax', () => [], () => ({})],
    ['Hardmax', () => [], () => ({ axis: 0 })],
  ];
  it.each(table)('%s %#', (op, operands, attrs) => {
    const shapes = fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 1, max: 6 })));
    fc.assert(
      fc.property(shapes, fc.nat({ max: 1000 }), (shape, seed) => {
        const given = [drawn(shape, seed), ...operands(shape)];
        const [actual, expected] = [runDecomposed(op, given, attrs(shape)), run(op, given, attrs(shape))];
        expected.forEach((tensor, i) => expectClose(actual[i], tensor, { ulp: 8, absolute: 3e-6 }, op));
      }),
      { numRuns: 40 },
    );
  });

  it('with nothing but core operators', () => {
    const reached = (node: Node): string[] =>
      coreOps.has(node.op)
        ? [node.op]
        : topologicalOrder({ outputs: opOf(node.op).decompose!(node).map((value) => ({ name: '', value })) }).flatMap(reached);
    for (const [op, operands, attrs] of table) {
      const shape = [2, 4, 3];
      const ops = reached(nodeOf(op, [drawn(shape), ...operands(shape)], attrs(shape)));
      expect(ops.filter((name) => !coreOps.has(name)), op).toEqual([]);
      expect(ops.length).toBeGreaterThan(0);
    }
  });
});
