/** For tests: runs a kernel as machine code and in the interpreter over equal memory, and tells where they differ. */
import { loadNative, type Native } from '../../runtime/native.ts';
import { requiredFeatures } from '../../runtime/cpu-info.ts';
import { KernelBuilder } from '../builder.ts';
import { interpret } from '../interpret.ts';
import type { Elem, KernelCode } from '../ir.ts';
import { type IsaName, isas } from '../isa.ts';
import { compileX64 } from './index.ts';

export type X64Isa = 'avx512' | 'avx2';
export const x64Isas: readonly X64Isa[] = ['avx512', 'avx2'];

/** Why code for `isa` cannot run here, or undefined. */
export function missing(isa: X64Isa): string | undefined {
  const native = loadNative();
  if ('unavailable' in native) return native.unavailable;
  const { features } = native.detectCpu();
  const lacking = requiredFeatures[isa].filter((f) => !features.has(f));
  return lacking.length > 0 ? `this processor lacks ${lacking.join(', ')}` : undefined;
}

/** Runs the first kernel on the memory's address and the arguments, which may be made from the kernels' addresses. */
export function runNative(
  kernels: readonly KernelCode[],
  memory: Uint8Array,
  args: (addresses: bigint[]) => readonly (number | bigint)[],
): number | bigint {
  const native = loadNative() as Native;
  const { code, entries } = compileX64(kernels, { abi: native.abi });
  const placed = native.placeCode(code);
  try {
    const addresses = entries.map((at) => placed.address + BigInt(at));
    const all = [native.addressOf(memory), ...args(addresses)];
    return native.callable(addresses[0], all.length)(...all);
  } finally {
    placed.free();
  }
}

/** A 64-byte aligned copy of `bytes`. */
export function alignedCopy(bytes: Uint8Array): Uint8Array {
  const native = loadNative() as Native;
  const buffer = new ArrayBuffer(bytes.length + 64);
  const whole = new Uint8Array(buffer);
  const skip = Number(-native.addressOf(whole) & 63n);
  const copy = whole.subarray(skip, skip + bytes.length);
  copy.set(bytes);
  return copy;
}

/**
 * Runs a kernel whose first argument is the memory's address in both ways. Returns the first difference as text, or
 * undefined; floats from `floatsAt` on are compared as `elem`, any NaN being like any other.
 */
export function difference(
  kernel: KernelCode,
  bytes: Uint8Array,
  args: readonly number[],
  compareAs: readonly { elem: Elem; from: number; to: number }[] = [],
): string | undefined {
  const expected = bytes.slice();
  const wanted = interpret(kernel, expected.buffer, [0, ...args]);
  const got = alignedCopy(bytes);
  const result = runNative([kernel], got, () => args);
  if (kernel.returns && BigInt(result) !== wanted) return `returned ${result}, expected ${wanted}`;
  for (let at = 0; at < expected.length; at++) {
    if (expected[at] === got[at]) continue;
    const area = compareAs.find(({ from, to }) => at >= from && at < to);
    const step = area?.elem === 'f64' || area?.elem === 'i64' ? 8 : 4;
    const start = at - (at % step);
    const read = (from: Uint8Array): number | bigint => {
      const view = new DataView(from.buffer, from.byteOffset);
      if (area?.elem === 'f32') return view.getFloat32(start, true);
      if (area?.elem === 'f64') return view.getFloat64(start, true);
      return area?.elem === 'i64' ? view.getBigInt64(start, true) : view.getInt32(start, true);
    };
    const [a, b] = [read(expected), read(got)];
    if (area && Number.isNaN(a) && Number.isNaN(b)) {
      at = start + step - 1;
      continue;
    }
    return `at byte ${start}: got ${b}, expected ${a}`;
  }
  return undefined;
}

export const builderFor = (isa: IsaName, name = 'test'): KernelBuilder => new KernelBuilder(name, isas[isa]);
