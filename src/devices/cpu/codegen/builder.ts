/**
 * Writes kernels: each method appends one instruction and returns the register it defines. Kernels read like the loop nest
 * they are; shapes, strides and counts are JavaScript numbers, so a kernel is compiled for exactly them.
 */
import { type Elem, type Inst, type Int, instruction, type KernelCode, type Long, type Mask, type Mem, type Op, type Pred, type Reg, type RegClass, register, type Vec } from './ir.ts';
import { type Isa, lanesOf } from './isa.ts';

/** A vector source: a register, a constant, or memory read in place. */
export type VecSource = Vec | Mem;
type Integer = Int | Long;

const isMem = (source: VecSource): source is Mem => 'base' in source;

export class KernelBuilder {
  readonly isa: Isa;
  readonly name: string;
  readonly body: Inst[] = [];
  private readonly params: Int[] = [];
  /** By element, then by value. */
  private readonly splats: Record<Elem, Map<number | bigint | '-0', Vec>> = { f32: new Map(), f64: new Map(), i32: new Map(), i64: new Map() };
  private registers = 0;

  constructor(name: string, isa: Isa) {
    this.name = name;
    this.isa = isa;
  }

  finish(options: { entry?: boolean; returns?: boolean } = {}): KernelCode {
    const { name, isa, params, body, registers } = this;
    return { name, isa, params, body, registers, entry: options.entry ?? false, returns: options.returns ?? false };
  }

  lanes(elem: Elem): number {
    return lanesOf(this.isa, elem);
  }

  // ---- registers
  private reg<C extends RegClass>(cls: C): Reg<C> {
    return register(this.registers++, cls);
  }
  private inst(inst: Inst): void {
    this.body.push(instruction(inst));
  }
  param(): Int {
    const reg = this.reg('int');
    this.params.push(reg);
    return reg;
  }
  /** The vector constant `value` in every lane. */
  splat(elem: Elem, value: number | bigint): Vec {
    const key = Object.is(value, -0) ? '-0' : value;
    const known = this.splats[elem];
    let vec = known.get(key);
    if (!vec) known.set(key, (vec = register(this.registers++, 'vec', { elem, value })));
    return vec;
  }
  /** A register of its own holding `value`; may be written again (`into`), unlike a splat. */
  variable(elem: Elem, value: number | bigint = 0): Vec {
    return this.move(this.splat(elem, value));
  }
  move<C extends RegClass>(a: Reg<C>, into?: Reg<C>): Reg<C> {
    const dst = into ?? this.reg(a.cls);
    this.inst({ op: 'move', dst, src: [a] });
    return dst;
  }

  // ---- memory
  at(base: Int, offset = 0, index?: Int, scale: 1 | 2 | 4 | 8 = 1): Mem {
    return { base, offset, index, scale, splat: false }; // one shape for all, which keeps the compilers fast
  }
  splatAt(base: Int, offset = 0, index?: Int, scale: 1 | 2 | 4 | 8 = 1): Mem {
    return { base, offset, index, scale, splat: true };
  }
  load(elem: Elem, mem: Mem, count?: number, into?: Vec): Vec {
    const dst = into ?? this.reg('vec');
    this.inst({ op: 'load', elem, dst, src: [], mem, count: this.partial(elem, count) });
    return dst;
  }
  store(elem: Elem, mem: Mem, a: Vec, count?: number): void {
    this.inst({ op: 'store', elem, src: [a], mem, count: this.partial(elem, count) });
  }
  loadStrided(elem: Elem, mem: Mem, strideBytes: number, count?: number): Vec {
    const dst = this.reg('vec');
    this.inst({ op: 'loadStrided', elem, dst, src: [], mem, imm: strideBytes, count: this.partial(elem, count) });
    return dst;
  }
  storeStrided(elem: Elem, mem: Mem, a: Vec, strideBytes: number, count?: number): void {
    this.inst({ op: 'storeStrided', elem, src: [a], mem, imm: strideBytes, count: this.partial(elem, count) });
  }
  private partial(elem: Elem, count?: number): number | undefined {
    return count === this.lanes(elem) ? undefined : count;
  }

