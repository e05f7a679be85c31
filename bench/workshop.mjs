// @ts-check
/** A process that makes ready what the contests need, and is gone before they begin: the models' files, and what Whetstone says of the machine. */
import { writeFile } from 'node:fs/promises';
import { countCores, exportOnnx, manualSeed, surveyIsas, version, writeSafetensors } from '../dist/index.js';
import { serve } from './serve.mjs';
import { models } from './training.mjs';
import { works } from './works.mjs';

serve({
  /** @returns {import('./types.ts').Survey} */
  survey: () => ({ version, cores: countCores(), isas: surveyIsas() }),

  /** @param {{ work: string, batch: number, file: string }} order @returns {Promise<import('./types.ts').ModelFile>} */
  async make({ work, batch, file }) {
    const { graph: makeGraph, training, scale, flops } = works[work];
    if (training) {
      const { data: makeData, ...rest } = training;
      const [weights, data] = [`${file}.weights`, `${file}.data`];
      manualSeed(1);
      await writeFile(weights, writeSafetensors(models[training.model]().stateDict()));
      await writeFile(data, writeSafetensors({ ...makeData(batch) }));
      return { file: weights, inputs: [], scale, training: { ...rest, weights, data } };
    }
    if (!makeGraph) throw new Error(`${work} has neither a graph nor something to train`);
    const graph = await makeGraph(batch);
    await writeFile(file, exportOnnx(graph));
    const inputs = graph.inputs.map(({ name, value: { shape } }) => ({ name, shape }));
    return { file, inputs, scale, flops };
  },
});
