/**
 * ctcLoss: minus the log probability of a text over all its alignments (Graves et al., 2006), by the forward recursion in logarithms;
 * gradients are autograd's. The recursion is unrolled, so a program is for one number of time steps.
 */
import { arange, cat, clamp, full, gather, logsumexp, maximum, type Reduction, stack, Tensor, tensor, where } from '../tensor/index.ts';
import { ModuleError } from './errors.ts';

export interface CtcOptions {
  /** The class that stands for no character. Default 0. */
  readonly blank?: number;
  /** 'mean' is over the batch, of losses over target lengths. */
  readonly reduction?: Reduction;
  /** Whether the loss of texts too long for their time is 0, without a gradient, rather than infinite. Default false. */
  readonly zeroInfinity?: boolean;
}
export type Lengths = readonly number[] | Tensor;

/** Stands for the logarithm of 0: what is added to it stays finite, and so do gradients. */
const never = -1e30;

/**
 * Of log probabilities [time, batch, classes] and targets [batch, length] or, one after the other, [sum of lengths] (which reads
 * targets and their lengths). Lengths: one for each of the batch.
 * @throws ModuleError where shapes do not fit
 */
export function ctcLoss(logProbs: Tensor, targets: Tensor, inputLengths: Lengths, targetLengths: Lengths, options: CtcOptions = {}): Tensor {
  const { blank = 0, reduction = 'mean', zeroInfinity = false } = options;
  if (logProbs.ndim !== 3 || logProbs.shape[0] === 0) throw new ModuleError('ctcLoss', { expected: '[time, batch, classes] with at least one time step', got: `[${logProbs.shape.join(',')}]` });
  const [time, batch, classes] = logProbs.shape;
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes)) throw new ModuleError('ctcLoss', { expected: `blank in [0, ${classes - 1}]`, got: `${blank}` });
  const lengthOf = (lengths: Lengths, [low, high]: readonly [number, number]): Tensor => {
    if (!(lengths instanceof Tensor) && !lengths.every((length) => Number.isInteger(length) && length >= low && length <= high)) {
      throw new ModuleError('ctcLoss', { expected: `lengths from ${low} to ${high}`, got: lengths.join(' ') });
    }
    const given = lengths instanceof Tensor ? lengths.toLong() : tensor([...lengths], { dtype: 'int64' });
    if (given.shape.join() !== `${batch}`) throw new ModuleError('ctcLoss', { expected: `${batch} lengths`, got: `[${given.shape.join(',')}]` });
    return given.reshape([batch, 1]);
  };
  const [times, sizes] = [lengthOf(inputLengths, [1, time]), lengthOf(targetLengths, [0, targets.shape.at(-1) ?? 0])];
  const padded = targets.ndim === 1 ? padTargets(targets, sizes) : targets.toLong();
  if (padded.ndim !== 2 || padded.shape[0] !== batch) throw new ModuleError('ctcLoss', { expected: `targets [${batch}, length]`, got: `[${targets.shape.join(',')}]` });

  // Characters with a blank before, between and after them: [batch, places].
  const blanks = full([batch, 1], blank, { dtype: 'int64' });
  const between = stack([full(padded.shape, blank, { dtype: 'int64' }), padded], 2).reshape([batch, 2 * padded.shape[1]]);
  const labels = cat([between, blanks], 1);
  const places = labels.shape[1];
  const none = full([batch, 1], never, { dtype: logProbs.dtype });
  const back = (x: Tensor, by: number): Tensor => (by < places ? cat([...new Array<Tensor>(by).fill(none), x.slice(1, 0, places - by)], 1) : full([batch, places], never, { dtype: x.dtype }));
  // A blank may be skipped between characters that differ.
  const place = arange(places).reshape([1, places]);
  const isSame = places > 2 ? labels.eq(cat([blanks, blanks, labels.slice(1, 0, places - 2)], 1)) : labels.eq(blank);
  const maySkip = isSame.logicalOr(labels.eq(blank)).logicalOr(place.lt(2)).logicalNot();

  const emitted = clamp(gather(logProbs, 2, labels.unsqueeze(0).expand([time, batch, places])), never).unbind(0);
  let alpha = where(place.lt(2), emitted[0], never);
  for (let t = 1; t < time; t++) {
    const paths = stack([alpha, back(alpha, 1), where(maySkip, back(alpha, 2), never)], 2);
    alpha = where(times.gt(t), logsumexp(paths, 2).add(emitted[t]), alpha);
  }
  // A text ends with its last character or with the blank behind.
  const ofBlank = gather(alpha, 1, sizes.mul(2));
  const ofLast = where(sizes.gt(0), gather(alpha, 1, maximum(sizes.mul(2).sub(1), 0)), never);
  const losses = logsumexp(cat([ofBlank, ofLast], 1), 1).neg();
  const bounded = where(losses.gt(-never / 10), zeroInfinity ? 0 : Infinity, losses);
  if (reduction === 'none') return bounded;
  return reduction === 'sum' ? bounded.sum() : bounded.div(clamp(sizes.reshape([batch]), 1).to(logProbs.dtype)).mean();
}

/** Targets that lie one after the other, each in a row of its own. */
function padTargets(targets: Tensor, sizes: Tensor): Tensor {
  const lengths = Array.from(sizes.toArray() as BigInt64Array, Number);
  const all = Array.from(targets.toLong().toArray() as BigInt64Array);
  const total = lengths.reduce((a, b) => a + b, 0);
  if (total !== all.length || lengths.some((length) => length < 0)) throw new ModuleError('ctcLoss', { expected: `lengths that add up to ${all.length}`, got: lengths.join(' ') });
  const longest = Math.max(1, ...lengths);
  let at = 0;
  const rows = lengths.map((length) => {
    const row = all.slice(at, (at += length));
    return [...row, ...new Array<bigint>(longest - length).fill(0n)];
  });
  return tensor(rows, { dtype: 'int64' });
}