  // ---- vector arithmetic
  private vector(op: Op, elem: Elem, sources: readonly VecSource[], into?: Vec, imm?: number): Vec {
    const dst = into ?? this.reg('vec');
    const last = sources[sources.length - 1];
    if (isMem(last)) this.inst({ op, elem, dst, src: sources.slice(0, -1) as Vec[], mem: last, imm });
    else this.inst({ op, elem, dst, src: sources as Vec[], imm });
    return dst;
  }
  add(elem: Elem, a: Vec, b: VecSource, into?: Vec): Vec {
    return this.vector('add', elem, [a, b], into);
  }
  sub(elem: Elem, a: Vec, b: VecSource, into?: Vec): Vec {
    return this.vector('sub', elem, [a, b], into);
  }
  mul(elem: Elem, a: Vec, b: VecSource, into?: Vec): Vec {
    return this.vector('mul', elem, [a, b], into);
  }
  div(elem: Elem, a: Vec, b: VecSource, into?: Vec): Vec {
    return this.vector('div', elem, [a, b], into);
  }
  /** b < a ? b : a */
  min(elem: Elem, a: Vec, b: VecSource, into?: Vec): Vec {
    return this.vector('min', elem, [a, b], into);
  }
  /** a < b ? b : a */
  max(elem: Elem, a: Vec, b: VecSource, into?: Vec): Vec {
    return this.vector('max', elem, [a, b], into);
  }
  /** sum += a * b, in place. */
  accumulate(elem: Elem, sum: Vec, a: Vec, b: VecSource): void {
    const dst = sum;
    if (isMem(b)) this.inst({ op: 'fma', elem, dst, src: [a, sum], mem: b });
    else this.inst({ op: 'fma', elem, dst, src: [a, b, sum] });
  }
  /** a * b + c */
  fma(elem: Elem, a: Vec, b: Vec, c: Vec, into?: Vec): Vec {
    return this.vector('fma', elem, [a, b, c], into);
  }
  /** c - a * b */
  fnma(elem: Elem, a: Vec, b: Vec, c: Vec, into?: Vec): Vec {
    return this.vector('fnma', elem, [a, b, c], into);
  }
  unary(op: 'sqrt' | 'floor' | 'ceil' | 'round' | 'trunc', elem: 'f32' | 'f64', a: Vec, into?: Vec): Vec {
    return this.vector(op, elem, [a], into);
  }
  bits(op: 'and' | 'or' | 'xor' | 'andNot', elem: Elem, a: Vec, b: VecSource, into?: Vec): Vec {
    return this.vector(op, elem, [a, b], into);
  }
  shift(op: 'shl' | 'shr' | 'sar', elem: 'i32' | 'i64', a: Vec, bits: number, into?: Vec): Vec {
    return this.vector(op, elem, [a], into, bits);
  }
  convert(op: 'toInt' | 'toFloat' | 'widen' | 'narrow', a: Vec): Vec {
    const from: Record<typeof op, Elem> = { toInt: 'f32', toFloat: 'i32', widen: 'f32', narrow: 'f64' };
    return this.vector(op, from[op], [a]);
  }
  reduce(op: 'reduceAdd' | 'reduceMin' | 'reduceMax', elem: 'f32' | 'f64', a: Vec): Vec {
    return this.vector(op, elem, [a]);
  }
  /** Lanes from `count` on become zero. */
  firstLanes(elem: Elem, a: Vec, count: number): Vec {
    if (count >= this.lanes(elem)) return a;
    const dst = this.reg('vec');
    this.inst({ op: 'firstLanes', elem, dst, src: [a], count });
    return dst;
  }

  // ---- masks
  compare(elem: 'f32' | 'f64' | 'i32', pred: Pred, a: Vec, b: VecSource): Mask {
    const dst = this.reg('mask');
    if (isMem(b)) this.inst({ op: 'compare', elem, dst, src: [a], mem: b, pred });
    else this.inst({ op: 'compare', elem, dst, src: [a, b], pred });
    return dst;
  }
  maskLogic(op: 'maskAnd' | 'maskOr', a: Mask, b: Mask): Mask {
    const dst = this.reg('mask');
    this.inst({ op, dst, src: [a, b] });
    return dst;
  }
  maskNot(a: Mask): Mask {
    const dst = this.reg('mask');
    this.inst({ op: 'maskNot', dst, src: [a] });
    return dst;
  }
  select(elem: Elem, mask: Mask, whenTrue: Vec, whenFalse: Vec, into?: Vec): Vec {
    const dst = into ?? this.reg('vec');
    this.inst({ op: 'select', elem, dst, src: [mask, whenTrue, whenFalse] });
    return dst;
  }
  maskBits(elem: Elem, a: Mask): Int {
    const dst = this.reg('int');
    this.inst({ op: 'maskBits', elem, dst, src: [a] });
    return dst;
  }

