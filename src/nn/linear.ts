/** Linear and Embedding: a matrix that is multiplied by, or looked up in. */
import { embedding, type Tensor, tensor, where, zeros } from '../tensor/index.ts';
import { expectSizes, ModuleError } from './errors.ts';
import { normal_, uniform_ } from './init.ts';
import { Module, Parameter } from './module.ts';
import { keywords } from './print.ts';

/** A parameter drawn as PyTorch draws weights and biases by default: uniform up to 1 / sqrt(fanIn). */
export const drawn = (shape: readonly number[], fanIn: number): Parameter => uniform_(new Parameter(zeros(shape)), -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));

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
    this.weight = normal_(new Parameter(zeros([numEmbeddings, embeddingDim])));
    if (this.paddingIdx !== undefined) {
      const rows = Array.from({ length: numEmbeddings }, (_, row) => [row === this.paddingIdx]);
      this.weight.assign(this.weight.detach().maskedFill(tensor(rows), 0));
    }
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
