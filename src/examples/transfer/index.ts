/**
 * Transfer learning: ResNet-50, trained on ImageNet, learns to tell classes of one's own apart from a few pictures of each. First a
 * new head on features that are computed once, then the network's last stage along with it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataLoader } from 'whetstone/data';
import { compileModel } from 'whetstone/engine';
import { loadModelFile } from 'whetstone/formats/node';
import { cutModel, type Model } from 'whetstone/graph';
import { Dropout, GraphModule, type Layer, Linear, Module, Sequential } from 'whetstone/nn';
import { Adam, CosineAnnealingLR, OneCycleLR } from 'whetstone/optim';
import { manualSeed, rand, type Tensor, where } from 'whetstone/tensor';
import { accuracy, confusionMatrix, evaluate, fit, type History } from 'whetstone/train';
import type { Recipe } from 'whetstone/vision';
import { readImage } from 'whetstone/vision/node';
import { type Example, percent, type Setting, type Watch } from '../example.ts';
import { confusionTable, rightOf } from '../terminal.ts';
import { cifarPictures, folderPictures, type Pictures } from './data.ts';
import { type Features, featuresOf } from './features.ts';
import { confusionPng } from './picture.ts';

export interface Config {
  readonly summary: string;
  /** Most pictures to train on, and to test on. */
  readonly train: number;
  readonly test: number;
  /** Of the head alone. */
  readonly headEpochs: number;
  /** Of the last stage with the head; 0 leaves it as it is. */
  readonly epochs: number;
  /** Learning rates. What is pretrained needs a low one. */
  readonly rates: { readonly head: number; readonly stage: number };
}

const small: Config = { summary: '2,000 pictures, a new head, then the last stage', train: 2_000, test: 500, headEpochs: 6, epochs: 2, rates: { head: 1e-3, stage: 3e-5 } };
export const configs = {
  small,
  head: { ...small, summary: '2,000 pictures, a new head alone', epochs: 0 },
} satisfies Record<string, Config>;

/** A pretrained network, and where it is taken apart. */
export interface Backbone {
  readonly model: Model;
  readonly recipe: Recipe;
  /** The layer that the last stage begins after, and the one whose result the head is given. */
  readonly stage: string;
  readonly pooled: string;
}

export interface Outcome {
  /** Top-1 on pictures never seen: with the new head alone, and in the end. */
  readonly headAccuracy: number;
  readonly accuracy: number;
  readonly confusion: readonly (readonly number[])[];
  /** The confusion matrix as PNG. */
  readonly picture: Uint8Array;
}

export async function transferLearn({ model, recipe, stage, pooled }: Backbone, pictures: Pictures, config: Config, setting: Pick<Setting, 'seed' | 'watch' | 'progress' | 'compile'>): Promise<Outcome> {
  const { seed, watch } = setting;
  const confusionOf = async (network: Layer, test: Features): Promise<number[][]> =>
    (await evaluate(network, test, { batchSize, metrics: { confusion: confusionMatrix(pictures.classes.length) } })).confusion;

  // What stays as it is: run by the engine, once for each picture, up to where learning begins.
  const frozen = compileModel(cutModel(model, { outputs: config.epochs > 0 ? [stage, pooled] : [pooled] }), 'cpu', setting.compile);
  const done = setting.progress('features', pictures.train.length + pictures.test.length);
  const train = await featuresOf(frozen, pictures.train, recipe, done);
  const test = await featuresOf(frozen, pictures.test, recipe, (count) => done(pictures.train.length + count));
  frozen.dispose();

  manualSeed(seed);
  const head = new Linear(train[pooled].shape[0], pictures.classes.length);
  let watching = watch('head');
  let history = await learn(head, train[pooled], test[pooled], { lr: config.rates.head, warmUp: 0, epochs: config.headEpochs, seed }, watching);
  let confusion = await confusionOf(head, test[pooled]);
  const headAccuracy = rightOf(confusion);

  if (config.epochs > 0) {
    // What is left of the network, as a module; its normalisation keeps to ImageNet's statistics.
    const last = new GraphModule(cutModel(model, { inputs: [stage], outputs: [pooled] }));
    const network = new Sequential({ mirror: new Mirror(), stage: last, dropout: new Dropout(0.5), head });
    watching = watch('stage');
    history = await learn(network, train[stage], test[stage], { lr: config.rates.stage, warmUp: 0.2, epochs: config.epochs, seed }, watching);
    confusion = await confusionOf(network, test[stage]);
  }
  const picture = await confusionPng(confusion, pictures.classes);
  watching.recorder?.image('confusion', await readImage(picture), history.epochs.at(-1)?.step ?? 0);
  return { headAccuracy, accuracy: rightOf(confusion), confusion, picture };
}

