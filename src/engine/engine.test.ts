import { describe, expect, test } from 'vitest';
import { apply, type Graph, input, type Model, tensorData } from '../graph/index.ts';
import '../ops/index.ts';
import { referenceDevice } from '../../test/support/reference-device.ts';
import { compileModel } from './index.ts';

/** y = x + x for x of float32[batch, 3]; two = a + b where both share the free dimension. */
const doubling: Model = {
  name: 'doubling',
  inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 3] }],
  outputs: ['y'],
  build(shapes): Graph {
    const x = input('x', 'float32', shapes!.x);
    return { name: 'doubling', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'y', value: apply('Add', [x, x]) }] };
  },
};
const adding: Model = {
  name: 'adding',
  inputs: [
    { name: 'a', dtype: 'float32', shape: ['length'] },
    { name: 'data', dtype: 'float32', shape: ['length'] },
  ],
  outputs: ['sum'],
  build(shapes): Graph {
    const [a, data] = ['a', 'data'].map((name) => input(name, 'float32', shapes![name]));
    return {
      name: 'adding',
      inputs: [{ name: 'a', value: a }, { name: 'data', value: data }],
      outputs: [{ name: 'sum', value: apply('Add', [a, data]) }],
    };
  },
};
const rows = (count: number) => tensorData('float32', [count, 3], Float32Array.from({ length: count * 3 }, (_, i) => i));

describe('infer', () => {
  test('takes tensors by name, or the one tensor of a model with one input', () => {
    const model = compileModel(doubling, referenceDevice());
    const { y } = model.infer({ x: rows(1) });
    expect(y).toEqual(tensorData('float32', [1, 3], new Float32Array([0, 2, 4])));
    expect(model.infer(rows(1)).y).toEqual(y);
  });

  test('takes a Graph as it takes a Model', () => {
    const model = compileModel(doubling.build({ x: [2, 3] }), referenceDevice());
    expect(model.inputs).toEqual([{ name: 'x', dtype: 'float32', shape: [2, 3] }]);
    expect(model.infer(rows(2)).y.shape).toEqual([2, 3]);
    expect(() => model.infer(rows(1))).toThrow("input 'x': expected float32[2,3], got float32[1,3]");
    expect(() => model.compile({ x: [1, 3] })).toThrow("shape of 'x': expected float32[2,3], got [1,3]");
    expect(() => model.compile({ z: [1, 3] })).toThrow("shape of 'z'");
  });

  test('takes names that are also fields of a tensor', () => {
    const v = tensorData('float32', [2], new Float32Array([1, 2]));
    expect([...compileModel(adding, referenceDevice()).infer({ a: v, data: v }).sum.data]).toEqual([2, 4]);
  });

  test('asynchronously gives the same, and rejects rather than throws', async () => {
    const model = compileModel(doubling, referenceDevice());
    expect(await model.inferAsync(rows(2))).toEqual(model.infer(rows(2)));
    const wrong = model.inferAsync({});
    await expect(wrong).rejects.toThrow("input 'x': expected float32[batch,3], got nothing");
  });
});

test('the CPU runs what no device is named for; asynchronous runs keep their inputs apart', async () => {
  const model = compileModel(doubling, 'cpu', { threads: 1 });
  const inputs = Array.from({ length: 5 }, (_, i) => tensorData('float32', [2, 3], new Float32Array(6).fill(i)));
  const running = inputs.map((x) => model.inferAsync(x));
  inputs[4].data.fill(99 as never);
  const results = await Promise.all(running);
  expect(results.map(({ y }) => y.data[5])).toEqual([0, 2, 4, 6, 8]);
  expect(compileModel(doubling).infer(rows(1)).y.data).toEqual(new Float32Array([0, 2, 4]));
  const into = tensorData('float32', [1, 3], new Float32Array(3));
  expect(model.infer(rows(1), { into: { y: into }, profile: true }).y.data).toBe(into.data);
  expect(into.data).toEqual(new Float32Array([0, 2, 4]));
  expect(model.profile()).toMatchObject([{ op: 'Add', threads: 1 }]);
  model.dispose();
});

