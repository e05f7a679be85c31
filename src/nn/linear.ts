/** Linear and Embedding: a matrix that is multiplied by, or looked up in. */
import { arange, embedding, rand, randn, type Tensor, where } from '../tensor/index.ts';
import { expectSizes, ModuleError } from './errors.ts';
import { Module, Parameter } from './module.ts';
import { keywords } from './print.ts';

/** A parameter drawn as PyTorch draws weights and biases by default: uniform up to 1 / sqrt(fanIn). Pending, and assigned to nothing. */
export function drawn(shape: readonly number[], fanIn: number): Parameter {
  const bound = 1 / Math.sqrt(fanIn);
  return new Parameter(rand(shape).mul(2 * bound).sub(bound));
}

/** x [..., in] to x Wᵀ + b [..., out]; weight [out, in], bias [out]. */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  weight: Parameter;
  bias: Parameter | null;
  constructor(inFeatures: number, outFeatures: number, { bias = true }: { readonly bias?: boolean } = {}) {
    super();
    expectSizes('Linear', { inFeatures, outFeatures });
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = drawn([outFeatures, inFeatures], inFeatures);
    this.bias = bias ? drawn([outFeatures], inFeatures) : null;
  }
  forward(x: Tensor): Tensor {
    if (x.shape.at(-1) !== this.inFeatures) throw new ModuleError('Linear', { expected: `[..., ${this.inFeatures}]`, got: `[${x.shape.join(',')}]` });
    return x.linear(this.weight, this.bias);
  }
  override extraRepr(): string {
    return keywords({ in_features: this.inFeatures, out_features: this.outFeatures, bias: this.bias !== null });
  }
}

export interface EmbeddingOptions {
  /** An index whose row starts as zeros and is not learnt. */
  readonly paddingIdx?: number;
}

/** Integers of any shape to rows of weight [count, dim]: [..., dim]. */
export class Embedding extends Module {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIdx: number | undefined;
  weight: Parameter;
  constructor(numEmbeddings: number, embeddingDim: number, { paddingIdx }: EmbeddingOptions = {}) {
    super();
    expectSizes('Embedding', { numEmbeddings, embeddingDim });
    if (paddingIdx !== undefined && !(Number.isInteger(paddingIdx) && paddingIdx >= -numEmbeddings && paddingIdx < numEmbeddings)) {
      throw new ModuleError('Embedding', { expected: `paddingIdx in [${-numEmbeddings}, ${numEmbeddings - 1}]`, got: `${paddingIdx}` });
    }
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx = paddingIdx !== undefined && paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    const rows = randn([numEmbeddings, embeddingDim]);
    this.weight = new Parameter(this.paddingIdx === undefined ? rows : rows.maskedFill(arange(numEmbeddings).eq(this.paddingIdx).unsqueeze(1), 0));
  }
  forward(indices: Tensor): Tensor {
    const rows = embedding(indices, this.weight);
    if (this.paddingIdx === undefined) return rows;
    return where(indices.eq(this.paddingIdx).unsqueeze(-1), rows.detach(), rows);
  }
  override extraRepr(): string {
    return [`${this.numEmbeddings}, ${this.embeddingDim}`, ...(this.paddingIdx === undefined ? [] : [keywords({ padding_idx: this.paddingIdx })])].join(', ');
  }
}
