// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { difference, median, pairedRatio, quantile, summarise } from './statistics.mjs';

test('medians and quantiles', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(quantile([0, 10], 0.25), 2.5);
  assert.equal(quantile([7], 0.75), 7);
  assert.deepEqual(summarise([5, 2, 9]), { median: 5, min: 2, count: 3 });
});

test('a slow phase of the machine does not move the paired ratio', () => {
  const ours = [1, 1, 10, 10, 1];
  const theirs = [2, 2, 20, 20, 2];
  assert.deepEqual(pairedRatio(theirs, ours), { median: 2, low: 2, high: 2 });
});

test('outputs differ by a part of the scale', () => {
  const theirs = { y: Float32Array.of(-100, 0.5, 0) };
  assert.equal(difference({ y: Float32Array.of(-100, 0.5, 1) }, theirs), 0.01);
  assert.equal(difference(theirs, theirs), 0);
});

test('outputs that cannot be compared are infinitely far apart', () => {
  const theirs = { y: Float32Array.of(1, 2) };
  assert.equal(difference({}, theirs), Infinity);
  assert.equal(difference({ z: theirs.y }, theirs), Infinity);
  assert.equal(difference({ y: Float32Array.of(1) }, theirs), Infinity);
  assert.equal(difference({ y: Float32Array.of(1, NaN) }, theirs), Infinity);
  assert.equal(difference({ y: Float32Array.of(0, 0) }, { y: Float32Array.of(0, 0) }), Infinity);
  assert.equal(difference({}, {}), Infinity);
});
