/**
 * Recurrent layers, with PyTorch's gates and weights. What all time steps have in common, the product with their inputs, is one
 * matrix product before the loop; the loop is unrolled, so a program is for one length.
 */
import { arange, cat, stack, type Tensor, tensor, where, zeros } from '../tensor/index.ts';
import { expectSizes, ModuleError } from './errors.ts';
import { drawn } from './linear.ts';
import { Module, type Parameter } from './module.ts';
import { type Argument, keywords } from './print.ts';

/** What goes from step to step: the hidden state, and an LSTM's cell state. */
type State = readonly Tensor[];
interface Weights {
  readonly ih: Parameter;
  readonly hh: Parameter;
  readonly biasIh: Parameter | null;
  readonly biasHh: Parameter | null;
  /** Of an LSTM's projection. */
  readonly hr?: Parameter;
}
/** One step, from the product of its inputs [N, gates * hidden]; `state` is null where it is 0. */
type Step = (fromInput: Tensor, state: State | null, weights: Weights) => State;

const plus = (a: Tensor, b: Tensor | null | undefined): Tensor => (b ? a.add(b) : a);
/** What the hidden state adds; nothing has no product to be computed. */
const fromHidden = (state: State | null, { hh, biasHh }: Weights): Tensor | null => (state ? state[0].linear(hh, biasHh) : biasHh);

const steps = {
  tanh: (fromInput, state, weights) => [plus(fromInput, fromHidden(state, weights)).tanh()],
  relu: (fromInput, state, weights) => [plus(fromInput, fromHidden(state, weights)).relu()],
  // Gates in PyTorch's order: input, forget, cell, output.
  lstm: (fromInput, state, weights) => {
    const [i, f, g, o] = plus(fromInput, fromHidden(state, weights)).chunk(4, 1);
    const cell = plus(i.sigmoid().mul(g.tanh()), state && f.sigmoid().mul(state[1]));
    const hidden = o.sigmoid().mul(cell.tanh());
    return [weights.hr ? hidden.linear(weights.hr) : hidden, cell];
  },
  // Reset, update, new; the reset gate is applied after the product, as PyTorch and cuDNN do.
  gru: (fromInput, state, weights) => {
    const [ri, zi, ni] = fromInput.chunk(3, 1);
    const [rh, zh, nh] = fromHidden(state, weights)?.chunk(3, -1) ?? [];
    const [r, z] = [plus(ri, rh).sigmoid(), plus(zi, zh).sigmoid()];
    const fresh = plus(ni, nh && r.mul(nh)).tanh();
    return [fresh.add(z.mul(state ? state[0].sub(fresh) : fresh.neg()))];
  },
} satisfies Readonly<Record<string, Step>>;

export interface RecurrentOptions {
  /** Layers one on top of the other. Default 1. */
  readonly numLayers?: number;
  readonly bias?: boolean;
  /** Whether inputs and outputs are [batch, time, ...] rather than [time, batch, ...]; states never are. */
  readonly batchFirst?: boolean;
  /** In training, of the outputs of every layer but the last. Default 0. */
  readonly dropout?: number;
  /** Whether each layer also runs backwards, its outputs beside the others. */
  readonly bidirectional?: boolean;
}
export interface RnnOptions extends RecurrentOptions {
  readonly nonlinearity?: 'tanh' | 'relu';
}
export interface LstmOptions extends RecurrentOptions {
  /** Size of a projection of the hidden state. Default 0: none. */
  readonly projSize?: number;
}
export interface SequenceOptions {
  /** The length of each sequence of the batch: what comes after it changes no state, and its outputs are 0. */
  readonly lengths?: readonly number[] | Tensor;
}

