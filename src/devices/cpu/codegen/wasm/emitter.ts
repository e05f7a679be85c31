/** Writes one kernel's function: locals for virtual registers, operands pushed on the stack, addresses, regions. */
import type { Elem, Inst, KernelCode, Mem, Reg, RegClass } from '../ir.ts';
import { elemBytes } from '../isa.ts';
import { ByteWriter, type ModuleFunction, type TypeTable, type ValueType } from './module.ts';
import type { Mnemonic } from './opcodes.ts';

const typeOf: Record<RegClass, ValueType> = { int: 'i32', long: 'i64', vec: 'v128', mask: 'v128' };
const constantBytes = new Uint8Array(16);
const constantView = new DataView(constantBytes.buffer);
const emptyBlock = 0x40;

/** Open regions: a loop is a block (its exit) with a loop in it (its start), an if is one label. */
type Label = 'exit' | 'start' | 'if';

/** The constants read in loops that hold no other loop. */
function innermostConstants(body: readonly Inst[]): Reg[] {
  const found: Reg[] = [];
  let start = -1;
  body.forEach(({ op }, at) => {
    if (op === 'loop') start = at;
    if (op !== 'endLoop' || start < 0) return;
    for (const { src } of body.slice(start, at)) found.push(...src.filter((reg) => reg.splat));
    start = -1;
  });
  return found;
}

export class Emitter {
  readonly kernel: KernelCode;
  readonly types: TypeTable;
  readonly out: ByteWriter;
  private readonly localOf: Int32Array;
  private readonly locals: [number, ValueType][] = [];
  private localCount: number;
  private scratchLocal = -1;
  /** How many there are so far. */
  fences = 0;
  /** Innermost last. */
  private readonly labels: Label[] = [];

  constructor(kernel: KernelCode, types: TypeTable) {
    this.kernel = kernel;
    this.types = types;
    this.out = new ByteWriter(64 + 14 * kernel.body.length);
    this.localOf = new Int32Array(kernel.registers).fill(-1);
    this.localCount = kernel.params.length;
    kernel.params.forEach((param, index) => (this.localOf[param.id] = index));
    this.assignLocals();
    this.hoistConstants();
  }

  /** The function, once every instruction is written. */
  finish(exportName?: string): ModuleFunction {
    const { kernel, out, locals } = this;
    if (this.labels.length > 0) throw this.error(`leaves ${this.labels.length} regions open`);
    if (kernel.returns) out.op('i32.const').s32(0);
    out.op('end');
    return { type: { params: kernel.params.map(() => 'i32'), results: kernel.returns ? ['i32'] : [] }, exportName, locals, code: out };
  }
  error(what: string): Error {
    return new Error(`wasm: kernel ${this.kernel.name} ${what}`);
  }

  // ---- locals
  /** Locals in runs of one type: the module names a type once per run. */
  private assignLocals(): void {
    const byType: Record<ValueType, number[]> = { i32: [], i64: [], v128: [] };
    const seen = new Uint8Array(this.kernel.registers);
    for (const param of this.kernel.params) seen[param.id] = 1;
    for (const { dst } of this.kernel.body) {
      if (!dst || seen[dst.id]) continue;
      seen[dst.id] = 1;
      byType[typeOf[dst.cls]].push(dst.id);
    }
    for (const type of ['i32', 'i64', 'v128'] as const) {
      for (const id of byType[type]) this.localOf[id] = this.localCount++;
      if (byType[type].length > 0) this.locals.push([byType[type].length, type]);
    }
  }
  private newVector(): number {
    this.locals.push([1, 'v128']);
    return this.localCount++;
  }
  scratch(): number {
    if (this.scratchLocal < 0) this.scratchLocal = this.newVector();
    return this.scratchLocal;
  }
  /**
   * Constants of innermost loops wait in locals: V8 from Node 24 on makes a vector constant anew, in three instructions,
   * wherever it stands. Zero takes one instruction and no memory: it stays where it is.
   */
  private hoistConstants(): void {
    for (const reg of innermostConstants(this.kernel.body)) {
      const { elem, value } = reg.splat!;
      if (this.localOf[reg.id]! >= 0 || Object.is(Number(value), 0)) continue;
      const local = this.newVector();
      this.vectorConstant(elem, value);
      this.out.op('local.set').u32(local);
      this.localOf[reg.id] = local;
    }
  }
  local(reg: Reg): number {
    const index = this.localOf[reg.id]!;
    if (index < 0) throw this.error(`reads register ${reg.id}, which nothing writes`);
    return index;
  }
  get(reg: Reg): void {
    if (reg.splat && this.localOf[reg.id]! < 0) this.vectorConstant(reg.splat.elem, reg.splat.value);
    else this.out.op('local.get').u32(this.local(reg));
  }
  set(inst: Inst): void {
    this.out.op('local.set').u32(this.local(inst.dst!));
  }

