/** Instruction sets a kernel can be compiled for: what a kernel's author needs to know of each, as data. */

/** Element type of a vector operation. */
export type Elem = 'f32' | 'f64' | 'i32' | 'i64';
export type IsaName = 'avx512' | 'avx2' | 'wasm';

export interface Isa {
  readonly name: IsaName;
  readonly vectorBytes: 16 | 32 | 64;
  /** Vector registers a kernel may plan with. */
  readonly vectorRegisters: number;
  /** General registers a kernel may plan with. */
  readonly intRegisters: number;
  /** Whether fma rounds once. On wasm only with relaxed SIMD. */
  readonly fma: boolean;
  /** Whether a splat memory operand costs no register and no instruction. */
  readonly splatOperands: boolean;
  /** Whether the engine makes one register of two vectors that are loaded, computed and stored beside each other (V8's revectorisation). */
  readonly pairs?: boolean;
}

const bytesOf: Record<Elem, number> = { f32: 4, f64: 8, i32: 4, i64: 8 };
export const elemBytes = (elem: Elem): number => bytesOf[elem];
export const lanesOf = (isa: Isa, elem: Elem): number => isa.vectorBytes / bytesOf[elem];

export const isas: Readonly<Record<IsaName, Isa>> = {
  avx512: { name: 'avx512', vectorBytes: 64, vectorRegisters: 32, intRegisters: 13, fma: true, splatOperands: true },
  avx2: { name: 'avx2', vectorBytes: 32, vectorRegisters: 16, intRegisters: 13, fma: true, splatOperands: false },
  wasm: { name: 'wasm', vectorBytes: 16, vectorRegisters: 15, intRegisters: 13, fma: false, splatOperands: false },
};

/** wasm where the running engine has relaxed SIMD: fma rounds once. */
export const relaxedWasm: Isa = { ...isas.wasm, fma: true };

/** The same where the engine also pairs vectors: kernels should compute on an even number of neighbouring ones. */
export const pairedWasm: Isa = { ...relaxedWasm, pairs: true };
