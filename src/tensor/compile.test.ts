import { describe, expect, test } from 'vitest';
import { compile, dropout, manualSeed, noGrad, programCounts, rand, randn, realize, tensor, Tensor, zeros } from './index.ts';

/** Some steps of training, as they are or compiled: parameters, momenta and losses after them. */
function train(wrap: <A extends Tensor[], R extends readonly Tensor[]>(step: (...args: A) => R) => (...args: A) => R, steps: number): number[] {
  manualSeed(4);
  const parameters = [[8, 3], [8], [2, 8]].map((shape) => randn(shape).mul(0.5).requiresGrad_());
  const momenta = parameters.map(({ shape }) => zeros(shape));
  const running = zeros([8]);
  const [w1, b1, w2] = parameters;
  const step = wrap((x: Tensor, y: Tensor, rate: Tensor): readonly Tensor[] => {
    const hidden = dropout(x.linear(w1, b1).tanh(), 0.3);
    running.assign(running.mul(0.9).add(hidden.detach().mean(0).mul(0.1)));
    const loss = hidden.linear(w2).crossEntropy(y);
    for (const parameter of parameters) parameter.grad = null;
    loss.backward();
    noGrad(() =>
      parameters.forEach((parameter, i) => {
        momenta[i].assign(momenta[i].mul(0.9).add(parameter.grad!));
        parameter.assign(parameter.sub(momenta[i].mul(rate)));
      }),
    );
    realize(...parameters);
    return [loss];
  });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const x = rand([6, 3]);
    losses.push(step(x, x.sum(1).gt(1.5).toLong(), tensor(0.1 / (1 + i)))[0].item());
  }
  return [...losses, ...[...parameters, ...momenta, running].flatMap((one) => Array.from(one.toArray() as Float32Array))];
}

test('a compiled step does what the step does, bit for bit, in one program', () => {
  const plain = train((step) => step, 6);
  expect(train(compile, 6)).toEqual(plain);
});

describe('what a compiled function reads', () => {
  test('counts with the value it has at the call', () => {
    const scale = tensor(2);
    const f = compile((x: Tensor) => x.detach().mul(scale.detach()).add(scale));
    expect(f(tensor([1, 2])).tolist()).toEqual([4, 6]);
    scale.assign(3);
    expect(f(tensor([3, 4])).tolist()).toEqual([12, 15]);
  });
  test('may be assigned, arguments and each other', () => {
    const [a, b] = [tensor(1), tensor(2)];
    const swap = compile((x: Tensor) => {
      const old = a.detach();
      a.assign(b);
      b.assign(old);
      a.assign(a.add(x));
      return { a, old };
    });
    const expected = [[12, 1], [11, 12], [22, 11]];
    for (const [now, before] of expected) {
      const { a: result, old } = swap(tensor(10));
      expect([result.item(), old.item()]).toEqual([now, before]);
    }
    expect([a.item(), b.item()]).toEqual([22, 11]);
    const copy = compile((x: Tensor) => void a.assign(x));
    copy(tensor(5));
    copy(tensor(6));
    expect(a.item()).toBe(6);
  });
  test('of random tensors is drawn anew, as without compiling', () => {
    const f = (x: Tensor) => x.add(rand([2]));
    const values = (fn: typeof f) => (manualSeed(1), [1, 2, 3].map((i) => fn(tensor([i, i])).tolist()));
    expect(values(compile(f))).toEqual(values(f));
  });
  test('is computed once where it was pending before', () => {
    const noise = rand([2]);
    const f = compile((x: Tensor) => x.mul(0).add(noise));
    expect(f(zeros([2])).tolist()).toEqual(f(zeros([2])).tolist());
  });
});

describe('what is assigned is written over', () => {
  const decay = () => {
    const p = tensor(Array.from({ length: 32 }, (_, i) => i)).requiresGrad_();
    return { p, step: compile((by: Tensor) => void noGrad(() => p.assign(p.mul(by)))) };
  };
  test('in the same memory at every step, by one program', () => {
    const { p, step } = decay();
    step(tensor(2));
    const memory = p.peek().data;
    const { compiled } = programCounts;
    for (let i = 0; i < 3; i++) step(tensor(2));
    expect(p.peek().data).toBe(memory);
    expect(programCounts.compiled).toBe(compiled);
    expect([p.shape, p.isLeaf, p.requiresGrad, p.isRealized, p.toArray()[31]]).toEqual([[32], true, true, true, 31 * 16]);
  });
  test('but whatever was made of the old value keeps it', () => {
    const { p, step } = decay();
    step(tensor(1));
    const [pending, detached, data, copied] = [p.mul(10), p.detach(), p.toTensorData(), p.toArray()];
    step(tensor(2));
    step(tensor(2));
    expect([pending.toArray()[3], detached.toArray()[3], data.data[3], copied[3], p.toArray()[3]]).toEqual([30, 3, 3, 3, 12]);
    p.sum().backward();
    expect(p.grad!.toArray()[3]).toBe(1);
  });
  test('and where the old value is a result, or goes elsewhere, it stays', () => {
    const [p, before] = [tensor([1, 2]), tensor([0, 0])];
    const step = compile(() => {
      const old = p.detach();
      before.assign(p);
      p.assign(p.mul(2));
      return old;
    });
    for (const factor of [1, 2, 4]) {
      const old = step();
      expect([old.tolist(), before.tolist(), p.tolist()]).toEqual([[factor, 2 * factor], [factor, 2 * factor], [2 * factor, 4 * factor]]);
    }
  });
});

test('each set of argument types has its program', () => {
  const f = compile((x: Tensor) => x.sum());
  f(tensor([1]));
  f(tensor([1, 2]));
  const { compiled } = programCounts;
  expect([f(tensor([5])).item(), f(tensor([5, 6])).item()]).toEqual([5, 11]);
  expect(programCounts.compiled).toBe(compiled);
});

test('errors', () => {
  expect(() => compile((x: Tensor) => x.mul(x.sum().item()))(tensor([1]))).toThrow('expected no reading of values in a function that is compiled');
  expect(() => compile((x: Tensor) => x.sort().values)(tensor([1]))).toThrow('expected operators that the device runs, got TopK');
  expect(compile((x: Tensor) => x.add(1))(tensor([1])).item()).toBe(2);
});
