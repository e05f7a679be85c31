/** What the device must get right, whatever the kernel, layout or fusion that a case ends in. */
import { apply, type Attrs, constant, fromNumbers, sizeOf, type TensorData, tensorData, type Value } from '../../graph/index.ts';
import { type DeviceCase, ints, random, testOnCpu } from '../../../test/support/cpu.ts';

/** One operator on its operands; int64 tensors become constants, as shape operands are. */
const one = (op: string, operands: readonly (TensorData | Value | null)[], attrs: Attrs = {}): DeviceCase => {
  const isInput = (operand: TensorData | Value | null): operand is TensorData => operand !== null && 'data' in operand;
  return {
    inputs: operands.filter(isInput),
    build: (values) => {
      const given = [...values];
      return apply(op, operands.map((operand) => (isInput(operand) ? (given.shift() as Value) : operand)), attrs);
    },
  };
};
const conv = (x: number[], w: number[], attrs: Attrs = {}) => one('Conv', [random(x), random(w)], attrs);
const matMul = (a: number[], b: number[], dtype: 'float32' | 'float64' = 'float32') => one('MatMul', [random(a, dtype), random(b, dtype, 2)]);
const same = (n: number) => ({ pads: new Array<number>(2 * n).fill(1) });

/** Some of them look negative to signed arithmetic. */
const uint64s = (shape: number[], from: bigint): TensorData =>
  tensorData('uint64', shape, BigUint64Array.from({ length: sizeOf(shape) }, (_, i) => (BigInt(i) * 0x9e3779b97f4a7c15n + from) & 0xffffffffffffffffn));

const pointwise: Record<string, DeviceCase> = {
  'Add, broadcast': one('Add', [random([3, 5, 7]), random([5, 1])]),
  'Add and Relu over many tasks': {
    inputs: [random([300, 517]), random([517])],
    build: ([x, y]) => apply('Relu', [apply('Add', [x, y])]),
  },
  'Where between comparisons': {
    inputs: [random([9, 33]), random([33])],
    build: ([x, y]) => apply('Where', [apply('Greater', [x, y]), apply('Mul', [x, y]), apply('Neg', [x])]),
  },
  'Max of uint64, of which one is a constant': {
    inputs: [uint64s([40], 1n)],
    build: ([x]) => apply('Max', [x, constant(uint64s([1], 2n ** 63n + 7n))]),
  },
  'Cast there and back': {
    inputs: [random([7, 19])],
    build: ([x]) => apply('Cast', [apply('Cast', [apply('Mul', [x, constant(fromNumbers('float32', [], [9]))])], { to: 'int32' })], { to: 'float32' }),
  },
};

