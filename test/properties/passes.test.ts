/** No pass changes what a graph means, alone or with the others. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Graph, topologicalOrder } from '../../src/graph/index.ts';
import { evaluateGraph, numbersOf } from '../../src/ops/index.ts';
import { commonSubexpressions, decompose, eliminate, foldConstants, mergeAffine, mergePads, type Pass, runPasses } from '../../src/optimize/index.ts';
import { coreOps } from '../support/ops.ts';
import { randomGraph, runs } from '../support/random-graph.ts';

const passes: readonly Pass[] = [
  { name: 'fold', run: foldConstants },
  { name: 'eliminate', run: eliminate },
  { name: 'commonSubexpressions', run: commonSubexpressions },
  { name: 'mergePads', run: mergePads },
  { name: 'mergeAffine', run: mergeAffine },
  { name: 'decompose', run: (graph) => decompose(graph, ({ op }) => coreOps.has(op)) },
];

beforeAll(() => void vi.stubEnv('WHET_VERIFY', '1'));
afterAll(() => void vi.unstubAllEnvs());

/** The largest difference between the results of two graphs. */
function difference(a: Graph, b: Graph, inputs: Parameters<typeof evaluateGraph>[1]): number {
  const [x, y] = [evaluateGraph(a, inputs), evaluateGraph(b, inputs)];
  let worst = 0;
  for (const name of Object.keys(x)) {
    const [p, q] = [numbersOf(x[name]), numbersOf(y[name])];
    for (let i = 0; i < p.length; i++) if (!Object.is(p[i], q[i])) worst = Math.max(worst, Math.abs(p[i] - q[i]));
  }
  return worst;
}

const names = passes.map(({ name }) => name);

describe.each(names)('%s', (name) => {
  const pass = passes.filter((entry) => entry.name === name);
  test('keeps whole numbers as they are', () => {
    fc.assert(
      fc.property(randomGraph({ exact: true }), ({ graph, inputs }) => {
        expect(difference(graph, runPasses(graph, pass), inputs)).toBe(0);
      }),
      runs(100),
    );
  });

  test('keeps floats but for rounding', () => {
    fc.assert(
      fc.property(randomGraph({ exact: false }), ({ graph, inputs }) => {
        expect(difference(graph, runPasses(graph, pass), inputs)).toBeLessThan(1e-5);
      }),
      runs(60),
    );
  });

  test.skipIf(name === 'decompose')('leaves no more nodes, and nothing to do twice', () => {
    fc.assert(
      fc.property(randomGraph({ exact: true }), ({ graph }) => {
        const once = runPasses(graph, pass);
        // Merged chains and reshapes bring constants of their own.
        const count = (g: Graph) => topologicalOrder(g).filter(({ op }) => op !== 'Constant').length;
        expect(count(once)).toBeLessThanOrEqual(count(graph));
        expect(runPasses(once, pass)).toBe(once);
      }),
      runs(60),
    );
  });
});

test('all of them, in any order, keep whole numbers as they are', () => {
  fc.assert(
    fc.property(randomGraph({ exact: true }), fc.shuffledSubarray([...passes, ...passes]), ({ graph, inputs }, order) => {
      expect(difference(graph, runPasses(graph, order), inputs)).toBe(0);
    }),
    runs(80),
  );
});
