import { describe, expect, test } from 'vitest';
import { type Anomaly, AnomalyError, detectAnomaly, full, tensor, type Tensor, where } from './index.ts';

function anomalyOf(fn: () => Tensor): Anomaly & { readonly message: string } {
  try {
    detectAnomaly(fn);
  } catch (error) {
    expect(error).toBeInstanceOf(AnomalyError);
    return { ...(error as AnomalyError).anomaly, message: (error as Error).message };
  }
  throw new Error('nothing was found');
}
const leaf = (...values: number[]): Tensor => tensor(values).requiresGrad_();
/** Forward and backward. */
const stepped = (loss: Tensor): Tensor => {
  loss.backward();
  return loss;
};

describe('detectAnomaly', () => {
  test('lets a good step pass, computed', () => {
    const [w, rate] = [leaf(1, 2), 0.5];
    const loss = detectAnomaly(() => {
      const loss = stepped(w.square().sum());
      w.assign(w.detach().sub(w.grad!.mul(rate)));
      return loss;
    });
    expect(loss.isRealized && w.isRealized && w.grad!.isRealized).toBe(true);
    expect([loss.item(), ...w.toArray()]).toEqual([5, 0, 0]);
  });

  test('names the first operator of a forward pass, its line and what it read', () => {
    const w = leaf(1, 0, 3);
    const found = anomalyOf(() => {
      const logs = w.mul(2).log(); // here
      return stepped(logs.mul(0).exp().sum());
    });
    expect(found).toMatchObject({ kind: 'infinity', phase: 'forward', op: 'Log', type: 'float32[3]', inputs: [[0, 6]] });
    expect(found.site).toMatch(/anomaly\.test\.ts:\d+:\d+$/);
    expect(found.message).toMatch(/^a training step: expected finite numbers, got infinity, first made by Log \(float32\[3\] of \[0, 6\]\), at .*anomaly\.test\.ts:\d+/);
  });

  test('names what a backward pass made, and of which operator it is the gradient', () => {
    const w = leaf(0, 1);
    const found = anomalyOf(() => stepped(w.sqrt().sum()));
    expect(found).toMatchObject({ kind: 'infinity', phase: 'backward', gradientOf: 'Sqrt' });
    expect(found.site).toMatch(/anomaly\.test\.ts/);
    expect(found.message).toMatch(/first made in the backward pass by \w+, in the gradient of Sqrt/);
    expect(w.grad).toBeNull();
  });

  test('names an operator that makes NaN of infinities that were meant', () => {
    const x = leaf(1, 2);
    const mask = tensor([true, true]);
    const masked = (): Tensor => where(mask, -Infinity, x);
    expect(anomalyOf(() => stepped(masked().softmax(0).sum()))).toMatchObject({ kind: 'NaN', op: 'Softmax' });
    // Masks do no harm where something is left.
    expect(detectAnomaly(() => stepped(where(tensor([true, false]), -Infinity, x).softmax(0).mul(tensor([3, 4])).sum())).item()).toBe(4);
  });

  test('passes branches over that are not taken', () => {
    const x = leaf(0, 2);
    const safe = where(x.gt(0), x, 1).log();
    // log(0) is computed, and not used.
    expect(detectAnomaly(() => where(x.gt(0), x.detach().log(), 0).sum().add(safe.detach().sum())).item()).toBeCloseTo(2 * Math.log(2), 5);
    expect(anomalyOf(() => where(x.gt(0), x.log(), 0).sum().add(x.sub(2).log().sum()))).toMatchObject({ op: 'Log', inputs: [[-2, 0]] });
  });

  test('says where it was given', () => {
    const found = anomalyOf(() => stepped(leaf(1, NaN).mul(2).sum()));
    expect(found).toMatchObject({ kind: 'NaN', phase: 'input', type: 'float32[2]' });
    expect(found.message).toMatch(/NaN in what it was given: float32\[2\]/);
  });

  test('leaves parameters as they were before the update', () => {
    const [w, running] = [leaf(0, 4), tensor([1, 1])];
    const step = (): Tensor => {
      running.assign(running.mul(w.detach().log()));
      const loss = stepped(w.sqrt().sum());
      w.assign(w.detach().sub(w.grad!));
      w.assign(w.detach().sub(1));
      return loss;
    };
    expect(anomalyOf(step)).toMatchObject({ phase: 'backward' });
    expect([...w.toArray(), ...running.toArray()]).toEqual([0, 4, 1, 1]);
    expect(w.requiresGrad && w.isLeaf).toBe(true);
  });

  test('looks at updates too', () => {
    const w = full([2], 1e30).requiresGrad_();
    const found = anomalyOf(() => {
      const loss = stepped(w.sum());
      w.assign(w.detach().square());
      return loss;
    });
    expect(found).toMatchObject({ kind: 'infinity', phase: 'update', op: 'Mul' });
    expect(w.toArray()[0]).toBe(Math.fround(1e30));
  });
});
