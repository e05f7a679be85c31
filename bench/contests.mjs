// @ts-check
/** Who meets whom, on what, and what is asked of us there. */
import { works } from './works.mjs';

/** @typedef {import('./types.ts').Bar} Bar */
/** @typedef {import('./types.ts').Contest} Contest */

/** An instruction set belongs to a family, and each family meets the best runtime of its kind. */
const families = {
  native: { peer: 'onnxruntime-node' },
  wasm: { peer: 'onnxruntime-web' },
};

/** @typedef {keyof typeof families} Family */

/** @param {string} isa @returns {Family} */
const familyOf = (isa) => (isa === 'wasm' ? 'wasm' : 'native');

/**
 * The bars, by work. `peer`: times as fast as the peer. `pair`: two threads against one. `peak`: part of the core's peak, with one
 * thread. What is not here has none.
 * @type {Readonly<Record<string, Partial<Record<Family, Partial<Record<'peer' | 'pair' | 'peak', Bar>>>>>>}
 */
const bars = {
  resnet50: {
    native: { peer: { atLeast: 1.2 }, pair: { atLeast: 1.8 } },
    wasm: { peer: { atLeast: 2.5 }, pair: { atLeast: 1.8 } },
  },
  vgg: { native: { peer: { atLeast: 1.5 } }, wasm: { peer: { atLeast: 2.5 } } },
  mobilenet: { native: { peer: { atLeast: 1.1 } }, wasm: { peer: { atLeast: 2.5 } } },
  transformer: { native: { peer: { atLeast: 1 } }, wasm: { peer: { atLeast: 2.5 } } },
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
  'train-seq2seq': { native: { peer: { atLeast: 1.5, floor: 1 } } },
  'train-cnn': { native: { peer: { atLeast: 1.5, floor: 1 } } },
  'train-mlp': { native: { peer: { atLeast: 1.5, floor: 1 } } },
  'train-resnet50': { native: { peer: { atLeast: 1.3, floor: 1 } } },
};
/** Loading as fast as the peer, no more memory, nothing compiled twice: asked of every network. */
const freshBars = /** @type {const} */ ({ load: { atLeast: 1 }, memory: { atMost: 1 }, once: { atMost: 1 } });

/** Kinds of contests, in the order that they are held in. */
export const kinds = /** @type {const} */ (['speed', 'load', 'once', 'memory']);

/**
 * @param {Pick<import('./types.ts').Options, 'parts' | 'kinds' | 'work' | 'threads' | 'batch' | 'isa' | 'node' | 'quick'>} options
 * @param {import('./types.ts').Survey['isas']} isas
 * @returns {Contest[]}
 */
export function planContests(options, isas) {
  const best = isas.find(({ isa, usable }) => usable && isa !== 'wasm')?.isa;
  const names = Object.keys(works).filter((name) => options.work.length === 0 || options.work.some((prefix) => name.startsWith(prefix)));
  return options.parts.filter((part) => part !== 'roofline').flatMap((part) =>
    settingsOf(part, options, best).flatMap((setting) => {
      const report = isas.find(({ isa }) => isa === setting.isa);
      const refusal = report?.usable ? undefined : `${setting.isa}: ${report?.reason ?? 'unknown'}`;
      return options.kinds.flatMap((kind) =>
        names.flatMap((name) => {
          const { batches, isKernel } = works[name];
          if (works[name].part !== part || !isHeld(kind, name, setting, options)) return [];
          const asked = kind === 'load' || kind === 'once' ? batches.slice(0, 1) : options.batch.length > 0 && !isKernel ? options.batch : options.quick ? batches.slice(0, 1) : batches;
          return asked.map((batch) => ({ ...contestOf(kind, name, batch, setting, options.threads), refusal }));
        }),
      );
    }),
  );
}

/**
 * Works whose layers are looked at: all networks as machine code, those of inference as WebAssembly too.
 * @param {Pick<import('./types.ts').Options, 'work' | 'isa'>} options @param {import('./types.ts').Survey['isas']} isas
 * @returns {{ work: string, batch: number, isa: string }[]}
 */
