/** What gradients are made of runs on the CPU, whatever the instruction set, and means there what it means. */
import { describe, expect, test } from 'vitest';
import { type IsaName, cpu, surveyIsas } from '../../src/devices/index.ts';
import { evaluateGraph } from '../../src/ops/index.ts';
import { cases } from './cases.ts';
import { gradientsOf, graphOf, problemOf } from './check.ts';

const isas = surveyIsas().filter(({ usable }) => usable).map(({ isa }) => isa as IsaName);
/** Many small graphs as a few: compiling takes the time. */
const perGraph = 40;
const parts = Array.from({ length: Math.ceil(cases.length / perGraph) }, (_, i) => cases.slice(i * perGraph, (i + 1) * perGraph));

describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
  test.each(parts.map((part) => [part[0].op, part[part.length - 1].op, part] as const))('from %s to %s', (_first, _last, part) => {
    const problems = part.map((entry, i) => problemOf(entry, i + 1, dtype, `${entry.op}${i}.`));
    const inputs = problems.flatMap((problem) => problem.inputs);
    const labels = problems.flatMap((problem) => problem.inputs.map((value) => value.node.attrs.name as string));
    const graph = graphOf(inputs, problems.flatMap(gradientsOf));
    const at = Object.assign({}, ...problems.map((problem) => problem.at));
    const expected = evaluateGraph(graph, at);
    for (const isa of isas) {
      const executable = cpu.compile(graph, { isa, threads: 1 });
      const got = executable.run(at);
      executable.dispose();
      for (const [name, tensor] of Object.entries(expected)) {
        const [want, have] = [tensor.data as Float64Array, got[name].data as Float64Array];
        want.forEach((value, i) => {
          const error = Math.abs(have[i] - value) / Math.max(1, Math.abs(value));
          if (!(error <= (dtype === 'float32' ? 2e-5 : 1e-12))) expect.fail(`${isa}: ${labels[Number(name.slice(1))]} element ${i}: expected ${value}, got ${have[i]}`);
        });
      }
    }
  });
});
