// @ts-check
/** The trained works for Whetstone, as pytorch/models.py defines them for PyTorch: the same modules, names, layouts and losses. */
import { nn, optim } from '../dist/index.js';
import { cat, full } from '../dist/tensor/index.js';

/** @typedef {import('../dist/index.js').Tensor} Tensor */

const { functional: F } = nn;

class Seq2Seq extends nn.Module {
  embedding;
  encoder;
  decoder;
  out;

  constructor(digits = 10, hidden = 256, numLayers = 4) {
    super();
    this.start = digits;
    this.embedding = new nn.Embedding(digits + 1, hidden);
    this.encoder = new nn.GRU(hidden, hidden, { numLayers, batchFirst: true });
    this.decoder = new nn.GRU(hidden, hidden, { numLayers, batchFirst: true });
    this.out = new nn.Linear(hidden, digits);
  }

  /** @param {Tensor} source @param {Tensor} target */
  forward(source, target) {
    const [, state] = this.encoder.call(this.embedding.call(source));
    const [batch, length] = target.shape;
    const previous = cat([full([batch, 1], this.start, { dtype: 'int64' }), target.narrow(1, 0, length - 1)], 1);
    const [output] = this.decoder.call(this.embedding.call(previous), state);
    return F.nllLoss(this.out.call(output).logSoftmax(-1).flatten(0, 1), target.flatten());
  }
}

class Cnn extends nn.Module {
  conv1 = new nn.Conv2d(1, 32, 3);
  conv2 = new nn.Conv2d(32, 64, 3);
  fc1 = new nn.Linear(9216, 128);
  fc2 = new nn.Linear(128, 10);

  /** @param {Tensor} images @param {Tensor} labels */
  forward(images, labels) {
    const x = F.maxPool(this.conv2.call(this.conv1.call(images).relu()).relu(), 2);
    return F.crossEntropy(this.fc2.call(this.fc1.call(x.flatten(1)).relu()), labels);
  }
}

class Mlp extends nn.Module {
  fc1 = new nn.Linear(784, 128);
  fc2 = new nn.Linear(128, 10);

  /** @param {Tensor} images @param {Tensor} labels */
  forward(images, labels) {
    return F.crossEntropy(this.fc2.call(this.fc1.call(images).relu()), labels);
  }
}

class Bottleneck extends nn.Module {
  /** @param {number} widthIn @param {number} width @param {number} stride */
  constructor(widthIn, width, stride) {
    super();
    this.conv1 = new nn.Conv2d(widthIn, width, 1, { bias: false });
    this.bn1 = new nn.BatchNorm2d(width);
    this.conv2 = new nn.Conv2d(width, width, 3, { stride, padding: 1, bias: false });
    this.bn2 = new nn.BatchNorm2d(width);
    this.conv3 = new nn.Conv2d(width, 4 * width, 1, { bias: false });
    this.bn3 = new nn.BatchNorm2d(4 * width);
    const changes = stride !== 1 || widthIn !== 4 * width;
    this.downsample = changes ? new nn.Sequential(new nn.Conv2d(widthIn, 4 * width, 1, { stride, bias: false }), new nn.BatchNorm2d(4 * width)) : undefined;
  }

  /** @param {Tensor} x @returns {Tensor} */
  forward(x) {
    let y = this.bn1.call(this.conv1.call(x)).relu();
    y = this.bn2.call(this.conv2.call(y)).relu();
    y = this.bn3.call(this.conv3.call(y));
    return y.add(this.downsample ? this.downsample.call(x) : x).relu();
  }
}

class ResNet50 extends nn.Module {
  constructor(classes = 1000) {
    super();
    this.conv1 = new nn.Conv2d(3, 64, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = new nn.BatchNorm2d(64);
    const blocks = [];
    let widthIn = 64;
    for (const [width, count, stride] of [[64, 3, 1], [128, 4, 2], [256, 6, 2], [512, 3, 2]]) {
      for (let i = 0; i < count; i++) {
        blocks.push(new Bottleneck(widthIn, width, i === 0 ? stride : 1));
        widthIn = 4 * width;
      }
    }
    this.blocks = new nn.Sequential(...blocks);
    this.fc = new nn.Linear(widthIn, classes);
  }

  /** @param {Tensor} images @param {Tensor} labels */
  forward(images, labels) {
    const x = F.maxPool(this.bn1.call(this.conv1.call(images)).relu(), 3, { stride: 2, padding: 1 });
    return F.crossEntropy(this.fc.call(this.blocks.call(x).mean([2, 3])), labels);
  }
}

/** @type {Readonly<Record<string, () => import('../dist/nn/index.js').Module>>} */
export const models = { seq2seq: () => new Seq2Seq(), cnn: () => new Cnn(), mlp: () => new Mlp(), resnet50: () => new ResNet50() };

/** @type {Readonly<Record<string, (parameters: Iterable<any>, lr: number) => import('../dist/optim/index.js').Optimizer>>} */
export const optimizers = {
  adam: (parameters, lr) => new optim.Adam(/** @type {any} */ (parameters), { lr }),
  momentum: (parameters, lr) => new optim.SGD(/** @type {any} */ (parameters), { lr, momentum: 0.9 }),
};
