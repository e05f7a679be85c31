// @ts-check
/** Networks of usual shapes with random weights, built with ONNX's operators: each a graph for a batch size. */
import { apply, constant, fromNumbers, input, tensorData } from '../dist/index.js';
import { randomValues, sizeOf } from './inputs.mjs';

/** @typedef {import('../dist/index.js').Value} Value */

/** Weights drawn evenly with the variance that He et al. give ("Delving Deep into Rectifiers", 2015), so that signals keep their size. */
function drawer() {
  let seed = 100;
  return {
    /** @param {number[]} shape @param {number} fanIn */
    weight: (shape, fanIn) => constant(tensorData('float32', shape, randomValues(sizeOf(shape), Math.sqrt(6 / fanIn), ++seed))),
    /** @param {number} size */
    bias: (size) => constant(tensorData('float32', [size], randomValues(size, 0.1, ++seed))),
    /** @param {number} size */
    ones: (size) => constant(tensorData('float32', [size], new Float32Array(size).fill(1))),
  };
}

/** @param {string} name @param {string} input_ @param {Value} x @param {Value} y @returns {import('../dist/index.js').Graph} */
const graphOf = (name, input_, x, y) => ({ name, inputs: [{ name: input_, value: x }], outputs: [{ name: 'y', value: y }] });

/** Global average, then a dense layer. @param {ReturnType<typeof drawer>} draw @param {Value} x */
function classifier(draw, x) {
  const [batch, channels] = x.shape;
  const pooled = apply('Reshape', [apply('GlobalAveragePool', [x]), constant(fromNumbers('int64', [2], [batch, channels]))]);
  return apply('Gemm', [pooled, draw.weight([channels, 1000], channels), draw.bias(1000)]);
}

/**
 * The thirteen 3x3 convolutions of VGG-16 (Simonyan and Zisserman, 2014); a global average in place of its first dense layers, whose
 * hundred million weights would be all that is measured of memory.
 * @param {number} batch
 */
export function vgg(batch) {
  const draw = drawer();
  const image = input('image', 'float32', [batch, 3, 224, 224]);
  let x = image;
  for (const [count, channels] of [[2, 64], [2, 128], [3, 256], [3, 512], [3, 512]]) {
    for (let i = 0; i < count; i++) {
      const fanIn = 9 * x.shape[1];
      x = apply('Relu', [apply('Conv', [x, draw.weight([channels, x.shape[1], 3, 3], fanIn), draw.bias(channels)], { pads: [1, 1, 1, 1] })]);
    }
    x = apply('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
  }
  return graphOf('vgg', 'image', image, classifier(draw, x));
}

/** MobileNetV2 (Sandler et al., 2018), its normalisations folded into the convolutions as exporters do. @param {number} batch */
export function mobilenet(batch) {
  const draw = drawer();
  const image = input('image', 'float32', [batch, 3, 224, 224]);
  const [low, high] = [0, 6].map((value) => constant(fromNumbers('float32', [], [value])));
  const relu6 = (/** @type {Value} */ x) => apply('Clip', [x, low, high]);
  /** @param {Value} x @param {number} channels @param {number} size @param {number} stride @param {number} group */
  const conv = (x, channels, size, stride, group = 1) => {
    const per = x.shape[1] / group;
    const attributes = { strides: [stride, stride], pads: Array(4).fill((size - 1) / 2), group };
    return apply('Conv', [x, draw.weight([channels, per, size, size], per * size * size), draw.bias(channels)], attributes);
  };
  let x = relu6(conv(image, 32, 3, 2));
  for (const [expand, channels, count, first] of [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]) {
    for (let i = 0; i < count; i++) {
      const stride = i === 0 ? first : 1;
      const wide = expand * x.shape[1];
      const inner = expand === 1 ? x : relu6(conv(x, wide, 1, 1));
      const narrow = conv(relu6(conv(inner, wide, 3, stride, wide)), channels, 1, 1);
      x = stride === 1 && x.shape[1] === channels ? apply('Add', [x, narrow]) : narrow;
    }
  }
  return graphOf('mobilenet', 'image', image, classifier(draw, relu6(conv(x, 1280, 1, 1))));
}

/** Six layers of an encoder (Vaswani et al., 2017), normalised after each part, with GELU: width 512, 8 heads, length 128. @param {number} batch */
export function transformer(batch) {
  const [length, width, heads, inner] = [128, 512, 8, 2048];
  const draw = drawer();
  const source = input('source', 'float32', [batch, length, width]);
  const ints = (/** @type {number[]} */ ...values) => constant(fromNumbers('int64', [values.length], values));
  /** @param {Value} x @param {number} to */
  const dense = (x, to) => apply('Add', [apply('MatMul', [x, draw.weight([x.shape[2], to], 3 * x.shape[2])]), draw.bias(to)]);
  const normalise = (/** @type {Value} */ x) => apply('LayerNormalization', [x, draw.ones(width), draw.bias(width)], { axis: -1 });
  /** @param {Value} x @param {number[]} perm */
  const split = (x, perm) => apply('Transpose', [apply('Reshape', [x, ints(batch, length, heads, width / heads)])], { perm });
  const scale = constant(fromNumbers('float32', [], [Math.sqrt(width / heads)]));
  let x = source;
  for (let layer = 0; layer < 6; layer++) {
    const [query, key, value] = [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]].map((perm) => split(dense(x, width), perm));
    const weights = apply('Softmax', [apply('Div', [apply('MatMul', [query, key]), scale])], { axis: -1 });
    const mixed = apply('Transpose', [apply('MatMul', [weights, value])], { perm: [0, 2, 1, 3] });
    x = normalise(apply('Add', [x, dense(apply('Reshape', [mixed, ints(batch, length, width)]), width)]));
    x = normalise(apply('Add', [x, dense(apply('Gelu', [dense(x, inner)]), width)]));
  }
  return graphOf('transformer', 'source', source, x);
}
