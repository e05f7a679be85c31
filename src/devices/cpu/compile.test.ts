/** Tensors that native code reads and writes where the caller has them. */
import { describe, expect, test } from 'vitest';
import { apply, type Graph, input, tensorData, type Value } from '../../graph/index.ts';
import '../../ops/index.ts';
import { cpu, surveyIsas } from './index.ts';

const rows = 300;
const columns = 500;
const values = (seed: number) => tensorData('float32', [rows, columns], Float32Array.from({ length: rows * columns }, (_, i) => ((i * seed) % 251) - 125));

function graph(build: (x: Value) => Record<string, Value>): Graph {
  const x = input('x', 'float32', [rows, columns]);
  return { name: 'large', inputs: [{ name: 'x', value: x }], outputs: Object.entries(build(x)).map(([name, value]) => ({ name, value })) };
}

describe.each(surveyIsas().filter(({ usable }) => usable))('large tensors on $isa', ({ isa }) => {
  test('an input that is an output as well, two outputs that are one value, and one more', () => {
    const executable = cpu.compile(graph((x) => ({ same: x, flat: apply('Relu', [x]), again: apply('Relu', [x]), negative: apply('Neg', [x]) })), { isa });
    for (const seed of [7, 13]) {
      const x = values(seed);
      const before = x.data.slice();
      const { same, flat, again, negative } = executable.run({ x });
      expect(x.data).toEqual(before);
      expect(same.data).toEqual(before);
      expect(flat.data).toEqual(Float32Array.from(before as Float32Array, (v) => Math.max(v, 0)));
      expect(again.data).toEqual(flat.data);
      expect(negative.data[1]).toBe(-before[1]);
    }
  });

  test('results belong to the caller: a later run leaves them alone', () => {
    const executable = cpu.compile(graph((x) => ({ y: apply('Neg', [x]) })), { isa });
    const first = executable.run({ x: values(7) }).y;
    const copy = first.data.slice();
    executable.run({ x: values(13) });
    expect(first.data).toEqual(copy);
  });

  test('results are written into the tensors that are given', () => {
    const executable = cpu.compile(graph((x) => ({ y: apply('Neg', [x]), z: apply('ReduceMax', [x]) })), { isa });
    const y = values(3);
    const z = tensorData('float32', [1, 1], new Float32Array(1));
    const x = values(7);
    const results = executable.run({ x }, { into: { y, z } });
    expect(results.y.data).toBe(y.data);
    expect(y.data[1]).toBe(-x.data[1]);
    expect(z.data[0]).toBe((x.data as Float32Array).reduce((a, b) => Math.max(a, b)));
    expect(() => executable.run({ x }, { into: { y: z } })).toThrow("output 'y': expected float32[300,500], got float32[1,1]");
  });

  test('an asynchronous run reads its inputs before it returns', async () => {
    const executable = cpu.compile(graph((x) => ({ y: apply('Neg', [x]) })), { isa, threads: 2 });
    const x = values(7);
    const expected = Float32Array.from(x.data as Float32Array, (v) => -v);
    const running = [executable.runAsync({ x }), executable.runAsync({ x })];
    x.data.fill(1 as never);
    for (const { y } of await Promise.all(running)) expect(y.data).toEqual(expected);
  });
});
