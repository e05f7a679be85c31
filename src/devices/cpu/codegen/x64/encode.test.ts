/** Every row of the instruction table, over many operands, against an independent disassembler (iced-x86). */
import { Decoder, DecoderOptions, Formatter, FormatterSyntax, MemorySizeOptions } from 'iced-x86';
import { describe, expect, test } from 'vitest';
import { Assembler, Operand, type Rm } from './encode.ts';
import { cmovcc, conditions, G, type GprRow, plain, registerNames, setcc, V, type VecRow } from './encode-table.ts';

const formatter = new Formatter(FormatterSyntax.Intel);
formatter.memorySizeOptions = MemorySizeOptions.Never;
formatter.usePseudoOps = false;
formatter.branchLeadingZeros = false;
formatter.hexPrefix = '0x';
formatter.hexSuffix = '';
formatter.uppercaseHex = false;
formatter.smallHexNumbersInDecimal = false;
formatter.spaceAfterOperandSeparator = true;

function disassemble(code: Uint8Array): { text: string; length: number } {
  const decoder = new Decoder(64, code, DecoderOptions.None);
  const instruction = decoder.decode();
  const text = formatter.format(instruction);
  const { length } = instruction;
  instruction.free();
  decoder.free();
  return { text, length };
}

/** The bytes that `write` assembles, and nothing behind them. */
function assemble(write: (asm: Assembler) => void): Uint8Array {
  const asm = new Assembler();
  write(asm);
  const { size } = asm;
  return asm.finish().subarray(0, size);
}

function expectText(write: (asm: Assembler) => void, text: string): void {
  const code = assemble(write);
  const got = disassemble(code);
  expect({ text: got.text, length: got.length }).toEqual({ text, length: code.length });
}

// ---- names
const hex = (x: number): string => `0x${x.toString(16)}`;
const names16 = 'ax cx dx bx sp bp si di'.split(' ');
const general = (reg: number, bits: number): string => {
  if (bits === 64) return registerNames[reg];
  if (reg > 7) return `r${reg}${{ 8: 'b', 16: 'w', 32: 'd' }[bits]}`;
  if (bits === 32) return `e${names16[reg]}`;
  if (bits === 16) return names16[reg];
  return reg < 4 ? `${'acdb'[reg]}l` : `${names16[reg]}l`;
};
const vector = (reg: number, length: number): string => `${'xyz'[length]}mm${reg}`;

function memory({ base, index, scale, disp }: Operand): string {
  const parts = [];
  if (base >= 0) parts.push(registerNames[base]);
  if (index >= 0) parts.push(registerNames[index] + (scale > 0 ? `*${1 << scale}` : ''));
  const sum = parts.join('+');
  return `[${sum}${disp === 0 ? '' : disp < 0 ? `-${hex(-disp)}` : `+${hex(disp)}`}]`;
}

/** Bases and indices that need sib, rex or a displacement; displacements of no, one and four bytes, scaled or not. */
const bases = [0, 3, 4, 5, 7, 8, 12, 13, 15];
const indices = [-1, -1, 0, 1, 5, 9, 12, 13, 15];
const displacements = [0, 4, 8, 64, -64, 127, 128, -128, -129, 1024, 4096, 8128, 8192, 0x12345678, -0x7ffffff];

// A small deterministic generator: the same operands in every run.
let state = 1;
const random = (below: number): number => {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return Math.floor((state / 0x80000000) * below);
};
const pick = <T>(list: readonly T[]): T => list[random(list.length)];
const someMemory = (broadcast = false): Operand =>
  new Operand(pick(bases), pick(displacements), pick(indices), random(4), broadcast);

// ---- vector rows
const lengthsOf = ({ name, operands, vex, evex }: VecRow): number[] => {
  if (operands.includes('K') && vex) return [/^k(and|or)w/.test(name) ? 1 : 0];
  if (!/[VH]/.test(operands)) return [operands.includes('Y') ? 1 : 0];
  const atLeast256 = /vbroadcastsd|vpermpd|vshuff32x4|vinsertf32x4|vextractf32x4/.test(name);
  return [0, 1, 2].filter((l) => (l < 2 || evex) && (l > 0 || !atLeast256));
};

