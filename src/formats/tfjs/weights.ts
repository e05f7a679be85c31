/** The weights of a TF.js model: manifest and shards in, named tensors out, every size checked before memory is taken. */
import { numbersOf } from '../../ops/index.ts';
import { type DType, dtypes, sizeOf, type TensorData, tensorData } from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import { Fields } from './fields.ts';

/** Gives the bytes of a shard by its path as the manifest names it, relative to model.json. */
export type ReadShard = (path: string) => Uint8Array | Promise<Uint8Array>;

interface Quantization {
  readonly dtype: 'uint8' | 'uint16' | 'float16';
  readonly scale: number;
  readonly min: number;
}

interface WeightSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly quantization?: Quantization;
  /** Bytes in the shards. */
  readonly bytes: number;
}

interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: readonly WeightSpec[];
}

const weightDTypes = ['float32', 'int32', 'bool'] as const;

/** Reads every group's shards and cuts them into tensors. @throws FormatError */
export async function readWeights(manifest: unknown, readShard: ReadShard, file?: string): Promise<Map<string, TensorData>> {
  const weights = new Map<string, TensorData>();
  const groups = parseManifest(manifest, file);
  // A path listed a million times would be read a million times.
  const all = groups.flatMap(({ paths }) => paths);
  if (new Set(all).size < all.length) throw new FormatError('weights manifest', { file, expected: 'every shard once', got: 'one twice' });
  for (const { paths, weights: specs } of groups) {
    const shards = await Promise.all(paths.map((path) => readChecked(path, readShard, file)));
    const bytes = new ShardBytes(shards);
    const needed = specs.reduce((sum, spec) => sum + spec.bytes, 0);
    if (needed > bytes.length) {
      const hint = `shards are missing or truncated: ${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ', ...' : ''}`;
      throw new FormatError('weights', { file, expected: `${needed} bytes in ${paths.length} shards`, got: `${bytes.length}`, hint });
    }
    let at = 0;
    for (const spec of specs) {
      if (weights.has(spec.name)) throw new FormatError(`weight '${spec.name}'`, { file, expected: 'one of this name', got: 'two' });
      weights.set(spec.name, decode(spec, bytes.slice(at, at + spec.bytes, storedWidth(spec))));
      at += spec.bytes;
    }
  }
  return weights;
}

async function readChecked(path: string, readShard: ReadShard, file?: string): Promise<Uint8Array> {
  // A manifest is untrusted: it may not lead a reader out of the model's folder.
  if (path === '' || /^[/\\]|\\|:|\0/.test(path) || path.split('/').includes('..')) {
    throw new FormatError('weights manifest', { file, expected: 'paths inside the folder of the model', got: `'${path}'` });
  }
  const bytes = await readShard(path);
  if (!(bytes instanceof Uint8Array)) throw new FormatError(`shard '${path}'`, { file, expected: 'a Uint8Array', got: typeof bytes });
  return bytes;
}

function parseManifest(manifest: unknown, file?: string): WeightGroup[] {
  if (!Array.isArray(manifest)) throw new FormatError('weightsManifest', { file, expected: 'a list', got: typeof manifest });
  return manifest.map((value, i) => {
    const group = new Fields(`weightsManifest[${i}]`, value, file);
    const paths = group.list('paths');
    if (!paths.every((path) => typeof path === 'string')) throw group.wrong('paths', 'a list of texts');
    return { paths: paths as string[], weights: group.list('weights').map((spec) => parseSpec(spec, group, file)) };
  });
}

function parseSpec(value: unknown, group: Fields, file?: string): WeightSpec {
  const name = new Fields(`a weight of ${group.where}`, value, file).text('name');
  const fields = new Fields(`weight '${name}'`, value, file);
  const shape = fields.ints('shape');
  const dtype = fields.oneOf('dtype', weightDTypes, 'float32');
  const quantization = fields.has('quantization') ? parseQuantization(fields.child('quantization')) : undefined;
  if (quantization && dtype === 'bool') throw fields.wrong('quantization', 'none for bool');
  const size = sizeOf(shape);
  const bytes = size * storedWidth({ dtype, quantization });
  if (!Number.isSafeInteger(bytes)) throw fields.wrong('shape', 'a shape of fewer than 2^53 bytes');
  return { name, dtype, shape, quantization, bytes };
}

