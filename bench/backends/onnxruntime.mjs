// @ts-check
/** What onnxruntime-node and onnxruntime-web have in common. */

/**
 * @param {Pick<typeof import('onnxruntime-common'), 'env' | 'InferenceSession' | 'Tensor'>} ort
 * @param {Parameters<import('../types.ts').Backend['open']>[0]} request
 * @param {import('onnxruntime-common').InferenceSession.SessionOptions} own
 * @param {{ readonly intoFetches: boolean }} ability whether it writes results into tensors that are given
 * @returns {Promise<import('../types.ts').Session>}
 */
export async function openSession({ env, InferenceSession, Tensor }, { file, bytes, inputs }, own, { intoFetches }) {
  env.logLevel = 'error';
  const options = { executionMode: /** @type {const} */ ('sequential'), graphOptimizationLevel: /** @type {const} */ ('all'), ...own };
  const session = await (bytes ? InferenceSession.create(bytes, options) : InferenceSession.create(file, options));
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, { shape, data }]) => [name, new Tensor('float32', data, shape)]));
  const first = await session.run(feeds);
  const fetches = Object.fromEntries(
    Object.entries(first).map(([name, { dims, size }]) => [name, new Tensor('float32', new Float32Array(size), dims)]),
  );
  return {
    async run() {
      const outputs = await (intoFetches ? session.run(feeds, fetches) : session.run(feeds));
      return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, /** @type {Float32Array} */ (data)]));
    },
  };
}
