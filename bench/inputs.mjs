// @ts-check
/** The same input for everyone: each process makes it from the same seed. */

/** @param {import('./types.ts').ModelFile} model */
export function makeInputs({ inputs, scale }) {
  return Object.fromEntries(inputs.map(({ name, shape }, index) => [name, { shape, data: randomValues(sizeOf(shape), scale, index + 1) }]));
}

/** @param {readonly number[]} shape */
export const sizeOf = (shape) => shape.reduce((size, dim) => size * dim, 1);

/**
 * Evenly spread from -scale to scale, by xorshift32 (Marsaglia, "Xorshift RNGs", 2003).
 * @param {number} count @param {number} scale @param {number} seed
 */
export function randomValues(count, scale, seed) {
  const values = new Float32Array(count);
  let state = Math.imul(seed, 0x9e3779b9) | 1;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = (state / 2 ** 31) * scale;
  }
  return values;
}
