import { describe, expect, expectTypeOf, test } from 'vitest';
import * as w from './index.ts';
import { noGrad, realize, tensor } from './index.ts';

test('the text-book case', () => {
  const a = tensor(1, { requiresGrad: true });
  const b = tensor(2, { requiresGrad: true });
  const x = a.add(a.mul(b));
  const y = x.mul(x);
  y.backward();
  expect([a.grad!.item(), b.grad!.item()]).toEqual([18, 6]);
  expect([`${x.gradFn}`, `${y.gradFn}`, a.gradFn]).toEqual(['<AddBackward>', '<MulBackward>', null]);
  expect(`${y.gradFn!.nextFunctions[0]!.nextFunctions}`).toBe('<AccumulateGrad>,<MulBackward>');
  expect(`${x} ${a} ${a.detach()}`).toBe('tensor(3., grad_fn=<AddBackward>) tensor(1., requires_grad=True) tensor(1.)');
});

describe('types', () => {
  test.each<[w.Operand, w.Operand, string]>([
    [tensor([1]), 2, 'float32'],
    [tensor([1n]), 2, 'int64'],
    [tensor([1n]), 0.5, 'float32'],
    [tensor([true]), 2, 'int64'],
    [tensor([1], { dtype: 'float64' }), tensor([1]), 'float64'],
    [tensor([1]), tensor(1, { dtype: 'float64' }), 'float32'],
    [tensor([1], { dtype: 'uint8' }), tensor([1], { dtype: 'int8' }), 'int16'],
    [tensor([1], { dtype: 'float16' }), tensor([1], { dtype: 'bfloat16' }), 'float32'],
  ])('%# meet', (a, b, dtype) => expect(w.resultType(a, b)).toBe(dtype));
  test('division of integers is by floats', () => expect(tensor([3n]).div(2).tolist()).toEqual([1.5]));
});

test('methods', () => {
  const m = tensor([[1, 2, 3], [4, 5, 6]]);
  const rows: [w.Tensor, unknown][] = [
    [m.add(1), [[2, 3, 4], [5, 6, 7]]],
    [w.sub(1, m).at(0), [0, -1, -2]],
    [m.sum(), 21],
    [m.sum(0), [5, 7, 9]],
    [m.mean([1], true), [[2], [5]]],
    [m.max(1).values, [3, 6]],
    [m.max(1).indices, [2, 2]],
    [m.min(), 1],
    [m.argmax(), 5],
    [m.t(), [[1, 4], [2, 5], [3, 6]]],
    [m.matmul(m.t()), [[14, 32], [32, 77]]],
    [w.einsum('ij,ij->i', m, m), [14, 77]],
    [m.reshape(3, -1), [[1, 2], [3, 4], [5, 6]]],
    [m.view([6]), [1, 2, 3, 4, 5, 6]],
    [m.permute(1, 0).at(0), [1, 4]],
    [m.unsqueeze(-1).squeeze(), [[1, 2, 3], [4, 5, 6]]],
    [m.at(null, [0, 2]), [[1, 2], [4, 5]]],
    [m.at(1, [null, null, -1]), [6, 5, 4]],
    [m.at(m.gt(4)), [5, 6]],
    [m.at(':', tensor([2n, 0n])), [[3, 1], [6, 4]]],
    [m.narrow(1, 1, 2), [[2, 3], [5, 6]]],
    [m.chunk(2, 1)[1], [[3], [6]]],
    [m.unbind(1)[2], [3, 6]],
    [m.flip(0, 1), [[6, 5, 4], [3, 2, 1]]],
    [m.roll(1, 1), [[3, 1, 2], [6, 4, 5]]],
    [m.indexSelect(1, tensor([2n])), [[3], [6]]],
    [m.gather(1, tensor([[0n], [2n]])), [[1], [6]]],
    [w.zeros([3]).scatterAdd(0, tensor([0n, 2n, 2n]), tensor([1, 2, 3])), [1, 0, 5]],
    [m.pad([1, 0], 'constant', 9), [[9, 1, 2, 3], [9, 4, 5, 6]]],
    [m.cumsum(1), [[1, 3, 6], [4, 9, 15]]],
    [m.var(1), [1, 1]],
    [m.norm(1, 1), [6, 15]],
    [m.prod(), 720],
    [m.clamp(2, 5), [[2, 2, 3], [4, 5, 5]]],
    [w.where(m.gt(3), m, 0), [[0, 0, 0], [4, 5, 6]]],
    [m.eq(2), [[false, true, false], [false, false, false]]],
    [m.gt(0).all(), true],
    [m.remainder(-4), [[-3, -2, -1], [0, -3, -2]]],
    [tensor([-7n, 7n]).floorDivide(2), [-4, 3]],
    [m.pow(2).sqrt(), [[1, 2, 3], [4, 5, 6]]],
    [w.cat([m, m.neg()], 1).at(0), [1, 2, 3, -1, -2, -3]],
    [w.stack([m, m]).sum([0, 1]), [10, 14, 18]],
    [m.tril(), [[1, 0, 0], [4, 5, 0]]],
    [w.arange(2, 8, 2), [2, 4, 6]],
    [w.linspace(0, 1, 5), [0, 0.25, 0.5, 0.75, 1]],
    [w.eye(2), [[1, 0], [0, 1]]],
    [w.full([2], 7, { dtype: 'int32' }), [7, 7]],
    [m.oneHot(7).sum([0, 1]), [0, 1, 1, 1, 1, 1, 1]],
    [tensor([3, 1, 2]).sort().indices, [1, 2, 0]],
    [tensor([3, 1, 2]).topk(2).values, [3, 2]],
    [m.repeat(1, 2).at(0), [1, 2, 3, 1, 2, 3]],
    [tensor([[1, 2], [3, 4]]).unsqueeze(0).unsqueeze(0).maxPool(2), [[[[4]]]]],
    [w.ones([1, 1, 3, 3]).conv2d(w.ones([1, 1, 2, 2]), null, { padding: 'same' }).at(0, 0), [[4, 4, 2], [4, 4, 2], [2, 2, 1]]],
    [w.zeros([2, 0]).sum(1), [0, 0]],
    [tensor([]), []],
  ];
  realize(...rows.map(([result]) => result));
  rows.forEach(([result, expected], i) => expect(result.tolist(), `row ${i}`).toEqual(expected));
});

