/**
 * The kernels of a Winograd convolution, all over the memory that `geometry.ts` lays out: weights to U (once, where they are
 * constant), inputs to V, and products with the results that come of them. A task of the last takes a block of tiles and a group of
 * output channels (or, fused, a block and all groups), so that what passes between the stages stays in its second-level cache.
 */
import { type Int, type Isa, KernelBuilder, lanesOf } from '../../codegen/index.ts';
import { emitAccumulators, emitContraction, type Tile } from '../contract.ts';
import { blockChannels } from '../conv.ts';
import { emitExpression, emitLeaf } from '../expression.ts';
import type { TaskedKernel } from '../map.ts';
import { bytesOf, loadArguments, maxTasks } from '../nest.ts';
import { type EmitMode, emitStore } from '../pointwise/index.ts';
import { type WinogradGeometry, winogradGeometry, type WinogradShape, type WinogradSpec, type WinogradTiling } from './geometry.ts';
import { emitLines, emitLinesUnrolled, inputTile, type Lines, outputTile, products, transformInput, transformOutput, transformWeights, window } from './transforms.ts';

/**
 * U, a group a task, from weights packed as a direct convolution reads them: [panel][input block][3][3][16][panel width].
 * Args: weights, scratch, U.
 */
export function winogradWeights(isa: Isa, name: string, shape: WinogradShape, tiling: WinogradTiling): TaskedKernel {
  const g = winogradGeometry(isa, shape, tiling);
  const b = new KernelBuilder(name, isa);
  const args = b.param();
  const group = b.param();
  const [from, half, to] = loadArguments(b, args, 3);
  b.advance(from, b.integer('imul', group, packedBytes(g)));
  b.advance(to, b.integer('imul', group, g.u.group));
  emitWeights(b, g, { from, to, half });
  return { code: b.finish(), tasks: g.groups };
}

/** A group's weights, as a direct convolution has them. */
const packedBytes = (g: WinogradGeometry): number => g.weightBytes * window * window;

/** A group's weights -> U. */
function emitWeights(b: KernelBuilder, g: WinogradGeometry, { from, to, half }: { from: Int; to: Int; half: Int }): void {
  const vector = b.isa.vectorBytes;
  const tap = blockChannels * g.panelWidth * 4;
  b.loop(g.panels * g.inBlocks, () => {
    b.loop(tap / vector, () => {
      emitLinesUnrolled(b, transformWeights, window, window, { at: from, stride: window * tap, step: tap }, { at: half, stride: window * vector, step: vector });
      emitLinesUnrolled(b, transformWeights, inputTile, window, { at: half, stride: vector, step: window * vector }, { at: to, stride: g.u.part, step: inputTile * g.u.part });
      b.advance(from, vector);
      b.advance(to, vector);
    });
    b.advance(from, (window * window - 1) * tap);
  });
}

/** V of all blocks. Args: input, scratch, V. */
export function winogradInput(isa: Isa, spec: WinogradSpec, tiling: WinogradTiling): TaskedKernel {
  const g = winogradGeometry(isa, spec, tiling);
  const wanted = Math.max(1, Math.min(maxTasks, Math.floor((g.strips * g.tilesWide * g.inBlocks) / 32)));
  const chunk = Math.ceil(g.inBlocks / Math.min(g.inBlocks, Math.ceil(wanted / g.blocks)));
  const chunks = Math.ceil(g.inBlocks / chunk);
  const b = new KernelBuilder(`${spec.name}_inputs`, isa);
  const args = b.param();
  const task = b.param();
  const [from, half, to] = loadArguments(b, args, 3);
  const part = b.integer('irem', task, chunks);
  const block = b.integer('idiv', task, chunks);
  b.advance(to, b.integer('imul', block, g.v.block));
  b.advance(from, b.integer('imul', part, chunk * spec.input.block * 4));
  b.advance(to, b.integer('imul', part, chunk * g.tiles * blockChannels * 4));
  const left = b.integer('isub', b.int(g.inBlocks), b.integer('imul', part, chunk));
  const rounds = g.inBlocks % chunk === 0 ? chunk : b.iselect(b.icompare('lt', left, chunk), left, b.int(chunk));
  emitInputs(b, spec, g, tiling, { from, to, half, block, rounds });
  const tasks = g.blocks * chunks;
  return { code: b.finish(), tasks };
}

