/**
 * Finds where a device's results leave the reference evaluator's: node scripts/first-difference.mjs MODEL [ISA] [THREADS]
 *
 * MODEL is a file; its free dimensions are taken as `whet bench` takes them. The graph is cut after one node, and all before it
 * compiled (and fused) as usual: bisection finds a node whose value differs, and from there the search goes up to one whose
 * operands agree. Needs a built dist/ (npm run build).
 */
import { concreteShapes, sampleInput } from '../dist/cli/shapes.js';
import { loadModelFile } from '../dist/formats/node.js';
import { topologicalOrder } from '../dist/graph/index.js';
import { cpu, formatType, toNumbers } from '../dist/index.js';
import { evaluateValues } from '../dist/ops/index.js';

const tolerance = 1e-4;
const [path, isa, threads] = process.argv.slice(2);
if (!path) throw new Error('usage: node scripts/first-difference.mjs MODEL [ISA] [THREADS]');

const model = await loadModelFile(path);
const graph = model.build(concreteShapes(model, {}));
const inputs = Object.fromEntries(graph.inputs.map(({ name, value }, i) => [name, sampleInput(value.dtype, value.shape, i + 1)]));
const values = dependents();
const known = new Map(graph.inputs.map(({ name, value }) => [value, inputs[name]]));
evaluateValues(values, known);

/** First results of the nodes that depend on the inputs, in order; constants cannot differ. */
function dependents() {
  const reached = new Set(graph.inputs.map(({ value }) => value));
  for (const { inputs: operands, outputs } of topologicalOrder(graph)) {
    if (operands.some((value) => value && reached.has(value))) outputs.forEach((value) => reached.add(value));
  }
  return [...reached].filter(({ node, index }) => node.op !== 'Input' && index === 0);
}

/** The greatest difference as a fraction of the greatest value; Infinity where only one is a number. */
function difference(value) {
  const executable = cpu.compile({ ...graph, outputs: [{ name: 'cut', value }] }, { isa, threads: threads && Number(threads) });
  const got = toNumbers(executable.run(inputs).cut);
  executable.dispose();
  const want = toNumbers(known.get(value));
  const scale = want.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1e-30);
  const apart = (x, y) => (Object.is(x, y) || x === y ? 0 : Number.isFinite(x - y) ? Math.abs(x - y) / scale : Infinity);
  return want.reduce((most, x, i) => Math.max(most, apart(x, got[i])), 0);
}

const label = ({ node, dtype, shape }) => `${node.op} '${node.name}' ${formatType({ dtype, shape })}`;
const verdicts = new Map();
function differs(value) {
  if (!values.includes(value)) return false;
  if (!verdicts.has(value)) {
    const found = difference(value);
    verdicts.set(value, found > tolerance);
    console.log(`${found > tolerance ? 'differs' : 'agrees '}  ${found.toExponential(1)}  ${label(value)}`);
  }
  return verdicts.get(value);
}

let suspect = graph.outputs.map(({ value }) => value).find(differs);
if (!suspect) console.log('all results agree');
else {
  let [right, wrong] = [-1, values.indexOf(suspect)];
  while (wrong - right > 1) {
    const middle = (right + wrong) >> 1;
    if (differs(values[middle])) wrong = middle;
    else right = middle;
  }
  suspect = values[wrong];
  for (let next = suspect; next; next = next.node.inputs.find((value) => value && differs(value))) suspect = next;
  console.log(`first difference: ${label(suspect)}`);
  for (const operand of suspect.node.inputs) if (operand) console.log(`  of ${label(operand)}`);
}
