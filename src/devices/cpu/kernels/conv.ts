/**
 * Direct convolution in NCHW16c: channels in blocks of 16, so that a vector holds output channels of one pixel. The input
 * carries its padding with it (a halo of zeros), so no tile ever asks where the image ends.
 *
 * One task is a range of output lines of one image for one group of output channels. Its weights are packed
 * [group of channels][input block][kernel line][kernel column][input channel][V vectors], in the order they are read; the last
 * block has only the channels that exist.
 */
import { type Int, type Isa, KernelBuilder, lanesOf, type Vec } from '../codegen/index.ts';
import { emitAccumulators, emitContraction, evenParts, finishVectors, mostRows, registersOf, type TermAxis, type Tile } from './contract.ts';
import { emitExpression, emitLeaf, type Expression, expressionLength } from './expression.ts';
import type { TaskedKernel } from './map.ts';
import { bytesOf, fewTasks, loadArguments, maxTasks, type StridedOperand } from './nest.ts';
import { type EmitMode, emitStore } from './pointwise/index.ts';

/** Channels in a block of the blocked layout, on every instruction set. */
export const blockChannels = 16;

export interface ConvSpec {
  readonly name: string;
  readonly batch: number;
  readonly groups: number;
  /** Output channels of a group, padded to whole blocks where groups > 1. */
  readonly channels: number;
  readonly out: { readonly height: number; readonly width: number };
  /** Input strides in elements; the pointer is at the first padded pixel. */
  readonly input: {
    readonly batch: number;
    readonly group: number;
    readonly block: number;
    readonly channel: number;
    readonly height: number;
    readonly width: number;
  };
  /** Input channels a group reads, and how many of them are a block (all of them for an image in NCHW). */
  readonly inChannels: number;
  readonly blockSize: number;
  readonly kernel: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  readonly dilation: readonly [height: number, width: number];
  /** First leaf: the sums. */
  readonly after: Expression;
  /** Other leaves of `after`, then its results; strides over [image, channel block, line, column, lane]. */
  readonly operands: readonly StridedOperand[];
}

/** How a convolution is tiled: part of the kernel's identity and of how its weights are packed. */
export interface ConvTiling {
  readonly vectors: number;
  /** Groups of `vectors` vectors that cover a group's output channels. */
  readonly channelGroups: number;
  /** Most pixels of a tile. */
  readonly rows: number;
  /** Lines that make one unit of work. */
  readonly lines: number;
  /** Whether the tiles see the image as one line of all its pixels. */
  readonly flat: boolean;
  readonly height: number;
  readonly width: number;
}

/** Tiles of a channel group that fetch the next group's weights: of more, the first one's waiting is little. */
const mostFetching = 16;

/** Multiply-adds a task should have at least. */
const grain = 512 * 1024;

/**
 * Bytes of input lines a task reads at most: all channel groups read them one after the other, and should find them in the
 * second-level cache (ResNet-50, batch 8, two threads: 174 ms -> 154 ms).
 */
const linesBytes = 256 * 1024;

/** Instructions that expressions of a tile may come to before they are written as a loop: code costs time to make and to fetch. */
const longExpression = 300;

/** Pixels side by side in one line of a unit. */
interface Run {
  readonly line: number;
  readonly column: number;
  readonly count: number;
}

/** The tiles of `lines` lines, as equal as can be; where a line ends, a tile goes on in the next. */
const tilesOf = (lines: number, width: number, rows: number): Run[][] =>
  evenParts(lines * width, rows).map(([from, count]) => {
    const runs: Run[] = [];
    for (let at = from; at < from + count; at += runs[runs.length - 1].count) {
      const column = at % width;
      runs.push({ line: Math.floor(at / width), column, count: Math.min(width - column, from + count - at) });
    }
    return runs;
  });

/** Tiles of a unit of several lines are written out one by one. */
const mostTiles = 4;

/** Whether every operand walks from the end of a line into the next one without a gap. */
function linesFollow(spec: ConvSpec): boolean {
  const { width } = spec.out;
  const input = spec.input.height * spec.stride[0] === spec.input.width * spec.stride[1] * width;
  return input && spec.operands.every(({ strides }) => strides[2] === strides[3] * width);
}

