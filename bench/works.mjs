// @ts-check
/**
 * What is run. Each work is a graph made by Whetstone and exported to ONNX once a batch size; everybody, Whetstone too, reads that file.
 * To add one: an entry here, and its bars in contests.mjs.
 */
import { randomValues, sizeOf } from './inputs.mjs';

/** @type {Readonly<Record<string, import('./types.ts').Work>>} */
export const works = {
  resnet50: {
    title: 'ResNet-50',
    batched: true,
    rate: { unit: 'images/s', of: (batch) => batch },
    // Pixels, less the mean of ImageNet.
    scale: 128,
    share: 1,
    async graph(batch) {
      const [{ zooGet }, { loadModelFile }] = await Promise.all([import('../dist/zoo/index.js'), import('../dist/formats/node.js')]);
      const { path, entry } = await zooGet('resnet50');
      const model = await loadModelFile(path);
      const [, ...image] = entry.input?.defaultShape ?? [];
      return model.build({ [model.inputs[0].name]: [batch, ...image] });
    },
  },
  gemm256: gemm(256, 'constant'),
  'gemm256-inputs': gemm(256, 'input'),
  gemm1024: gemm(1024, 'constant'),
  'gemm1024-inputs': gemm(1024, 'input'),
};

/**
 * A product of two square matrices: B a constant, as a layer's weights are, which may be packed beforehand, or an input like A.
 * @param {number} size @param {'constant' | 'input'} kind of B @returns {import('./types.ts').Work}
 */
function gemm(size, kind) {
  const shape = [size, size];
  const flops = 2 * size ** 3;
  return {
    title: `gemm ${size}, B ${kind === 'constant' ? 'constant' : 'an input'}`,
    batched: false,
    rate: { unit: 'GFLOP/s', of: () => flops / 1e9 },
    scale: 1,
    flops,
    share: 0.5,
    async graph() {
      const { apply, constant, input, tensorData } = await import('../dist/index.js');
      const a = input('a', 'float32', shape);
      const b = kind === 'input' ? input('b', 'float32', shape) : constant(tensorData('float32', shape, randomValues(sizeOf(shape), 1, 99)));
      const inputs = [{ name: 'a', value: a }, ...(kind === 'input' ? [{ name: 'b', value: b }] : [])];
      return { name: 'gemm', inputs, outputs: [{ name: 'c', value: apply('MatMul', [a, b]) }] };
    },
  };
}