const reductions: Record<string, DeviceCase> = {
  'Max of uint64': one('ReduceMax', [uint64s([3, 20], 5n), ints([1])]),
  'Min of uint64': one('ReduceMin', [uint64s([3, 20], 5n), ints([1])]),
  'ArgMax of uint64': one('ArgMax', [uint64s([3, 20], 5n)], { axis: 1 }),
  'ArgMin of uint64': one('ArgMin', [uint64s([3, 20], 5n)], { axis: 1 }),
  'Sum along the last axis': one('ReduceSum', [random([33, 1000]), ints([-1])], { keepdims: 0 }),
  'Sum along the first axis': one('ReduceSum', [random([100, 333]), ints([0])], { keepdims: 1 }),
  'Mean of squares along a middle axis': {
    inputs: [random([9, 10, 35])],
    build: ([x]) => apply('ReduceMean', [apply('Mul', [x, x]), ints([1])], { keepdims: 1 }),
  },
  'Max of all': one('ReduceMax', [random([9, 10, 35])], { keepdims: 0 }),
  'Mean of a convolution per channel': {
    inputs: [random([2, 16, 7, 7]), random([40, 16, 1, 1])],
    build: ([x, w]) => apply('ReduceMean', [apply('Conv', [x, w]), ints([2, 3])], { keepdims: 1 }),
  },
  ArgMax: one('ArgMax', [random([4, 30, 5])], { axis: 1, keepdims: 0 }),
  Softmax: one('Softmax', [random([5, 8, 77])], { axis: -1 }),
  'Softmax of rows shorter and longer than any vector': {
    inputs: [random([70, 16]), random([3, 260])],
    build: ([x, y]) => apply('Add', [apply('ReduceSum', [apply('Exp', [apply('Softmax', [x])])], { keepdims: 0 }), apply('Softmax', [y])]),
  },
  'Softmax of what is transposed, and far from 0': {
    inputs: [random([40, 6, 9])],
    build: ([x]) => apply('Softmax', [apply('Mul', [apply('Transpose', [x], { perm: [1, 2, 0] }), constant(fromNumbers('float32', [], [300]))])]),
  },
  LayerNormalization: one('LayerNormalization', [random([3, 7, 77]), random([77]), random([77])], { epsilon: 1e-3 }),
  'LayerNormalization without bias, over many tasks': one('LayerNormalization', [random([300, 128]), random([128])]),
  'LayerNormalization of an image, scale by place': one('LayerNormalization', [random([2, 24, 5, 20]), random([5, 20]), random([1, 20])]),
  'LayerNormalization with its statistics': {
    inputs: [random([5, 40]), random([40])],
    build: ([x, scale]) => {
      const { outputs } = apply('LayerNormalization', [x, scale]).node;
      return apply('Add', [outputs[0], apply('Mul', [outputs[1], outputs[2]])]);
    },
  },
  'LayerNormalization over two axes': one('LayerNormalization', [random([5, 8, 20]), random([8, 20])], { axis: 1 }),
  'Softmax along channels': one('Softmax', [random([2, 21, 5, 6])], { axis: 1 }),
};

const products: Record<string, DeviceCase> = {
  'MatMul 5x7x9': matMul([5, 7], [7, 9]),
  'MatMul with partial tiles and panels': matMul([51, 150], [150, 130]),
  'MatMul with k in blocks, A packed': matMul([40, 512], [512, 260]),
  'MatMul batched, bias fused': {
    inputs: [random([2, 3, 17, 20]), random([3, 20, 18]), random([18])],
    build: ([x, y, z]) => apply('Add', [apply('MatMul', [x, y]), z]),
  },
  'MatMul of one row': matMul([1, 300], [300, 1000]),
  'MatMul of a vector': matMul([300], [4, 300, 10]),
  'MatMul float64': matMul([21, 33], [33, 19], 'float64'),
  'MatMul of transposed operands': {
    inputs: [random([33, 21]), random([19, 33])],
    build: ([x, y]) => apply('MatMul', [apply('Transpose', [x], { perm: [1, 0] }), apply('Transpose', [y], { perm: [1, 0] })]),
  },
};

/** A convolution with constant weights [o, i / group, 3, 3], as models have it. */
const constantConv = (x: number[], w: number[], group: number, options: { bias?: boolean; attrs?: Attrs } = {}): DeviceCase => ({
  inputs: [random(x)],
  build: ([value]) => {
    const constants = [constant(random(w)), ...(options.bias ? [constant(random([w[0]], 'float32', 3))] : [])];
    return apply('Conv', [value, ...constants], { group, ...options.attrs });
  },
});