function checkVectorRow(row: VecRow, length: number): void {
  const wide = row.evex ? 32 : 16;
  const regs: Record<string, number> = {};
  const kinds: Record<string, string> = {};
  row.roles.split('').forEach((role, k) => {
    const kind = row.operands[k];
    kinds[role] = kind;
    regs[role] = kind === 'i' ? random(256) : kind === 'K' ? random(8) : /[DQ]/.test(kind) ? random(16) : random(role === 'S' ? 16 : wide);
  });
  const canBeMemory = !/vpsllq|vpslld|vpsrl|vpsra|vmovmsk|knotw|kandw|korw|kmov.To|vmovqLow/.test(row.name);
  const wantsMemory = kinds.M === '.' || (canBeMemory && row.roles.includes('M') && random(2) === 1 && !isTo(row));
  const broadcast = wantsMemory && row.broadcast > 0 && random(2) === 1;
  const rm: Rm = wantsMemory ? someMemory(broadcast) : regs.M;
  // A mask makes the instruction EVEX; moves and arithmetic may carry one.
  const canMask = row.evex && row.broadcast > 0 && kinds.R !== 'K' && row.vexName !== 'vshufpd';
  const masked = (canMask || /^vmov(up|ap)/.test(row.name)) && random(3) === 0;
  const k = masked ? 1 + random(7) : 0;
  const storesMemory = wantsMemory && row.roles[0] === 'M';
  const zero = masked && !storesMemory && random(2) === 1;

  const imm = row.roles.includes('S') ? regs.S << 4 : regs.I;
  const evex = !row.vex || length === 2 || k > 0 || broadcast || [regs.R, regs.V, wantsMemory ? 0 : regs.M].some((r) => r > 15);
  const name = (kind: string, reg: number): string => {
    if (kind === 'V') return vector(reg, length);
    if (kind === 'H') return vector(reg, Math.max(0, length - 1));
    if (kind === 'X' || kind === 'Y') return vector(reg, kind === 'Y' ? 1 : 0);
    if (kind === 'K') return `k${reg}`;
    return general(reg, kind === 'Q' ? 64 : 32);
  };
  const elements = (16 << length) / (row.broadcast || 1) / (row.operands[row.roles.indexOf('M')] === 'H' ? 2 : 1);
  const texts = row.roles.split('').map((role) => {
    if (role === 'I') return hex(regs.I);
    if (role === 'M' && wantsMemory) return memory(rm as Operand) + (broadcast ? `{1to${elements}}` : '');
    return name(kinds[role], regs[role]);
  });
  if (k > 0) texts[0] += `{k${k}}${zero ? '{z}' : ''}`;
  const text = `${evex ? row.name : row.vexName} ${texts.join(', ')}`;
  expectText((asm) => asm.vec(row, length, regs.R ?? 0, regs.V ?? 0, rm, imm, k, zero), text);
}
/** Rows that move to a general register only. */
const isTo = (row: VecRow): boolean => row === V.kmovwTo || row === V.kmovbTo;

describe('vector instructions', () => {
  for (const [key, row] of Object.entries(V))
    test(key, () => {
      for (const length of lengthsOf(row)) for (let n = 0; n < 60; n++) checkVectorRow(row, length);
    });

  test('constants are found behind the code, whatever follows the displacement', () => {
    const code = assemble((asm) => {
      const entry = asm.pool.splat('f32', 1.5, 4);
      asm.vec(V.vaddps, 2, 1, 2, Operand.constant(entry, true));
      asm.vec(V.vcmppsMask, 2, 1, 2, Operand.constant(entry, true), 1);
    });
    const first = disassemble(code);
    expect(first.text).toBe('vaddps zmm1, zmm2, [0x40]{1to16}');
    expect(disassemble(code.subarray(first.length)).text).toBe('vcmpps k1, zmm2, [0x36]{1to16}, 0x1'); // its address is counted from 10
  });

  test('a short form is taken where it fits', () => {
    const length = (write: (asm: Assembler) => void): number => assemble(write).length;
    expect(length((asm) => asm.vec(V.vaddps, 1, 1, 2, 3))).toBe(4); // two-byte VEX
    expect(length((asm) => asm.vec(V.vaddps, 1, 1, 2, 8))).toBe(5); // three-byte VEX
    expect(length((asm) => asm.vec(V.vaddps, 1, 1, 2, 16))).toBe(6); // EVEX
    expect(length((asm) => asm.vec(V.vaddps, 2, 1, 2, new Operand(0, 64 * 127)))).toBe(7); // disp8 of 64 bytes
    expect(length((asm) => asm.vec(V.vaddps, 2, 1, 2, new Operand(0, 4 * 127, -1, 0, true)))).toBe(7); // of 4
    expect(length((asm) => asm.vec(V.vaddps, 2, 1, 2, new Operand(0, 4 * 127)))).toBe(10);
  });

  test('what an encoding cannot express is refused', () => {
    expect(() => assemble((asm) => asm.vec(V.vperm2f128, 1, 16, 0, 0))).toThrow('no EVEX encoding');
  });
});