/** Chooses the tile: of those that fit the registers, the one with the fewest cycles by a count of its operations. */
export function tileConv(isa: Isa, spec: ConvSpec): ConvTiling {
  const lanes = lanesOf(isa, 'f32');
  const vectorsInAll = Math.ceil(spec.channels / lanes);
  const perBlock = blockChannels / lanes;
  const flat = spec.out.height === 1 || linesFollow(spec);
  const height = flat ? 1 : spec.out.height;
  const width = flat ? spec.out.height * spec.out.width : spec.out.width;
  const terms = spec.inChannels * spec.kernel[0] * spec.kernel[1];

  let best: { cycles: number; tiling: ConvTiling } | undefined;
  for (const vectors of [1, 2, 3, 4, 5, 6]) {
    const whole = vectors % perBlock === 0 || perBlock % vectors === 0;
    if (vectorsInAll % vectors !== 0 || !whole) continue;
    const rows = mostRows(isa, vectors);
    const cyclesOf = (lines: number) => evenParts(lines * width, rows).reduce((sum, [, count]) => sum + tileCycles(isa, count, vectors, terms), 0);
    for (let lines = 1; lines <= (flat ? 1 : Math.min(height, 8)); lines++) {
      if (lines > 1 && Math.ceil((lines * width) / rows) > mostTiles) break;
      const rest = height % lines;
      const cycles = Math.floor(height / lines) * cyclesOf(lines) + (rest > 0 ? cyclesOf(rest) : 0);
      const total = (cycles * vectorsInAll) / vectors;
      if (!best || total < best.cycles) {
        best = { cycles: total, tiling: { vectors, channelGroups: vectorsInAll / vectors, rows, lines, flat, height, width } };
      }
    }
  }
  return (best as { tiling: ConvTiling }).tiling;
}

/** Cycles for one term of a tile: arithmetic, loads, the latency of the additions, and weights from the second-level cache. */
function tileCycles(isa: Isa, rows: number, vectors: number, terms: number): number {
  const width = registersOf(isa, vectors);
  const arithmetic = (rows * width) / 2;
  const loads = (rows + width) / 2;
  const weights = streams(isa, vectors, terms) ? (vectors * isa.vectorBytes) / 32 : 0;
  return Math.max(arithmetic, loads, 4, weights) + 1;
}

const pixelsRead = ({ out, stride }: ConvSpec): number => out.height * stride[0] * out.width * stride[1];

/** Whether a group's weights leave no room for anything else in the first-level cache. */
const streams = (isa: Isa, vectors: number, terms: number): boolean => terms * vectors * isa.vectorBytes > 24 * 1024;

