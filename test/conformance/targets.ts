/** What the cases are run on: one line a target. */
import type { DType, Graph, TensorData } from '../../src/graph/index.ts';
import { evaluateGraph } from '../../src/ops/index.ts';

export interface Target {
  /** Results in the order of the graph's outputs; inputs in the order of the graph's inputs. */
  run(graph: Graph, inputs: readonly TensorData[]): Promise<TensorData[]> | TensorData[];
  /** Element types that the target does not have: cases with one are skipped. */
  readonly without?: readonly DType[];
}

export const targets: Readonly<Record<string, Target>> = {
  reference: {
    run(graph, inputs) {
      const named = Object.fromEntries(graph.inputs.map(({ name }, i) => [name, inputs[i]]));
      const results = evaluateGraph(graph, named);
      return graph.outputs.map(({ name }) => results[name]);
    },
  },
};
