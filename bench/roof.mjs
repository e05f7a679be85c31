// @ts-check
/** A process that measures what bounds any kernel on one core: multiply-adds on registers, and bytes moved by a sum of two arrays. */
import { apply, compileModel, input, measurePeak } from '../dist/index.js';
import { randomValues } from './inputs.mjs';
import { serve } from './serve.mjs';
import { median } from './statistics.mjs';

/** @type {Map<string, () => number>} */
const sums = new Map();

serve({
  /** In GFLOP/s. @param {{ isa: any, seconds: number }} request */
  peak: ({ isa, seconds }) => measurePeak({ isa, threads: 1, seconds }).gflops,

  /**
   * In GB/s, where `bytes` are moved over and over: two parts read, one written. By the clock that layers are measured by.
   * @param {{ isa: any, bytes: number, seconds: number }} request
   */
  bandwidth({ isa, bytes, seconds }) {
    const key = `${isa} ${bytes}`;
    const run = sums.get(key) ?? makeSum(isa, bytes);
    sums.set(key, run);
    const times = [];
    for (const end = performance.now() + 1000 * seconds; times.length < 3 || performance.now() < end; ) times.push(run());
    return bytes / median(times) / 1e6;
  },
});

/** @param {any} isa @param {number} bytes @returns {() => number} milliseconds of a sum */
function makeSum(isa, bytes) {
  const shape = [Math.round(bytes / 12)];
  const [a, b] = ['a', 'b'].map((name) => ({ name, value: input(name, 'float32', shape) }));
  const compiled = compileModel({ name: 'sum', inputs: [a, b], outputs: [{ name: 'c', value: apply('Add', [a.value, b.value]) }] }, 'cpu', { isa, threads: 1 });
  const data = randomValues(shape[0], 1, 1);
  const inputs = Object.fromEntries([a, b].map(({ name }) => [name, { dtype: /** @type {const} */ ('float32'), shape, data }]));
  inputs.b = { ...inputs.b, data: data.slice() };
  const into = compiled.infer(inputs);
  return () => {
    compiled.infer(inputs, { into, profile: true });
    return compiled.profile().reduce((sum, { ms }) => sum + ms, 0);
  };
}
