/** Models saved by TensorFlow.js itself, and what it computes for them; golden/make.mjs makes the file. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sizeOf, type TensorData, tensorData } from '../../graph/index.ts';
import { evaluateGraph } from '../../ops/index.ts';
import { importTfjs } from './index.ts';

interface GoldenTensor {
  shape: number[];
  data: string;
}
interface Golden {
  name: string;
  model: Record<string, unknown>;
  weights: string;
  inputs: GoldenTensor[];
  outputs: GoldenTensor[];
}

const golden = JSON.parse(readFileSync(new URL('golden/golden.json', import.meta.url), 'utf8')) as Golden[];
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
const decode = ({ shape, data }: GoldenTensor): TensorData => tensorData('float32', shape, new Float32Array(bytesOf(data).buffer));

describe('a model saved by TensorFlow.js computes what TensorFlow.js computes', () => {
  test.each(golden.map((entry) => [entry.name, entry] as const))('%s', async (_name, entry) => {
    const model = await importTfjs(entry.model, () => bytesOf(entry.weights));
    expect(model.inputs.map(({ shape }) => shape)).toEqual(entry.inputs.map(({ shape: [, ...rest] }) => ['batch', ...rest]));
    const graph = model.build(Object.fromEntries(entry.inputs.map(({ shape }, i) => [model.inputs[i].name, shape])));
    const given = entry.inputs.map((tensor, i) => {
      const { data, shape } = decode(tensor);
      const { dtype, name } = model.inputs[i];
      return [name, tensorData(dtype, shape, dtype === 'int32' ? Int32Array.from(data as Float32Array) : data)] as const;
    });
    const results = evaluateGraph(graph, Object.fromEntries(given));
    expect(model.outputs).toHaveLength(entry.outputs.length);
    entry.outputs.map(decode).forEach((expected, i) => {
      const actual = results[model.outputs[i]];
      expect(actual.shape).toEqual(expected.shape);
      let worst = 0;
      for (let j = 0; j < sizeOf(expected.shape); j++) {
        const want = Number(expected.data[j]);
        worst = Math.max(worst, Math.abs(Number(actual.data[j]) - want) / Math.max(1, Math.abs(want)));
      }
      expect(worst).toBeLessThan(1e-5);
    });
  });
});
