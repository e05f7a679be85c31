/**
 * The attributes of every ONNX operator that can be imported or exported, at the newest opset: the one place that knows
 * how an attribute is written in the file. In the graph `int` and `float` are numbers, `dtype` is our name of an element
 * type ('float32'), `tensor` is TensorData; all else is as in ONNX. To add an operator: define it in src/ops, add its row.
 */
export type AttributeKind = 'float' | 'int' | 'string' | 'tensor' | 'floats' | 'ints' | 'dtype';
export type AttributeRow = Readonly<Record<string, AttributeKind>>;

const none: AttributeRow = {};
const alpha: AttributeRow = { alpha: 'float' };
const axis: AttributeRow = { axis: 'int' };
const window: AttributeRow = { auto_pad: 'string', dilations: 'ints', kernel_shape: 'ints', pads: 'ints', strides: 'ints' };
const reduction: AttributeRow = { keepdims: 'int', noop_with_empty_axes: 'int' };
const argument: AttributeRow = { axis: 'int', keepdims: 'int', select_last_index: 'int' };

const rows = (names: string, row: AttributeRow): Record<string, AttributeRow> =>
  Object.fromEntries(names.split(' ').map((name) => [name, row]));

export const operators: Readonly<Record<string, AttributeRow>> = {
  // elementwise
  ...rows('Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Identity IsNaN Log Neg Not Reciprocal Round', none),
  ...rows('Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh HardSwish Mish Relu', none),
  ...rows('Add Sub Mul Div Pow Min Max Sum Mean And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual Where PRelu Clip', none),
  ...rows('Celu Elu LeakyRelu Swish ThresholdedRelu', alpha),
  Cast: { to: 'dtype' },
  Gelu: { approximate: 'string' },
  HardSigmoid: { alpha: 'float', beta: 'float' },
  IsInf: { detect_negative: 'int', detect_positive: 'int' },
  Mod: { fmod: 'int' },
  Selu: { alpha: 'float', gamma: 'float' },
  Shrink: { bias: 'float', lambd: 'float' },

  // products and windows
  MatMul: none,
  Gemm: { alpha: 'float', beta: 'float', transA: 'int', transB: 'int' },
  Conv: { ...window, group: 'int' },
  ConvTranspose: { ...window, group: 'int', output_padding: 'ints', output_shape: 'ints' },
  MaxPool: { ...window, ceil_mode: 'int', storage_order: 'int' },
  AveragePool: { ...window, ceil_mode: 'int', count_include_pad: 'int' },
  LpPool: { ...window, ceil_mode: 'int', p: 'int' },
  ...rows('GlobalAveragePool GlobalMaxPool', none),
  GlobalLpPool: { p: 'int' },
  Einsum: { equation: 'string' },
  Resize: {
    antialias: 'int',
    axes: 'ints',
    coordinate_transformation_mode: 'string',
    cubic_coeff_a: 'float',
    exclude_outside: 'int',
    extrapolation_value: 'float',
    keep_aspect_ratio_policy: 'string',
    mode: 'string',
    nearest_mode: 'string',
  },

  // normalisation
  BatchNormalization: { epsilon: 'float', momentum: 'float', training_mode: 'int' },
  InstanceNormalization: { epsilon: 'float' },
  LayerNormalization: { axis: 'int', epsilon: 'float', stash_type: 'int' },
  GroupNormalization: { epsilon: 'float', num_groups: 'int', stash_type: 'int' },
  LpNormalization: { axis: 'int', p: 'int' },
  LRN: { alpha: 'float', beta: 'float', bias: 'float', size: 'int' },
  ...rows('Softmax LogSoftmax Hardmax', axis),

  // reductions
  ...rows('ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare', reduction),
  ...rows('ArgMax ArgMin', argument),
  CumSum: { exclusive: 'int', reverse: 'int' },
  TopK: { axis: 'int', largest: 'int', sorted: 'int' },

  // shapes and movement
  Constant: { value: 'tensor' },
  ConstantOfShape: { value: 'tensor' },
  ...rows('Expand Range Size Squeeze Tile Unsqueeze Slice', none),
  ...rows('Concat Flatten Gather GatherElements OneHot', axis),
  EyeLike: { dtype: 'dtype', k: 'int' },
  DepthToSpace: { blocksize: 'int', mode: 'string' },
  GatherND: { batch_dims: 'int' },
  Pad: { mode: 'string' },
  Reshape: { allowzero: 'int' },
  ScatterElements: { axis: 'int', reduction: 'string' },
  ScatterND: { reduction: 'string' },
  Shape: { end: 'int', start: 'int' },
  SpaceToDepth: { blocksize: 'int' },
  Split: { axis: 'int', num_outputs: 'int' },
  Transpose: { perm: 'ints' },
  Trilu: { upper: 'int' },
};

/** Its row, or undefined (names of Object.prototype are no operators). */
export const operatorRow = (op: string): AttributeRow | undefined => (Object.hasOwn(operators, op) ? operators[op] : undefined);
