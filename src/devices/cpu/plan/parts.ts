/**
 * Concatenation without copies: who makes a part writes it where it belongs, in the whole. So the hidden states of a recurrent
 * layer, and the cotangents of its gates at all time steps, lie side by side as they are made, ready for one matrix product.
 */
import type { DType, Graph, Node, Value } from '../../../graph/index.ts';
import { normalizeAxis } from '../../../ops/index.ts';
import type { Group } from './fuse.ts';
import { reshapeView, sliceView, type View } from './view.ts';

/** A place in a whole that a value is to be written into, maybe under another shape. */
interface Part {
  readonly concat: Node;
  readonly index: number;
}

/** Who gives values memory of their own: the planner. */
interface Memory {
  plain(dtype: DType, shape: readonly number[], constant: boolean): View;
}

/** Images in blocks of channels are put together as such. */
export const isPlainConcat = ({ outputs: [{ dtype, shape }], attrs }: Node): boolean =>
  shape.length <= 2 || dtype !== 'float32' || normalizeAxis(attrs.axis as number, shape.length) !== 1;

export class Parts {
  private readonly parts = new Map<Value, Part[]>();
  private readonly wholes = new Map<Node, View>();
  private readonly placed = new Map<Node, Set<number>>();

  constructor(order: readonly Node[], groups: Iterable<Group>, outputs: Graph['outputs']) {
    const makers = [...groups].filter(({ anchor }) => !anchor || anchor.op === 'MatMul').flatMap(({ root, extras }) => [root, ...extras]);
    const made = new Set(makers);
    // Outputs have arrays of their own.
    for (const { value } of outputs) made.delete(value);
    for (const concat of order) {
      if (concat.op !== 'Concat' || !isPlainConcat(concat)) continue;
      concat.inputs.forEach((input, index) => {
        let value = input!;
        while (value.node.op === 'Reshape' && !made.has(value)) value = value.node.inputs[0]!;
        if (!made.has(value) && !(value.node.op === 'Concat' && isPlainConcat(value.node))) return;
        this.parts.set(value, [...(this.parts.get(value) ?? []), { concat, index }]);
      });
    }
  }

  /** Where to write a value, several times where it is a part of several wholes; its own memory where it is a part of none. */
  placesOf(p: Memory, value: Value, constant: boolean, most = Infinity): View[] {
    const places: View[] = [];
    for (const { concat, index } of constant ? [] : (this.parts.get(value) ?? [])) {
      if (places.length === most) break;
      const view = reshapeView(this.placeIn(p, concat, index), value.shape);
      if (!view) continue;
      const placed = this.placed.get(concat) ?? new Set();
      this.placed.set(concat, placed.add(index));
      places.push(view);
    }
    return places.length > 0 ? places : [p.plain(value.dtype, value.shape, constant)];
  }

  wholeOf(p: Memory, concat: Node, constant: boolean): View {
    let whole = this.wholes.get(concat);
    if (!whole) this.wholes.set(concat, (whole = this.placesOf(p, concat.outputs[0], constant, 1)[0]));
    return whole;
  }

  isPlaced(concat: Node, index: number): boolean {
    return this.placed.get(concat)?.has(index) ?? false;
  }

  placeIn(p: Memory, concat: Node, index: number): View {
    const [{ shape }] = concat.outputs;
    const axis = normalizeAxis(concat.attrs.axis as number, shape.length);
    const start = concat.inputs.slice(0, index).reduce((sum, input) => sum + input!.shape[axis], 0);
    const starts = shape.map((_, a) => (a === axis ? start : 0));
    return sliceView(this.wholeOf(p, concat, false), starts, shape.map(() => 1), concat.inputs[index]!.shape) as View;
  }
}
