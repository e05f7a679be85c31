/** The one rearrangement Keras weights need, at memory speed: three axes reversed. */

/**
 * `out[c][b][a] = data[a][b][c]`. With a = kernel positions, b and c = channels this is HWIO to OIHW (and Keras's
 * transposed kernels, HWOI to IOHW); with a = 1 or b = 1 it is a plain matrix transpose.
 */
export function reverseAxes(data: Float32Array, a: number, b: number, c: number): Float32Array {
  const out = new Float32Array(data.length);
  const row = b * a;
  // Eight rows of b are read as eight streams: more would evict each other where c is a power of two (8-way L1).
  // 64 columns keep the written lines, 64 x (8 a) floats, in L1 until all kernel positions have filled them.
  const columns = 64;
  const bFull = b - (b % 8);
  for (let c0 = 0; c0 < c; c0 += columns) {
    const cEnd = Math.min(c0 + columns, c);
    for (let b0 = 0; b0 < bFull; b0 += 8) {
      for (let ai = 0; ai < a; ai++) {
        const from = (ai * b + b0) * c;
        for (let ci = c0; ci < cEnd; ci++) {
          let i = from + ci;
          let o = ci * row + b0 * a + ai;
          out[o] = data[i];
          out[o + a] = data[i + c];
          out[o + 2 * a] = data[i + 2 * c];
          out[o + 3 * a] = data[i + 3 * c];
          i += 4 * c;
          o += 4 * a;
          out[o] = data[i];
          out[o + a] = data[i + c];
          out[o + 2 * a] = data[i + 2 * c];
          out[o + 3 * a] = data[i + 3 * c];
        }
      }
    }
    for (let bi = bFull; bi < b; bi++) {
      for (let ai = 0; ai < a; ai++) {
        for (let ci = c0; ci < cEnd; ci++) out[ci * row + bi * a + ai] = data[(ai * b + bi) * c + ci];
      }
    }
  }
  return out;
}