abstract class Recurrent extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  readonly projSize: number;
  readonly #step: Step;

  constructor(step: Step, gates: number, inputSize: number, hiddenSize: number, options: LstmOptions) {
    super();
    const { numLayers = 1, bias = true, batchFirst = false, dropout = 0, bidirectional = false, projSize = 0 } = options;
    expectSizes(this.constructor.name, { inputSize, hiddenSize, numLayers });
    if (!(dropout >= 0 && dropout <= 1)) throw new ModuleError(this.constructor.name, { expected: 'dropout to be a probability', got: `${dropout}` });
    if (!(Number.isInteger(projSize) && projSize >= 0 && projSize < hiddenSize)) throw new ModuleError(this.constructor.name, { expected: 'projSize below hiddenSize', got: `${projSize}` });
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.bias = bias;
    this.batchFirst = batchFirst;
    this.dropout = dropout;
    this.bidirectional = bidirectional;
    this.projSize = projSize;
    this.#step = step;
    const outputSize = projSize || hiddenSize;
    const own: Record<string, Parameter> = {};
    for (let layer = 0; layer < numLayers; layer++) {
      const width = layer === 0 ? inputSize : outputSize * this.#directions;
      for (let direction = 0; direction < this.#directions; direction++) {
        const suffix = suffixOf(layer, direction);
        own[`weight_ih${suffix}`] = drawn([gates * hiddenSize, width], hiddenSize);
        own[`weight_hh${suffix}`] = drawn([gates * hiddenSize, outputSize], hiddenSize);
        if (bias) own[`bias_ih${suffix}`] = drawn([gates * hiddenSize], hiddenSize);
        if (bias) own[`bias_hh${suffix}`] = drawn([gates * hiddenSize], hiddenSize);
        if (projSize) own[`weight_hr${suffix}`] = drawn([projSize, hiddenSize], hiddenSize);
      }
    }
    Object.assign(this, own);
  }

  get #directions(): number {
    return this.bidirectional ? 2 : 1;
  }
  #weights(layer: number, direction: number): Weights {
    const own = this as unknown as Readonly<Record<string, Parameter | undefined>>;
    const suffix = suffixOf(layer, direction);
    return { ih: own[`weight_ih${suffix}`]!, hh: own[`weight_hh${suffix}`]!, biasIh: own[`bias_ih${suffix}`] ?? null, biasHh: own[`bias_hh${suffix}`] ?? null, hr: own[`weight_hr${suffix}`] };
  }

  /** All layers. `initial` and what is returned as state: a tensor [layers * directions, batch, size] for each width given. */
  protected run(input: Tensor, initial: readonly Tensor[] | null, widths: readonly number[], { lengths }: SequenceOptions): { output: Tensor; state: Tensor[] } {
    const name = this.constructor.name;
    if (input.ndim !== 3 || input.shape[2] !== this.inputSize) {
      throw new ModuleError(name, { expected: `[${this.batchFirst ? 'batch, time' : 'time, batch'}, ${this.inputSize}]`, got: `[${input.shape.join(',')}]` });
    }
    let x = this.batchFirst ? input.transpose(0, 1) : input;
    const [time, batch] = x.shape;
    if (time === 0) throw new ModuleError(name, { expected: 'at least one time step', got: 'none' });
    const count = this.numLayers * this.#directions;
    initial?.forEach((part, i) => {
      const expected = [count, batch, widths[i]];
      if (part.shape.join() !== expected.join()) throw new ModuleError(name, { expected: `a first state of shape [${expected.join(',')}]`, got: `[${part.shape.join(',')}]` });
    });
    const active = lengths && activeSteps(name, lengths, time, batch);
    const last: State[] = [];
    for (let layer = 0; layer < this.numLayers; layer++) {
      const outputs: Tensor[] = [];
      for (let direction = 0; direction < this.#directions; direction++) {
        // A weight that nothing is multiplied by would have no gradient at all.
        const first = initial?.map((part) => part.select(0, last.length)) ?? (time > 1 ? null : widths.map((width) => zeros([batch, width], { dtype: x.dtype })));
        const result = this.#runLayer(x, first, this.#weights(layer, direction), direction === 1, active);
        outputs.push(result.output);
        last.push(result.state);
      }
      x = outputs.length === 1 ? outputs[0] : cat(outputs, 2);
      if (layer < this.numLayers - 1) x = x.dropout(this.dropout, this.training);
    }
    return { output: this.batchFirst ? x.transpose(0, 1) : x, state: widths.map((_, i) => stack(last.map((state) => state[i]))) };
  }

  #runLayer(x: Tensor, first: State | null, weights: Weights, isReverse: boolean, active: readonly Tensor[] | undefined): { output: Tensor; state: State } {
    const fromInputs = x.linear(weights.ih, weights.biasIh).unbind(0);
    const outputs = new Array<Tensor>(fromInputs.length);
    let state: State | null = first;
    for (let i = 0; i < outputs.length; i++) {
      const t = isReverse ? outputs.length - 1 - i : i;
      const next = this.#step(fromInputs[t], state, weights);
      const before = state;
      // Past its end (before it, going backwards) a sequence stays as it is.
      state = active ? next.map((part, j) => where(active[t], part, before?.[j] ?? 0)) : next;
      outputs[t] = active ? where(active[t], next[0], 0) : next[0];
    }
    return { output: stack(outputs), state: state! };
  }

  override extraRepr(): string {
    const values: Record<string, Argument> = {};
    if (this.projSize) values.proj_size = this.projSize;
    if (this.numLayers !== 1) values.num_layers = this.numLayers;
    if (!this.bias) values.bias = false;
    if (this.batchFirst) values.batch_first = true;
    if (this.dropout) values.dropout = this.dropout;
    if (this.bidirectional) values.bidirectional = true;
    return [`${this.inputSize}, ${this.hiddenSize}`, ...(Object.keys(values).length > 0 ? [keywords(values)] : [])].join(', ');
  }
}

