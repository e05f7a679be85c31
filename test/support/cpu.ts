/** For tests of the CPU device: a graph compiled for every instruction set that this machine runs, against the reference. */
import { describe, expect, test } from 'vitest';
import { cpu, surveyIsas } from '../../src/devices/cpu/index.ts';
import { constant, dtypes, fromNumbers, type Graph, input, type Shape, sizeOf, type TensorData, tensorData, type Value } from '../../src/graph/index.ts';
import { evaluateGraph, fromElements } from '../../src/ops/index.ts';
import { random as generator } from './ops.ts';

/** Best first; wasm is always among them. */
export const isas = surveyIsas().filter(({ usable }) => usable).map(({ isa }) => isa);

/** Floats in [-1, 1), the same at every call for the same shape and seed. */
export function random(shape: Shape, dtype: 'float32' | 'float64' = 'float32', seed = 1): TensorData {
  const next = generator(seed + sizeOf(shape));
  return fromElements({ dtype, shape }, Array.from({ length: sizeOf(shape) }, () => next() * 2 - 1));
}

/** An int64 constant, as shape operands are given. */
export const ints = (values: readonly number[], shape: Shape = [values.length]): Value => constant(fromNumbers('int64', shape, values));

export interface DeviceCase {
  readonly inputs: readonly TensorData[];
  readonly build: (values: Value[]) => Value | readonly Value[];
  /** Floats may differ by this much of (1 + the expected value); all else is exact. */
  readonly tolerance?: number;
}

interface Prepared {
  readonly graph: Graph;
  readonly feed: Readonly<Record<string, TensorData>>;
  /** By the reference; computed once for all instruction sets. */
  readonly want: Readonly<Record<string, TensorData>>;
}
const prepared = new WeakMap<DeviceCase, Prepared>();

function prepare(deviceCase: DeviceCase): Prepared {
  let known = prepared.get(deviceCase);
  if (!known) {
    const { graph, feed } = graphOf(deviceCase);
    prepared.set(deviceCase, (known = { graph, feed, want: evaluateGraph(graph, feed) }));
  }
  return known;
}

function graphOf({ inputs, build }: DeviceCase): Pick<Prepared, 'graph' | 'feed'> {
  const values = inputs.map(({ dtype, shape }, i) => input(`x${i}`, dtype, shape));
  const results = [build(values)].flat() as Value[];
  return {
    graph: {
      name: 'case',
      inputs: values.map((value, i) => ({ name: `x${i}`, value })),
      outputs: results.map((value, i) => ({ name: `y${i}`, value })),
    },
    feed: Object.fromEntries(inputs.map((data, i) => [`x${i}`, data])),
  };
}

/** @throws Error naming the worst element. */
export function expectNear(got: TensorData, want: TensorData, tolerance: number, about: string): void {
  expect([got.dtype, got.shape], about).toEqual([want.dtype, want.shape]);
  const exact = dtypes[want.dtype].kind !== 'float';
  let worst = 0;
  let at = -1;
  for (let i = 0; i < want.data.length; i++) {
    const [a, b] = [got.data[i], want.data[i]];
    if (Object.is(a, b) || a === b) continue;
    const error = exact ? Infinity : Math.abs(Number(a) - Number(b)) / (1 + Math.abs(Number(b)));
    // Written so that NaN is the worst of all.
    if (!(error <= worst)) [worst, at] = [error, i];
  }
  if (!(worst <= tolerance)) throw new Error(`${about}: element ${at} of [${want.shape}] is ${got.data[at]}, expected ${want.data[at]}`);
}

const bytes = ({ data }: TensorData): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/**
 * Runs a case on one instruction set, twice, with one thread and with two: the same bits every time, near the reference.
 * The second run finds what a run leaves behind in memory that it shares.
 */
export function checkOnCpu(deviceCase: DeviceCase, isa: (typeof isas)[number]): void {
  const { graph, feed, want } = prepare(deviceCase);
  let first: Record<string, TensorData> | undefined;
  for (const threads of [1, 2]) {
    const executable = cpu.compile(graph, { isa, threads });
    try {
      for (const run of [1, 2]) {
        const got = executable.run(feed);
        const about = `${isa}, ${threads} threads, run ${run}`;
        for (const name of Object.keys(want)) {
          expectNear(got[name], want[name], deviceCase.tolerance ?? 2e-5, `${about}, ${name}`);
          if (first) expect(Buffer.compare(bytes(got[name]), bytes(first[name])), `${about}: the same bits as the first run`).toBe(0);
        }
        first ??= got;
      }
    } finally {
      executable.dispose();
    }
  }
}

/** A test for each case on each instruction set. */
export function testOnCpu(cases: Readonly<Record<string, DeviceCase>>): void {
  for (const isa of isas) {
    describe(isa, () => {
      for (const [name, deviceCase] of Object.entries(cases)) test(name, () => checkOnCpu(deviceCase, isa));
    });
  }
}

/** A tensor of every integer that fits, going round: for what only moves elements. */
export function counting(dtype: TensorData['dtype'], shape: Shape): TensorData {
  const data = new dtypes[dtype].array(sizeOf(shape));
  const big = dtypes[dtype].bytes === 8 && dtypes[dtype].kind === 'int';
  for (let i = 0; i < data.length; i++) data[i] = (big ? BigInt(i) : dtype === 'bool' ? i % 2 : i) as never;
  return tensorData(dtype, shape, data);
}