// ---- general rows
function checkGeneralRow(row: GprRow): void {
  const bits = row.w ? 64 : row.prefix === 0x66 ? 16 : 32;
  const regR = random(16);
  const immBytes = row.imm;
  const imm = immBytes === 0 ? 0 : immBytes === 1 ? random(64) : pick([1, -1, 127, -128, 128, -129, 0x12345678, -0x12345678]);
  const wantsMemory = needsMemory.has(row.name) || (row.roles.includes('M') && random(2) === 1);
  const rm: Rm = wantsMemory ? someMemory() : random(16);
  const is64 = row.name === 'push' || row.name === 'pop' || row.name === 'call';
  const bitsOf = (role: string): number => {
    if (row.byte.includes(role)) return 8;
    if (role === 'M' && /^mov[sz]x/.test(row.name)) return row.name === 'movsxd' ? 32 : 16;
    return is64 ? 64 : bits;
  };
  const texts = row.roles.split('').map((role) => {
    if (role === 'I') return immText(row, imm);
    if (role === 'M') return wantsMemory ? memory(rm as Operand) : general(rm as number, bitsOf('M'));
    return general(regR, bitsOf(role));
  });
  const lock = row.prefix === 0xf0 ? 'lock ' : '';
  const code = assemble((asm) => asm.gpr(row, regR, rm, imm));
  const got = disassemble(code);
  expect(got).toEqual({ text: `${lock}${row.name} ${texts.join(', ')}`, length: code.length });
}
const needsMemory = new Set(['lea', 'prefetcht0', 'prefetcht1', 'xadd']);
function immText(row: GprRow, imm: number): string {
  if (imm >= 0) return hex(imm);
  return row.w ? `0x${BigInt.asUintN(64, BigInt(imm)).toString(16)}` : hex(imm >>> 0);
}

describe('general instructions', () => {
  const { movImm64: _, ...others } = G; // its immediate is written by `constant`, below
  for (const [key, row] of Object.entries(others))
    test(key, () => {
      for (let n = 0; n < 100; n++) checkGeneralRow(row);
    });
  for (const row of [...setcc, ...cmovcc])
    test(row.name, () => {
      for (let n = 0; n < 40; n++) checkGeneralRow(row);
    });

  test('constants of every size', () => {
    const constant = (reg: number, value: number | bigint, text: string): void =>
      expectText((asm) => asm.constant(reg, value), text);
    constant(9, 0, 'xor r9d, r9d');
    constant(9, 1, 'mov r9d, 0x1');
    constant(0, 0xffffffff, 'mov eax, 0xffffffff');
    constant(8, -1, 'mov r8, 0xffffffffffffffff');
    constant(8, -0x80000000, 'mov r8, 0xffffffff80000000');
    constant(13, 0x1_0000_0000, 'mov r13, 0x100000000');
    constant(1, 0x0123_4567_89ab_cdefn, 'mov rcx, 0x123456789abcdef');
    constant(1, -0x0123_4567_89ab_cdefn, `mov rcx, 0x${BigInt.asUintN(64, -0x0123_4567_89ab_cdefn).toString(16)}`);
  });

  test('instructions without operands', () => {
    for (const name of Object.keys(plain) as (keyof typeof plain)[]) expectText((asm) => asm.plain(name), name);
  });

  test('jumps reach labels before and behind them', () => {
    for (const [c, name] of conditions.entries()) {
      expectText((asm) => {
        const label = asm.label();
        asm.bind(label);
        asm.jumpIf(c, label);
      }, `j${name} short 0x0`);
      const far = assemble((asm) => {
        const label = asm.label();
        asm.jumpIf(c, label);
        asm.align(64);
        asm.bind(label);
        asm.resolve();
      });
      expect(disassemble(far).text).toBe(`j${name} 0x40`);
    }
    const code = assemble((asm) => {
      const [back, ahead] = [asm.label(), asm.label()];
      asm.bind(back);
      asm.jump(ahead);
      for (let n = 0; n < 4; n++) asm.align(64 << n);
      asm.jump(back);
      asm.bind(ahead);
      asm.resolve();
    });
    expect(disassemble(code).text).toBe('jmp 0x205');
    expect(code.length).toBe(0x205);
    const last = new Uint8Array([...code.subarray(0x200)]);
    expect([...last]).toEqual([0xe9, 0xfb, 0xfd, 0xff, 0xff]);
  });

  test('padding is made of nops', () => {
    for (let used = 1; used < 64; used++) {
      const code = assemble((asm) => {
        for (let n = 0; n < used; n++) asm.plain('ret');
        asm.align(64);
      });
      expect(code.length).toBe(64);
      for (let at = used; at < 64; ) {
        const { text, length } = disassemble(code.subarray(at));
        expect(text).toMatch(/nop|xchg ax, ax/);
        at += length;
      }
    }
  });
});
