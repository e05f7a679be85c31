/**
 * Pooling backwards over blocked images: each pixel of dY is added to pixels of dX, those of its window (a sum's), or the first
 * that is as large as the window's maximum Y (NaN being larger than all).
 *
 * A task has whole planes of 16 channels, so that windows may overlap without two tasks adding to one pixel. Which taps of a
 * window lie in the image is known when the kernel is written: positions with the same ones are one loop, and nobody asks for
 * edges. Where windows cover the image and do not overlap, each pixel of dX is written once, through the epilogue; else
 * a plane is zeroed first and passes through the epilogue at the end, all in the second-level cache.
 */
import { type Int, type Isa, KernelBuilder, lanesOf, type Vec } from '../codegen/index.ts';
import { blockChannels } from './conv.ts';
import { emitExpression, emitLeaf, type Expression } from './expression.ts';
import type { TaskedKernel } from './map.ts';
import { bytesOf, loadArguments, type StridedOperand } from './nest.ts';
import { type EmitMode, emitStore } from './pointwise/index.ts';

type Pair = readonly [height: number, width: number];

export interface PoolBackwardSpec {
  readonly name: string;
  readonly kind: 'max' | 'sum';
  readonly batch: number;
  readonly blocks: number;
  /** Pixels of dX, and of dY. */
  readonly size: Pair;
  readonly out: Pair;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly padsBegin: Pair;
  /** dY; of a maximum X and Y; then leaves of `after` but the first, and dX; strides over [image, block, line, column, lane]. */
  readonly operands: readonly StridedOperand[];
  /** First leaf: dX. */
  readonly after: Expression;
}

/** Elements of dX a task should have at least. */
const grain = 16 * 1024;

/** Positions of windows side by side that see the same taps. */
interface Run {
  readonly first: number;
  readonly count: number;
  readonly from: number;
  readonly to: number;
}

function runsOf(spec: PoolBackwardSpec, axis: 0 | 1): Run[] {
  const { size, out, kernel, stride, dilation, padsBegin } = spec;
  const runs: Run[] = [];
  for (let position = 0; position < out[axis]; position++) {
    const start = position * stride[axis] - padsBegin[axis];
    const isIn = (tap: number) => start + tap * dilation[axis] >= 0 && start + tap * dilation[axis] < size[axis];
    const taps = Array.from({ length: kernel[axis] }, (_, tap) => tap).filter(isIn);
    const [from, to] = taps.length === 0 ? [0, 0] : [taps[0], taps[taps.length - 1] + 1];
    const last = runs[runs.length - 1];
    if (last?.from === from && last.to === to) runs[runs.length - 1] = { ...last, count: last.count + 1 };
    else runs.push({ first: position, count: 1, from, to });
  }
  return runs;
}

/** Whether each pixel is in exactly one window. */
const coversOnce = ({ size, out, kernel, stride, dilation, padsBegin }: PoolBackwardSpec): boolean =>
  ([0, 1] as const).every(
    (axis) => padsBegin[axis] === 0 && kernel[axis] === stride[axis] && (dilation[axis] === 1 || kernel[axis] === 1) && out[axis] * stride[axis] === size[axis],
  );

