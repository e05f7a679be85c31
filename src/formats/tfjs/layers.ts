/** Every Keras layer that can be imported: one row each, from its class name to the rule that makes its nodes. */
import { activate } from './activations.ts';
import { type LayerRule, only } from './call.ts';
import * as weighted from './convolution.ts';
import * as merging from './merge.ts';
import * as shaping from './shaping.ts';

const { identity } = shaping;
/** Layers that only apply the activation they name. */
const activation: LayerRule = (call) => activate(only(call), call.config, call.dialect, call.name);

export const layerRules: ReadonlyMap<string, LayerRule> = new Map<string, LayerRule>([
  ['Conv1D', weighted.conv(1)],
  ['Conv2D', weighted.conv(2)],
  ['Conv1DTranspose', weighted.convTranspose(1)],
  ['Conv2DTranspose', weighted.convTranspose(2)],
  ['DepthwiseConv1D', weighted.depthwise(1)],
  ['DepthwiseConv2D', weighted.depthwise(2)],
  ['SeparableConv1D', weighted.separable(1)],
  ['SeparableConv2D', weighted.separable(2)],
  ['Dense', weighted.dense],
  ['Embedding', weighted.embedding],
  ['BatchNormalization', weighted.batchNormalization],
  ['BatchNormalizationV1', weighted.batchNormalization],
  ['LayerNormalization', weighted.layerNormalization],

  ['Activation', activation],
  ['ReLU', shaping.relu],
  ['LeakyReLU', shaping.leakyRelu],
  ['ELU', shaping.elu],
  ['PReLU', weighted.prelu],
  ['ThresholdedReLU', shaping.thresholdedRelu],
  ['Softmax', shaping.softmax],
  ['Rescaling', shaping.rescaling],

  ['Add', merging.merge('Add')],
  ['Subtract', merging.subtract],
  ['Multiply', merging.merge('Mul')],
  ['Average', merging.average],
  ['Maximum', merging.merge('Max')],
  ['Minimum', merging.merge('Min')],
  ['Concatenate', merging.concatenate],
  ['Dot', merging.dot],

  ['MaxPooling1D', shaping.pool('MaxPool', 1)],
  ['MaxPooling2D', shaping.pool('MaxPool', 2)],
  ['AveragePooling1D', shaping.pool('AveragePool', 1)],
  ['AveragePooling2D', shaping.pool('AveragePool', 2)],
  ['GlobalMaxPooling1D', shaping.globalPool('GlobalMaxPool', 1)],
  ['GlobalMaxPooling2D', shaping.globalPool('GlobalMaxPool', 2)],
  ['GlobalAveragePooling1D', shaping.globalPool('GlobalAveragePool', 1)],
  ['GlobalAveragePooling2D', shaping.globalPool('GlobalAveragePool', 2)],

  ['ZeroPadding1D', shaping.zeroPadding(1)],
  ['ZeroPadding2D', shaping.zeroPadding(2)],
  ['Cropping1D', shaping.cropping(1)],
  ['Cropping2D', shaping.cropping(2)],
  ['UpSampling1D', shaping.upSampling(1)],
  ['UpSampling2D', shaping.upSampling(2)],

  ['Flatten', shaping.flatten],
  ['Reshape', shaping.reshapeLayer],
  ['Permute', shaping.permute],
  ['RepeatVector', shaping.repeatVector],

  ['Dropout', identity],
  ['SpatialDropout1D', identity],
  ['SpatialDropout2D', identity],
  ['GaussianNoise', identity],
  ['GaussianDropout', identity],
  ['AlphaDropout', identity],
  ['ActivityRegularization', identity],
]);
