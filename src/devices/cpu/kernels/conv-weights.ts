/**
 * The weights' cotangent of a direct convolution: dW[o, c, tap] = the sum over pixels of dY[o, pixel] X[c, pixel moved by tap].
 *
 * The register tile is R rows (input channels x taps) x V vectors (output channels); its terms are pixels. A pixel loads V
 * vectors of dY, repeats one element of X for each row, and makes R * V multiply-adds:
 *
 *     registers   R * V sums + V of dY + 1 repeated element     12 * 2 + 2 + 1 = 27 of 32 (AVX-512: 4 channels x 3 taps)
 *     loads       V + R for R * V multiply-adds                 14 for 24
 *
 * All tiles of a task pass over some lines of an image while these lie in the first-level cache; what each adds up there goes to
 * the sums in memory, [part of the pixels][panel of V vectors][block][kernel line][kernel column][input channel][V vectors].
 * A task has the sums of some panels and blocks, over one part of the pixels: parts follow from shapes alone, and are added in
 * their order by another step, so that bits do not depend on threads.
 */
import { type Int, type Isa, KernelBuilder, lanesOf, type Vec } from '../codegen/index.ts';
import { fits, registersOf } from './contract.ts';
import { blockChannels } from './conv.ts';
import type { TaskedKernel } from './map.ts';
import { fewTasks, loadArguments } from './nest.ts';

type Pair = readonly [height: number, width: number];

export interface ConvWeightsSpec {
  readonly name: string;
  readonly batch: number;
  readonly groups: number;
  /** Of a group. */
  readonly inChannels: number;
  readonly outChannels: number;
  /** Input channels of a block: 16, or all there are of an image in NCHW. */
  readonly blockSize: number;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  /** Pixels of dY. */
  readonly out: { readonly height: number; readonly width: number };
  /** Strides in elements; the pointer is at the first padded pixel. `group`: from the first channel of one to that of the next. */
  readonly input: { readonly batch: number; readonly group: number; readonly block: number; readonly channel: number; readonly height: number; readonly width: number };
  /** Of dY, blocked. */
  readonly cotangent: { readonly batch: number; readonly block: number; readonly height: number; readonly width: number };
}

export interface ConvWeightsTiling {
  readonly vectors: number;
  /** Panels of `vectors` vectors that cover a group's output channels. */
  readonly panels: number;
  readonly blocks: number;
  /** Of a register tile. */
  readonly rows: { readonly channels: number; readonly lines: number; readonly columns: number };
  /** Whether pixels are one line. */
  readonly flat: boolean;
  readonly height: number;
  readonly width: number;
  /** Lines, or pixels where they are one line, of a unit of work; and units in all. */
  readonly lines: number;
  readonly units: number;
  /** Parts of the units that are added up apart. */
  readonly parts: number;
  /** Panels and blocks of a task. */
  readonly taskPanels: number;
  readonly taskBlocks: number;
}

/** Multiply-adds a task should have at least. */
const grain = 1024 * 1024;
/** Of X and dY for one panel and one block, which all tiles read: in the first-level cache. */
const unitBytes = 24 * 1024;
/** Of a task's sums, which every unit adds to: in the second-level cache. */
const sumBytes = 256 * 1024;
/** Of X for all blocks of a task, which every panel reads again: in the second-level cache. */
const inputBytes = 256 * 1024;

const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
const two = ([a, b]: Pair): number => a * b;

