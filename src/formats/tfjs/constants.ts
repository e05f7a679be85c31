/** A model's weights as graph constants: found by layer, rearranged once, and shared by every graph the model makes. */
import { apply, constant, type TensorData, tensorData, type Value } from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import type { Arrangement } from './call.ts';

export class Constants {
  private readonly raw: Map<string, TensorData>;
  private readonly file: string | undefined;
  private readonly made = new Map<string, { arrangement: Arrangement; value: Value }>();
  /** Full names by what may also stand for them; null where two share it. */
  private readonly aliases = new Map<string, string | null>();

  /** Takes the map over: a weight leaves it once it is a constant, so that the shards it views can be freed. */
  constructor(raw: Map<string, TensorData>, file?: string) {
    this.raw = raw;
    this.file = file;
    for (const name of raw.keys()) {
      const parts = name.split('/');
      // Converters prefix the names of models around a layer, or repeat a scope inside it.
      const ends = new Set([parts.slice(-2).join('/'), [...parts.slice(0, -2), parts.at(-1)].join('/')]);
      for (const end of ends) this.aliases.set(end, this.aliases.has(end) ? null : name);
    }
  }

  /**
   * The weight of a layer as a constant. `path` is the layer's name behind those of the models around it.
   * @throws FormatError where there is none, or its rank or dtype is another.
   */
  get(path: readonly string[], weight: string, rank: number, arrangement: Arrangement): Value {
    const where = `weight '${weight}' of layer '${path.join('/')}'`;
    const name = this.find(path, weight);
    if (name === undefined) throw new FormatError(where, { file: this.file, expected: 'it in the weights manifest', got: 'nothing' });
    const known = this.made.get(name);
    if (known?.arrangement === arrangement && known.value.shape.length === rank) return known.value;
    const tensor = this.raw.get(name);
    if (!tensor) throw new FormatError(where, { file: this.file, expected: 'one use', got: 'two layers that read it differently' });
    if (tensor.dtype !== 'float32' || tensor.shape.length !== rank) {
      throw new FormatError(where, { file: this.file, expected: `float32 of rank ${rank}`, got: `${tensor.dtype}[${tensor.shape.join(',')}]` });
    }
    const value = arrange(tensor, arrangement, name);
    this.made.set(name, { arrangement, value });
    this.raw.delete(name);
    return value;
  }

  private find(path: readonly string[], weight: string): string | undefined {
    const layer = path[path.length - 1];
    const exact = [[...path, weight].join('/'), `${layer}/${weight}`].find((name) => this.raw.has(name) || this.made.has(name));
    return exact ?? this.aliases.get(`${layer}/${weight}`) ?? undefined;
  }
}

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/**
 * Kernels are transposed by the graph, which costs nothing: whoever packs them reads them where they lie. The small ones are
 * rearranged here.
 */
function arrange(tensor: TensorData, arrangement: Arrangement, name: string): Value {
  const { shape, data } = tensor;
  const values = data as Float32Array;
  const leading = shape.slice(0, -2);
  const [rows, columns] = shape.slice(-2);
  const small = (to: readonly number[], moved: Float32Array): Value => constant(tensorData('float32', to, moved), name);
  switch (arrangement) {
    case 'kernel':
      return apply('Transpose', [constant(tensor, name)], { perm: [shape.length - 1, shape.length - 2, ...leading.keys()] }, name);
    case 'depthwise':
      return small([rows * columns, 1, ...leading], transposed(values, product(leading), rows * columns));
    case 'channels-first': {
      const channels = shape[shape.length - 1];
      const others = shape.slice(0, -1);
      return small([channels, ...others], transposed(values, product(others), channels));
    }
    case 'as-is':
      // A copy, because a small view would keep a whole shard in memory.
      return small(shape, values.length < 4096 && values.buffer.byteLength !== values.byteLength ? new Float32Array(values) : values);
  }
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column];
  }
  return result;
}
