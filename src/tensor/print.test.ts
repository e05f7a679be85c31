import { expect, test } from 'vitest';
import { arange, ones, tensor, zeros } from './index.ts';

test.each([
  [tensor([[1.5, 2], [3, -4.25]]), 'tensor([[ 1.5000,  2.0000],\n        [ 3.0000, -4.2500]])'],
  [zeros([2, 1, 2]), 'tensor([[[0., 0.]],\n\n        [[0., 0.]]])'],
  [tensor([true, false]), 'tensor([ True, False])'],
  [tensor([1e-5, 1000]), 'tensor([1.0000e-05, 1.0000e+03])'],
  [tensor([Number.NaN, Infinity, 1]), 'tensor([nan, inf, 1.])'],
  [tensor(2).mul(3), 'tensor(6.)'],
  [tensor([]), 'tensor([])'],
  [zeros([2, 0], { dtype: 'int64' }), 'tensor([], size=[2, 0], dtype=int64)'],
  [ones([2], { dtype: 'float64', requiresGrad: true }), 'tensor([1., 1.], dtype=float64, requires_grad=True)'],
  [arange(2000), 'tensor([   0,    1,    2, ..., 1997, 1998, 1999])'],
])('%#', (x, text) => expect(`${x}`).toBe(text));

test('long rows are folded', () => expect(`${arange(100)}`.split('\n').every((line) => line.length <= 84)).toBe(true));
