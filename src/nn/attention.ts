/** Attention: every position of a sequence looks at those of another (Vaswani et al., 2017). */
import { gelu, relu, softmax, type Tensor, where, zeros } from '../tensor/index.ts';
import { expectSizes, ModuleError } from './errors.ts';
import { constant_, xavierUniform_ } from './init.ts';
import { Linear } from './linear.ts';
import { Module, Parameter } from './module.ts';
import { LayerNorm } from './normalization.ts';
import { Dropout } from './shape.ts';

export interface AttentionOptions {
  /** In training, of the attention's weights. Default 0. */
  readonly dropout?: number;
  readonly bias?: boolean;
  /** Sizes of keys and values. Default: as the queries'. */
  readonly kdim?: number;
  readonly vdim?: number;
  /** Whether sequences are [batch, time, ...] rather than [time, batch, ...]. */
  readonly batchFirst?: boolean;
}
export interface AttentionMasks {
  /** [batch, keys]: true where a key is padding; or floats that are added to scores. */
  readonly keyPaddingMask?: Tensor | null;
  /** [queries, keys] or [batch * heads, queries, keys]: true where a query may not look; or floats that are added to scores. */
  readonly attnMask?: Tensor | null;
}
export interface AttentionCall extends AttentionMasks {
  /** Whether weights are returned as well. Default true. */
  readonly needWeights?: boolean;
  /** Whether these are the mean over heads. Default true. */
  readonly averageAttnWeights?: boolean;
}

const masked = (scores: Tensor, mask: Tensor): Tensor => (mask.dtype === 'bool' ? where(mask, -Infinity, scores) : scores.add(mask));

export class MultiheadAttention extends Module {
  readonly embedDim: number;
  readonly numHeads: number;
  readonly dropout: number;
  readonly batchFirst: boolean;
  in_proj_weight: Parameter | null = null;
  q_proj_weight: Parameter | null = null;
  k_proj_weight: Parameter | null = null;
  v_proj_weight: Parameter | null = null;
  in_proj_bias: Parameter | null = null;
  out_proj: Linear;
  constructor(embedDim: number, numHeads: number, options: AttentionOptions = {}) {
    super();
    const { dropout = 0, bias = true, kdim = embedDim, vdim = embedDim, batchFirst = false } = options;
    expectSizes('MultiheadAttention', { embedDim, numHeads, kdim, vdim });
    if (embedDim % numHeads !== 0) throw new ModuleError('MultiheadAttention', { expected: `an embedDim that ${numHeads} heads divide`, got: `${embedDim}` });
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.dropout = dropout;
    this.batchFirst = batchFirst;
    const weight = (rows: number, columns: number): Parameter => xavierUniform_(new Parameter(zeros([rows, columns])));
    if (kdim === embedDim && vdim === embedDim) this.in_proj_weight = weight(3 * embedDim, embedDim);
    else {
      this.q_proj_weight = weight(embedDim, embedDim);
      this.k_proj_weight = weight(embedDim, kdim);
      this.v_proj_weight = weight(embedDim, vdim);
    }
    if (bias) this.in_proj_bias = new Parameter(zeros([3 * embedDim]));
    this.out_proj = new Linear(embedDim, embedDim, { bias });
    if (this.out_proj.bias) constant_(this.out_proj.bias, 0);
  }

  /**
   * query [batch, queries, embedDim], key [batch, keys, kdim], value [batch, keys, vdim] (batchFirst; else time first); gives the
   * output in the query's shape, and the weights [batch, queries, keys] ([batch, heads, queries, keys] unless averaged).
   */
  forward(query: Tensor, key: Tensor, value: Tensor, options: AttentionCall = {}): [output: Tensor, weights: Tensor | null] {
    const { keyPaddingMask, attnMask, needWeights = true, averageAttnWeights = true } = options;
    for (const x of [query, key, value]) if (x.ndim !== 3) throw new ModuleError('MultiheadAttention', { expected: 'three dimensions', got: `[${x.shape.join(',')}]` });
    const weights = this.in_proj_weight?.chunk(3, 0) ?? [this.q_proj_weight!, this.k_proj_weight!, this.v_proj_weight!];
    const biases = this.in_proj_bias?.chunk(3, 0) ?? [null, null, null];
    const width = this.embedDim / this.numHeads;
    // [batch, heads, time, width]
    const [q, k, v] = [query, key, value].map((x, i) => {
      const projected = (this.batchFirst ? x : x.transpose(0, 1)).linear(weights[i], biases[i]);
      return projected.reshape([projected.shape[0], projected.shape[1], this.numHeads, width]).permute([0, 2, 1, 3]);
    });
    const [batch, , queries] = q.shape;
    const keys = k.shape[2];
    let scores = q.mul(1 / Math.sqrt(width)).matmul(k.transpose(2, 3));
    if (attnMask) scores = masked(scores, attnMask.ndim === 3 ? attnMask.reshape([batch, this.numHeads, queries, keys]) : attnMask);
    if (keyPaddingMask) scores = masked(scores, keyPaddingMask.reshape([batch, 1, 1, keys]));
    const attention = softmax(scores, 3).dropout(this.dropout, this.training);
    const joined = attention.matmul(v).permute([0, 2, 1, 3]).reshape([batch, queries, this.embedDim]);
    const output = this.out_proj.call(joined);
    return [this.batchFirst ? output : output.transpose(0, 1), needWeights ? (averageAttnWeights ? attention.mean(1) : attention) : null];
  }
}

export interface EncoderLayerOptions {
  readonly dimFeedforward?: number;
  readonly dropout?: number;
  readonly activation?: 'relu' | 'gelu';
  readonly layerNormEps?: number;
  readonly batchFirst?: boolean;
  /** Whether normalisation is before attention and feed-forward rather than after. */
  readonly normFirst?: boolean;
}

/** Self-attention and a feed-forward network, each added to what came in. */
export class TransformerEncoderLayer extends Module {
  readonly normFirst: boolean;
  readonly activation: 'relu' | 'gelu';
  self_attn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  norm1: LayerNorm;
  norm2: LayerNorm;
  dropout1: Dropout;
  dropout2: Dropout;
  constructor(dModel: number, numHeads: number, options: EncoderLayerOptions = {}) {
    super();
    const { dimFeedforward = 2048, dropout = 0.1, activation = 'relu', layerNormEps: eps = 1e-5, batchFirst = false, normFirst = false } = options;
    this.normFirst = normFirst;
    this.activation = activation;
    this.self_attn = new MultiheadAttention(dModel, numHeads, { dropout, batchFirst });
    this.linear1 = new Linear(dModel, dimFeedforward);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel);
    this.norm1 = new LayerNorm(dModel, { eps });
    this.norm2 = new LayerNorm(dModel, { eps });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
  }
  /** [time, batch, dModel] (batch first where so made) to the same shape. */
  forward(x: Tensor, masks: AttentionMasks = {}): Tensor {
    if (this.normFirst) {
      const attended = x.add(this.#attend(this.norm1.call(x), masks));
      return attended.add(this.#feed(this.norm2.call(attended)));
    }
    const attended = this.norm1.call(x.add(this.#attend(x, masks)));
    return this.norm2.call(attended.add(this.#feed(attended)));
  }
  #attend(x: Tensor, masks: AttentionMasks): Tensor {
    return this.dropout1.call(this.self_attn.call(x, x, x, { ...masks, needWeights: false })[0]);
  }
  #feed(x: Tensor): Tensor {
    const activate = this.activation === 'gelu' ? gelu : relu;
    return this.dropout2.call(this.linear2.call(this.dropout.call(activate(this.linear1.call(x)))));
  }
}
