/**
 * The planner's workbench: storages, views and steps as they come to be while groups are lowered one after the other. Steps
 * that read only constants become setup steps: packing weights is an ordinary map that happens to run once.
 */
import { apply, constant, constantOf, type DType, dtypes, formatType, fromNumbers, input, type Shape, sizeOf, type Value } from '../../../graph/index.ts';
import type { Precision } from '../../device.ts';
import { type Isa, type KernelCode, sameCode } from '../codegen/index.ts';
import { blockChannels, type Expression, identity, mapKernel, type TaskedKernel } from '../kernels/index.ts';
import { PlanError } from './errors.ts';
import { expressionKey } from './key.ts';
import type { Parts } from './parts.ts';
import { broadcastView, bytesOfView, isContiguous, piecesOf, plainView, type Storage, type View } from './view.ts';

/** Zero or -Infinity around the spatial axes of a blocked or plain [n, c, ...spatial] view. */
export interface Halo {
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly fill: number;
}

/** What kernels are chosen for. */
export interface Target {
  readonly isa: Isa;
  readonly precision: Precision;
}

export interface StepLabel {
  readonly op: string;
  readonly name: string;
  readonly shapes: string;
  readonly layout: string;
  readonly epilogue: string;
}

export interface PlannedArgument {
  readonly storage: Storage;
  readonly offsetBytes: number;
}

export interface PlannedStep {
  readonly kernel: number;
  readonly tasks: number;
  readonly args: readonly PlannedArgument[];
  /** How many of the args, at the end, are written. */
  readonly writes: number;
  /** How each of the args is walked: an element that is read is written, on the same walk, only after that. '' where it may be sooner. */
  readonly walks: readonly string[];
  readonly label: StepLabel;
}

/** What the groups' demand says of a value before it is computed: where its consumers want padding around it. */
export type HaloWishes = ReadonlyMap<Value, Halo>;

export class Planner {
  readonly target: Target;
  readonly isa: Isa;
  readonly kernels: KernelCode[] = [];
  readonly steps: PlannedStep[] = [];
  readonly setup: PlannedStep[] = [];
  readonly storages: Storage[] = [];
  readonly views = new Map<Value, View>();
  readonly haloWishes: HaloWishes;
  readonly parts: Parts;
  private readonly kernelsByKey = new Map<string, { index: number; tasks: number }>();
  private readonly converted = new Map<string, View>();
  private readonly flushed = flushed();

  constructor(target: Target, haloWishes: HaloWishes, parts: Parts) {
    this.target = target;
    this.isa = target.isa;
    this.haloWishes = haloWishes;
    this.parts = parts;
  }

  // ---- storages
  storage(bytes: number, options: Partial<Pick<Storage, 'constant' | 'data' | 'fixed' | 'perThread'>> = {}): Storage {
    const storage: Storage = { id: this.storages.length, bytes, constant: false, ...options };
    this.storages.push(storage);
    return storage;
  }

  /** Memory for a plain tensor. `constant`: made from constants only. */
  plain(dtype: DType, shape: Shape, constant: boolean, fixed?: Storage['fixed']): View {
    return plainView(this.storage(bytesOfView(shape, dtype), { constant, fixed }), dtype, shape);
  }

  /** Memory for a tensor blocked along `axis`, with a halo around the axes after it. */
  blocked(dtype: DType, shape: Shape, axis: number, constant: boolean, halo?: Halo): View {
    const blocks = Math.ceil(shape[axis] / blockChannels);
    const inner = shape.slice(axis + 1).map((dim, i) => dim + (halo ? halo.begin[i] + halo.end[i] : 0));
    const strides = new Array<number>(shape.length).fill(0);
    let stride = blockChannels;
    let offset = 0;
    for (let a = shape.length - 1; a > axis; a--) {
      strides[a] = stride;
      if (halo) offset += halo.begin[a - axis - 1] * stride;
      stride *= inner[a - axis - 1];
    }
    const block = { axis, stride };
    strides[axis] = 1;
    stride *= blocks;
    for (let a = axis - 1; a >= 0; a--) {
      strides[a] = stride;
      stride *= shape[a];
    }
    return { storage: this.haloed(stride, dtype, halo, [shape, axis], constant), dtype, shape, strides, offset, block };
  }

