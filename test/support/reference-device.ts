/** The reference evaluator as a Device, for tests of what stands on devices. Counts what it is asked to do. */
import { evaluateGraph } from '../../src/ops/index.ts';
import type { Device, Executable, TensorSpec } from '../../src/devices/index.ts';
import { type Graph, hasOp, type TensorData, type Value, zeros } from '../../src/graph/index.ts';

export interface ReferenceDevice extends Device {
  readonly compiled: Graph[];
  /** Graphs whose Executable was disposed of. */
  readonly disposed: Graph[];
}

const specOf = ({ name, value }: { name: string; value: Value }): TensorSpec => ({ name, dtype: value.dtype, shape: value.shape });

export function referenceDevice(): ReferenceDevice {
  const compiled: Graph[] = [];
  const disposed: Graph[] = [];
  return {
    name: 'reference',
    compiled,
    disposed,
    supports: (op) => hasOp(op),
    allocate: ({ dtype, shape }) => zeros(dtype, shape),
    compile(graph, { inPlace = {} } = {}): Executable {
      compiled.push(graph);
      let running = 0;
      return {
        inputs: graph.inputs.map(specOf),
        outputs: graph.outputs.map(specOf),
        info: { isa: 'reference', threads: 1, steps: 1, kernels: 0, arenaBytes: 0, constantBytes: 0, compileMs: 0 },
        run(inputs) {
          const results = evaluateGraph(graph, inputs);
          // Copies: a result may be an input's own array.
          const taken = Object.fromEntries(Object.keys(inPlace).map((name) => [name, results[name].data.slice()]));
          const kept = Object.entries(inPlace).map(([output, input]): [string, TensorData] => {
            (inputs[input].data as Float32Array).set(taken[output] as Float32Array);
            return [output, inputs[input]];
          });
          return { ...results, ...Object.fromEntries(kept) };
        },
        async runAsync(inputs) {
          running++;
          const results = evaluateGraph(graph, inputs);
          await new Promise(setImmediate);
          running--;
          return results;
        },
        profile: () => [],
        dispose() {
          if (running > 0) throw new Error('disposed of while running');
          disposed.push(graph);
        },
      };
    },
  };
}