export function planRooflines({ work, isa }, isas) {
  const usable = isas.filter((one) => one.usable).map((one) => one.isa);
  const chosen = (isa.length > 0 ? isa : [usable.find((name) => name !== 'wasm') ?? 'wasm', 'wasm']).filter((name) => usable.includes(name));
  return [...new Set(chosen)].flatMap((name) =>
    Object.entries(works)
      .filter(([key, { isKernel, training }]) => !isKernel && !(training && name === 'wasm') && (work.length === 0 || work.some((prefix) => key.startsWith(prefix))))
      .map(([key, { batches: [batch] }]) => ({ work: key, batch, isa: name })),
  );
}

/** @typedef {{ readonly isa: string, readonly node?: string }} Setting an instruction set, and a Node other than ours */

/** @param {import('./types.ts').Part} part @param {Pick<import('./types.ts').Options, 'isa' | 'node'>} options @param {string | undefined} best @returns {Setting[]} */
function settingsOf(part, { isa, node }, best) {
  if (part === 'training') return (isa.length > 0 ? isa : [best ?? 'wasm']).map((name) => ({ isa: name }));
  const chosen = isa.length > 0 ? isa : [best ?? 'avx512', 'wasm'];
  // Machine code is the same under any Node; WebAssembly is what the Node makes of it.
  return chosen.flatMap((name) => [{ isa: name }, ...(name === 'wasm' ? node.map((version) => ({ isa: name, node: version })) : [])]);
}

/** @param {Contest['kind']} kind @param {string} name @param {Setting} setting @param {{ readonly quick: boolean }} options */
function isHeld(kind, name, { node }, { quick }) {
  const { isKernel, training } = works[name];
  if (quick && name.startsWith('gemm1024')) return false;
  return kind === 'speed' || (!isKernel && !node && !(kind === 'load' && training));
}

/** @param {Contest['kind']} kind @param {string} name @param {number} batch @param {Setting} setting @param {readonly number[]} threads @returns {Contest} */
function contestOf(kind, name, batch, setting, threads) {
  if (kind === 'once') {
    const { ours } = against(name, kind, setting, Math.max(...threads));
    return { kind, work: name, batch, comparisons: [{ section: kind, ours, theirs: ours, peer: 'different ones', bar: freshBars.once }] };
  }
  if (kind !== 'speed') return { kind, work: name, batch, comparisons: [against(name, kind, setting, Math.max(...threads), freshBars[kind])] };
  const { isa, node } = setting;
  const bar = bars[name]?.[familyOf(isa)] ?? {};
  const own = threads.map((count) => against(name, 'peer', setting, count, bar.peer));
  const ours = (/** @type {number} */ count) => ({ backend: works[name].training ? 'whetstone-training' : 'whetstone', isa, node, threads: count });
  const retraced = works[name].isRetraced ? own.map((one) => ({ ...one, label: 'retraced', bar: undefined, ours: { ...one.ours, backend: 'whetstone-retraced' } })) : [];
  const scaling = threads
    .filter((count) => count > 1 && threads.includes(1))
    .map((count) => ({ section: 'threads', ours: ours(count), theirs: ours(1), peer: 'whetstone, 1 thread', bar: count === 2 ? bar.pair : undefined }));
  const peaks = threads
    .filter((count) => count === 1 && !node && works[name].flops !== undefined)
    .map(() => ({ section: 'peak', ours: ours(1), theirs: { backend: 'peak', isa, threads: 1 }, peer: 'peak of a core', bar: bar.peak }));
  return { kind, work: name, batch, comparisons: [...own, ...retraced, ...scaling, ...peaks] };
}

/** Ours and the peer of its kind. @param {string} name @param {string} section @param {Setting} setting @param {number} threads @param {Bar} [bar] */
function against(name, section, { isa, node }, threads, bar) {
  const isTraining = works[name].training !== undefined;
  const peer = isTraining ? 'pytorch' : families[familyOf(isa)].peer;
  return {
    section,
    ours: { backend: isTraining ? 'whetstone-training' : 'whetstone', isa, node, threads },
    theirs: { backend: peer, node, threads },
    peer: isTraining ? 'PyTorch' : peer,
    bar,
  };
}
