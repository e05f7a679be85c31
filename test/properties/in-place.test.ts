/** Outputs that take the place of inputs, on every device: whatever the graph, old values are what everything else sees. */
import { describe, expect, test } from 'vitest';
import { cpu, type Device, type IsaName } from '../../src/devices/index.ts';
import { apply, constant, fromNumbers, type Graph, input, type TensorData, type Value } from '../../src/graph/index.ts';
import { evaluateGraph } from '../../src/ops/index.ts';
import { expectNear, isas, random } from '../support/cpu.ts';
import { referenceDevice } from '../support/reference-device.ts';

const devices: [string, Device, IsaName | undefined][] = [...isas.map((isa): [string, Device, IsaName] => [isa, cpu, isa]), ['reference', referenceDevice(), undefined]];

const scalar = (value: number): Value => constant(fromNumbers('float32', [], [value]));
const turned = (x: Value): Value => apply('Transpose', [x], { perm: [1, 0] });
type Build = (a: Value, b: Value) => Record<string, Value>;

/** All of square matrices a and b; `a2` takes the place of a, `b2` of b. */
const cases: Record<string, Build> = {
  'a map': (a, b) => ({ a2: apply('Sub', [a, apply('Mul', [b, scalar(0.1)])]), b2: apply('Neg', [b]) }),
  'a value that is read after its update': (a, b) => ({ a2: apply('Add', [a, scalar(1)]), y: apply('MatMul', [a, b]) }),
  'a new value that others read': (a, b) => {
    const a2 = apply('Add', [a, b]);
    return { a2, y: apply('MatMul', [a2, a]), b2: apply('Mul', [a2, b]) };
  },
  'each made of the other': (a, b) => ({ a2: apply('Add', [a, turned(b)]), b2: apply('Sub', [b, turned(a)]) }),
  'each the other': (a, b) => ({ a2: b, b2: a }),
  'its own transpose': (a, b) => ({ a2: turned(a), b2: turned(apply('Neg', [b])) }),
  'a product that reads it': (a, b) => ({ a2: apply('Mul', [apply('MatMul', [a, b]), scalar(0.1)]), b2: apply('Sub', [b, apply('Mul', [apply('MatMul', [turned(a), b]), scalar(0.01)])]) }),
  'a sum that reads it': (a) => ({ a2: apply('Add', [a, apply('ReduceSum', [a], { keepdims: 1 })]) }),
  'unchanged, and a constant': (a, b) => ({ a2: a, b2: apply('Mul', [constant(fromNumbers('float32', [1, 1], [2])), apply('ConstantOfShape', [constant(fromNumbers('int64', [2], [...b.shape]))])]) }),
  'twice an output': (a, b) => {
    const a2 = apply('Mul', [a, b]);
    return { a2, same: a2, flat: apply('Reshape', [a2, constant(fromNumbers('int64', [1], [-1]))]) };
  },
};

function graphOf(build: Build, size: number): Graph {
  const [a, b] = [input('a', 'float32', [size, size]), input('b', 'float32', [size, size])];
  return { name: 'update', inputs: [{ name: 'a', value: a }, { name: 'b', value: b }], outputs: Object.entries(build(a, b)).map(([name, value]) => ({ name, value })) };
}

const copyInto = (to: TensorData, from: TensorData): TensorData => {
  (to.data as Float32Array).set(from.data as Float32Array);
  return to;
};

const copyOf = (data: TensorData): TensorData => ({ ...data, data: data.data.slice() as Float32Array });

describe.each(devices)('updates in place on %s', (_, device, isa) => {
  test.each(Object.entries(cases))('%s', (_name, build) => {
    // Small: in the arena; large: bound.
    for (const size of [5, 144]) {
      const graph = graphOf(build, size);
      const inPlace = Object.fromEntries([['a2', 'a'], ['b2', 'b']].filter(([output]) => graph.outputs.some(({ name }) => name === output)));
      const executable = device.compile(graph, { isa, threads: 2, inPlace });
      const start = { a: random([size, size]), b: random([size, size], 'float32', 2) };
      const places: [string, (data: TensorData) => TensorData][] = [
        ['in memory of the device', (data) => copyInto(device.allocate(data, { isa }), data)],
        ['elsewhere', copyOf],
      ];
      for (const [where, place] of places) {
        const held: Record<string, TensorData> = { a: place(start.a), b: place(start.b) };
        let want: Record<string, TensorData> = start;
        for (let step = 0; step < 3; step++) {
          const old = { a: copyOf(held.a), b: copyOf(held.b) };
            const expected = evaluateGraph(graph, old);
          const results = executable.run(held);
          for (const { name } of graph.outputs) expectNear(results[name], expected[name], 1e-4, `${name} ${where}, step ${step}`);
          for (const [output, target] of Object.entries<string>(inPlace)) expect(results[output].data).toBe(held[target].data);
          want = { a: expected.a2 ?? want.a, b: expected.b2 ?? want.b };
          expectNear(held.b, want.b, 1e-4, `b ${where}, step ${step}`);
        }
      }
    }
  });

  test('memory of the device is zero at first, and any other type than the output has is refused', () => {
    expect([...device.allocate({ dtype: 'int64', shape: [2, 2] }, { isa }).data]).toEqual([0n, 0n, 0n, 0n]);
    if (device !== cpu) return;
    const graph = graphOf((a) => ({ a2: apply('ReduceSum', [a]) }), 3);
    expect(() => device.compile(graph, { isa, inPlace: { a2: 'a' } })).toThrow("inPlace: expected an input of type float32[1,1] for output 'a2', got 'a' float32[3,3]");
    expect(() => device.compile(graph, { isa, inPlace: { a2: 'c' } })).toThrow("got 'c' that is none");
  });
});
