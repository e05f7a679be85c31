import { expect, test } from 'vitest';
import { f32, f64, i64, vector } from '../../test/support/ops.ts';
import { apply, constant, type Graph, input, makeNode, printGraph, tensorData } from './index.ts';

const image = input('image', 'float32', [1, 2, 4, 4]);
const outputsOf = (...values: Graph['outputs'][number]['value'][]) => values.map((value, i) => ({ name: `y${i}`, value }));
const inputs = [{ name: 'image', value: image }];

test('prints one line a node, with types, operands, attributes in alphabetical order, and names', () => {
  const kernel = constant(f32([1, 2, 3, 3], Array.from({ length: 18 }, (_, i) => i / 4)), 'conv.weight');
  const convolution = apply('Conv', [image, kernel, constant(vector([0.1]))], { strides: [2, 2], pads: [1, 1, 1, 1], group: 1 }, 'layer1.conv');
  const resized = apply('Resize', [apply('Relu', [convolution]), null, null, constant(i64([4], [1, 1, 8, 8]))], { mode: 'nearest' });
  expect(printGraph({ name: 'net', inputs, outputs: outputsOf(resized) })).toMatchInlineSnapshot(`
    "graph 'net'
    in  %0: float32[1,2,4,4] 'image'
        %1: float32[1,2,3,3] = Constant [0, 0.25, 0.5, ... #0021bf38] 'conv.weight'
        %2: float32[1] = Constant [0.1]
        %3: float32[1,1,2,2] = Conv(%0, %1, %2) {group=1, pads=[1,1,1,1], strides=[2,2]} 'layer1.conv'
        %4: float32[1,1,2,2] = Relu(%3)
        %5: int64[4] = Constant [1, 1, 8, 8]
        %6: float32[1,1,8,8] = Resize(%4, none, none, %5) {mode='nearest'}
    out %6 'y0'"
  `);
});

test('tells results of one node apart, and lists inputs that nobody reads', () => {
  const halves = makeNode('Split', [image], { axis: 1, num_outputs: 2 }, 'split').outputs;
  const unused = input('unused', 'bool', []);
  const graph = { name: '', inputs: [{ name: 'unused', value: unused }, ...inputs], outputs: outputsOf(halves[1], apply('Add', [...halves])) };
  expect(printGraph(graph)).toMatchInlineSnapshot(`
    "graph ''
    in  %0: bool[] 'unused'
    in  %1: float32[1,2,4,4] 'image'
        %2: float32[1,1,4,4], float32[1,1,4,4] = Split(%1) {axis=1, num_outputs=2} 'split'
        %3: float32[1,1,4,4] = Add(%2, %2.1)
    out %2.1 'y0'
    out %3 'y1'"
  `);
});

test('shows all kinds of attributes and elements', () => {
  const values = [
    constant(f64([3], [-0, Infinity, 1 / 3])),
    constant(tensorData('float16', [2], Uint16Array.of(0x3c00, 0xffff))),
    constant(tensorData('bool', [2], Uint8Array.of(0, 1))),
    apply('ConstantOfShape', [constant(i64([1], [2]))], { value: vector([7]) }),
    apply('Relu', [image], { list: Array.from({ length: 40 }, (_, i) => i), names: ['a', "b'"], flag: true, zero: -0, empty: [] }),
  ];
  expect(printGraph({ name: 'all', inputs, outputs: outputsOf(...values) })).toMatchInlineSnapshot(`
    "graph 'all'
    in  %0: float32[1,2,4,4] 'image'
        %1: float64[3] = Constant [-0, Infinity, 0.3333333333333333]
        %2: float16[2] = Constant [0x3c00, 0xffff]
        %3: bool[2] = Constant [0, 1]
        %4: int64[1] = Constant [2]
        %5: float32[2] = ConstantOfShape(%4) {value=float32[1] [7]}
        %6: float32[1,2,4,4] = Relu(%0) {empty=[], flag=true, list=[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,... 40 in all], names=['a','b\\''], zero=-0}
    out %1 'y0'
    out %2 'y1'
    out %3 'y2'
    out %5 'y3'
    out %6 'y4'"
  `);
});

test('no name can look like a line', () => {
  const value = apply('Relu', [image], {}, "x'\n    %9: float32[] = \u0000Constant [\\'");
  const lines = printGraph({ name: "a'\nb", inputs, outputs: outputsOf(value) }).split('\n');
  expect(lines).toHaveLength(4);
  expect(lines[0]).toBe("graph 'a\\'\\nb'");
  expect(lines[2]).toBe("    %1: float32[1,2,4,4] = Relu(%0) 'x\\'\\n    %9: float32[] = \\u0000Constant [\\\\\\''");
});

test('prints deep graphs', () => {
  let value = image;
  for (let i = 0; i < 20_000; i++) value = apply('Relu', [value]);
  expect(printGraph({ name: 'deep', inputs, outputs: outputsOf(value) }).split('\n')).toHaveLength(20_003);
});
