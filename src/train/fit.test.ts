import { describe, expect, test } from 'vitest';
import { DataLoader, TensorDataset } from '../data/index.ts';
import { CrossEntropyLoss, Dropout, Linear, Module, ReLU, Sequential } from '../nn/index.ts';
import { Adam, CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau, SGD } from '../optim/index.ts';
import { manualSeed, rand, tensor, type Tensor, zeros } from '../tensor/index.ts';
import { accuracy, confusionMatrix, evaluate, fit, predict, type Recorder, TrainError } from './index.ts';

/** Points of the unit square, by whether their coordinates are on the same side of a half. */
function points(count: number, seed: number): [x: Tensor, y: Tensor] {
  manualSeed(seed);
  const x = rand([count, 2]).realize();
  const sides = x.gt(0.5).toLong();
  return [x, sides.select(1, 0).eq(sides.select(1, 1)).toLong().realize()];
}
function network(seed = 2, dropout = 0): Sequential {
  manualSeed(seed);
  return new Sequential(new Linear(2, 32), new ReLU(), new Dropout(dropout), new Linear(32, 2));
}
const parametersOf = (model: Module): number[][] => model.parameters().map((parameter) => [...(parameter.toArray() as Float32Array)]);

test('a small network learns, in Keras\'s manner', async () => {
  const [x, y] = points(640, 1);
  const held = points(128, 5);
  const model = network();
  const history = await model.fit(x, y, { loss: 'crossEntropy', optimizer: 'adam', lr: 0.03, epochs: 20, batchSize: 64, seed: 1, metrics: { accuracy: accuracy() }, validation: held });
  expect(history.epochs).toHaveLength(20);
  const last = history.epochs.at(-1)!.values;
  expect(Object.keys(last)).toEqual(['loss/train', 'accuracy/train', 'learning-rate', 'loss/validation', 'accuracy/validation']);
  expect(last['accuracy/validation']).toBeGreaterThan(0.93);
  expect(model.training).toBe(true);

  const worth = await model.evaluate(held[0], held[1], { loss: 'crossEntropy', batchSize: 50, metrics: { accuracy: accuracy(), confusion: confusionMatrix(2) } });
  expect(worth.accuracy).toBeCloseTo(last['accuracy/validation'], 6);
  expect(worth.loss).toBeCloseTo(last['loss/validation'], 5);
  const [[a, b], [c, d]] = worth.confusion;
  expect(a + b + c + d).toBe(128);
  expect((a + d) / 128).toBeCloseTo(worth.accuracy, 6);

  const said = (await model.predict(held[0], { batchSize: 50 })).argmax(1);
  expect(said.eq(held[1]).toFloat().mean().item()).toBeCloseTo(worth.accuracy, 6);
});

