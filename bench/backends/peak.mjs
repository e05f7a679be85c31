// @ts-check
/** The core itself: the time that a run's arithmetic would take if nothing but multiply-adds on registers were to be done. */
import { measurePeak } from '../../dist/index.js';

/** @type {import('../types.ts').Backend['open']} */
export async function open({ isa, threads, model: { flops } }) {
  if (flops === undefined) throw new Error('the work does not say how many operations it has');
  return {
    run: () => ({}),
    round({ ms }) {
      const { gflops } = measurePeak({ isa: /** @type {any} */ (isa), threads, seconds: ms / 1000 });
      return [flops / gflops / 1e6];
    },
  };
}