  /** Memory for a plain [n, c, ...spatial] tensor with a halo around the spatial axes. */
  plainWithHalo(dtype: DType, shape: Shape, constant: boolean, halo: Halo): View {
    const padded = shape.map((dim, axis) => (axis < 2 ? dim : dim + halo.begin[axis - 2] + halo.end[axis - 2]));
    const whole = plainView(this.storage(0), dtype, padded);
    const offset = halo.begin.reduce((sum, begin, i) => sum + begin * whole.strides[i + 2], 0);
    return { ...whole, storage: this.haloed(sizeOf(padded), dtype, halo, [shape], constant), shape, offset };
  }

  private haloed(elements: number, dtype: DType, halo: Halo | undefined, shape: unknown, constant: boolean): Storage {
    const fixed = halo && !isEmpty(halo) ? { kind: JSON.stringify([shape, halo, dtype]), fill: halo.fill } : undefined;
    return this.storage(elements * dtypes[dtype].bytes, { constant, fixed });
  }

  // ---- values
  view(value: Value): View {
    const known = this.views.get(value);
    if (known) return known;
    const tensor = constantOf(value);
    if (!tensor) throw new PlanError(`${value.node.op} '${value.node.name}' (${formatType(value)}) is read before it is computed`);
    const storage = this.storage(tensor.data.byteLength, { constant: true, data: tensor.data });
    const view = plainView(storage, value.dtype, value.shape);
    this.views.set(value, view);
    return view;
  }

  /** Row-major without gaps; copies where the value lies otherwise. */
  contiguous(value: Value): View {
    return this.contiguousView(this.view(value), value.node.name);
  }

  contiguousView(view: View, name: string): View {
    if (isContiguous(view)) return view;
    return this.convert(view, 'plain', () => {
      const out = this.plain(view.dtype, view.shape, view.storage.constant);
      this.copy(view, out, 'Reorder', name);
      return out;
    });
  }

  /** Without blocks, at any strides. */
  unblocked(value: Value): View {
    return this.unblockedView(this.view(value), value.node.name);
  }

  unblockedView(view: View, name: string): View {
    if (view.block && view.shape[view.block.axis] <= blockChannels) return { ...view, block: undefined };
    return view.block ? this.contiguousView(view, name) : view;
  }

  /** Blocked along `axis`, with at least the given halo. */
  blockedView(view: View, axis: number, name: string, halo?: Halo): View {
    if (view.block?.axis === axis && (!halo || this.hasHalo(view, halo))) return view;
    return this.convert(view, `blocked ${axis} ${JSON.stringify(halo)}`, () => {
      const out = this.blocked(view.dtype, view.shape, axis, view.storage.constant, halo);
      this.copy(view, out, 'Reorder', name);
      return out;
    });
  }

  /** A plain [n, c, ...spatial] view with a halo. */
  plainHaloView(view: View, name: string, halo: Halo): View {
    if (!view.block && isEmpty(halo)) return view;
    return this.convert(view, `halo ${JSON.stringify(halo)}`, () => {
      const out = this.plainWithHalo(view.dtype, view.shape, view.storage.constant, halo);
      this.copy(view, out, 'Pad', name);
      return out;
    });
  }

  /** Whether a blocked view lies in a storage that has room for `halo` around it, filled as asked. */
  private hasHalo(view: View, halo: Halo): boolean {
    if (isEmpty(halo)) return true;
    const fixed = view.storage.fixed;
    if (!fixed || !Object.is(fixed.fill, halo.fill)) return false;
    const [[shape], has] = JSON.parse(fixed.kind) as [[Shape], Halo];
    // A view that has made the halo part of its shape (Pad) has none left.
    if (shape.length !== view.shape.length || shape.some((dim, axis) => dim !== view.shape[axis])) return false;
    return halo.begin.every((n, i) => n <= has.begin[i]) && halo.end.every((n, i) => n <= has.end[i]);
  }

  /** The same elements laid out otherwise, made once however often it is asked for: nothing is written twice in a program. */
  convert(view: View, target: string, make: () => View): View {
    const { storage, offset, strides, shape, block } = view;
    const key = `${target}|${storage.id}|${offset}|${strides}|${shape}|${block?.axis},${block?.stride}`;
    let out = this.converted.get(key);
    if (!out) this.converted.set(key, (out = make()));
    return out;
  }

