/** Matrix products: gemm for floats, a reduction of products for integers. */
import { apply, input, type Node, sizeOf, type Value } from '../../../../graph/index.ts';
import { type MatMulGeometry, matMulGeometry } from '../../../../ops/index.ts';
import { lanesOf } from '../../codegen/index.ts';
import { blocksOfK, type Expression, gemmKernel, type GemmSpec, tileGemm } from '../../kernels/index.ts';
import { expressionOf, type Group } from '../fuse.ts';
import { epilogueText, expressionKey } from '../key.ts';
import { argument, kernelName, type Planner, walkOf } from '../planner.ts';
import { broadcastView, isContiguous, reshapeView, type View } from '../view.ts';
import { lowerReduction } from './reduce.ts';

export function lowerMatMul(p: Planner, group: Group): View {
  const node = group.anchor as Node;
  const [aValue, bValue] = node.inputs as readonly Value[];
  const g = matMulGeometry(node);
  const after = expressionOf(group.after, group.root, node.outputs[0], group.extras);
  // Both as stacks of matrices over one batch shape.
  const matrix = (value: Value, shape: readonly number[]): View => {
    const view = p.unblocked(value);
    const stack = value.shape.length === 1 ? (reshapeView(view, shape) as View) : view;
    return broadcastView(stack, [...g.batch, ...shape]);
  };
  let a = matrix(aValue, [g.m, g.k]);
  const b = matrix(bValue, [g.k, g.n]);
  const leafViews = after.leaves.slice(1).map((leaf) => broadcastView(p.unblocked(leaf), group.root.shape));
  const constant = [a, b, ...leafViews].every(({ storage }) => storage.constant);
  const [whole] = p.parts.placesOf(p, group.root, constant, 1);
  const extras = group.extras.map((value) => {
    const [view] = p.parts.placesOf(p, value, constant, 1);
    p.views.set(value, view);
    return view;
  });
  if (sizeOf(group.root.shape) === 0) return whole;
  const asMatrix = (view: View): View => withMatrixAxes(view, aValue.shape.length === 1, bValue.shape.length === 1, g);
  let views = [...leafViews, whole, ...extras].map(asMatrix);
  const dtype = aValue.dtype;

  if (dtype !== 'float32' && dtype !== 'float64') {
    lowerProductSum(p, node, g, a, b, after, views);
    return whole;
  }

  // One B for the whole batch: the batch's rows are rows of one matrix, where they follow each other.
  let { batch, m } = g;
  const joined = g.batch.length > 0 && isOneMatrix(b) ? [a, ...views].map((view) => joinRows(view, g)) : [undefined];
  if (joined.every((view) => view !== undefined)) {
    [a, ...views] = joined;
    batch = [];
    m = sizeOf(g.batch) * g.m;
  }
  const elem = dtype === 'float64' ? 'f64' : 'f32';
  const tile = tileGemm(p.isa, elem, m, g.n, g.k);
  const panel = tile.vectors * lanesOf(p.isa, elem);
  const bMatrix: View = { ...b, shape: [...batch, g.k, g.n], strides: [...(batch.length > 0 ? b.strides.slice(0, -2) : []), ...b.strides.slice(-2)] };
  const packedB = packB(p, bMatrix, panel, node.name);
  const [aRow, aK] = a.strides.slice(-2);
  const tiles = Math.ceil(m / tile.rows);
  const size = elem === 'f64' ? 8 : 4;
  // Rows a multiple of 4 KiB apart fall on one cache set, more of them than it has ways (at 1 or 2 KiB a tile's rows still fit:
  // 640 x 768 x 256 takes 1.54 ms as it lies, 2.01 packed); columns far apart waste their lines.
  const packs = tiles > 1 && g.n >= 4 * panel && ((aRow * size) % 4096 === 0 || aK !== 1);
  const aMatrix = packs ? packA(p, a, tile.rows, node.name) : a;
  const spec: GemmSpec = {
    name: kernelName(node.op, group.root.shape),
    elem,
    m,
    n: g.n,
    k: g.k,
    batch: batch.map((extent, axis) => ({ extent, a: aMatrix.strides[axis], b: packedB.strides[axis] })),
    tile,
    a: packs ? { packed: true } : { packed: false, row: m === 1 ? 0 : aRow, k: aK },
    after,
    operands: views.map(({ dtype: type, strides }) => ({ dtype: type, strides })),
  };
  const { after: _, name: __, ...shapeOnly } = spec;
  const args = [aMatrix, packedB, ...views].map((view) => argument(view));
  p.addStep(() => gemmKernel(p.isa, spec), `gemm|${JSON.stringify(shapeOnly)}|${expressionKey(after)}`, args, after.results.length, {
    op: node.op,
    name: node.name,
    shapes: `${aValue.shape.join('x')}:${bValue.shape.join('x')}:${group.root.shape.join('x')}`,
    layout: packs ? 'packed:packed' : isContiguous(a) ? 'plain:packed' : 'strided:packed',
    epilogue: epilogueText(after),
  }, blocksOfK(p.isa, spec).blocks > 1 ? [] : ['', '', ...views.map(walkOf)]);
  return whole;
}

