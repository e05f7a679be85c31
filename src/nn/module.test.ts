/** What all modules do: names, state, modes, hooks, printing; first values; training as one program. */
import { describe, expect, test } from 'vitest';
import { readSafetensors, writeSafetensors } from '../formats/index.ts';
import { toNumbers } from '../graph/index.ts';
import { compile, eye, fromTypedArray, full, manualSeed, noGrad, programCounts, randn, realize, tensor, type Tensor, zeros } from '../tensor/index.ts';
import * as nn from './index.ts';

class Net extends nn.Module {
  conv1 = new nn.Conv2d(1, 4, 3, { padding: 1, bias: false });
  bn1 = new nn.BatchNorm2d(4);
  head = new nn.Sequential(new nn.Flatten(), new nn.Dropout(0.25), new nn.Linear(64, 3));
  scale = new nn.Parameter(tensor([2]));
  mask = new nn.Buffer(tensor([1]), { persistent: false });
  forward(x: Tensor): Tensor {
    return this.head.call(this.bn1.call(this.conv1.call(x)).relu()).mul(this.scale);
  }
}
const names = ['conv1.weight', 'bn1.weight', 'bn1.bias', 'head.2.weight', 'head.2.bias'];
const elements = (x: Tensor): number[] => toNumbers(x.toTensorData()) as number[];

describe('names', () => {
  test('are of properties, dotted, own ones first', () => {
    const net = new Net();
    expect(net.namedParameters().map(([name]) => name)).toEqual(['scale', ...names]);
    expect(net.namedBuffers().map(([name]) => name)).toEqual(['mask', 'bn1.running_mean', 'bn1.running_var', 'bn1.num_batches_tracked']);
    expect(net.namedModules().map(([name]) => name)).toEqual(['', 'conv1', 'bn1', 'head', 'head.0', 'head.1', 'head.2']);
    expect([...net.stateDict().keys()]).not.toContain('mask');
  });

  test('of what is shared: one parameter, two names in the state', () => {
    const first = new nn.Linear(2, 2, { bias: false });
    const second = new nn.Linear(2, 2, { bias: false });
    second.weight = first.weight;
    const both = new nn.Sequential(first, second);
    expect(both.namedParameters().map(([name]) => name)).toEqual(['0.weight']);
    expect([...both.stateDict().keys()]).toEqual(['0.weight', '1.weight']);
  });

  test('of recurrent layers are PyTorch\'s', () => {
    const lstm = new nn.LSTM(3, 4, { bidirectional: true, projSize: 2 });
    expect(lstm.namedParameters().map(([name, { shape }]) => `${name} ${shape}`)).toEqual(
      ['', '_reverse'].flatMap((end) => [`weight_ih_l0${end} 16,3`, `weight_hh_l0${end} 16,2`, `bias_ih_l0${end} 16`, `bias_hh_l0${end} 16`, `weight_hr_l0${end} 2,4`]),
    );
  });

  test('a module within itself is an error, not a hang', () => {
    const loop = new nn.Sequential(new nn.ReLU());
    Object.assign(loop, { again: loop });
    expect(() => loop.parameters()).toThrow("expected modules within modules, got a module within itself, as 'again'");
  });
});