describe('Executables', () => {
  test('are made once for each set of shapes', () => {
    const device = referenceDevice();
    const model = compileModel(doubling, device);
    const executable = model.compile({ x: [1, 3] });
    for (const count of [1, 2, 1, 2, 1]) model.infer(rows(count));
    expect(device.compiled).toHaveLength(2);
    expect(model.compile({ x: [1, 3] })).toBe(executable);
  });

  test('beyond the limit: the one not used for longest is disposed of', () => {
    const device = referenceDevice();
    const model = compileModel(doubling, device, { maxExecutables: 2 });
    for (const count of [1, 2, 1, 3]) model.infer(rows(count));
    expect(device.disposed).toEqual([device.compiled[1]]);
    model.infer(rows(1));
    expect(device.compiled).toHaveLength(3);
  });

  test('are not disposed of while they run', async () => {
    const device = referenceDevice();
    const model = compileModel(doubling, device, { maxExecutables: 1 });
    const running = model.inferAsync(rows(1));
    model.infer(rows(2));
    expect(device.disposed).toEqual([]);
    await running;
    expect(device.disposed).toEqual([device.compiled[0]]);
    const last = model.inferAsync(rows(2));
    model.dispose();
    await last;
    expect(device.disposed).toHaveLength(2);
    expect(() => model.infer(rows(1))).toThrow('disposed of');
  });
});

describe('what does not fit is said', () => {
  const model = compileModel(doubling, referenceDevice());
  const pictures: Graph = (() => {
    const x = input('pixels', 'float32', [1, 3, 8, 8]);
    return { name: 'pictures', inputs: [{ name: 'pixels', value: x }], outputs: [{ name: 'y', value: apply('Relu', [x]) }] };
  })();
  const picture = (shape: number[]) => tensorData('float32', shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

  test.each([
    ['an unknown name', () => model.infer({ x: rows(1), z: rows(1) }), "input 'z': expected one of 'x', got a name the model does not have"],
    ['a dtype', () => model.infer(tensorData('int32', [1, 3], new Int32Array(3))), "input 'x': expected float32[batch,3], got int32[1,3]; convert the values to float32"],
    ['a rank', () => model.infer(tensorData('float32', [3], new Float32Array(3))), 'add a batch axis: [1,3]'],
    ['a size', () => model.infer(tensorData('float32', [1, 4], new Float32Array(4))), "expected float32[batch,3], got float32[1,4]"],
    ['no tensor', () => model.infer({ x: new Float32Array(3) as never }), "expected a float32[batch,3] tensor, got Float32Array"],
    ['too few values', () => model.infer({ dtype: 'float32', shape: [5, 3], data: new Float32Array(3) }), 'expected Float32Array of 15 values'],
    ['another array', () => model.infer({ dtype: 'float32', shape: [1, 3], data: new Float64Array(3) }), 'got Float64Array of 3'],
    ['a negative size', () => model.infer({ dtype: 'float32', shape: [-1, 3], data: new Float32Array(3) }), 'got float32[-1,3]'],
    ['nothing at all', () => model.infer(undefined as never), 'inputs: expected tensors by name, got undefined'],
    ['NHWC for NCHW', () => compileModel(pictures, referenceDevice()).infer(picture([1, 8, 8, 3])), 'NCHW and NHWC seem to be mixed up'],
    ['bytes for floats', () => compileModel(pictures, referenceDevice()).infer(tensorData('uint8', [1, 3, 8, 8], new Uint8Array(192))), 'preprocess(image, recipe)'],
    ['a single tensor for two inputs', () => compileModel(adding, referenceDevice()).infer(rows(1)), "pass { 'a': tensor, 'data': tensor }"],
    [
      'a free dimension of two sizes',
      () => compileModel(adding, referenceDevice()).infer({ a: picture([2]), data: picture([3]) }),
      "input 'data': expected length = 2, as 'a' has it, got 3",
    ],
    ['a device', () => compileModel(doubling, 'abacus'), "device: expected one of"],
    ['a limit', () => compileModel(doubling, referenceDevice(), { maxExecutables: 0 }), 'maxExecutables'],
  ])('%s', (_what, run, message) => {
    expect(run).toThrow(message);
    expect(run).toThrow(expect.objectContaining({ name: 'EngineError' }));
  });
});
