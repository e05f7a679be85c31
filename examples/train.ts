/** Training as in PyTorch: forward, backward and update are lazy, and each step runs as one compiled program. */
import { nn, optim, tensor } from 'whetstone';

const model = new nn.Sequential(new nn.Linear(2, 16), new nn.Tanh(), new nn.Linear(16, 1));
const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 });
const x = tensor([[0, 0], [0, 1], [1, 0], [1, 1]]);
const y = tensor([[0], [1], [1], [0]]); // exclusive or

for (let step = 1; step <= 200; step++) {
  optimizer.zeroGrad();
  const loss = nn.functional.mseLoss(model.call(x), y);
  loss.backward();
  optimizer.step();
  if (step % 50 === 0) console.log(step, loss.item());
}
console.log(`${model.call(x)}`);
