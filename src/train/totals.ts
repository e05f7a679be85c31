/** Totals: what batches have come to so far. Plain numbers, so that an epoch can be gone on with from a checkpoint. */
import type { Metrics } from './metrics.ts';
import type { Measured } from './step.ts';

export class Totals {
  readonly #metrics: Metrics;
  items = 0;
  /** Sum of the batches' losses, each times its items. */
  loss = 0;
  hasLoss = false;
  sums: Float64Array[] = [];

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  add({ loss, totals }: Measured, items: number): void {
    this.items += items;
    if (loss !== undefined) {
      this.loss += loss * items;
      this.hasLoss = true;
    }
    totals.forEach((total, i) => {
      const sum = (this.sums[i] ??= new Float64Array(total.length));
      for (let at = 0; at < sum.length; at++) sum[at] += total[at];
    });
  }

  /** The metrics' values by name. */
  metrics(): Record<string, unknown> {
    return Object.fromEntries(Object.entries(this.#metrics).map(([name, metric], i) => [name, this.sums[i] && metric.compute(this.sums[i])]));
  }

  /** Loss and the metrics that are numbers, named for what they are of. */
  values(part: 'train' | 'validation'): Record<string, number> {
    const values: [string, number][] = this.hasLoss ? [[`loss/${part}`, this.loss / this.items]] : [];
    for (const [name, value] of Object.entries(this.metrics())) if (typeof value === 'number') values.push([`${name}/${part}`, value]);
    return Object.fromEntries(values);
  }
}
