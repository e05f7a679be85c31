/** Hot kernels keep all they hold in registers: a spill in a register tile is a bug. */
import { describe, expect, test } from 'vitest';
import { apply, constant, type Graph, input, sizeOf, tensorData, type Value } from '../../../graph/index.ts';
import '../../../ops/index.ts';
import { isas } from '../codegen/index.ts';
import { compileX64 } from '../codegen/x64/index.ts';
import { plan } from './index.ts';

const weights = (...shape: number[]): Value => constant(tensorData('float32', shape, Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((i % 7) - 3) / 8)));
const graph = (x: Value, y: Value): Graph => ({ name: 'hot', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'y', value: y }] });

/** What a residual block ends in: batch normalisation, the addition, Relu. */
function residual(channels: number, size: number, kernel: number): Graph {
  const x = input('x', 'float32', [1, channels, size, size]);
  const pads = new Array<number>(4).fill((kernel - 1) / 2);
  const sum = apply('Conv', [x, weights(channels, channels, kernel, kernel), weights(channels)], { pads });
  const normal = apply('BatchNormalization', [sum, weights(channels), weights(channels), weights(channels), constant(tensorData('float32', [channels], new Float32Array(channels).fill(1)))]);
  return graph(x, apply('Relu', [apply('Add', [normal, x])]));
}

function product(m: number, k: number, n: number): Graph {
  const x = input('x', 'float32', [m, k]);
  return graph(x, apply('Relu', [apply('Add', [apply('MatMul', [x, weights(k, n)]), weights(n)])]));
}

function depthwise(channels: number, size: number, kernel = 3, stride = 1): Graph {
  const x = input('x', 'float32', [1, channels, size, size]);
  const pads = new Array<number>(4).fill((kernel - 1) / 2);
  return graph(x, apply('HardSwish', [apply('Conv', [x, weights(channels, 1, kernel, kernel)], { group: channels, pads, strides: [stride, stride] })]));
}

/** The weights' cotangent of a convolution. */
function backwards(channels: number, size: number, kernel: number, stride = 1, inChannels = channels): Graph {
  const x = input('x', 'float32', [2, inChannels, size, size]);
  const pads = [(kernel - 1) / 2, (kernel - 1) / 2];
  const attrs = { kernel_shape: [kernel, kernel], strides: [stride, stride], dilations: [1, 1], pads };
  const dy = apply('Conv', [x, weights(channels, inChannels, kernel, kernel)], { strides: [stride, stride], pads: [...pads, ...pads] });
  return graph(x, apply('ConvBackwardWeights', [x, dy], attrs));
}

const hot: Readonly<Record<string, Graph>> = {
  '3x3, 56x56': residual(64, 56, 3),
  '3x3, 7x7': residual(128, 7, 3),
  '1x1, 14x14': residual(128, 14, 1),
  '1x1, an odd width': residual(96, 35, 1),
  'a product of many rows': product(256, 256, 256),
  'a product of one row': product(1, 512, 1000),
  depthwise: depthwise(96, 28),
  'depthwise, 7x7 by two': depthwise(96, 28, 7, 2),
  'weights of 3x3': backwards(64, 28, 3),
  'weights of 3x3 at stride 2': backwards(64, 28, 3, 2),
  'weights of 1x1': backwards(256, 14, 1),
  'weights of an image': backwards(64, 64, 7, 2, 3),
};

describe.each(['avx512', 'avx2'] as const)('%s', (isa) => {
  test.each(Object.entries(hot))('%s', (_name, model) => {
    const { kernels } = plan(model, isas[isa]);
    const { spills } = compileX64(kernels, { abi: 'sysv' });
    expect(kernels.map(({ name }, i) => `${name}: ${spills[i]}`).filter((line) => !line.endsWith(': 0'))).toEqual([]);
  });
});
