/** What the cases are run on: one line a target. */
import { type DType, type Graph, hasOp, opOf, type TensorData } from '../../src/graph/index.ts';
import { cpu, surveyIsas } from '../../src/devices/cpu/index.ts';
import { evaluateGraph } from '../../src/ops/index.ts';

export interface Target {
  /** Results in the order of the graph's outputs; inputs in the order of the graph's inputs. */
  run(graph: Graph, inputs: readonly TensorData[]): Promise<TensorData[]> | TensorData[];
  /** Element types that the target does not have: cases with one are skipped. */
  readonly without?: readonly DType[];
  /** Operators that the target does not run: cases with one are skipped, unless the issue lists it. */
  readonly lacks?: (op: string) => boolean;
}

/** What the device neither runs nor takes apart: TopK, which tensors sort on the host. */
const cpuLacks = (op: string): boolean => hasOp(op) && !cpu.supports(op, 'float32') && !opOf(op).decompose;

type Named = Record<string, TensorData>;

const byName = (run: (graph: Graph, inputs: Named) => Named): Target['run'] => (graph, inputs) => {
  const results = run(graph, Object.fromEntries(graph.inputs.map(({ name }, i) => [name, inputs[i]])));
  return graph.outputs.map(({ name }) => results[name]);
};

/** Every instruction set that this machine runs. */
const cpuTargets = surveyIsas()
  .filter(({ usable }) => usable)
  .map(({ isa }): [string, Target] => {
    const run = byName((graph, inputs) => {
      const executable = cpu.compile(graph, { isa });
      try {
        return executable.run(inputs);
      } finally {
        executable.dispose();
      }
    });
    return [isa, { run, without: ['float16', 'bfloat16'], lacks: cpuLacks }];
  });

export const targets: Readonly<Record<string, Target>> = { reference: { run: byName(evaluateGraph) }, ...Object.fromEntries(cpuTargets) };
