import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { apply, type Graph, input, Node, type Value } from '../graph/index.ts';
import { eliminate, type Pass, runPasses } from './index.ts';
import { graphOf, opsOf } from '../../test/support/passes.ts';

const graph = graphOf([[2]], (x) => apply('Neg', [apply('Identity', [x])]));
const withOutput = (value: Value): Pass => ({ name: 'wrong', run: (g: Graph) => ({ ...g, outputs: [{ name: 'y0', value }] }) });
const tidy: Pass = { name: 'eliminate', run: eliminate };
const nothing: Pass = { name: 'nothing', run: (g) => g };

beforeEach(() => {
  vi.stubEnv('WHET_VERIFY', '1');
  vi.stubEnv('WHET_PRINT', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe('runPasses', () => {
  test('runs passes in order', () => {
    const ran: string[] = [];
    const noted = (pass: Pass): Pass => ({ name: pass.name, run: (g) => (ran.push(`${pass.name} ${opsOf(g)}`), pass.run(g)) });
    expect(opsOf(runPasses(graph, [nothing, tidy, nothing].map(noted)))).toEqual(['Neg']);
    expect(ran).toEqual(['nothing Identity,Neg', 'eliminate Identity,Neg', 'nothing Neg']);
  });

  test('names the pass that made an invalid graph', () => {
    const bad = new Node('Neg', [graph.inputs[0].value], {}, [{ dtype: 'float32', shape: [3] }], 'bad').outputs[0];
    expect(() => runPasses(graph, [tidy, withOutput(bad)])).toThrow("after pass wrong: graph 'test': Neg 'bad': result 0: expected float32[2], got float32[3]");
  });

  test('refuses a graph that is invalid before the first pass', () => {
    const bad = new Node('Nonsense', [], {}, [{ dtype: 'float32', shape: [3] }], 'bad').outputs[0];
    expect(() => runPasses(withOutput(bad).run(graph), [])).toThrow("Nonsense 'bad'");
  });

  test('refuses other inputs, and outputs of another type or name', () => {
    const other = input('x0', 'float32', [2]);
    const exchanged: Pass = { name: 'swap', run: () => ({ ...graph, inputs: [{ name: 'x0', value: other }], outputs: [{ name: 'y0', value: other }] }) };
    expect(() => runPasses(graph, [exchanged])).toThrow('after pass swap: inputs: expected those there were, got others');
    const cast = apply('Cast', [graph.inputs[0].value], { to: 'float64' });
    expect(() => runPasses(graph, [withOutput(cast)])).toThrow("after pass wrong: outputs: expected 'y0' float32[2], got 'y0' float64[2]");
    const renamed: Pass = { name: 'rename', run: (g) => ({ ...g, outputs: g.outputs.map(({ value }) => ({ name: 'z', value })) }) };
    expect(() => runPasses(graph, [renamed])).toThrow("expected 'y0' float32[2], got 'z' float32[2]");
  });

  test('verifies nothing unless told to', () => {
    vi.stubEnv('WHET_VERIFY', '');
    const bad = new Node('Nonsense', [], {}, [{ dtype: 'float32', shape: [3] }], 'bad').outputs[0];
    expect(runPasses(graph, [withOutput(bad)]).outputs[0].value).toBe(bad);
  });

  test('passes on what is no error of the graph', () => {
    const broken: Pass = { name: 'broken', run: () => { throw new RangeError('mine'); } };
    expect(() => runPasses(graph, [broken])).toThrow(RangeError);
  });

  test('works without process', () => {
    vi.stubGlobal('process', undefined);
    try {
      expect(opsOf(runPasses(graph, [tidy]))).toEqual(['Neg']);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  describe('printing', () => {
    const printed = (names: string, passes: readonly Pass[]): string => {
      const log = vi.spyOn(console, 'error').mockImplementation(() => {});
      vi.stubEnv('WHET_PRINT', names);
      runPasses(graph, passes);
      return log.mock.calls.map(([text]) => String(text)).join('\n');
    };

    test('shows a pass by name, before and after', () => {
      expect(printed('other, eliminate', [nothing, tidy, nothing])).toMatchInlineSnapshot(`
        "-- before eliminate
        graph 'test'
        in  %0: float32[2] 'x0'
            %1: float32[2] = Identity(%0)
            %2: float32[2] = Neg(%1)
        out %2 'y0'
        -- after eliminate
        graph 'test'
        in  %0: float32[2] 'x0'
            %1: float32[2] = Neg(%0)
        out %1 'y0'"
      `);
    });

    test('shows all passes, and no graph twice', () => {
      expect(printed('all', [nothing, tidy, nothing])).toMatchInlineSnapshot(`
        "-- before nothing
        graph 'test'
        in  %0: float32[2] 'x0'
            %1: float32[2] = Identity(%0)
            %2: float32[2] = Neg(%1)
        out %2 'y0'
        -- after nothing: unchanged
        -- after eliminate
        graph 'test'
        in  %0: float32[2] 'x0'
            %1: float32[2] = Neg(%0)
        out %1 'y0'
        -- after nothing: unchanged"
      `);
    });

    test('shows nothing unless told to', () => expect(printed('', [tidy])).toBe(''));
  });
});
