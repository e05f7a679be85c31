/**
 * The instructions we emit, one row each: what the assembler needs to encode them and the tests to check them. Rows are
 * written in the notation of Intel's manual (SDM volume 2), parsed once when this module loads.
 *
 * Vector rows:  ENCODINGS PREFIX.MAP.W OPCODE[/DIGIT] ROLES:OPERANDS [TUPLE] [NAME]
 *   ENCODINGS  V, E, VE: VEX, EVEX or both (the assembler then takes the shorter one that can hold the operands)
 *   W          W0, W1, or W01 where VEX ignores it (0) and EVEX needs 1
 *   ROLES      where each operand goes, in assembler order: R modrm.reg, V vvvv, M modrm.rm, I imm8, S imm8[7:4]
 *   OPERANDS   V vector, H vector of half the length, X xmm, Y ymm, K mask, D r32, Q r64, '.' memory only, i immediate
 *   TUPLE      bytes that an EVEX disp8 counts: fullN (whole vector, N-byte broadcast), halfN, mem, or a byte count
 *   NAME       the VEX mnemonic where it differs
 * General rows: W OPCODE[/DIGIT] ROLES [prefix] [options]
 */

export interface VecRow {
  readonly name: string;
  readonly vexName: string;
  readonly vex: boolean;
  readonly evex: boolean;
  /** 0 none, 1 66, 2 F3, 3 F2. */
  readonly prefix: number;
  /** 1 0F, 2 0F38, 3 0F3A. */
  readonly map: number;
  readonly vexW: number;
  readonly evexW: number;
  readonly opcode: number;
  /** Opcode extension in modrm.reg, or -1. */
  readonly digit: number;
  readonly roles: string;
  readonly operands: string;
  readonly hasImm: boolean;
  /** Bytes that a disp8 counts at vector length 128, 256, 512. */
  readonly disp8: readonly [number, number, number];
  /** Element bytes of an embedded broadcast, 0 where there is none. */
  readonly broadcast: number;
}