describe('fit', () => {
  const options = { loss: 'crossEntropy', lr: 0.03, batchSize: 64, seed: 1 } as const;

  test('takes a DataLoader, an optimizer, a schedule and a step of one\'s own', async () => {
    const [x, y] = points(320, 1);
    const train = async (): Promise<number[][]> => {
      const model = network(2, 0.1);
      const loader = new DataLoader(new TensorDataset(x, y), { batchSize: 64, shuffle: true, seed: 4 });
      const optimizer = new Adam(model.parameters(), { lr: 0.03 });
      const criterion = new CrossEntropyLoss();
      const history = await fit(model, loader, {
        epochs: 3,
        seed: 7,
        optimizer,
        schedule: new CosineAnnealingLR(optimizer, { tMax: 3 }),
        clipNorm: 1,
        step: ([input, target]) => {
          const output = model.call(input);
          return { loss: criterion.call(output, target), output, target };
        },
        metrics: { accuracy: accuracy() },
      });
      expect(history.epochs.map(({ values }) => values['learning-rate'])).toEqual([0.03, 0.03 * 0.75, 0.03 * 0.25].map((rate) => expect.closeTo(rate, 10)));
      return parametersOf(model);
    };
    expect(await train()).toEqual(await train());
  });

  test('a compiled step is the plain step', async () => {
    const data = points(256, 1);
    const trained = async (compile: boolean): Promise<Sequential> => {
      const model = network();
      await fit(model, data, { ...options, epochs: 4, compile, clipValue: 0.1 });
      return model;
    };
    const [compiled, plain] = [await trained(true), await trained(false)];
    compiled.parameters().forEach((parameter, i) => expect(parameter.detach().allClose(plain.parameters()[i].detach(), { rtol: 1e-3, atol: 1e-5 })).toBe(true));
  });

  test('batches whose gradients add up are one batch', async () => {
    const data = points(256, 1);
    const trained = async (batchSize: number, accumulate: number): Promise<Sequential> => {
      const model = network();
      const history = await fit(model, data, { ...options, optimizer: (params) => new SGD(params, { lr: 0.1, weightDecay: 0.01 }), lr: undefined, epochs: 2, batchSize, accumulate, shuffle: false, clipNorm: 0.5 });
      expect(history.epochs.at(-1)!.step).toBe(8);
      return model;
    };
    const [whole, parts] = [await trained(64, 1), await trained(16, 4)];
    whole.parameters().forEach((parameter, i) => expect(parameter.detach().allClose(parts.parameters()[i].detach(), { rtol: 1e-3, atol: 1e-5 })).toBe(true));
  });

  test('updates by what is left when an epoch\'s batches do not divide', async () => {
    const steps: number[] = [];
    await fit(network(), points(80, 1), { ...options, batchSize: 16, accumulate: 2, epochs: 2, callbacks: [{ onStep: ({ step, batch }) => steps.push(step, batch) }] });
    expect(steps).toEqual([1, 2, 2, 4, 3, 5, 4, 2, 5, 4, 6, 5]);
  });

  test('holds a part of the data out', async () => {
    const [x, y] = points(100, 1);
    const sizes: number[] = [];
    const train = async (data: readonly Tensor[] | TensorDataset<Tensor[]>) => {
      const seen: number[] = [];
      const model = network();
      await fit(model, data, {
        ...options,
        batchSize: 10,
        validation: 0.2,
        step: ([x, y]) => new CrossEntropyLoss().call(model.call(x), y),
        compile: false,
        callbacks: [{ onStep: ({ batches }) => sizes.push(batches!) }],
        evaluateStep: ([x, y]) => {
          seen.push(...(x.select(1, 0).toArray() as Float32Array));
          return new CrossEntropyLoss().call(model.call(x), y);
        },
      });
      return seen;
    };
    const held = await train([x, y]);
    expect(new Set(held).size).toBe(20);
    expect(held).not.toEqual([...(x.slice(0, 80).select(1, 0).toArray() as Float32Array)]);
    expect(await train(new TensorDataset(x, y))).toEqual(held);
    expect(new Set(sizes)).toEqual(new Set([8]));
    await expect(fit(network(), [x, y], { ...options, validation: 1.5 })).rejects.toThrow(/validation: expected data, or a part of them between 0 and 1, got 1.5/);
    await expect(fit(network(), [[x, y]], { ...options, validation: 0.5 })).rejects.toThrow(/tensors or a Dataset to take a part of, got Array/);
  });

  test('leaves modules that are in eval() alone, unless all are', async () => {
    const model = network(2, 0.5);
    const dropout = model.children()[2];
    dropout.eval();
    const seen: boolean[] = [];
    const watching = { callbacks: [{ onStep: () => seen.push(dropout.training) }], validation: points(8, 2) };
    await fit(model, points(64, 1), { ...options, ...watching, epochs: 2 });
    model.eval();
    await fit(model, points(64, 1), { ...options, ...watching, epochs: 2 });
    expect(seen).toEqual([false, false, true, true]);
  });

  test('leaves frozen parameters alone', async () => {
    const model = network();
    const [first] = [...model.children()];
    first.requiresGrad_(false);
    const before = parametersOf(model);
    await fit(model, points(64, 1), { ...options, epochs: 1 });
    await fit(model, points(64, 1), { ...options, epochs: 1, accumulate: 2, batchSize: 16 });
    const after = parametersOf(model);
    expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
    expect(after[2]).not.toEqual(before[2]);
  });

  test('schedules by updates, told how many there are', async () => {
    const rates: number[] = [];
    await fit(network(), points(256, 1), {
      ...options,
      epochs: 2,
      schedule: (optimizer, { totalSteps }) => new OneCycleLR(optimizer, { maxLr: 0.1, totalSteps }),
      scheduleEvery: 'step',
      recorder: { ...nothing, log: (values) => rates.push(values['learning-rate']) },
      histograms: false,
      recordEvery: 1,
    });
    expect(rates).toHaveLength(8);
    expect(Math.max(...rates)).toBeCloseTo(0.1, 2);
    expect(rates[7]).toBeLessThan(1e-4);
  });

  test('lets the rate fall on a plateau', async () => {
    const { epochs } = await fit(network(), points(64, 1), { ...options, lr: 1e-9, epochs: 4, schedule: (optimizer) => new ReduceLROnPlateau(optimizer, { patience: 0, threshold: 0.5, eps: 0 }) });
    expect(epochs.map(({ values }) => values['learning-rate'])).toEqual([1e-9, 1e-9, 1e-10, 1e-11].map((rate) => expect.closeTo(rate, 14)));
  });

  test('stops early and restores the best parameters', async () => {
    const model = network();
    const seen: number[][][] = [];
    const worse = [3, 2, 4, 5, 6, 7];
    const history = await fit(model, points(64, 1), {
      ...options,
      epochs: 6,
      metrics: { made: { update: ({ output }) => output.sum().reshape([1]).mul(0), compute: () => worse[Math.floor(seen.length)], better: 'lower' } },
      earlyStopping: { monitor: 'made/train', patience: 1 },
      callbacks: [{ onEpoch: () => seen.push(parametersOf(model)) }],
    });
    expect(history.stopped).toMatch('made/train was best in epoch 2, 2 epochs ago');
    expect(history.best).toEqual({ monitor: 'made/train', epoch: 2, value: 2 });
    expect(seen).toHaveLength(4);
    expect(parametersOf(model)).toEqual(seen[1]);
  });

  test('validates every few epochs, and stops by those', async () => {
    const seen: number[] = [];
    const { epochs, stopped } = await fit(network(), points(64, 1), {
      ...options,
      epochs: 20,
      validation: points(32, 2),
      validateEvery: 3,
      earlyStopping: { patience: 0, minDelta: 100 },
      schedule: () => ({ step: (metric) => seen.push(metric), stateDict: () => null, loadStateDict: () => {} }),
    });
    expect(epochs.map(({ values }) => 'loss/validation' in values)).toEqual([false, false, true, false, false, true]);
    expect(stopped).toBe('loss/validation was best in epoch 3, 3 epochs ago');
    expect(seen).toEqual([2, 5].map((i) => epochs[i].values['loss/validation']));
  });

  test('stops when it is told to', async () => {
    const told = await fit(network(), points(64, 1), { ...options, batchSize: 8, epochs: 9, callbacks: [{ onStep: ({ step, stop }) => step === 5 && stop('enough') }] });
    expect(told).toMatchObject({ stopped: 'enough', epochs: [] });
    const controller = new AbortController();
    const aborted = await fit(network(), points(64, 1), { ...options, epochs: 9, signal: controller.signal, callbacks: [{ onEpoch: ({ epoch }) => epoch === 2 && controller.abort() }] });
    expect(aborted.stopped).toBe('it was told to');
    expect(aborted.epochs).toHaveLength(2);
  });

  test('gives the event loop its turns', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await fit(network(), points(2048, 1), { ...options, batchSize: 8, epochs: 1 });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  test.each<[string, object, RegExp]>([
    ['no loss', { loss: undefined }, /a step: expected a loss, got none; give `loss`/],
    ['an unknown loss', { loss: 'hinge' }, /loss: expected one of crossEntropy, .* got hinge/],
    ['an unknown optimizer', { optimizer: 'adan' }, /optimizer: expected one of sgd, adam, .* got adan/],
    ['half an epoch', { epochs: 0.5 }, /epochs: expected a whole number from 0 on, got 0.5/],
    ['two learning rates', { optimizer: (params: Tensor[]) => new SGD(params) }, /lr: expected none beside an optimizer that has its own/],
    ['a monitor that there is not', { earlyStopping: { monitor: 'acc' } }, /earlyStopping: expected a monitor among loss\/train, learning-rate, got acc/],
    ['metrics without an output', { step: () => zeros([]).requiresGrad_(), metrics: { accuracy: accuracy() } }, /expected output and target, for the metrics/],
    ['a loss of several elements', { step: ([x]: Tensor[]) => x }, /a loss of one element, got \[64,2\]/],
    ['resuming from nowhere', { resume: true }, /resume: expected a `checkpoint` store/],
  ])('refuses %s', async (_what, bad, message) => {
    const training = fit(network(), points(64, 1), { ...options, ...bad });
    await expect(training).rejects.toThrow(TrainError);
    await expect(training).rejects.toThrow(message);
  });

  test('refuses batches and data of other kinds', async () => {
    await expect(fit(network(), [['a', 'b']], options)).rejects.toThrow(/a batch, part 0: expected tensors, or lists and records of them, got string/);
    await expect(fit(network(), 5 as never, options)).rejects.toThrow(/data: expected tensors, a Dataset, .* got number/);
    await expect(fit(network(), [], options)).rejects.toThrow(/epoch 1: expected batches, got none/);
    await expect(evaluate(network(), [], options)).rejects.toThrow(/evaluate: expected batches/);
  });

  test('a loss that is not finite ends it, and says where', async () => {
    const [x, y] = points(64, 1);
    const bad = x.toArray() as Float32Array;
    bad[2 * 40] = NaN;
    const spoilt = [tensor(bad).reshape([64, 2]).realize(), y];
    await expect(fit(network(), spoilt, { ...options, shuffle: false, batchSize: 16 })).rejects.toThrow(/the loss of update 3 \(epoch 1, batch 3, learning rate 0.03\): expected a finite number, got NaN/);
    await expect(fit(network(), spoilt, { ...options, shuffle: false, batchSize: 16, anomaly: true })).rejects.toThrow(/^update 3 .*got NaN in what it was given: float32\[16,2\], part 0 of the batch/);
    const { epochs } = await fit(network(), spoilt, { ...options, batchSize: 16, nonFinite: 'ignore' });
    expect(epochs[0].values['loss/train']).toBeNaN();
  });

  test('anomaly detection names the operator that made it, and leaves the parameters', async () => {
    const data = points(64, 1);
    for (const accumulate of [1, 2]) {
      const model = network();
      const seen: number[][][] = [];
      const training = fit(model, data, {
        ...options,
        shuffle: false,
        batchSize: 8,
        accumulate,
        anomaly: true,
        callbacks: [{ onStep: () => seen.push(parametersOf(model)) }],
        step: ([x, y]) => {
          const output = model.call(x);
          // Fails where a batch has that point.
          const distance = x.sub(data[0].narrow(0, 37, 1)).abs().sum(1);
          return new CrossEntropyLoss().call(output, y).add(distance.log().mean().mul(1e-3));
        },
      });
      const update = accumulate === 1 ? 5 : 3;
      await expect(training).rejects.toThrow(new RegExp(`update ${update} \\(epoch 1, batch 5, .*\\): expected finite numbers, got infinity, first made by Log \\(float32\\[8\\] of \\[0, .*fit.test.ts.*as before it`));
      expect(seen).toHaveLength(update - 1);
      expect(parametersOf(model)).toEqual(seen.at(-1));
    }
  });

  test('anomaly detection changes nothing else', async () => {
    const data = points(64, 1);
    const trained = async (anomaly: boolean): Promise<number[][]> => {
      const model = network(2, 0.1);
      await fit(model, data, { ...options, compile: false, anomaly, epochs: 2, batchSize: 16, clipNorm: 1 });
      return parametersOf(model);
    };
    const [watched, plain] = [await trained(true), await trained(false)];
    watched.flat().forEach((value, i) => expect(value).toBeCloseTo(plain.flat()[i], 5));
  });

  test('takes records as batches, and models of several inputs', async () => {
    class Pair extends Module {
      readonly layer = new Linear(2, 2);
      forward(a: Tensor, b: Tensor): Tensor {
        return this.layer.call(a.add(b));
      }
    }
    manualSeed(1);
    const [model, [x, y]] = [new Pair(), points(32, 1)];
    await fit(model, [x, x, y], { ...options, epochs: 1 });
    expect((await predict(model, [x, x], { batchSize: 10 })).shape).toEqual([32, 2]);
    const seen: string[] = [];
    await fit(model, [{ a: x, b: { c: y } }], {
      step: ({ a, b }) => {
        seen.push(`${a.shape} ${b.c.shape}`);
        return new CrossEntropyLoss().call(model.call(a, a), b.c);
      },
    });
    expect(seen).toEqual(['32,2 32']);
  });
});

const nothing: Recorder = { log: () => {}, histogram: () => {}, image: () => {}, text: () => {} };

test('writes to a recorder, and is not changed by it', async () => {
  const data = points(256, 1);
  const trained = async (recorder?: Recorder): Promise<number[][]> => {
    const model = network(2, 0.2);
    await fit(model, data, { loss: 'crossEntropy', batchSize: 32, epochs: 2, seed: 3, recorder, recordEvery: 4, clipNorm: 1, validation: points(32, 9), metrics: { accuracy: accuracy() } });
    return parametersOf(model);
  };
  const logs: [string, number][] = [];
  const histograms: [string, number, number][] = [];
  const recorder: Recorder = {
    ...nothing,
    log: (values, step) => logs.push([Object.keys(values).join(' '), step]),
    histogram: (name, values, step) => histograms.push([name, values.length, step]),
  };
  expect(await trained(recorder)).toEqual(await trained());
  const train = 'epoch loss/train accuracy/train learning-rate step-ms gradient-norm';
  const held = 'epoch loss/validation accuracy/validation';
  expect(logs).toEqual([[train, 4], [train, 8], [held, 8], [train, 12], [train, 16], [held, 16]]);
  const names = ['0.weight', '0.bias', '3.weight', '3.bias'];
  const sizes = [64, 32, 64, 2];
  const all = (part: string, step: number) => names.map((name, i) => [`${part}/${name}`, sizes[i], step]);
  expect(histograms).toEqual([...all('weights', 8), ...all('gradients', 8), ...all('weights', 16), ...all('gradients', 16)]);
});
