/** What autograd knows of values: whether it records, which are leaves, and what the steps back are called. */
import { dtypes, type Node, type Value } from '../graph/index.ts';
import type { Tensor } from './tensor.ts';

/** The step back through an operation. */
export interface GradFn {
  /** Such as `MulBackward`. */
  readonly name: string;
  /** The steps that follow, one for each operand: null where no gradient goes. */
  readonly nextFunctions: readonly (GradFn | null)[];
  /** `<MulBackward>` */
  toString(): string;
}

/** Values whose gradients `backward()` keeps, and the tensors that get them. */
export const leaves = new WeakMap<Value, Tensor>();

let enabled = true;
export const isGradEnabled = (): boolean => enabled;

function within<T>(state: boolean, fn: () => T): T {
  const before = enabled;
  enabled = state;
  try {
    return fn();
  } finally {
    enabled = before;
  }
}

/** Runs `fn`; what is computed in it requires no gradient. For functions that do not await. */
export const noGrad = <T>(fn: () => T): T => within(false, fn);
/** Runs `fn` recording again, within `noGrad`. */
export const enableGrad = <T>(fn: () => T): T => within(true, fn);

/** PyTorch's names, where they are not the operator's. */
const names: Readonly<Record<string, string>> = {
  MatMul: 'Mm',
  Gemm: 'Addmm',
  ReduceSum: 'Sum',
  ReduceMean: 'Mean',
  ReduceMax: 'Amax',
  ReduceMin: 'Amin',
  ReduceProd: 'Prod',
  ReduceL2: 'LinalgVectorNorm',
  ReduceLogSumExp: 'Logsumexp',
  Conv: 'Convolution',
  Reshape: 'View',
  Transpose: 'Permute',
  Concat: 'Cat',
  Cast: 'ToCopy',
  GatherElements: 'Gather',
  Clip: 'Clamp',
  BatchNormalization: 'NativeBatchNorm',
  LayerNormalization: 'NativeLayerNorm',
};

const stepOf = (name: string, next: () => readonly (GradFn | null)[]): GradFn => ({
  name,
  get nextFunctions() {
    return next();
  },
  toString: () => `<${name}>`,
});

/** The step back from a value that requires a gradient; null from a leaf. */
export function gradFnOf(value: Value): GradFn | null {
  const { node } = value;
  if (node.op === 'Input') return null;
  return stepOf(`${names[node.op] ?? node.op}Backward`, () => nextOf(node));
}

function nextOf(node: Node): readonly (GradFn | null)[] {
  return node.inputs.map((input) => {
    if (!input || dtypes[input.dtype].kind !== 'float') return null;
    if (leaves.has(input)) return stepOf('AccumulateGrad', () => []);
    return leadsToLeaf(input) ? gradFnOf(input) : null;
  });
}

/** Whether a gradient that reaches the value goes on to a leaf. */
const leadsToLeaf = (value: Value): boolean => leavesBefore(value).length > 0;

/** The leaves, and results whose gradient is retained, that an expression of floats depends on. */
export function leavesBefore(value: Value): Value[] {
  const found = new Set<Value>();
  const seen = new Set<Node>([value.node]);
  const stack = [value.node];
  if (leaves.has(value)) found.add(value);
  for (let node = stack.pop(); node; node = stack.pop()) {
    for (const input of node.inputs) {
      if (!input) continue;
      if (leaves.has(input)) found.add(input);
      if (seen.has(input.node) || dtypes[input.dtype].kind !== 'float') continue;
      seen.add(input.node);
      stack.push(input.node);
    }
  }
  return [...found];
}
