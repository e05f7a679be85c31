/**
 * compute: makes values known, all of them by one program. With them go what they would be computed twice for: assignments
 * that are pending, and on the other side of a backward pass the loss or the gradients.
 */
import { type DType, type Node, opOf, type TensorData, type Value } from '../graph/index.ts';
import { evaluateNode } from '../ops/index.ts';
import type { Device } from '../devices/index.ts';
import { dataOf, resolve, store, storedIn } from './cells.ts';
import { collect, type Pending } from './collect.ts';
import { currentSettings, runProgram, runProgramAsync } from './programs.ts';

/** Anything whose value may be asked for along with others. */
export interface Holder {
  readonly value: Value;
}

/** What one backward pass ties together. */
interface Backward {
  readonly root: Holder;
  readonly gradients: readonly Holder[];
}

// Held until they are computed, not weakly: a WeakRef keeps what it was asked for until the job ends, and a whole training may be
// one job.
let assigned = new Set<Holder>();
let passes: Backward[] = [];
/** A pass that nothing came of is forgotten after so many others. */
const mostPasses = 64;

/** An assignment takes effect with the next computation, whatever that is asked for. */
export const noteAssignment = (holder: Holder): void => void assigned.add(holder);

/** They were computed otherwise. */
export function forgetAssignments(holders: Iterable<Holder>): void {
  for (const holder of holders) assigned.delete(holder);
}

export function noteBackward(root: Holder, gradients: readonly Holder[]): void {
  passes.push({ root, gradients });
  if (passes.length > mostPasses) passes.shift();
}

const isPending = (holder: Holder): boolean => !dataOf(holder.value);

/** The values, resolved, those that are not known, each once. */
function unknown(values: readonly Value[]): Value[] {
  return [...new Set(values.filter((value) => !dataOf(value)).map(resolve))];
}

/** What to run for the values and, unless `alone`, all that goes with them; undefined where everything is known. */
function pendingFor(values: readonly Value[], alone = false): Pending | undefined {
  let roots = unknown(values);
  if (roots.length === 0) return undefined;
  if (alone) return collect(roots);
  roots = unknown([...roots, ...[...assigned].map(({ value }) => value)]);
  const open = passes.filter(({ root }) => isPending(root));
  if (open.length === 0) return collect(roots);
  // With all losses at first, since they mostly belong: collecting takes time.
  const wide = unknown([...roots, ...open.map(({ root }) => root.value)]);
  const pending = collect(wide);
  const more = open.flatMap(({ root, gradients }) => {
    const values = gradients.filter(isPending).map(({ value }) => resolve(value));
    if (roots.includes(resolve(root.value))) return values;
    return values.some(({ node }) => pending.has(node)) ? [root.value] : [];
  });
  const all = unknown([...roots, ...more]);
  return all.length === wide.length && all.every((value, i) => value === wide[i]) ? pending : collect(all);
}

/** Makes the values known. */
export function compute(values: readonly Value[], alone = false): void {
  for (let pending = pendingFor(values, alone); pending; pending = pendingFor(values, alone)) {
    const host = hostNode(pending);
    if (host) runHost(host);
    else keep(pending, attempt(() => runProgram(pending!, (leaf) => storedIn(leaf)!)));
  }
}

/** What failed does so again when it is read, but not whenever something else is. */
function attempt<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    assigned.clear();
    passes = [];
    throw error;
  }
}

/** As `compute`, while the event loop stays free. */
export async function computeAsync(values: readonly Value[]): Promise<void> {
  for (let pending = pendingFor(values); pending; pending = pendingFor(values)) {
    const host = hostNode(pending);
    if (host) runHost(host);
    else keep(pending, await runProgramAsync(pending, (leaf) => storedIn(leaf)!));
  }
}

function keep(pending: Pending, results: readonly TensorData[]): void {
  pending.roots.forEach((value, i) => store(value, results[i]));
  // Looking at them also lets go of the expressions they came from.
  assigned = new Set([...assigned].filter(isPending));
  passes = passes.filter(({ root }) => isPending(root));
}

// ---- what no device runs (sorting): evaluated here, between programs

/** The first node that the device neither runs nor takes apart. */
const hostNode = ({ order }: Pending): Node | undefined => order.find((node) => isHost(node.op, node.outputs[0].dtype, currentSettings().device));

const hostOps = new WeakMap<Device, Map<string, boolean>>();

/** Whether the device neither runs nor takes apart an operator. */
export function isHost(op: string, dtype: DType, device: Device): boolean {
  let known = hostOps.get(device);
  if (!known) hostOps.set(device, (known = new Map<string, boolean>()));
  let host = known.get(op);
  if (host === undefined) {
    const { evaluate, decompose } = opOf(op);
    known.set(op, (host = !!evaluate && !decompose && !device.supports(op, dtype)));
  }
  return host;
}

function runHost(node: Node): void {
  const inputs = node.inputs.filter((value) => value !== null);
  compute(inputs, true);
  const results = evaluateNode(node, node.inputs.map((value) => value && dataOf(value)!));
  node.outputs.forEach((value, i) => store(value, results[i]));
}
