/** Keras's layers that have no weights and take one input: pooling, padding, resizing, reshaping, pointwise. */
import { apply, type Attrs, constant, sizeOf, tensorData, type Value } from '../../graph/index.ts';
import { clip } from './activations.ts';
import { axisOf, type Call, type LayerRule, only, onlyOfRank, withChannelsFirst, wrongInput } from './call.ts';
import { padsOf } from './convolution.ts';
import { asIs, heldAxis, int64s, plain, reshape, scalar, shapeOf, transpose } from './layout.ts';

/** Dropout and its like do nothing when a model is only run. */
export const identity: LayerRule = only;

/** A layer that maps each element, in whichever order it is held. */
export const pointwise = (body: (x: Value, call: Call) => Value): LayerRule => (call) => {
  const input = only(call);
  return { ...input, value: body(input.value, call) };
};

// ---- pointwise

/** `x` above the threshold, `slope * (x - threshold)` below, at most `max_value`. */
export const relu = pointwise((x, { config, name }) => {
  const max = config.has('max_value') ? config.number('max_value') : undefined;
  const slope = config.number('negative_slope', 0);
  const threshold = config.number('threshold', 0);
  if (threshold === 0 && slope === 0) return max === undefined ? apply('Relu', [x], {}, name) : clip(x, 0, max, name);
  let y: Value;
  if (threshold === 0) y = apply('LeakyRelu', [x], { alpha: slope }, name);
  else {
    const below = slope === 0 ? scalar(0) : apply('Mul', [apply('Sub', [x, scalar(threshold)], {}, name), scalar(slope)], {}, name);
    y = apply('Where', [apply('Greater', [x, scalar(threshold)], {}, name), x, below], {}, name);
  }
  return max === undefined ? y : clip(y, undefined, max, name);
});

/** Keras 3 calls alpha `negative_slope`. */
export const leakyRelu = pointwise((x, { config, name }) =>
  apply('LeakyRelu', [x], { alpha: config.number('negative_slope', config.number('alpha', 0.3)) }, name));

export const elu = pointwise((x, { config, name }) => apply('Elu', [x], { alpha: config.number('alpha', 1) }, name));

export const thresholdedRelu = pointwise((x, { config, name }) =>
  apply('Where', [apply('Greater', [x, scalar(config.number('theta', 1))], {}, name), x, scalar(0)], {}, name));

export const rescaling = pointwise((x, { config, name }) => {
  const scaled = apply('Mul', [x, scalar(config.number('scale'))], {}, name);
  return config.number('offset', 0) === 0 ? scaled : apply('Add', [scaled, scalar(config.number('offset'))], {}, name);
});

export const softmax: LayerRule = (call) => {
  const input = only(call);
  const given = call.config.raw('axis') ?? -1;
  const axis = axisOf(call, 'axis', Array.isArray(given) && given.length === 1 ? given[0] : given, shapeOf(input).length);
  return { ...input, value: apply('Softmax', [input.value], { axis: heldAxis(input, axis) }, call.name) };
};

// ---- pooling

export const pool = (op: 'MaxPool' | 'AveragePool', rank: number): LayerRule => (call) => {
  const { config } = call;
  const kernel = config.perAxis('pool_size', rank, 2);
  const windows = { kernel, strides: config.perAxis('strides', rank, kernel), dilations: kernel.map(() => 1) };
  const padding = config.oneOf('padding', ['valid', 'same'], 'valid');
  return withChannelsFirst(call, onlyOfRank(call, rank + 2), (x) =>
    apply(op, [x], { kernel_shape: kernel, strides: windows.strides, pads: padsOf(padding, x.shape.slice(2), windows) }, call.name));
};

export const globalPool = (op: 'GlobalMaxPool' | 'GlobalAveragePool', rank: number): LayerRule => (call) => {
  const keep = call.config.flag('keepdims', false);
  return withChannelsFirst(call, onlyOfRank(call, rank + 2), (x) => {
    const pooled = apply(op, [x], {}, call.name);
    return keep ? pooled : reshape(pooled, pooled.shape.slice(0, 2), call.name);
  });
};

// ---- spatial sizes

