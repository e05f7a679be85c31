// @ts-check
/** The same input for everyone: each process makes it from the same seed. */

/** @param {import('./types.ts').ModelFile} model */
export function makeInputs({ inputs, scale }) {
  return Object.fromEntries(inputs.map(({ name, shape }, index) => [name, { shape, data: randomValues(sizeOf(shape), scale, index + 1) }]));
}

/** @param {readonly number[]} shape */
export const sizeOf = (shape) => shape.reduce((size, dim) => size * dim, 1);

/** Evenly spread from -scale to scale. @param {number} count @param {number} scale @param {number} seed */
export function randomValues(count, scale, seed) {
  const next = xorshift32(seed);
  return Float32Array.from({ length: count }, () => (next() / 2 ** 31) * scale);
}

/**
 * Images of patches, each of one random colour, so that they differ from each other as pictures do: normalisation of what averages to the
 * same in all of them would make rounding errors as large as what is learnt.
 * @param {readonly number[]} shape ending in height and width, multiples of 7 @param {number} seed
 */
export function randomPatches(shape, seed) {
  const [height, width] = shape.slice(-2);
  const grid = 7;
  const colours = randomValues((sizeOf(shape) / height / width) * grid ** 2, 1, seed);
  return Float32Array.from({ length: sizeOf(shape) }, (_, at) => {
    const [plane, y, x] = [Math.floor(at / height / width), Math.floor(at / width) % height, at % width];
    return colours[(plane * grid + Math.floor((y * grid) / height)) * grid + Math.floor((x * grid) / width)];
  });
}

/** From 0 to below `limit`. @param {number} count @param {number} limit @param {number} seed */
export function randomIntegers(count, limit, seed) {
  const next = xorshift32(seed);
  return BigInt64Array.from({ length: count }, () => BigInt((next() >>> 0) % limit));
}

/** Marsaglia, "Xorshift RNGs", 2003. @param {number} seed @returns {() => number} integers of 32 bits with a sign */
function xorshift32(seed) {
  let state = Math.imul(seed, 0x9e3779b9) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
}
