/** For tests: runs vector functions over arrays, on every instruction set that this machine has. */
import { isas, type Isa, KernelBuilder, type KernelCode, lanesOf, type Vec } from '../../codegen/index.ts';
import { compileWasm } from '../../codegen/wasm/index.ts';
import { compileX64 } from '../../codegen/x64/index.ts';
import { requiredFeatures } from '../../runtime/cpu-info.ts';
import { loadNative, type Native } from '../../runtime/native.ts';
import { wasmIsa } from '../../runtime/wasm-flags.ts';
import type { FloatElem } from './floats.ts';

export interface Target {
  readonly name: string;
  readonly isa: Isa;
  /** Compiles an entry kernel; returns it as a function of byte offsets into `memory`. */
  compile(kernel: KernelCode): ((...offsets: number[]) => void) & { spills?: number };
  readonly memory: ArrayBufferLike;
}

const pages = 64;

function wasmTarget(name: string, isa: Isa): Target {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  return {
    name,
    isa,
    memory: memory.buffer,
    compile(kernel) {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(compileWasm([kernel], { exportAll: true })), { env: { memory } });
      return exports.k0 as (...offsets: number[]) => void;
    },
  };
}

function x64Target(native: Native, isa: Isa): Target {
  const memory = new SharedArrayBuffer(pages * 65536);
  const base = native.addressOf(new Uint8Array(memory));
  return {
    name: isa.name,
    isa,
    memory,
    compile(kernel) {
      const { code, entries, spills } = compileX64([kernel], { abi: native.abi });
      const placed = native.placeCode(code);
      const call = native.callable(placed.address + BigInt(entries[0]), kernel.params.length);
      return Object.assign((...offsets: number[]) => void call(...offsets.map((offset) => base + BigInt(offset))), { spills: spills[0] });
    },
  };
}

const relaxed = wasmIsa();
const native = await loadNative();
const features = 'unavailable' in native ? new Set<string>() : native.detectCpu().features;
export const targets: readonly Target[] = [
  wasmTarget('wasm', isas.wasm),
  ...(relaxed?.fma ? [wasmTarget('wasm relaxed', relaxed)] : []),
  ...(requiredFeatures.avx2.every((feature) => features.has(feature)) ? [x64Target(native as Native, isas.avx2)] : []),
  ...(requiredFeatures.avx512.every((feature) => features.has(feature)) ? [x64Target(native as Native, isas.avx512)] : []),
];

export type VectorFunction = (b: KernelBuilder, elem: FloatElem, ...x: Vec[]) => Vec;
export type FloatArray = Float32Array | Float64Array;

const blockBytes = 1 << 20;

/** Applies the function to whole arrays, a block of the target's memory at a time. */
export function applier(target: Target, elem: FloatElem, operands: number, fn: VectorFunction): (...inputs: FloatArray[]) => FloatArray {
  const Type = elem === 'f32' ? Float32Array : Float64Array;
  const { isa, memory } = target;
  const b = new KernelBuilder(`apply${fn.name}`, isa);
  const pointers = Array.from({ length: operands + 1 }, () => b.param());
  const perBlock = blockBytes / Type.BYTES_PER_ELEMENT;
  const lanes = lanesOf(isa, elem);
  b.loop(perBlock / lanes, () => {
    const x = pointers.slice(0, operands).map((pointer) => b.load(elem, b.at(pointer)));
    b.store(elem, b.at(pointers[operands]), fn(b, elem, ...x));
    pointers.forEach((pointer) => b.advance(pointer, isa.vectorBytes));
  });
  const call = target.compile(b.finish({ entry: true }));
  const offsets = pointers.map((_, i) => i * blockBytes);
  return (...inputs) => {
    const result = new Type(inputs[0].length);
    for (let at = 0; at < result.length; at += perBlock) {
      const count = Math.min(perBlock, result.length - at);
      inputs.forEach((input, i) => new Type(memory as ArrayBuffer, offsets[i], count).set(input.subarray(at, at + count)));
      call(...offsets);
      result.set(new Type(memory as ArrayBuffer, offsets[operands], count), at);
    }
    return result;
  };
}

// ---- arguments

/** Every 2^k-th float32 from a start inside the step, all signs, infinities and NaN among them. */
export function float32Sweep(step: number, start = step >> 1): Float32Array {
  const count = Math.floor((2 ** 32 - start - 1) / step) + 1;
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) bits[i] = start + i * step;
  return new Float32Array(bits.buffer);
}
const edges32 = [0, 1, 2, 0x7fffff, 0x800000, 0x800001, 0x7f7fffff, 0x7f800000, 0x7fc00000, 0x3f800000, 0x3f7fffff, 0x3f800001];
export const float32Edges: Float32Array = new Float32Array(Uint32Array.from(edges32.flatMap((bits) => [bits, bits + 2 ** 31])).buffer);
const edges64 = [
  0, -0, 5e-324, -5e-324, 2 ** -1022, -(2 ** -1022), 2 ** -1022 - 5e-324, 1e-300, Number.MAX_VALUE, -Number.MAX_VALUE, Infinity, -Infinity,
  NaN, 1, -1, 1 - 2 ** -53, 1 + 2 ** -52, 2 ** -1070,
];
export const float64Edges: Float64Array = Float64Array.from(edges64);

/** A small generator with a fixed seed (G. Marsaglia, Xorshift RNGs, 2003): the tests are the same at every run. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

// ---- measuring

const view = new DataView(new ArrayBuffer(8));
/** The distance of neighbouring float32 at x. */
function ulp32(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude < 2 ** -126) return 2 ** -149;
  view.setFloat64(0, magnitude);
  return 2 ** (((view.getUint32(0) >>> 20) & 0x7ff) - 1023 - 23);
}

export interface Worst {
  readonly ulp: number;
  readonly at: readonly number[];
  readonly got: number;
  readonly want: number;
}

/**
 * The largest error in float32 units of the last place of the exact (here: double) results `want`; infinite where a NaN, an
 * infinity or the sign of a zero is wrong.
 */
export function worst32(got: FloatArray, want: Float64Array, inputs: readonly FloatArray[]): Worst {
  let worst: Worst = { ulp: 0, at: [], got: 0, want: 0 };
  for (let i = 0; i < got.length; i++) {
    const rounded = Math.fround(want[i]);
    if (Object.is(got[i], rounded)) continue;
    const ulp = Math.abs(difference(got[i], want[i], rounded));
    if (ulp > worst.ulp) worst = { ulp, at: inputs.map((input) => input[i]), got: got[i], want: want[i] };
  }
  return worst;
}
/** An infinity counts as the float after the largest. */
const finite = (x: number): number => (Math.abs(x) < 2 ** 128 ? x : Math.sign(x) * 2 ** 128);
function difference(got: number, want: number, rounded: number): number {
  if (Number.isNaN(rounded) || Number.isNaN(got)) return Infinity;
  if (got === 0 && rounded === 0) return Infinity; // the wrong zero
  return (finite(got) - finite(want)) / ulp32(finite(rounded));
}
