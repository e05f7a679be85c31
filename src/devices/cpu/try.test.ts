import { expect, test } from 'vitest';
import { apply, constant, type Graph, input, tensorData, fromNumbers, sizeOf, type TensorData, type Value } from '../../graph/index.ts';
import { evaluateGraph } from '../../ops/index.ts';
import { cpu } from './index.ts';

const isas = (process.env.TRY_ISA ?? 'wasm').split(',') as ('wasm' | 'avx2' | 'avx512')[];
let seed = 1;
const rnd = () => ((seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648) * 2 - 1;
const random = (shape: number[], dtype: 'float32' | 'float64' = 'float32'): TensorData => {
  const data = dtype === 'float32' ? new Float32Array(sizeOf(shape)) : new Float64Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = rnd();
  return tensorData(dtype, shape, data);
};
const ints = (v: number[]) => constant(fromNumbers('int64', [v.length], v));
function check(build: (x: Value[]) => Value | Value[], inputs: TensorData[]) {
  const values = inputs.map((t, i) => input(`x${i}`, t.dtype, t.shape));
  const out = [build(values)].flat();
  const graph: Graph = { name: 't', inputs: values.map((value, i) => ({ name: `x${i}`, value })), outputs: out.map((value, i) => ({ name: `y${i}`, value })) };
  const feed = Object.fromEntries(inputs.map((t, i) => [`x${i}`, t]));
  const want = evaluateGraph(graph, feed);
  for (const isa of isas) for (const threads of [1, 2]) {
    const exe = cpu.compile(graph, { isa, threads });
    for (let run = 0; run < 2; run++) {
      const got = exe.run(feed);
      for (const key of Object.keys(want)) {
        const a = got[key], b = want[key];
        expect(a.shape).toEqual(b.shape);
        let worst = 0, at = -1;
        for (let i = 0; i < b.data.length; i++) { const d = Math.abs(Number(a.data[i]) - Number(b.data[i])) / (1 + Math.abs(Number(b.data[i]))); if (!(d <= worst)) { worst = d; at = i; } }
        if (!(worst < 2e-5)) throw new Error(`${isa} ${key} off by ${worst} at ${at} of ${b.data.length}: got ${a.data[at]} want ${b.data[at]}; first ${Array.from(a.data.slice(0, 6) as any)} want ${Array.from(b.data.slice(0, 6) as any)}`);
      }
    }
  }
}
const conv = (attrs: any = {}) => (x: Value[]) => apply('Conv', x, attrs);
const cases: Record<string, () => void> = {
  add: () => check(([x, y]) => apply('Add', [x, y]), [random([3, 5, 7]), random([5, 1])]),
  addBig: () => check(([x, y]) => apply('Relu', [apply('Add', [x, y])]), [random([300, 517]), random([517])]),
  transpose: () => check(([x]) => apply('Transpose', [x], { perm: [2, 0, 1] }), [random([3, 5, 7])]),
  sumLast: () => check(([x]) => apply('ReduceSum', [x, ints([-1])], { keepdims: 0 }), [random([33, 1000])]),
  sumFirst: () => check(([x]) => apply('ReduceSum', [x, ints([0])], { keepdims: 1 }), [random([100, 333])]),
  sumMid: () => check(([x]) => apply('ReduceMean', [apply('Mul', [x, x]), ints([1])], { keepdims: 1 }), [random([9, 10, 35])]),
  maxAll: () => check(([x]) => apply('ReduceMax', [x], { keepdims: 0 }), [random([9, 10, 35])]),
  matmul: () => check(([x, y]) => apply('MatMul', [x, y]), [random([5, 7]), random([7, 9])]),
  matmulBig: () => check(([x, y]) => apply('MatMul', [x, y]), [random([101, 700]), random([700, 130])]),
  matmulBlocked: () => check(([x, y]) => apply('MatMul', [x, y]), [random([128, 1024]), random([1024, 512])]),
  matmulBatch: () => check(([x, y, z]) => apply('Add', [apply('MatMul', [x, y]), z]), [random([2, 3, 17, 20]), random([3, 20, 18]), random([18])]),
  gemv: () => check(([x, y]) => apply('MatMul', [x, y]), [random([1, 300]), random([300, 1000])]),
  matmul64: () => check(([x, y]) => apply('MatMul', [x, y]), [random([21, 33], 'float64'), random([33, 19], 'float64')]),
  conv1x1: () => check(conv(), [random([1, 32, 7, 7]), random([64, 32, 1, 1])]),
  conv3x3: () => check(conv({ pads: [1, 1, 1, 1] }), [random([2, 16, 13, 11]), random([32, 16, 3, 3])]),
  conv3x3odd: () => check(conv({ pads: [1, 0, 1, 2], strides: [2, 1] }), [random([1, 20, 13, 11]), random([24, 20, 3, 3])]),
  convImage: () => check(conv({ pads: [3, 3, 3, 3], strides: [2, 2] }), [random([1, 3, 32, 32]), random([16, 3, 7, 7])]),
  convBias: () => check(([x, w, c]) => apply('Relu', [apply('Conv', [x, w, c], { pads: [1, 1, 1, 1] })]), [random([1, 16, 8, 8]), random([16, 16, 3, 3]), random([16])]),
  convDepthwise: () => check(conv({ group: 24, pads: [1, 1, 1, 1] }), [random([2, 24, 9, 9]), random([24, 1, 3, 3])]),
  convDilated: () => check(conv({ dilations: [2, 2], pads: [2, 2, 2, 2] }), [random([1, 16, 12, 12]), random([16, 16, 3, 3])]),
  conv1d: () => check(conv({ pads: [1, 1] }), [random([2, 16, 50]), random([16, 16, 3])]),
  conv3d: () => check(conv({ pads: [1, 1, 1, 1, 1, 1] }), [random([1, 3, 5, 6, 7]), random([4, 3, 3, 3, 3])]),
  convGroups: () => check(conv({ group: 2, pads: [1, 1, 1, 1] }), [random([1, 32, 6, 6]), random([32, 16, 3, 3])]),
  convGroupsGeneric: () => check(conv({ group: 2 }), [random([1, 6, 6, 6]), random([4, 3, 3, 3])]),
  convMult: () => { const w = constant(random([8, 1, 3, 3])); check(([x]) => apply('Conv', [x, w], { group: 4 }), [random([2, 4, 6, 6])]); },
  convMult1: () => { const w = constant(random([8, 1, 1, 1])); check(([x]) => apply('Conv', [x, w], { group: 4 }), [random([1, 4, 2, 2])]); },
  convGroupConst: () => { const w = constant(random([24, 4, 3, 3])); check(([x]) => apply('Conv', [x, w], { group: 6, pads: [1, 1, 1, 1] }), [random([2, 24, 6, 6])]); },
  convMultBias: () => { const w = constant(random([8, 1, 3, 3])), c = constant(random([8])); check(([x]) => apply('Conv', [x, w, c], { group: 4 }), [random([2, 4, 6, 6])]); },
  convBias8: () => { const w = constant(random([8, 4, 3, 3])), c = constant(random([8])); check(([x]) => apply('Conv', [x, w, c], { group: 1 }), [random([2, 4, 6, 6])]); },
  convDw8: () => { const w = constant(random([8, 1, 3, 3])), c = constant(random([8])); check(([x]) => apply('Conv', [x, w, c], { group: 8 }), [random([2, 8, 6, 6])]); },
  convDw4: () => { const w = constant(random([4, 1, 3, 3])), c = constant(random([4])); check(([x]) => apply('Conv', [x, w, c], { group: 4 }), [random([2, 4, 6, 6])]); },
  dwA: () => check(conv({ group: 8 }), [random([1, 8, 6, 6]), random([8, 1, 3, 3])]),
  dwB: () => check(conv({ group: 16 }), [random([1, 16, 6, 6]), random([16, 1, 3, 3])]),
  dwC: () => check(conv({ group: 16 }), [random([1, 16, 7, 7]), random([16, 1, 3, 3])]),
  dwD: () => check(conv({ group: 16 }), [random([1, 16, 6, 5]), random([16, 1, 3, 3])]),
  dwE: () => check(conv({ group: 16 }), [random([1, 16, 6, 4]), random([16, 1, 3, 3])]),
  chain: () => check(([x, w, v]) => { const a = apply('Relu', [apply('Conv', [x, w], { pads: [1, 1, 1, 1] })]); return apply('Relu', [apply('Add', [apply('Conv', [a, v], { pads: [1, 1, 1, 1] }), a])]); }, [random([1, 16, 14, 14]), random([16, 16, 3, 3]), random([16, 16, 3, 3])]),
  maxpool: () => check(([x]) => apply('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }), [random([1, 20, 12, 12])]),
  avgpool: () => check(([x]) => apply('AveragePool', [x], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] }), [random([1, 20, 12, 12])]),
  gap: () => check(([x, w]) => apply('ReduceMean', [apply('Conv', [x, w]), ints([2, 3])], { keepdims: 1 }), [random([2, 16, 7, 7]), random([40, 16, 1, 1])]),
  convT: () => check(([x, w]) => apply('ConvTranspose', [x, w], { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] }), [random([1, 16, 5, 5]), random([16, 8, 3, 3])]),
  concat: () => check(([x, y]) => apply('Concat', [x, y], { axis: 1 }), [random([2, 3, 5]), random([2, 4, 5])]),
  pad: () => check(([x]) => apply('Pad', [x, ints([0, 1, 2, 0, 0, 1])], {}), [random([2, 3, 5])]),
  padReflect: () => check(([x]) => apply('Pad', [x, ints([0, 1, 2, 0, 0, 1])], { mode: 'reflect' }), [random([2, 3, 5])]),
  gather: () => check(([x]) => apply('Gather', [x, ints([2, 0, -1])], { axis: 1 }), [random([2, 3, 5])]),
  resize: () => check(([x]) => apply('Resize', [x, null, null, ints([1, 3, 9, 12])], { mode: 'linear' }), [random([1, 3, 5, 5])]),
  resizeNearest: () => check(([x]) => apply('Resize', [x, null, null, ints([1, 3, 10, 10])], { mode: 'nearest' }), [random([1, 3, 5, 5])]),
  argmax: () => check(([x]) => apply('ArgMax', [x], { axis: 1, keepdims: 0 }), [random([4, 30, 5])]),
  slice: () => check(([x]) => apply('Slice', [x, ints([4, 1]), ints([-100, 3]), ints([2, 1]), ints([-2, 1])]), [random([4, 30, 5])]),
};
for (const [name, run] of Object.entries(cases)) test(name, run);