/** The block's tiles of `rounds` blocks of channels: image -> V. */
function emitInputs(
  b: KernelBuilder,
  { input }: WinogradSpec,
  g: WinogradGeometry,
  tiling: WinogradTiling,
  { from, to, half, block, rounds }: { from: Int; to: Int; half: Int; block: Int; rounds: Int | number },
): void {
  const vector = b.isa.vectorBytes;
  const channelBytes = blockChannels * 4;
  eachStrip(b, g, tiling, block, (image, line) => {
    const tile = b.move(from);
    b.advance(tile, b.integer('imul', image, input.batch * 4));
    b.advance(tile, b.integer('imul', line, outputTile * input.height * 4));
    const v = b.move(to);
    b.loop(rounds, () => {
      b.loop(g.tilesWide, () => {
        b.loop(channelBytes / vector, () => {
          emitLines(b, transformInput, inputTile, inputTile, { at: tile, stride: input.height * 4, step: input.width * 4 }, { at: half, stride: inputTile * vector, step: vector });
          emitLines(b, transformInput, inputTile, inputTile, { at: half, stride: vector, step: inputTile * vector }, { at: v, stride: g.v.part, step: inputTile * g.v.part });
          b.advance(tile, vector);
          b.advance(v, vector);
        });
        b.advance(tile, outputTile * input.width * 4 - channelBytes);
      });
      b.advance(tile, (input.block - g.tilesWide * outputTile * input.width) * 4);
      b.advance(v, (g.tiles - g.tilesWide) * channelBytes);
    });
    b.advance(to, g.tilesWide * channelBytes);
  });
}

/** body(image, line of tiles) for the strips of a block; the last block may have fewer. */
function eachStrip(b: KernelBuilder, g: WinogradGeometry, tiling: WinogradTiling, block: Int, body: (image: Int, line: Int) => void): void {
  const strip = b.integer('imul', block, tiling.strips);
  b.loop(stripsOf(b, g, tiling, block), () => {
    body(b.integer('idiv', strip, g.tilesHigh), b.integer('irem', strip, g.tilesHigh));
    b.integer('iadd', strip, 1, strip);
  });
}

function stripsOf(b: KernelBuilder, g: WinogradGeometry, tiling: WinogradTiling, block: Int): Int | number {
  if (g.strips % tiling.strips === 0) return tiling.strips;
  const last = g.strips - (g.blocks - 1) * tiling.strips;
  return b.iselect(b.icompare('eq', block, g.blocks - 1), b.int(last), b.int(tiling.strips));
}

