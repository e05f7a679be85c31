import { expect, test } from 'vitest';
import { apply, constant, type DType, dtypes, fromNumbers, type Graph, input, sizeOf, tensorData, toNumbers } from '../../../graph/index.ts';
import { evaluateGraph } from '../../../ops/index.ts';
import { cpu, surveyIsas } from '../index.ts';

const isas = surveyIsas().filter(({ usable }) => usable).map(({ isa }) => isa);
const types: readonly DType[] = ['float32', 'float64', 'int32', 'int64', 'uint8'];
const attributes = [{}, { reverse: 1 }, { exclusive: 1 }, { exclusive: 1, reverse: 1 }];

const cumSum = (dtype: DType, shape: readonly number[], axis: number, attrs: object): Graph => {
  const x = input('x', dtype, shape);
  const sums = apply('CumSum', [x, constant(fromNumbers('int64', [1], [axis]))], { ...attrs });
  return { name: 'sums', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'sums', value: sums }] };
};

test.each(isas.flatMap((isa) => types.map((dtype) => [isa, dtype] as const)))('running sums on %s of %s', (isa, dtype) => {
  // Long enough along each axis to be cut into tasks, and for a rest beside the unrolled terms.
  for (const [shape, axis] of [[[3, 70, 21], 1], [[37, 999], 1], [[1001, 19], 0], [[5], 0], [[2, 0], 1]] as const) {
    for (const attrs of dtype === 'float32' ? attributes : attributes.slice(-1)) {
      const graph = cumSum(dtype, shape, axis, attrs);
      const whole = dtypes[dtype].kind === 'int';
      const x = fromNumbers(dtype, shape, Array.from({ length: sizeOf(shape) }, (_, i) => (whole ? (i * 7) % 100 : Math.sin(i))));
      const got = toNumbers(cpu.compile(graph, { isa }).run({ x }).sums);
      expect(got).toEqual(toNumbers(evaluateGraph(graph, { x }).sums));
    }
  }
});

test.each(isas)('the error of a long sum does not grow on %s', (isa) => {
  const length = 1 << 22;
  const x = tensorData('float32', [length], new Float32Array(length).fill(0.1));
  const { data } = cpu.compile(cumSum('float32', [length], 0, {}), { isa }).run({ x }).sums;
  expect(data[length - 1]).toBe(Math.fround(Math.fround(0.1) * length));
});
