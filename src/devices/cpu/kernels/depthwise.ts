/**
 * Depthwise convolution in NCHW16c: each channel by a kernel of its own, so a vector of channels meets one vector of weights a tap.
 * The input carries its padding with it.
 *
 * A tile is T pixels side by side. For each line of the kernel its weights are loaded once, and each input pixel once for all taps
 * and sums that read it:
 *
 *     registers   T sums + K weights + 1 input pixel                       16 + 3 + 1 = 20 of 32 (AVX-512, 3 wide)
 *     loads       K weights + K + (T - 1) * stride pixels, T * K multiply-adds   21 for 48
 */
import { type Int, type Isa, KernelBuilder, lanesOf, type Vec } from '../codegen/index.ts';
import { evenParts, finishVectors } from './contract.ts';
import { blockChannels } from './conv.ts';
import { emitExpression, emitLeaf, type Expression } from './expression.ts';
import type { TaskedKernel } from './map.ts';
import { bytesOf, enterTask, loadArguments, loopAxes, splitTasks, type StridedOperand } from './nest.ts';
import { type EmitMode, emitStore } from './pointwise/index.ts';

export interface DepthwiseSpec {
  readonly name: string;
  readonly batch: number;
  /** Blocks of channels. */
  readonly blocks: number;
  readonly out: { readonly height: number; readonly width: number };
  /** Input strides in elements; the pointer is at the first padded pixel. */
  readonly input: { readonly batch: number; readonly block: number; readonly height: number; readonly width: number };
  readonly kernel: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  readonly dilation: readonly [height: number, width: number];
  /** First leaf: the sums. */
  readonly after: Expression;
  /** Other leaves of `after`, then its results; strides over [image, channel block, line, column, lane]. */
  readonly operands: readonly StridedOperand[];
}

/** Multiply-adds a task should have at least. */
const grain = 64 * 1024;

/** More pixels than that hide nothing more, and cost code. */
const mostPixels = 16;

/** Taps of a line whose weights are in registers together. */
const mostTaps = 5;

/** Weights are packed [block][kernel line][kernel column][16 channels]. */
export function depthwiseKernel(isa: Isa, spec: DepthwiseSpec): TaskedKernel {
  const { input, out, kernel, stride, dilation, after, operands } = spec;
  const [kernelHeight, kernelWidth] = kernel;
  const lanes = lanesOf(isa, 'f32');
  const vectors = isa.pairs ? 2 : 1;
  const mode: EmitMode = { kind: 'vector', elem: 'f32' };
  const parts = evenParts(kernelWidth, mostTaps);
  const most = Math.min(mostPixels, isa.vectorRegisters - Math.max(...parts.map(([, count]) => count)) - 2);
  const fenced = isa.name === 'wasm' && !isa.pairs && kernelHeight > 1;
  const leafCount = after.leaves.length - 1;

  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const pointers = loadArguments(b, args, 2 + operands.length);
  const [image, weights, ...others] = pointers;
  const bytes = (i: number, axis: number) => operands[i].strides[axis] * bytesOf(operands[i].dtype);

  /** Adds some taps of a line of the kernel to the sums. */
  const addLine = (pixels: number, rows: Int, taps: Int, sums: readonly (readonly Vec[])[], [first, count]: readonly [number, number]) => {
    const tapAt = (x: number, v: number) => b.load('f32', b.at(taps, (x * blockChannels + v * lanes) * 4));
    const w = Array.from({ length: count }, (_, x) => Array.from({ length: vectors }, (__, v) => tapAt(first + x, v)));
    const last = (pixels - 1) * stride[1] + (first + count - 1) * dilation[1];
    for (let column = first * dilation[1]; column <= last; column++) {
      const readers = w.flatMap((tap, x) => {
        const pixel = (column - (first + x) * dilation[1]) / stride[1];
        return Number.isInteger(pixel) && pixel >= 0 && pixel < pixels ? [{ tap, sum: sums[pixel] }] : [];
      });
      if (readers.length === 0) continue;
      const read = Array.from({ length: vectors }, (_, v) => b.load('f32', b.at(rows, (column * input.width + v * lanes) * 4)));
      for (const { tap, sum } of readers) read.forEach((x, v) => b.accumulate('f32', sum[v], x, tap[v]));
      if (fenced) b.fence(rows);
    }
  };
  const emitTile = (pixels: number) => {
    const sums = Array.from({ length: pixels }, () => Array.from({ length: vectors }, () => b.variable('f32', 0)));
    const rows = b.move(image);
    const taps = b.move(weights);
    b.loop(kernelHeight, () => {
      for (const part of parts) addLine(pixels, rows, taps, sums, part);
      b.advance(rows, input.height * dilation[0] * 4);
      b.advance(taps, kernelWidth * blockChannels * 4);
    });
    sums.forEach((sum, column) => {
      const place = (i: number, v: number) => column * bytes(i, 3) + v * lanes * bytes(i, 4);
      const compute = (v: number) => {
        const leaves = after.leaves.slice(1).map((leaf, i) => () => emitLeaf(b, mode, leaf, others[i], operands[i].strides[4], place(i, v), lanes));
        return emitExpression(b, mode, after, [{ kind: 'vec', elem: 'f32', reg: sum[v] }, ...leaves]);
      };
      finishVectors(isa, vectors, compute, (v, results) =>
        results.forEach((lane, j) => emitStore(b, mode, 'float32', b.at(others[leafCount + j], place(leafCount + j, v)), lane, lanes)),
      );
    });
  };
  const move = (columns: number, channels: number) => {
    b.advance(image, (columns * stride[1] * input.width + channels) * 4);
    b.advance(weights, channels * 4);
    others.forEach((p, i) => b.advance(p, columns * bytes(i, 3) + channels * bytes(i, 4)));
  };

  // ---- the nest: images, blocks, lines; the vectors of a block; the pixels of a line
  const nest = {
    extents: [spec.batch, spec.blocks, out.height],
    operands: [
      { dtype: 'float32' as const, strides: [input.batch, input.block, input.height * stride[0]] },
      { dtype: 'float32' as const, strides: [0, kernelHeight * kernelWidth * blockChannels, 0] },
      ...operands.map(({ dtype, strides }) => ({ dtype, strides: strides.slice(0, 3) })),
    ],
  };
  const counts = evenParts(out.width, most).map(([, count]) => count);
  const widths = [...new Set(counts)].sort((one, other) => other - one);
  const work = spec.batch * spec.blocks * blockChannels * out.height * out.width * kernelHeight * kernelWidth;
  const split = splitTasks(nest.extents, work, grain);
  const { rounds } = enterTask(b, task, nest, split, pointers);
  const step = vectors * lanes;
  loopAxes(b, nest, split.axis, nest.extents.length, pointers, rounds, () => {
    b.loop(blockChannels / step, () => {
      for (const pixels of widths) {
        b.loop(counts.filter((count) => count === pixels).length, () => {
          emitTile(pixels);
          move(pixels, 0);
        });
      }
      move(-out.width, step);
    });
    move(0, -blockChannels);
  });
  return { code: b.finish(), tasks: split.tasks };
}