/** Chooses register tile, unit and parts; the tile is the one with the fewest cycles by a count of its operations. */
export function tileConvWeights(isa: Isa, spec: ConvWeightsSpec): ConvWeightsTiling {
  const lanes = lanesOf(isa, 'f32');
  const vectorsInAll = Math.ceil(spec.outChannels / blockChannels) * (blockChannels / lanes);
  const perBlock = blockChannels / lanes;
  const blocks = Math.ceil(spec.inChannels / spec.blockSize);
  let best: { cycles: number; vectors: number; rows: ConvWeightsTiling['rows'] } | undefined;
  for (const vectors of [1, 2, 3, 4]) {
    if (vectorsInAll % vectors !== 0 || (vectors % perBlock !== 0 && perBlock % vectors !== 0)) continue;
    for (const channels of divisors(spec.blockSize)) {
      for (const lines of divisors(spec.kernel[0])) {
        for (const columns of divisors(spec.kernel[1])) {
          const rows = channels * lines * columns;
          if (!fits(isa, { rows, vectors })) continue;
          // Arithmetic, loads, the latency of the additions.
          const registers = registersOf(isa, vectors);
          const cycles = (Math.max((rows * registers) / 2, (rows + registers) / 2, 4) + 0.5) / (rows * vectors);
          if (!best || cycles < best.cycles) best = { cycles, vectors, rows: { channels, lines, columns } };
        }
      }
    }
  }
  const { vectors, rows } = best!;
  const panels = vectorsInAll / vectors;

  const { input, cotangent, out, stride } = spec;
  const follows = input.height * stride[0] === input.width * stride[1] * out.width && cotangent.height === cotangent.width * out.width;
  const flat = out.height > 1 && follows;
  const height = flat ? out.height * out.width : out.height;
  const width = flat ? 1 : out.width;
  const lineBytes = width * 4 * (vectors * lanes + stride[0] * stride[1] * spec.blockSize);
  const most = Math.max(1, Math.floor(unitBytes / lineBytes), flat ? 32 : 1);
  const fitsInput = Math.floor(inputBytes / (width * 4 * stride[0] * stride[1] * spec.blockSize * blocks));
  const perImage = Math.ceil(height / Math.max(1, Math.min(most, Math.max(flat ? 64 : 1, fitsInput))));
  const lines = Math.ceil(height / perImage);
  const units = spec.batch * Math.ceil(height / lines);

  // Tasks: first so that sums and inputs stay in the second-level cache, then until there are enough for the threads.
  const tileBytes = two(spec.kernel) * spec.blockSize * vectors * isa.vectorBytes;
  let taskPanels = panels;
  let taskBlocks = blocks;
  const smaller = (n: number): number => divisors(n).at(-2)!;
  while (taskPanels * taskBlocks > 1 && taskPanels * taskBlocks * tileBytes > sumBytes) {
    const cutsPanels = taskBlocks === 1 || (taskPanels > 1 && taskPanels * vectors * lanes >= taskBlocks * spec.blockSize);
    if (cutsPanels) taskPanels = smaller(taskPanels);
    else taskBlocks = smaller(taskBlocks);
  }
  const work = spec.batch * out.height * out.width * spec.groups * panels * blocks * two(spec.kernel) * spec.blockSize * vectors * lanes;
  const wanted = Math.min(fewTasks, Math.floor(work / grain));
  const inTasks = spec.groups * (panels / taskPanels) * (blocks / taskBlocks);
  const wantedParts = Math.max(1, Math.min(units, Math.floor(wanted / inTasks)));
  const parts = Math.ceil(units / Math.ceil(units / wantedParts));
  return { vectors, panels, blocks, rows, flat, height, width, lines, units, parts, taskPanels, taskBlocks };
}

/** Elements of the sums of one part. */
export const convWeightsSize = (isa: Isa, spec: ConvWeightsSpec, { panels, blocks, vectors }: ConvWeightsTiling): number =>
  spec.groups * panels * blocks * two(spec.kernel) * spec.blockSize * vectors * lanesOf(isa, 'f32');

/** How many pixels are written out in the innermost loop; on wasm, where only loops have fences, without a rest. */
function unrollFor(isa: Isa, pixels: number): number {
  if (isa.name === 'wasm') return [4, 3, 2].find((n) => pixels % n === 0 && pixels > n) ?? 1;
  return pixels <= 7 ? pixels : ([4, 5, 6, 7].find((n) => pixels % n === 0) ?? 4);
}

