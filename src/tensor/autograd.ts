/** backward and grad: gradients of tensors, as expressions that are computed with what they are needed for. */
import { dtypes, formatType, sameShape, type Value } from '../graph/index.ts';
import { gradients } from '../autograd/index.ts';
import { alias } from './cells.ts';
import { noteAssignment, noteBackward } from './compute.ts';
import { TensorError } from './errors.ts';
import { leaves, leavesBefore, noGrad } from './tape.ts';
import { Tensor } from './tensor.ts';
import { currentTrace } from './trace.ts';
import { currentWatch } from './watch.ts';

export interface BackwardOptions {
  /** Record the gradients themselves, so that they can be differentiated again. Default: false. */
  readonly createGraph?: boolean;
  /** Keep the way back for another `backward()` after the value was read. Default: as `createGraph`. */
  readonly retainGraph?: boolean;
}

/**
 * Adds to `grad`, in every leaf that this depends on and that requires a gradient, the gradient of this tensor (times `gradient`,
 * of its shape; needed unless there is one element). Nothing is computed yet: with an update of parameters that follows, all
 * of a training step is one program.
 * @throws TensorError where this requires no gradient, or has several elements and no `gradient` is given
 */
export function backward(self: Tensor, gradient?: Tensor, { createGraph = false, retainGraph = createGraph }: BackwardOptions = {}): void {
  const targets = leavesBefore(rootOf(self, 'backward'));
  const results = gradients([{ value: self.value, cotangent: cotangentOf(self, gradient, 'backward') }], targets);
  const made: Tensor[] = [];
  noGrad(() => {
    targets.forEach((target, i) => {
      const result = results[i];
      if (result) made.push(accumulate(leaves.get(target)!, result, createGraph));
    });
  });
  const watch = currentWatch();
  watch?.losses.add(self.value);
  for (const target of targets) watch?.graded.add(leaves.get(target)!);
  const trace = currentTrace();
  // Within compile() all is computed together anyway.
  if (trace) for (const target of targets) trace.graded.add(leaves.get(target)!);
  else noteBackward(self, made);
  if (!retainGraph) self.spend();
}

function accumulate(leaf: Tensor, result: Value, createGraph: boolean): Tensor {
  currentTrace()?.made.add(result.node);
  if (createGraph) leaf.grad = new Tensor(leaf.grad ? leaf.grad.add(new Tensor(result)).value : result, true);
  else if (!leaf.grad) leaf.grad = new Tensor(alias(result));
  else if (leaf.grad.isLeaf) {
    // Computed with the next program: else every further step would begin with the first.
    leaf.grad.assign(leaf.grad.add(new Tensor(result)));
    noteAssignment(leaf.grad);
  } else leaf.grad = leaf.grad.detach().add(new Tensor(result));
  return leaf.grad;
}

export interface GradOptions extends BackwardOptions {
  /** One for each output, of its shape. Default: ones, of outputs of one element. */
  readonly gradOutputs?: readonly (Tensor | undefined)[];
  /** null for inputs that the outputs do not depend on, rather than an error. */
  readonly allowUnused?: boolean;
}

/**
 * Gradients of the sum of the outputs with respect to inputs, of their shapes; `grad` of leaves stays as it is.
 * @throws TensorError where an input requires no gradient, or no output depends on it (unless `allowUnused`)
 */
export function grad(outputs: Tensor | readonly Tensor[], inputs: Tensor | readonly Tensor[], options: GradOptions & { readonly allowUnused: true }): (Tensor | null)[];
export function grad(outputs: Tensor | readonly Tensor[], inputs: Tensor | readonly Tensor[], options?: GradOptions): Tensor[];
export function grad(outputs: Tensor | readonly Tensor[], inputs: Tensor | readonly Tensor[], options: GradOptions = {}): (Tensor | null)[] {
  const { createGraph = false, gradOutputs = [], allowUnused = false } = options;
  const list = <T>(items: T | readonly T[]): readonly T[] => (Array.isArray(items) ? items : [items as T]);
  const seeds = list(outputs).map((output, i) => ({ value: rootOf(output, 'grad'), cotangent: cotangentOf(output, gradOutputs[i], 'grad') }));
  const wrt = list(inputs);
  for (const input of wrt) {
    if (!input.requiresGrad) throw new TensorError('grad', { expected: 'inputs that require a gradient', got: formatType(input.value), hint: 'set requiresGrad' });
  }
  return gradients(seeds, wrt.map(({ value }) => value)).map((result, i) => {
    if (result) currentTrace()?.made.add(result.node);
    if (result) return createGraph ? new Tensor(result, true) : new Tensor(alias(result));
    if (allowUnused) return null;
    throw new TensorError('grad', { expected: 'outputs that depend on every input', got: `none on input ${i}`, hint: 'set allowUnused to get null' });
  });
}

function rootOf(tensor: Tensor, where: string): Value {
  if (!tensor.requiresGrad) throw new TensorError(where, { expected: 'a tensor that requires a gradient', got: formatType(tensor.value), hint: 'set requiresGrad on what it is made of' });
  if (tensor.isSpent) throw new TensorError(where, { expected: 'the way back', got: 'a value whose expression was let go of after its first backward()', hint: 'give that one retainGraph: true' });
  return tensor.value;
}

function cotangentOf(tensor: Tensor, gradient: Tensor | undefined, where: string): Value | undefined {
  if (gradient) {
    if (!sameShape(gradient.shape, tensor.shape)) throw new TensorError(where, { expected: `a gradient of shape [${tensor.shape.join(',')}]`, got: formatType(gradient.value) });
    return (gradient.dtype === tensor.dtype ? gradient : gradient.to(tensor.dtype)).value;
  }
  if (tensor.numel !== 1 || dtypes[tensor.dtype].kind !== 'float') {
    throw new TensorError(where, { expected: 'a tensor of one element, or a gradient of its shape', got: formatType(tensor.value), hint: 'take its sum() or mean() first' });
  }
  return undefined;
}
