// @ts-check
/** A process that makes ready what the contests need, and is gone before they begin: the models' files, and what Whetstone says of the machine. */
import { writeFile } from 'node:fs/promises';
import { countCores, exportOnnx, surveyIsas, version } from '../dist/index.js';
import { serve } from './serve.mjs';
import { works } from './works.mjs';

serve({
  /** @returns {import('./types.ts').Survey} */
  survey: () => ({ version, cores: countCores(), isas: surveyIsas() }),

  /** @param {{ work: string, batch: number, file: string }} order @returns {Promise<import('./types.ts').ModelFile>} */
  async make({ work, batch, file }) {
    const { graph: makeGraph, scale, flops } = works[work];
    const graph = await makeGraph(batch);
    await writeFile(file, exportOnnx(graph));
    const inputs = graph.inputs.map(({ name, value: { shape } }) => ({ name, shape }));
    return { file, inputs, scale, flops };
  },
});
