/** The inner loop of a matrix product, as tight as written by hand: nothing spilled, nothing moved, nothing computed twice. */
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from 'iced-x86';
import { describe, expect, test } from 'vitest';
import type { KernelCode } from '../ir.ts';
import { compileX64 } from './index.ts';
import { builderFor, difference, missing, type X64Isa } from './testing.ts';

const ROUNDS = 9;

/** c[rows, columns] = sum over k of a[k, rows] * b[k, columns]; a in memory as `splats` says: loaded once, or read in place. */
function tile(isa: X64Isa, rows: number, vectors: number, splats: 'loaded' | 'in place'): KernelCode {
  const b = builderFor(isa, `tile ${rows}x${vectors}`);
  const lanes = b.lanes('f32');
  const base = b.param();
  const [pa, pb, pc] = [base, b.integer('iadd', base, 4096), b.integer('iadd', base, 16384)];
  const a = b.move(pa);
  const sums = Array.from({ length: rows }, () => Array.from({ length: vectors }, () => b.variable('f32')));
  b.loop(ROUNDS, () => {
    const columns = Array.from({ length: vectors }, (_, j) => b.load('f32', b.at(pb, 4 * lanes * j)));
    sums.forEach((row, i) => {
      const value = splats === 'loaded' ? b.load('f32', b.splatAt(a, 4 * i)) : b.splatAt(a, 4 * i);
      row.forEach((sum, j) => b.accumulate('f32', sum, columns[j], value));
    });
    b.advance(a, 4 * rows);
    b.advance(pb, 4 * lanes * vectors);
  });
  sums.flat().forEach((sum, n) => b.store('f32', b.at(pc, 4 * lanes * n), sum));
  return b.finish({ entry: true });
}

/** Mnemonics from the loop's head to its jump back, without the nops that align it. */
function loopOf(kernel: KernelCode): string[] {
  const { code, sizes } = compileX64([kernel], { abi: 'sysv' });
  const decoder = new Decoder(64, code.subarray(0, sizes[0]), DecoderOptions.None);
  const formatter = new Formatter(FormatterSyntax.Intel);
  const lines: { at: number; text: string }[] = [];
  while (decoder.canDecode) {
    const at = decoder.position;
    const instruction = decoder.decode();
    lines.push({ at, text: formatter.format(instruction) });
    instruction.free();
  }
  const jump = lines.findIndex(({ text }) => text.startsWith('jne'));
  const head = parseInt(/([0-9A-F]+)h$/.exec(lines[jump].text)![1], 16);
  expect(head % 32).toBe(0);
  return lines.filter(({ at }, k) => at >= head && k <= jump).map(({ text }) => text.split(' ')[0]);
}

const counted = (list: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of list) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

const tiles: readonly [X64Isa, number, number, 'loaded' | 'in place', Record<string, number>][] = [
  ['avx512', 14, 2, 'loaded', { vmovups: 2, vbroadcastss: 14, vfmadd231ps: 28, add: 1, sub: 2, jne: 1 }],
  ['avx512', 28, 1, 'in place', { vmovups: 1, vfmadd231ps: 28, add: 2, sub: 1, jne: 1 }],
  ['avx512', 7, 4, 'in place', { vmovups: 4, vfmadd231ps: 28, add: 2, sub: 1, jne: 1 }],
  ['avx512', 9, 3, 'loaded', { vmovups: 3, vbroadcastss: 9, vfmadd231ps: 27, add: 2, sub: 1, jne: 1 }],
  ['avx2', 6, 2, 'loaded', { vmovups: 2, vbroadcastss: 6, vfmadd231ps: 12, add: 2, sub: 1, jne: 1 }],
  ['avx2', 4, 3, 'loaded', { vmovups: 3, vbroadcastss: 4, vfmadd231ps: 12, add: 2, sub: 1, jne: 1 }],
];

describe.each(tiles)('%s %i x %i, a %s', (isa, rows, vectors, splats, wanted) => {
  const kernel = tile(isa, rows, vectors, splats);
  test('no spills, only the instructions the product needs', () => {
    expect(compileX64([kernel], { abi: 'sysv' }).spills).toEqual([0]);
    expect(compileX64([kernel], { abi: 'win64' }).spills).toEqual([0]);
    expect(counted(loopOf(kernel))).toEqual(wanted);
  });
  test.skipIf(missing(isa))('right', () => {
    const memory = new Uint8Array(32768);
    new Float32Array(memory.buffer).forEach((_, k, all) => (all[k] = (k * 7919) % 13 - 6));
    expect(difference(kernel, memory, [])).toBe(undefined);
  });
});

test('one sum too many spills, and says so', () => {
  expect(compileX64([tile('avx512', 15, 2, 'loaded')], { abi: 'sysv' }).spills[0]).toBeGreaterThan(0);
});