const convolutions: Record<string, DeviceCase> = {
  'Conv 1x1': conv([1, 32, 7, 7], [64, 32, 1, 1]),
  'Conv 1x1 of more pixels than 16 bits count': conv([1, 8, 400, 600], [8, 8, 1, 1]),
  'Conv 3x3': conv([2, 16, 13, 11], [32, 16, 3, 3], same(2)),
  'Conv 3x3, partial blocks, odd pads and strides': conv([1, 20, 13, 11], [24, 20, 3, 3], { pads: [1, 0, 1, 2], strides: [2, 1] }),
  'Conv 7x7 of an image': conv([1, 3, 32, 32], [16, 3, 7, 7], { pads: [3, 3, 3, 3], strides: [2, 2] }),
  'Conv, bias and Relu fused': {
    inputs: [random([1, 16, 8, 8]), random([16, 16, 3, 3]), random([16])],
    build: ([x, w, bias]) => apply('Relu', [apply('Conv', [x, w, bias], same(2))]),
  },
  'Conv dilated': conv([1, 16, 12, 12], [16, 16, 3, 3], { dilations: [2, 2], pads: [2, 2, 2, 2] }),
  'Conv 1d': conv([2, 16, 50], [16, 16, 3], same(1)),
  'Conv 3d': conv([1, 3, 5, 6, 7], [4, 3, 3, 3, 3], same(3)),
  'Conv float64': one('Conv', [random([1, 4, 6, 6], 'float64'), random([5, 4, 3, 3], 'float64')]),
  'Conv in groups of whole blocks': conv([1, 32, 6, 6], [32, 16, 3, 3], { group: 2, ...same(2) }),
  'Conv in odd groups': conv([1, 6, 6, 6], [4, 3, 3, 3], { group: 2 }),
  'Conv in groups that are joined': constantConv([2, 24, 6, 6], [24, 4, 3, 3], 6, { attrs: same(2) }),
  'Conv in groups of one, two results each': constantConv([2, 4, 6, 6], [8, 1, 3, 3], 4, { bias: true }),
  'Conv of few channels': constantConv([2, 4, 6, 6], [8, 4, 3, 3], 1, { bias: true }),
  'depthwise, partial blocks': conv([2, 24, 9, 9], [24, 1, 3, 3], { group: 24, ...same(2) }),
  'depthwise, less than a block, bias': constantConv([2, 8, 6, 6], [8, 1, 3, 3], 8, { bias: true }),
  'depthwise 5x5, strides': conv([1, 16, 12, 9], [16, 1, 5, 5], { group: 16, pads: [2, 2, 2, 2], strides: [2, 1] }),
  'depthwise, taps in parts, dilated, many widths of tiles': conv([2, 40, 11, 39], [40, 1, 3, 7], { group: 40, pads: [2, 3, 2, 9], dilations: [2, 2] }),
  'depthwise along a line': conv([2, 20, 70], [20, 1, 6], { group: 20, strides: [3] }),
  'depthwise on odd widths': conv([1, 16, 6, 5], [16, 1, 3, 3], { group: 16 }),
  'Conv by denormal weights beside others': {
    inputs: [random([1, 16, 6, 6])],
    build: ([x]) => apply('Conv', [x, constant(fromNumbers('float32', [16, 16, 1, 1], Array.from({ length: 256 }, (_, i) => (i % 3 === 0 ? i / 100 : 1e-40))))]),
  },
  'a residual block': {
    inputs: [random([1, 16, 14, 14]), random([16, 16, 3, 3]), random([16, 16, 3, 3], 'float32', 2)],
    build: ([x, w, v]) => {
      const first = apply('Relu', [apply('Conv', [x, w], same(2))]);
      return apply('Relu', [apply('Add', [apply('Conv', [first, v], same(2)), first])]);
    },
  },
  'an inverted residual with squeeze and excitation': {
    inputs: [random([2, 20, 9, 10])],
    build: ([x]) => {
      const weights = (shape: number[], seed: number) => constant(random(shape, 'float32', seed));
      const wide = apply('HardSwish', [apply('Conv', [x, weights([36, 20, 1, 1], 1), weights([36], 2)])]);
      const deep = apply('Conv', [wide, weights([36, 1, 5, 5], 3)], { group: 36, pads: [2, 2, 2, 2] });
      const squeezed = apply('Relu', [apply('Conv', [apply('GlobalAveragePool', [deep]), weights([9, 36, 1, 1], 4)])]);
      const gate = apply('HardSigmoid', [apply('Conv', [squeezed, weights([36, 9, 1, 1], 5)])]);
      return apply('Add', [apply('Conv', [apply('Mul', [deep, gate]), weights([20, 36, 1, 1], 6)]), x]);
    },
  },
};

