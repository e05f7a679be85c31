/** For every differentiable operator, operands to check its gradient at; for every other one, why there is nothing to check. */
import type { Attrs, Shape } from '../../src/graph/index.ts';

/** A float64 operand of random numbers in a range (away from what is listed), or of given numbers. */
export interface Floats {
  readonly shape: Shape;
  readonly range?: readonly [low: number, high: number];
  readonly values?: readonly number[];
}

/** An operand that is not differentiated, and constant. */
export interface Fixed {
  readonly shape: Shape;
  readonly dtype: 'int64' | 'bool' | 'float64';
  readonly fixed: readonly number[];
}

export interface Case {
  readonly op: string;
  readonly operands: readonly (Floats | Fixed | null)[];
  readonly attrs: Attrs;
  /** How often the gradient may be taken. */
  readonly order: number;
}

const x = (...shape: number[]): Floats => ({ shape });
const within = (low: number, high: number, ...shape: number[]): Floats => ({ shape, range: [low, high] });
const positive = (...shape: number[]): Floats => within(0.5, 2, ...shape);
const given = (shape: Shape, values: readonly number[]): Floats => ({ shape, values });
const ints = (...fixed: number[]): Fixed => ({ dtype: 'int64', shape: [fixed.length], fixed });
const int = (value: number): Fixed => ({ dtype: 'int64', shape: [], fixed: [value] });
const indices = (shape: Shape, fixed: readonly number[]): Fixed => ({ dtype: 'int64', shape, fixed });
const bools = (shape: Shape, fixed: readonly number[]): Fixed => ({ dtype: 'bool', shape, fixed });
const numbers = (...fixed: number[]): Fixed => ({ dtype: 'float64', shape: [fixed.length], fixed });
const number = (value: number): Fixed => ({ dtype: 'float64', shape: [], fixed: [value] });

type Row = readonly [operands: readonly (Floats | Fixed | null)[], attrs?: Attrs, order?: 1];
/** For cases at whose point the gradient of the gradient is not right: products of updates that are exactly zero. */
const once = 1;

const unary = (...operands: Floats[]): Row[] => operands.map((operand) => [[operand]]);
/** Both sides of 0, and both sides of where many activations bend. */
const bends = given([10], [-4.2, -2.7, -1.3, -0.6, -0.2, 0.3, 0.7, 1.4, 2.8, 5.1]);
const broadcasts: Row[] = [[[x(2, 3), x(2, 3)]], [[x(2, 1, 3), x(4, 1)]], [[x(), x(3)]], [[x(3), x(1)]]];
/** All that axes and keepdims can be; the last without axes at all. */
const reduced = (make: (...shape: number[]) => Floats): Row[] => [
  [[make(2, 3, 2), ints(1)], { keepdims: 1 }],
  [[make(2, 3, 2), ints(0, -1)], { keepdims: 0 }],
  [[make(2, 3)]],
  [[make(2, 3), ints()], { noop_with_empty_axes: 1 }],
];
const lines: Row[] = [[[x(2, 4)]], [[x(2, 3, 2)], { axis: 1 }]];
/** Numbers no two of which are near each other, so that the largest stays it. */
const spread = (...shape: number[]): Floats => {
  const size = shape.reduce((a, b) => a * b, 1);
  return given(shape, Array.from({ length: size }, (_, i) => ((i * 7919) % 101) / 50 - 1 + i * 1e-3));
};

