/** Every step of a plan keeps to its operands: it writes its results alone, and reads nothing that nobody wrote. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isas } from '../../src/devices/cpu/codegen/index.ts';
import { cpu } from '../../src/devices/cpu/index.ts';
import { opOf } from '../../src/graph/index.ts';
import { evaluateGraph, numbersOf } from '../../src/ops/index.ts';
import { interpretPlan } from '../support/interpret-plan.ts';
import { randomGraph, runs } from '../support/random-graph.ts';

const allows = (op: string): boolean => cpu.supports(op, 'float32') || opOf(op).decompose !== undefined;

describe.each(Object.values(isas))('$name', (isa) => {
  test('interpreted in separated memory, computes whole numbers exactly', () => {
    fc.assert(
      fc.property(randomGraph({ exact: true, allows }), ({ graph, inputs }) => {
        const expected = evaluateGraph(graph, inputs);
        const got = interpretPlan(graph, isa, inputs);
        for (const name of Object.keys(expected)) {
          const [a, b] = [numbersOf(got[name]), numbersOf(expected[name])];
          for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) expect.fail(`${name}, element ${i}: expected ${b[i]}, got ${a[i]}`);
        }
      }),
      runs(25),
    );
  });
});
