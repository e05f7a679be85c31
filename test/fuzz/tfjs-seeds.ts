/** What is damaged of TF.js models and safetensors. A model is two files: model.json, a zero byte, the shard. */
import { readFileSync } from 'node:fs';
import { fromNumbers } from '../../src/graph/index.ts';
import { importTfjs, readSafetensors, writeSafetensors } from '../../src/formats/index.ts';
import { mutateJson } from './mutate.ts';
import { buildSmall, type Seed } from './seed.ts';

interface Golden {
  readonly name: string;
  readonly model: object;
  /** Base64. */
  readonly weights: string;
}

const join = (json: string, shard: Uint8Array): Uint8Array => new Uint8Array([...new TextEncoder().encode(json), 0, ...shard]);

function split(bytes: Uint8Array): [json: string, shard: Uint8Array] {
  const zero = bytes.indexOf(0);
  const end = zero < 0 ? bytes.length : zero;
  return [new TextDecoder().decode(bytes.subarray(0, end)), bytes.subarray(end + 1)];
}

const tfjs = (name: string, json: string, shard: Uint8Array): Seed => ({
  name: `tfjs: ${name}`,
  bytes: join(json, shard),
  async load(bytes) {
    const [text, weights] = split(bytes);
    return buildSmall(await importTfjs(text, () => weights));
  },
  mutate(bytes, random) {
    const [text, weights] = split(bytes);
    return join(mutateJson(text, random), weights);
  },
});

const golden = JSON.parse(readFileSync(new URL('../../src/formats/tfjs/golden/golden.json', import.meta.url), 'utf8')) as Golden[];
const chosen = ['conv2d same stride 2 even', 'separable', 'transpose valid', 'prelu shared', 'up sampling bilinear', 'flatten after conv', 'squeeze and excite', 'nested models', 'merges', 'layer norm two axes'];

/** A layer whose weights are stored in eight bits. */
const quantized = tfjs(
  'quantized',
  JSON.stringify({
    format: 'layers-model',
    modelTopology: { class_name: 'Sequential', config: { layers: [{ class_name: 'Dense', config: { name: 'd', units: 2, batch_input_shape: [null, 3] } }] } },
    weightsManifest: [
      { paths: ['a.bin'], weights: [{ name: 'd/kernel', shape: [3, 2], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.5, min: -1 } }] },
      { paths: ['b.bin'], weights: [{ name: 'd/bias', shape: [2], dtype: 'float32', quantization: { dtype: 'float16' } }] },
    ],
  }),
  Uint8Array.of(1, 2, 3, 4, 5, 6),
);

export const tfjsSeeds: readonly Seed[] = [
  ...golden.filter(({ name }) => chosen.includes(name)).map(({ name, model, weights }) => tfjs(name, JSON.stringify(model), new Uint8Array(Buffer.from(weights, 'base64')))),
  quantized,
];

export const safetensorsSeed: Seed = {
  name: 'safetensors',
  bytes: writeSafetensors({ w: fromNumbers('float32', [2, 3], [1, 2, 3, 4, 5, 6]), ids: fromNumbers('int64', [2], [1, 2]), on: fromNumbers('bool', [3], [0, 1, 1]) }, { by: 'whetstone' }),
  load: (bytes) => readSafetensors(bytes),
  mutate(bytes, random) {
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const json = new TextEncoder().encode(mutateJson(new TextDecoder().decode(bytes.subarray(8, 8 + length)), random));
    const file = new Uint8Array([...bytes.subarray(0, 8), ...json, ...bytes.subarray(8 + length)]);
    new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
    return file;
  },
};
