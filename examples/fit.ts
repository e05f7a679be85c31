/** Training in Keras's manner: fit, evaluate, predict; with checkpoints that it goes on from when it was interrupted. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accuracy, manualSeed, nn, rand, tensor } from 'whetstone';
import { checkpoints, progress } from 'whetstone/train/node';

manualSeed(0);
const x = rand([2000, 2]);
const above = x.gt(0.5);
const y = above.select(1, 0).eq(above.select(1, 1)).toLong(); // are both above a half, or neither?
const [train, held] = [0, 1600].map((from) => [x.slice(0, from, from + 1600), y.slice(0, from, from + 1600)]);

const model = new nn.Sequential(new nn.Linear(2, 32), new nn.ReLU(), new nn.Linear(32, 2));
const { epochs } = await model.fit(train, {
  loss: 'crossEntropy',
  optimizer: 'adam',
  lr: 0.03,
  epochs: 15,
  batchSize: 64,
  seed: 1,
  metrics: { accuracy: accuracy() },
  validation: held,
  checkpoint: checkpoints(join(tmpdir(), 'whetstone-squares')),
  resume: true,
  callbacks: [progress()],
});
console.log(epochs.at(-1)!.values['accuracy/validation']);
console.log(await model.evaluate(held, { loss: 'crossEntropy', metrics: { accuracy: accuracy() } }));
console.log(`${(await model.predict(tensor([[0.2, 0.9], [0.8, 0.7]]))).argmax(1)}`);