test('errors surface at the line that made them, naming operands', () => {
  expect(() => tensor([1, 2]).add(tensor([1, 2, 3]))).toThrow('Add(float32[2], float32[3]): broadcast');
  expect(() => tensor([[1], [1, 2]])).toThrow('tensor: expected lists of equal lengths, [2,1], got a list of 2 at level 1');
  expect(() => tensor([1, 2]).item()).toThrow('item: expected a tensor of one element, got float32[2]');
  expect(() => tensor([1]).backward()).toThrow('expected a tensor that requires a gradient');
  expect(() => tensor([1, 2], { requiresGrad: true }).mul(2).backward()).toThrow('take its sum() or mean() first');
});

describe('gradients', () => {
  test('accumulate until they are set to null', () => {
    const p = tensor([1, 2], { requiresGrad: true });
    for (let i = 0; i < 3; i++) p.square().sum().backward();
    expect(p.grad!.tolist()).toEqual([6, 12]);
    p.grad = null;
    p.sum().backward();
    expect(p.grad!.tolist()).toEqual([1, 1]);
  });
  test('stop at detach and within noGrad', () => {
    const p = tensor(3, { requiresGrad: true });
    p.mul(p.detach()).backward();
    p.mul(noGrad(() => p.mul(1))).backward();
    expect(p.grad!.item()).toBe(6);
    expect(noGrad(() => p.mul(2)).requiresGrad).toBe(false);
  });
  test('survive reading in between', () => {
    const p = tensor(3, { requiresGrad: true });
    const square = p.mul(p);
    expect([p.item(), square.item()]).toEqual([3, 9]);
    square.mul(p).backward();
    expect(p.grad!.item()).toBe(27);
  });
  test('of gradients', () => {
    const p = tensor(2, { requiresGrad: true, dtype: 'float64' });
    let y = p.pow(4);
    const values: number[] = [];
    for (let i = 0; i < 4; i++) {
      [y] = w.grad(y, p, { createGraph: true });
      values.push(y.item());
    }
    expect(values).toEqual([32, 48, 48, 24]);
    expect(() => w.grad(tensor(1, { requiresGrad: true }), p)).toThrow('none on input 0');
  });
  test('go back once, unless the graph is retained', () => {
    const p = tensor(2, { requiresGrad: true });
    const loss = p.mul(p);
    loss.backward();
    loss.item();
    expect(() => loss.backward()).toThrow('retainGraph');
    expect(`${loss.gradFn}`).toBe('<MulBackward>');
  });
  test('of what sorting picked', () => {
    const p = tensor([3, 1, 2], { requiresGrad: true });
    p.topk(2).values.mul(tensor([10, 1])).sum().backward();
    expect(p.grad!.tolist()).toEqual([10, 0, 1]);
  });
  test('of results are kept where asked', () => {
    const p = tensor(2, { requiresGrad: true });
    const double = p.mul(2).retainGrad();
    double.mul(double).backward();
    expect([double.grad!.item(), p.grad!.item()]).toEqual([8, 16]);
  });
});

