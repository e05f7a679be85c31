// @ts-check
/** Ours, as a user calls it. */
import { compileModel, importOnnx } from '../../dist/index.js';
import { loadModelFile } from '../../dist/formats/node.js';

/** @type {import('../types.ts').Backend['open']} */
export async function open({ file, bytes, inputs, isa, threads }) {
  const model = bytes ? importOnnx(bytes) : await loadModelFile(file);
  const compiled = compileModel(model, 'cpu', { isa: /** @type {any} */ (isa), threads });
  const { info } = compiled.compile();
  if (info.isa !== isa || info.threads !== threads) throw new Error(`asked for ${isa} with ${threads} threads, got ${info.isa} with ${info.threads}`);
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => [name, { dtype: /** @type {const} */ ('float32'), shape, data }]),
  );
  // Results go where they went before, for both sides: nobody's allocator is timed.
  const into = compiled.infer(tensors);
  return {
    note: `${info.steps} steps, ${info.kernels} kernels`,
    run() {
      const outputs = compiled.infer(tensors, { into });
      return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, /** @type {Float32Array} */ (data)]));
    },
  };
}
