/**
 * The assembler: turns table rows and register numbers into bytes. Vector rows take VEX where it can hold the operands,
 * else EVEX. Jumps and pool references are patched when a kernel ends (`resolve`) and when all do (`finish`).
 */
import { cc, G, type GprRow, plain, type VecRow } from './encode-table.ts';
import { ConstantPool } from './pool.ts';

/** A memory operand: base + (index << scale) + disp, or an entry of the constant pool. */
export class Operand {
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly disp: number;
  /** EVEX: read one element and repeat it. */
  readonly broadcast: boolean;
  readonly pool: number;

  constructor(base: number, disp: number, index = -1, scale = 0, broadcast = false, pool = -1) {
    this.base = base;
    this.disp = disp;
    this.index = index;
    this.scale = scale;
    this.broadcast = broadcast;
    this.pool = pool;
  }

  static constant(pool: number, broadcast: boolean, disp = 0): Operand {
    return new Operand(-1, disp, -1, 0, broadcast, pool);
  }

  plus(disp: number): Operand {
    return new Operand(this.base, this.disp + disp, this.index, this.scale, this.broadcast, this.pool);
  }
}

/** Register number, or memory. */
export type Rm = number | Operand;

const fitsInt8 = (x: number): boolean => x >= -128 && x <= 127;
export const fitsInt32 = (x: number): boolean => x === (x | 0);

