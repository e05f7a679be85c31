import { expect, test } from 'vitest';
import { type Cpuid, type CpuidResult, describeCpu } from './cpu-info.ts';

const zero: CpuidResult = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
/** A processor that answers from a table; leaves it does not have are zero. */
const processor = (table: Record<string, Partial<CpuidResult>>): Cpuid => (leaf, subleaf = 0) => ({
  ...zero,
  ...table[`${leaf.toString(16)}.${subleaf}`],
});
const word = (text: string): number => [...text].reduce((sum, c, k) => (sum | (c.charCodeAt(0) << (8 * k))) >>> 0, 0);
const OSXSAVE_AVX_FMA = ((1 << 27) | (1 << 28) | (1 << 12)) >>> 0;
const table = {
  '0.0': { eax: 0x10, ebx: word('Auth'), edx: word('enti'), ecx: word('cAMD') },
  '1.0': { ecx: OSXSAVE_AVX_FMA },
  '7.0': { ebx: (1 << 5) | (1 << 16) },
  '80000000.0': { eax: 0x8000001d },
  '80000002.0': { eax: word('AMD '), ebx: word('  Ze') },
  '80000003.0': { eax: word('n\0zz') },
  // 32 KiB data, 32 KiB instructions, 1 MiB of level 2
  '8000001d.0': { eax: 0x21, ebx: (7 << 22) | 63, ecx: 63 },
  '8000001d.1': { eax: 0x22, ebx: (7 << 22) | 63, ecx: 63 },
  '8000001d.2': { eax: 0x43, ebx: (7 << 22) | 63, ecx: 2047 },
};

test('vendor, name, caches of an AMD processor', () => {
  const cpu = describeCpu(processor(table), () => 0xe7);
  expect(cpu.vendor).toBe('AuthenticAMD');
  expect(cpu.brand).toMatch(/^AMD/);
  expect([cpu.l1dBytes, cpu.l2Bytes, cpu.l3Bytes]).toEqual([32 << 10, 1 << 20, 0]);
});

test('what the operating system does not save is not a feature', () => {
  const withState = (xcr0: number): string[] => [...describeCpu(processor(table), () => xcr0).features].sort();
  expect(withState(0xe7)).toEqual(['avx', 'avx2', 'avx512f', 'fma']);
  expect(withState(0x7)).toEqual(['avx', 'avx2', 'fma']);
  expect(withState(0x3)).toEqual([]);
});

test('without xsave its state is not asked for', () => {
  const old = processor({ ...table, '1.0': { edx: 1 << 26 } });
  const cpu = describeCpu(old, () => {
    throw new Error('xgetbv would fault');
  });
  expect([...cpu.features]).toEqual(['sse2']);
});