const vectorRows = {
  // moves
  vmovups: 'VE NP.0F.W0 10 RM:VV mem',
  vmovupsStore: 'VE NP.0F.W0 11 MR:.V mem',
  vmovupd: 'VE 66.0F.W01 10 RM:VV mem',
  vmovupdStore: 'VE 66.0F.W01 11 MR:.V mem',
  vmovaps: 'VE NP.0F.W0 28 RM:VV mem',
  vmovapd: 'VE 66.0F.W01 28 RM:VV mem',
  vmovapsStore: 'VE NP.0F.W0 29 MR:.V mem',
  vmovss: 'VE F3.0F.W0 10 RM:X. 4',
  vmovssStore: 'VE F3.0F.W0 11 MR:.X 4',
  vmovsd: 'VE F2.0F.W01 10 RM:X. 8',
  vmovsdStore: 'VE F2.0F.W01 11 MR:.X 8',
  vmovhps: 'VE NP.0F.W0 16 RVM:XX. 8',
  vmovhpsStore: 'VE NP.0F.W0 17 MR:.X 8',
  vmovd: 'VE 66.0F.W0 6E RM:XD 4',
  vmovdTo: 'VE 66.0F.W0 7E MR:DX 4',
  vmovq: 'VE 66.0F.W1 6E RM:XQ 8',
  vmovqTo: 'VE 66.0F.W1 7E MR:QX 8',
  vmovqLow: 'VE F3.0F.W01 7E RM:XX 8',
  vbroadcastss: 'VE 66.0F38.W0 18 RM:VX 4',
  vbroadcastsd: 'VE 66.0F38.W01 19 RM:VX 8',
  vmaskmovps: 'V 66.0F38.W0 2C RVM:VV.',
  vmaskmovpd: 'V 66.0F38.W0 2D RVM:VV.',
  // arithmetic
  vaddps: 'VE NP.0F.W0 58 RVM:VVV full4',
  vaddpd: 'VE 66.0F.W01 58 RVM:VVV full8',
  vsubps: 'VE NP.0F.W0 5C RVM:VVV full4',
  vsubpd: 'VE 66.0F.W01 5C RVM:VVV full8',
  vmulps: 'VE NP.0F.W0 59 RVM:VVV full4',
  vmulpd: 'VE 66.0F.W01 59 RVM:VVV full8',
  vdivps: 'VE NP.0F.W0 5E RVM:VVV full4',
  vdivpd: 'VE 66.0F.W01 5E RVM:VVV full8',
  vminps: 'VE NP.0F.W0 5D RVM:VVV full4',
  vminpd: 'VE 66.0F.W01 5D RVM:VVV full8',
  vmaxps: 'VE NP.0F.W0 5F RVM:VVV full4',
  vmaxpd: 'VE 66.0F.W01 5F RVM:VVV full8',
  vsqrtps: 'VE NP.0F.W0 51 RM:VV full4',
  vsqrtpd: 'VE 66.0F.W01 51 RM:VV full8',
  vroundps: 'V 66.0F3A.W0 08 RMI:VVi',
  vroundpd: 'V 66.0F3A.W0 09 RMI:VVi',
  vrndscaleps: 'E 66.0F3A.W0 08 RMI:VVi full4',
  vrndscalepd: 'E 66.0F3A.W1 09 RMI:VVi full8',
  vpaddd: 'VE 66.0F.W0 FE RVM:VVV full4',
  vpaddq: 'VE 66.0F.W01 D4 RVM:VVV full8',
  vpsubd: 'VE 66.0F.W0 FA RVM:VVV full4',
  vpsubq: 'VE 66.0F.W01 FB RVM:VVV full8',
  vpmulld: 'VE 66.0F38.W0 40 RVM:VVV full4',
  vpminsd: 'VE 66.0F38.W0 39 RVM:VVV full4',
  vpmaxsd: 'VE 66.0F38.W0 3D RVM:VVV full4',
  // fused multiply-add: 132 is R * M + V, 213 is V * R + M, 231 is V * M + R
  vfmadd132ps: 'VE 66.0F38.W0 98 RVM:VVV full4',
  vfmadd213ps: 'VE 66.0F38.W0 A8 RVM:VVV full4',
  vfmadd231ps: 'VE 66.0F38.W0 B8 RVM:VVV full4',
  vfmadd132pd: 'VE 66.0F38.W1 98 RVM:VVV full8',
  vfmadd213pd: 'VE 66.0F38.W1 A8 RVM:VVV full8',
  vfmadd231pd: 'VE 66.0F38.W1 B8 RVM:VVV full8',
  vfnmadd132ps: 'VE 66.0F38.W0 9C RVM:VVV full4',
  vfnmadd213ps: 'VE 66.0F38.W0 AC RVM:VVV full4',
  vfnmadd231ps: 'VE 66.0F38.W0 BC RVM:VVV full4',
  vfnmadd132pd: 'VE 66.0F38.W1 9C RVM:VVV full8',
  vfnmadd213pd: 'VE 66.0F38.W1 AC RVM:VVV full8',
  vfnmadd231pd: 'VE 66.0F38.W1 BC RVM:VVV full8',
  // bits
  vandps: 'VE NP.0F.W0 54 RVM:VVV full4',
  vandpd: 'VE 66.0F.W01 54 RVM:VVV full8',
  vandnps: 'VE NP.0F.W0 55 RVM:VVV full4',
  vandnpd: 'VE 66.0F.W01 55 RVM:VVV full8',
  vorps: 'VE NP.0F.W0 56 RVM:VVV full4',
  vorpd: 'VE 66.0F.W01 56 RVM:VVV full8',
  vxorps: 'VE NP.0F.W0 57 RVM:VVV full4',
  vxorpd: 'VE 66.0F.W01 57 RVM:VVV full8',
  vpandd: 'VE 66.0F.W0 DB RVM:VVV full4 vpand',
  vpandq: 'VE 66.0F.W01 DB RVM:VVV full8 vpand',
  vpandnd: 'VE 66.0F.W0 DF RVM:VVV full4 vpandn',
  vpandnq: 'VE 66.0F.W01 DF RVM:VVV full8 vpandn',
  vpord: 'VE 66.0F.W0 EB RVM:VVV full4 vpor',
  vporq: 'VE 66.0F.W01 EB RVM:VVV full8 vpor',
  vpxord: 'VE 66.0F.W0 EF RVM:VVV full4 vpxor',
  vpxorq: 'VE 66.0F.W01 EF RVM:VVV full8 vpxor',
  vpslld: 'VE 66.0F.W0 72/6 VMI:VVi full4',
  vpsrld: 'VE 66.0F.W0 72/2 VMI:VVi full4',
  vpsrad: 'VE 66.0F.W0 72/4 VMI:VVi full4',
  vpsllq: 'VE 66.0F.W01 73/6 VMI:VVi full8',
  vpsrlq: 'VE 66.0F.W01 73/2 VMI:VVi full8',
  // conversions
  vcvtps2dq: 'VE 66.0F.W0 5B RM:VV full4',
  vcvtdq2ps: 'VE NP.0F.W0 5B RM:VV full4',
  vcvtps2pd: 'VE NP.0F.W0 5A RM:VH half4',
  vcvtpd2ps: 'VE 66.0F.W01 5A RM:HV full8',
  vcvtsi2ss: 'VE F3.0F.W1 2A RVM:XXQ 8',
  vcvtsi2sd: 'VE F2.0F.W1 2A RVM:XXQ 8',
  vcvttss2si: 'VE F3.0F.W1 2C RM:QX 4',
  vcvttsd2si: 'VE F2.0F.W1 2C RM:QX 8',
  // shuffles
  vpermilps: 'VE 66.0F3A.W0 04 RMI:VVi full4',
  vpermilpd: 'VE 66.0F3A.W01 05 RMI:VVi full8',
  vperm2f128: 'V 66.0F3A.W0 06 RVMI:YYYi',
  vshuff32x4: 'E 66.0F3A.W0 23 RVMI:VVVi full4',
  vshufps: 'VE NP.0F.W0 C6 RVMI:VVVi full4',
  vshufpd: 'VE 66.0F.W01 C6 RVMI:VVVi full8',
  vpermpd: 'VE 66.0F3A.W1 01 RMI:VVi full8',
  vpermi2ps: 'E 66.0F38.W0 77 RVM:VVV full4',
  vpermi2pd: 'E 66.0F38.W1 77 RVM:VVV full8',
  vextractf128: 'V 66.0F3A.W0 19 MRI:XYi',
  vinsertf128: 'V 66.0F3A.W0 18 RVMI:YYXi',
  vextractf32x4: 'E 66.0F3A.W0 19 MRI:XVi 16',
  vinsertf32x4: 'E 66.0F3A.W0 18 RVMI:VVXi 16',
  vinsertps: 'VE 66.0F3A.W0 21 RVMI:XXXi 4',
  vextractps: 'VE 66.0F3A.W0 17 MRI:DXi 4',
  // comparisons, masks
  vcmpps: 'V NP.0F.W0 C2 RVMI:VVVi',
  vcmppd: 'V 66.0F.W0 C2 RVMI:VVVi',
  vpcmpeqd: 'V 66.0F.W0 76 RVM:VVV',
  vpcmpgtd: 'V 66.0F.W0 66 RVM:VVV',
  vcmppsMask: 'E NP.0F.W0 C2 RVMI:KVVi full4',
  vcmppdMask: 'E 66.0F.W1 C2 RVMI:KVVi full8',
  vpcmpdMask: 'E 66.0F3A.W0 1F RVMI:KVVi full4',
  vblendvps: 'V 66.0F3A.W0 4A RVMS:VVVV',
  vblendvpd: 'V 66.0F3A.W0 4B RVMS:VVVV',
  vblendmps: 'E 66.0F38.W0 65 RVM:VVV full4',
  vblendmpd: 'E 66.0F38.W1 65 RVM:VVV full8',
  vmovmskps: 'V NP.0F.W0 50 RM:DV',
  vmovmskpd: 'V 66.0F.W0 50 RM:DV',
  kmovw: 'V NP.0F.W0 90 RM:KK',
  kmovq: 'V NP.0F.W1 90 RM:KK',
  kmovqStore: 'V NP.0F.W1 91 MR:.K',
  kmovwTo: 'V NP.0F.W0 93 RM:DK',
  kmovbTo: 'V 66.0F.W0 93 RM:DK',
  kandw: 'V NP.0F.W0 41 RVM:KKK',
  korw: 'V NP.0F.W0 45 RVM:KKK',
  knotw: 'V NP.0F.W0 44 RM:KK',
} as const;

