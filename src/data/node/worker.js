// @ts-check
/**
 * One thread of a worker dataset: holds the module's dataset and answers with items. Plain JavaScript, so that it starts from
 * src/ as well as from dist/; worker-dataset.ts describes the messages.
 *
 * @typedef {import('./worker-dataset.ts').Request} Request
 * @typedef {import('./worker-dataset.ts').Reply} Reply
 * @typedef {import('./worker-dataset.ts').Start} Start
 * @typedef {import('./worker-dataset.ts').Problem} Problem
 */
import { parentPort, workerData } from 'node:worker_threads';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const { module, name, options } = /** @type {Start} */ (workerData);

/** @param {unknown} error @returns {Problem} */
const problemOf = (error) => (error instanceof Error ? { message: error.message, stack: error.stack } : { message: String(error) });

/**
 * What goes to the other thread: tensors as their data, and arrays as copies of their own, which change hands. What they are
 * views of stays here.
 * @param {any} item @param {ArrayBuffer[]} transfer @returns {unknown}
 */
function encode(item, transfer) {
  if (typeof item !== 'object' || item === null) return item;
  if (typeof item.toTensorData === 'function') {
    const { dtype, shape, data } = item.toTensorData();
    return { $tensor: { dtype, shape, data: encode(data, transfer) } };
  }
  if (ArrayBuffer.isView(item) && 'slice' in item) {
    // A Buffer's slice is no copy.
    const copy = item instanceof Uint8Array ? new Uint8Array(item) : /** @type {any} */ (item).slice();
    transfer.push(copy.buffer);
    return copy;
  }
  if (Array.isArray(item)) return item.map((part) => encode(part, transfer));
  if (Object.getPrototypeOf(item) !== Object.prototype) return item;
  return Object.fromEntries(Object.entries(item).map(([key, part]) => [key, encode(part, transfer)]));
}

/** @param {import('../datasets.ts').Dataset<unknown>} dataset @param {Request} request @returns {Promise<void>} */
async function answer(dataset, { id, indices, epoch }) {
  await Promise.all(
    indices.map(async (index, place) => {
      /** @type {ArrayBuffer[]} */
      const transfer = [];
      /** @type {Reply} */
      let reply;
      try {
        reply = { id, place, item: encode(await dataset.get(index, epoch), transfer) };
        port.postMessage(reply, transfer);
      } catch (error) {
        reply = { id, place, problem: problemOf(error) };
        port.postMessage(reply);
      }
    }),
  );
}

try {
  const found = (await import(module))[name];
  if (found === undefined) throw new Error(`it exports no '${name}'`);
  const dataset = typeof found === 'function' ? await found(options) : found;
  if (typeof dataset?.get !== 'function' || !Number.isSafeInteger(dataset.length)) throw new Error(`its '${name}' is no dataset: { length, get(index, epoch) }`);
  port.on('message', (/** @type {Request} */ request) => void answer(dataset, request));
  port.postMessage({ ready: dataset.length });
} catch (error) {
  port.postMessage({ failed: problemOf(error) });
}