describe('state', () => {
  test('goes through safetensors, and is a snapshot', () => {
    const [net, other] = [new Net(), new Net()];
    const state = net.stateDict();
    const before = elements(net.conv1.weight);
    noGrad(() => net.conv1.weight.assign(net.conv1.weight.mul(2)));
    const { tensors } = readSafetensors(writeSafetensors(state));
    expect(other.loadStateDict(tensors)).toEqual({ missing: [], unexpected: [] });
    expect(elements(other.conv1.weight)).toEqual(before);
    expect(elements(net.conv1.weight)).toEqual(before.map((x) => 2 * x));
    expect([...other.stateDict()].map(([name, { dtype, shape }]) => [name, dtype, ...shape])).toEqual([...state].map(([name, { dtype, shape }]) => [name, dtype, ...shape]));
    const x = randn([2, 1, 4, 4]);
    net.loadStateDict(state);
    expect(elements(other.eval().call(x))).toEqual(elements(net.eval().call(x)));
    expect(other.conv1.weight.requiresGrad && other.conv1.weight.isLeaf).toBe(true);
  });

  test('that does not fit is an error, and nothing is taken', () => {
    const linear = new nn.Linear(2, 1);
    const before = [...elements(linear.weight), ...elements(linear.bias!)];
    const [weight, bias] = [zeros([1, 2]), zeros([1])];
    expect(() => linear.loadStateDict({ weight })).toThrow('loadStateDict of Linear: expected the names of this module, got bias missing');
    expect(() => linear.loadStateDict({ weight, bias, scale: bias })).toThrow('scale unexpected');
    expect(() => linear.loadStateDict({ weight, bias: weight }, { strict: false })).toThrow("'bias': expected float32[1], got float32[1,2]");
    expect([...elements(linear.weight), ...elements(linear.bias!)]).toEqual(before);
    expect(linear.loadStateDict({ weight, scale: bias }, { strict: false })).toEqual({ missing: ['bias'], unexpected: ['scale'] });
    expect(elements(linear.weight)).toEqual([0, 0]);
  });

  test('is cast to the dtypes here', () => {
    const linear = new nn.Linear(1, 1).double();
    linear.loadStateDict({ weight: tensor([[0.5]]), bias: tensor([3], { dtype: 'int64' }) });
    expect([linear.weight.dtype, linear.bias!.dtype, ...elements(linear.weight), ...elements(linear.bias!)]).toEqual(['float64', 'float64', 0.5, 3]);
    expect(() => linear.to('int64')).toThrow('expected a float dtype');
  });
});

describe('modes', () => {
  test('dropout and batch normalisation differ in training and in use', () => {
    const net = new Net();
    const x = randn([8, 1, 4, 4]).realize();
    net.call(x).realize();
    expect(net.bn1.num_batches_tracked!.item()).toBe(1);
    const mean = elements(net.bn1.running_mean!);
    expect(mean.some((value) => value !== 0)).toBe(true);
    expect(elements(net.call(x))).not.toEqual(elements(net.call(x)));
    net.eval();
    expect(net.modules().some(({ training }) => training)).toBe(false);
    const after = elements(net.bn1.running_mean!);
    expect(elements(net.call(x))).toEqual(elements(net.call(x)));
    expect(elements(net.bn1.running_mean!)).toEqual(after);
    expect(net.bn1.num_batches_tracked!.item()).toBe(3);
  });

  test('freezing, forgetting gradients, apply', () => {
    const net = new Net();
    net.call(randn([2, 1, 4, 4])).sum().backward();
    expect(net.parameters().every(({ grad }) => grad)).toBe(true);
    net.zeroGrad();
    net.conv1.requiresGrad_(false);
    net.call(randn([2, 1, 4, 4])).sum().backward();
    expect(net.conv1.weight.grad).toBeNull();
    expect(net.scale.grad).not.toBeNull();
    expect(net.namedParameters().map(([name]) => name)).toContain('conv1.weight');
    const seen: string[] = [];
    net.apply((module) => void seen.push(module.constructor.name));
    expect(seen).toHaveLength(7);
    expect(seen.at(-1)).toBe('Net');
  });

  test('dropout between recurrent layers, in training only', () => {
    const gru = new nn.GRU(2, 3, { numLayers: 2, dropout: 0.5 });
    const x = randn([4, 2, 2]).realize();
    expect(elements(gru.call(x)[0])).not.toEqual(elements(gru.call(x)[0]));
    gru.eval();
    expect(elements(gru.call(x)[0])).toEqual(elements(gru.call(x)[0]));
  });
});

