/** The CPU device computes what the reference evaluator does, on every instruction set there is, the same for any thread count. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cpu, surveyIsas } from '../../src/devices/cpu/index.ts';
import type { IsaName } from '../../src/devices/index.ts';
import { opOf, type TensorData } from '../../src/graph/index.ts';
import { evaluateGraph, numbersOf } from '../../src/ops/index.ts';
import { type RandomGraph, randomGraph, runs } from '../support/random-graph.ts';

const usable = surveyIsas().filter((report) => report.usable).map(({ isa }) => isa);
const allows = (op: string): boolean => cpu.supports(op, 'float32') || opOf(op).decompose !== undefined;

function resultsOf({ graph, inputs }: RandomGraph, isa: IsaName, threads: number): Record<string, TensorData>[] {
  const executable = cpu.compile(graph, { isa, threads });
  try {
    // Twice: what the first run left behind must not matter to the second.
    return [executable.run(inputs), executable.run(inputs)];
  } finally {
    executable.dispose();
  }
}

const bytes = ({ data }: TensorData): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** @param tolerance 0 for the same numbers, whatever the sign of a zero */
function check(random: RandomGraph, isa: IsaName, tolerance: number): void {
  const expected = evaluateGraph(random.graph, random.inputs);
  const [first, ...others] = [...resultsOf(random, isa, 1), ...resultsOf(random, isa, 2)];
  for (const [name, tensor] of Object.entries(expected)) {
    expect([first[name].dtype, first[name].shape]).toEqual([tensor.dtype, tensor.shape]);
    const [got, wanted] = [numbersOf(first[name]), numbersOf(tensor)];
    for (let i = 0; i < wanted.length; i++) {
      if (!(Math.abs(got[i] - wanted[i]) <= tolerance)) expect.fail(`${name}, element ${i}: expected ${wanted[i]}, got ${got[i]}`);
    }
    for (const other of others) expect(Buffer.compare(bytes(other[name]), bytes(first[name]))).toBe(0);
  }
}

test('there is an instruction set to test', () => expect(usable).toContain('wasm'));

describe.each(usable)('%s', (isa) => {
  test('computes whole numbers exactly', () => {
    fc.assert(fc.property(randomGraph({ exact: true, allows }), (random) => check(random, isa, 0)), runs(60));
  });

  test('computes floats but for rounding', () => {
    fc.assert(fc.property(randomGraph({ exact: false, allows }), (random) => check(random, isa, 2e-5)), runs(60));
  });
});
