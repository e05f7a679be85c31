// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barPlot } from './bars.mjs';
import { rooflinePlot } from './roofline.mjs';

/** Tags that are opened and closed, and nothing but numbers where numbers belong. @param {string} svg */
function check(svg) {
  /** @type {string[]} */
  const open = [];
  for (const [, closing, name, alone] of svg.matchAll(/<(\/?)(\w+)[^<>]*?(\/?)>/g)) {
    if (closing) assert.equal(open.pop(), name);
    else if (!alone) open.push(name);
  }
  assert.deepEqual(open, []);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
}

/** @param {Partial<import('../types.ts').Row>} changes @returns {import('../types.ts').Row} */
const row = (changes) => ({ part: 'inference', section: 'peer', work: 'A & B <net>', isa: 'wasm', threads: 1, node: '26.1.0', peer: 'other', unit: 'ms', verdict: 'met', notes: [], ...changes });

test('a bar for each row that has a ratio, and a mark where something is asked', () => {
  const svg = barPlot('Ratios', [row({ ratio: { median: 2, low: 1.9, high: 2.1 }, bar: { atLeast: 1.5 } }), row({ ratio: { median: 0.5, low: 0.4, high: 0.6 }, verdict: '' }), row({ verdict: 'not run' })]);
  check(svg);
  assert.equal(svg.match(/rx="2"/g)?.length, 2);
  assert.ok(svg.includes('A &amp; B &lt;net&gt;, wasm Node 26, 1 thread: 2.00 times as fast'));
});

test('a dot for each layer that computes', () => {
  const layer = { op: 'MatMul', name: '', shapes: '2x2:2x2:2x2', layout: '', epilogue: '', threads: 1, ms: 0.5, kind: 'MatMul', flops: 5e7, bytes: 1e6 };
  const svg = rooflinePlot({ work: 'x', isa: 'wasm', title: 'X', roof: { gflops: 100, bandwidths: [{ bytes: 2 ** 20, gbs: 40 }, { bytes: 2 ** 27, gbs: 5 }] }, layers: [layer, { ...layer, flops: 0, kind: 'Pad' }] });
  check(svg);
  assert.equal(svg.match(/<circle[^>]*><title>/g)?.length, 1);
  assert.ok(svg.includes('100 GFLOP/s, 100 % of the peak'));
  check(rooflinePlot({ work: 'x', isa: 'wasm', title: 'X', roof: { gflops: 100, bandwidths: [{ bytes: 2 ** 20, gbs: 40 }] }, layers: [] }));
});