/** Arguments: X, dY, the sums. */
export function convWeightsKernel(isa: Isa, spec: ConvWeightsSpec, tiling: ConvWeightsTiling): TaskedKernel {
  const { vectors, panels, blocks, rows, flat, height, lines, units, parts, taskPanels, taskBlocks } = tiling;
  const { input, cotangent, kernel, dilation, stride, blockSize } = spec;
  const lanes = lanesOf(isa, 'f32');
  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const [x, dy, sumsStart] = loadArguments(b, args, 3);

  // ---- strides in bytes
  const panelBytes = vectors * lanes * 4;
  const rowAt = (c: number, line: number, column: number) => ((line * kernel[1] + column) * blockSize + c) * panelBytes;
  const blockBytes = rowAt(0, kernel[0], 0);
  const tapAt = (c: number, line: number, column: number) => (c * input.channel + line * dilation[0] * input.height + column * dilation[1] * input.width) * 4;
  const xPixel = input.width * stride[1] * 4;
  const dyPixel = cotangent.width * 4;
  const xLine = flat ? xPixel : input.height * stride[0] * 4;
  const dyLine = flat ? dyPixel : cotangent.height * 4;
  /** Where vector v of a panel begins. Panels smaller than a block begin within it. */
  const vectorAt = (v: number) => Math.floor((v * lanes) / blockChannels) * cotangent.block * 4 + ((v * lanes) % blockChannels) * 4;

  const part = (index: Int, count: number): { index: Int | undefined; rest: Int } => {
    if (count === 1) return { index: undefined, rest: index };
    return { index: b.integer('irem', index, count), rest: b.integer('idiv', index, count) };
  };
  const moveBy = (pointer: Int, index: Int | undefined, bytes: number) => {
    if (index && bytes !== 0) b.advance(pointer, b.integer('imul', index, bytes));
  };

  // ---- tasks: [part of the pixels][group][panels][blocks]
  const blockPart = part(task, blocks / taskBlocks);
  const panelPart = part(blockPart.rest, panels / taskPanels);
  const group = part(panelPart.rest, spec.groups);
  const pixelPart = parts > 1 ? group.rest : undefined;
  moveBy(x, blockPart.index, taskBlocks * input.block * 4);
  moveBy(x, group.index, input.group * 4);
  moveBy(sumsStart, blockPart.index, taskBlocks * blockBytes);
  moveBy(sumsStart, panelPart.index, taskPanels * blocks * blockBytes);
  moveBy(sumsStart, group.index, panels * blocks * blockBytes);
  moveBy(sumsStart, pixelPart, spec.groups * panels * blocks * blockBytes);
  moveBy(dy, group.index, Math.ceil(spec.outChannels / blockChannels) * cotangent.block * 4);
  const perBlock = blockChannels / (vectors * lanes);
  /** Moves dY's pointer to a panel. */
  const toPanel = (pointer: Int, index: Int | undefined) => {
    if (perBlock <= 1) return moveBy(pointer, index, cotangent.block * 4 / perBlock);
    if (!index) return;
    moveBy(pointer, b.integer('idiv', index, perBlock), cotangent.block * 4);
    moveBy(pointer, b.integer('irem', index, perBlock), panelBytes);
  };
  const firstPanel = panelPart.index && b.integer('imul', panelPart.index, taskPanels);
  const tasks = (blocks / taskBlocks) * (panels / taskPanels) * spec.groups * parts;

  // ---- one tile over the lines of a unit
  const tileRows = Array.from({ length: rows.lines }, (_, line) => line).flatMap((line) =>
    Array.from({ length: rows.columns }, (_, column) => column).flatMap((column) =>
      Array.from({ length: rows.channels }, (_, c) => ({ tap: tapAt(c, line, column), sum: rowAt(c, line, column) })),
    ),
  );
  /** In a loop fences keep V8 from moving all loads before the multiply-adds, as in `contract`. */
  const emitPixels = (xAt: Int, dyAt: Int, sums: readonly Vec[], count: number, looped = false) => {
    const fenced = looped && isa.name === 'wasm' && !isa.pairs;
    for (let pixel = 0; pixel < count; pixel++) {
      const w = Array.from({ length: vectors }, (_, v) => b.load('f32', b.at(dyAt, pixel * dyPixel + vectorAt(v))));
      tileRows.forEach(({ tap }, r) => {
        const element = b.splatAt(xAt, tap + pixel * xPixel);
        if (vectors === 1 && isa.splatOperands) return b.accumulate('f32', sums[r], w[0], element);
        const repeated = b.load('f32', element);
        for (let v = 0; v < vectors; v++) b.accumulate('f32', sums[r * vectors + v], repeated, w[v]);
        if (fenced && (pixel < count - 1 || r < tileRows.length - 1)) b.fence(dyAt);
      });
    }
    b.advance(xAt, count * xPixel);
    b.advance(dyAt, count * dyPixel);
  };
  const emitRun = (xAt: Int, dyAt: Int, sums: readonly Vec[], pixels: number) => {
    const unroll = unrollFor(isa, pixels);
    b.loop(Math.floor(pixels / unroll), () => emitPixels(xAt, dyAt, sums, unroll, pixels > unroll));
    if (pixels % unroll > 0) emitPixels(xAt, dyAt, sums, pixels % unroll);
  };
  const lastLines = height - (Math.ceil(height / lines) - 1) * lines;
  const emitTile = (xTile: Int, dyPanel: Int, sumsAt: Int, round: Int, isLast: Int | undefined) => {
    const xAt = b.move(xTile);
    const dyAt = b.move(dyPanel);
    const sums = Array.from({ length: tileRows.length * vectors }, () => b.variable('f32', 0));
    if (flat) {
      if (!isLast) emitRun(xAt, dyAt, sums, lines);
      else b.if(isLast, () => emitRun(xAt, dyAt, sums, lastLines), () => emitRun(xAt, dyAt, sums, lines));
    } else {
      const count = isLast ? b.iselect(isLast, b.int(lastLines), b.int(lines)) : lines;
      b.loop(count, () => {
        emitRun(xAt, dyAt, sums, tiling.width);
        b.advance(xAt, xLine - tiling.width * xPixel);
        b.advance(dyAt, dyLine - tiling.width * dyPixel);
      });
    }
    const each = (body: (sum: Vec, offset: number) => void) =>
      tileRows.forEach(({ sum }, r) => {
        for (let v = 0; v < vectors; v++) body(sums[r * vectors + v], sum + v * lanes * 4);
      });
    b.if(b.icompare('ne', round, 0), () => each((sum, offset) => b.add('f32', sum, b.at(sumsAt, offset), sum)));
    each((sum, offset) => b.store('f32', b.at(sumsAt, offset), sum));
  };

  // ---- the nest: units, panels, blocks, tiles
  /** A loop that moves pointers along, and back at its end. */
  const walk = (count: number, moves: readonly (readonly [Int, number])[], body: () => void) => {
    if (count === 1) return body();
    b.loop(count, () => {
      body();
      moves.forEach(([pointer, bytes]) => b.advance(pointer, bytes));
    });
    moves.forEach(([pointer, bytes]) => b.advance(pointer, -count * bytes));
  };
  const perPart = Math.ceil(units / parts);
  const perImage = units / spec.batch;
  const firstUnit = pixelPart ? b.integer('imul', pixelPart, perPart) : b.int(0);
  const left = b.integer('isub', b.int(units), firstUnit);
  const rounds = parts === 1 ? units : units % perPart === 0 ? perPart : b.iselect(b.icompare('lt', left, perPart), left, b.int(perPart));
  b.loop(rounds, (round) => {
    const unit = b.integer('iadd', firstUnit, round);
    const xUnit = b.move(x);
    const dyUnit = b.move(dy);
    const line = part(unit, perImage);
    moveBy(xUnit, line.index, lines * xLine);
    moveBy(dyUnit, line.index, lines * dyLine);
    if (spec.batch > 1) {
      moveBy(xUnit, line.rest, input.batch * 4);
      moveBy(dyUnit, line.rest, cotangent.batch * 4);
    }
    const isLast = lastLines === lines || !line.index ? undefined : b.icompare('eq', line.index, perImage - 1);
    const sumsAt = b.move(sumsStart);
    const panelRound = (dyPanel: Int) =>
      walk(taskBlocks, [[xUnit, input.block * 4], [sumsAt, blockBytes]], () =>
        walk(kernel[0] / rows.lines, [[xUnit, tapAt(0, rows.lines, 0)], [sumsAt, rowAt(0, rows.lines, 0)]], () =>
          walk(kernel[1] / rows.columns, [[xUnit, tapAt(0, 0, rows.columns)], [sumsAt, rowAt(0, 0, rows.columns)]], () =>
            walk(blockSize / rows.channels, [[xUnit, tapAt(rows.channels, 0, 0)], [sumsAt, rowAt(rows.channels, 0, 0)]], () =>
              emitTile(xUnit, dyPanel, sumsAt, round, isLast),
            ),
          ),
        ),
      );
    b.loop(taskPanels, (index) => {
      const dyPanel = b.move(dyUnit);
      const panel = taskPanels === 1 ? firstPanel : firstPanel ? b.integer('iadd', firstPanel, index) : index;
      toPanel(dyPanel, panel);
      panelRound(dyPanel);
      b.advance(sumsAt, blocks * blockBytes);
    });
  });
  return { code: b.finish(), tasks };
}