const suffixOf = (layer: number, direction: number): string => `_l${layer}${direction ? '_reverse' : ''}`;

/** For each time step, which sequences go on: [batch, 1]. */
function activeSteps(name: string, lengths: readonly number[] | Tensor, time: number, batch: number): Tensor[] {
  const given = 'dtype' in lengths ? lengths : tensor([...lengths], { dtype: 'int64' });
  if (given.shape.join() !== `${batch}`) throw new ModuleError(name, { expected: `${batch} lengths`, got: `[${given.shape.join(',')}]` });
  if (!('dtype' in lengths) && !lengths.every((length) => Number.isInteger(length) && length >= 1 && length <= time)) {
    throw new ModuleError(name, { expected: `lengths from 1 to ${time}`, got: lengths.join(' ') });
  }
  return arange(time).reshape([time, 1, 1]).lt(given.toLong().reshape([1, batch, 1])).unbind(0);
}

/** h' = tanh(W x + b + W' h + b'), or with relu. */
export class RNN extends Recurrent {
  readonly nonlinearity: 'tanh' | 'relu';
  constructor(inputSize: number, hiddenSize: number, { nonlinearity = 'tanh', ...options }: RnnOptions = {}) {
    super(steps[nonlinearity], 1, inputSize, hiddenSize, { ...options, projSize: 0 });
    this.nonlinearity = nonlinearity;
  }
  /** x [time, batch, input], h0 [layers * directions, batch, hidden]; gives [time, batch, directions * hidden], and the last h. */
  forward(x: Tensor, h0: Tensor | null = null, options: SequenceOptions = {}): [output: Tensor, hidden: Tensor] {
    const { output, state } = this.run(x, h0 && [h0], [this.hiddenSize], options);
    return [output, state[0]];
  }
}

/** Gated recurrent units (Cho et al., 2014). */
export class GRU extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(steps.gru, 3, inputSize, hiddenSize, { ...options, projSize: 0 });
  }
  /** x [time, batch, input], h0 [layers * directions, batch, hidden]; gives [time, batch, directions * hidden], and the last h. */
  forward(x: Tensor, h0: Tensor | null = null, options: SequenceOptions = {}): [output: Tensor, hidden: Tensor] {
    const { output, state } = this.run(x, h0 && [h0], [this.hiddenSize], options);
    return [output, state[0]];
  }
}

