/**
 * rows: softmax and layer normalisation along rows of float32, each row read from memory once and finished while it is in the
 * first-level cache. A row's elements lie side by side; where the rows lie is a matter of strides.
 */
import { apply, input } from '../../../graph/index.ts';
import { type Int, type Isa, KernelBuilder, lanesOf, type Vec } from '../codegen/index.ts';
import { emitExpression, type Expression } from './expression.ts';
import type { TaskedKernel } from './map.ts';
import { bytesOf, coalesce, enterTask, loadArguments, loopAxes, splitTasks, type StridedOperand } from './nest.ts';

export interface RowsSpec {
  readonly name: string;
  /** Where the rows lie: extents of the axes before the last, and for each operand strides over them. */
  readonly extents: readonly number[];
  readonly operands: readonly StridedOperand[];
  /** Elements of a row. */
  readonly length: number;
}

/** Elements a task should have at least. */
const grain = 16 * 1024;

/** Rows of that many elements are summed without losing precision, and stay in the first-level cache. */
export const rowLengths = { least: 16, most: 4096 } as const;

/** Vectors side by side in a loop: V8 moves all their loads to its beginning, and has few registers for them. */
const besides = (isa: Isa): number => (isa.name === 'wasm' ? 2 : 4);

/** Writes the nest of rows; `body` computes the row that the pointers, one for each operand, are at. */
function rowsKernel(isa: Isa, spec: RowsSpec, body: (b: KernelBuilder, pointers: readonly Int[]) => void): TaskedKernel {
  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const pointers = loadArguments(b, args, spec.operands.length);
  const axes = coalesce(spec);
  const rows = axes.extents.reduce((product, extent) => product * extent, 1);
  const split = splitTasks(axes.extents, rows * spec.length, grain);
  const { rounds } = enterTask(b, task, axes, split, pointers);
  loopAxes(b, axes, split.axis, axes.extents.length, pointers, rounds, () => body(b, pointers));
  return { code: b.finish(), tasks: split.tasks };
}

/**
 * Goes along a row: `body` gets the byte offset of each vector, which of those side by side it is, and how many of its lanes there are.
 * Afterwards the pointers are back.
 */
function alongRow(b: KernelBuilder, length: number, pointers: readonly Int[], body: (at: number, which: number, count: number) => void): void {
  const lanes = lanesOf(b.isa, 'f32');
  const width = besides(b.isa);
  const step = width * lanes;
  const rounds = Math.floor(length / step);
  const bytes = bytesOf('float32');
  b.loop(rounds, () => {
    for (let u = 0; u < width; u++) body(u * lanes * bytes, u, lanes);
    for (const pointer of pointers) b.advance(pointer, step * bytes);
  });
  for (let at = rounds * step, u = 0; at < length; at += lanes, u++) body((at - rounds * step) * bytes, u, Math.min(lanes, length - at));
  for (const pointer of pointers) b.advance(pointer, -rounds * step * bytes);
}

/** Accumulators for the vectors side by side, and what they come to together. */
function accumulators(b: KernelBuilder, initial: number, combine: (a: Vec, c: Vec) => Vec): { each: Vec[]; total: () => Vec } {
  const each = Array.from({ length: besides(b.isa) }, () => b.variable('f32', initial));
  return { each, total: () => each.reduce(combine) };
}

/** exp(x - m). */
const power = (): Expression => {
  const [x, m] = ['x', 'm'].map((name) => input(name, 'float32', [1, 2]));
  const shifted = apply('Sub', [x, m]);
  const result = apply('Exp', [shifted]);
  return { nodes: [shifted.node, result.node], leaves: [x, m], results: [result] };
};

/** Operands: x, then the result. */
export function softmaxKernel(isa: Isa, spec: RowsSpec): TaskedKernel {
  const { length } = spec;
  const lanes = lanesOf(isa, 'f32');
  const expression = power();
  return rowsKernel(isa, spec, (b, [x, out]) => {
    const largest = accumulators(b, -Infinity, (a, c) => b.max('f32', a, c));
    // The last vector may see elements again: what is largest stays so.
    alongRow(b, length, [x], (at, u, count) => b.max('f32', largest.each[u], b.load('f32', b.at(x, at - (lanes - count) * 4)), largest.each[u]));
    const shift = b.reduce('reduceMax', 'f32', largest.total());
    const sums = accumulators(b, 0, (a, c) => b.add('f32', a, c));
    alongRow(b, length, [x, out], (at, u, count) => {
      const read = b.load('f32', b.at(x, at), count);
      const [value] = emitExpression(b, { kind: 'vector', elem: 'f32' }, expression, [read, shift].map((reg) => ({ kind: 'vec', elem: 'f32', reg })));
      const kept = b.firstLanes('f32', (value as { reg: Vec }).reg, count);
      b.store('f32', b.at(out, at), kept, count);
      b.add('f32', sums.each[u], kept, sums.each[u]);
    });
    const scale = b.div('f32', b.splat('f32', 1), b.reduce('reduceAdd', 'f32', sums.total()));
    alongRow(b, length, [out], (at, _, count) => b.store('f32', b.at(out, at), b.mul('f32', scale, b.load('f32', b.at(out, at), count)), count));
  });
}

/** (x - mean) / sqrt(variance + epsilon) * scale + bias. Operands: x, scale, bias where there is one, then the result. */
export function layerNormKernel(isa: Isa, spec: RowsSpec & { readonly epsilon: number }): TaskedKernel {
  const { length, epsilon } = spec;
  return rowsKernel(isa, spec, (b, [x, scale, ...others]) => {
    const [bias, out] = others.length === 2 ? others : [undefined, others[0]];
    const share = b.splat('f32', 1 / length);
    const sums = accumulators(b, 0, (a, c) => b.add('f32', a, c));
    alongRow(b, length, [x], (at, u, count) => b.add('f32', sums.each[u], b.load('f32', b.at(x, at), count), sums.each[u]));
    const mean = b.mul('f32', b.reduce('reduceAdd', 'f32', sums.total()), share);
    const squares = accumulators(b, 0, (a, c) => b.add('f32', a, c));
    alongRow(b, length, [x], (at, u, count) => {
      const apart = b.firstLanes('f32', b.sub('f32', b.load('f32', b.at(x, at), count), mean), count);
      b.accumulate('f32', squares.each[u], apart, apart);
    });
    const variance = b.mul('f32', b.reduce('reduceAdd', 'f32', squares.total()), share);
    const inverse = b.div('f32', b.splat('f32', 1), b.unary('sqrt', 'f32', b.add('f32', variance, b.splat('f32', epsilon))));
    alongRow(b, length, bias ? [x, scale, bias, out] : [x, scale, out], (at, _, count) => {
      const value = b.mul('f32', b.sub('f32', b.load('f32', b.at(x, at), count), mean), inverse);
      const scaled = b.mul('f32', value, b.load('f32', b.at(scale, at), count));
      b.store('f32', b.at(out, at), bias ? b.add('f32', scaled, b.load('f32', b.at(bias, at), count)) : scaled, count);
    });
  });
}