test('reading while the event loop stays free', async () => {
  const x = tensor([1, 2, 3]).exp().log();
  const [a, b] = await Promise.all([x.data(), x.mul(2).data()]);
  expect([...a, ...b].map((value) => Math.round(Number(value)))).toEqual([1, 2, 3, 2, 4, 6]);
});

test('what was read is a copy', () => {
  const x = tensor([1, 2]);
  (x.toArray() as Float32Array).fill(9);
  expect(x.tolist()).toEqual([1, 2]);
});

test('an assignment that cannot be computed spoils nothing else', () => {
  const x = tensor([1]);
  x.assign(tensor([1], { dtype: 'float16' }).add(1));
  expect(() => tensor([1]).add(1).item()).toThrow('float16');
  expect(tensor([1]).add(1).item()).toBe(2);
  expect(() => x.item()).toThrow('float16');
});

test('types', () => {
  const x = tensor([[1, 2]]);
  expectTypeOf(x.max(1)).toEqualTypeOf<w.ValuesAndIndices>();
  expectTypeOf(x.max()).toEqualTypeOf<w.Tensor>();
  expectTypeOf(x.add).parameters.toEqualTypeOf<[other: w.Operand]>();
  expectTypeOf(x.split(1)).toEqualTypeOf<w.Tensor[]>();
  expectTypeOf(x.conv2d).returns.toEqualTypeOf<w.Tensor>();
  expect(typeof x.reshape).toBe('function');
});

test('programs are forgotten, the least recently used first', () => {
  const before = w.configure({ programs: 2 });
  const lengths = (...all: number[]): number => {
    const { compiled } = w.programCounts;
    for (const length of all) w.fromTypedArray(new Float32Array(length)).add(7).realize();
    return w.programCounts.compiled - compiled;
  };
  expect([lengths(3, 4), lengths(3, 4, 3), lengths(5), lengths(3, 5), lengths(4)]).toEqual([2, 0, 1, 0, 1]);
  w.configure({ ...before, programBytes: 0 });
  expect(lengths(6, 7, 7, 6)).toBe(3);
  w.configure(before);
});

test('numbers that change become inputs, whatever reads them', () => {
  const x = tensor([-1.5, 0.5, 2.5]);
  const rows: [string, (n: number) => w.Tensor, (n: number) => number[]][] = [
    ['add', (n) => x.add(n), (n) => [n - 1.5, n + 0.5, n + 2.5]],
    ['clamp', (n) => x.clamp(-n, n), (n) => [-1.5, 0.5, 2.5].map((v) => Math.min(Math.max(v, -n), n))],
    ['full', (n) => w.full([2], n), (n) => [n, n]],
    ['pad', (n) => x.pad([1, 0], 'constant', n), (n) => [n, -1.5, 0.5, 2.5]],
    ['pow', (n) => x.abs().pow(n), (n) => [1.5, 0.5, 2.5].map((v) => v ** n)],
    ['where', (n) => w.where(x.gt(0), n, x), (n) => [-1.5, n, n]],
    ['scatter', (n) => x.scatter(0, tensor([1n]), n), (n) => [-1.5, n, 2.5]],
    ['assign', (n) => tensor([0, 0]).assign(n), (n) => [n, n]],
  ];
  for (const [name, make, expected] of rows) {
    for (const n of [0.75, 1.25, 3, 3.5]) {
      const [got, want] = [make(n).toArray() as Float32Array, expected(n)];
      want.forEach((value, i) => expect(got[i], `${name} ${n}`).toBeCloseTo(value, 5));
    }
  }
});
