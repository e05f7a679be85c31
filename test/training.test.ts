/** Modules, optimizers and data together: a small network learns, and goes on from a checkpoint bit for bit. */
import { expect, test } from 'vitest';
import { DataLoader, randomSplit, TensorDataset } from '../src/data/index.ts';
import type { TensorData } from '../src/graph/index.ts';
import { CrossEntropyLoss, Dropout, Linear, ReLU, Sequential } from '../src/nn/index.ts';
import { Adam, clipGradNorm, CosineAnnealingLR, type OptimizerState } from '../src/optim/index.ts';
import { defaultGenerator, manualSeed, noGrad, programCounts, rand, type RandomState, type Tensor } from '../src/tensor/index.ts';

/** Points of the unit square, by whether their coordinates are on the same side of a half. */
function makeData() {
  manualSeed(1);
  const x = rand([640, 2]);
  const sides = x.gt(0.5).toLong();
  const y = sides.select(1, 0).eq(sides.select(1, 1)).toLong();
  return randomSplit(new TensorDataset(x, y), [512, 128], 3);
}

function makeRun(train: ReturnType<typeof makeData>[number]) {
  manualSeed(2);
  const model = new Sequential(new Linear(2, 32), new ReLU(), new Dropout(0.05), new Linear(32, 2));
  const optimizer = new Adam(model.parameters(), { lr: 0.03 });
  const schedule = new CosineAnnealingLR(optimizer, { tMax: 30 });
  const loader = new DataLoader(train, { batchSize: 64, shuffle: true, seed: 4 });
  const criterion = new CrossEntropyLoss();
  const step = (x: Tensor, y: Tensor): number => {
    optimizer.zeroGrad();
    const loss = criterion.forward(model.forward(x), y);
    loss.backward();
    clipGradNorm(model.parameters(), 5);
    optimizer.step();
    return loss.item();
  };
  return { model, optimizer, schedule, loader, step };
}
type Run = ReturnType<typeof makeRun>;

async function epoch({ loader, schedule, step }: Run): Promise<number[]> {
  const losses: number[] = [];
  for await (const [x, y] of loader) losses.push(step(x, y));
  schedule.step();
  return losses;
}

interface Checkpoint {
  readonly model: Map<string, TensorData>;
  readonly optimizer: OptimizerState;
  readonly schedule: { readonly lastEpoch: number };
  readonly epoch: number;
  readonly random: RandomState;
}

test('a small network learns, one program a step, and resumes exactly', async () => {
  const [train, held] = makeData();
  const run = makeRun(train);
  let checkpoint: Checkpoint | undefined;
  const after: number[] = [];
  let before = 0;
  for (let turn = 0; turn < 30; turn++) {
    if (turn === 2) before = programCounts.compiled;
    if (turn === 12) {
      checkpoint = { model: run.model.stateDict(), optimizer: run.optimizer.stateDict(), schedule: run.schedule.stateDict(), epoch: run.loader.epoch, random: defaultGenerator.state };
    }
    const { ran } = programCounts;
    const losses = await epoch(run);
    if (turn >= 12 && turn < 15) after.push(...losses);
    // The first values are programs of their own.
    if (turn > 0) expect(programCounts.ran - ran).toBe(8);
  }
  expect(programCounts.compiled).toBe(before);

  run.model.eval();
  const [[x, y]] = new DataLoader(held, { batchSize: 128 });
  const right = noGrad(() => run.model.forward(x).argmax(1).eq(y).toFloat().mean().item());
  expect(right).toBeGreaterThan(0.93);

  const other = makeRun(train);
  await epoch(other);
  other.model.loadStateDict(checkpoint!.model);
  other.optimizer.loadStateDict(checkpoint!.optimizer);
  other.schedule.loadStateDict(checkpoint!.schedule);
  other.loader.resumeAt(checkpoint!.epoch);
  defaultGenerator.state = checkpoint!.random;
  const again: number[] = [];
  for (let turn = 0; turn < 3; turn++) again.push(...(await epoch(other)));
  expect(again).toEqual(after);
});
