// @ts-check
/**
 * What is run. An inference work is a graph made by Whetstone and exported to ONNX once a batch size; everybody, Whetstone too, reads that
 * file. A training work is a model of training.mjs and of pytorch/models.py; both start from the same values and see the same batches.
 * To add one: an entry here, and its bars in contests.mjs.
 */
import { randomIntegers, randomPatches, randomValues, sizeOf } from './inputs.mjs';

/** @typedef {import('./types.ts').Work} Work */

/**
 * Fifty layers of normalisation over eight images make rounding errors large: PyTorch's own losses after the first step, in float32 by either
 * layout and in float64, are 3e-3 of it apart, ours 1e-3 to 3e-3 from them, while the step changes it by 3e-2.
 */
const unsteady = { losses: 2, tolerance: 1e-2 };

/** @type {Readonly<Record<string, Work>>} */
export const works = {
  resnet50: {
    part: 'inference',
    title: 'ResNet-50',
    batches: [1, 8],
    rate: { unit: 'images/s', of: (batch) => batch },
    // Pixels, less the mean of ImageNet.
    scale: 128,
    share: 1,
    async graph(batch) {
      const [{ zooGet }, { loadModelFile }] = await Promise.all([import('../dist/zoo/index.js'), import('../dist/formats/node.js')]);
      const { path, entry } = await zooGet('resnet50');
      const model = await loadModelFile(path);
      const [, ...image] = entry.input?.defaultShape ?? [];
      return model.build({ [model.inputs[0].name]: [batch, ...image] });
    },
  },
  vgg: network('vgg', 'VGG-16 convolutions', 'images/s', [1]),
  mobilenet: network('mobilenet', 'MobileNetV2', 'images/s', [1]),
  transformer: network('transformer', 'transformer encoder', 'sequences/s', [1, 8]),
  gemm256: gemm(256, 'constant'),
  'gemm256-inputs': gemm(256, 'input'),
  gemm1024: gemm(1024, 'constant'),
  'gemm1024-inputs': gemm(1024, 'input'),
  'train-seq2seq': {
    title: 'seq2seq GRU step',
    batches: [64, 256],
    rate: { unit: 'sequences/s', of: (batch) => batch },
    ...trained({ model: 'seq2seq', optimizer: 'adam', lr: 1e-3 }, { source: [10], isClasses: true, labels: [10] }),
  },
  'train-cnn': {
    title: 'MNIST CNN step',
    batches: [64],
    rate: { unit: 'images/s', of: (batch) => batch },
    ...trained({ model: 'cnn', optimizer: 'adam', lr: 1e-3, images: true }, { source: [1, 28, 28] }),
  },
  'train-mlp': {
    title: 'MLP 784-128-10 step',
    batches: [64],
    rate: { unit: 'images/s', of: (batch) => batch },
    ...trained({ model: 'mlp', optimizer: 'adam', lr: 1e-3 }, { source: [784] }),
    isRetraced: true,
    share: 0.5,
    memoryRuns: 1000,
  },
  'train-resnet50': {
    title: 'ResNet-50 step',
    batches: [8],
    rate: { unit: 'images/s', of: (batch) => batch },
    ...trained({ model: 'resnet50', optimizer: 'momentum', lr: 0.01, images: true, ...unsteady }, { source: [3, 224, 224], classes: 1000 }),
    memoryRuns: 5,
  },
};

/**
 * A training step of forward, backward and update. There are more batches of labels than of inputs, so each input meets several labels:
 * nothing can be learnt by heart, and gradients never fade away while time is measured.
 * @param {Pick<import('./types.ts').Training, 'model' | 'optimizer' | 'lr'> & { images?: boolean, losses?: number, tolerance?: number }} training
 * @param {{ source: number[], isClasses?: boolean, labels?: number[], classes?: number }} data one example
 * @returns {Pick<Work, 'part' | 'scale' | 'share' | 'training'>}
 */
function trained(training, { source, isClasses = false, labels = [], classes = 10 }) {
  return {
    part: 'training',
    scale: 1,
    share: 1,
    training: {
      losses: 5,
      tolerance: 1e-3,
      images: false,
      ...training,
      data(batch) {
        const inputs = [2, batch, ...source];
        const targets = [4, batch, ...labels];
        return {
          inputs: isClasses
            ? { dtype: 'int64', shape: inputs, data: randomIntegers(sizeOf(inputs), classes, 1) }
            : { dtype: 'float32', shape: inputs, data: source.length === 3 ? randomPatches(inputs, 1) : randomValues(sizeOf(inputs), 1, 1) },
          targets: { dtype: 'int64', shape: targets, data: randomIntegers(sizeOf(targets), classes, 2) },
        };
      },
    },
  };
}

/** @param {'vgg' | 'mobilenet' | 'transformer'} name @param {string} title @param {string} unit @param {readonly number[]} batches @returns {Work} */
function network(name, title, unit, batches) {
  return {
    part: 'inference',
    title,
    batches,
    rate: { unit, of: (batch) => batch },
    scale: 1,
    share: 1,
    graph: async (batch) => (await import('./networks.mjs'))[name](batch),
  };
}

/**
 * A product of two square matrices: B a constant, as a layer's weights are, which may be packed beforehand, or an input like A.
 * @param {number} size @param {'constant' | 'input'} kind of B @returns {Work}
 */
function gemm(size, kind) {
  const shape = [size, size];
  const flops = 2 * size ** 3;
  return {
    part: 'inference',
    title: `gemm ${size}, B ${kind === 'constant' ? 'constant' : 'an input'}`,
    batches: [1],
    isKernel: true,
    rate: { unit: 'GFLOP/s', of: () => flops / 1e9 },
    scale: 1,
    flops,
    share: 0.5,
    async graph() {
      const { apply, constant, input, tensorData } = await import('../dist/index.js');
      const a = input('a', 'float32', shape);
      const b = kind === 'input' ? input('b', 'float32', shape) : constant(tensorData('float32', shape, randomValues(sizeOf(shape), 1, 99)));
      const inputs = [{ name: 'a', value: a }, ...(kind === 'input' ? [{ name: 'b', value: b }] : [])];
      return { name: 'gemm', inputs, outputs: [{ name: 'c', value: apply('MatMul', [a, b]) }] };
    },
  };
}

/** What a work is called in a line or a table. @param {string} name @param {number} batch */
export const titleOf = (name, batch) => (works[name].isKernel ? works[name].title : `${works[name].title}, batch ${batch}`);
