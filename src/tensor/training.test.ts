/** Steps of training: one program, compiled once; the same bits on any number of threads; memory that stays flat. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import { configure, manualSeed, noGrad, programCounts, rand, randint, randn, randperm, realize, tensor, Tensor, zeros } from './index.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

interface Model {
  readonly parameters: readonly Tensor[];
  loss(x: Tensor, y: Tensor): Tensor;
}

function makeModel(seed: number): Model {
  manualSeed(seed);
  const sizes = [[32, 4], [32], [2, 32], [2]];
  const parameters = sizes.map((shape) => randn(shape).mul(0.3).realize().requiresGrad_());
  const [w1, b1, w2, b2] = parameters;
  return { parameters, loss: (x, y) => x.linear(w1, b1).tanh().dropout(0.2).linear(w2, b2).crossEntropy(y) };
}

function step({ parameters, loss }: Model, rate: Tensor | number, momenta: readonly Tensor[]): Tensor {
  const x = rand([16, 4]).realize();
  const result = loss(x, x.sum(1).gt(2).toLong());
  for (const parameter of parameters) parameter.grad = null;
  result.backward();
  noGrad(() =>
    parameters.forEach((parameter, i) => {
      momenta[i].assign(momenta[i].mul(0.9).add(parameter.grad!));
      parameter.assign(parameter.sub(momenta[i].mul(rate)));
    }),
  );
  realize(...parameters);
  return result;
}

const momentaOf = ({ parameters }: Model): Tensor[] => parameters.map(({ shape }) => zeros(shape).realize());

let before: ReturnType<typeof configure> | undefined;
afterEach(() => {
  if (before) configure(before);
  before = undefined;
});

test('a step is one program, the loss in it, compiled once', () => {
  const model = makeModel(1);
  const momenta = momentaOf(model);
  const rate = tensor(0.1);
  step(model, rate, momenta).item();
  const start = { ...programCounts };
  const losses: number[] = [];
  for (let i = 0; i < 60; i++) {
    const loss = step(model, rate.mul(0.99 ** i), momenta);
    const ran = programCounts.ran;
    expect(loss.isRealized).toBe(true);
    losses.push(loss.item());
    expect(programCounts.ran).toBe(ran);
  }
  // The factor of the rate is a literal that changes, and so is compiled in once and then an input.
  expect(programCounts.compiled - start.compiled).toBeLessThanOrEqual(2);
  const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  expect(mean(losses.slice(-10))).toBeLessThan(mean(losses.slice(0, 10)) * 0.8);
});

test('reading the loss before the update computes the gradients with it', () => {
  const p = tensor([1, 2, 3], { requiresGrad: true });
  const loss = p.exp().sum();
  loss.backward();
  loss.item();
  expect(p.grad!.isRealized).toBe(true);
});

test('threads change no bit', () => {
  const run = (threads: number): number[] => {
    before ??= configure({ threads });
    configure({ threads });
    const model = makeModel(5);
    const momenta = momentaOf(model);
    for (let i = 0; i < 5; i++) step(model, 0.1, momenta);
    return model.parameters.flatMap((parameter) => Array.from(parameter.toArray() as Float32Array));
  };
  const one = run(1);
  expect(run(2)).toEqual(one);
  expect(one.some((value) => Number.isNaN(value))).toBe(false);
});

test('expressions keep nothing that is not needed: memory stays flat', () => {
  const model = makeModel(2);
  const momenta = momentaOf(model);
  const big = rand([256, 256]).realize();
  let total = zeros([]);
  const turn = (i: number): void => {
    total = total.add(step(model, 0.05, momenta).detach()).realize();
    if (i % 10 === 0) big.mul(2).sum().item();
  };
  const alive = (): { heap: number; arrays: number; rss: number } => {
    collect();
    collect();
    const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
    return { heap: heapUsed, arrays: arrayBuffers, rss };
  };
  for (let i = 0; i < 800; i++) turn(i);
  const first = alive();
  for (let i = 0; i < 2000; i++) turn(i);
  const last = alive();
  // What the engine itself learns takes a megabyte or two; three kilobytes a step would be seen.
  expect(last.heap - first.heap).toBeLessThan(6 * 2 ** 20);
  expect(last.arrays - first.arrays).toBeLessThan(2 ** 20);
  expect(last.rss - first.rss).toBeLessThan(64 * 2 ** 20);
  expect(Number.isFinite(total.item())).toBe(true);
});

describe('random tensors', () => {
  test('are a function of the seed', () => {
    const draw = () => (manualSeed(11), [rand([3]), randn([5]), randint(2, 9, [4]), randperm(6)].map((x) => x.tolist()));
    expect(draw()).toEqual(draw());
  });
  test('are distributed as they say', () => {
    manualSeed(3);
    const x = randn([40_000]);
    expect(Math.abs(x.mean().item())).toBeLessThan(0.02);
    expect(Math.abs(x.std().item() - 1)).toBeLessThan(0.02);
    expect(Math.abs(x.pow(4).mean().item() - 3)).toBeLessThan(0.2);
    expect([...(randperm(100).toArray() as BigInt64Array)].map(Number).sort((a, b) => a - b)).toEqual([...Array(100).keys()]);
    const ints = randint(-2, 3, [1000]);
    expect([ints.min().item(), ints.max().item()]).toEqual([-2, 2]);
    const dropped = tensor(new Float32Array(10_000).fill(1)).dropout(0.25);
    expect(Math.abs(dropped.mean().item() - 1)).toBeLessThan(0.03);
    expect(dropped.max().item()).toBeCloseTo(4 / 3, 6);
  });
});
