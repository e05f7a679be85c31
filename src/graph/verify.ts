/** verifyGraph: whether a graph keeps what everything that reads graphs relies on. */
import { dtypes } from './dtype.ts';
import { GraphError, type Mismatch } from './errors.ts';
import type { Graph, GraphInput, GraphOutput, Node, Value } from './node.ts';
import { hasOp, inferTypes } from './registry.ts';
import { formatType, sizeOf, type TensorType } from './tensor-data.ts';

/**
 * Checks that every node the graph reaches is of a registered operator, has attributes of plain data, constants as long as
 * their shapes, and the result types that its operator infers; that nothing reads its own result, however far around; that
 * the graph declares every input it reads, and each input and output name once.
 * @throws GraphError naming the node (unnamed ones by their number in `printGraph`) and what is wrong with it
 */
export function verifyGraph(graph: Graph): void {
  const fail: Fail = (where, mismatch) => {
    throw new GraphError(`graph '${graph.name}': ${where}`, mismatch);
  };
  const order = acyclicOrder(graph, fail);
  order.forEach((node, number) => {
    const label = node.name === '' ? `%${number} ${node.op}` : labelOf(node);
    verifyAttrs(node, label, fail);
    verifyTypes(node, label, fail);
  });
  verifyInterface(graph, order, fail);
}

type Fail = (where: string, mismatch?: Mismatch) => never;

const labelOf = (node: Node): string => `${node.op} '${node.name}'`;

/** Every node after its inputs, as `numberedOrder` has it; fails on what is no graph at all. */
function acyclicOrder(graph: Graph, fail: Fail): Node[] {
  const order: Node[] = [];
  const done = new Set<Node>();
  const open = new Set<Node>();
  const stack: { node: Node; next: number }[] = [];
  const enter = (value: Value, reader: string): void => {
    const owner = value?.node?.outputs?.[value.index];
    if (!value || owner !== value) fail(reader, { expected: 'a value that is a result of its node', got: 'one its node does not know' });
    const { node } = value;
    if (done.has(node)) return;
    if (open.has(node)) fail('cycle', { got: cycleText(stack.map((entry) => entry.node), node) });
    if (!Array.isArray(node.inputs)) fail(labelOf(node), { expected: 'a list of inputs', got: typeof node.inputs });
    open.add(node);
    stack.push({ node, next: 0 });
  };
  const roots = [...graph.inputs.map((root) => ['input', root] as const), ...graph.outputs.map((root) => ['output', root] as const)];
  for (const [kind, { name, value }] of roots) {
    enter(value, `${kind} '${name}'`);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.node.inputs.length) {
        const input = top.node.inputs[top.next++];
        if (input !== null) enter(input, `input ${top.next - 1} of ${labelOf(top.node)}`);
      } else {
        stack.pop();
        open.delete(top.node);
        done.add(top.node);
        order.push(top.node);
      }
    }
  }
  return order;
}

/** `Add 'a' reads Mul 'b' reads Add 'a'`, the middle left out where it is long. */
function cycleText(path: readonly Node[], end: Node): string {
  const labels = [...path.slice(path.indexOf(end)), end].map(labelOf);
  const shown = labels.length > 9 ? [...labels.slice(0, 4), `${labels.length - 8} more`, ...labels.slice(-4)] : labels;
  return shown.join(' reads ');
}

function verifyAttrs(node: Node, label: string, fail: Fail): void {
  for (const [name, attr] of Object.entries(node.attrs)) {
    const got = problemOf(attr);
    if (got) fail(`${label}: attribute ${name}`, { expected: 'plain data: a number, string, boolean, list of one of the first two, or tensor', got });
  }
  const tensor = node.attrs.value;
  if (node.op === 'Constant' && (typeof tensor !== 'object' || Array.isArray(tensor))) {
    fail(`${label}: attribute value`, { expected: 'a tensor', got: typeof tensor });
  }
}

/** What is wrong with an attribute, or undefined. */
function problemOf(attr: unknown): string | undefined {
  if (['number', 'string', 'boolean'].includes(typeof attr)) return undefined;
  if (typeof attr !== 'object' || attr === null) return attr === null ? 'null' : typeof attr;
  if (Array.isArray(attr)) {
    const kind = typeof attr[0];
    const plain = attr.length === 0 || ((kind === 'number' || kind === 'string') && attr.every((element) => typeof element === kind));
    return plain ? undefined : 'a list of other things';
  }
  const { dtype, shape, data } = attr as { dtype?: unknown; shape?: unknown; data?: unknown };
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypes, dtype)) return `an object of dtype ${String(dtype)}`;
  if (!isShape(shape)) return 'a tensor without a shape';
  const type = { dtype, shape } as TensorType;
  if (!(data instanceof dtypes[type.dtype].array)) return `${formatType(type)} not held in a ${dtypes[type.dtype].array.name}`;
  return data.length === sizeOf(shape) ? undefined : `${formatType(type)} of ${data.length} elements`;
}

const isShape = (shape: unknown): shape is number[] => Array.isArray(shape) && shape.every((dim) => Number.isInteger(dim) && dim >= 0);

function verifyTypes(node: Node, label: string, fail: Fail): void {
  if (!hasOp(node.op)) fail(label, { expected: 'a registered operator', got: `'${node.op}'` });
  let inferred: readonly TensorType[];
  try {
    inferred = inferTypes(node.op, node.inputs, node.attrs);
  } catch (error) {
    return fail(`${label}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (inferred.length !== node.outputs.length) fail(label, { expected: `${inferred.length} results`, got: `${node.outputs.length}` });
  node.outputs.forEach((value, i) => {
    if (value?.node !== node || value.index !== i) fail(`${label}: result ${i}`, { expected: 'a value that knows its node and place', got: 'another' });
    if (!Object.hasOwn(dtypes, value.dtype)) fail(`${label}: result ${i}`, { expected: 'a dtype', got: String(value.dtype) });
    if (formatType(value) !== formatType(inferred[i])) fail(`${label}: result ${i}`, { expected: formatType(inferred[i]), got: formatType(value) });
  });
}

function verifyInterface(graph: Graph, order: readonly Node[], fail: Fail): void {
  distinctNames('input', graph.inputs, fail);
  distinctNames('output', graph.outputs, fail);
  const declared = new Map<Node, string>();
  for (const { name, value: { node } } of graph.inputs) {
    if (node.op !== 'Input') fail(`input '${name}'`, { expected: 'the value of an Input', got: labelOf(node) });
    if (declared.has(node)) fail(`input '${name}'`, { expected: 'a value of its own', got: `that of input '${declared.get(node)}'` });
    declared.set(node, name);
  }
  for (const node of order) {
    if (node.op === 'Input' && !declared.has(node)) fail(`Input '${String(node.attrs.name)}'`, { expected: 'to be declared by the graph', got: 'a reader, but no declaration' });
  }
}

function distinctNames(kind: string, list: readonly (GraphInput | GraphOutput)[], fail: Fail): void {
  const names = new Set<string>();
  for (const { name } of list) {
    if (names.has(name)) fail(`${kind} '${name}'`, { expected: 'a name of its own', got: `a second ${kind} of this name` });
    names.add(name);
  }
}
