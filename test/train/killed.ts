/** The child of kill.test.ts: a small training that says on stdout what it does, at once, and can be killed at any moment. */
import { writeSync } from 'node:fs';
import { hashBytes } from '../../src/graph/index.ts';
import { Dropout, Linear, ReLU, Sequential } from '../../src/nn/index.ts';
import { manualSeed, rand } from '../../src/tensor/index.ts';
import { fit } from '../../src/train/index.ts';
import { checkpoints } from '../../src/train/node.ts';

const say = (line: string): void => void writeSync(1, `${line}\n`);
const [, , folder] = process.argv;

manualSeed(1);
const x = rand([256, 4]).realize();
const y = x.sum(1, true).sin().realize();
manualSeed(2);
const model = new Sequential(new Linear(4, 16), new ReLU(), new Dropout(0.1), new Linear(16, 1));
const store = folder === undefined ? undefined : checkpoints(folder, { everySteps: 4, keep: 2, warn: (message) => say(`damaged ${message}`) });
await fit(model, [x, y], {
  loss: 'mse',
  lr: 0.01,
  batchSize: 8,
  epochs: 60,
  seed: 3,
  resume: store !== undefined,
  checkpoint: store && {
    ...store,
    async save(checkpoint, values) {
      await store.save(checkpoint, values);
      say(`saved ${checkpoint.step}`);
    },
  },
  callbacks: [{ onBegin: ({ resumedAt = 0 }) => say(`begun ${resumedAt}`), onStep: ({ step }) => say(`step ${step}`) }],
});
say(`weights ${[...model.stateDict().values()].map(({ data }) => hashBytes(data).join(',')).join(' ')}`);
