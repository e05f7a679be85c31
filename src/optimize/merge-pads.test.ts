import { describe, expect, test } from 'vitest';
import { f32, i64 } from '../../test/support/ops.ts';
import { apply, type Attrs, constant, type Graph, type Shape, type Value } from '../graph/index.ts';
import { mergePads } from './index.ts';
import { graphOf, noise, opsOf, optimized } from '../../test/support/passes.ts';

const ints = (values: readonly number[]): Value => constant(i64([values.length], values));
const pad = (x: Value, pads: readonly number[], attrs: Attrs = {}, fill?: Value) => apply('Pad', fill ? [x, ints(pads), fill] : [x, ints(pads)], attrs);
const spatial = [0, 0, 1, 2, 0, 0, 3, 0];
const conv = (x: Value, attrs: Attrs = {}, weights: Shape = [3, 2, 3, 3]) => apply('Conv', [x, constant(noise(weights)), constant(noise([weights[0]]))], attrs, 'conv');
const average = (x: Value, attrs: Attrs) => apply('AveragePool', [x], { kernel_shape: [3, 4], ...attrs });
const image = [2, 2, 7, 6];
const merged = (build: (x: Value) => Value | readonly Value[]): Graph => optimized(graphOf([image], build), mergePads);
const attrsOf = (graph: Graph): Attrs => graph.outputs[0].value.node.attrs;

describe('mergePads', () => {
  test.each<[string, Attrs, number[]]>([
    ['no padding of its own', { strides: [2, 1] }, [1, 2, 3, 0]],
    ['padding of its own', { pads: [1, 0, 2, 2] }, [2, 2, 5, 2]],
    ['auto_pad VALID', { auto_pad: 'VALID', pads: [9, 9, 9, 9] }, [1, 2, 3, 0]],
    ['auto_pad SAME_UPPER', { auto_pad: 'SAME_UPPER', strides: [2, 2] }, [2, 2, 4, 1]],
    ['auto_pad SAME_LOWER', { auto_pad: 'SAME_LOWER', dilations: [2, 1] }, [3, 3, 5, 1]],
  ])('gives padding to a convolution with %s', (_, attrs, pads) => {
    const graph = merged((x) => conv(pad(x, spatial), attrs));
    expect(opsOf(graph)).toEqual(['Conv']);
    expect(attrsOf(graph).pads).toEqual(pads);
    expect(attrsOf(graph).auto_pad).toBeUndefined();
    expect(graph.outputs[0].value.node.name).toBe('conv');
  });

  test.each<[string, Attrs]>([
    ['that counts its padding', { pads: [1, 0, 0, 2], count_include_pad: 1 }],
    ['without padding of its own', {}],
    ['without padding of its own, that rounds up', { ceil_mode: 1, strides: [1, 3] }],
  ])('gives padding to an average pooling %s', (_, attrs) => {
    const graph = merged((x) => average(pad(x, [0, 0, 1, 1, 0, 0, 1, 0]), attrs));
    expect(opsOf(graph)).toEqual(['AveragePool']);
    expect(attrsOf(graph).count_include_pad).toBe(1);
  });

  test('takes a zero that is given, and chains of paddings', () => {
    expect(opsOf(merged((x) => conv(pad(pad(x, spatial, {}, constant(f32([], [0]))), spatial))))).toEqual(['Conv']);
    expect(opsOf(merged((x) => conv(pad(pad(x, spatial, {}, constant(f32([], [1]))), spatial))))).toEqual(['Pad', 'Conv']);
    expect(opsOf(merged((x) => {
      const inner = pad(x, spatial);
      return [conv(pad(inner, spatial)), inner];
    }))).toEqual(['Pad', 'Conv']);
  });

  test.each<[string, (x: Value) => Value | readonly Value[]]>([
    ['other than zero', (x) => conv(pad(x, spatial, {}, constant(f32([], [1]))))],
    ['by a negative zero', (x) => conv(pad(x, spatial, {}, constant(f32([], [-0]))))],
    ['by a computed number', (x) => conv(pad(x, spatial, {}, apply('ReduceSum', [x], { keepdims: 0 })))],
    ['by what is near', (x) => conv(pad(x, spatial, { mode: 'edge' }))],
    ['of channels', (x) => conv(pad(x, [0, 1, 0, 0, 0, 0, 0, 0]), {}, [3, 3, 3, 3])],
    ['of the batch', (x) => conv(pad(x, [1, 0, 0, 0, 0, 0, 0, 0]))],
    ['that cuts', (x) => conv(pad(x, [0, 0, 1, 1, 0, 0, -1, 0]))],
    ['that others read', (x) => {
      const padded = pad(x, spatial);
      return [conv(padded), apply('Neg', [padded])];
    }],
    ['that is a result', (x) => {
      const padded = pad(x, spatial);
      return [conv(padded), padded];
    }],
    ['before a maximum', (x) => apply('MaxPool', [pad(x, spatial)], { kernel_shape: [3, 4] })],
    ['before an average that does not count its own', (x) => average(pad(x, spatial), { pads: [1, 0, 0, 0] })],
    ['beyond the window of an average', (x) => average(pad(x, [0, 0, 3, 0, 0, 0, 0, 0]), {})],
    ['that decides how many windows there are', (x) => average(pad(x, [0, 0, 0, 0, 0, 0, 2, 0]), { ceil_mode: 1, strides: [8, 1], pads: [0, 0, 1, 0], count_include_pad: 1 })],
    ['of the weights', (x) => apply('Conv', [x, pad(constant(noise([3, 2, 2, 3])), [0, 0, 1, 0, 0, 0, 0, 0])])],
  ])('leaves padding %s', (_, build) => {
    const graph = graphOf([image], build);
    expect(mergePads(graph)).toBe(graph);
  });

  test('leaves padding of nothing', () => {
    const graph = graphOf([[2, 2, 0, 6]], (x) => conv(pad(x, [0, 0, 4, 1, 0, 0, 3, 0])));
    expect(mergePads(graph)).toBe(graph);
  });
});
