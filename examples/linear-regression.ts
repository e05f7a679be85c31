/** A line through noisy points, by gradient descent: expressions are lazy, each step is one compiled program. */
import { manualSeed, noGrad, rand, randn, realize, tensor } from 'whetstone/tensor';

manualSeed(1);
const x = rand([200, 1]);
const y = x.mul(3).add(0.5).add(randn([200, 1]).mul(0.01));
realize(x, y);

const slope = tensor([[0]], { requiresGrad: true });
const offset = tensor([0], { requiresGrad: true });

for (let step = 0; step <= 300; step++) {
  const loss = x.linear(slope, offset).mseLoss(y);
  slope.grad = offset.grad = null;
  loss.backward();
  noGrad(() => {
    for (const parameter of [slope, offset]) parameter.assign(parameter.sub(parameter.grad!.mul(0.5)));
  });
  realize(slope, offset); // forward, backward and update at once, and the loss with them
  if (step % 100 === 0) console.log(step, loss.item().toFixed(5));
}
console.log(slope, offset);
