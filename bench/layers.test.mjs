// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupLayers, leastOf, parseLayer } from './layers.mjs';

/** @param {string} op @param {string} shapes @param {number} [ms] */
const layer = (op, shapes, ms = 1) => {
  const parsed = parseLayer(`whet,exec,avx512,${op},a name,${shapes},nCx16c,Add+Relu,1,${ms}`);
  assert.ok(parsed);
  return parsed;
};

test('operations and bytes of a step, from its shapes', () => {
  const cases = /** @type {const} */ ([
    ['Conv', '1x64x56x56:128x64x3x3:1x128x28x28', 'Conv 3x3', 2 * 128 * 28 * 28 * 64 * 9],
    ['Conv', '1x96x56x56:96x1x3x3:1x96x56x56', 'Conv 3x3 depthwise', 2 * 96 * 56 * 56 * 9],
    ['ConvTranspose', '64x64x24x24:64x32x3x3:64x32x26x26', 'Conv 3x3 transposed', 2 * 64 * 64 * 24 * 24 * 32 * 9],
    ['ConvBackwardWeights', '64x32x26x26:64x64x24x24:64x32x3x3', "Conv 3x3 weights' gradient", 2 * 64 * 64 * 24 * 24 * 32 * 9],
    ['MatMul', '8x64x128:8x128x32:8x64x32', 'MatMul', 2 * 8 * 64 * 32 * 128],
    ['ConvBackwardWeightsSum', '288x11:288', 'ConvBackwardWeightsSum', 0],
    ['Add+Mul', '64x256:64x256:64x256', 'pointwise', 0],
    ['Cast', ':', 'Cast', 0],
  ]);
  for (const [op, shapes, kind, flops] of cases) assert.deepEqual([layer(op, shapes).kind, layer(op, shapes).flops], [kind, flops], op);
  assert.equal(layer('Add+Mul', '64x256:64x256:64x256').bytes, 4 * 3 * 64 * 256);
  assert.equal(parseLayer('(node:1) a warning'), undefined);
  assert.equal(parseLayer(''), undefined);
});

test('the roof is the peak, or the speed of the smallest memory that holds the bytes', () => {
  const roof = { gflops: 100, bandwidths: [{ bytes: 1e6, gbs: 50 }, { bytes: 1e8, gbs: 10 }] };
  assert.deepEqual(leastOf({ flops: 2e9, bytes: 1e6 }, roof), { ms: 20, bound: 'arithmetic' });
  assert.deepEqual(leastOf({ flops: 0, bytes: 1e6 }, roof), { ms: 0.02, bound: 'bytes' });
  assert.deepEqual(leastOf({ flops: 0, bytes: 1e9 }, roof), { ms: 100, bound: 'bytes' });
  const groups = groupLayers([layer('Add+Mul', '500:500', 2), layer('MatMul', '1000x1000:1000x1000:1000x1000', 40), layer('MatMul', '1000x1000:1000x1000:1000x1000', 40)], roof);
  assert.deepEqual(groups.map(({ kind, count, ofRoof, bound }) => [kind, count, ofRoof > 0.49 && ofRoof < 0.51, bound]), [['MatMul', 2, true, 'arithmetic'], ['pointwise', 1, false, 'bytes']]);
});
