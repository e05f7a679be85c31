/** Picking and scattering by tensors of indices: every element width and reduction, and indices that lie outside. */
import { describe, expect, test } from 'vitest';
import { apply, type DType, fromNumbers, input, sizeOf, type TensorData, tensorData, toNumbers, type Value } from '../../../graph/index.ts';
import { counting, type DeviceCase, isas, ints, random, testOnCpu } from '../../../../test/support/cpu.ts';
import { random as generator } from '../../../../test/support/ops.ts';
import { cpu } from '../index.ts';

/** Indices in [-dim, dim), for the device to find out. */
function indices(shape: number[], dim: number, dtype: 'int32' | 'int64' = 'int64'): TensorData {
  const next = generator(dim);
  return fromNumbers(dtype, shape, Array.from({ length: sizeOf(shape) }, () => Math.floor(next() * 2 * dim) - dim));
}
/** Coordinates for the given axes, each list within bounds. */
function coordinates(positions: number[], dims: number[]): TensorData {
  const next = generator(dims.length);
  const values = Array.from({ length: sizeOf(positions) * dims.length }, (_, i) => {
    const dim = dims[i % dims.length];
    return Math.floor(next() * 2 * dim) - dim;
  });
  return fromNumbers('int64', [...positions, dims.length], values);
}
const one = (op: string, inputs: TensorData[], attrs = {}): DeviceCase => ({ inputs, build: (values) => apply(op, values, attrs) });

const widths: DType[] = ['float32', 'float64', 'int64', 'int32', 'int16', 'uint8', 'bool', 'float16', 'uint64'];
const picks: Record<string, DeviceCase> = {
  ...Object.fromEntries(widths.map((dtype) => [`GatherElements of ${dtype}`, one('GatherElements', [counting(dtype, [3, 5, 4]), indices([2, 7, 4], 5)], { axis: 1 })])),
  'GatherElements along the first axis by int32': one('GatherElements', [random([6, 5]), indices([9, 5], 6, 'int32')], { axis: 0 }),
  'GatherElements along the last axis': one('GatherElements', [random([6, 50]), indices([6, 11], 50)], { axis: -1 }),
  'GatherElements over many tasks': one('GatherElements', [random([200, 300]), indices([200, 300], 300)], { axis: 1 }),
  'GatherElements of nothing': one('GatherElements', [random([0, 4]), indices([0, 4], 4)], { axis: 1 }),
  'GatherElements of a transposed tensor': {
    inputs: [random([5, 6]), indices([6, 3], 5)],
    build: ([x, at]) => apply('GatherElements', [apply('Transpose', [x], { perm: [1, 0] }), at], { axis: 1 }),
  },
  'GatherElements of a convolution': {
    inputs: [random([1, 16, 4, 4]), random([20, 16, 1, 1]), indices([1, 7, 4, 4], 20)],
    build: ([x, w, at]) => apply('GatherElements', [apply('Conv', [x, w]), at], { axis: 1 }),
  },
  'GatherND of elements': one('GatherND', [random([4, 5, 6]), coordinates([7], [4, 5, 6])]),
  'GatherND of rows': one('GatherND', [random([4, 5, 37]), coordinates([3, 7], [4, 5])]),
  'GatherND of matrices': one('GatherND', [random([4, 5, 37]), coordinates([6], [4])]),
  'GatherND with batch axes': one('GatherND', [random([3, 5, 6, 9]), coordinates([3, 4], [5, 6])], { batch_dims: 1 }),
  'GatherND of rows of bytes': one('GatherND', [counting('uint8', [4, 9]), coordinates([5], [4])]),
  'GatherND of rows of int64': one('GatherND', [counting('int64', [4, 9]), coordinates([5], [4])]),
};

