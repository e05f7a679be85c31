// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planContests } from './contests.mjs';
import { parseOptions, UsageError } from './options.mjs';

/** @param {string[]} args */
const options = (...args) => {
  const parsed = parseOptions(args);
  assert.ok(parsed !== 'help');
  return parsed;
};
const all = ['avx512', 'avx2', 'wasm'].map((isa) => ({ isa, usable: true, reason: 'yes' }));
const wasmOnly = all.map(({ isa }) => ({ isa, usable: isa === 'wasm', reason: isa === 'wasm' ? 'yes' : 'no such CPU' }));

test('a full run asks for everything that the issue does', () => {
  const comparisons = planContests(options(), all).flatMap(({ kind, work, batch, comparisons }) =>
    comparisons.map(({ section, ours, peer, bar }) => `${kind} ${work} ${batch} ${section} ${ours.isa}${ours.node ?? ''} ${ours.threads} ${peer}: ${bar?.atLeast ?? bar?.atMost ?? ''}`),
  );
  for (const batch of [1, 8]) {
    for (const threads of [1, 2]) {
      assert.ok(comparisons.includes(`speed resnet50 ${batch} peer avx512 ${threads} onnxruntime-node: 1.2`));
      assert.ok(comparisons.includes(`speed resnet50 ${batch} peer wasm ${threads} onnxruntime-web: 2.5`));
      assert.ok(comparisons.includes(`speed transformer ${batch} peer avx512 ${threads} onnxruntime-node: 1`));
    }
    assert.ok(comparisons.includes(`speed resnet50 ${batch} threads avx512 2 whetstone, 1 thread: 1.8`));
  }
  assert.ok(comparisons.includes('speed gemm1024 1 peak avx512 1 peak of a core: 0.9'));
  assert.ok(comparisons.includes('speed gemm256-inputs 1 peer wasm 2 onnxruntime-web: 2'));
  assert.ok(comparisons.includes('speed gemm1024 1 peer wasm26 1 onnxruntime-web: 2'));
  assert.ok(comparisons.includes('load resnet50 1 load avx512 2 onnxruntime-node: 1'));
  for (const work of ['resnet50', 'vgg', 'mobilenet', 'transformer']) {
    assert.ok(comparisons.includes(`memory ${work} 1 memory avx512 2 onnxruntime-node: 1`));
    assert.ok(comparisons.includes(`speed ${work} 1 peer wasm26 2 onnxruntime-web: 2.5`));
  }
  assert.ok(comparisons.includes('speed vgg 1 peer avx512 1 onnxruntime-node: 1.5'));
  assert.ok(comparisons.includes('speed mobilenet 1 peer avx512 1 onnxruntime-node: 1.1'));
  for (const [work, batch, bar] of [['seq2seq', 64, 1.5], ['seq2seq', 256, 1.5], ['cnn', 64, 1.5], ['mlp', 64, 1.5], ['resnet50', 8, 1.3]]) {
    for (const threads of [1, 2]) assert.ok(comparisons.includes(`speed train-${work} ${batch} peer avx512 ${threads} PyTorch: ${bar}`), `${work}`);
    assert.ok(comparisons.includes(`memory train-${work} ${batch} memory avx512 2 PyTorch: 1`));
  }
});

test('where no native code runs, its contests stay on the list with the reason', () => {
  const contests = planContests(options('--work', 'resnet50', '--batch', '1', '--kind', 'speed', '--node', 'none'), wasmOnly);
  assert.deepEqual(contests.map(({ refusal }) => refusal), ['avx512: no such CPU', undefined]);
});

test('options narrow', () => {
  const contests = planContests(options('--work', 'gemm', '--isa', 'avx2', '--threads', '2'), all);
  assert.deepEqual(contests.map(({ work }) => work), ['gemm256', 'gemm256-inputs', 'gemm1024', 'gemm1024-inputs']);
  assert.ok(contests.every(({ comparisons }) => comparisons.every(({ section, ours }) => section === 'peer' && ours.isa === 'avx2' && ours.threads === 2)));
});

test('a part may be run alone', () => {
  const parts = (/** @type {string[]} */ ...args) => new Set(planContests(options(...args), all).map(({ work }) => work.startsWith('train-')));
  assert.deepEqual(parts('--training'), new Set([true]));
  assert.deepEqual(parts('--inference'), new Set([false]));
  assert.equal(options('--training').write, options().write);
});

test('only a full run writes the page by itself', () => {
  assert.match(options().write ?? '', /docs.performance\.md$/);
  assert.match(options('--json', '/x.json').write ?? '', /docs.performance\.md$/);
  for (const args of [['--quick'], ['--work', 'gemm'], ['--kind', 'load'], ['--node', 'none'], ['--seconds', '1'], ['--batch', '1'], ['--isa', 'wasm']]) assert.equal(options(...args).write, undefined);
  assert.equal(options('--quick', '--write', '/x.md').write, '/x.md');
});

test('wrong options are refused in words', () => {
  for (const [args, words] of /** @type {const} */ ([
    [['--work', 'resnet51'], /--work: expected some of resnet50/],
    [['--kind', 'spede'], /--kind: expected some of speed/],
    [['--node', '20'], /--node: expected some of 26/],
    [['--threads', '0'], /--threads: expected whole numbers/],
    [['--threads', ''], /--threads/],
    [['--batch', '1.5'], /--batch/],
    [['--isa', 'sse'], /--isa: expected some of avx512/],
    [['--seconds', 'NaN'], /--seconds/],
    [['--seconds', '0'], /--seconds/],
    [['--sedonds', '1'], /--sedonds/],
    [['resnet50'], /resnet50/],
  ])) {
    assert.throws(() => parseOptions(args), (error) => error instanceof UsageError && words.test(error.message));
  }
});
