/**
 * places: elements, or runs of neighbours, that a tensor of indices names by one or more coordinates; picked from there
 * (GatherElements, GatherND) or scattered to there (ScatterElements, ScatterND).
 *
 * Indices are data, so they are never believed. Negative ones count from the end of their axis. Where one is still outside,
 * the nearest element is picked, and nothing is scattered (as in jax.lax: gathers clip, scatters drop).
 */
import type { DType, Node } from '../../../graph/index.ts';
import { type Int, type Isa, KernelBuilder, lanesOf, type Long, type Mem } from '../codegen/index.ts';
import type { TaskedKernel } from './map.ts';
import { bytesOf, coalesce, enterTask, loadArguments, loopAxes, splitTasks } from './nest.ts';
import { canVectorise, type EmitMode, emitLoad, emitNode, emitStore } from './pointwise/index.ts';

export type IndexDType = 'int32' | 'int64';

/** Data is the tensor that is indexed; items is the one with an element, or a run of them, for each position. */
export interface PlacesSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly indexDtype: IndexDType;
  /** From data to items, or from items to data. */
  readonly move: 'pick' | 'scatter';
  /** Of the positions, outermost first: how far each moves along data, indices and items, in elements. */
  readonly axes: readonly { readonly extent: number; readonly data: number; readonly index: number; readonly items: number }[];
  /** How many axes, from the first, are cut into tasks; when scattering, those whose positions never share a place. */
  readonly parallel: number;
  /** What a position's indices choose from: `dim` elements, `data` apart; the index lies at `index` in its position's. */
  readonly coordinates: readonly { readonly dim: number; readonly data: number; readonly index: number }[];
  /** The run of neighbours at a place; the last axis goes into lanes. */
  readonly inner: readonly { readonly extent: number; readonly data: number; readonly items: number }[];
  /** When scattering: a pointwise node of what is there and what comes. Left out, what comes stays. */
  readonly meet?: Node;
}

const grain = 16 * 1024;

/** An index as a place along an axis of `dim` > 0 elements: always one of them; `inside` tells whether it was meant. */
export function indexAt(b: KernelBuilder, dtype: IndexDType, mem: Mem, dim: number): { index: Int; inside: () => Int } {
  if (dtype === 'int32') return clamped(b, b.iload('int', mem, 32), dim, b.int(0), b.int(dim - 1));
  const { index, inside } = clamped(b, b.iload('long', mem, 64), dim, b.long(0n), b.long(BigInt(dim - 1)));
  return { index: b.wrap(index), inside };
}

function clamped<R extends Int | Long>(b: KernelBuilder, raw: R, dim: number, first: R, last: R): { index: R; inside: () => Int } {
  const place = b.iselect(b.icompare('lt', raw, 0), b.integer('iadd', raw, dim), raw);
  const low = b.iselect(b.icompare('lt', place, 0), first, place);
  const index = b.iselect(b.icompare('ge', low, dim), last, low);
  return { index, inside: () => b.icompare('eq', index, place) };
}

/** Arguments: indices, what is read (data or items), what is written. Positions follow each other in order. */
export function placesKernel(isa: Isa, spec: PlacesSpec): TaskedKernel {
  const { dtype, indexDtype, meet, inner } = spec;
  const scatters = spec.move === 'scatter';
  const size = bytesOf(dtype);
  const b = new KernelBuilder(spec.name, isa);
  const args = b.param();
  const task = b.param();
  const [indices, from, to] = loadArguments(b, args, 3);
  const [data, items] = scatters ? [to, from] : [from, to];

  const nest = {
    extents: spec.axes.map(({ extent }) => extent),
    operands: [
      { dtype: indexDtype, strides: spec.axes.map((axis) => axis.index) },
      { dtype, strides: spec.axes.map((axis) => axis.data) },
      { dtype, strides: spec.axes.map((axis) => axis.items) },
    ],
  };
  const axes = coalesce(nest, [], spec.parallel);
  const pointers = [indices, data, items];
  const work = [...axes.extents, ...inner.map(({ extent }) => extent)].reduce((x, y) => x * y, 1);
  const split = splitTasks(axes.extents.slice(0, axes.kept), work, grain);
  const { rounds } = enterTask(b, task, axes, split, pointers);

  // ---- an element or a vector: whole vectors where neighbours are neighbours on both sides
  const last = inner.at(-1) ?? { extent: 1, data: 1, items: 1 };
  const elem = size === 8 ? 'f64' : 'f32';
  const vectors = last.extent > 1 && last.data === 1 && last.items === 1 && size >= 4 && (!meet || canVectorise([meet]));
  const mode: EmitMode = vectors ? { kind: 'vector', elem } : { kind: 'scalar' };
  const lanes = vectors ? lanesOf(isa, elem) : 1;
  const width = (size * 8) as 8 | 16 | 32 | 64;
  const element = (place: Mem, item: Mem, count: number) => {
    const [source, target] = scatters ? [item, place] : [place, item];
    if (meet) {
      const both = [target, source].map((mem) => emitLoad(b, mode, dtype, mem, count));
      emitStore(b, mode, dtype, target, emitNode(b, mode, meet, both), count);
    } else if (vectors) b.store(elem, target, b.load(elem, source, count), count);
    else b.istore(target, b.iload('long', source, width), width);
  };

  // ---- the neighbours at a place
  const around = {
    extents: inner.map(({ extent }) => extent),
    operands: [
      { dtype, strides: inner.map((axis) => axis.data) },
      { dtype, strides: inner.map((axis) => axis.items) },
    ],
  };
  const visit = (place: Int) =>
    loopAxes(b, around, 0, inner.length - 1, [place, items], undefined, () => {
      const full = Math.floor(last.extent / lanes);
      const move = (elements: number) => {
        b.advance(place, elements * last.data * size);
        b.advance(items, elements * last.items * size);
      };
      b.loop(full, () => {
        element(b.at(place), b.at(items), lanes);
        move(lanes);
      });
      if (last.extent % lanes > 0) element(b.at(place), b.at(items), last.extent % lanes);
      move(-full * lanes);
    });

  loopAxes(b, axes, split.axis, axes.extents.length, pointers, axes.extents.length === 0 ? undefined : rounds, () => {
    const found = spec.coordinates.map(({ dim, index }) => indexAt(b, indexDtype, b.at(indices, index * bytesOf(indexDtype)), dim));
    const place = found.reduce((at, { index }, i) => b.offset(at, index, spec.coordinates[i].data * size), data);
    if (!scatters) return visit(place);
    b.if(found.map(({ inside }) => inside()).reduce((p, q) => b.integer('iand', p, q)), () => visit(place));
  });
  return { code: b.finish(), tasks: split.tasks };
}
