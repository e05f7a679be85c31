/** MNIST: a small convolutional network reads digits written by hand. */
import { DataLoader } from 'whetstone/data';
import type { Module } from 'whetstone/nn';
import { Adam, OneCycleLR } from 'whetstone/optim';
import { manualSeed, type Tensor } from 'whetstone/tensor';
import { accuracy, confusionMatrix, evaluate, fit, predict } from 'whetstone/train';
import type { Example, Setting } from '../example.ts';
import { confusionTable, rightOf, sideBySide } from '../terminal.ts';
import { type Digits, draw, readDigits } from './data.ts';
import { digitNetwork, type Layers } from './model.ts';

export interface Config extends Layers {
  readonly summary: string;
  readonly lr: number;
  readonly batch: number;
  readonly epochs: number;
}

const quick: Config = { summary: 'convolutions of 16 and 32 channels: 99 % in a minute', channels: [16, 32], hidden: 128, dropout: 0.2, lr: 8e-3, batch: 128, epochs: 4 };
export const configs = {
  quick,
  wide: { ...quick, summary: 'convolutions of 32 and 64 channels', channels: [32, 64], epochs: 8 },
} satisfies Record<string, Config>;

const names = Array.from({ length: 10 }, (_, digit) => `${digit}`);

export const mnist: Example = {
  summary: 'a small convolutional network reads digits written by hand',
  configs,
  async train({ config: name, epochs = configs[name as keyof typeof configs].epochs, seed, data, watch, fetch, print }: Setting) {
    const config: Config = configs[name as keyof typeof configs];
    const folder = data ?? (await fetch('mnist')).path;
    const [train, test] = await Promise.all([readDigits(folder, 'train'), readDigits(folder, 't10k')]);
    const batches = new DataLoader<readonly [Tensor, Tensor], readonly [Tensor, Tensor]>(train, { batchSize: config.batch, shuffle: true, seed, dropLast: train.length >= config.batch });

    manualSeed(seed);
    const model = digitNetwork(config);
    const watching = watch();
    const history = await fit(model, batches, {
      ...watching,
      seed,
      epochs,
      optimizer: (parameters) => new Adam(parameters, { lr: config.lr }),
      schedule: (optimizer, { totalSteps }) => new OneCycleLR(optimizer as Adam, { maxLr: config.lr, totalSteps, cycleMomentum: false }),
      scheduleEvery: 'step',
      loss: 'crossEntropy',
      metrics: { accuracy: accuracy() },
      validation: test,
      batchSize: 500,
    });

    // The test set is looked at after every epoch for the curves alone: nothing is chosen by it.
    const { confusion } = await evaluate(model, test, { batchSize: 500, metrics: { confusion: confusionMatrix(10) } });
    for (const line of confusionTable(confusion, names)) print(line);
    const wrong = await mistakes(model, test);
    print('');
    const shown = wrong.slice(0, 3).map(({ index, truth, answer }) => ({ picture: test.get(index)[0], words: `a ${truth}, taken for a ${answer}` }));
    for (const line of sideBySide(shown.map(({ picture, words }) => [words.padEnd(28), ...draw(picture)]))) print(line);
    for (const { picture, words } of shown) watching.recorder?.image(words, { width: 28, height: 28, data: picture.toArray() as Uint8Array }, history.epochs.at(-1)?.step ?? 0);
    print('');
    print(`test accuracy ${(100 * rightOf(confusion)).toFixed(2)} %, ${wrong.length} of ${test.length} wrong`);
    return { accuracy: rightOf(confusion), confusion, wrong };
  },
};

interface Mistake {
  readonly index: number;
  readonly truth: number;
  readonly answer: number;
}

async function mistakes(model: Module, test: Digits): Promise<Mistake[]> {
  const [pictures, labels] = test.getBatch(Array.from({ length: test.length }, (_, i) => i));
  const answers = (await predict(model, pictures, { batchSize: 500 })).argmax(1).tolist() as number[];
  return (labels.tolist() as number[]).flatMap((truth, index) => (truth === answers[index] ? [] : [{ index, truth, answer: answers[index] }]));
}
