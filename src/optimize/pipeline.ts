/** runPasses: runs passes one after the other, verified and printed in between where the environment asks for it. */
import { formatType, type Graph, GraphError, printGraph, verifyGraph } from '../graph/index.ts';

/** A graph -> graph function with a name. It keeps the graph's inputs, the names and types of its outputs, and what it means. */
export interface Pass {
  readonly name: string;
  run(graph: Graph): Graph;
}

/**
 * WHET_VERIFY=1: the graph is verified before the first pass and after each that changed it.
 * WHET_PRINT=name,name or all: the graph is printed to stderr before and after these passes.
 * @throws GraphError naming the pass that broke the graph, with WHET_VERIFY=1
 */
export function runPasses(graph: Graph, passes: readonly Pass[]): Graph {
  const variables = globalThis.process?.env ?? {};
  const verifies = variables.WHET_VERIFY === '1';
  const printed = (variables.WHET_PRINT ?? '').split(',').map((name) => name.trim());
  if (verifies) verifyGraph(graph);
  let shown: Graph | undefined;
  for (const { name, run } of passes) {
    const result = run(graph);
    if (printed.includes(name) || printed.includes('all')) {
      if (shown !== graph) console.error(`-- before ${name}\n${printGraph(graph)}`);
      console.error(`-- after ${name}${result === graph ? ': unchanged' : `\n${printGraph(result)}`}`);
      shown = result;
    }
    if (verifies && result !== graph) verifyResult(name, graph, result);
    graph = result;
  }
  return graph;
}

function verifyResult(pass: string, before: Graph, after: Graph): void {
  try {
    verifyGraph(after);
  } catch (error) {
    throw error instanceof GraphError ? new GraphError(`after pass ${pass}: ${error.message}`) : error;
  }
  const inputsKept =
    before.inputs.length === after.inputs.length &&
    before.inputs.every(({ name, value }, i) => name === after.inputs[i].name && value === after.inputs[i].value);
  if (!inputsKept) throw new GraphError(`after pass ${pass}: inputs`, { expected: 'those there were', got: 'others' });
  const [expected, got] = [before, after].map(({ outputs }) => outputs.map(({ name, value }) => `'${name}' ${formatType(value)}`).join(', '));
  if (expected !== got) throw new GraphError(`after pass ${pass}: outputs`, { expected, got });
}
