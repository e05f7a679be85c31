/** An interrupted training ends where the uninterrupted one does, bit for bit; damaged checkpoints are never taken for whole ones. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readSafetensors, writeSafetensors } from '../formats/index.ts';
import { hashBytes } from '../graph/index.ts';
import { BatchNorm1d, Dropout, Linear, ReLU, Sequential } from '../nn/index.ts';
import { CosineAnnealingLR, OneCycleLR, SGD } from '../optim/index.ts';
import { manualSeed, rand, type Tensor } from '../tensor/index.ts';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.ts';
import { accuracy, type Checkpoint, type CheckpointStore, fit, type FitOptions, TrainError } from './index.ts';
import { checkpoints, readCheckpoint } from './node.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'whet-train-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function points(count: number, seed: number): [x: Tensor, y: Tensor] {
  manualSeed(seed);
  const x = rand([count, 2]).realize();
  const sides = x.gt(0.5).toLong();
  return [x, sides.select(1, 0).eq(sides.select(1, 1)).toLong().realize()];
}
const data = points(100, 1);
const held = points(40, 2);

const network = (): Sequential => {
  manualSeed(3);
  return new Sequential(new Linear(2, 8), new BatchNorm1d(8), new ReLU(), new Dropout(0.2), new Linear(8, 2));
};
const valuesOf = (model: Sequential): number[][] => [...model.stateDict().values()].map(({ data }) => Array.from(data as Float32Array, Number));

const base = { loss: 'crossEntropy', lr: 0.03, batchSize: 16, epochs: 4, seed: 5, validation: held, metrics: { accuracy: accuracy() } } as const satisfies FitOptions<Tensor[]>;

describe('resuming', () => {
  const variants: Record<string, Partial<FitOptions<Tensor[]>>> = {
    plain: {},
    'with a schedule by epochs and clipping': { schedule: (optimizer) => new CosineAnnealingLR(optimizer, { tMax: 4 }), clipNorm: 0.5 },
    'with a schedule by updates and momentum': {
      lr: undefined,
      optimizer: (params) => new SGD(params, { lr: 0.05, momentum: 0.9 }),
      schedule: (optimizer, { totalSteps }) => new OneCycleLR(optimizer, { maxLr: 0.1, totalSteps }),
      scheduleEvery: 'step',
    },
    'with gradients that add up': { accumulate: 2 },
    'with early stopping': { earlyStopping: { patience: 0, minDelta: 0.01 } },
    'without compile': { compile: false, epochs: 2 },
  };
  for (const [name, variant] of Object.entries(variants)) {
    test(name, async () => {
      const whole = network();
      const expected = await fit(whole, data, { ...base, ...variant });
      const total = expected.epochs.at(-1)!.step;
      // Interrupted every so many updates: within epochs, and at an end of one.
      const store = checkpoints(folder, { everySteps: 3 });
      let model = network();
      let history = await fit(model, data, { ...base, ...variant, checkpoint: store, callbacks: [{ onStep: ({ step, stop }) => step === 2 && stop('interrupted') }] });
      for (let at = 7; history.stopped === 'interrupted'; at += 6) {
        expect(at).toBeLessThan(total + 12);
        model = network();
        history = await fit(model, data, { ...base, ...variant, checkpoint: store, resume: true, callbacks: [{ onStep: ({ step, stop }) => step === at && stop('interrupted') }] });
      }
      expect(history).toEqual(expected);
      expect(valuesOf(model)).toEqual(valuesOf(whole));
      // Once more, when all is done: nothing happens.
      const again = network();
      expect(await fit(again, data, { ...base, ...variant, checkpoint: store, resume: true })).toEqual(expected);
      expect(valuesOf(again)).toEqual(valuesOf(whole));
    });
  }

  test('on to more epochs', async () => {
    const whole = network();
    await fit(whole, data, { ...base, epochs: 3 });
    const model = network();
    await fit(model, data, { ...base, epochs: 1, checkpoint: checkpoints(folder) });
    const resumed: (number | undefined)[] = [];
    const { epochs } = await fit(model, data, { ...base, epochs: 3, checkpoint: checkpoints(folder), resume: true, callbacks: [{ onBegin: ({ resumedAt }) => resumed.push(resumedAt) }] });
    expect(resumed).toEqual([7]);
    expect(epochs).toHaveLength(3);
    expect(valuesOf(model)).toEqual(valuesOf(whole));
  });

  test('is asked for, and wants the same run', async () => {
    const train = (options: object) => fit(network(), data, { ...base, epochs: 1, checkpoint: checkpoints(folder), ...options });
    await train({ resume: true });
    await expect(train({})).rejects.toThrow(/expected a place without checkpoints, got one of step 7; give `resume: true`/);
    await expect(train({ resume: true, batchSize: 20 })).rejects.toThrow(/resume: expected batches 7, as in the checkpoint, got 5/);
    await expect(train({ resume: true, seed: 6 })).rejects.toThrow(/resume: expected seed 5/);
    await expect(train({ resume: true, optimizer: 'sgd' })).rejects.toThrow(/SGD: expected options among/);
    const other = new Sequential(new Linear(2, 2));
    await expect(fit(other, data, { ...base, checkpoint: checkpoints(folder), resume: true })).rejects.toThrow(/missing|unexpected/);
  });
});

describe('a folder of checkpoints', () => {
  test('keeps the newest and the best', async () => {
    const worth = [5, 3, 4, 2, 6];
    let epoch = 0;
    const model = network();
    const states: number[][][] = [];
    await fit(model, data, {
      ...base,
      validation: undefined,
      epochs: 5,
      metrics: { made: { update: ({ output }) => output.sum().reshape([1]).mul(0), compute: () => worth[epoch], better: 'lower' } },
      checkpoint: checkpoints(folder, { keep: 2, best: 'made/train', better: 'lower' }),
      callbacks: [{ onEpoch: () => (states.push(valuesOf(model)), epoch++) }],
    });
    expect(readdirSync(folder).sort()).toEqual(['best.safetensors', 'step-000000000028.safetensors', 'step-000000000035.safetensors']);
    const best = await readCheckpoint(join(folder, 'best.safetensors'));
    expect(best.epoch).toBe(4);
    model.loadStateDict(best.model);
    expect(valuesOf(model)).toEqual(states[3]);
    // Other tools read the parameters.
    expect(readSafetensors(readFileSync(join(folder, 'best.safetensors'))).tensors.get('model/0.weight')!.shape).toEqual([8, 2]);
  });

  test('passes damaged files over, and says so', async () => {
    const warnings: string[] = [];
    const store = (): CheckpointStore => checkpoints(folder, { warn: (message) => warnings.push(message) });
    await fit(network(), data, { ...base, epochs: 3, checkpoint: store() });
    const [first, second, third] = readdirSync(folder).sort();
    writeFileSync(join(folder, '.step-000000000022.safetensors.part'), 'half');
    truncateSync(join(folder, third), 1000);
    const bytes = readFileSync(join(folder, second));
    bytes[bytes.length - 3] ^= 4;
    writeFileSync(join(folder, second), bytes);
    expect((await store().load())!.step).toBe(7);
    expect(warnings).toEqual([
      expect.stringMatching(/step-000000000021.safetensors: expected a whole file, got a torn or changed one/),
      expect.stringMatching(/step-000000000014.safetensors: expected a whole file, .*; going on from step-000000000007.safetensors instead/),
    ]);
    expect(readdirSync(folder).sort()).toEqual([first, second, third]);
    // The training ends the same, whatever it goes on from.
    const [model, whole] = [network(), network()];
    await fit(model, data, { ...base, epochs: 3, checkpoint: store(), resume: true });
    await fit(whole, data, { ...base, epochs: 3 });
    expect(valuesOf(model)).toEqual(valuesOf(whole));

    for (const name of readdirSync(folder)) writeFileSync(join(folder, name), 'not a checkpoint');
    await expect(store().load()).rejects.toThrow(/expected a whole checkpoint, got 3 damaged ones .*another file.*remove them/);
    await expect(checkpoints(join(folder, first)).load()).rejects.toThrow(/a folder for checkpoints, got a file/);
    await expect(readCheckpoint(join(folder, 'none'))).rejects.toThrow(/no such file/);
  });
});

describe('the file', () => {
  let checkpoint: Checkpoint;
  const state = async (): Promise<Checkpoint> => {
    await fit(network(), data, { ...base, epochs: 1, earlyStopping: true, checkpoint: { load: async () => undefined, save: async (one) => void (checkpoint = one) } });
    return checkpoint;
  };

  test('gives back what was put in', async () => {
    const before = { ...(await state()), epochs: [{ epoch: 1, step: 2, values: { a: NaN, b: -Infinity, c: -0, d: 0.1 } }], random: { seed: -5n, counter: 2n ** 62n } };
    const after = decodeCheckpoint(encodeCheckpoint(before));
    const plain = ({ optimizer, ...rest }: Checkpoint) => ({ ...rest, groups: JSON.stringify(optimizer.paramGroups), state: Object.entries(optimizer.state).map(([i, kept]) => [i, Object.entries(kept).map(([name, value]) => [name, value.dtype, [...(value.toArray() as Float32Array)]]).sort()]) });
    expect(plain(after)).toEqual(plain(before));
  });

  test('any damage is an error', async () => {
    const seed = encodeCheckpoint(await state());
    fc.assert(
      fc.property(fc.nat(seed.length - 1), fc.integer({ min: 1, max: 255 }), fc.option(fc.nat(seed.length - 1)), (at, change, length) => {
        const bytes = seed.slice(0, length ?? seed.length);
        if (length === null) bytes[at] ^= change;
        expect(() => decodeCheckpoint(bytes, 'x')).toThrow(TrainError);
      }),
      { numRuns: 300 },
    );
    // Whole, and written by somebody else.
    const { tensors, metadata } = readSafetensors(seed);
    const forged = (change: object): Uint8Array => {
      const bytes = writeSafetensors(tensors, { ...metadata, digest: '0'.repeat(32), state: JSON.stringify({ ...JSON.parse(metadata.state), ...change }) });
      bytes.set(new TextEncoder().encode(hashBytes(bytes).map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')), 35);
      return bytes;
    };
    expect(decodeCheckpoint(forged({ step: 9 })).step).toBe(9);
    for (const change of [{ step: -1 }, { epoch: 0.5 }, { totals: { sums: 1e12 } }, { random: { seed: '1e9' } }, { paramGroups: null }, { run: null }]) {
      expect(() => decodeCheckpoint(forged(change), 'x')).toThrow(/x: expected a training's state in the metadata, got \{/);
    }
    expect(() => decodeCheckpoint(new Uint8Array(0), 'x')).toThrow(/x: expected a checkpoint of a training, got an empty file/);
  });
});
