/**
 * detectAnomaly: finds the operator that made the first NaN or infinity of a training step, and leaves parameters as they were.
 * What a step computes is looked at as a whole, which costs little; only where that is not finite, every value on the way to it is.
 */
import { dtypes, formatType, type Node, type TensorData, type Value } from '../graph/index.ts';
import { noteGradients } from '../autograd/index.ts';
import { castData } from '../ops/index.ts';
import { dataOf, resolve } from './cells.ts';
import { collect } from './collect.ts';
import type { Results } from './compile.ts';
import { compute } from './compute.ts';
import { TensorError } from './errors.ts';
import { noGrad } from './tape.ts';
import { Tensor } from './tensor.ts';
import { expectNoTrace } from './trace.ts';
import { currentWatch, setWatch, type Watch } from './watch.ts';

/** Where a step's first value that is not finite came from. */
export interface Anomaly {
  readonly kind: 'NaN' | 'infinity';
  /** In which part of the step; 'input' where it was in what the step was given. */
  readonly phase: 'forward' | 'backward' | 'update' | 'input';
  /** The operator, such as `Log`; of 'input', `Input`. */
  readonly op: string;
  /** Of backward: the operator whose gradient it is part of. */
  readonly gradientOf: string | undefined;
  /** Its result, such as `float32[16,2]`. */
  readonly type: string;
  /** The line that wrote the operator, or (of backward) the one whose gradient it is part of, where that is known. */
  readonly site: string | undefined;
  /** The smallest and the largest element of each float that the operator read. */
  readonly inputs: readonly (readonly [min: number, max: number])[];
}

/** A step made a value that is not finite. */
export class AnomalyError extends TensorError {
  override readonly name = 'AnomalyError';
  readonly anomaly: Anomaly;
  constructor(where: string, anomaly: Anomaly) {
    super(where, { expected: 'finite numbers', got: describeAnomaly(anomaly) });
    this.anomaly = anomaly;
  }
}

/** An anomaly in words. */
export function describeAnomaly({ kind, phase, op, gradientOf, type, site, inputs }: Anomaly): string {
  const at = site === undefined ? '' : `, at ${site}`;
  if (phase === 'input') return `${kind} in what it was given: ${type}`;
  const ranges = inputs.map(([min, max]) => `[${min}, ${max}]`).join(' and ');
  const place = phase === 'backward' ? `in the backward pass by ${op}${gradientOf === undefined ? '' : `, in the gradient of ${gradientOf}`}` : phase === 'update' ? `in the update by ${op}` : `by ${op}`;
  return `${kind}, first made ${place} (${type}${inputs.length > 0 ? ` of ${ranges}` : ''})${at}`;
}

/**
 * Runs a step (forward, and as the case may be backward and the optimizer's update) and computes it. Where what it returns, a
 * gradient or an assigned value is NaN or infinite, every tensor that it assigned is as it was before, and an error names the
 * operator. For functions that neither await nor are compiled; takes several times as long as a compiled step.
 * @throws AnomalyError
 */
export function detectAnomaly<T extends Results>(fn: () => T): T {
  expectNoTrace('detectAnomaly');
  if (currentWatch()) return fn();
  const watch: Watch = { sites: new WeakMap(), origins: new Map(), losses: new Set(), graded: new Set(), before: new Map() };
  const result = watched(watch, fn);
  const results = result === undefined ? [] : result instanceof Tensor ? [result] : Object.values(result as Record<string, Tensor>);
  const gradients = [...watch.graded].flatMap(({ grad }) => (grad ? [grad] : []));
  const forward = floats([...watch.losses, ...results.map(({ value }) => value)]);
  try {
    // What is assigned is not computed before the rest is known to be good.
    expectFinite(forward, floats(gradients.map(({ value }) => value)), watch);
    expectFinite([], floats([...watch.before.keys()].map(({ value }) => value)), watch, 'update');
  } catch (error) {
    for (const [tensor, before] of watch.before) tensor.become(before);
    for (const tensor of watch.graded) tensor.grad = null;
    throw error;
  }
  for (const tensor of [...results, ...gradients, ...watch.before.keys()]) tensor.settle();
  return result;
}

function watched<T>(watch: Watch, fn: () => T): T {
  // V8's: deep modules have deep stacks.
  const limits = Error as { stackTraceLimit?: number };
  const { stackTraceLimit } = limits;
  limits.stackTraceLimit = 60;
  setWatch(watch);
  noteGradients(watch.origins);
  try {
    return fn();
  } finally {
    setWatch(undefined);
    noteGradients(undefined);
    limits.stackTraceLimit = stackTraceLimit;
  }
}

const isFloat = ({ dtype }: Value): boolean => dtypes[dtype].kind === 'float';
const floats = (values: readonly Value[]): Value[] => [...new Set(values.filter(isFloat))];

/** 0 for finite elements alone, 1 where one is infinite, 2 where one is NaN. */
function badnessOf(data: TensorData): 0 | 1 | 2 {
  const elements = (data.dtype === 'float16' || data.dtype === 'bfloat16' ? castData(data, 'float32') : data).data as Float32Array;
  let worst: 0 | 1 | 2 = 0;
  for (const element of elements) {
    if (Number.isFinite(element)) continue;
    if (Number.isNaN(element)) return 2;
    worst = 1;
  }
  return worst;
}