  // ---- operands
  vectorConstant(elem: Elem, value: number | bigint): void {
    for (let at = 0; at < 16; at += elemBytes(elem)) {
      if (elem === 'f32') constantView.setFloat32(at, Number(value), true);
      else if (elem === 'f64') constantView.setFloat64(at, Number(value), true);
      else if (elem === 'i32') constantView.setInt32(at, Number(value), true);
      else constantView.setBigInt64(at, BigInt(value), true);
    }
    this.out.op('v128.const').bytes(constantBytes);
  }
  integerConstant(type: 'i32' | 'i64', value: number | bigint): void {
    if (type === 'i64') this.out.op('i64.const').s64(BigInt(value));
    else this.out.op('i32.const').s32(typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : value);
  }
  /** Pushes an address and returns the constant offset that remains for the memory instruction. */
  address(mem: Mem, extra = 0): number {
    const { out } = this;
    const offset = mem.offset + extra;
    this.get(mem.base);
    if (mem.index) {
      this.get(mem.index);
      const shift = 31 - Math.clz32(mem.scale ?? 1);
      if (shift > 0) out.op('i32.const').s32(shift).op('i32.shl');
      out.op('i32.add');
    }
    if (offset >= 0) return offset;
    out.op('i32.const').s32(offset).op('i32.add');
    return 0;
  }
  /** A memory instruction; its address is on the stack. Alignment, but for atomics, is a hint that engines ignore. */
  access(mnemonic: Mnemonic, offset: number, align = 0): ByteWriter {
    return this.out.op(mnemonic).u32(align).u32(offset);
  }
  load(mnemonic: Mnemonic, mem: Mem): void {
    this.access(mnemonic, this.address(mem));
  }
  /** Pushes the vector at mem, reading nothing beyond `count` lanes. */
  loadVector(elem: Elem, mem: Mem, count?: number): void {
    const size = elemBytes(elem);
    const bytes = (count ?? 16 / size) * size;
    if (mem.splat) {
      this.load(size === 4 ? 'v128.load32_splat' : 'v128.load64_splat', mem);
      if (bytes < 16) this.keepBytes(bytes);
    } else if (bytes >= 16) this.load('v128.load', mem);
    else if (bytes === 4) this.load('v128.load32_zero', mem);
    else if (bytes === 8) this.load('v128.load64_zero', mem);
    else {
      const scratch = this.scratch();
      this.load('v128.load64_zero', mem);
      this.out.op('local.set').u32(scratch);
      const offset = this.address(mem, 8);
      this.out.op('local.get').u32(scratch);
      this.access('v128.load32_lane', offset).byte(2);
    }
  }
  /** Clears all but the first bytes of the vector on the stack. */
  keepBytes(bytes: number): void {
    this.out.op('v128.const').bytes(Uint8Array.from({ length: 16 }, (_, i) => (i < bytes ? 0xff : 0))).op('v128.and');
  }
  storeVector(elem: Elem, mem: Mem, value: Reg, count?: number): void {
    const bytes = (count ?? 16 / elemBytes(elem)) * elemBytes(elem);
    const part = (mnemonic: Mnemonic, at: number, lane?: number): void => {
      const offset = this.address(mem, at);
      this.get(value);
      this.access(mnemonic, offset);
      if (lane !== undefined) this.out.byte(lane);
    };
    if (bytes >= 16) part('v128.store', 0);
    else {
      if (bytes >= 8) part('v128.store64_lane', 0, 0);
      if (bytes % 8 === 4) part('v128.store32_lane', bytes - 4, bytes / 4 - 1);
    }
  }
  /** The sources of a vector operation in order, memory standing for the last (of fma and fnma: for the factor b). */
  pushSources(inst: Inst): void {
    for (const reg of inst.src) this.get(reg);
    if (inst.mem) this.loadVector(inst.elem!, inst.mem, inst.count);
  }

  /** Pushes the two sources of an integer operation; the second may be a constant. */
  pushIntegers(inst: Inst): 'i32' | 'i64' {
    const [a, b] = inst.src;
    const type = a!.cls === 'long' ? 'i64' : 'i32';
    this.get(a!);
    if (b) this.get(b);
    else this.integerConstant(type, inst.imm!);
    return type;
  }

  // ---- regions
  open(op: 'block' | 'loop' | 'if', label: Label): void {
    this.out.op(op).byte(emptyBlock);
    this.labels.push(label);
  }
  close(...expected: Label[]): void {
    for (const label of expected) {
      if (this.labels.pop() !== label) throw this.error('closes a region that is not innermost');
      this.out.op('end');
    }
  }
  /** Branches to the innermost loop's start or exit where the int on the stack is not 0. */
  branchIf(to: 'exit' | 'start'): void {
    const target = this.labels.lastIndexOf(to);
    if (target < 0) throw this.error('has a loop branch outside a loop');
    this.out.op('br_if').u32(this.labels.length - 1 - target);
  }
}