const transposed = (x: number[], w: number[], attrs: Attrs = {}) => one('ConvTranspose', [random(x), random(w)], attrs);
const transposedConvolutions: Record<string, DeviceCase> = {
  'ConvTranspose 3x3, stride 2': transposed([1, 16, 5, 5], [16, 8, 3, 3], { strides: [2, 2], ...same(2), output_padding: [1, 1] }),
  'ConvTranspose 4x4, stride 2, as generators have it': transposed([2, 24, 5, 7], [24, 20, 4, 4], { strides: [2, 2], ...same(2) }),
  'ConvTranspose 2x2, stride 2': transposed([2, 24, 5, 7], [24, 24, 2, 2], { strides: [2, 2] }),
  'ConvTranspose 5x3, strides 3 and 1, large pads': transposed([1, 16, 6, 5], [16, 16, 5, 3], { strides: [3, 1], pads: [4, 0, 3, 2] }),
  'ConvTranspose dilated': transposed([1, 16, 6, 5], [16, 16, 3, 3], { dilations: [2, 3], pads: [1, 1, 0, 2] }),
  'ConvTranspose 1d': transposed([2, 16, 9], [16, 16, 5], { strides: [2], pads: [1, 2] }),
  'ConvTranspose to one channel': transposed([1, 24, 5, 7], [24, 1, 2, 2], { strides: [2, 2] }),
  'ConvTranspose to one channel, taps that meet': transposed([1, 24, 5, 7], [24, 1, 3, 3], { strides: [2, 2] }),
  'ConvTranspose, stride larger than the kernel': transposed([1, 16, 4, 4], [16, 8, 2, 2], { strides: [3, 3] }),
  'ConvTranspose 1x1, stride 2': transposed([2, 32, 5, 7], [32, 16, 1, 1], { strides: [2, 2], output_padding: [1, 1] }),
  'ConvTranspose of which no tap is left': transposed([1, 16, 1, 1], [16, 16, 1, 1], { strides: [3, 3], pads: [1, 1, 0, 0], output_padding: [1, 1] }),
  'ConvTranspose, stride larger than the kernel, residual and Relu fused': {
    inputs: [random([2, 16, 4, 4]), random([16, 24, 1, 2]), random([2, 24, 7, 11])],
    build: ([x, w, y]) => apply('Relu', [apply('Add', [apply('ConvTranspose', [x, w], { strides: [2, 3] }), y])]),
  },
  'ConvTranspose in groups': transposed([1, 16, 4, 4], [16, 8, 3, 3], { strides: [2, 2], group: 2 }),
  'ConvTranspose of few channels': transposed([1, 3, 4, 4], [3, 8, 3, 3], { strides: [2, 2] }),
  'ConvTranspose 3d': transposed([1, 3, 3, 4, 3], [3, 4, 2, 3, 2], { strides: [2, 2, 1] }),
  'ConvTranspose, bias, residual and Relu fused, before a convolution': {
    inputs: [random([1, 16, 5, 6]), random([1, 24, 10, 12])],
    build: ([x, y]) => {
      const up = apply('ConvTranspose', [x, constant(random([16, 24, 4, 4])), constant(random([24]))], { strides: [2, 2], ...same(2) });
      return apply('Conv', [apply('Relu', [apply('Add', [up, y])]), constant(random([16, 24, 3, 3]))], same(2));
    },
  },
};

