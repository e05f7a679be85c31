/** A recurrent network in training: one program, the same bits whatever the number of threads, products over all time steps at once. */
import { expect, test } from 'vitest';
import { Adam } from '../../src/optim/index.ts';
import { compile, configure, fromTypedArray, manualSeed, programCounts, realize, type Tensor } from '../../src/tensor/index.ts';
import { CrossEntropyLoss, Embedding, GRU, Linear, LSTM, Module } from '../../src/nn/index.ts';

const [symbols, width, batch, time] = [7, 48, 40, 6];

class Tagger extends Module {
  readonly embedding = new Embedding(symbols, width);
  readonly rnn: GRU | LSTM;
  readonly out = new Linear(width, symbols);
  constructor(Layer: typeof GRU | typeof LSTM) {
    super();
    this.rnn = new Layer(width, width, { numLayers: 2, dropout: 0.3, batchFirst: true });
  }
  forward(x: Tensor): Tensor {
    return this.out.call(this.rnn.call(this.embedding.call(x))[0] as Tensor);
  }
}

const digits = fromTypedArray(BigInt64Array.from({ length: batch * time }, (_, i) => BigInt((i * i + 3 * i) % symbols)), [batch, time]);

/** Losses of some steps and what the parameters are then. */
function train(Layer: typeof GRU | typeof LSTM, threads: number, steps = 4): number[] {
  const before = configure({ threads });
  try {
    manualSeed(5);
    const model = new Tagger(Layer);
    realize(...model.parameters());
    const [optimizer, loss] = [new Adam(model.parameters(), { lr: 3e-3 }), new CrossEntropyLoss()];
    const step = compile((x: Tensor): Tensor => {
      optimizer.zeroGrad();
      const result = loss.call(model.call(x).flatten(0, 1), x.flatten());
      result.backward();
      optimizer.step();
      return result;
    });
    const losses = Array.from({ length: steps }, () => step(digits).item());
    return [...losses, ...model.parameters().flatMap((parameter) => Array.from(parameter.toArray() as Float32Array))];
  } finally {
    configure(before);
  }
}

test.each([['GRU', GRU], ['LSTM', LSTM]] as const)('%s: threads change no bit, and steps compile nothing anew', (_, Layer) => {
  const { compiled } = programCounts;
  const one = train(Layer, 1);
  expect(programCounts.compiled).toBe(compiled + 2); // first values, the step
  expect(one[3]).toBeLessThan(one[0]);
  for (const threads of [2, 3]) expect(train(Layer, threads)).toEqual(one);
});
