/** PhiloxUniform: random numbers, the same as anywhere. */
import { type Node, sizeOf, type Value } from '../../../../graph/index.ts';
import { philoxKernel, type PhiloxSpec } from '../../kernels/index.ts';
import { argument, kernelName, layoutOf, type Planner } from '../planner.ts';
import type { View } from '../view.ts';

export function lowerRandom(p: Planner, node: Node): View {
  const { dtype, shape } = node.outputs[0];
  const state = p.contiguous(node.inputs[0] as Value);
  const out = p.plain(dtype, shape, state.storage.constant);
  if (sizeOf(shape) === 0) return out;
  const spec: PhiloxSpec = { name: kernelName(node.op, shape), dtype: dtype as 'float32' | 'float64', size: sizeOf(shape) };
  p.addStep(() => philoxKernel(p.isa, spec), `philox|${JSON.stringify({ ...spec, name: '' })}`, [argument(state, state.offset), argument(out, 0)], 1, {
    op: node.op,
    name: node.name,
    shapes: `2:${shape.join('x')}`,
    layout: layoutOf(out),
    epilogue: '',
  });
  return out;
}
