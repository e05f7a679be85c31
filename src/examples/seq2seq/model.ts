/** A GRU that reads a sequence, and a GRU that begins with the first one's last state and writes one. */
import { Embedding, GRU, Linear, LogSoftmax, Module } from 'whetstone/nn';
import { cat, full, stack, type Tensor } from 'whetstone/tensor';
import type { Config } from './configs.ts';

const digits = 10;
/** What the decoder is given before its first digit. */
const start = digits;

const startOf = (input: Tensor): Tensor => full([input.shape[0], 1], start, { dtype: 'int64' });

export class Seq2Seq extends Module {
  readonly embedding: Embedding;
  readonly encoder: GRU;
  readonly decoder: GRU;
  readonly out: Linear;
  readonly logSoftmax = new LogSoftmax(-1);

  constructor({ layers, hidden, embedding, dropout }: Pick<Config, 'layers' | 'hidden' | 'embedding' | 'dropout'>) {
    super();
    const options = { numLayers: layers, dropout, batchFirst: true };
    this.embedding = new Embedding(digits + 1, embedding);
    this.encoder = new GRU(embedding, hidden, options);
    this.decoder = new GRU(embedding, hidden, options);
    this.out = new Linear(hidden, digits);
  }

  #decode(previous: Tensor, state: Tensor): [logProbs: Tensor, state: Tensor] {
    const [output, next] = this.decoder.call(this.embedding.call(previous), state);
    return [this.logSoftmax.call(this.out.call(output)), next];
  }

  /** Log probabilities [batch, time, digits], where each digit is told the true ones before it (teacher forcing). */
  forward(input: Tensor, target: Tensor): Tensor {
    const [, state] = this.encoder.call(this.embedding.call(input));
    const previous = cat([startOf(input), target.narrow(1, 0, target.shape[1] - 1)], 1);
    return this.#decode(previous, state)[0];
  }

  /** The model's own answer [batch, time]: each digit the likeliest after those before it. */
  respond(input: Tensor): Tensor {
    let [, state] = this.encoder.call(this.embedding.call(input));
    let previous = startOf(input);
    const answer = input.unbind(1).map(() => {
      const [logProbs, next] = this.#decode(previous, state);
      state = next;
      previous = logProbs.argmax(-1);
      return previous.squeeze(1);
    });
    return stack(answer, 1);
  }
}
