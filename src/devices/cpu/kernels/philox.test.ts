import { describe, expect, test } from 'vitest';
import { apply, type Graph, input, tensorData, type TensorData } from '../../../graph/index.ts';
import { evaluateGraph } from '../../../ops/index.ts';
import { cpu, surveyIsas } from '../index.ts';

const usable = surveyIsas().flatMap(({ isa, usable }) => (usable ? [isa] : []));
const graphOf = (dtype: string, size: number): Graph => {
  const state = input('state', 'int64', [2]);
  return { name: 'random', inputs: [{ name: 'state', value: state }], outputs: [{ name: 'x', value: apply('PhiloxUniform', [state], { dtype, shape: [size] }) }] };
};

const bytesOf = ({ data }: TensorData): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

describe.each(usable)('%s', (isa) => {
  test.each(['float32', 'float64'])('%s: the reference, bit for bit, on any number of threads', (dtype) => {
    for (const size of [1, 3, 8, 4096 * 4 + 1]) {
      const graph = graphOf(dtype, size);
      for (const [seed, counter] of [[0n, 0n], [-5n, 0xffff_fffen], [2n ** 62n, 2n ** 40n + 3n]]) {
        const state = tensorData('int64', [2], BigInt64Array.of(seed, counter));
        const expected = bytesOf(evaluateGraph(graph, { state }).x);
        for (const threads of [1, 2]) expect(bytesOf(cpu.compile(graph, { isa, threads }).run({ state }).x).equals(expected)).toBe(true);
      }
    }
  });
});