export interface GprRow {
  readonly name: string;
  readonly w: number;
  /** 0x66, 0xf3, 0xf0 or 0. */
  readonly prefix: number;
  readonly escape: boolean;
  readonly opcode: number;
  readonly digit: number;
  /** R modrm.reg, M modrm.rm, O low opcode bits, I immediate; in assembler order. */
  readonly roles: string;
  /** Immediate bytes. */
  readonly imm: number;
  /** The opcode that takes an imm8 instead, or 0. */
  readonly short: number;
  /** Roles that are 8-bit registers. */
  readonly byte: string;
}

const generalRows = {
  mov: 'W1 8B RM',
  movStore: 'W1 89 MR',
  mov32: 'W0 8B RM',
  mov32Store: 'W0 89 MR',
  mov16Store: 'W0 89 MR prefix66',
  mov8Store: 'W0 88 MR byteMR',
  movImm32: 'W0 B8 OI imm4',
  movImmSigned: 'W1 C7/0 MI imm4',
  movImm64: 'W1 B8 OI imm8',
  movzx8: 'W0 0FB6 RM byteM',
  movzx16: 'W0 0FB7 RM',
  movsx8: 'W1 0FBE RM byteM',
  movsx16: 'W1 0FBF RM',
  movsxd: 'W1 63 RM',
  lea: 'W1 8D RM',
  add: 'W1 03 RM',
  or: 'W1 0B RM',
  and: 'W1 23 RM',
  sub: 'W1 2B RM',
  xor: 'W1 33 RM',
  xor32: 'W0 33 RM',
  cmp: 'W1 3B RM',
  test: 'W1 85 MR',
  addImm: 'W1 81/0 MI imm4 short83',
  orImm: 'W1 81/1 MI imm4 short83',
  andImm: 'W1 81/4 MI imm4 short83',
  subImm: 'W1 81/5 MI imm4 short83',
  xorImm: 'W1 81/6 MI imm4 short83',
  cmpImm: 'W1 81/7 MI imm4 short83',
  imul: 'W1 0FAF RM',
  imulImm: 'W1 69 RMI imm4 short6B',
  imulWide: 'W1 F7/5 M',
  idiv: 'W1 F7/7 M',
  neg: 'W1 F7/3 M',
  shlImm: 'W1 C1/4 MI imm1',
  shrImm: 'W1 C1/5 MI imm1',
  sarImm: 'W1 C1/7 MI imm1',
  callReg: 'W0 FF/2 M',
  push: 'W0 50 O',
  pop: 'W0 58 O',
  xadd32: 'W0 0FC1 MR prefixF0',
  prefetcht0: 'W0 0F18/1 M',
  prefetcht1: 'W0 0F18/2 M',
} as const;