const table: Readonly<Record<string, readonly Row[]>> = {
  Identity: unary(x(3)),
  Neg: unary(x(3)),
  Abs: unary(bends),
  Sign: unary(bends),
  Floor: unary(bends),
  Ceil: unary(bends),
  Round: unary(bends),
  Reciprocal: unary(positive(3), within(-2, -0.5, 2)),
  Sqrt: unary(positive(4)),
  Exp: unary(x(4)),
  Log: unary(positive(4)),
  Erf: unary(within(-2, 2, 6)),
  Sin: unary(x(4)),
  Cos: unary(x(4)),
  Tan: unary(x(4)),
  Asin: unary(within(-0.9, 0.9, 5)),
  Acos: unary(within(-0.9, 0.9, 5)),
  Atan: unary(within(-3, 3, 5)),
  Sinh: unary(within(-2, 2, 5)),
  Cosh: unary(within(-2, 2, 5)),
  Tanh: unary(within(-2, 2, 5)),
  Asinh: unary(within(-3, 3, 5)),
  Acosh: unary(within(1.2, 3, 5)),
  Atanh: unary(within(-0.9, 0.9, 5)),

  Relu: unary(bends),
  LeakyRelu: [[[bends], { alpha: 0.2 }]],
  PRelu: [[[bends, x(1)]], [[x(2, 3), x(3)]]],
  ThresholdedRelu: [[[bends], { alpha: 0.5 }]],
  Elu: [[[bends], { alpha: 1.5 }]],
  Selu: unary(bends),
  Celu: [[[bends], { alpha: 0.7 }], [[bends], { alpha: -0.7 }]],
  Sigmoid: unary(bends),
  HardSigmoid: [[[bends]], [[bends], { alpha: 0.5, beta: 0.15 }]],
  HardSwish: unary(bends),
  Softplus: unary(bends),
  Softsign: unary(bends),
  Mish: unary(bends),
  Shrink: [[[bends], { bias: 0.1, lambd: 0.5 }]],
  Gelu: [[[bends]], [[bends], { approximate: 'tanh' }]],
  Clip: [[[bends]], [[bends, given([], [-1])]], [[bends, null, given([1], [1])]], [[bends, given([], [-1]), given([], [1])]], [[bends, given([], [1]), given([], [-1])]]],
  Dropout: unary(x(3)),
  Cast: [[[x(3)], { to: 'float64' }]],

  Add: broadcasts,
  Sub: broadcasts,
  Mul: broadcasts,
  Div: [[[x(2, 3), positive(2, 3)]], [[x(2, 1, 3), positive(4, 1)]], [[x(2), within(-2, -1)]]],
  Mod: [[[given([4], [2.3, -3.4, 5.1, 0.4]), given([4], [1.1, 1.2, -1.3, 2])], { fmod: 1 }]],
  Pow: [
    [[positive(2, 3), x(3)]],
    [[x(3), number(2)]],
    [[x(3), number(3)]],
    [[x(3), number(1)]],
    [[x(3), number(0)]],
    [[positive(3), number(-0.5)]],
    [[x(3), indices([3], [2, 0, 3])]],
    [[positive(2), x()]],
  ],
  Min: [[[spread(2, 3), given([3], [-0.4, 0.9, 0.15])]], [[x(2), given([1], [0.01]), given([2], [-5, 5])]], [[x(3)]]],
  Max: [[[spread(2, 3), given([3], [-0.4, 0.9, 0.15])]], [[x(2), given([1], [0.01]), given([2], [-5, 5])]], [[x(3)]]],
  Sum: [[[x(2, 3), x(3), x(2, 1)]]],
  Mean: [[[x(2, 3), x(3), x(2, 1)]]],
  Where: [[[bools([2, 1], [1, 0]), x(2, 3), x(3)]]],

  MatMul: [
    [[x(2, 3), x(3, 4)]],
    [[x(3), x(3)]],
    [[x(3), x(3, 2)]],
    [[x(2, 3), x(3)]],
    [[x(2, 2, 3), x(3, 2)]],
    [[x(2, 2, 3), x(3)]],
    [[x(2, 3), x(2, 3, 2)]],
    [[x(3), x(2, 3, 2)]],
    [[x(2, 1, 2, 3), x(3, 3, 2)]],
  ],
  Gemm: [[[x(2, 3), x(3, 2)]], [[x(3, 2), x(4, 3), x(4)], { transA: 1, transB: 1, alpha: 0.5, beta: 2 }]],
  Einsum: [
    [[x(2, 3), x(3, 2)], { equation: 'ij,jk->ki' }],
    [[x(3, 3)], { equation: 'ii->i' }],
    [[x(2, 3), x(2, 3), x(3)], { equation: '...j,...j,j->...' }],
    [[x(2, 2, 3), x(2, 3, 2)], { equation: 'bij,bjk' }],
  ],

  ReduceSum: reduced(x),
  ReduceMean: reduced(x),
  ReduceMax: reduced(spread),
  ReduceMin: reduced(spread),
  ReduceProd: [...reduced(x), [[given([2, 3], [0, 2, 3, 0, 0, 4]), ints(1)]]],
  ReduceL1: reduced(spread),
  ReduceL2: reduced(x),
  ReduceSumSquare: reduced(x),
  ReduceLogSum: reduced(positive),
  ReduceLogSumExp: reduced(x),
  CumSum: [[[x(2, 3), int(1)]], [[x(3, 2), int(0)], { exclusive: 1 }], [[x(4), int(0)], { reverse: 1 }], [[x(4), int(0)], { reverse: 1, exclusive: 1 }]],
  Softmax: lines,
  LogSoftmax: lines,
  Hardmax: [[[spread(2, 3)]]],

  BatchNormalization: [
    [[x(2, 3, 2), x(3), x(3), x(3), positive(3)]],
    [[x(2, 3, 2), x(3), x(3), numbers(0.1, 0.2, 0.3), numbers(1, 2, 3)]],
    [[x(3, 2, 2), x(2), x(2), x(2), positive(2)], { training_mode: 1, momentum: 0.8 }],
  ],
  ChannelMoments: [[[x(3, 2, 2)]]],
  ChannelSums: [[[x(3, 2, 2), x(3, 2, 2), x(2)]]],
  LayerNormalization: [[[x(2, 3, 2), x(2), x(2)]], [[x(2, 3, 2), x(3, 2)], { axis: 1 }], [[x(2, 4), x(4), x(1)], { epsilon: 0.1 }]],
  InstanceNormalization: [[[x(2, 2, 3), x(2), x(2)]]],
  GroupNormalization: [[[x(2, 4, 2), x(4), x(4)], { num_groups: 2 }]],
  LpNormalization: [[[x(2, 3)], { p: 2 }], [[spread(2, 3)], { p: 1, axis: 0 }]],
  LRN: [[[x(1, 4, 2)], { size: 3, alpha: 0.5 }]],

  Reshape: [[[x(2, 3), ints(3, -1)]]],
  Flatten: [[[x(2, 3, 2)]]],
  Squeeze: [[[x(2, 1, 3)]], [[x(1, 2, 1), ints(0)]]],
  Unsqueeze: [[[x(2, 3), ints(0, 2)]]],
  Transpose: [[[x(2, 3, 2)], { perm: [2, 0, 1] }], [[x(2, 3)]]],
  Expand: [[[x(3, 1), ints(2, 1, 4)]], [[x(), ints(2)]]],
  Tile: [[[x(2, 3), ints(2, 1)]]],
  Concat: [[[x(2, 1), x(2, 3), x(2, 2)], { axis: 1 }], [[x(2), x(0), x(1)], { axis: 0 }]],
  Split: [[[x(5, 2), ints(1, 3, 1)]], [[x(2, 5)], { axis: 1, num_outputs: 2 }]],
  DepthToSpace: [[[x(1, 4, 1, 2)], { blocksize: 2 }], [[x(1, 4, 1, 2)], { blocksize: 2, mode: 'CRD' }]],
  SpaceToDepth: [[[x(1, 1, 2, 4)], { blocksize: 2 }]],
  Slice: [
    [[x(4, 3), ints(1), ints(3)]],
    [[x(4, 3), ints(-1, 0), ints(-100, 2), ints(0, 1), ints(-1, 1)]],
    [[x(7), ints(1), ints(100), ints(0), ints(3)]],
    [[x(8), ints(6), ints(0), ints(0), ints(-2)]],
    [[x(5, 4), ints(0, 3), ints(5, -100), ints(0, 1), ints(2, -3)]],
    [[x(3), ints(2), ints(1)]],
  ],
  Pad: [
    [[x(2, 3), ints(1, 0, 0, 2)]],
    [[x(2, 3), ints(1, -1, 0, 2), x()]],
    [[x(4), ints(-5, 4), x(1)]],
    [[x(2, 4), ints(2, -1), null, ints(1)]],
    [[x(2, 3), ints(1, 2, 0, 1)], { mode: 'edge' }],
    [[x(2, 4), ints(1, 2, 1, 3)], { mode: 'reflect' }],
    [[x(3), ints(4, 2)], { mode: 'wrap' }],
    [[x(4), ints(-1, 2)], { mode: 'reflect' }],
  ],
  Gather: [[[x(4, 2), indices([2, 2], [3, 0, 3, -1])]], [[x(2, 3, 2), ints(2, 2, 0)], { axis: 1 }], [[x(2, 3), int(1)], { axis: 1 }]],
  GatherElements: [[[x(3, 2), indices([2, 2], [0, 2, 0, -1])]], [[x(2, 3), indices([2, 2], [0, 2, 1, 1])], { axis: 1 }]],
  GatherND: [
    [[x(2, 3, 2), indices([3, 2], [0, 1, 1, 2, 0, 1])]],
    [[x(2, 3), indices([2, 1], [1, -1])]],
    [[x(2, 3, 2), indices([2, 2, 1], [0, 2, 1, 1])], { batch_dims: 1 }],
  ],
  ScatterElements: [
    [[x(3, 2), indices([2, 2], [0, 2, 1, -2]), x(2, 2)]],
    [[x(3, 2), indices([2, 2], [0, 2, 0, 2]), x(2, 2)], { reduction: 'add' }],
    [[x(2, 3), indices([2, 3], [0, 2, 0, 1, 1, 1]), x(2, 3)], { reduction: 'mul', axis: 1 }],
    [[x(3), ints(0, 0, 1), given([3], [0, 2, 0])], { reduction: 'mul' }, once],
    [[x(3), ints(0, 0, 1), given([3], [2, 3, -4])], { reduction: 'max' }],
    [[x(3), ints(0, 0, 1), given([3], [2, -3, -4])], { reduction: 'min' }],
  ],
  ScatterND: [
    [[x(3, 2), indices([2, 1], [2, 0]), x(2, 2)]],
    [[x(3, 2), indices([3, 2], [2, 0, 2, 0, 1, -1]), x(3)], { reduction: 'add' }],
    [[x(3), indices([3, 1], [2, 2, 0]), x(3)], { reduction: 'mul' }],
    [[x(3), indices([3, 1], [2, 2, 0]), given([3], [5, 4, -3])], { reduction: 'max' }],
  ],
  OneHot: [[[ints(1, -1, 7), int(3), x(2)]]],

  Resize: [
    [[x(1, 1, 2, 3), null, numbers(1, 1, 2, 2)], { mode: 'nearest', nearest_mode: 'floor', coordinate_transformation_mode: 'asymmetric' }],
    [[x(1, 1, 2, 3), null, null, ints(1, 1, 3, 5)], { mode: 'linear' }],
    [[x(1, 1, 4, 5), null, null, ints(1, 1, 3, 2)], { mode: 'linear', antialias: 1 }],
    [[x(1, 4), null, null, ints(1, 6)], { mode: 'cubic', coordinate_transformation_mode: 'align_corners' }],
    [[x(4), numbers(-0.2, 0.7), null, ints(5)], { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize' }],
  ],
  MaxPool: [
    [[spread(2, 1, 4)], { kernel_shape: [2], strides: [2] }],
    [[spread(1, 2, 4, 3)], { kernel_shape: [3, 2], pads: [1, 0, 1, 1], strides: [1, 2] }],
    [[spread(1, 1, 5)], { kernel_shape: [2], dilations: [2], ceil_mode: 1, strides: [2] }],
    [[spread(1, 2, 3, 3)], { kernel_shape: [2, 2], storage_order: 1 }],
  ],
  AveragePool: [
    [[x(2, 1, 4)], { kernel_shape: [2], strides: [2] }],
    [[x(1, 2, 4, 3)], { kernel_shape: [3, 2], pads: [1, 0, 1, 1], strides: [1, 2] }],
    [[x(1, 1, 6)], { kernel_shape: [3], strides: [2], ceil_mode: 1 }],
    [[x(1, 1, 6)], { kernel_shape: [3], strides: [4], pads: [1, 1], count_include_pad: 1 }],
    [[x(1, 1, 5)], { kernel_shape: [2], dilations: [2], pads: [1, 1] }],
  ],
  LpPool: [[[within(0.2, 1, 1, 1, 5)], { kernel_shape: [2], p: 3 }], [[spread(1, 1, 5)], { kernel_shape: [3], strides: [2], pads: [1, 1] }]],
  GlobalAveragePool: [[[x(2, 2, 3)]]],
  GlobalMaxPool: [[[spread(2, 2, 3)]]],
  GlobalLpPool: [[[x(2, 2, 3)]]],

  Conv: [
    [[x(2, 2, 5), x(3, 2, 3), x(3)]],
    [[x(1, 2, 4, 5), x(2, 2, 2, 3)], { pads: [1, 0, 0, 2], strides: [2, 1] }],
    [[x(2, 4, 5), x(6, 2, 2)], { group: 2, dilations: [2], pads: [1, 1] }],
    [[x(2, 3, 4, 4), x(3, 1, 3, 3), x(3)], { group: 3, pads: [1, 1, 1, 1] }],
    [[x(1, 1, 6), x(1, 1, 2)], { strides: [3] }],
    [[x(2, 3, 4, 5), x(2, 3, 1, 1)], { strides: [2, 2] }],
    [[x(1, 1, 7), x(1, 1, 3)], { strides: [2], auto_pad: 'SAME_UPPER' }],
    [[x(1, 1, 3, 3, 3), x(2, 1, 2, 2, 2)], { strides: [1, 2, 1] }],
    [[x(2, 2, 8), x(2, 2, 2)], { strides: [3], dilations: [3], pads: [1, 0] }],
  ],
  ConvTranspose: [
    [[x(2, 2, 3), x(2, 3, 2), x(3)]],
    [[x(1, 2, 2, 3), x(2, 1, 3, 2)], { strides: [2, 2], pads: [1, 0, 1, 0], output_padding: [1, 0] }],
    [[x(1, 4, 3), x(4, 2, 2)], { group: 2, dilations: [2] }],
    [[x(1, 1, 2), x(1, 1, 2)], { strides: [2], output_shape: [7] }],
    [[x(1, 1, 3), x(1, 1, 3)], { strides: [2], auto_pad: 'SAME_LOWER' }],
  ],
  ConvBackwardWeights: [
    [[x(2, 2, 3), x(2, 3, 3)], { kernel_shape: [1], strides: [1], dilations: [1], pads: [0] }],
    [[x(2, 2, 5, 3), x(2, 3, 3, 4)], { kernel_shape: [1, 1], strides: [2, 1], dilations: [1, 1], pads: [1, 0] }],
    [[x(2, 2, 5), x(2, 3, 3)], { kernel_shape: [3], strides: [1], dilations: [1], pads: [0] }],
    [[x(2, 4, 5), x(2, 2, 3)], { kernel_shape: [2], strides: [2], dilations: [1], pads: [1], group: 2 }],
    [[x(1, 1, 4, 4), x(1, 2, 2, 3)], { kernel_shape: [2, 2], strides: [2, 1], dilations: [1, 2], pads: [0, 1] }],
  ],
  MaxPoolBackward: [[[x(1, 1, 3), spread(1, 1, 4), x(1, 1, 3)], { kernel_shape: [2] }]],
  AveragePoolBackward: [[[x(1, 2, 2, 2)], { kernel_shape: [3, 2], pads: [1, 0, 1, 1], strides: [3, 2], shape: [1, 2, 4, 3] }]],

  SoftmaxCrossEntropyLoss: [
    [[x(3, 4), ints(1, 3, 0)]],
    [[x(3, 4), ints(1, 3, 0), numbers(1, 2, 0.5, 3)], { reduction: 'sum' }],
    [[x(3, 4), ints(1, 3, 0), positive(4)]],
    [[x(2, 3, 2), indices([2, 2], [0, 2, -100, 1])], { ignore_index: -100 }],
    [[x(2, 3, 2), indices([2, 2], [0, 2, 1, 1]), numbers(1, 2, 3)], { reduction: 'none', ignore_index: 1 }],
  ],
  NegativeLogLikelihoodLoss: [
    [[x(3, 4), ints(1, 3, 0)]],
    [[x(3, 4), ints(1, -1, 0), positive(4)], { ignore_index: -1 }],
    [[x(2, 3, 2), indices([2, 2], [0, 2, 1, 1]), numbers(1, 2, 3)], { reduction: 'none' }],
  ],
};

export const cases = Object.entries(table).flatMap(([op, rows]) => rows.map(([operands, attrs = {}, order = 2]): Case => ({ op, operands, attrs, order })));

const bool = 'its result is true or false';
const integer = 'its result is an index';
const known = 'its result does not depend on the values of its operands';

/** Operators without a case. */
export const reasons: Readonly<Record<string, string>> = {
  Constant: 'it has no operands',
  Input: 'it has no operands',
  StopGradient: 'it is there to have none; tested by itself',
  And: bool,
  Or: bool,
  Xor: bool,
  Not: bool,
  IsNaN: bool,
  IsInf: bool,
  Equal: bool,
  Greater: bool,
  GreaterOrEqual: bool,
  Less: bool,
  LessOrEqual: bool,
  ArgMax: integer,
  ArgMin: integer,
  Shape: known,
  Size: known,
  EyeLike: known,
  Range: 'its operands are constant',
  ConstantOfShape: known,
  PhiloxUniform: 'its result is random',
  TopK: 'no device runs it; its gradient is tested with tensors',
};
