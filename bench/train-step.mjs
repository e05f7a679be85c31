// @ts-check
/** A model trained by Whetstone, from the values and on the batches that its peer has too. */
import { readFile } from 'node:fs/promises';
import { readSafetensors } from '../dist/index.js';
import { configure, fromTensorData } from '../dist/tensor/index.js';
import { models, optimizers } from './training.mjs';

/** @typedef {import('../dist/index.js').Tensor} Tensor */
/** @typedef {(input: Tensor, target: Tensor) => Tensor} Step */

/**
 * @param {Parameters<import('./types.ts').Backend['open']>[0]} request @param {(step: Step) => Step} prepare
 * @returns {Promise<import('./types.ts').Session>}
 */
export async function openTraining({ model: { training }, isa, threads }, prepare) {
  if (!training) throw new Error('the work says nothing of training');
  configure({ isa: /** @type {any} */ (isa), threads });
  const model = models[training.model]();
  model.loadStateDict(readSafetensors(await readFile(training.weights)).tensors);
  const { tensors } = readSafetensors(await readFile(training.data));
  const [inputs, targets] = ['inputs', 'targets'].map((name) => batchesOf(tensors.get(name)));
  const optimizer = optimizers[training.optimizer](model.parameters(), training.lr);
  model.train();
  const step = prepare((input, target) => {
    optimizer.zeroGrad();
    const loss = /** @type {any} */ (model).call(input, target);
    loss.backward();
    optimizer.step();
    return loss;
  });
  let steps = 0;
  const run = () => {
    const loss = step(inputs[steps % inputs.length], targets[steps % targets.length]).item();
    steps++;
    return Number(loss);
  };
  const losses = Array.from({ length: training.losses }, run);
  return { outputs: { loss: losses }, run: () => ({ loss: [run()] }) };
}

/** Along the first dimension. @param {import('../dist/index.js').TensorData | undefined} all */
function batchesOf(all) {
  if (!all) throw new Error('the data lack a tensor');
  const { dtype, shape: [count, ...shape], data } = all;
  const size = data.length / count;
  return Array.from({ length: count }, (_, i) => fromTensorData({ dtype, shape, data: /** @type {any} */ (data).slice(i * size, (i + 1) * size) }));
}