/** Args: V, or the input where the tiling is fused; U, or packed weights; leaves and result; scratch. */
export function winogradKernel(isa: Isa, spec: WinogradSpec, tiling: WinogradTiling): TaskedKernel {
  const g = winogradGeometry(isa, spec, tiling);
  // ---- tasks: [chunk of blocks] with all groups, or [group][chunk of blocks], so that a group's weights stay while blocks pass
  const groups = tiling.fused ? 1 : g.groups;
  const { chunk, chunks } = g;
  const tasks = groups * chunks;

  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const count = spec.operands.length;
  const half = b.loadPointer(b.at(args, (2 + count) * 8));
  const block = b.integer('imul', chunks === 1 ? b.int(0) : groups === 1 ? task : b.integer('irem', task, chunks), chunk);
  const group = groups === 1 ? b.int(0) : b.integer('idiv', task, chunks);
  const left = b.integer('isub', b.int(g.blocks), block);
  const rounds = g.blocks % chunk === 0 ? chunk : b.iselect(b.icompare('lt', left, chunk), left, b.int(chunk));
  // Addresses are made again where they are needed, rather than kept: integer registers are few.
  const m = () => b.integer('iadd', half, g.half);
  const own = () => b.integer('iadd', half, g.half + g.m.block);
  if (tiling.weightsHere) emitWeights(b, g, { from: b.offset(b.loadPointer(b.at(args, 8)), group, packedBytes(g)), to: own(), half });
  // What the next group will read, in even portions beside the products of this one.
  const portion = Math.floor(packedBytes(g) / chunks);
  const terms = products * g.panels * (g.tiles / tiling.rows) * spec.inChannels * chunk;
  const fetches = tiling.weightsHere && groups > 1 && isa.name !== 'wasm';
  const next = fetches ? { at: b.offset(b.loadPointer(b.at(args, 8)), task, portion), bytes: Math.ceil(portion / terms) } : undefined;
  if (next) b.advance(next.at, packedBytes(g));
  b.loop(rounds, () => {
    if (tiling.fused) emitInputs(b, spec, g, tiling, { from: b.loadPointer(b.at(args, 0)), to: own(), half, block, rounds: g.inBlocks });
    b.loop(tiling.fused ? g.groups : 1, (i) => {
      const part = tiling.fused ? i : group;
      const v = tiling.fused ? own() : b.offset(b.loadPointer(b.at(args, 0)), block, g.v.block);
      const u = tiling.weightsHere ? own() : b.offset(b.loadPointer(b.at(args, 8)), part, g.u.group);
      emitProducts(b, g, tiling, { v, u, m: m(), rounds: rowTiles(b, g, tiling, block), next });
      emitOutputs(b, spec, g, tiling, { args, m: m(), half, block, group: part });
    });
    b.integer('iadd', block, 1, block);
  });
  return { code: b.finish(), tasks };
}

function rowTiles(b: KernelBuilder, g: WinogradGeometry, tiling: WinogradTiling, block: Int): Int | number {
  const strips = stripsOf(b, g, tiling, block);
  if (typeof strips === 'number') return g.tiles / tiling.rows;
  const tiles = b.integer('imul', strips, g.tilesWide);
  return b.integer('idiv', b.integer('iadd', tiles, tiling.rows - 1), tiling.rows);
}

/** M = V x U, 36 times. What rows of the last register tile hold beyond the block's tiles is nothing, and nobody reads what comes of it. */
function emitProducts(b: KernelBuilder, g: WinogradGeometry, { rows, vectors }: WinogradTiling, { v, u, m, rounds, next }: { v: Int; u: Int; m: Int; rounds: Int | number; next: Tile['next'] }): void {
  const vector = b.isa.vectorBytes;
  const tileBytes = blockChannels * 4;
  const panelBytes = g.panelWidth * 4;
  const tile: Tile = { elem: 'f32', vectors, streams: true, next, rowBytes: Array.from({ length: rows }, (_, r) => r * tileBytes) };
  const axes = [
    { extent: g.inBlocks, strideBytes: g.tiles * tileBytes },
    { extent: blockChannels, strideBytes: 4 },
  ];
  const back = (pointer: Int, step: number) => {
    if (typeof rounds === 'number') b.advance(pointer, -rounds * step);
    else b.advance(pointer, b.integer('imul', rounds, -step));
  };
  b.loop(products, () => {
    b.loop(g.panels, () => {
      b.loop(rounds, () => {
        const sums = emitAccumulators(b, tile);
        emitContraction(b, tile, axes, v, b.move(u), sums);
        sums.forEach((sum, i) => b.store('f32', b.at(m, Math.floor(i / vectors) * g.groupWidth * 4 + (i % vectors) * vector), sum));
        b.advance(v, rows * tileBytes);
        b.advance(m, rows * g.groupWidth * 4);
      });
      back(v, rows * tileBytes);
      back(m, rows * g.groupWidth * 4);
      b.advance(u, g.weightBytes / g.panels);
      b.advance(m, panelBytes);
    });
    b.advance(v, g.v.part);
    b.advance(u, g.u.part - g.weightBytes);
    b.advance(m, g.m.part - g.panels * panelBytes);
  });
}

