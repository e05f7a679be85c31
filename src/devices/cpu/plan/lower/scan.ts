/** CumSum: running sums along an axis, from either end. */
import { constantOf, type Node, sizeOf, toNumbers, type Value } from '../../../../graph/index.ts';
import { normalizeAxis } from '../../../../ops/index.ts';
import { scanKernel, scanLines, type ScanSpec } from '../../kernels/index.ts';
import { argument, kernelName, layoutOf, type Planner } from '../planner.ts';
import type { View } from '../view.ts';

export function lowerScan(p: Planner, node: Node): View {
  const view = p.unblocked(node.inputs[0] as Value);
  const { dtype, shape } = view;
  const out = p.plain(dtype, shape, view.storage.constant);
  if (sizeOf(shape) === 0) return out;
  const axis = normalizeAxis(toNumbers(constantOf(node.inputs[1])!)[0], shape.length);
  const reverse = Boolean(node.attrs.reverse);
  const along = (i: number, sign = 1) => ({ extent: shape[i], data: sign * view.strides[i], result: sign * out.strides[i] });
  const start = ({ offset, strides }: View) => offset + (reverse ? (shape[axis] - 1) * strides[axis] : 0);

  // Lines lie side by side along the last axis, where that is not the one summed along: groups of them, and the rest.
  const last = shape.length - 1;
  const most = last !== axis && view.strides[last] === 1 ? Math.min(shape[last], scanLines(p.isa, dtype)) : 1;
  const groups = most > 1 ? [{ lines: most, count: Math.floor(shape[last] / most) }, { lines: shape[last] % most, count: 1 }] : [{ lines: 1, count: 1 }];
  let from = 0;
  for (const { lines, count } of groups) {
    if (lines === 0) continue;
    const kept = [...shape.keys()].filter((i) => i !== axis && (most === 1 || i !== last)).map((i) => along(i));
    const spec: ScanSpec = {
      name: kernelName(node.op, shape),
      dtype,
      kept: most === 1 ? kept : [...kept, { extent: count, data: lines, result: lines }],
      lines,
      scanned: along(axis, reverse ? -1 : 1),
      exclusive: Boolean(node.attrs.exclusive),
    };
    const args = [view, out].map((one) => argument(one, start(one) + from));
    p.addStep(() => scanKernel(p.isa, spec), `scan|${JSON.stringify({ ...spec, name: '' })}`, args, 1, {
      op: node.op,
      name: node.name,
      shapes: `${shape.join('x')}:${shape.join('x')}`,
      layout: layoutOf(out),
      epilogue: '',
    });
    from += lines * count;
  }
  return out;
}
