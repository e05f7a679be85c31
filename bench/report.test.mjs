// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markdownReport, replaceGenerated, terminalReport } from './report.mjs';

/** @type {import('./types.ts').Row} */
const row = {
  part: 'inference',
  section: 'peer',
  work: 'ResNet-50, batch 1',
  isa: 'avx512',
  threads: 1,
  node: '',
  peer: 'other',
  unit: 'ms',
  ours: { median: 80.04, min: 0.1234, count: 9 },
  theirs: { median: 1234.5, min: 1200, count: 9 },
  rate: { unit: 'images/s', ours: 12.49, theirs: 0.81 },
  ratio: { median: 15.4236, low: 15.1, high: 16 },
  difference: 3.2e-7,
  bar: { atLeast: 0.9 },
  verdict: 'met',
  notes: [],
};
/** @type {import('./types.ts').Report} */
const report = {
  part: 'inference',
  date: '2026-11-20',
  command: 'npm run bench',
  machine: { cpu: 'A CPU', cores: '2', isas: 'wasm', memory: '1 GiB', system: 'Linux', node: 'v20', commit: 'abc', peers: 'other 1', idle: '0 % busy' },
  seconds: 300,
  warnings: ['the machine was not idle'],
  rows: [row, { ...row, threads: 2, verdict: 'not run', ours: undefined, theirs: undefined, rate: undefined, ratio: undefined, difference: undefined, notes: ['it fell over | twice'] }],
  rooflines: [],
};

test('the terminal gets aligned columns, bars and what was wrong', () => {
  const lines = terminalReport(report, false).split('\n');
  const [head, rule, first] = lines.slice(lines.indexOf('Against the peers') + 1);
  assert.match(first, /ResNet-50, batch 1 +avx512 +1 +80\.0 \(0\.123\) ms +12\.5 images\/s +other +1235 \(1200\) ms .* 15\.42 \(15\.10-16\.00\) +>= 0\.9 +met +3e-7$/);
  assert.equal(head.indexOf('against'), first.indexOf('other'));
  assert.equal(rule.length, first.length);
  assert.ok(lines.includes('  ResNet-50, batch 1, avx512: it fell over | twice'));
  assert.ok(lines.includes('warning: the machine was not idle'));
  assert.ok(lines.includes('1 of 2 bars met, 1 not run.'));
});

test('the page gets the same between its marks, and keeps the rest', () => {
  const page = 'before\n<!-- npm run bench, inference: begin -->\nold\n<!-- npm run bench, inference: end -->\nafter\n';
  const written = replaceGenerated(page, 'inference', markdownReport(report));
  assert.match(written, /^before\n<!-- npm run bench, inference: begin -->\nMeasured 2026-11-20 by `npm run bench`, in 5 minutes\. 1 of 2 bars met/);
  assert.ok(written.endsWith('\n<!-- npm run bench, inference: end -->\nafter\n') && !written.includes('old'));
  assert.ok(written.includes('| ResNet-50, batch 1 | avx512 | 1 | 80.0 (0.123) ms | 12.5 images/s | other |'));
  const widths = written.split('\n').filter((line) => /^\| (work|ResNet|---: \| ---|--- \| --- \| ---:)/.test(line)).map((line) => line.split(' | ').length);
  assert.equal(new Set(widths).size, 1);
  assert.equal(replaceGenerated(written, 'inference', 'x'), replaceGenerated(page, 'inference', 'x'));
  assert.throws(() => replaceGenerated('a page without marks', 'inference', 'x'), /no part between/);
});
