/** Operators that a tensor of indices steers: GatherElements and GatherND pick, ScatterElements and ScatterND scatter. */
import { apply, input, type Node, type Value } from '../../../../graph/index.ts';
import { coordinatesGeometry, type CoordinatesGeometry, elementsGeometry, scatterReduction, type ScatterReduction } from '../../../../ops/index.ts';
import { type IndexDType, placesKernel, type PlacesSpec } from '../../kernels/index.ts';
import { argument, kernelName, layoutOf, type Planner } from '../planner.ts';
import type { View } from '../view.ts';

type Lower = (p: Planner, node: Node) => View;
/** How positions lie over data, indices and items, and what they name. */
type Nest = Pick<PlacesSpec, 'axes' | 'parallel' | 'coordinates' | 'inner'>;
type NestOf = (node: Node, data: View, indices: View, items: View) => Nest;

/** One index an element. Along other axes than the named one no two positions share a place. */
function elementsNest(node: Node, data: View, indices: View, items: View): Nest {
  const { axis } = elementsGeometry(node);
  const order = [...indices.shape.keys()].sort((a, b) => Number(a === axis) - Number(b === axis));
  return {
    axes: order.map((a) => ({
      extent: indices.shape[a],
      data: a === axis ? 0 : data.strides[a],
      index: indices.strides[a],
      items: items.strides[a],
    })),
    parallel: order.length - 1,
    coordinates: [{ dim: data.shape[axis], data: data.strides[axis], index: 0 }],
    inner: [],
  };
}

/** The last axis of indices holds coordinates; a place is all that lies under them. */
function coordinatesNest({ batch, count }: CoordinatesGeometry, data: View, indices: View, items: View): Nest {
  const positions = indices.shape.slice(0, -1);
  return {
    axes: positions.map((extent, axis) => ({
      extent,
      data: axis < batch ? data.strides[axis] : 0,
      index: indices.strides[axis],
      items: items.strides[axis],
    })),
    parallel: 0,
    coordinates: Array.from({ length: count }, (_, i) => ({
      dim: data.shape[batch + i],
      data: data.strides[batch + i],
      index: i * indices.strides[positions.length],
    })),
    inner: data.shape.slice(batch + count).map((extent, i) => ({
      extent,
      data: data.strides[batch + count + i],
      items: items.strides[positions.length + i],
    })),
  };
}

const isConstant = (views: readonly View[]): boolean => views.every(({ storage }) => storage.constant);

const pick = (nestOf: NestOf): Lower => (p, node) => {
  const [data, indices] = (node.inputs as readonly Value[]).map((value) => p.unblocked(value));
  const { dtype, shape } = node.outputs[0];
  const out = p.plain(dtype, shape, isConstant([data, indices]));
  const nest = nestOf(node, data, indices, out);
  addStep(p, node, { ...nest, move: 'pick', parallel: nest.axes.length }, indices, data, out);
  return out;
};

const scatter = (nestOf: NestOf): Lower => (p, node) => {
  const data = p.view(node.inputs[0] as Value);
  const [indices, updates] = (node.inputs.slice(1) as readonly Value[]).map((value) => p.unblocked(value));
  const out = p.plain(data.dtype, data.shape, isConstant([data, indices, updates]));
  p.copy(data, out, node.op, node.name);
  const op = meetings[scatterReduction(node.attrs)];
  const one = input('element', data.dtype, []);
  addStep(p, node, { ...nestOf(node, out, indices, updates), move: 'scatter', meet: op ? apply(op, [one, one]).node : undefined }, indices, updates, out);
  return out;
};

/** The operator of each reduction. */
const meetings: Readonly<Record<ScatterReduction, string | undefined>> = { none: undefined, add: 'Add', mul: 'Mul', max: 'Max', min: 'Min' };

function addStep(p: Planner, node: Node, nest: Nest & Pick<PlacesSpec, 'move' | 'meet'>, indices: View, from: View, to: View): void {
  if ([...nest.axes, ...nest.inner].some(({ extent }) => extent === 0)) return;
  const spec: PlacesSpec = { ...nest, name: kernelName(node.op, to.shape), dtype: to.dtype, indexDtype: indices.dtype as IndexDType };
  const key = `places|${JSON.stringify({ ...spec, name: '', meet: spec.meet?.op })}`;
  p.addStep(() => placesKernel(p.isa, spec), key, [indices, from, to].map((view) => argument(view)), 1, {
    op: node.op,
    name: node.name,
    shapes: [indices, from, to].map(({ shape }) => shape.join('x')).join(':'),
    layout: layoutOf(to),
    epilogue: spec.meet?.op ?? '',
  });
}

/** The rows of moveOps. */
export const placeOps: Readonly<Record<string, Lower>> = {
  GatherElements: pick(elementsNest),
  GatherND: pick((node, ...views) => coordinatesNest(coordinatesGeometry(node), ...views)),
  ScatterElements: scatter(elementsNest),
  ScatterND: scatter((node, ...views) => coordinatesNest(coordinatesGeometry(node, 0), ...views)),
};