const batchSize = 16;

/** In training, turns features [batch, channels, height, width] left to right, half of the time: nearly those of the mirrored picture. */
class Mirror extends Module {
  forward(features: Tensor): Tensor {
    return this.training ? where(rand([features.shape[0], 1, 1, 1]).lt(0.5), features, features.flip(3)) : features;
  }
}

interface Learning {
  readonly lr: number;
  /** The part of the steps in which the rate rises to that; then it falls. What is pretrained must not be shaken by the first steps. */
  readonly warmUp: number;
  readonly epochs: number;
  readonly seed: number;
}

function learn(network: Layer, train: Features, test: Features, { lr, warmUp, epochs, seed }: Learning, watching: Watch): Promise<History> {
  const batches = new DataLoader(train, { batchSize, shuffle: true, seed, dropLast: train.length > batchSize }) as DataLoader<unknown, readonly [Tensor, Tensor]>;
  return fit(network, batches, {
    ...watching,
    seed,
    epochs,
    optimizer: (parameters) => new Adam(parameters, { lr }),
    schedule: (optimizer, { totalSteps }) =>
      warmUp > 0 ? new OneCycleLR(optimizer as Adam, { maxLr: lr, totalSteps, pctStart: warmUp, cycleMomentum: false }) : new CosineAnnealingLR(optimizer as Adam, { tMax: totalSteps }),
    scheduleEvery: 'step',
    loss: 'crossEntropy',
    metrics: { accuracy: accuracy() },
    validation: test,
    batchSize,
  });
}

export const transfer: Example = {
  summary: 'ResNet-50 learns classes of its own: a new head, then the last stage',
  configs,
  async train(setting: Setting) {
    const { data, seed, print, out } = setting;
    const config: Config = configs[setting.config as keyof typeof configs];
    const { path, entry } = await setting.fetch('resnet50');
    const { recipe } = entry.input!;
    const pictures = data ? await folderPictures(data, config, seed) : await cifarPictures((await setting.fetch('cifar10')).path, config);
    // The network's own cut takes the middle; of pictures as small as CIFAR's all is wanted.
    const { width, height } = recipe.fit as { width: number; height: number };
    const backbone: Backbone = {
      model: await loadModelFile(path),
      recipe: data ? recipe : { ...recipe, fit: { mode: 'stretch', width, height } },
      stage: 'activation_39',
      pooled: 'avg_pool',
    };
    const { picture, ...outcome } = await transferLearn(backbone, pictures, { ...config, epochs: setting.epochs ?? config.epochs }, setting);

    for (const line of confusionTable(outcome.confusion, pictures.classes)) print(line);
    const file = join(out, 'confusion.png');
    await mkdir(out, { recursive: true });
    await writeFile(file, picture);
    print(`\ntop-1 of ${pictures.test.length} pictures never seen: ${percent(outcome.headAccuracy)} with a new head, ${percent(outcome.accuracy)} in the end`);
    print(file);
    return { ...outcome, classes: pictures.classes, picture: file };
  },
};