/** Computes the values, and nothing that would only be computed with them. @throws AnomalyError where one is not finite */
function expectFinite(forward: readonly Value[], others: readonly Value[], watch: Watch, phase: 'backward' | 'update' = 'backward'): void {
  const values = [...forward, ...others];
  // All of this before values are known: cells let go of the expressions they stood for.
  const resolved = values.map(resolve);
  const { order } = collect([...new Set(resolved.filter((value) => !dataOf(value)))]);
  const reads = new Map(order.map((node) => [node, node.inputs.flatMap((value) => (value ? [resolve(value)] : []))]));
  const isForward = ancestors(forward);
  compute(values, true);
  const bad = resolved.filter((_, i) => badnessOf(dataOf(values[i])!) > 0);
  if (bad.length === 0) return;
  throw new AnomalyError('a training step', locate(bad, reads, watch, (node) => (isForward.has(node) ? 'forward' : phase)));
}

function ancestors(values: readonly Value[]): Set<Node> {
  const seen = new Set<Node>();
  const stack = values.map((value) => resolve(value).node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) if (input) stack.push(resolve(input).node);
  }
  return seen;
}

/** Most values that are looked at by one program. */
const atOnce = 256;

/** `reads`: what each node reads, every node after those. The first operator on a way of bad values to the bad ones that made one out of good ones. */
function locate(bad: readonly Value[], reads: ReadonlyMap<Node, readonly Value[]>, watch: Watch, phaseOf: (node: Node) => 'forward' | 'backward' | 'update'): Anomaly {
  const badness = new Map<Value, number>();
  const open: Value[] = [];
  const look = (value: Value): void => {
    if (badness.has(value) || !isFloat(value)) return;
    badness.set(value, 0);
    const data = dataOf(value);
    if (data) badness.set(value, badnessOf(data));
    else open.push(value);
  };
  for (const [node, inputs] of reads) [...inputs, ...node.outputs].forEach(look);
  for (let at = 0; at < open.length; at += atOnce) badnessByProgram(open.slice(at, at + atOnce)).forEach((found, i) => badness.set(open[at + i], found));

  const badOf = (value: Value): number => badness.get(value) ?? 0;
  const inputsOf = (node: Node): readonly Value[] => reads.get(node) ?? [];
  const reached = new Set<Node>();
  const stack = bad.map(({ node }) => node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (reached.has(node)) continue;
    reached.add(node);
    for (const value of inputsOf(node)) if (badOf(value) > 0) stack.push(value.node);
  }
  const onTheWay = [...reads.keys()].filter((node) => reached.has(node) && node.inputs.length > 0);
  const worst = (node: Node): number => Math.max(0, ...node.outputs.map(badOf));
  const worstRead = (node: Node): number => Math.max(0, ...inputsOf(node).map(badOf));
  // Where infinities were written (masks) or given, what made NaN of them.
  const culprit = onTheWay.find((node) => worst(node) > 0 && worstRead(node) === 0) ?? onTheWay.find((node) => worst(node) === 2 && worstRead(node) < 2);
  if (culprit) return anomalyOf(culprit, worst(culprit), phaseOf(culprit), inputsOf(culprit), watch);
  const given = [...badness].find(([value, found]) => found > 0 && value.node.inputs.length === 0)?.[0] ?? bad[0];
  return { kind: kindOf(badOf(given) || badnessOf(dataOf(given)!)), phase: 'input', op: given.node.op, gradientOf: undefined, type: formatType(given), site: undefined, inputs: [] };
}

const kindOf = (badness: number): Anomaly['kind'] => (badness === 2 ? 'NaN' : 'infinity');

function anomalyOf(node: Node, badness: number, phase: Anomaly['phase'], inputs: readonly Value[], watch: Watch): Anomaly {
  const origin = watch.origins.get(node);
  const site = watch.sites.get(node) ?? (origin && watch.sites.get(origin));
  return { kind: kindOf(badness), phase, op: node.op, gradientOf: origin?.op, type: formatType(node.outputs[0]), site: siteOf(site), inputs: rangesOf(inputs.filter(isFloat)) };
}

function badnessByProgram(values: readonly Value[]): number[] {
  const flags = noGrad(() =>
    values.map((value) => {
      const tensor = new Tensor(value).detach();
      const isNaN = tensor.ne(tensor).toFloat().max();
      const isBad = tensor.isFinite().logicalNot().toFloat().max();
      return tensor.numel === 0 ? tensor.sum().toFloat() : isNaN.add(isBad);
    }),
  );
  compute(flags.map(({ value }) => value), true);
  return flags.map((flag) => flag.item());
}

function rangesOf(values: readonly Value[]): [number, number][] {
  return values.map((value) => {
    const tensor = new Tensor(value).detach();
    const ends = noGrad(() => [tensor.min(), tensor.max()]);
    compute(ends.map((end) => end.value), true);
    return [ends[0].item(), ends[1].item()];
  });
}

/** The first line of a stack that is not in this package. */
function siteOf(error: Error | undefined): string | undefined {
  const root = folderOf(new URL(import.meta.url).pathname, 2);
  for (const line of error?.stack?.split('\n').slice(1) ?? []) {
    const place = /\(?((?:file:\/\/|https?:\/\/[^/]*)?(\/?[^()]*?):\d+:\d+)\)?$/.exec(line.replace(/^\s*at (?:async )?(?:.*? \()?/, ''));
    if (place && (!place[2].startsWith(root) || place[2].includes('.test.')) && !place[2].startsWith('node:')) return place[1].replace('file://', '');
  }
  return undefined;
}

const folderOf = (path: string, levels: number): string => path.split('/').slice(0, -levels).join('/') + '/';
