/** PhiloxUniform: random numbers that are a pure function of seed and counter, the same on every device and thread count. */
import { type Attrs, defineOp, type DType, GraphError, sizeOf } from '../graph/index.ts';
import { expectShape, fromElements, intsAttr, operand, stringAttr } from './helpers.ts';

/**
 * Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): four words of 32 bits
 * for each counter from `offset` on, as many as fit `words`. The upper two words of the counter are 0.
 */
export function philox(words: Uint32Array, seed: bigint, offset: bigint): void {
  const key = BigInt.asUintN(64, seed);
  const [keyLow, keyHigh] = [Number(key & 0xffffffffn) | 0, Number(key >> 32n) | 0];
  let low = Number(BigInt.asUintN(32, offset)) | 0;
  let high = Number(BigInt.asUintN(32, offset >> 32n)) | 0;
  for (let at = 0; at < words.length; at += 4) {
    let [a, b, c, d, k, l] = [low, high, 0, 0, keyLow, keyHigh];
    for (let round = 0; round < 10; round++) {
      const upperA = upperProduct(a, 0xd2511f53);
      const lowerA = Math.imul(a, 0xd2511f53);
      const upperC = upperProduct(c, 0xcd9e8d57);
      const lowerC = Math.imul(c, 0xcd9e8d57);
      a = upperC ^ b ^ k;
      b = lowerC;
      c = upperA ^ d ^ l;
      d = lowerA;
      k = (k + 0x9e3779b9) | 0;
      l = (l + 0xbb67ae85) | 0;
    }
    // Past the end of the array a typed array ignores what is written.
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
    low = (low + 1) | 0;
    if (low === 0) high = (high + 1) | 0;
  }
}

/** The upper 32 bits of the product of two unsigned words, by halves. */
function upperProduct(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const other = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (other >>> 16)) | 0;
}

/** Counters that a tensor of `size` elements uses up. */
export const philoxCounters = (dtype: DType, size: number): number => Math.ceil((size * (dtype === 'float64' ? 2 : 1)) / 4);

const typeOf = (attrs: Attrs) => ({
  dtype: stringAttr(attrs, 'dtype', 'float32', ['float32', 'float64'] as const),
  shape: intsAttr(attrs, 'shape', undefined, 0),
});

/** Of [seed, counter]: numbers from 0 to below 1, multiples of 2^-24 (float32: a word each) or of 2^-53 (float64: two). */
defineOp({
  name: 'PhiloxUniform',
  inputs: [1, 1],
  infer(context) {
    const state = operand(context, 0, 'int', 'seed and counter');
    if (state.dtype !== 'int64') throw new GraphError('seed and counter', { expected: 'int64', got: state.dtype });
    expectShape(state, [2], 'seed and counter');
    return [typeOf(context.attrs)];
  },
  evaluate([state], _attrs, [type]) {
    const size = sizeOf(type.shape);
    const [seed, offset] = state!.data as BigInt64Array;
    const wide = type.dtype === 'float64';
    const words = new Uint32Array(wide ? 2 * size : size);
    philox(words, seed, offset);
    const result = wide ? new Float64Array(size) : new Float32Array(size);
    if (wide) for (let i = 0; i < size; i++) result[i] = ((words[2 * i] >>> 5) * 2 ** 26 + (words[2 * i + 1] >>> 6)) * 2 ** -53;
    else for (let i = 0; i < size; i++) result[i] = (words[i] >>> 8) * 2 ** -24;
    return [fromElements(type, result)];
  },
});