test('hooks see and replace what goes in and comes out, until removed', () => {
  const double = new nn.Identity();
  const log: string[] = [];
  const before = double.registerForwardPreHook((_, [x]) => [(x as Tensor).add(1)]);
  const after = double.registerForwardHook((module, [x], y) => {
    log.push(`${module} ${(x as Tensor).item()}`);
    return (y as Tensor).mul(10);
  });
  const run = (): number => new nn.Sequential(double).call(tensor(2)).item();
  expect(run()).toBe(30);
  before.remove();
  expect(run()).toBe(20);
  after.remove();
  expect(run()).toBe(2);
  expect(log).toEqual(['Identity() 3', 'Identity() 2']);
});

test('modules print as in PyTorch', () => {
  class Model extends nn.Module {
    conv = new nn.Conv2d(3, 8, 3, { stride: 2, padding: 1, bias: false });
    norm = new nn.BatchNorm2d(8);
    rest = new nn.Sequential(new nn.MaxPool2d(2), new nn.LeakyReLU(0.1), new nn.Sequential({ act: new nn.ELU(), drop: new nn.Dropout(0.2) }));
    rnn = new nn.GRU(8, 4, { numLayers: 2, bidirectional: true, dropout: 0.1 });
    norm2 = new nn.LayerNorm([4]);
    list = new nn.ModuleList([new nn.Linear(4, 2)]);
    forward(x: Tensor): Tensor {
      return x;
    }
  }
  expect(`${new Model()}`).toBe(`Model(
  (conv): Conv2d(3, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)
  (norm): BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (rest): Sequential(
    (0): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    (1): LeakyReLU(negative_slope=0.1)
    (2): Sequential(
      (act): ELU(alpha=1.0)
      (drop): Dropout(p=0.2, inplace=False)
    )
  )
  (rnn): GRU(8, 4, num_layers=2, dropout=0.1, bidirectional=True)
  (norm2): LayerNorm((4,), eps=1e-05, elementwise_affine=True)
  (list): ModuleList(
    (0): Linear(in_features=4, out_features=2, bias=True)
  )
)`);
  expect(`${new nn.Parameter(tensor([1, 2]))}`).toBe('Parameter containing:\ntensor([1., 2.], requires_grad=True)');
});