  // ---- steps
  addStep(kernel: TaskedKernel | (() => TaskedKernel), key: string, args: readonly PlannedArgument[], writes: number, label: StepLabel, walks: readonly string[] = []): void {
    let entry = this.kernelsByKey.get(key);
    if (!entry) {
      const made = typeof kernel === 'function' ? kernel() : kernel;
      // Two keys may name one code: it does not see how many tasks there are.
      const known = this.kernels.findIndex((code) => sameCode(code, made.code));
      entry = { index: known >= 0 ? known : this.kernels.push(made.code) - 1, tasks: made.tasks };
      this.kernelsByKey.set(key, entry);
    }
    const constant = args.slice(args.length - writes).every(({ storage }) => storage.constant);
    (constant ? this.setup : this.steps).push({ kernel: entry.index, tasks: entry.tasks, args, writes, walks, label });
  }

  copy(from: View, to: View, op: string, name: string): void {
    const leaf = { dtype: from.dtype, shape: from.shape } as Value;
    this.map(identity(leaf), [from], [to], { op, name, epilogue: '' });
  }

  /**
   * Copies what products will be made of. Of constants, denormal numbers become zero: beside weights of ordinary size they
   * add nothing that a float keeps, and a core takes a hundred times as long to multiply by one. (Trained weights have them:
   * a quarter of those in PP-OCR's squeeze-and-excitation layers.)
   */
  pack(from: View, to: View, op: string, name: string): void {
    if (!from.storage.constant || from.dtype !== 'float32') return this.copy(from, to, op, name);
    this.map(this.flushed, [from], [to], { op, name, epilogue: '' });
  }

  /** Steps that compute an expression: leaves and results as views of one shape (leaves may be broadcast to it). */
  map(expression: Expression, leaves: readonly View[], results: readonly View[], label: { op: string; name: string; epilogue: string }): void {
    const shape = results[0].shape;
    if (sizeOf(shape) === 0) return;
    const spread = leaves.map((view) => broadcastView(view, shape));
    const blockAxis = results[0].block?.axis ?? spread.find(({ block }) => block)?.block?.axis;
    const aligned = spread.map((view, i) => (view.block && view.block.axis !== blockAxis ? broadcastView(this.contiguousView(leaves[i], label.name), shape) : view));
    const views = [...aligned, ...results];
    const pieces = piecesOf(shape, views, results.length);
    if (!pieces) throw new PlanError(`${label.op} '${label.name}': results blocked along different axes`);
    for (const piece of pieces) {
      const spec = { name: kernelName(label.op, shape), extents: piece.extents, expression, operands: piece.operands, valid: piece.valid };
      const key = `map|${JSON.stringify([piece.extents, piece.operands.map(({ dtype, strides, padded }) => [dtype, strides, padded]), piece.valid])}|${expressionKey(expression)}`;
      const args = views.map((view, i) => argument(view, piece.operands[i].offset));
      this.addStep(() => mapKernel(this.isa, spec), key, args, results.length, {
        ...label,
        shapes: views.map((view) => view.shape.join('x')).join(':'),
        layout: layoutOf(results[0]),
      }, piece.operands.map(walkOf));
    }
  }
}

/** A weight, or zero in place of a denormal. */
function flushed(): Expression {
  const weight = input('weight', 'float32', [1, 2]);
  const scalar = (value: number) => constant(fromNumbers('float32', [], [value]));
  const size = apply('Abs', [weight]);
  const small = apply('Less', [size, scalar(2 ** -126)]);
  const kept = apply('Where', [small, scalar(0), weight]);
  return { nodes: [size.node, small.node, kept.node], leaves: [weight], results: [kept] };
}

const isEmpty = ({ begin, end }: Halo): boolean => [...begin, ...end].every((n) => n === 0);

export const argument = (view: View, offset = view.offset): PlannedArgument => ({
  storage: view.storage,
  offsetBytes: offset * dtypes[view.dtype].bytes,
});

/** Names the order in which an operand's elements are visited by a nest. */
export const walkOf = ({ strides, offset }: { readonly strides: readonly number[]; readonly offset: number }): string => `${offset} ${strides}`;

export const kernelName = (op: string, shape: Shape): string => `${op}_${shape.join('x')}`;

/** `plain`, or as nChw16c with its halo, for the verbose log. */
export function layoutOf(view: View): string {
  if (!view.block) return isContiguous(view) ? 'plain' : 'strided';
  return view.storage.fixed ? 'nCx16c+halo' : 'nCx16c';
}