/** M -> results of a block of tiles and a group of channels, with the epilogue. */
function emitOutputs(
  b: KernelBuilder,
  { out, after, operands }: WinogradSpec,
  g: WinogradGeometry,
  tiling: WinogradTiling,
  { args, m, half, block, group }: { args: Int; m: Int; half: Int; block: Int; group: Int },
): void {
  const lanes = lanesOf(b.isa, 'f32');
  const vector = b.isa.vectorBytes;
  const mode: EmitMode = { kind: 'vector', elem: 'f32' };
  const leafCount = after.leaves.length - 1;
  const bytes = (i: number, axis: number) => operands[i].strides[axis] * bytesOf(operands[i].dtype);
  const from: Lines = { at: m, stride: inputTile * g.m.part, step: g.m.part };
  const between: Lines = { at: half, stride: inputTile * vector, step: vector };

  eachStrip(b, g, tiling, block, (image, line) => {
    const pointers = operands.map((_, i) => b.loadPointer(b.at(args, (2 + i) * 8)));
    const moveAll = (index: Int, step: (i: number) => number) =>
      pointers.forEach((p, i) => {
        if (step(i) !== 0) b.advance(p, b.integer('imul', index, step(i)));
      });
    moveAll(image, (i) => bytes(i, 0));
    moveAll(line, (i) => outputTile * bytes(i, 2));
    moveAll(group, (i) => tiling.groupBlocks * bytes(i, 1));
    const below = b.integer('isub', b.int(out.height), b.integer('imul', line, outputTile));
    const lines = out.height % outputTile === 0 ? outputTile : b.iselect(b.icompare('lt', below, outputTile), below, b.int(outputTile));

    const emitVector = (columns: number) => {
      emitLines(b, transformOutput, inputTile, inputTile, from, between);
      const row = b.move(half);
      b.loop(lines, () => {
        const x = Array.from({ length: inputTile }, (_, i) => b.load('f32', b.at(row, i * vector)));
        transformOutput(b, x).forEach((sum, c) => {
          if (c >= columns) return;
          const others = after.leaves.slice(1).map((leaf, i) => () => emitLeaf(b, mode, leaf, pointers[i], operands[i].strides[4], c * bytes(i, 3), lanes));
          const results = emitExpression(b, mode, after, [{ kind: 'vec', elem: 'f32', reg: sum }, ...others]);
          results.forEach((lane, j) => emitStore(b, mode, 'float32', b.at(pointers[leafCount + j], c * bytes(leafCount + j, 3)), lane, lanes));
        });
        b.advance(row, inputTile * vector);
        pointers.forEach((p, i) => b.advance(p, bytes(i, 2)));
      });
      if (typeof lines === 'number') pointers.forEach((p, i) => b.advance(p, -lines * bytes(i, 2)));
      else moveAll(lines, (i) => -bytes(i, 2));
    };
    const emitTile = (columns: number) => {
      const perBlock = blockChannels / lanes;
      b.loop(tiling.groupBlocks, () => {
        b.loop(perBlock, () => {
          emitVector(columns);
          b.advance(from.at, vector);
          pointers.forEach((p, i) => b.advance(p, lanes * bytes(i, 4)));
        });
        pointers.forEach((p, i) => b.advance(p, bytes(i, 1) - blockChannels * bytes(i, 4)));
      });
      pointers.forEach((p, i) => b.advance(p, outputTile * bytes(i, 3) - tiling.groupBlocks * bytes(i, 1)));
    };
    const rest = out.width % outputTile;
    const whole = Math.floor(out.width / outputTile);
    b.loop(whole, () => emitTile(outputTile));
    if (rest > 0) emitTile(rest);
  });
}