const nops = [
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

export class Assembler {
  readonly pool = new ConstantPool();
  private bytes = new Uint8Array(1 << 16);
  private at = 0;
  private labels: number[] = [];
  /** Pairs: where a rel32 lies, and its label. */
  private jumps: number[] = [];
  /** Triples: where a rel32 lies, its pool entry, and the address that the processor counts from. */
  private poolUses: number[] = [];

  get size(): number {
    return this.at;
  }

  // ---- bytes
  /** Room for one more instruction (15 bytes at most) and then some. */
  private reserve(): void {
    if (this.at + 32 <= this.bytes.length) return;
    const grown = new Uint8Array(this.bytes.length * 2);
    grown.set(this.bytes);
    this.bytes = grown;
  }
  private byte(value: number): void {
    this.bytes[this.at++] = value;
  }
  private int32(value: number): void {
    this.patch(this.at, value);
    this.at += 4;
  }
  private immediate(value: number, bytes: number): void {
    if (bytes === 1) this.byte(value);
    else if (bytes === 4) this.int32(value);
  }
  private patch(at: number, value: number): void {
    const { bytes } = this;
    bytes[at] = value;
    bytes[at + 1] = value >> 8;
    bytes[at + 2] = value >> 16;
    bytes[at + 3] = value >> 24;
  }

  /** Fills with nops up to a multiple of `bytes`. */
  align(bytes: number): void {
    let missing = -this.at & (bytes - 1);
    while (missing > 0) {
      this.reserve();
      const nop = nops[Math.min(missing, nops.length) - 1];
      for (const b of nop) this.byte(b);
      missing -= nop.length;
    }
  }

  // ---- labels and jumps
  label(): number {
    return this.labels.push(-1) - 1;
  }
  bind(label: number): void {
    this.labels[label] = this.at;
  }
  jump(label: number): void {
    this.reserve();
    const back = this.labels[label] - (this.at + 2);
    if (this.labels[label] >= 0 && fitsInt8(back)) {
      this.byte(0xeb);
      return this.byte(back);
    }
    this.byte(0xe9);
    this.rel32(label);
  }
  jumpIf(condition: number, label: number): void {
    this.reserve();
    const back = this.labels[label] - (this.at + 2);
    if (this.labels[label] >= 0 && fitsInt8(back)) {
      this.byte(0x70 | condition);
      return this.byte(back);
    }
    this.byte(0x0f);
    this.byte(0x80 | condition);
    this.rel32(label);
  }
  private rel32(label: number): void {
    this.jumps.push(this.at, label);
    this.int32(0);
  }
  /** Patches the jumps written so far and forgets the labels. */
  resolve(): void {
    for (let k = 0; k < this.jumps.length; k += 2) {
      const at = this.jumps[k];
      this.patch(at, this.labels[this.jumps[k + 1]] - (at + 4));
    }
    this.jumps = [];
    this.labels = [];
  }

  /** The code, followed by the constants it reads. */
  finish(): Uint8Array {
    this.align(64);
    const end = this.pool.place(this.at);
    for (let k = 0; k < this.poolUses.length; k += 3) {
      const at = this.poolUses[k];
      const entry = this.poolUses[k + 1];
      const from = this.poolUses[k + 2];
      const disp = this.bytes[at] | (this.bytes[at + 1] << 8) | (this.bytes[at + 2] << 16) | (this.bytes[at + 3] << 24);
      this.patch(at, this.pool.offsetOf(entry) + disp - from);
    }
    const code = new Uint8Array(end);
    code.set(this.bytes.subarray(0, this.at));
    this.pool.copyTo(code);
    return code;
  }

  // ---- modrm
  /** modrm, sib and displacement of a memory operand; `unit` bytes are what a disp8 counts, `trailing` bytes follow. */
  private memory(reg: number, m: Operand, unit: number, trailing: number): void {
    const field = (reg & 7) << 3;
    if (m.pool >= 0) {
      this.byte(field | 5);
      this.poolUses.push(this.at, m.pool, this.at + 4 + trailing);
      return this.int32(m.disp);
    }
    const low = m.base & 7;
    if (m.base < 0) {
      this.byte(field | 4);
      this.byte((m.scale << 6) | ((m.index & 7) << 3) | 5);
      return this.int32(m.disp);
    }
    const scaled = (m.disp / unit) | 0;
    const mod = m.disp === 0 && low !== 5 ? 0 : fitsInt8(scaled) && scaled * unit === m.disp ? 1 : 2;
    if (m.index >= 0 || low === 4) {
      this.byte((mod << 6) | field | 4);
      this.byte((m.scale << 6) | (((m.index < 0 ? 4 : m.index) & 7) << 3) | low);
    } else this.byte((mod << 6) | field | low);
    if (mod === 1) this.byte(scaled);
    else if (mod === 2) this.int32(m.disp);
  }

  // ---- vector instructions
  /**
   * One vector instruction. `length` is 0, 1, 2 for 128, 256, 512 bits; `reg`, `v`, `rm` are the operands by role (`reg` is
   * ignored where the row has a digit), `k` and `zero` the EVEX mask, `imm` the immediate or the is4 register.
   */
  vec(row: VecRow, length: number, reg: number, v: number, rm: Rm, imm = 0, k = 0, zero = false): void {
    this.reserve();
    const trailing = row.hasImm ? 1 : 0;
    const field = row.digit < 0 ? reg : row.digit;
    const inRegister = typeof rm === 'number';
    const high = field > 15 || v > 15 || (inRegister && rm > 15);
    if (!row.vex || length === 2 || k > 0 || high || (!inRegister && rm.broadcast)) {
      if (!row.evex) throw new Error(`${row.name} has no EVEX encoding`);
      const b = inRegister ? rm : Math.max(rm.base, 0);
      const x = inRegister ? rm >> 4 : Math.max(rm.index, 0) >> 3;
      const r = (~field & 8) << 4;
      this.byte(0x62);
      this.byte(r | ((~x & 1) << 6) | ((~b & 8) << 2) | (~field & 16) | row.map);
      this.byte((row.evexW << 7) | ((~v & 15) << 3) | 4 | row.prefix);
      const broadcast = !inRegister && rm.broadcast ? 0x10 : 0;
      this.byte((zero ? 0x80 : 0) | (length << 5) | broadcast | ((~v & 16) >> 1) | k);
      this.byte(row.opcode);
      if (inRegister) this.byte(0xc0 | ((field & 7) << 3) | (rm & 7));
      else this.memory(field, rm, rm.broadcast ? row.broadcast : row.disp8[length], trailing);
    } else {
      const b = inRegister ? rm >> 3 : Math.max(rm.base, 0) >> 3;
      const x = inRegister ? 0 : Math.max(rm.index, 0) >> 3;
      const last = ((~v & 15) << 3) | (length << 2) | row.prefix;
      if (b === 0 && x === 0 && row.vexW === 0 && row.map === 1) {
        this.byte(0xc5);
        this.byte(((~field & 8) << 4) | last);
      } else {
        this.byte(0xc4);
        this.byte(((~field & 8) << 4) | ((~x & 1) << 6) | ((~b & 1) << 5) | row.map);
        this.byte((row.vexW << 7) | last);
      }
      this.byte(row.opcode);
      if (inRegister) this.byte(0xc0 | ((field & 7) << 3) | (rm & 7));
      else this.memory(field, rm, 1, trailing);
    }
    if (trailing) this.byte(imm);
  }

  // ---- general instructions
  /** One general instruction: `reg` fills role R or O, `rm` role M. */
  gpr(row: GprRow, reg: number, rm: Rm = 0, imm = 0): void {
    this.reserve();
    const short = row.short !== 0 && fitsInt8(imm);
    const immBytes = short ? 1 : row.imm;
    const hasModrm = !row.roles.includes('O');
    const field = row.digit < 0 ? reg : row.digit;
    const inRegister = typeof rm === 'number';
    if (row.prefix !== 0) this.byte(row.prefix);
    let rex = row.w << 3;
    if (!hasModrm) rex |= reg >> 3;
    else {
      rex |= (field >> 3) << 2;
      if (inRegister) rex |= rm >> 3;
      else rex |= ((Math.max(rm.index, 0) >> 3) << 1) | (Math.max(rm.base, 0) >> 3);
    }
    // Without a rex prefix, 8-bit registers 4 to 7 would be ah, ch, dh, bh.
    const byteR = row.byte.includes('R') && field >= 4;
    const byteM = row.byte.includes('M') && inRegister && rm >= 4;
    if (rex !== 0 || byteR || byteM) this.byte(0x40 | rex);
    if (row.escape) this.byte(0x0f);
    if (!hasModrm) this.byte(row.opcode | (reg & 7));
    else {
      this.byte(short ? row.short : row.opcode);
      if (inRegister) this.byte(0xc0 | ((field & 7) << 3) | (rm & 7));
      else this.memory(field, rm, 1, immBytes);
    }
    this.immediate(imm, immBytes);
  }
  plain(name: keyof typeof plain): void {
    this.reserve();
    for (const b of plain[name]) this.byte(b);
  }

  /** reg = value, by the shortest instruction. Zero is written with xor, which spoils the flags. */
  constant(reg: number, value: bigint | number): void {
    const small = Number(value);
    if (small === 0) return this.gpr(G.xor32, reg, reg);
    if (small > 0 && small <= 0xffffffff) return this.gpr(G.movImm32, reg, 0, small | 0);
    if (fitsInt32(small)) return this.gpr(G.movImmSigned, 0, reg, small);
    const bits = BigInt.asUintN(64, BigInt(value));
    this.gpr(G.movImm64, reg);
    this.int32(Number(bits & 0xffffffffn) | 0);
    this.int32(Number(bits >> 32n) | 0);
  }
  move(dst: number, src: number): void {
    if (dst !== src) this.gpr(G.mov, dst, src);
  }
}

export { cc };