/** Instructions without operands, as bytes. */
export const plain = {
  ret: [0xc3],
  cqo: [0x48, 0x99],
  pause: [0xf3, 0x90],
  vzeroupper: [0xc5, 0xf8, 0x77],
  cpuid: [0x0f, 0xa2],
  xgetbv: [0x0f, 0x01, 0xd0],
} as const;

/** Condition codes, by their number in jcc, setcc and cmovcc. */
export const conditions = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'] as const;

/** General registers by number. */
export const registerNames = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');

const prefixes: Record<string, number> = { NP: 0, '66': 1, F3: 2, F2: 3 };
const maps: Record<string, number> = { '0F': 1, '0F38': 2, '0F3A': 3 };

function vectorRow(name: string, text: string): VecRow {
  const [encodings, place, code, form, tuple = '', alias] = text.split(' ');
  const [prefix, map, w] = place.split('.');
  const [opcode, digit] = code.split('/');
  const [roles, operands] = form.split(':');
  const mnemonic = name.replace(/(Store|To|Low|Mask)$/, '');
  const whole: [number, number, number] = [16, 32, 64];
  const vectorTuple = /^(full|half|mem)/.exec(tuple)?.[1];
  const size = Number(tuple);
  return {
    name: mnemonic,
    vexName: alias ?? mnemonic,
    vex: encodings.includes('V'),
    evex: encodings.includes('E'),
    prefix: prefixes[prefix],
    map: maps[map],
    vexW: w === 'W1' ? 1 : 0,
    evexW: w === 'W0' ? 0 : 1,
    opcode: parseInt(opcode, 16),
    digit: digit === undefined ? -1 : Number(digit),
    roles,
    operands,
    hasImm: roles.includes('I') || roles.includes('S'),
    disp8: vectorTuple === 'half' ? [8, 16, 32] : vectorTuple ? whole : [size, size, size],
    broadcast: vectorTuple && vectorTuple !== 'mem' ? Number(tuple.slice(4)) : 0,
  };
}

function generalRow(name: string, text: string): GprRow {
  const [w, code, roles, ...options] = text.split(' ');
  const option = (key: string): string => options.find((o) => o.startsWith(key))?.slice(key.length) ?? '';
  const [opcode, digit] = code.split('/');
  const escape = opcode.length === 4;
  return {
    name: name.replace(/(Imm64|ImmSigned|Imm32|Imm|Store|Reg|Wide)$/, '').replace(/^(movzx|movsx|mov|xor|xadd)(8|16|32)$/, '$1'),
    w: w === 'W1' ? 1 : 0,
    prefix: parseInt(option('prefix') || '0', 16),
    escape,
    opcode: parseInt(escape ? opcode.slice(2) : opcode, 16),
    digit: digit === undefined ? -1 : Number(digit),
    roles,
    imm: Number(option('imm') || '0'),
    short: parseInt(option('short') || '0', 16),
    byte: option('byte'),
  };
}

function parse<K extends string, R>(rows: Record<K, string>, row: (name: string, text: string) => R): Readonly<Record<K, R>> {
  const entries = Object.entries<string>(rows).map(([name, text]) => [name, row(name, text)]);
  return Object.fromEntries(entries) as Record<K, R>;
}

/** Vector and mask instructions. */
export const V = parse(vectorRows, vectorRow);
/** Instructions on general registers. */
export const G = parse(generalRows, generalRow);
export const setcc = conditions.map((c, k) => generalRow(`set${c}`, `W0 0F${(0x90 + k).toString(16)} M byteM`));
export const cmovcc = conditions.map((c, k) => generalRow(`cmov${c}`, `W1 0F${(0x40 + k).toString(16)} RM`));
/** Condition codes by name. */
export const cc = Object.fromEntries(conditions.map((name, k) => [name, k])) as Record<(typeof conditions)[number], number>;
