/** Keras's convolutions, dense layers and normalisations: the layers with weights. */
import { apply, type Value } from '../../graph/index.ts';
import { activate } from './activations.ts';
import { axisOf, type Call, type LayerRule, onChannels, only, onlyOfRank, withChannelsFirst, wrongInput } from './call.ts';
import { asIs, filled, plain, shapeOf } from './layout.ts';

// ---- windows: padding as TensorFlow computes it

export interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** ONNX's pads. 'same' gives ceil(size / stride) outputs, the odd element of padding after; 'causal' pads before only. */
export function padsOf(padding: string, spatial: readonly number[], { kernel, strides, dilations }: Windows): number[] {
  const extent = kernel.map((size, i) => (size - 1) * dilations[i] + 1);
  if (padding === 'causal') return [...extent.map((size) => size - 1), ...extent.map(() => 0)];
  if (padding === 'valid') return extent.flatMap(() => [0, 0]);
  const total = spatial.map((size, i) => Math.max(0, (Math.ceil(size / strides[i]) - 1) * strides[i] + extent[i] - size));
  return [...total.map((pad) => Math.floor(pad / 2)), ...total.map((pad) => Math.ceil(pad / 2))];
}

function windowsOf({ config }: Call, rank: number): Windows {
  return {
    kernel: config.perAxis('kernel_size', rank),
    strides: config.perAxis('strides', rank, 1),
    dilations: config.perAxis('dilation_rate', rank, 1),
  };
}

const biasOf = (call: Call): Value | null => (call.config.flag('use_bias', true) ? call.weight('bias', 1) : null);

// ---- convolutions

interface Stage {
  readonly weight: Value;
  readonly bias: Value | null;
  readonly group: number;
  /** Left out for a pointwise stage. */
  readonly windows?: Windows;
}

/** Convolutions one after the other, then the activation. */
function convolve(call: Call, rank: number, stages: (inChannels: number) => readonly Stage[]): ReturnType<LayerRule> {
  const padding = call.config.oneOf('padding', rank === 1 ? ['valid', 'same', 'causal'] : ['valid', 'same'], 'valid');
  const result = withChannelsFirst(call, onlyOfRank(call, rank + 2), (x) =>
    stages(x.shape[1]).reduce((value, { weight, bias, group, windows }) => {
      const attrs = windows && {
        strides: windows.strides,
        dilations: windows.dilations,
        pads: padsOf(padding, value.shape.slice(2), windows),
      };
      return apply('Conv', bias ? [value, weight, bias] : [value, weight], { kernel_shape: weight.shape.slice(2), group, ...attrs }, call.name);
    }, x),
  );
  return activate(result, call.config, call.dialect, call.name);
}

export const conv = (rank: number): LayerRule => (call) =>
  convolve(call, rank, () => [
    {
      weight: call.weight('kernel', rank + 2, 'kernel'),
      bias: biasOf(call),
      group: call.config.int('groups', 1, 1),
      windows: windowsOf(call, rank),
    },
  ]);

// A depthwise kernel is [..., channels, multiplier]; result channel c * multiplier + m reads channel c.
export const depthwise = (rank: number): LayerRule => (call) =>
  convolve(call, rank, (group) => [
    { weight: call.weight('depthwise_kernel', rank + 2, 'depthwise'), bias: biasOf(call), group, windows: windowsOf(call, rank) },
  ]);

export const separable = (rank: number): LayerRule => (call) =>
  convolve(call, rank, (group) => [
    { weight: call.weight('depthwise_kernel', rank + 2, 'depthwise'), bias: null, group, windows: windowsOf(call, rank) },
    { weight: call.weight('pointwise_kernel', rank + 2, 'kernel'), bias: biasOf(call), group: 1 },
  ]);