describe('first values', () => {
  const spread = (x: Tensor): { mean: number; std: number; max: number } => ({ mean: x.detach().mean().item(), std: x.detach().std().item(), max: x.detach().abs().amax().item() });

  test('are the seed\'s, and PyTorch\'s distributions', () => {
    const weights = [1, 1, 2].map((seed) => {
      manualSeed(seed);
      return new nn.Linear(100, 50).weight;
    });
    expect(elements(weights[0])).toEqual(elements(weights[1]));
    expect(elements(weights[0])).not.toEqual(elements(weights[2]));
    const { mean, std, max } = spread(weights[0]);
    expect(Math.abs(mean)).toBeLessThan(0.003);
    expect(std).toBeCloseTo(0.1 / Math.sqrt(3), 2);
    expect(max).toBeLessThanOrEqual(0.1);
    expect(max).toBeGreaterThan(0.0995);
    const rows = new nn.Embedding(300, 20, { paddingIdx: -1 }).weight;
    expect(spread(rows).std).toBeCloseTo(1, 1);
    expect(elements(rows).slice(-20)).toEqual(new Array(20).fill(0));
  });

  test('are drawn together by the first call, and not at all where others are loaded', () => {
    const make = (): nn.Sequential => new nn.Sequential(new nn.Linear(3, 5), new nn.Linear(5, 7), new nn.Embedding(3, 2));
    const [net, loaded] = [make(), make()];
    const { ran } = programCounts;
    loaded.loadStateDict(new Map(loaded.namedParameters().map(([name, { shape, numel }]) => [name, fromTypedArray(new Float32Array(numel), shape)])));
    expect(loaded.parameters().every(({ isRealized }) => isRealized)).toBe(true);
    expect(programCounts.ran).toBe(ran);
    tensor([1]).add(1).item();
    expect(net.parameters().some(({ isRealized }) => isRealized)).toBe(false);
    net.stateDict();
    expect(programCounts.ran).toBe(ran + 2);
  });

  test('of initialisers have the spread they promise', () => {
    manualSeed(3);
    const weight = new nn.Parameter(zeros([64, 32, 3, 3]));
    const [fanIn, fanOut] = [32 * 9, 64 * 9];
    expect(spread(nn.init.kaimingNormal_(weight, { nonlinearity: 'relu', mode: 'fanOut' })).std).toBeCloseTo(Math.sqrt(2 / fanOut), 3);
    expect(spread(nn.init.kaimingUniform_(weight)).max).toBeCloseTo(Math.sqrt(6 / fanIn), 3);
    expect(spread(nn.init.xavierNormal_(weight)).std).toBeCloseTo(Math.sqrt(2 / (fanIn + fanOut)), 3);
    expect(spread(nn.init.xavierUniform_(weight)).max).toBeCloseTo(Math.sqrt(6 / (fanIn + fanOut)), 3);
    expect(elements(nn.init.ones_(new nn.Parameter(zeros([2]))))).toEqual([1, 1]);
    expect(weight.requiresGrad && weight.isLeaf).toBe(true);
    for (const shape of [[5, 3, 4], [12, 12], [20, 7]]) {
      const rows = nn.init.orthogonal_(new nn.Parameter(zeros(shape)), 2).reshape([shape[0], -1]);
      const product = shape[0] < rows.shape[1] ? rows.matmul(rows.transpose(0, 1)) : rows.transpose(0, 1).matmul(rows);
      expect(Math.max(...elements(product.sub(eye(product.shape[0]).mul(4)).abs()))).toBeLessThan(1e-5);
    }
    expect(() => nn.init.orthogonal_(new nn.Parameter(zeros([2])))).toThrow('expected a weight of at least two dimensions');
    expect(() => nn.init.xavierNormal_(new nn.Parameter(zeros([2])))).toThrow('expected a weight of at least two dimensions, got [2]');
  });
});

test('a network learns, each step one program that is compiled once', () => {
  manualSeed(5);
  const net = new nn.Sequential(new nn.Linear(2, 16), new nn.Tanh(), new nn.Linear(16, 2));
  const criterion = new nn.CrossEntropyLoss();
  const x = tensor([[0, 0], [0, 1], [1, 0], [1, 1]]);
  const y = tensor([0, 1, 1, 0], { dtype: 'int64' });
  const step = (): number => {
    net.zeroGrad();
    const loss = criterion.call(net.call(x), y);
    loss.backward();
    noGrad(() => {
      for (const parameter of net.parameters()) parameter.assign(parameter.sub(parameter.grad!.mul(0.5)));
    });
    realize(...net.parameters());
    return loss.item();
  };
  const first = step();
  const { compiled, ran } = programCounts;
  let last = first;
  for (let i = 0; i < 300; i++) last = step();
  expect(programCounts.compiled).toBe(compiled);
  expect(programCounts.ran).toBe(ran + 300);
  expect(first).toBeGreaterThan(0.4);
  expect(last).toBeLessThan(0.05);
  expect(net.call(x).argmax(1).tolist()).toEqual([0, 1, 1, 0]);
});

test('wrong arguments are errors that say so', () => {
  expect(() => new nn.Linear(0, 3)).toThrow('Linear: expected inFeatures to be a whole number from 1 on, got 0');
  expect(() => new nn.Linear(3, 2).call(zeros([4, 2]))).toThrow('Linear: expected [..., 3], got [4,2]');
  expect(() => new nn.Conv2d(3, 4, 3, { groups: 2 })).toThrow('expected channels that 2 groups divide');
  expect(() => new nn.BatchNorm2d(3).call(zeros([2, 3]))).toThrow('expected [N, 3, ...] of 4 dimensions, got [2,3]');
  expect(() => new nn.GRU(3, 4).call(zeros([5, 3]))).toThrow('expected [time, batch, 3], got [5,3]');
  expect(() => new nn.GRU(3, 4).call(zeros([5, 2, 3]), zeros([2, 2, 4]))).toThrow('expected a first state of shape [1,2,4]');
  expect(() => new nn.GRU(3, 4).call(zeros([5, 2, 3]), null, { lengths: [6, 1] })).toThrow('expected lengths from 1 to 5, got 6 1');
  expect(() => new nn.MultiheadAttention(8, 3)).toThrow('expected an embedDim that 3 heads divide, got 8');
  expect(() => new nn.ModuleList([new nn.ReLU()]).call()).toThrow('Sequential chains modules');
  expect(() => nn.functional.smoothL1Loss(zeros([2]), zeros([3]))).toThrow('expected a target of shape [2], got [3]');
});