export function convKernel(isa: Isa, spec: ConvSpec, tiling: ConvTiling): TaskedKernel {
  const { vectors, channelGroups, flat, height, width } = tiling;
  const lanes = lanesOf(isa, 'f32');
  const { input, operands, after } = spec;
  const groupWidth = vectors * lanes;
  const terms = spec.inChannels * spec.kernel[0] * spec.kernel[1];
  const groupsInAll = spec.groups * channelGroups;

  // ---- tasks: threads get neighbouring ones, so what is larger is cut between them: [channel group][image][lines] where
  // that is the weights, [image][lines][channel group] where it is the image (half of which is then often in their own cache)
  const flatParts = flat ? evenParts(width, tiling.rows) : [];
  const units = flat ? flatParts.length : Math.ceil(height / tiling.lines);
  const work = spec.batch * groupsInAll * groupWidth * terms * spec.out.height * spec.out.width;
  const wanted = Math.max(1, Math.min(maxTasks, Math.floor(work / grain)));
  const weightsLead = groupsInAll * groupWidth * terms > spec.batch * spec.groups * spec.inChannels * pixelsRead(spec);
  const enough = weightsLead ? Math.min(wanted, fewTasks) : wanted;
  const imageBytes = spec.groups * spec.inChannels * pixelsRead(spec) * 4;
  const inCache = weightsLead ? 1 : Math.ceil(imageBytes / linesBytes);
  const wantedChunks = Math.max(inCache, Math.ceil(enough / (spec.batch * groupsInAll)));
  const chunk = Math.ceil(units / Math.min(units, wantedChunks));
  const chunks = Math.ceil(units / chunk);
  const tasks = groupsInAll * spec.batch * chunks;

  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const [rows, weightsStart, ...pointers] = loadArguments(b, args, 2 + operands.length);
  const leafCount = after.leaves.length - 1;

  const bytes = (i: number, axis: number) => operands[i].strides[axis] * bytesOf(operands[i].dtype);
  const part = (index: Int, count: number): { index: Int; rest: Int } => {
    if (count === 1) return { index: b.int(0), rest: index };
    return { index: b.integer('irem', index, count), rest: b.integer('idiv', index, count) };
  };
  const inner = weightsLead ? { index: b.int(0), rest: task } : part(task, groupsInAll);
  const line = part(inner.rest, chunks);
  const image = part(line.rest, spec.batch);
  const group = weightsLead ? image.rest : inner.index;
  const moveBy = (pointer: Int, index: Int, strideBytes: number) => {
    if (strideBytes !== 0) b.advance(pointer, b.integer('imul', index, strideBytes));
  };

  if (spec.batch > 1) {
    moveBy(rows, image.index, input.batch * 4);
    pointers.forEach((p, i) => moveBy(p, image.index, bytes(i, 0)));
  }
  if (groupsInAll > 1) {
    moveBy(weightsStart, group, terms * groupWidth * 4);
    if (spec.groups > 1) moveBy(rows, b.integer('idiv', group, channelGroups), input.group * 4);
    if (groupWidth >= blockChannels) {
      pointers.forEach((p, i) => moveBy(p, group, bytes(i, 1) * (groupWidth / blockChannels)));
    } else {
      const inBlock = blockChannels / groupWidth;
      const lane = part(group, inBlock);
      pointers.forEach((p, i) => {
        moveBy(p, lane.rest, bytes(i, 1));
        moveBy(p, lane.index, bytes(i, 4) * groupWidth);
      });
    }
  }

  // A group's first tile waits for its weights, which come from memory; meanwhile, and while the other tiles pass, memory could
  // bring the next group's: each tile fetches its part of them (ResNet-50's 7x7 layers: 1.2 to 1.3 times as fast on a Xeon).
  const tilesOfGroup = spec.batch * (flat ? units : Math.ceil(height / tiling.lines) * tilesOf(tiling.lines, width, tiling.rows).length);
  const fetches = weightsLead && groupsInAll > 1 && tilesOfGroup > 1 && tilesOfGroup <= mostFetching && isa.name !== 'wasm';
  const next = fetches ? { at: b.move(weightsStart), bytes: Math.ceil((vectors * isa.vectorBytes) / tilesOfGroup) } : undefined;
  if (next) {
    const groupBytes = terms * groupWidth * 4;
    b.advance(next.at, groupBytes);
    const tasksOfGroup = spec.batch * chunks;
    if (tasksOfGroup > 1) b.advance(next.at, b.integer('imul', b.integer('irem', task, tasksOfGroup), Math.floor(groupBytes / tasksOfGroup)));
  }

  // ---- one tile
  const blocks = Math.floor(spec.inChannels / spec.blockSize);
  const rest = spec.inChannels % spec.blockSize;
  const axes = (blockCount: number, channels: number): TermAxis[] => [
    { extent: blockCount, strideBytes: input.block * 4 },
    { extent: spec.kernel[0], strideBytes: input.height * spec.dilation[0] * 4 },
    { extent: spec.kernel[1], strideBytes: input.width * spec.dilation[1] * 4 },
    { extent: channels, strideBytes: input.channel * 4 },
  ];
  /** Whole blocks, then the channels of the last one that exist: the others may hold anything. */
  const contract = (tile: Tile, sums: readonly Vec[]) => {
    const weights = b.move(weightsStart);
    if (blocks > 0) emitContraction(b, tile, axes(blocks, spec.blockSize), rows, weights, sums);
    if (rest === 0) return;
    b.advance(rows, blocks * input.block * 4);
    emitContraction(b, tile, axes(1, rest), rows, weights, sums);
    b.advance(rows, -blocks * input.block * 4);
  };
  const lineBytes = flat ? 0 : input.height * spec.stride[0] * 4;
  const columnBytes = input.width * spec.stride[1] * 4;
  const mode: EmitMode = { kind: 'vector', elem: 'f32' };
  /** Where vector v of a pixel lies for operand i. */
  const place = (i: number, l: number, c: number, v: number) =>
    l * bytes(i, 2) + c * bytes(i, 3) + Math.floor((v * lanes) / blockChannels) * bytes(i, 1) + ((v * lanes) % blockChannels) * bytes(i, 4);
  const finishPixel = (l: number, c: number, sumOf: (v: number) => Vec) => {
    const compute = (v: number) => {
      const others = after.leaves.slice(1).map((leaf, i) => () => emitLeaf(b, mode, leaf, pointers[i], operands[i].strides[4], place(i, l, c, v), lanes));
      return emitExpression(b, mode, after, [{ kind: 'vec', elem: 'f32', reg: sumOf(v) }, ...others]);
    };
    finishVectors(isa, vectors, compute, (v, results) =>
      results.forEach((lane, j) => emitStore(b, mode, 'float32', b.at(pointers[leafCount + j], place(leafCount + j, l, c, v)), lane, lanes)),
    );
  };
  const isLong = (expression: Expression, times: number): boolean =>
    expression.results.length === 1 && times * expressionLength(isa, expression) > longExpression;
  const emitTile = (runs: readonly Run[]) => {
    const pixels = runs.flatMap(({ line: l, column, count }) => Array.from({ length: count }, (_, i) => [l, column + i] as const));
    const tile: Tile = { elem: 'f32', vectors, streams: streams(isa, vectors, terms), next, rowBytes: pixels.map(([l, c]) => l * lineBytes + c * columnBytes) };
    const sums = emitAccumulators(b, tile);
    contract(tile, sums);
    const sum = (r: number, v: number) => sums[r * vectors + v];
    if (!isLong(after, pixels.length * vectors)) {
      pixels.forEach(([l, c], r) => finishPixel(l, c, (v) => sum(r, v)));
      return;
    }
    // A long expression is written once and walks over the sums, which wait where the results go.
    pixels.forEach(([l, c], r) => {
      for (let v = 0; v < vectors; v++) b.store('f32', b.at(pointers[leafCount], place(leafCount, l, c, v)), sum(r, v));
    });
    const movePointers = (l: number, c: number) => pointers.forEach((p, i) => b.advance(p, l * bytes(i, 2) + c * bytes(i, 3)));
    for (const { line: l, column, count } of runs) {
      movePointers(l, column);
      b.loop(count, () => {
        finishPixel(0, 0, (v) => b.load('f32', b.at(pointers[leafCount], place(leafCount, 0, 0, v))));
        movePointers(0, 1);
      });
      movePointers(-l, -column - count);
    }
  };
  const emitColumns = (count: number) => emitTile([{ line: 0, column: 0, count }]);
  const move = (lines: number, columns: number) => {
    b.advance(rows, lines * lineBytes + columns * columnBytes);
    pointers.forEach((p, i) => b.advance(p, lines * bytes(i, 2) + columns * bytes(i, 3)));
  };

  /** Of a single line, tiles of equal width are a loop: the wide ones, then those that are one pixel narrower. */
  const emitUnit = (lines: number) => {
    const tiles = tilesOf(lines, width, tiling.rows);
    if (lines > 1) return tiles.forEach(emitTile);
    const counts = tiles.map(([run]) => run.count);
    for (const columns of new Set(counts.sort((one, other) => other - one))) {
      b.loop(counts.filter((count) => count === columns).length, () => {
        emitColumns(columns);
        move(0, columns);
      });
    }
    move(0, -width);
  };

  const first = b.integer('imul', line.index, chunk);
  const left = b.integer('isub', b.int(units), first);
  const rounds: Int | number = chunks === 1 ? units : b.iselect(b.icompare('lt', left, chunk), left, b.int(chunk));
  if (flat) emitFlat();
  else emitLines();
  return { code: b.finish(), tasks };

  /** All pixels are one line: a unit is a tile. Widths differ by one at most, in an order that `evenParts` fixed. */
  function emitFlat(): void {
    const widths = flatParts.map(([, count]) => count);
    const [narrow, wide] = [Math.min(...widths), Math.max(...widths)];
    // More than 32 bits, which is all that an int has on wasm.
    const product = b.integer('imul', b.extend(first), width);
    const from = b.wrap(b.integer('idiv', product, units));
    moveBy(rows, from, columnBytes);
    pointers.forEach((p, i) => moveBy(p, from, bytes(i, 3)));
    if (narrow === wide) {
      b.loop(rounds, () => {
        emitColumns(wide);
        move(0, wide);
      });
      return;
    }
    // Unit u covers [u * width / units, (u + 1) * width / units), rounded down: wide where the remainder wraps.
    const phase = b.wrap(b.integer('irem', product, units));
    b.loop(rounds, () => {
      b.integer('iadd', phase, width % units, phase);
      const wraps = b.icompare('ge', phase, units);
      b.if(
        wraps,
        () => {
          emitColumns(wide);
          move(0, wide);
          b.integer('isub', phase, units, phase);
        },
        () => {
          emitColumns(narrow);
          move(0, narrow);
        },
      );
    });
  }

  /** A unit is some lines; the image's last unit may have fewer. */
  function emitLines(): void {
    const { lines } = tiling;
    const rest = height % lines;
    moveBy(rows, first, lines * lineBytes);
    pointers.forEach((p, i) => moveBy(p, first, lines * bytes(i, 2)));
    if (rest === 0) {
      b.loop(rounds, () => {
        emitUnit(lines);
        move(lines, 0);
      });
      return;
    }
    const whole = Math.floor(height / lines);
    const wholeLeft = b.integer('isub', b.int(whole), first);
    const roundsInt = typeof rounds === 'number' ? b.int(rounds) : rounds;
    const wholeRounds = b.iselect(b.icompare('lt', wholeLeft, roundsInt), wholeLeft, roundsInt);
    b.loop(wholeRounds, () => {
      emitUnit(lines);
      move(lines, 0);
    });
    b.if(b.icompare('lt', wholeRounds, roundsInt), () => emitUnit(rest));
  }
}
