/**
 * A kernel as a WebAssembly function: every virtual register becomes a local (the engine's compiler turns locals into SSA
 * and allocates registers), every instruction a few stack operations that end in local.set.
 */
import type { Elem, Inst, KernelCode, Mem, Op, Pred, Reg, RegClass } from '../ir.ts';
import { elemBytes } from '../isa.ts';
import { ByteWriter, type FunctionType, type ModuleFunction, type TypeTable, type ValueType } from './module.ts';
import { type Mnemonic, opcodes } from './opcodes.ts';

const typeOf: Record<RegClass, ValueType> = { int: 'i32', long: 'i64', vec: 'v128', mask: 'v128' };
const shapeOf: Record<Elem, string> = { f32: 'f32x4', f64: 'f64x2', i32: 'i32x4', i64: 'i64x2' };

/** Operations of one instruction, its sources pushed in order. `$` is the shape: f32x4, f64x2, i32x4 or i64x2. */
const vectorOps: Partial<Record<Op, string | Partial<Record<Elem, string>>>> = {
  add: '$.add',
  sub: '$.sub',
  mul: '$.mul',
  div: '$.div',
  min: { f32: '$.pmin', f64: '$.pmin', i32: '$.min_s' },
  max: { f32: '$.pmax', f64: '$.pmax', i32: '$.max_s' },
  sqrt: '$.sqrt',
  floor: '$.floor',
  ceil: '$.ceil',
  round: '$.nearest',
  trunc: '$.trunc',
  and: 'v128.and',
  or: 'v128.or',
  xor: 'v128.xor',
  shl: '$.shl',
  shr: '$.shr_u',
  sar: { i32: '$.shr_s' },
  toFloat: 'f32x4.convert_i32x4_s',
  widen: 'f64x2.promote_low_f32x4',
  narrow: 'f32x4.demote_f64x2_zero',
  maskBits: { f32: 'i32x4.bitmask', i32: 'i32x4.bitmask', f64: 'i64x2.bitmask', i64: 'i64x2.bitmask' },
};
const integerOps: Partial<Record<Op, string>> = {
  iadd: 'add',
  isub: 'sub',
  imul: 'mul',
  idiv: 'div_s',
  irem: 'rem_s',
  iand: 'and',
  ior: 'or',
  ixor: 'xor',
  ishl: 'shl',
  isar: 'shr_s',
};
const suffixOf: Record<Pred, string> = { eq: 'eq', ne: 'ne', lt: 'lt_s', le: 'le_s', gt: 'gt_s', ge: 'ge_s' };
const emptyBlock = 0x40;
/** What `call` calls: (i32, i32) -> (). */
const calleeType: FunctionType = { params: ['i32', 'i32'], results: [] };

export function lowerKernel(kernel: KernelCode, types: TypeTable, exportName?: string): ModuleFunction {
  return new Lowering(kernel, types).finish(exportName);
}

class Lowering {
  private readonly kernel: KernelCode;
  private readonly types: TypeTable;
  private readonly out = new ByteWriter(1024);
  private readonly localOf: Int32Array;
  private readonly locals: [number, ValueType][] = [];
  private localCount: number;
  private scratchLocal = -1;
  /** Open regions, innermost last; a loop is a block (its exit) with a loop in it (its start), an if is one label. */
  private readonly labels: ('exit' | 'start' | 'if')[] = [];

  constructor(kernel: KernelCode, types: TypeTable) {
    this.kernel = kernel;
    this.types = types;
    this.localOf = new Int32Array(kernel.registers).fill(-1);
    this.localCount = kernel.params.length;
    kernel.params.forEach((param, index) => (this.localOf[param.id] = index));
    this.assignLocals();
  }