  // ---- integers
  int(value: number): Int {
    const dst = this.reg('int');
    this.inst({ op: 'constant', dst, src: [], imm: value });
    return dst;
  }
  long(value: bigint): Long {
    const dst = this.reg('long');
    this.inst({ op: 'constant', dst, src: [], imm: value });
    return dst;
  }
  integer<R extends Integer>(
    op: 'iadd' | 'isub' | 'imul' | 'idiv' | 'irem' | 'iand' | 'ior' | 'ixor' | 'ishl' | 'isar',
    a: R,
    b: R | number,
    into?: R,
  ): R {
    const dst = into ?? (this.reg(a.cls) as R);
    if (typeof b === 'number') this.inst({ op, dst, src: [a], imm: b });
    else this.inst({ op, dst, src: [a, b] });
    return dst;
  }
  /** pointer += bytes, in place. */
  advance(pointer: Int, bytes: Int | number): void {
    if (bytes !== 0) this.integer('iadd', pointer, bytes, pointer);
  }
  /** base + index * stride, where the stride is a constant. */
  offset(base: Int, index: Int, strideBytes: number): Int {
    if (strideBytes === 0) return this.move(base);
    return this.integer('iadd', base, this.integer('imul', index, strideBytes));
  }
  icompare<R extends Integer>(pred: Pred, a: R, b: R | number): Int {
    const dst = this.reg('int');
    if (typeof b === 'number') this.inst({ op: 'icompare', dst, src: [a], imm: b, pred });
    else this.inst({ op: 'icompare', dst, src: [a, b], pred });
    return dst;
  }
  iselect<R extends Integer>(condition: Int, whenTrue: R, whenFalse: R): R {
    const dst = this.reg(whenTrue.cls) as R;
    this.inst({ op: 'iselect', dst, src: [condition, whenTrue, whenFalse] });
    return dst;
  }
  iload<C extends 'int' | 'long'>(cls: C, mem: Mem, width: 8 | 16 | 32 | 64, unsigned = false): Reg<C> {
    const dst = this.reg(cls);
    this.inst({ op: 'iload', dst, src: [], mem, width, unsigned });
    return dst;
  }
  istore(mem: Mem, a: Integer, width: 8 | 16 | 32 | 64): void {
    this.inst({ op: 'istore', src: [a], mem, width });
  }
  extend(a: Int): Long {
    const dst = this.reg('long');
    this.inst({ op: 'extend', dst, src: [a] });
    return dst;
  }
  wrap(a: Long): Int {
    const dst = this.reg('int');
    this.inst({ op: 'wrap', dst, src: [a] });
    return dst;
  }
  loadPointer(mem: Mem): Int {
    const dst = this.reg('int');
    this.inst({ op: 'loadPointer', dst, src: [], mem });
    return dst;
  }
  laneFromLong(elem: 'f32' | 'f64', a: Long): Vec {
    const dst = this.reg('vec');
    this.inst({ op: 'laneFromLong', elem, dst, src: [a] });
    return dst;
  }
  laneToLong(elem: 'f32' | 'f64', a: Vec): Long {
    const dst = this.reg('long');
    this.inst({ op: 'laneToLong', elem, dst, src: [a] });
    return dst;
  }
  laneBits(elem: Elem, a: Vec): Long {
    const dst = this.reg('long');
    this.inst({ op: 'laneBits', elem, dst, src: [a] });
    return dst;
  }
  laneFromBits(elem: Elem, a: Long): Vec {
    const dst = this.reg('vec');
    this.inst({ op: 'laneFromBits', elem, dst, src: [a] });
    return dst;
  }

  // ---- control
  /** body(i) for i = 0, step, 2 step, ... below limit. A loop of one round is written without a loop. */
  loop(limit: number | Int, body: (i: Int) => void, step = 1): void {
    if (typeof limit === 'number') {
      if (limit <= 0) return;
      const i = this.int(0);
      if (limit <= step) return body(i);
      this.inst({ op: 'loop', src: [] });
      body(i);
      this.inst({ op: 'next', dst: i, src: [i], imm: step, limit });
      this.inst({ op: 'endLoop', src: [] });
      return;
    }
    this.if(this.icompare('gt', limit, 0), () => {
      const i = this.int(0);
      this.inst({ op: 'loop', src: [] });
      body(i);
      this.inst({ op: 'next', dst: i, src: [i, limit], imm: step });
      this.inst({ op: 'endLoop', src: [] });
    });
  }
  /** Repeats until `breakIf` leaves it. */
  forever(body: () => void): void {
    this.inst({ op: 'loop', src: [] });
    body();
    this.inst({ op: 'continueIf', src: [this.int(1)] });
    this.inst({ op: 'endLoop', src: [] });
  }
  breakIf(condition: Int): void {
    this.inst({ op: 'breakIf', src: [condition] });
  }
  if(condition: Int, then: () => void, otherwise?: () => void): void {
    this.inst({ op: 'if', src: [condition] });
    then();
    if (otherwise) {
      this.inst({ op: 'else', src: [] });
      otherwise();
    }
    this.inst({ op: 'endIf', src: [] });
  }
  return(result?: Int): void {
    this.inst({ op: 'return', src: result ? [result] : [] });
  }

  // ---- executor
  call(fn: Int, a: Int, b: Int): void {
    this.inst({ op: 'call', src: [fn, a, b] });
  }
  atomicAdd(mem: Mem, amount: number): Int {
    const dst = this.reg('int');
    this.inst({ op: 'atomicAdd', dst, src: [], mem, imm: amount });
    return dst;
  }
  atomicLoad(mem: Mem): Int {
    const dst = this.reg('int');
    this.inst({ op: 'atomicLoad', dst, src: [], mem });
    return dst;
  }
  atomicStore(mem: Mem, a: Int): void {
    this.inst({ op: 'atomicStore', src: [a], mem });
  }
  pause(): void {
    this.inst({ op: 'pause', src: [] });
  }
  /** In a loop: keeps the compiler behind a back end from moving loads across. `even`: an int that is even, as addresses are. */
  fence(even: Int): void {
    this.inst({ op: 'fence', src: [even] });
  }
  prefetch(mem: Mem, level: 1 | 2): void {
    this.inst({ op: 'prefetch', src: [], mem, imm: level });
  }
}
