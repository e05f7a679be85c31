// @ts-check
/** Who meets whom, on what, and what is asked of us there. */
import { works } from './works.mjs';

/** @typedef {import('./types.ts').Bar} Bar */

/** An instruction set belongs to a family, and each family meets the best runtime of its kind. */
const families = {
  native: { peer: 'onnxruntime-node' },
  wasm: { peer: 'onnxruntime-web' },
};

/** @typedef {keyof typeof families} Family */

/** @param {string} isa @returns {Family} */
const familyOf = (isa) => (isa === 'wasm' ? 'wasm' : 'native');

/**
 * The bars, by contest. `peer`: times as fast as the peer. `pair`: two threads against one. `peak`: part of the core's peak, with one
 * thread. `load`: times as fast. `memory`: times as much. What is not here has none.
 * @type {Readonly<Record<string, Partial<Record<Family, Partial<Record<'peer' | 'pair' | 'peak' | 'load' | 'memory', Bar>>>>>>}
 */
const bars = {
  resnet50: {
    native: { peer: { atLeast: 0.9 }, pair: { atLeast: 1.8 } },
    wasm: { peer: { atLeast: 2 }, pair: { atLeast: 1.8 } },
  },
  gemm256: { wasm: { peer: { atLeast: 2 } } },
  'gemm256-inputs': { wasm: { peer: { atLeast: 2 } } },
  gemm1024: {
    native: { peak: { atLeast: 0.9 }, pair: { atLeast: 1.8 } },
    wasm: { peer: { atLeast: 2 }, pair: { atLeast: 1.8 } },
  },
  'gemm1024-inputs': {
    native: { peak: { atLeast: 0.9 }, pair: { atLeast: 1.8 } },
    wasm: { peer: { atLeast: 2 }, pair: { atLeast: 1.8 } },
  },
  load: { native: { load: { atLeast: 1 } } },
  memory: { native: { memory: { atMost: 1.3 } } },
};

/** Contests that `--only` may name: the works, and those in which processes start afresh. */
export const contestNames = [...Object.keys(works), 'load', 'memory'];

/**
 * @param {Pick<import('./types.ts').Options, 'only' | 'threads' | 'batch' | 'isa' | 'quick'>} options
 * @param {import('./types.ts').Survey['isas']} isas
 * @returns {import('./types.ts').Contest[]}
 */
export function planContests(options, isas) {
  const best = isas.find(({ isa, usable }) => usable && isa !== 'wasm');
  const chosen = options.isa.length > 0 ? options.isa : [best?.isa ?? 'avx512', 'wasm'];
  const isWanted = (/** @type {string} */ name) => options.only.length === 0 || options.only.some((prefix) => name.startsWith(prefix));
  return chosen.flatMap((isa) => {
    const report = isas.find((candidate) => candidate.isa === isa);
    const refusal = report?.usable ? undefined : `${isa}: ${report?.reason ?? 'unknown'}`;
    const names = contestNames.filter(isWanted);
    return names.flatMap((/** @returns {import('./types.ts').Contest[]} */ (name) => {
      if (options.quick && name.startsWith('gemm1024')) return [];
      if (name === 'load' || name === 'memory') return [{ ...freshContest(name, isa, Math.max(...options.threads)), refusal }];
      const batches = works[name].batched ? options.batch : [1];
      return batches.map((batch) => ({ ...speedContest(name, batch, isa, options.threads), refusal }));
    }));
  });
}

/** @param {string} work @param {number} batch @param {string} isa @param {readonly number[]} threads */
function speedContest(work, batch, isa, threads) {
  const family = familyOf(isa);
  const { peer } = families[family];
  const bar = bars[work]?.[family] ?? {};
  const ours = (/** @type {number} */ count) => ({ backend: 'whetstone', isa, threads: count });
  const against = threads.map((count) => ({ section: 'peer', ours: ours(count), theirs: { backend: peer, threads: count }, peer, bar: bar.peer }));
  const scaling = threads
    .filter((count) => count > 1 && threads.includes(1))
    .map((count) => ({ section: 'threads', ours: ours(count), theirs: ours(1), peer: 'whetstone, 1 thread', bar: count === 2 ? bar.pair : undefined }));
  const peaks = threads
    .filter((count) => count === 1 && works[work].flops !== undefined)
    .map(() => ({ section: 'peak', ours: ours(1), theirs: { backend: 'peak', isa, threads: 1 }, peer: 'peak of a core', bar: bar.peak }));
  return { kind: /** @type {const} */ ('speed'), work, batch, comparisons: [...against, ...scaling, ...peaks] };
}

/** @param {'load' | 'memory'} kind @param {string} isa @param {number} threads */
function freshContest(kind, isa, threads) {
  const family = familyOf(isa);
  const { peer } = families[family];
  const comparison = {
    section: kind,
    ours: { backend: 'whetstone', isa, threads },
    theirs: { backend: peer, threads },
    peer,
    bar: bars[kind]?.[family]?.[kind],
  };
  return { kind, work: 'resnet50', batch: 1, comparisons: [comparison] };
}
