/**
 * Sums over batch and positions of blocked images, for batch normalisation in training, in one pass over memory.
 *
 * Pixels are cut into parts that stay in the second-level cache. `moments` has of each part every channel's mean, and the sum of
 * the squared distances from it, for which it passes over the part again; parts are put together by the formula of T. F. Chan,
 * G. H. Golub and R. J. LeVeque ("Updating formulae and a pairwise algorithm for computing sample variances", 1979). So a large
 * mean costs no digits, and no sum is long. `products` has the sums of dY and of dY (X - mean).
 */
import { type Int, type Isa, KernelBuilder, lanesOf, type Vec } from '../codegen/index.ts';
import { blockChannels } from './conv.ts';
import type { TaskedKernel } from './map.ts';
import { loadArguments } from './nest.ts';

/** Strides in elements. */
export interface BlockedStrides {
  readonly batch: number;
  readonly block: number;
  readonly height: number;
  readonly width: number;
}

export interface ChannelSumsSpec {
  readonly name: string;
  readonly kind: 'moments' | 'products';
  readonly blocks: number;
  /** Parts of the batch and of the lines: how many, and what each has. */
  readonly images: { readonly parts: number; readonly each: number };
  readonly lines: { readonly parts: number; readonly each: number };
  readonly width: number;
  /** X; or dY and X. */
  readonly operands: readonly BlockedStrides[];
}

/** Elements a task should have at least. */
const grain = 16 * 1024;

/** Arguments: the operands; of products the mean, a whole number of blocks; results [part][2][blocks of 16]. */
export function channelSumsKernel(isa: Isa, spec: ChannelSumsSpec): TaskedKernel {
  const { kind, blocks, images, lines, operands } = spec;
  const lanes = lanesOf(isa, 'f32');
  const vectors = blockChannels / lanes;
  const count = images.each * lines.each * spec.width;
  const divisors = Array.from({ length: blocks }, (_, i) => i + 1).filter((d) => blocks % d === 0);
  const taskBlocks = divisors.find((d) => d * count * blockChannels >= grain) ?? blocks;
  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const pointers = loadArguments(b, args, operands.length);
  const mean = kind === 'products' ? b.loadPointer(b.at(args, operands.length * 8)) : undefined;
  const out = b.loadPointer(b.at(args, (operands.length + (mean ? 1 : 0)) * 8));
  const blockBytes = blockChannels * 4;

  // ---- tasks: [part of the batch][part of the lines][blocks]
  let rest: Int = task;
  const take = (extent: number, use: (index: Int) => void): void => {
    if (extent === 1) return;
    use(b.integer('irem', rest, extent));
    rest = b.integer('idiv', rest, extent);
  };
  const moveBy = (pointer: Int, index: Int, bytes: number) => b.advance(pointer, b.integer('imul', index, bytes));
  take(blocks / taskBlocks, (index) => {
    pointers.forEach((p, i) => moveBy(p, index, taskBlocks * operands[i].block * 4));
    if (mean) moveBy(mean, index, taskBlocks * blockBytes);
    moveBy(out, index, taskBlocks * blockBytes);
  });
  moveBy(out, rest, 2 * blocks * blockBytes);
  take(lines.parts, (index) => pointers.forEach((p, i) => moveBy(p, index, lines.each * operands[i].height * 4)));
  take(images.parts, (index) => pointers.forEach((p, i) => moveBy(p, index, images.each * operands[i].batch * 4)));

  // ---- one pass over a part of a block's pixels
  const flat = operands.every(({ height, width }) => height === width * spec.width);
  const lineCount = flat ? 1 : lines.each;
  const width = flat ? lines.each * spec.width : spec.width;
  /** Calls `use` with each pixel's set of sums and what to add to the pointers for it; `sets` pixels are written side by side. */
  const eachPixel = (at: readonly Int[], sets: number, use: (set: number) => void) => {
    const run = (pixels: number) => {
      for (let set = 0; set < pixels; set++) use(set);
      at.forEach((p, i) => b.advance(p, pixels * operands[i].width * 4));
    };
    b.loop(images.each, () => {
      b.loop(lineCount, () => {
        b.loop(Math.floor(width / sets), () => run(sets));
        if (width % sets > 0) run(width % sets);
        at.forEach((p, i) => b.advance(p, (operands[i].height - width * operands[i].width) * 4 * (flat ? 0 : 1)));
      });
      const walked = (i: number) => (flat ? width * operands[i].width : lineCount * operands[i].height);
      at.forEach((p, i) => b.advance(p, (operands[i].batch - walked(i)) * 4));
    });
  };
  const load = (i: number, at: readonly Int[], set: number, v: number) => b.load('f32', b.at(at[i], (set * operands[i].width + v * lanes) * 4));
  const sumsOf = (sets: number) => Array.from({ length: sets }, () => Array.from({ length: vectors }, () => b.variable('f32', 0)));
  /** The sets added up in pairs. */
  const total = (sums: readonly (readonly Vec[])[]): readonly Vec[] => {
    for (let step = sums.length >> 1; step > 0; step >>= 1) for (let s = 0; s < step; s++) sums[s].forEach((sum, v) => b.add('f32', sum, sums[s + step][v], sum));
    return sums[0];
  };
  const store = (result: number, values: readonly Vec[]) => values.forEach((value, v) => b.store('f32', b.at(out, (result * blocks * blockChannels + v * lanes) * 4), value));
  /** Enough sums to hide an addition's latency. */
  const setsFor = (results: number) => Math.max(1, 8 / (vectors * results));

  b.loop(taskBlocks, () => {
    if (kind === 'moments') {
      const sums = sumsOf(setsFor(1));
      const first = pointers.map((p) => b.move(p));
      eachPixel(first, sums.length, (set) => sums[set].forEach((sum, v) => b.add('f32', sum, load(0, first, set, v), sum)));
      const means = total(sums).map((sum) => b.div('f32', sum, b.splat('f32', count)));
      store(0, means);
      const squares = sumsOf(setsFor(1));
      const second = pointers.map((p) => b.move(p));
      eachPixel(second, squares.length, (set) =>
        squares[set].forEach((sum, v) => {
          const distance = b.sub('f32', load(0, second, set, v), means[v]);
          b.accumulate('f32', sum, distance, distance);
        }),
      );
      store(1, total(squares));
    } else {
      const means = Array.from({ length: vectors }, (_, v) => b.load('f32', b.at(mean!, v * lanes * 4)));
      const sums = sumsOf(setsFor(2));
      const products = sumsOf(setsFor(2));
      const at = pointers.map((p) => b.move(p));
      eachPixel(at, sums.length, (set) => {
        for (let v = 0; v < vectors; v++) {
          const dy = load(0, at, set, v);
          b.add('f32', sums[set][v], dy, sums[set][v]);
          b.accumulate('f32', products[set][v], dy, b.sub('f32', load(1, at, set, v), means[v]));
        }
      });
      store(0, total(sums));
      store(1, total(products));
      b.advance(mean!, blockBytes);
    }
    pointers.forEach((p, i) => b.advance(p, operands[i].block * 4));
    b.advance(out, blockBytes);
  });
  return { code: b.finish(), tasks: images.parts * lines.parts * (blocks / taskBlocks) };
}
