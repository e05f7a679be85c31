/**
 * Whether Winograd pays, and by which tiling: the candidate with the fewest cycles by a count of arithmetic and of bytes beyond the
 * second-level cache. `docs/winograd.md` has the counts beside measurements.
 */
import { type Isa, lanesOf } from '../../codegen/index.ts';
import { mostRows } from '../contract.ts';
import { blockChannels } from '../conv.ts';
import { winogradGeometry, type WinogradShape, type WinogradTiling } from './geometry.ts';
import { products } from './transforms.ts';

/** What a task may hold at once, of a second-level cache of 1 to 2 MiB. */
const cacheBytes = 1024 * 1024;
/** Of a group's weights that a task transforms itself, and reads again at once. */
const ownBytes = 1.25 * 1024 * 1024;
/** Bytes a cycle from beyond that cache: of what is there again and again, and of weights, which are read once a run. */
const cachedRate = 16;
const weightRate = 5;
/** From that cache, and what the first-level one keeps of a panel. */
const nearRate = 12;
const nearBytes = 24 * 1024;
/** Most bytes of a layer's weights once they are transformed, four times what they were: memory is worth something, too. */
const mostConstantBytes = 4 * 2 ** 20;
/** Tasks that a step should have at least. */
const leastTasks = 8;
/** How much better than direct it has to look: the counts are that exact. */
const margin = 0.9;

/** `packed`: whether weights are transformed when the program is loaded, and not in every run. */
export function tileWinograd(isa: Isa, shape: WinogradShape, packed = true): WinogradTiling | undefined {
  let best: { tiling: WinogradTiling; cycles: number } | undefined;
  for (const tiling of candidates(isa, shape)) {
    const cycles = winogradCycles(isa, shape, tiling) + (packed || tiling.weightsHere ? 0 : weightsCycles(isa, shape));
    if (!best || cycles < best.cycles) best = { tiling, cycles };
  }
  return best && best.cycles < margin * directCycles(isa, shape) ? best.tiling : undefined;
}

const kinds = [[true, false], [false, false], [false, true]] as const;

function candidates(isa: Isa, { batch, inChannels, channels, out }: WinogradShape): WinogradTiling[] {
  const lanes = lanesOf(isa, 'f32');
  const tilesWide = Math.ceil(out.width / 4);
  const strips = batch * Math.ceil(out.height / 4);
  const blocks = channels / blockChannels;
  const list: WinogradTiling[] = [];
  for (let count = 1; count <= strips && (count === 1 || count * tilesWide <= 64); count++) {
    for (const vectors of [1, 2, 3, 4]) {
      const tiles = count * tilesWide;
      const rows = Math.ceil(tiles / Math.ceil(tiles / mostRows(isa, vectors)));
      for (let groupBlocks = 1; groupBlocks <= Math.min(8, blocks); groupBlocks++) {
        if (blocks % groupBlocks !== 0 || (groupBlocks * blockChannels) % (vectors * lanes) !== 0) continue;
        for (const [fused, weightsHere] of kinds) {
          if (weightsHere || 4 * products * inChannels * channels <= mostConstantBytes) list.push({ rows, vectors, strips: count, groupBlocks, fused, weightsHere });
        }
      }
    }
  }
  return list;
}

/** Cycles of one core, as if tasks were shared by two. */
function winogradCycles(isa: Isa, shape: WinogradShape, tiling: WinogradTiling): number {
  const g = winogradGeometry(isa, shape, tiling);
  const { rows, vectors, fused, weightsHere } = tiling;
  const uBytes = g.groups * g.u.group;
  const vBytes = g.blocks * g.v.block;
  const outBlocks = g.groups * tiling.groupBlocks;

  // The first register tile of a block waits for its weights; where they do not stay in the cache, that of every block does.
  const held = (fused ? uBytes : g.u.group) + g.v.block + g.m.block;
  const arithmetic = Math.max((rows * vectors) / 2, (rows + vectors) / 2, 4) + 1;
  const waiting = (rate: number) => Math.max(arithmetic, (vectors * isa.vectorBytes) / rate);
  const perTerm = shape.inChannels * vectors * isa.vectorBytes > nearBytes ? waiting(nearRate) : arithmetic;
  const others = g.tiles / rows - 1;
  const stays = g.u.group <= ownBytes;
  const first = weightsHere && stays ? perTerm : waiting(weightRate);
  const again = held > cacheBytes ? Math.max(perTerm, waiting(cachedRate)) : perTerm;
  const store = 2 * rows * vectors;
  const panels = products * g.groups * g.panels;
  const multiplying = panels * (shape.inChannels * (first + (g.blocks - 1) * again + g.blocks * others * perTerm) + g.blocks * (others + 1) * store);

  const transforms = g.strips * g.tilesWide * (g.inBlocks + outBlocks) * vectorCycles(isa);
  const vectorsHere = weightsHere ? (g.chunks * shape.inChannels * shape.channels) / lanesOf(isa, 'f32') : 0;
  const here = vectorsHere * weightCycles(isa) * (stays ? 1 : 2);
  const inputs = fused ? 0 : ((vBytes > cacheBytes ? 1 + g.groups : 1) * vBytes) / cachedRate;
  const tasks = g.chunks * (fused ? 1 : g.groups);
  const idle = (Math.ceil(tasks / 2) * 2) / tasks + (tasks < leastTasks ? 0.05 * (leastTasks - tasks) : 0);
  return (multiplying + transforms + here) * idle + inputs;
}

/** One transform of a tile of 16 channels: a little arithmetic, and 144 loads and stores of vectors. */
const vectorCycles = (isa: Isa): number => (120 + 3.5 * isa.vectorBytes) * (64 / isa.vectorBytes);

/** All weights transformed once, and written. */
const weightsCycles = (isa: Isa, { inChannels, channels }: WinogradShape): number =>
  ((inChannels * channels) / lanesOf(isa, 'f32')) * (weightCycles(isa) + ((9 + products) * isa.vectorBytes) / weightRate);

/** Of a vector of weights: 108 loads and stores. */
const weightCycles = (isa: Isa): number => 120 + 1.6 * isa.vectorBytes;

/** The same of a direct convolution, which comes close to the core's peak. */
function directCycles(isa: Isa, { batch, inChannels, channels, out }: WinogradShape): number {
  const multiplies = 9 * inChannels * channels;
  return (batch * out.height * out.width * multiplies * 1.1) / (2 * lanesOf(isa, 'f32')) + (multiplies * 4) / (2 * weightRate);
}