test('probabilities of 0 and 1 have a finite loss and gradient', () => {
  const p = tensor([0, 1, 0, 1], { requiresGrad: true });
  const loss = nn.functional.binaryCrossEntropy(p, tensor([0, 1, 1, 0]), { reduction: 'none' });
  expect(elements(loss)).toEqual([0, 0, 100, 100]);
  loss.sum().backward();
  expect(elements(p.grad!).every(Number.isFinite)).toBe(true);
  const q = tensor([0, 0.5], { requiresGrad: true });
  const divergence = nn.functional.klDiv(tensor([-1, -1]), q, { reduction: 'sum' });
  expect(divergence.item()).toBeCloseTo(0.5 * Math.log(0.5) + 0.5, 6);
});

test('CTC counts all alignments, and says what does not fit', () => {
  // Two steps, classes blank and a, all equally likely: of four paths, `a` has aa, a-, -a.
  const even = full([2, 1, 2], Math.log(0.5));
  expect(nn.functional.ctcLoss(even, tensor([[1]], { dtype: 'int64' }), [2], [1]).item()).toBeCloseTo(-Math.log(3 / 4), 6);
  expect(nn.functional.ctcLoss(even, tensor([[1, 1]], { dtype: 'int64' }), [2], [0]).item()).toBeCloseTo(-Math.log(1 / 4), 6);
  // aa needs a blank between, and so three steps.
  const twice = tensor([[1, 1]], { dtype: 'int64' });
  expect(nn.functional.ctcLoss(even, twice, [2], [2]).item()).toBe(Infinity);
  expect(nn.functional.ctcLoss(even, twice, [2], [2], { zeroInfinity: true }).item()).toBe(0);
  expect(() => nn.functional.ctcLoss(even, twice, [3], [2])).toThrow('expected lengths from 1 to 2, got 3');
  expect(() => nn.functional.ctcLoss(even, twice, [2], [3])).toThrow('expected lengths from 0 to 2, got 3');
  expect(() => nn.functional.ctcLoss(even, tensor([1, 1], { dtype: 'int64' }), [2], [1])).toThrow('expected lengths that add up to 2, got 1');
});

test('a compiled step of a recurrent network with dropout learns', () => {
  manualSeed(1);
  const [gru, head] = [new nn.GRU(8, 16, { numLayers: 2, dropout: 0.3 }), new nn.Linear(16, 4)];
  const parameters = [...gru.parameters(), ...head.parameters()];
  const step = compile((x: Tensor, y: Tensor): Tensor => {
    gru.zeroGrad();
    head.zeroGrad();
    const loss = nn.functional.crossEntropy(head.call(gru.call(x)[1].select(0, 1)), y);
    loss.backward();
    noGrad(() => {
      for (const parameter of parameters) parameter.assign(parameter.sub(parameter.grad!.mul(0.2)));
    });
    return loss;
  });
  const x = randn([6, 8, 8]).realize();
  const y = tensor([0, 1, 2, 3, 0, 1, 2, 3], { dtype: 'int64' });
  const losses = Array.from({ length: 100 }, () => step(x, y).item());
  expect(losses[0]).toBeGreaterThan(1);
  expect(Math.max(...losses.slice(-5))).toBeLessThan(0.4);
});
