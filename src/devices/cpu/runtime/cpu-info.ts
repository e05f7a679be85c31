/** What the processor says of itself through cpuid: vendor, name, instruction sets that may be used, cache sizes. */

export interface CpuInfo {
  readonly vendor: string;
  readonly brand: string;
  /** Instruction sets that both the processor and the operating system support. */
  readonly features: ReadonlySet<string>;
  /** Data cache bytes one core sees, by level; 0 where unknown. */
  readonly l1dBytes: number;
  readonly l2Bytes: number;
  readonly l3Bytes: number;
}

export interface CpuidResult {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}
export type Cpuid = (leaf: number, subleaf?: number) => CpuidResult;

type Register = keyof CpuidResult;
/** Register state that the operating system must save for a feature to be usable: bits of XCR0. */
const NONE = 0;
const YMM = 0x6;
const ZMM = 0xe6;
const TILE = 0x60000;

/** Name, leaf, subleaf, register, bit, state. */
const features: readonly [string, number, number, Register, number, number][] = [
  ['sse2', 1, 0, 'edx', 26, NONE],
  ['sse3', 1, 0, 'ecx', 0, NONE],
  ['ssse3', 1, 0, 'ecx', 9, NONE],
  ['sse4.1', 1, 0, 'ecx', 19, NONE],
  ['sse4.2', 1, 0, 'ecx', 20, NONE],
  ['popcnt', 1, 0, 'ecx', 23, NONE],
  ['bmi1', 7, 0, 'ebx', 3, NONE],
  ['bmi2', 7, 0, 'ebx', 8, NONE],
  ['avx', 1, 0, 'ecx', 28, YMM],
  ['fma', 1, 0, 'ecx', 12, YMM],
  ['f16c', 1, 0, 'ecx', 29, YMM],
  ['avx2', 7, 0, 'ebx', 5, YMM],
  ['avxvnni', 7, 1, 'eax', 4, YMM],
  ['avx512f', 7, 0, 'ebx', 16, ZMM],
  ['avx512dq', 7, 0, 'ebx', 17, ZMM],
  ['avx512ifma', 7, 0, 'ebx', 21, ZMM],
  ['avx512cd', 7, 0, 'ebx', 28, ZMM],
  ['avx512bw', 7, 0, 'ebx', 30, ZMM],
  ['avx512vl', 7, 0, 'ebx', 31, ZMM],
  ['avx512vbmi', 7, 0, 'ecx', 1, ZMM],
  ['avx512vbmi2', 7, 0, 'ecx', 6, ZMM],
  ['avx512vnni', 7, 0, 'ecx', 11, ZMM],
  ['avx512bitalg', 7, 0, 'ecx', 12, ZMM],
  ['avx512bf16', 7, 1, 'eax', 5, ZMM],
  ['avx512fp16', 7, 0, 'edx', 23, ZMM],
  ['amxbf16', 7, 0, 'edx', 22, TILE],
  ['amxtile', 7, 0, 'edx', 24, TILE],
  ['amxint8', 7, 0, 'edx', 25, TILE],
];

/** What the avx512 and avx2 back ends use. */
export const requiredFeatures = {
  avx512: ['avx2', 'fma', 'bmi2', 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512cd'],
  avx2: ['avx2', 'fma', 'bmi2'],
} as const;

/** Reads the processor through `cpuid`; `xcr0` is asked only where the processor has it. */
export function describeCpu(cpuid: Cpuid, xcr0: () => number): CpuInfo {
  const basic = cpuid(0);
  const extended = cpuid(0x80000000).eax;
  const hasXsave = (cpuid(1).ecx >>> 27) & 1;
  const state = hasXsave ? xcr0() : 0;
  const found = features.filter(([, leaf, subleaf, register, bit, needs]) => {
    if (leaf > basic.eax || (subleaf > 0 && subleaf > cpuid(leaf, 0).eax)) return false;
    return (cpuid(leaf, subleaf)[register] >>> bit) & 1 && (state & needs) === needs;
  });
  const brand =
    extended >= 0x80000004
      ? [0x80000002, 0x80000003, 0x80000004].map((leaf) => text(Object.values(cpuid(leaf)))).join('')
      : '';
  return {
    vendor: text([basic.ebx, basic.edx, basic.ecx]),
    brand: brand.replace(/\0.*$/s, '').trim().replace(/\s+/g, ' '),
    features: new Set(found.map(([name]) => name)),
    ...cacheSizes(cpuid, basic.eax, extended),
  };
}

const text = (words: readonly number[]): string =>
  words.map((word) => String.fromCharCode(...[0, 8, 16, 24].map((shift) => (word >>> shift) & 255))).join('');

/** Deterministic cache parameters: leaf 4 on Intel, 0x8000001d on AMD, of one layout. */
function cacheSizes(cpuid: Cpuid, basic: number, extended: number): Pick<CpuInfo, 'l1dBytes' | 'l2Bytes' | 'l3Bytes'> {
  const sizes = [0, 0, 0, 0];
  for (const leaf of [4, 0x8000001d]) {
    if (leaf > (leaf < 0x80000000 ? basic : extended) || sizes[1] > 0) continue;
    for (let k = 0; k < 16; k++) {
      const { eax, ebx, ecx } = cpuid(leaf, k);
      const kind = eax & 31;
      if (kind === 0) break;
      const INSTRUCTION = 2;
      const level = (eax >>> 5) & 7;
      const bytes = ((ebx >>> 22) + 1) * (((ebx >>> 12) & 1023) + 1) * ((ebx & 4095) + 1) * (ecx + 1);
      if (kind !== INSTRUCTION && level <= 3) sizes[level] = bytes;
    }
  }
  return { l1dBytes: sizes[1], l2Bytes: sizes[2], l3Bytes: sizes[3] };
}