export function poolBackwardKernel(isa: Isa, spec: PoolBackwardSpec): TaskedKernel {
  const { kind, batch, blocks, size, stride, dilation, padsBegin, operands, after } = spec;
  const lanes = lanesOf(isa, 'f32');
  const mode: EmitMode = { kind: 'vector', elem: 'f32' };
  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const pointers = loadArguments(b, args, operands.length);
  const bytes = (i: number, axis: number) => operands[i].strides[axis] * bytesOf(operands[i].dtype);
  const laneStride = (i: number) => operands[i].strides[4];
  const [dy, x, y] = kind === 'max' ? [0, 1, 2] : [0, -1, -1];
  const firstLeaf = kind === 'max' ? 3 : 1;
  const dx = operands.length - 1;
  /** Operands whose pixels are dX's; the others' are dY's. */
  const inner = pointers.map((_, i) => i).filter((i) => i === x || i >= firstLeaf);
  const outer = pointers.map((_, i) => i).filter((i) => !inner.includes(i));

  // ---- tasks: some planes of 16 channels
  const planes = batch * blocks;
  const divisors = Array.from({ length: planes }, (_, i) => i + 1).filter((d) => planes % d === 0);
  const each = divisors.find((d) => d * size[0] * size[1] * blockChannels >= grain) ?? planes;
  const once = coversOnce(spec);
  const lineRuns = runsOf(spec, 0);
  const columnRuns = runsOf(spec, 1);

  const loadAt = (at: readonly Int[], i: number, offset: number, v: number) => b.load('f32', b.at(at[i], offset + v * lanes * laneStride(i) * 4));
  /** What of dX goes out, through the epilogue. */
  const finish = (at: readonly Int[], place: (i: number) => number, v: number, sum: Vec) => {
    const laneAt = (i: number) => place(i) + v * lanes * laneStride(i) * bytesOf(operands[i].dtype);
    const leaves = after.leaves.slice(1).map((leaf, j) => () => emitLeaf(b, mode, leaf, at[firstLeaf + j], laneStride(firstLeaf + j), laneAt(firstLeaf + j), lanes));
    const [result] = emitExpression(b, mode, after, [{ kind: 'vec', elem: 'f32', reg: sum }, ...leaves]);
    emitStore(b, mode, 'float32', b.at(at[dx], laneAt(dx)), result, lanes);
  };
  const emitWindow = (at: readonly Int[], rows: Run, columns: Run) => {
    const zero = b.splat('f32', 0);
    for (let v = 0; v < blockChannels / lanes; v++) {
      let left = loadAt(at, dy, 0, v);
      const most = kind === 'max' ? loadAt(at, y, 0, v) : undefined;
      for (let row = rows.from; row < rows.to; row++) {
        for (let column = columns.from; column < columns.to; column++) {
          const place = (i: number) => row * dilation[0] * bytes(i, 2) + column * dilation[1] * bytes(i, 3);
          let share = left;
          if (most) {
            const element = loadAt(at, x, place(x), v);
            const isMost = b.maskLogic('maskOr', b.compare('f32', 'eq', element, most), b.compare('f32', 'ne', element, element));
            share = b.select('f32', isMost, left, zero);
            left = b.select('f32', isMost, zero, left);
          }
          if (once) {
            finish(at, place, v, share);
            continue;
          }
          const mem = b.at(at[dx], place(dx) + v * lanes * 4);
          b.store('f32', mem, b.add('f32', share, mem));
        }
      }
    }
  };
  /** Loops over pixels of dX. */
  const eachPixel = (starts: readonly Int[], use: (at: readonly Int[]) => void) => {
    const at = starts.map((p) => b.move(p));
    b.loop(size[0], () => {
      b.loop(size[1], () => {
        use(at);
        inner.forEach((i) => b.advance(at[i], bytes(i, 3)));
      });
      inner.forEach((i) => b.advance(at[i], bytes(i, 2) - size[1] * bytes(i, 3)));
    });
  };
  const vectorsOf = (use: (v: number) => void) => {
    for (let v = 0; v < blockChannels / lanes; v++) use(v);
  };

  b.loop(each, (index) => {
    const plane = b.integer('iadd', b.integer('imul', task, each), index);
    const image = b.integer('idiv', plane, blocks);
    const block = b.integer('irem', plane, blocks);
    const starts = pointers.map((p, i) => b.integer('iadd', b.offset(p, image, bytes(i, 0)), b.integer('imul', block, bytes(i, 1))));
    emitPlane(starts);
  });
  return { code: b.finish(), tasks: planes / each };

  function emitPlane(starts: readonly Int[]): void {
    if (!once) eachPixel(starts, (at) => vectorsOf((v) => b.store('f32', b.at(at[dx], v * lanes * 4), b.variable('f32', 0))));
    const at = starts.map((p) => b.move(p));
    inner.forEach((i) => b.advance(at[i], -padsBegin[0] * bytes(i, 2) - padsBegin[1] * bytes(i, 3)));
    const move = (lines: number, columns: number) => {
      inner.forEach((i) => b.advance(at[i], lines * stride[0] * bytes(i, 2) + columns * stride[1] * bytes(i, 3)));
      outer.forEach((i) => b.advance(at[i], lines * bytes(i, 2) + columns * bytes(i, 3)));
    };
    for (const rows of lineRuns) {
      b.loop(rows.count, () => {
        for (const columns of columnRuns) {
          b.loop(columns.count, () => {
            emitWindow(at, rows, columns);
            move(0, 1);
          });
        }
        move(1, -spec.out[1]);
      });
    }
    if (!once && after.nodes.length > 0) eachPixel(starts, (pixel) => vectorsOf((v) => finish(pixel, () => 0, v, loadAt(pixel, dx, 0, v))));
  }
}