function parseQuantization(fields: Fields): Quantization {
  const dtype = fields.oneOf('dtype', ['uint8', 'uint16', 'float16']);
  if (dtype === 'float16') return { dtype, scale: 1, min: 0 };
  return { dtype, scale: fields.number('scale'), min: fields.number('min') };
}

const storedWidth = ({ dtype, quantization }: Pick<WeightSpec, 'dtype' | 'quantization'>): number =>
  dtypes[quantization?.dtype ?? dtype].bytes;

/** The tensor in its own dtype, from the bytes as stored. */
function decode({ dtype, shape, quantization, name }: WeightSpec, bytes: Uint8Array): TensorData {
  const { array: Stored, bytes: width } = dtypes[quantization?.dtype ?? dtype];
  const stored = new Stored(bytes.buffer, bytes.byteOffset, bytes.length / width);
  if (!quantization) {
    if (dtype === 'bool' && bytes.some((value) => value > 1)) {
      throw new FormatError(`weight '${name}'`, { expected: 'bools of 0 or 1', got: 'other bytes' });
    }
    return tensorData(dtype, shape, stored);
  }
  const codes = stored as Uint8Array | Uint16Array;
  const { array: Decoded } = dtypes[dtype];
  const values = new Decoded(codes.length) as Float32Array | Int32Array;
  if (quantization.dtype === 'float16') {
    const table = float16Table();
    for (let i = 0; i < codes.length; i++) values[i] = table[codes[i]];
  } else {
    const { scale, min } = quantization;
    const whole = dtype === 'int32';
    for (let i = 0; i < codes.length; i++) values[i] = whole ? Math.round(codes[i] * scale + min) : codes[i] * scale + min;
  }
  return tensorData(dtype, shape, values);
}

let table: ArrayLike<number> | undefined;
/** The value of each of the 65,536 float16 codes. */
const float16Table = (): ArrayLike<number> =>
  (table ??= numbersOf(tensorData('float16', [65536], Uint16Array.from({ length: 65536 }, (_, code) => code))));

/** Shards end to end, read as one: views where a range lies in one piece of memory and is aligned, copies elsewhere. */
class ShardBytes {
  readonly length: number;
  private readonly runs: { start: number; bytes: Uint8Array }[] = [];

  constructor(shards: readonly Uint8Array[]) {
    let length = 0;
    for (const shard of shards) {
      const last = this.runs.at(-1)?.bytes;
      // A reader that lays shards side by side in one buffer spares us every copy.
      if (last && last.buffer === shard.buffer && last.byteOffset + last.length === shard.byteOffset) {
        this.runs.at(-1)!.bytes = new Uint8Array(last.buffer, last.byteOffset, last.length + shard.length);
      } else {
        this.runs.push({ start: length, bytes: shard });
      }
      length += shard.length;
    }
    this.length = length;
  }

  slice(begin: number, end: number, alignment: number): Uint8Array {
    const parts = this.runs.filter(({ start, bytes }) => start < end && start + bytes.length > begin);
    const cut = ({ start, bytes }: (typeof parts)[number]) => bytes.subarray(Math.max(0, begin - start), end - start);
    if (parts.length === 1) {
      const view = cut(parts[0]);
      // Not view.slice(): a Node Buffer's slice is no copy.
      return view.byteOffset % alignment === 0 ? view : new Uint8Array(view);
    }
    const joined = new Uint8Array(end - begin);
    for (const part of parts) joined.set(cut(part), Math.max(0, part.start - begin));
    return joined;
  }
}