const pooling: Record<string, DeviceCase> = {
  'AveragePool of a window that a dilation leads past every element': one('AveragePool', [random([1, 3, 2])], { kernel_shape: [2], dilations: [5], pads: [2, 2] }),
  'MaxPool with pads': one('MaxPool', [random([1, 20, 12, 12])], { kernel_shape: [3, 3], strides: [2, 2], ...same(2) }),
  'MaxPool of few channels': one('MaxPool', [random([2, 3, 7, 9])], { kernel_shape: [2, 2], strides: [2, 2] }),
  'AveragePool, pads not counted': one('AveragePool', [random([1, 20, 12, 12])], { kernel_shape: [3, 3], strides: [1, 1], ...same(2) }),
  'AveragePool, pads counted': one('AveragePool', [random([1, 20, 12, 12])], { kernel_shape: [3, 3], count_include_pad: 1, ...same(2) }),
};

const movement: Record<string, DeviceCase> = {
  Transpose: one('Transpose', [random([3, 5, 7])], { perm: [2, 0, 1] }),
  Concat: one('Concat', [random([2, 3, 5]), random([2, 4, 5])], { axis: 1 }),
  'Concat of blocked values': {
    inputs: [random([1, 32, 6, 6]), random([24, 32, 1, 1]), random([32, 32, 1, 1])],
    build: ([x, w, v]) => apply('Concat', [apply('Conv', [x, v]), apply('Conv', [x, w]), x], { axis: 1 }),
  },
  'Concat of blocked values that end within a block': {
    inputs: [random([2, 24, 6, 5]), random([2, 8, 6, 5])],
    build: ([x, y]) => {
      const [a, b] = [24, 40].map((channels) => apply('Conv', [x, constant(random([channels, 24, 1, 1]))]));
      const joined = apply('Concat', [a, y, b, x], { axis: 1 });
      return apply('Conv', [joined, constant(random([16, 96, 3, 3]))], same(2));
    },
  },
  'Concat of blocked values, the last of them partial': {
    inputs: [random([1, 16, 6, 5])],
    build: ([x]) => {
      const [a, b] = [8, 12].map((channels) => apply('Conv', [x, constant(random([channels, 16, 1, 1]))]));
      return apply('Conv', [apply('Concat', [x, a, b], { axis: 1 }), constant(random([16, 36, 1, 1]))]);
    },
  },
  'Pad by zeros': one('Pad', [random([2, 3, 5]), ints([0, 1, 2, 0, 0, 1])]),
  'Pad by reflection': one('Pad', [random([2, 3, 5]), ints([0, 1, 2, 0, 0, 1])], { mode: 'reflect' }),
  'Gather along a middle axis': one('Gather', [random([2, 3, 5]), ints([2, 0, -1])], { axis: 1 }),
  'Slice backwards': one('Slice', [random([4, 30, 5]), ints([4, 1]), ints([-100, 3]), ints([2, 1]), ints([-2, 1])]),
  'Slice of channels between convolutions': {
    inputs: [random([1, 32, 6, 6]), random([48, 32, 1, 1]), random([8, 20, 1, 1])],
    build: ([x, w, v]) => apply('Conv', [apply('Slice', [apply('Conv', [x, w]), ints([16]), ints([36]), ints([1])]), v]),
  },
  'Resize, linear': one('Resize', [random([1, 3, 5, 5]), null, null, ints([1, 3, 9, 12])], { mode: 'linear' }),
  'Resize, nearest': one('Resize', [random([1, 3, 5, 5]), null, null, ints([1, 3, 10, 10])], { mode: 'nearest' }),
  'Resize of a blocked value, added to another': {
    inputs: [random([1, 24, 5, 5]), random([24, 24, 1, 1]), random([1, 24, 10, 10])],
    build: ([x, w, y]) => apply('Add', [y, apply('Resize', [apply('Conv', [x, w]), null, null, ints([1, 24, 10, 10])], { mode: 'nearest' })]),
  },
};

testOnCpu({ ...pointwise, ...reductions, ...products, ...convolutions, ...transposedConvolutions, ...pooling, ...movement });
