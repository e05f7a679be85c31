/** What the frozen part of a network makes of pictures, computed once and kept. */
import type { Dataset } from 'whetstone/data';
import type { CompiledModel } from 'whetstone/engine';
import { fromTypedArray, type Tensor } from 'whetstone/tensor';
import { preprocess, type Recipe } from 'whetstone/vision';
import type { Labelled } from './data.ts';

/** Rows of numbers of one shape, in bfloat16: half the memory, and eight bits are more than such features need. */
export class Rows {
  readonly shape: readonly number[];
  readonly length: number;
  readonly #size: number;
  readonly #halves: Uint16Array;

  constructor(length: number, shape: readonly number[]) {
    this.length = length;
    this.shape = shape;
    this.#size = shape.reduce((a, b) => a * b, 1);
    this.#halves = new Uint16Array(length * this.#size);
  }
  /** Takes over rows from number `at` on. */
  set(at: number, rows: Float32Array): void {
    const bits = new Uint32Array(rows.buffer, rows.byteOffset, rows.length);
    const to = at * this.#size;
    // Half up: features are neither infinite nor NaN.
    for (let i = 0; i < bits.length; i++) this.#halves[to + i] = (bits[i] + 0x8000) >>> 16;
  }
  /** Those rows, float32 [indices, ...shape]. */
  get(indices: readonly number[]): Tensor {
    const bits = new Uint32Array(indices.length * this.#size);
    indices.forEach((index, row) => {
      const from = index * this.#size;
      const to = row * this.#size;
      for (let i = 0; i < this.#size; i++) bits[to + i] = this.#halves[from + i] << 16;
    });
    return fromTypedArray(new Float32Array(bits.buffer), [indices.length, ...this.shape]);
  }
}

/** Features with their labels: a dataset of batches. */
export class Features implements Dataset<readonly [Tensor, Tensor]> {
  readonly length: number;
  /** Of one picture's. */
  readonly shape: readonly number[];
  readonly #rows: Rows;
  readonly #labels: BigInt64Array;
  constructor(rows: Rows, labels: BigInt64Array) {
    this.length = rows.length;
    this.shape = rows.shape;
    this.#rows = rows;
    this.#labels = labels;
  }
  get(index: number): readonly [Tensor, Tensor] {
    const [features, labels] = this.getBatch([index]);
    return [features.squeeze(0), labels.squeeze(0)];
  }
  getBatch(indices: readonly number[]): readonly [Tensor, Tensor] {
    return [this.#rows.get(indices), fromTypedArray(BigInt64Array.from(indices, (index) => this.#labels[index]))];
  }
}

/** Runs pictures through a model, so many at a time; features of every output by its name. */
export async function featuresOf(model: CompiledModel, pictures: Dataset<Labelled>, recipe: Recipe, onProgress: (done: number) => void, batch = 8): Promise<Record<string, Features>> {
  const labels = new BigInt64Array(pictures.length);
  const rows: Record<string, Rows> = {};
  for (let at = 0; at < pictures.length; at += batch) {
    const items = await Promise.all(Array.from({ length: Math.min(batch, pictures.length - at) }, (_, i) => pictures.get(at + i)));
    items.forEach(({ label }, i) => (labels[at + i] = BigInt(label)));
    const outputs = await model.inferAsync(preprocess(items.map(({ image }) => image), recipe));
    for (const [name, { shape: [, ...shape], data }] of Object.entries(outputs)) {
      rows[name] ??= new Rows(pictures.length, shape);
      rows[name].set(at, data as Float32Array);
    }
    onProgress(at + items.length);
  }
  return Object.fromEntries(Object.entries(rows).map(([name, kept]) => [name, new Features(kept, labels)]));
}