export const zeroPadding = (rank: number): LayerRule => (call) => {
  const margins = call.config.margins('padding', rank);
  const pads = [0, 0, ...margins.map(([before]) => before), 0, 0, ...margins.map(([, after]) => after)];
  return withChannelsFirst(call, onlyOfRank(call, rank + 2), (x) => apply('Pad', [x, int64s(pads)], { mode: 'constant' }, call.name));
};

export const cropping = (rank: number): LayerRule => (call) => {
  const margins = call.config.margins('cropping', rank);
  return withChannelsFirst(call, onlyOfRank(call, rank + 2), (x) => {
    const ends = margins.map(([, after], i) => x.shape[i + 2] - after);
    if (margins.some(([before], i) => before >= ends[i])) throw call.config.wrong('cropping', `less than the input's ${x.shape.slice(2).join(' x ')}`);
    const operands = [x, int64s(margins.map(([before]) => before)), int64s(ends), int64s(margins.map((_, i) => i + 2))];
    return apply('Slice', operands, {}, call.name);
  });
};

export const upSampling = (rank: number): LayerRule => (call) => {
  const { config, dialect } = call;
  const size = config.perAxis('size', rank, 2);
  const linear = rank > 1 && config.oneOf('interpolation', ['nearest', 'bilinear'], 'nearest') === 'bilinear';
  const scales = constant(tensorData('float32', [rank + 2], Float32Array.of(1, 1, ...size)));
  // Keras samples at the centres of pixels, TF.js at their corners.
  const attrs: Attrs = linear
    ? { mode: 'linear', coordinate_transformation_mode: dialect === 'tfjs' ? 'asymmetric' : 'half_pixel' }
    : { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  return withChannelsFirst(call, onlyOfRank(call, rank + 2), (x) => apply('Resize', [x, null, scales], attrs, call.name));
};

// ---- shapes: all in Keras's order

export const flatten: LayerRule = (call) => {
  const input = only(call);
  const x = plain(input);
  const rank = x.shape.length;
  // Where channels come first, Keras flattens as if they came last.
  const first = rank > 2 && call.config.text('data_format', 'channels_last') === 'channels_first';
  const ordered = first ? transpose(x, [0, ...x.shape.slice(2).map((_, i) => i + 2), 1], call.name) : x;
  return asIs(reshape(ordered, [x.shape[0], sizeOf(x.shape.slice(1))], call.name));
};

export const reshapeLayer: LayerRule = (call) => {
  const x = plain(only(call));
  // TF.js writes null for the free size.
  const target = call.config.list('target_shape').map((dim) => dim ?? -1) as number[];
  if (!target.every((dim) => Number.isSafeInteger(dim) && dim >= -1)) throw call.config.wrong('target_shape', 'sizes, or -1');
  const size = sizeOf(x.shape.slice(1));
  const known = sizeOf(target.filter((dim) => dim !== -1));
  const free = target.filter((dim) => dim === -1).length;
  if (free > 1 || (free === 1 ? known === 0 || size % known !== 0 : known !== size)) {
    throw call.config.wrong('target_shape', `a shape of ${size} elements`);
  }
  return asIs(reshape(x, [x.shape[0], ...target.map((dim) => (dim === -1 ? size / known : dim))], call.name));
};

export const permute: LayerRule = (call) => {
  const x = plain(only(call));
  const dims = call.config.ints('dims', undefined, 1);
  const rank = x.shape.length;
  if (dims.length !== rank - 1 || new Set(dims).size !== dims.length || dims.some((dim) => dim >= rank)) {
    throw call.config.wrong('dims', `a permutation of 1 to ${rank - 1}`);
  }
  return asIs(transpose(x, [0, ...dims], call.name));
};

export const repeatVector: LayerRule = (call) => {
  const x = plain(only(call));
  if (x.shape.length !== 2) throw wrongInput(call, 'rank 2', `rank ${x.shape.length}`);
  const [batch, features] = x.shape;
  const rows = reshape(x, [batch, 1, features], call.name);
  return asIs(apply('Expand', [rows, int64s([batch, call.config.int('n', undefined, 1), features])], {}, call.name));
};
