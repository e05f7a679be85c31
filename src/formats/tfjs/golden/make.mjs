// Makes golden.json: small models saved by TensorFlow.js, with an input each and the output TensorFlow.js computes.
// Run in a folder that has @tensorflow/tfjs 4.22.0:  node make.mjs > golden.json
import { createRequire } from 'node:module';
const tf = createRequire(`${process.cwd()}/`)('@tensorflow/tfjs');
await tf.setBackend('cpu');

// Numbers with few bits, so that the file stays small and sums are nearly exact: sixteenths in [-2, 2].
let seed = 12345;
const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32;
const values = (size, low = -2, high = 2) => Float32Array.from({ length: size }, () => Math.round((low + random() * (high - low)) * 16) / 16);
const base64 = (bytes) => Buffer.from(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength).toString('base64');

const L = tf.layers;
const input = (...shape) => tf.input({ shape });
const on = (shape, ...layers) => () => tf.sequential({ layers: layers.map((layer, i) => layer(i === 0 ? { inputShape: shape } : {})) });
const layer = (make, config = {}) => (extra) => make({ ...config, ...extra });
const one = (shape, make, config) => on(shape, layer(make, config));
const act = (activation) => one([5], L.activation, { activation });

// Left out because TensorFlow.js is wrong or does not have them: batch norm along axis 1 (its CPU kernel cycles through
// the channels as if they came last), causal convolutions, ELU with an alpha.
const cases = {
  'conv1d same stride': one([7, 3], L.conv1d, { filters: 4, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' }),
  'conv1d dilated': one([9, 2], L.conv1d, { filters: 3, kernelSize: 3, dilationRate: 2 }),
  'conv2d valid': one([5, 6, 3], L.conv2d, { filters: 9, kernelSize: [3, 2] }),
  'conv2d same stride 2 even': one([6, 8, 2], L.conv2d, { filters: 4, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu6' }),
  'conv2d same stride 2 odd': one([7, 5, 2], L.conv2d, { filters: 3, kernelSize: [2, 4], strides: [2, 3], padding: 'same', useBias: false }),
  'conv2d dilated': one([9, 9, 2], L.conv2d, { filters: 3, kernelSize: 3, dilationRate: 2, padding: 'same', activation: 'tanh' }),
  'conv2d softmax': one([3, 3, 2], L.conv2d, { filters: 4, kernelSize: 2, activation: 'softmax' }),
  'conv2d channels first': one([3, 5, 6], L.conv2d, { filters: 4, kernelSize: 3, dataFormat: 'channelsFirst' }),
  'depthwise': one([6, 6, 3], L.depthwiseConv2d, { kernelSize: 3, strides: 2, padding: 'same', depthMultiplier: 2, activation: 'relu' }),
  'separable': one([6, 5, 3], L.separableConv2d, { filters: 5, kernelSize: 3, padding: 'same', depthMultiplier: 2, activation: 'sigmoid' }),
  'transpose same': one([3, 4, 2], L.conv2dTranspose, { filters: 3, kernelSize: 3, strides: 2, padding: 'same' }),
  'transpose valid': one([3, 4, 2], L.conv2dTranspose, { filters: 3, kernelSize: [4, 3], strides: [2, 3], padding: 'valid', activation: 'relu' }),
  'transpose narrow kernel': one([3, 3, 2], L.conv2dTranspose, { filters: 2, kernelSize: 2, strides: 3, padding: 'same' }),
  'dense': one([6], L.dense, { units: 5, activation: 'softmax' }),
  'dense no bias': one([6], L.dense, { units: 5, useBias: false, activation: 'elu' }),
  'dense on images': on([3, 4, 2], layer(L.conv2d, { filters: 3, kernelSize: 2 }), layer(L.dense, { units: 4, activation: 'selu' })),
  'embedding': one([4], L.embedding, { inputDim: 10, outputDim: 3 }),
  'batch norm images': on([4, 4, 3], layer(L.conv2d, { filters: 4, kernelSize: 1 }), layer(L.batchNormalization, { epsilon: 0.01 })),
  'batch norm no scale': one([5], L.batchNormalization, { scale: false }),
  'batch norm no center': one([4, 3], L.batchNormalization, { center: false }),
  'layer norm': on([3, 3, 2], layer(L.conv2d, { filters: 4, kernelSize: 2 }), layer(L.layerNormalization)),
  'layer norm two axes': one([3, 4], L.layerNormalization, { axis: [1, 2], epsilon: 0.1 }),
  'prelu': on([3, 4, 2], layer(L.conv2d, { filters: 3, kernelSize: 1 }), layer(L.prelu)),
  'prelu shared': one([3, 4, 2], L.prelu, { sharedAxes: [1, 2] }),
  'relu max': one([6], L.reLU, { maxValue: 1 }),
  'leaky relu': one([6], L.leakyReLU, { alpha: 0.1 }),
  'elu layer': one([6], L.elu, {}),
  'thresholded relu': one([6], L.thresholdedReLU, { theta: 0.7 }),
  'softmax layer': one([3, 4], L.softmax, { axis: 2 }),
  'softmax on images': on([3, 4, 2], layer(L.conv2d, { filters: 3, kernelSize: 1 }), layer(L.softmax, { axis: 3 })),
  'max pool same': one([5, 6, 2], L.maxPooling2d, { poolSize: 3, strides: 2, padding: 'same' }),
  'max pool default': one([5, 6, 2], L.maxPooling2d, {}),
  'average pool same': one([5, 6, 2], L.averagePooling2d, { poolSize: [3, 2], strides: 2, padding: 'same' }),
  'max pool 1d': one([7, 2], L.maxPooling1d, { poolSize: 3, strides: 2 }),
  'average pool 1d': one([7, 2], L.averagePooling1d, { poolSize: 2, padding: 'same' }),
  'global average': one([3, 4, 2], L.globalAveragePooling2d, {}),
  'global max': one([3, 4, 2], L.globalMaxPooling2d, {}),
  'global average 1d': one([5, 2], L.globalAveragePooling1d, {}),
  'global max 1d': one([5, 2], L.globalMaxPooling1d, {}),
  'zero padding': one([3, 3, 2], L.zeroPadding2d, { padding: [[1, 0], [2, 1]] }),
  'cropping': one([6, 6, 2], L.cropping2D, { cropping: [[1, 2], [0, 3]] }),
  'up sampling': one([2, 3, 2], L.upSampling2d, { size: [2, 3] }),
  'up sampling bilinear': one([3, 4, 2], L.upSampling2d, { size: [2, 2], interpolation: 'bilinear' }),
  'flatten after conv': on([4, 5, 2], layer(L.conv2d, { filters: 3, kernelSize: 2 }), layer(L.flatten), layer(L.dense, { units: 4 })),
  'flatten channels first': one([3, 2, 4], L.flatten, { dataFormat: 'channelsFirst' }),
  'reshape': on([4, 4, 2], layer(L.conv2d, { filters: 3, kernelSize: 1 }), layer(L.reshape, { targetShape: [-1, 6] })),
  'permute': on([3, 4, 2], layer(L.conv2d, { filters: 3, kernelSize: 2 }), layer(L.permute, { dims: [3, 1, 2] })),
  'repeat vector': one([4], L.repeatVector, { n: 3 }),
  'dropouts': on([4], layer(L.dropout, { rate: 0.5 }), layer(L.gaussianNoise, { stddev: 1 }), layer(L.gaussianDropout, { rate: 0.5 }), layer(L.alphaDropout, { rate: 0.5 })),
  'rescaling': one([4], L.rescaling, { scale: 0.5, offset: -1 }),
  'conv1d norm flatten': on([6, 2], layer(L.conv1d, { filters: 3, kernelSize: 2 }), layer(L.batchNormalization), layer(L.flatten)),

  'residual block'() {
    const x = input(6, 6, 3);
    const stem = L.conv2d({ filters: 4, kernelSize: 3, padding: 'same' }).apply(x);
    const norm = L.batchNormalization().apply(stem);
    const branch = L.conv2d({ filters: 4, kernelSize: 1, activation: 'relu' }).apply(norm);
    return tf.model({ inputs: x, outputs: L.add().apply([norm, branch]) });
  },
  'merges'() {
    const a = input(3, 4), b = input(3, 4), c = input(3, 4);
    const all = [a, b, c];
    const outputs = [L.add(), L.multiply(), L.average(), L.maximum(), L.minimum(), L.concatenate(), L.concatenate({ axis: 1 })];
    return tf.model({ inputs: all, outputs: outputs.map((merge) => merge.apply(all)) });
  },
  'concatenate images'() {
    const x = input(4, 4, 2);
    const a = L.conv2d({ filters: 3, kernelSize: 1 }).apply(x), b = L.maxPooling2d({ poolSize: 3, strides: 1, padding: 'same' }).apply(x);
    return tf.model({ inputs: x, outputs: [L.concatenate().apply([a, b, x]), L.concatenate({ axis: 2 }).apply([b, x])] });
  },
  'squeeze and excite'() {
    const x = input(4, 4, 3);
    const y = L.conv2d({ filters: 4, kernelSize: 3 }).apply(x);
    const s = L.dense({ units: 4, activation: 'sigmoid' }).apply(L.globalAveragePooling2d({}).apply(y));
    return tf.model({ inputs: x, outputs: L.multiply().apply([y, L.reshape({ targetShape: [1, 1, 4] }).apply(s)]) });
  },
  'dot vectors'() {
    const a = input(4), b = input(4);
    return tf.model({ inputs: [a, b], outputs: L.dot({ axes: 1 }).apply([a, b]) });
  },
  'dot matrices'() {
    const a = input(3, 4), b = input(5, 4);
    return tf.model({ inputs: [a, b], outputs: L.dot({ axes: 2 }).apply([a, b]) });
  },
  'shared layer'() {
    const a = input(4), b = input(4), dense = L.dense({ units: 3 });
    return tf.model({ inputs: [a, b], outputs: L.add().apply([dense.apply(a), dense.apply(b)]) });
  },
  'nested models'() {
    const x = input(4, 4, 2);
    const inner = tf.sequential({ layers: [L.conv2d({ inputShape: [4, 4, 2], filters: 2, kernelSize: 3, padding: 'same' }), L.batchNormalization()] });
    const y = input(4, 4, 2), z = input(4, 4, 2);
    const two = tf.model({ inputs: [y, z], outputs: [L.add().apply([y, z]), L.multiply().apply([y, z])] });
    const once = inner.apply(x), twice = inner.apply(once);
    const [sum, product] = two.apply([once, twice]);
    return tf.model({ inputs: x, outputs: L.concatenate().apply([product, sum]) });
  },
};
for (const name of ['relu', 'relu6', 'elu', 'selu', 'sigmoid', 'hardSigmoid', 'tanh', 'softplus', 'softsign', 'softmax', 'logSoftmax', 'swish', 'mish', 'gelu', 'gelu_new', 'linear']) {
  cases[`activation ${name}`] = act(name);
}

async function goldenCase(name, make) {
  const model = make();
  // Variances must be positive; everything else may be anything.
  model.setWeights(model.weights.map((weight) => {
    const size = weight.shape.reduce((a, b) => a * b, 1);
    return tf.tensor(/variance/.test(weight.name) ? values(size, 0.5, 2) : values(size, -1, 1), weight.shape);
  }));
  let saved;
  await model.save(tf.io.withSaveHandler((artifacts) => ((saved = artifacts), { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } })));
  const inputs = model.inputs.map(({ shape: [, ...rest] }) => {
    const shape = [2, ...rest];
    const size = shape.reduce((a, b) => a * b, 1);
    return { shape, data: name === 'embedding' ? values(size, 0, 9).map(Math.round) : values(size) };
  });
  const tensors = inputs.map(({ shape, data }) => tf.tensor(data, shape));
  const result = model.predict(tensors.length === 1 ? tensors[0] : tensors);
  const outputs = (Array.isArray(result) ? result : [result]).map((tensor) => ({ shape: tensor.shape, data: tensor.dataSync() }));
  const file = ({ shape, data }) => ({ shape, data: base64(data) });
  const weightsManifest = [{ paths: ['weights.bin'], weights: saved.weightSpecs }];
  return {
    name,
    model: { format: 'layers-model', modelTopology: saved.modelTopology, weightsManifest },
    weights: base64(new Uint8Array(saved.weightData)),
    inputs: inputs.map(file),
    outputs: outputs.map(file),
  };
}

const golden = [];
for (const [name, make] of Object.entries(cases)) {
  try {
    golden.push(await goldenCase(name, make));
  } catch (error) {
    console.error(`left out: ${name}: ${error.message}`);
  }
}
console.error(`${golden.length} cases by TensorFlow.js ${tf.version.tfjs}`);
console.log(`[\n${golden.map((entry) => JSON.stringify(entry)).join(',\n')}\n]`);