/** Long short-term memory (Hochreiter and Schmidhuber, 1997). */
export class LSTM extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: LstmOptions = {}) {
    super(steps.lstm, 4, inputSize, hiddenSize, options);
  }
  /** As GRU, with a hidden and a cell state. */
  forward(x: Tensor, initial: readonly [hidden: Tensor, cell: Tensor] | null = null, options: SequenceOptions = {}): [output: Tensor, state: [hidden: Tensor, cell: Tensor]] {
    const { output, state } = this.run(x, initial, [this.projSize || this.hiddenSize, this.hiddenSize], options);
    return [output, [state[0], state[1]]];
  }
}

// ---- one step of one layer

abstract class Cell extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  weight_ih: Parameter;
  weight_hh: Parameter;
  bias_ih: Parameter | null;
  bias_hh: Parameter | null;
  constructor(gates: number, inputSize: number, hiddenSize: number, bias: boolean) {
    super();
    expectSizes(this.constructor.name, { inputSize, hiddenSize });
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.weight_ih = drawn([gates * hiddenSize, inputSize], hiddenSize);
    this.weight_hh = drawn([gates * hiddenSize, hiddenSize], hiddenSize);
    this.bias_ih = bias ? drawn([gates * hiddenSize], hiddenSize) : null;
    this.bias_hh = bias ? drawn([gates * hiddenSize], hiddenSize) : null;
  }
  protected step(step: Step, x: Tensor, initial: State | null, states = 1): State {
    if (x.ndim !== 2 || x.shape[1] !== this.inputSize) throw new ModuleError(this.constructor.name, { expected: `[batch, ${this.inputSize}]`, got: `[${x.shape.join(',')}]` });
    const state = initial ?? Array.from({ length: states }, () => zeros([x.shape[0], this.hiddenSize], { dtype: x.dtype }));
    return step(x.linear(this.weight_ih, this.bias_ih), state, { ih: this.weight_ih, hh: this.weight_hh, biasIh: this.bias_ih, biasHh: this.bias_hh });
  }
  override extraRepr(): string {
    return `${this.inputSize}, ${this.hiddenSize}${this.bias_ih ? '' : ', bias=False'}`;
  }
}

/** One step of an RNN: x [batch, input], h [batch, hidden] to the next h. */
export class RNNCell extends Cell {
  readonly nonlinearity: 'tanh' | 'relu';
  constructor(inputSize: number, hiddenSize: number, { bias = true, nonlinearity = 'tanh' }: Pick<RnnOptions, 'bias' | 'nonlinearity'> = {}) {
    super(1, inputSize, hiddenSize, bias);
    this.nonlinearity = nonlinearity;
  }
  forward(x: Tensor, hidden: Tensor | null = null): Tensor {
    return this.step(steps[this.nonlinearity], x, hidden && [hidden])[0];
  }
}
/** One step of a GRU: x [batch, input], h [batch, hidden] to the next h. */
export class GRUCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, { bias = true }: Pick<RecurrentOptions, 'bias'> = {}) {
    super(3, inputSize, hiddenSize, bias);
  }
  forward(x: Tensor, hidden: Tensor | null = null): Tensor {
    return this.step(steps.gru, x, hidden && [hidden])[0];
  }
}
/** One step of an LSTM: x [batch, input], [h, c] each [batch, hidden] to the next two. */
export class LSTMCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, { bias = true }: Pick<RecurrentOptions, 'bias'> = {}) {
    super(4, inputSize, hiddenSize, bias);
  }
  forward(x: Tensor, state: readonly [hidden: Tensor, cell: Tensor] | null = null): [hidden: Tensor, cell: Tensor] {
    const [hidden, cell] = this.step(steps.lstm, x, state, 2);
    return [hidden, cell];
  }
}