/** Integers: a reduction of products. */
function lowerProductSum(p: Planner, node: Node, g: MatMulGeometry, a: View, b: View, after: Expression, afterViews: readonly View[]): void {
  const product = apply('Mul', [input('a', a.dtype, [1, 2]), input('b', b.dtype, [1, 2])]);
  const kept = [...g.batch, g.m, g.n];
  const at = (view: View, row: number, column: number, k: number): View => ({ ...view, shape: [...kept, g.k], strides: [...view.strides.slice(0, -2), row, column, k] });
  const [aRow, aK] = a.strides.slice(-2);
  const [bK, bColumn] = b.strides.slice(-2);
  lowerReduction(p, {
    label: { op: node.op, name: node.name },
    operation: 'sum',
    propagateNaN: false,
    shape: [...kept, g.k],
    keptRank: kept.length,
    before: { nodes: [product.node], leaves: product.node.inputs as Value[], results: [product] },
    beforeViews: [at(a, aRow, 0, aK), at(b, 0, bColumn, bK)],
    after,
    afterViews: afterViews.slice(0, -1),
    out: afterViews[afterViews.length - 1],
  });
}

const isOneMatrix = ({ shape, strides }: View): boolean => strides.slice(0, -2).every((stride, axis) => stride === 0 || shape[axis] === 1);

/** [...batch, m, columns] -> [batch * m, columns], undefined where a batch's rows do not follow the last one's. */
function joinRows(view: View, g: MatMulGeometry): View | undefined {
  const rows = reshapeView({ ...view, block: undefined }, [sizeOf(g.batch) * g.m, view.shape.at(-1) as number]);
  return rows && rows.shape.length === 2 ? rows : undefined;
}

/** A result's view with the axes that vectors lack put back: [...batch, m, n]. */
function withMatrixAxes(view: View, aIsVector: boolean, bIsVector: boolean, g: { batch: readonly number[]; m: number; n: number }): View {
  const lead = g.batch.length;
  const strides = [...view.strides];
  if (aIsVector) strides.splice(lead, 0, 0);
  if (bIsVector) strides.splice(lead + 1, 0, 0);
  return { ...view, shape: [...g.batch, g.m, g.n], strides };
}

/** [...batch, k, n] -> [...batch, panel, k, lanes], zeros where n ends. Broadcast batch axes stay broadcast. Once for all products. */
function packB(p: Planner, b: View, panel: number, name: string): View {
  return p.convert(b, `panels ${panel}`, () => packPanels(p, b, panel, name));
}

function packPanels(p: Planner, b: View, panel: number, name: string): View {
  const [k, n] = b.shape.slice(-2);
  const [sk, sn] = b.strides.slice(-2);
  const batchStrides = b.strides.slice(0, -2);
  const batch = b.shape.slice(0, -2).map((extent, axis) => (batchStrides[axis] === 0 ? 1 : extent));
  const panels = Math.ceil(n / panel);
  const rest = n % panel;
  const fixed = rest > 0 ? { kind: `panels ${p.storages.length}`, fill: 0 } : undefined;
  const packed = p.plain(b.dtype, [...batch, panels, k, panel], b.storage.constant, fixed);
  const part = (from: number, count: number, lanes: number) => {
    const shape = [...batch, count, k, lanes];
    const source: View = { ...b, shape, offset: b.offset + from * panel * sn, strides: [...batchStrides, panel * sn, sk, sn] };
    p.pack(source, { ...packed, shape, offset: from * k * panel }, 'PackMatrix', name);
  };
  const full = Math.floor(n / panel);
  if (full > 0) part(0, full, panel);
  if (rest > 0) part(full, 1, rest);
  return { ...packed, strides: packed.strides.map((stride, axis) => (axis < batch.length && batchStrides[axis] === 0 ? 0 : stride)) };
}

/** [...batch, m, k] -> [...batch, tile, k, rows]; the rows that the last tile lacks are not read. */
function packA(p: Planner, a: View, rows: number, name: string): View {
  return p.convert(a, `tiles ${rows}`, () => packTiles(p, a, rows, name));
}

function packTiles(p: Planner, a: View, rows: number, name: string): View {
  const [m, k] = a.shape.slice(-2);
  const [sm, sk] = a.strides.slice(-2);
  const batch = a.shape.slice(0, -2);
  const batchStrides = a.strides.slice(0, -2);
  const packed = p.plain(a.dtype, [...batch, Math.ceil(m / rows), k, rows], a.storage.constant);
  // Where rows are columns in memory, neighbours of a line go to several tiles: these take turns at every k.
  const abreast = sm === 1 ? 8 : 1;
  const part = (from: number, count: number, turns: number, height: number) => {
    if (count === 0) return;
    const shape = [...batch, count, k, turns, height];
    const source: View = { ...a, shape, offset: a.offset + from * rows * sm, strides: [...batchStrides, turns * rows * sm, sk, rows * sm, sm] };
    const strides = [...packed.strides.slice(0, batch.length), turns * k * rows, rows, k * rows, 1];
    p.copy(source, { ...packed, shape, strides, offset: from * k * rows }, 'PackMatrix', name);
  };
  const full = Math.floor(m / rows);
  const even = full - (full % abreast);
  part(0, even / abreast, abreast, rows);
  part(even, full > even ? 1 : 0, full - even, rows);
  part(full, m % rows > 0 ? 1 : 0, 1, m % rows);
  return packed;
}