/** The gradient of the convolution that takes a tensor of `output` sizes to one of the input's. */
export const convTranspose = (rank: number): LayerRule => (call) => {
  const { config } = call;
  const { kernel, strides, dilations } = windowsOf(call, rank);
  const same = config.oneOf('padding', ['valid', 'same'], 'valid') === 'same';
  if (dilations.some((dilation) => dilation > 1)) throw config.wrong('dilation_rate', 'none; TensorFlow has no dilated transposed convolution');
  const extra = config.has('output_padding') ? config.perAxis('output_padding', rank, undefined, 0) : undefined;
  const result = withChannelsFirst(call, onlyOfRank(call, rank + 2), (x) => {
    const begin: number[] = [];
    const end: number[] = [];
    const outputPadding: number[] = [];
    x.shape.slice(2).forEach((size, i) => {
      const reach = (size - 1) * strides[i] + kernel[i];
      const output = extra
        ? reach - (same ? 2 * Math.floor(kernel[i] / 2) : 0) + extra[i]
        : same ? size * strides[i] : size * strides[i] + Math.max(kernel[i] - strides[i], 0);
      const cut = Math.max(0, reach - output);
      begin.push(Math.floor(cut / 2));
      end.push(Math.ceil(cut / 2));
      outputPadding.push(Math.max(0, output - reach));
    });
    const attrs = { kernel_shape: kernel, strides, pads: [...begin, ...end], output_padding: outputPadding };
    // Keras's [..., out, in] reversed is ONNX's [in, out, ...].
    const operands = [x, call.weight('kernel', rank + 2, 'kernel')];
    const bias = biasOf(call);
    return apply('ConvTranspose', bias ? [...operands, bias] : operands, attrs, call.name);
  });
  return activate(result, config, call.dialect, call.name);
};

// ---- dense and embedding

/** Over the last axis. */
export const dense: LayerRule = (call) => {
  const x = plain(only(call));
  const kernel = call.weight('kernel', 2);
  const bias = biasOf(call);
  let y: Value;
  if (x.shape.length === 2) {
    y = apply('Gemm', bias ? [x, kernel, bias] : [x, kernel], {}, call.name);
  } else {
    y = apply('MatMul', [x, kernel], {}, call.name);
    if (bias) y = apply('Add', [y, bias], {}, call.name);
  }
  return activate(asIs(y), call.config, call.dialect, call.name);
};

export const embedding: LayerRule = (call) => {
  const x = plain(only(call));
  const ids = x.dtype === 'int32' || x.dtype === 'int64' ? x : apply('Cast', [x], { to: 'int32' }, call.name);
  return asIs(apply('Gather', [call.weight('embeddings', 2), ids], { axis: 0 }, call.name));
};

// ---- normalisations and PRelu

export const batchNormalization: LayerRule = (call) => {
  const { config } = call;
  const input = only(call);
  const rank = input.value.shape.length;
  const given = config.raw('axis') ?? -1;
  const axis = axisOf(call, 'axis', Array.isArray(given) && given.length === 1 ? given[0] : given, rank);
  if (axis !== rank - 1 && axis !== 1) throw config.wrong('axis', 'the last axis or axis 1');
  const mean = call.weight('moving_mean', 1);
  const [channels] = mean.shape;
  const scale = config.flag('scale', true) ? call.weight('gamma', 1) : filled(channels, 1);
  const shift = config.flag('center', true) ? call.weight('beta', 1) : filled(channels, 0);
  const attrs = { epsilon: config.number('epsilon', 1e-3) };
  const normalize = (x: Value) => apply('BatchNormalization', [x, scale, shift, mean, call.weight('moving_variance', 1)], attrs, call.name);
  return axis === rank - 1 ? onChannels(input, normalize) : asIs(normalize(plain(input)));
};

export const layerNormalization: LayerRule = (call) => {
  const { config } = call;
  const x = plain(only(call));
  const rank = x.shape.length;
  const given = config.raw('axis') ?? -1;
  const axes = (Array.isArray(given) ? given : [given]).map((axis) => axisOf(call, 'axis', axis, rank)).sort((a, b) => a - b);
  if (axes.length === 0 || axes.some((axis, i) => axis !== rank - axes.length + i)) throw config.wrong('axis', 'the last axes');
  const size = x.shape[rank - 1];
  if (axes.length > 1 && !(config.flag('scale', true) && config.flag('center', true))) {
    throw config.wrong('scale', 'true, as center, where several axes are normalised');
  }
  const scale = config.flag('scale', true) ? call.weight('gamma', axes.length) : filled(size, 1);
  const operands = config.flag('center', true) ? [x, scale, call.weight('beta', axes.length)] : [x, scale];
  return asIs(apply('LayerNormalization', operands, { axis: axes[0], epsilon: config.number('epsilon', 1e-3) }, call.name));
};

/** alpha has the input's shape without the batch, 1 along shared axes. */
export const prelu: LayerRule = (call) => {
  const input = only(call);
  const rank = shapeOf(input).length;
  if (rank < 2) throw wrongInput(call, 'rank 2 or more', `rank ${rank}`);
  return onChannels(input, (x) => apply('PRelu', [x, call.weight('alpha', rank - 1, 'channels-first')], {}, call.name));
};
