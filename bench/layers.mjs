// @ts-check
/** What a step of a run computes and moves, read from the line that WHET_VERBOSE prints of it. */

/** @typedef {import('./types.ts').Layer} Layer */

/** @param {readonly number[]} shape */
const sizeOf = (shape) => shape.reduce((size, dim) => size * dim, 1);

/**
 * Operations by operator, from the shapes of its operands and result; convolutions count as direct ones, whatever way they are computed.
 * Those that are not here do next to nothing beside the bytes they move.
 * @type {readonly { readonly is: RegExp, flops(shapes: readonly (readonly number[])[]): number, kind(shapes: readonly (readonly number[])[]): string }[]}
 */
const heavy = [
  { is: /^ConvBackwardWeights$/, flops: ([, gradient, weights]) => 2 * sizeOf(gradient) * sizeOf(weights.slice(1)), kind: ([, , weights]) => `${windowOf(weights)} weights' gradient` },
  { is: /^ConvTranspose/, flops: ([gradient, weights]) => 2 * sizeOf(gradient) * sizeOf(weights.slice(1)), kind: ([, weights]) => `${windowOf(weights)} transposed` },
  { is: /^Conv(?!BackwardWeights)/, flops: ([, weights, ...rest]) => 2 * sizeOf(last(rest)) * sizeOf(weights.slice(1)), kind: ([, weights]) => windowOf(weights) },
  { is: /^(MatMul|Gemm)/, flops: ([a, ...rest]) => 2 * sizeOf(last(rest)) * last(a), kind: () => 'MatMul' },
];

/** @template T @param {readonly T[]} list */
const last = (list) => list[list.length - 1];
/** @param {readonly number[]} weights */
const windowOf = (weights) => `Conv ${weights.slice(2).join('x')}${weights[1] === 1 && weights[0] > 1 && sizeOf(weights.slice(2)) > 1 ? ' depthwise' : ''}`;

/** @param {string} line @returns {Layer | undefined} undefined where it is not of a step */
export function parseLayer(line) {
  const [tool, what, , op, name, shapeText, layout, epilogue, threads, ms] = line.split(',');
  if (tool !== 'whet' || what !== 'exec' || !Number.isFinite(Number(ms))) return undefined;
  const shapes = shapeText.split(':').map((text) => (text === '' ? [] : text.split('x').map(Number)));
  const found = shapes.every((shape) => shape.every(Number.isFinite)) ? heavy.find(({ is }) => is.test(op)) : undefined;
  return {
    op,
    name,
    shapes: shapeText,
    layout,
    epilogue,
    threads: Number(threads),
    ms: Number(ms),
    kind: found?.kind(shapes) ?? (op.includes('+') ? 'pointwise' : op),
    flops: found?.flops(shapes) ?? 0,
    // Elements are taken for 4 bytes: what is not float32 is small.
    bytes: 4 * shapes.reduce((sum, shape) => sum + sizeOf(shape), 0),
  };
}

/**
 * The least time that a layer could take in milliseconds, and what sets it: the core's peak, or the bytes that it has to touch once, at
 * the speed of the smallest memory that holds them.
 * @param {Pick<Layer, 'flops' | 'bytes'>} layer @param {import('./types.ts').Roof} roof
 */
export function leastOf({ flops, bytes }, { gflops, bandwidths }) {
  const { gbs } = bandwidths.find((one) => bytes <= one.bytes) ?? last(bandwidths);
  const [arithmetic, memory] = [flops / gflops / 1e6, bytes / gbs / 1e6];
  return arithmetic > memory ? { ms: arithmetic, bound: /** @type {const} */ ('arithmetic') } : { ms: memory, bound: /** @type {const} */ ('bytes') };
}

/** Layers by kind, the one that takes longest first. @param {readonly Layer[]} layers @param {import('./types.ts').Roof} roof */
export function groupLayers(layers, roof) {
  const all = layers.reduce((sum, { ms }) => sum + ms, 0);
  const kinds = [...new Set(layers.map(({ kind }) => kind))];
  return kinds
    .map((kind) => {
      const own = layers.filter((layer) => layer.kind === kind);
      const sum = (/** @type {(layer: Layer) => number} */ of) => own.reduce((total, layer) => total + of(layer), 0);
      const [ms, flops, bytes] = [sum((layer) => layer.ms), sum((layer) => layer.flops), sum((layer) => layer.bytes)];
      const bytesBound = sum((layer) => (leastOf(layer, roof).bound === 'bytes' ? layer.ms : 0));
      return { kind, count: own.length, ms, share: ms / all, flops, bytes, ofRoof: sum((layer) => leastOf(layer, roof).ms) / ms, bound: bytesBound > ms / 2 ? 'bytes' : 'arithmetic' };
    })
    .sort((a, b) => b.ms - a.ms);
}