const reductions = ['add', 'mul', 'max', 'min'];
/** Small whole numbers, so that integers do not overflow differently and floats are exact in any order. */
const small = (dtype: DType, shape: number[]): TensorData => {
  const next = generator(sizeOf(shape));
  return fromNumbers(dtype, shape, Array.from({ length: sizeOf(shape) }, () => Math.floor(next() * 5)));
};
const scatters: Record<string, DeviceCase> = {
  ...Object.fromEntries(
    widths.map((dtype) => [`ScatterElements of ${dtype}`, one('ScatterElements', [counting(dtype, [3, 5, 4]), indices([2, 3, 4], 5), counting(dtype, [2, 3, 4])], { axis: 1 })]),
  ),
  ...Object.fromEntries(
    reductions.flatMap((reduction) =>
      (['float32', 'float64', 'int32', 'int64', 'int8'] as DType[]).flatMap((dtype) => [
        [`ScatterElements, ${reduction} of ${dtype}`, one('ScatterElements', [small(dtype, [6, 5]), indices([6, 9], 5), small(dtype, [6, 9])], { axis: 1, reduction })],
        [`ScatterND, ${reduction} of ${dtype}`, one('ScatterND', [small(dtype, [4, 37]), coordinates([9], [4]), small(dtype, [9, 37])], { reduction })],
      ]),
    ),
  ),
  'ScatterElements, duplicates: the last one stays': one('ScatterElements', [random([3]), fromNumbers('int64', [5], [1, 1, 2, -2, 1]), random([5])], { axis: 0 }),
  'ScatterElements over many tasks, added': one('ScatterElements', [random([300, 40]), indices([300, 400], 40), random([300, 400])], { axis: 1, reduction: 'add' }),
  'ScatterElements along the first axis': one('ScatterElements', [random([40, 90]), indices([7, 90], 40, 'int32'), random([7, 90])], { axis: 0 }),
  'ScatterElements of nothing': one('ScatterElements', [random([4, 5]), indices([0, 5], 4), random([0, 5])], { axis: 0 }),
  'ScatterElements, NaN wins': one(
    'ScatterElements',
    [fromNumbers('float32', [2, 2], [NaN, 1, 2, 3]), fromNumbers('int64', [2, 3], [0, 1, 1, 0, 0, 1]), fromNumbers('float32', [2, 3], [5, NaN, 7, 9, 1, NaN])],
    { axis: 1, reduction: 'max' },
  ),
  'ScatterND of elements': one('ScatterND', [random([4, 5]), coordinates([6], [4, 5]), random([6])]),
  'ScatterND of rows': one('ScatterND', [random([4, 5, 37]), coordinates([2, 3], [4, 5]), random([2, 3, 37])]),
  'ScatterND of rows of bytes': one('ScatterND', [counting('uint8', [4, 9]), coordinates([5], [4]), counting('uint8', [5, 9])]),
  'ScatterND of transposed updates': {
    inputs: [random([7, 20]), coordinates([6], [7]), random([20, 6])],
    build: ([x, at, updates]) => apply('ScatterND', [x, at, apply('Transpose', [updates], { perm: [1, 0] })]),
  },
  'ScatterND into constants': {
    inputs: [random([2, 3])],
    build: ([updates]) => apply('ScatterND', [apply('Expand', [ints([0], [1, 1]), ints([5, 3])]), ints([4, -4], [2, 1]), apply('Cast', [updates], { to: 'int64' })]),
  },
};
testOnCpu({ ...picks, ...scatters });

/** Compiles an operator whose indices come at run time, where nobody looks at them before the kernel does. */
function run(isa: (typeof isas)[number], op: string, inputs: readonly TensorData[], attrs = {}): number[] {
  const values = inputs.map(({ dtype, shape }, i): Value => input(`x${i}`, dtype, shape));
  const graph = { name: op, inputs: values.map((value, i) => ({ name: `x${i}`, value })), outputs: [{ name: 'y', value: apply(op, values, attrs) }] };
  const executable = cpu.compile(graph, { isa, threads: 1 });
  try {
    return toNumbers(executable.run(Object.fromEntries(inputs.map((data, i) => [`x${i}`, data]))).y);
  } finally {
    executable.dispose();
  }
}

for (const isa of isas) {
  describe(`indices outside, on ${isa}`, () => {
    const data = fromNumbers('float32', [4], [10, 11, 12, 13]);
    const far = (dtype: 'int32' | 'int64') =>
      dtype === 'int32'
        ? fromNumbers(dtype, [6], [4, -5, 2 ** 31 - 1, -(2 ** 31), 1, -1])
        : tensorData(dtype, [6], BigInt64Array.from([4n, -5n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 32n + 1n, -1n]));
    const nearest = { int32: [13, 10, 13, 10, 11, 13], int64: [13, 10, 13, 10, 13, 13] };
    for (const dtype of ['int32', 'int64'] as const) {
      test(`the nearest element is picked by ${dtype}`, () => {
        expect(run(isa, 'GatherElements', [data, far(dtype)], { axis: 0 })).toEqual(nearest[dtype]);
        expect(run(isa, 'GatherND', [data, { ...far(dtype), shape: [6, 1] }])).toEqual(nearest[dtype]);
        expect(run(isa, 'Gather', [data, far(dtype)], { axis: 0 })).toEqual(nearest[dtype]);
      });
      test(`nothing is scattered by ${dtype}`, () => {
        const updates = fromNumbers('float32', [6], [1, 2, 3, 4, 5, 6]);
        const expected = dtype === 'int32' ? [10, 5, 12, 6] : [10, 11, 12, 6];
        expect(run(isa, 'ScatterElements', [data, far(dtype), updates], { axis: 0 })).toEqual(expected);
        expect(run(isa, 'ScatterND', [data, { ...far(dtype), shape: [6, 1] }, updates])).toEqual(expected);
      });
    }
    test('one coordinate outside is enough', () => {
      const table = fromNumbers('float32', [2, 2], [1, 2, 3, 4]);
      const at = fromNumbers('int64', [2, 2], [0, 2, 1, -2]);
      expect(run(isa, 'ScatterND', [table, at, fromNumbers('float32', [2], [8, 9])])).toEqual([1, 2, 9, 4]);
    });
  });
}