  finish(exportName?: string): ModuleFunction {
    const { kernel, out, locals } = this;
    for (const inst of kernel.body) this.lower(inst);
    if (this.labels.length > 0) throw new Error(`wasm: kernel ${kernel.name} leaves ${this.labels.length} regions open`);
    if (kernel.returns) out.op('i32.const').s32(0);
    out.op('end');
    const type: FunctionType = { params: kernel.params.map(() => 'i32'), results: kernel.returns ? ['i32'] : [] };
    return { type, exportName, locals, code: out };
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
  private scratch(): number {
    if (this.scratchLocal < 0) {
      this.scratchLocal = this.localCount++;
      this.locals.push([1, 'v128']);
    }
    return this.scratchLocal;
  }
  private local(reg: Reg): number {
    const index = this.localOf[reg.id]!;
    if (index < 0) throw new Error(`wasm: kernel ${this.kernel.name} reads register ${reg.id}, which nothing writes`);
    return index;
  }
  private get(reg: Reg): void {
    if (reg.splat) this.vectorConstant(reg.splat.elem, reg.splat.value);
    else this.out.op('local.get').u32(this.local(reg));
  }
  private set(inst: Inst): void {
    this.out.op('local.set').u32(this.local(inst.dst!));
  }

  // ---- operands
  private vectorConstant(elem: Elem, value: number | bigint): void {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < 16; at += elemBytes(elem)) {
      if (elem === 'f32') view.setFloat32(at, Number(value), true);
      else if (elem === 'f64') view.setFloat64(at, Number(value), true);
      else if (elem === 'i32') view.setInt32(at, Number(BigInt.asIntN(32, BigInt(value))), true);
      else view.setBigInt64(at, BigInt.asIntN(64, BigInt(value)), true);
    }
    this.out.op('v128.const').bytes(bytes);
  }
  private integerConstant(type: 'i32' | 'i64', value: number | bigint): void {
    if (type === 'i64') this.out.op('i64.const').s64(BigInt(value));
    else this.out.op('i32.const').s32(typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : value);
  }
  /** Pushes an address and returns the constant offset that remains for the memory instruction. */
  private address(mem: Mem, extra = 0): number {
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
  /** A memory instruction's operator and immediate. Alignment is a hint that engines ignore: none is promised. */
  private access(mnemonic: Mnemonic, offset: number): ByteWriter {
    return this.out.op(mnemonic).u32(0).u32(offset);
  }
  private loadInstruction(mnemonic: Mnemonic, mem: Mem): void {
    const offset = this.address(mem);
    this.access(mnemonic, offset);
  }
  /** Pushes the vector at mem, reading nothing beyond `count` lanes. */
  private loadVector(elem: Elem, mem: Mem, count?: number): void {
    const size = elemBytes(elem);
    const bytes = (count ?? 16 / size) * size;
    if (mem.splat) {
      this.loadInstruction(size === 4 ? 'v128.load32_splat' : 'v128.load64_splat', mem);
      if (bytes < 16) this.keepBytes(bytes);
    } else if (bytes >= 16) this.loadInstruction('v128.load', mem);
    else if (bytes === 4) this.loadInstruction('v128.load32_zero', mem);
    else if (bytes === 8) this.loadInstruction('v128.load64_zero', mem);
    else {
      const scratch = this.scratch();
      this.loadInstruction('v128.load64_zero', mem);
      this.out.op('local.set').u32(scratch);
      const offset = this.address(mem, 8);
      this.out.op('local.get').u32(scratch);
      this.access('v128.load32_lane', offset).byte(2);
    }
  }
  /** Clears all but the first bytes of the vector on the stack. */
  private keepBytes(bytes: number): void {
    this.out.op('v128.const').bytes(Uint8Array.from({ length: 16 }, (_, i) => (i < bytes ? 0xff : 0))).op('v128.and');
  }
  private storeVector(elem: Elem, mem: Mem, value: Reg, count?: number): void {
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
  private pushSources(inst: Inst): void {
    for (const reg of inst.src) this.get(reg);
    if (inst.mem) this.loadVector(inst.elem!, inst.mem, inst.count);
  }

  // ---- instructions
  private lower(inst: Inst): void {
    const handler = handlers[inst.op];
    if (handler) return handler.call(this, inst);
    const integer = integerOps[inst.op];
    if (integer) return this.integer(integer, inst);
    const mnemonic = vectorMnemonic(inst.op, inst.elem);
    if (!mnemonic) throw new Error(`wasm: kernel ${this.kernel.name} uses ${inst.op} of ${inst.elem}, which has no wasm form`);
    this.pushSources(inst);
    if (inst.op === 'shl' || inst.op === 'shr' || inst.op === 'sar') this.out.op('i32.const').s32(Number(inst.imm));
    this.out.op(mnemonic);
    this.set(inst);
  }
  private integerSources(inst: Inst): 'i32' | 'i64' {
    const type = inst.src[0]!.cls === 'long' ? 'i64' : 'i32';
    this.get(inst.src[0]!);
    if (inst.src.length > 1) this.get(inst.src[1]!);
    else this.integerConstant(type, inst.imm!);
    return type;
  }
  private integer(name: string, inst: Inst): void {
    const type = this.integerSources(inst);
    this.out.op(`${type}.${name}` as Mnemonic);
    this.set(inst);
  }
  private branch(op: 'br' | 'br_if', to: 'exit' | 'start'): void {
    const target = this.labels.lastIndexOf(to);
    if (target < 0) throw new Error(`wasm: kernel ${this.kernel.name} has a loop branch outside a loop`);
    this.out.op(op).u32(this.labels.length - 1 - target);
  }
  private open(op: 'block' | 'loop' | 'if', label: 'exit' | 'start' | 'if'): void {
    this.out.op(op).byte(emptyBlock);
    this.labels.push(label);
  }
  private close(...expected: ('exit' | 'start' | 'if')[]): void {
    for (const label of expected) {
      if (this.labels.pop() !== label) throw new Error(`wasm: kernel ${this.kernel.name} closes a region that is not innermost`);
      this.out.op('end');
    }
  }

  static readonly handlers: Partial<Record<Op, (this: Lowering, inst: Inst) => void>> = {
    load(inst) {
      this.loadVector(inst.elem!, inst.mem!, inst.count);
      this.set(inst);
    },
    store(inst) {
      this.storeVector(inst.elem!, inst.mem!, inst.src[0]!, inst.count);
    },
    loadStrided(inst) {
      const size = elemBytes(inst.elem!);
      const stride = Number(inst.imm);
      const count = inst.count ?? 16 / size;
      const dst = this.local(inst.dst!);
      this.loadInstruction(size === 4 ? 'v128.load32_zero' : 'v128.load64_zero', inst.mem!);
      for (let lane = 1; lane < count; lane++) {
        // The first address comes before the vector on the stack, so the vector waits in its local.
        this.out.op('local.set').u32(dst);
        const offset = this.address(inst.mem!, lane * stride);
        this.out.op('local.get').u32(dst);
        this.access(size === 4 ? 'v128.load32_lane' : 'v128.load64_lane', offset).byte(lane);
      }
      this.out.op('local.set').u32(dst);
    },
    storeStrided(inst) {
      const size = elemBytes(inst.elem!);
      const count = inst.count ?? 16 / size;
      for (let lane = 0; lane < count; lane++) {
        const offset = this.address(inst.mem!, lane * Number(inst.imm));
        this.get(inst.src[0]!);
        this.access(size === 4 ? 'v128.store32_lane' : 'v128.store64_lane', offset).byte(lane);
      }
    },
    move(inst) {
      this.get(inst.src[0]!);
      this.set(inst);
    },
    fma(inst) {
      this.multiplyAdd(inst, 'madd', 'add');
    },
    fnma(inst) {
      this.multiplyAdd(inst, 'nmadd', 'sub');
    },
    andNot(inst) {
      // v128.andnot is a & ~b
      if (inst.mem) this.loadVector(inst.elem!, inst.mem);
      else this.get(inst.src[1]!);
      this.get(inst.src[0]!);
      this.out.op('v128.andnot');
      this.set(inst);
    },
    toInt(inst) {
      this.pushSources(inst);
      this.out.op('f32x4.nearest').op('i32x4.trunc_sat_f32x4_s');
      this.set(inst);
    },
    reduceAdd(inst) {
      this.reduce(inst, 'add');
    },
    reduceMin(inst) {
      this.reduce(inst, 'pmin');
    },
    reduceMax(inst) {
      this.reduce(inst, 'pmax');
    },
    firstLanes(inst) {
      this.get(inst.src[0]!);
      this.keepBytes(inst.count! * elemBytes(inst.elem!));
      this.set(inst);
    },
    compare(inst) {
      this.pushSources(inst);
      const pred = inst.elem === 'i32' ? suffixOf[inst.pred!] : inst.pred!;
      this.out.op(`${shapeOf[inst.elem!]}.${pred}` as Mnemonic);
      this.set(inst);
    },
    maskAnd(inst) {
      this.pushSources(inst);
      this.out.op('v128.and');
      this.set(inst);
    },
    maskOr(inst) {
      this.pushSources(inst);
      this.out.op('v128.or');
      this.set(inst);
    },
    maskNot(inst) {
      this.pushSources(inst);
      this.out.op('v128.not');
      this.set(inst);
    },
    select(inst) {
      const [mask, whenTrue, whenFalse] = inst.src;
      this.get(whenTrue!);
      if (whenFalse) this.get(whenFalse);
      else this.loadVector(inst.elem!, inst.mem!);
      this.get(mask!);
      this.out.op('v128.bitselect');
      this.set(inst);
    },

    constant(inst) {
      this.integerConstant(inst.dst!.cls === 'long' ? 'i64' : 'i32', inst.imm!);
      this.set(inst);
    },
    icompare(inst) {
      const type = this.integerSources(inst);
      this.out.op(`${type}.${suffixOf[inst.pred!]}` as Mnemonic);
      this.set(inst);
    },
    iselect(inst) {
      const [condition, whenTrue, whenFalse] = inst.src;
      this.get(whenTrue!);
      this.get(whenFalse!);
      this.get(condition!);
      this.out.op('select');
      this.set(inst);
    },
    iload(inst) {
      const type = inst.dst!.cls === 'long' ? 'i64' : 'i32';
      const whole = type === 'i64' ? 64 : 32;
      const narrow = inst.width! < whole ? `${inst.width}_${inst.unsigned ? 'u' : 's'}` : '';
      this.loadInstruction(`${type}.load${narrow}` as Mnemonic, inst.mem!);
      this.set(inst);
    },
    istore(inst) {
      const value = inst.src[0]!;
      const isLong = value.cls === 'long';
      const offset = this.address(inst.mem!);
      this.get(value);
      if (inst.width === 64 && !isLong) this.out.op('i64.extend_i32_s');
      const type = isLong || inst.width === 64 ? 'i64' : 'i32';
      const narrow = inst.width! < (type === 'i64' ? 64 : 32) ? `${inst.width}` : '';
      this.access(`${type}.store${narrow}` as Mnemonic, offset);
    },
    extend(inst) {
      this.get(inst.src[0]!);
      this.out.op('i64.extend_i32_s');
      this.set(inst);
    },
    wrap(inst) {
      this.get(inst.src[0]!);
      this.out.op('i32.wrap_i64');
      this.set(inst);
    },
    loadPointer(inst) {
      // little-endian: the low half of the 8-byte slot
      this.loadInstruction('i32.load', inst.mem!);
      this.set(inst);
    },

    laneFromLong(inst) {
      this.get(inst.src[0]!);
      this.out.op(`${inst.elem as 'f32' | 'f64'}.convert_i64_s`).op(`${shapeOf[inst.elem!]}.splat` as Mnemonic);
      this.set(inst);
    },
    laneToLong(inst) {
      this.get(inst.src[0]!);
      this.out.op(`${shapeOf[inst.elem!]}.extract_lane` as Mnemonic).byte(0);
      this.out.op(`i64.trunc_sat_${inst.elem as 'f32' | 'f64'}_s`);
      this.set(inst);
    },
    laneBits(inst) {
      this.get(inst.src[0]!);
      if (elemBytes(inst.elem!) === 8) this.out.op('i64x2.extract_lane').byte(0);
      else this.out.op('i32x4.extract_lane').byte(0).op('i64.extend_i32_u');
      this.set(inst);
    },
    laneFromBits(inst) {
      this.vectorConstant('i32', 0);
      this.get(inst.src[0]!);
      if (elemBytes(inst.elem!) === 8) this.out.op('i64x2.replace_lane').byte(0);
      else this.out.op('i32.wrap_i64').op('i32x4.replace_lane').byte(0);
      this.set(inst);
    },

    loop() {
      this.open('block', 'exit');
      this.open('loop', 'start');
    },
    next(inst) {
      const { out } = this;
      this.get(inst.src[0]!);
      out.op('i32.const').s32(Number(inst.imm)).op('i32.add');
      out.op('local.tee').u32(this.local(inst.dst ?? inst.src[0]!));
      if (inst.src.length > 1) this.get(inst.src[1]!);
      else out.op('i32.const').s32(inst.limit!);
      out.op('i32.lt_s');
      this.branch('br_if', 'start');
    },
    continueIf(inst) {
      this.get(inst.src[0]!);
      this.branch('br_if', 'start');
    },
    breakIf(inst) {
      this.get(inst.src[0]!);
      this.branch('br_if', 'exit');
    },
    endLoop() {
      this.close('start', 'exit');
    },
    if(inst) {
      this.get(inst.src[0]!);
      this.open('if', 'if');
    },
    else() {
      this.out.op('else');
    },
    endIf() {
      this.close('if');
    },
    return(inst) {
      if (this.kernel.returns) {
        if (inst.src.length > 0) this.get(inst.src[0]!);
        else this.out.op('i32.const').s32(0);
      }
      this.out.op('return');
    },

    call(inst) {
      const [fn, a, b] = inst.src;
      this.get(a!);
      this.get(b!);
      this.get(fn!);
      this.out.op('call_indirect').u32(this.types.index(calleeType)).u32(0);
    },
    atomicAdd(inst) {
      const offset = this.address(inst.mem!);
      this.out.op('i32.const').s32(Number(inst.imm)).op('i32.atomic.rmw.add').u32(2).u32(offset);
      this.set(inst);
    },
    atomicLoad(inst) {
      const offset = this.address(inst.mem!);
      this.out.op('i32.atomic.load').u32(2).u32(offset);
      this.set(inst);
    },
    atomicStore(inst) {
      const offset = this.address(inst.mem!);
      this.get(inst.src[0]!);
      this.out.op('i32.atomic.store').u32(2).u32(offset);
    },
    // wasm has neither a spin hint nor a prefetch
    pause() {},
    prefetch() {},
  };

  /** a * b + c or c - a * b, in one rounding where the engine has relaxed SIMD. */
  private multiplyAdd(inst: Inst, fused: 'madd' | 'nmadd', separate: 'add' | 'sub'): void {
    const { out } = this;
    const shape = shapeOf[inst.elem!];
    const [a] = inst.src;
    const b = inst.mem ? undefined : inst.src[1]!;
    const c = inst.src[inst.mem ? 1 : 2]!;
    const product = (): void => {
      this.get(a!);
      if (b) this.get(b);
      else this.loadVector(inst.elem!, inst.mem!);
    };
    if (this.kernel.isa.fma) {
      product();
      this.get(c);
      out.op(`${shape}.relaxed_${fused}` as Mnemonic);
    } else {
      this.get(c);
      product();
      out.op(`${shape}.mul` as Mnemonic).op(`${shape}.${separate}` as Mnemonic);
    }
    this.set(inst);
  }
  /** Halves by shuffles; the last step repeats lane 0, so that all lanes agree even where NaN makes the order matter. */
  private reduce(inst: Inst, name: 'add' | 'pmin' | 'pmax'): void {
    const { out } = this;
    const combine = `${shapeOf[inst.elem!]}.${name}` as Mnemonic;
    const scratch = this.scratch();
    this.pushSources(inst);
    for (let half = 8; half >= elemBytes(inst.elem!); half /= 2) {
      out.op('local.tee').u32(scratch).op('local.get').u32(scratch).op('local.get').u32(scratch);
      out.op('i8x16.shuffle').bytes(Uint8Array.from({ length: 16 }, (_, i) => (i + half) % 16));
      out.op(combine);
    }
    out.op('local.tee').u32(scratch).op('local.get').u32(scratch);
    out.op('i8x16.shuffle').bytes(Uint8Array.from({ length: 16 }, (_, i) => i % elemBytes(inst.elem!)));
    this.set(inst);
  }
}
const { handlers } = Lowering;

const mnemonics = new Map<string, Mnemonic | undefined>();
function vectorMnemonic(op: Op, elem: Elem | undefined): Mnemonic | undefined {
  const key = `${op} ${elem}`;
  if (mnemonics.has(key)) return mnemonics.get(key);
  const row = vectorOps[op];
  const pattern = typeof row === 'object' ? row[elem!] : row;
  const name = pattern?.replace('$', shapeOf[elem!]);
  const known = name !== undefined && name in opcodes ? (name as Mnemonic) : undefined;
  mnemonics.set(key, known);
  return known;
}
