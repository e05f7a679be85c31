/** Optimizers and clipping against PyTorch's golden values; a step is one program, within compile() as well; states go on exactly. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readSafetensors } from '../formats/index.ts';
import { compile, configure, fromTensorData, programCounts, realize, type Tensor, tensor } from '../tensor/index.ts';
import { Adagrad, Adam, AdamW, clipGradNorm, clipGradValue, ExponentialLR, OneCycleLR, type Optimizer, type OptimizerState, RMSprop, SGD } from './index.ts';

const { tensors, metadata } = readSafetensors(readFileSync(new URL('../../test/golden/optimizers.safetensors', import.meta.url)));
const at = (name: string): Tensor => fromTensorData(tensors.get(name)!);
const cases = Object.entries(metadata).filter(([, text]) => text.startsWith('{')).map(([name, text]) => ({ name, ...JSON.parse(text) }));
const camel = (object: Record<string, unknown>): Record<string, never> =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()), value])) as Record<string, never>;
const classes: Record<string, new (params: { params: Tensor[]; lr: number }[], options: Record<string, never>) => Optimizer<never, never>> = { SGD, Adam, AdamW, RMSprop, Adagrad } as never;
const leaf = (name: string): Tensor => at(name).requiresGrad_();

function expectClose(actual: Tensor, expected: Tensor): void {
  const [a, b] = [actual.toArray(), expected.toArray()].map((data) => Array.from(data as Float64Array));
  a.forEach((value, i) => expect(Math.abs(value - b[i])).toBeLessThanOrEqual(1e-11 * Math.max(1, Math.abs(b[i]))));
}

describe('golden', () => {
  const runs = cases.filter(({ optimizer }) => optimizer);
  test('is all there', () => expect(runs).toHaveLength(15));
  test.each(runs)('$name $kwargs', ({ name, optimizer, kwargs, steps, lr }) => {
    const params = [0, 1].map((i) => leaf(`${name}/start/${i}`));
    const stepper = new classes[optimizer](params.map((param, i) => ({ params: [param], lr: lr[i] })), camel(kwargs));
    for (let step = 0; step < steps; step++) {
      params.forEach((param, i) => (param.grad = at(`${name}/grad/${step}/${i}`)));
      stepper.step();
      // Every second one is left to the step after it.
      if (step % 2 === 1) params.forEach((param, i) => expectClose(param, at(`${name}/param/${step}/${i}`)));
    }
  });
  test.each(cases.filter(({ name }) => name.startsWith('clip')))('$name', ({ name, max_norm, norm_type }) => {
    const params = [0, 1].map((i) => at(`${name}/grad/${i}`).mul(0).realize().requiresGrad_());
    params.forEach((param, i) => (param.grad = at(`${name}/grad/${i}`)));
    expectClose(clipGradNorm(params, max_norm, norm_type === 'inf' ? Infinity : Number(norm_type)), at(`${name}/total`));
    params.forEach((param, i) => expectClose(param.grad!, at(`${name}/clipped/${i}`)));
  });
});

test('clipGradValue bounds each element, and passes over parameters without gradient', () => {
  const [a, b] = [tensor([1, 2, 3], { requiresGrad: true }), tensor([1], { requiresGrad: true })];
  a.grad = tensor([-3, 0.25, 7]);
  clipGradValue([a, b], 0.5);
  expect(a.grad.tolist()).toEqual([-0.5, 0.25, 0.5]);
  expect(b.grad).toBeNull();
});

test('clipping is part of the step, within compile() too', () => {
  const fits = [makeFit('sgd'), makeFit('sgd')];
  const clipped = ({ params, optimizer, loss }: Fit, x: Tensor): [Tensor, Tensor] => {
    optimizer.zeroGrad();
    const result = loss(x);
    result.backward();
    const norm = clipGradNorm(params, 0.5);
    optimizer.step();
    return [result, norm];
  };
  const compiled = compile((x: Tensor) => clipped(fits[1], x));
  let start = 0;
  for (let i = 0; i < 10; i++) {
    if (i === 2) start = programCounts.ran;
    const [loss, norm] = clipped(fits[0], batch(i)).map((one) => one.item());
    const [sameLoss, sameNorm] = compiled(batch(i)).map((one) => one.item());
    expect(sameLoss).toBeCloseTo(loss, 5);
    expect(sameNorm).toBeCloseTo(norm, 5);
    if (i === 0) expect(norm).toBeGreaterThan(0.5);
  }
  expect(programCounts.ran - start).toBe(16);
});

interface Fit {
  readonly params: readonly Tensor[];
  readonly optimizer: Optimizer<never, never>;
  loss(x: Tensor): Tensor;
}
const makers: Record<string, (params: readonly Tensor[]) => unknown> = {
  sgd: (params) => new SGD(params, { lr: 0.05, momentum: 0.9, dampening: 0.2 }),
  adam: (params) => new Adam(params, { lr: 0.05, amsgrad: true }),
  adamw: (params) => new AdamW(params, { lr: 0.05 }),
  rmsprop: (params) => new RMSprop(params, { lr: 0.02, centered: true, momentum: 0.3 }),
  adagrad: (params) => new Adagrad(params, { lr: 0.3, lrDecay: 0.01 }),
};
function makeFit(kind: string): Fit {
  const params = [tensor([[0.5, -0.25]], { requiresGrad: true }), tensor([0.125], { requiresGrad: true })];
  const [weight, bias] = params;
  const loss = (x: Tensor): Tensor => x.linear(weight, bias).mseLoss(x.sum(1, true).mul(2).sub(1));
  return { params, optimizer: makers[kind](params) as Fit['optimizer'], loss };
}
const batch = (i: number): Tensor => tensor([[Math.sin(i), Math.cos(3 * i)], [Math.sin(2 * i), 0.5], [0.1 * (i % 7), -1]]);

function step({ optimizer, loss }: Fit, x: Tensor): Tensor {
  optimizer.zeroGrad();
  const result = loss(x);
  result.backward();
  optimizer.step();
  return result;
}
const values = ({ params }: Fit): number[] => params.flatMap((param) => Array.from(param.toArray() as Float32Array));

describe.each(Object.keys(makers))('%s', (kind) => {
  test('a step is one program with the loss in it, whatever the learning rate', () => {
    const fit = makeFit(kind);
    const schedule = new ExponentialLR(fit.optimizer, { gamma: 0.99 });
    const losses = [0, 1, 2].map((i) => step(fit, batch(i)).item());
    const start = { ...programCounts };
    for (let i = 3; i < 60; i++) {
      const x = batch(i);
      schedule.step();
      losses.push(step(fit, x).item());
    }
    values(fit);
    expect(programCounts.compiled).toBe(start.compiled);
    expect(programCounts.ran - start.ran).toBe(57);
    expect(losses.at(-1)!).toBeLessThan(losses[0] * 0.2);
  });

  test('within compile() nothing is frozen, learning rates neither', () => {
    const [plain, other] = [makeFit(kind), makeFit(kind)];
    const compiled = compile((x: Tensor) => step(other, x));
    const schedules = [plain, other].map((fit) => new ExponentialLR(fit.optimizer, { gamma: 0.9 }));
    for (let i = 0; i < 12; i++) {
      const [expected, actual] = [step(plain, batch(i)).item(), compiled(batch(i)).item()];
      expect(actual).toBeCloseTo(expected, 5);
      for (const schedule of schedules) schedule.step();
    }
    values(other).forEach((value, i) => expect(value).toBeCloseTo(values(plain)[i], 5));
    const { compiled: count } = programCounts;
    compiled(batch(99));
    expect(programCounts.compiled).toBe(count);
  });

  test('goes on from its state, bit for bit', () => {
    const fit = makeFit(kind);
    for (let i = 0; i < 4; i++) step(fit, batch(i));
    const state: OptimizerState = fit.optimizer.stateDict();
    const kept = fit.params.map((param) => param.detach());
    const other = makeFit(kind);
    // Into one that has a state already.
    step(other, batch(77));
    for (let i = 4; i < 8; i++) step(fit, batch(i));
    other.params.forEach((param, i) => param.assign(kept[i]));
    other.optimizer.loadStateDict(state);
    for (let i = 4; i < 8; i++) step(other, batch(i));
    expect(values(other)).toEqual(values(fit));
  });
});

test('steps that nobody looks at do not pile up', () => {
  const fit = makeFit('adam');
  for (let i = 0; i < 5; i++) step(fit, batch(i));
  const start = { ...programCounts };
  for (let i = 0; i < 20; i++) step(fit, batch(i));
  realize(...fit.params);
  expect(programCounts.compiled).toBe(start.compiled);
  expect(programCounts.ran - start.ran).toBe(21);
});

test('steps are counted for each parameter: one that joins later begins at its beginning', () => {
  const [early, late, alone] = [1, 1, 1].map((value) => tensor([value], { requiresGrad: true }));
  const both = new Adam([early, late], { lr: 0.1 });
  const single = new Adam([alone], { lr: 0.1 });
  const grads = [0.3, -2, 1, 0.5];
  grads.forEach((grad, i) => {
    early.grad = tensor([grad]);
    late.grad = i < 2 ? null : tensor([grad]);
    alone.grad = late.grad;
    both.step();
    if (alone.grad) single.step();
  });
  // And one that pauses goes on from where it was.
  early.grad = null;
  late.grad = alone.grad = tensor([2]);
  both.step();
  single.step();
  early.grad = tensor([1]);
  late.grad = null;
  both.step();
  expect(late.tolist()).toEqual(alone.tolist());
  const { state } = both.stateDict();
  expect([state[0].step.item(), state[1].step.item()]).toEqual([5, 3]);
});

test('gradients add up over several backward passes', () => {
  const [a, b] = [makeFit('adam'), makeFit('adam')];
  for (let turn = 0; turn < 3; turn++) {
    a.optimizer.zeroGrad();
    for (let i = 0; i < 4; i++) a.loss(batch(i)).mul(0.25).backward();
    a.optimizer.step();
    b.optimizer.zeroGrad();
    [0, 1, 2, 3].map((i) => b.loss(batch(i)).mul(0.25)).reduce((x, y) => x.add(y)).backward();
    b.optimizer.step();
  }
  values(a).forEach((value, i) => expect(value).toBeCloseTo(values(b)[i], 5));
});

test('any instruction set and number of threads takes the same steps', () => {
  const run = (settings: Parameters<typeof configure>[0]): number[] => {
    const before = configure(settings);
    try {
      const fit = makeFit('adamw');
      for (let i = 0; i < 6; i++) step(fit, batch(i));
      return values(fit);
    } finally {
      configure(before);
    }
  };
  const one = run({ threads: 1 });
  expect(run({ threads: 2 })).toEqual(one);
  run({ isa: 'wasm' }).forEach((value, i) => expect(value).toBeCloseTo(one[i], 5));
});

test('OneCycleLR turns the first beta of Adam', () => {
  const { optimizer } = makeFit('adam');
  const [group] = optimizer.paramGroups as unknown as { betas: number[] }[];
  const schedule = new OneCycleLR(optimizer, { maxLr: 0.1, totalSteps: 10 });
  expect(group.betas).toEqual([0.95, 0.999]);
  for (let i = 0; i < 2; i++) schedule.step();
  expect(group.betas[0]).toBeCloseTo(0.85, 12);
});

describe('refuses', () => {
  const param = () => tensor([1, 2], { requiresGrad: true });
  test.each<[string, () => unknown, RegExp]>([
    ['no parameters', () => new SGD([]), /expected parameters, got none/],
    ['one twice', () => ((one) => new SGD([one, one]))(param()), /each parameter once/],
    ['results', () => new SGD([param().mul(2)]), /expected leaves/],
    ['negative rates', () => new SGD([param()], { lr: -1 }), /SGD's lr: expected a finite number/],
    ['rates that are none', () => (new Adam([param()]).paramGroups[0].lr = Number.NaN), /Adam's lr/],
    ['betas of 1', () => new Adam([param()], { betas: [0.9, 1] }), /below 1/],
    ['options of another algorithm', () => new SGD([param()], { betas: [0.9, 0.99] } as never), /options among/],
    ['nesterov without momentum', () => new SGD([param()], { nesterov: true }), /expected a momentum and no dampening/],
    ['groups among parameters', () => new SGD([param(), { params: [param()] }] as never), /got both/],
    ['a state of other groups', () => new SGD([param()]).loadStateDict(new SGD([param(), param()]).stateDict()), /groups of 1 parameters/],
    ['a state of another shape', () => {
      const [a, b] = [param(), tensor([1], { requiresGrad: true })];
      a.grad = tensor([1, 1]);
      const one = new Adam([a]);
      one.step();
      new Adam([b]).loadStateDict(one.stateDict());
    }, /as \[1\], got \[2\]/],
    ['a negative bound', () => clipGradNorm([param()], -1), /from 0 on/],
  ])('%s', (_name, act, message) => expect(act).toThrow(message));
});
