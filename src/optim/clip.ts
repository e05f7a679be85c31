/** Gradients kept within bounds, between `backward()` and `step()`: by the norm of all together, or each element by itself. */
import { clamp, noGrad, stack, type Tensor, zeros } from '../tensor/index.ts';
import { OptimError } from './errors.ts';

const withGradients = (params: Iterable<Tensor>): Tensor[] => [...params].filter(({ grad }) => grad !== null);

/**
 * Scales all gradients by one factor, so that their norm as one vector is at most `maxNorm`. `normType` as in `norm`: 2,
 * Infinity, ... Returns the norm before, which is computed with the step.
 */
export function clipGradNorm(params: Iterable<Tensor>, maxNorm: number, normType = 2): Tensor {
  if (!(maxNorm >= 0)) throw new OptimError('clipGradNorm', { expected: 'a norm from 0 on', got: `${maxNorm}` });
  const clipped = withGradients(params);
  if (clipped.length === 0) return zeros([]);
  return noGrad(() => {
    const norm = stack(clipped.map(({ grad }) => grad!.norm(normType))).norm(normType);
    // Assigned, so that it comes out of the step's program whatever is read first.
    const total = zeros([], { dtype: norm.dtype }).assign(norm);
    const factor = clamp(total.add(1e-6).reciprocal().mul(maxNorm), null, 1);
    for (const param of clipped) param.grad = param.grad!.mul(factor);
    return total;
  });
}

/** Every element of the gradients within [-value, value]. */
export function clipGradValue(params: Iterable<Tensor>, value: number): void {
  if (!(value >= 0)) throw new OptimError('clipGradValue', { expected: 'a bound from 0 on', got: `${value}` });
  noGrad(() => {
    for (const param of withGradients(params)) param.grad = param.grad!.clamp(-value, value);
  });
}
