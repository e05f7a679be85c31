/** A kernel as a WebAssembly function: one row for each operation of the kernel language. */
import type { Elem, Inst, KernelCode, Op, Pred } from '../ir.ts';
import { elemBytes } from '../isa.ts';
import { Emitter } from './emitter.ts';
import type { FunctionType, ModuleFunction, TypeTable } from './module.ts';
import { type Mnemonic, opcodes } from './opcodes.ts';

export function lowerKernel(kernel: KernelCode, types: TypeTable, exportName?: string): ModuleFunction {
  const emitter = new Emitter(kernel, types);
  for (const inst of kernel.body) lowerings[inst.op](emitter, inst);
  return emitter.finish(exportName);
}

type Lowering = (e: Emitter, inst: Inst) => void;
/** The instruction for each elem that has one. */
type PerElem = Partial<Record<Elem, Mnemonic>>;
type Integers = Record<'i32' | 'i64', Mnemonic>;

const shapeOf: Record<Elem, string> = { f32: 'f32x4', f64: 'f64x2', i32: 'i32x4', i64: 'i64x2' };
/** The instructions of that name, `$` standing for the shape, that WebAssembly has. */
function each(pattern: string): PerElem {
  const named = (Object.keys(shapeOf) as Elem[]).map((elem) => [elem, pattern.replace('$', shapeOf[elem])] as const);
  return Object.fromEntries(named.filter(([, name]) => name in opcodes));
}
const both = (name: string): Integers => ({ i32: `i32.${name}` as Mnemonic, i64: `i64.${name}` as Mnemonic });
const byWidth = <T>(inst: Inst, four: T, eight: T): T => (elemBytes(inst.elem!) === 4 ? four : eight);
const lanesOf = (inst: Inst): number => inst.count ?? 16 / elemBytes(inst.elem!);

function shaped(e: Emitter, row: PerElem, inst: Inst): void {
  const mnemonic = row[inst.elem!];
  if (!mnemonic) throw e.error(`uses ${inst.op} of ${inst.elem}, which has no wasm form`);
  e.out.op(mnemonic);
}

// ---- kinds of rows
/** `push` leaves the result on the stack. */
const value = (push: Lowering): Lowering => (e, inst) => {
  push(e, inst);
  e.set(inst);
};
/** One instruction, its sources pushed in order. */
const vector = (row: PerElem): Lowering => value((e, inst) => {
  e.pushSources(inst);
  shaped(e, row, inst);
});
const shift = (row: PerElem): Lowering => value((e, inst) => {
  e.get(inst.src[0]!);
  e.out.op('i32.const').s32(Number(inst.imm));
  shaped(e, row, inst);
});
const plain = (...mnemonics: Mnemonic[]): Lowering => value((e, inst) => {
  e.pushSources(inst);
  for (const mnemonic of mnemonics) e.out.op(mnemonic);
});
const integer = (row: Integers): Lowering => value((e, inst) => {
  e.out.op(row[e.pushIntegers(inst)]);
});
/** a * b + c or c - a * b, in one rounding where the engine has relaxed SIMD. */
const multiplyAdd = (fused: PerElem, separate: PerElem): Lowering => value((e, inst) => {
  const c = inst.src[inst.mem ? 1 : 2]!;
  const isFused = e.kernel.isa.fma;
  if (!isFused) e.get(c);
  e.get(inst.src[0]!);
  if (inst.mem) e.loadVector(inst.elem!, inst.mem);
  else e.get(inst.src[1]!);
  if (isFused) {
    e.get(c);
    shaped(e, fused, inst);
  } else {
    shaped(e, multiply, inst);
    shaped(e, separate, inst);
  }
});
const multiply = each('$.mul');
/** Halves by shuffles; the last step repeats lane 0, so that all lanes agree even where NaN makes the order matter. */
const reduction = (combine: PerElem): Lowering => value((e, inst) => {
  const scratch = e.scratch();
  const shuffle = (from: (byte: number) => number): void => {
    e.out.op('local.get').u32(scratch).op('local.get').u32(scratch);
    e.out.op('i8x16.shuffle').bytes(Uint8Array.from({ length: 16 }, (_, byte) => from(byte)));
  };
  e.pushSources(inst);
  for (let half = 8; half >= elemBytes(inst.elem!); half /= 2) {
    e.out.op('local.tee').u32(scratch);
    shuffle((byte) => (byte + half) % 16);
    shaped(e, combine, inst);
  }
  e.out.op('local.set').u32(scratch);
  shuffle((byte) => byte % elemBytes(inst.elem!));
});

const compares: Record<Pred, PerElem> = {
  eq: each('$.eq'),
  ne: each('$.ne'),
  lt: { ...each('$.lt'), i32: 'i32x4.lt_s' },
  le: { ...each('$.le'), i32: 'i32x4.le_s' },
  gt: { ...each('$.gt'), i32: 'i32x4.gt_s' },
  ge: { ...each('$.ge'), i32: 'i32x4.ge_s' },
};
const icompares: Record<Pred, Integers> = {
  eq: both('eq'),
  ne: both('ne'),
  lt: both('lt_s'),
  le: both('le_s'),
  gt: both('gt_s'),
  ge: both('ge_s'),
};
/** What `call` calls: (i32, i32) -> (). */
const calleeType: FunctionType = { params: ['i32', 'i32'], results: [] };
/** Atomic accesses name their natural alignment, as a power of two. */
const atomicAlign = 2;

const lowerings: Record<Op, Lowering> = {
  load: value((e, inst) => e.loadVector(inst.elem!, inst.mem!, inst.count)),
  store: (e, inst) => e.storeVector(inst.elem!, inst.mem!, inst.src[0]!, inst.count),
  loadStrided(e, inst) {
    const dst = e.local(inst.dst!);
    e.load(byWidth(inst, 'v128.load32_zero', 'v128.load64_zero'), inst.mem!);
    for (let lane = 1; lane < lanesOf(inst); lane++) {
      // the address comes before the vector on the stack, so the vector waits in its local
      e.out.op('local.set').u32(dst);
      const offset = e.address(inst.mem!, lane * Number(inst.imm));
      e.out.op('local.get').u32(dst);
      e.access(byWidth(inst, 'v128.load32_lane', 'v128.load64_lane'), offset).byte(lane);
    }
    e.out.op('local.set').u32(dst);
  },
  storeStrided(e, inst) {
    for (let lane = 0; lane < lanesOf(inst); lane++) {
      const offset = e.address(inst.mem!, lane * Number(inst.imm));
      e.get(inst.src[0]!);
      e.access(byWidth(inst, 'v128.store32_lane', 'v128.store64_lane'), offset).byte(lane);
    }
  },
  move: value((e, inst) => e.get(inst.src[0]!)),
  add: vector(each('$.add')),
  sub: vector(each('$.sub')),
  mul: vector(multiply),
  div: vector(each('$.div')),
  min: vector({ ...each('$.pmin'), i32: 'i32x4.min_s' }),
  max: vector({ ...each('$.pmax'), i32: 'i32x4.max_s' }),
  fma: multiplyAdd(each('$.relaxed_madd'), each('$.add')),
  fnma: multiplyAdd(each('$.relaxed_nmadd'), each('$.sub')),
  sqrt: vector(each('$.sqrt')),
  floor: vector(each('$.floor')),
  ceil: vector(each('$.ceil')),
  round: vector(each('$.nearest')),
  trunc: vector(each('$.trunc')),
  and: plain('v128.and'),
  or: plain('v128.or'),
  xor: plain('v128.xor'),
  andNot: value((e, inst) => {
    // v128.andnot is a & ~b
    if (inst.mem) e.loadVector(inst.elem!, inst.mem);
    else e.get(inst.src[1]!);
    e.get(inst.src[0]!);
    e.out.op('v128.andnot');
  }),
  shl: shift(each('$.shl')),
  shr: shift(each('$.shr_u')),
  sar: shift(each('$.shr_s')),
  toInt: plain('f32x4.nearest', 'i32x4.trunc_sat_f32x4_s'),
  toFloat: plain('f32x4.convert_i32x4_s'),
  widen: plain('f64x2.promote_low_f32x4'),
  narrow: plain('f32x4.demote_f64x2_zero'),
  reduceAdd: reduction(each('$.add')),
  reduceMin: reduction(each('$.pmin')),
  reduceMax: reduction(each('$.pmax')),
  firstLanes: value((e, inst) => {
    e.get(inst.src[0]!);
    e.keepBytes(lanesOf(inst) * elemBytes(inst.elem!));
  }),

  compare: value((e, inst) => {
    e.pushSources(inst);
    shaped(e, compares[inst.pred!], inst);
  }),
  maskAnd: plain('v128.and'),
  maskOr: plain('v128.or'),
  maskNot: plain('v128.not'),
  select: value((e, inst) => {
    const [mask, whenTrue, whenFalse] = inst.src;
    e.get(whenTrue!);
    if (whenFalse) e.get(whenFalse);
    else e.loadVector(inst.elem!, inst.mem!);
    e.get(mask!);
    e.out.op('v128.bitselect');
  }),
  maskBits: vector({ f32: 'i32x4.bitmask', i32: 'i32x4.bitmask', f64: 'i64x2.bitmask', i64: 'i64x2.bitmask' }),

  constant: value((e, inst) => e.integerConstant(inst.dst!.cls === 'long' ? 'i64' : 'i32', inst.imm!)),
  iadd: integer(both('add')),
  isub: integer(both('sub')),
  imul: integer(both('mul')),
  idiv: integer(both('div_s')),
  irem: integer(both('rem_s')),
  iand: integer(both('and')),
  ior: integer(both('or')),
  ixor: integer(both('xor')),
  ishl: integer(both('shl')),
  isar: integer(both('shr_s')),
  icompare: value((e, inst) => {
    e.out.op(icompares[inst.pred!][e.pushIntegers(inst)]);
  }),
  iselect: value((e, inst) => {
    const [condition, whenTrue, whenFalse] = inst.src;
    e.get(whenTrue!);
    e.get(whenFalse!);
    e.get(condition!);
    e.out.op('select');
  }),
  iload: value((e, inst) => {
    const type = inst.dst!.cls === 'long' ? 'i64' : 'i32';
    const narrow = inst.width! < (type === 'i64' ? 64 : 32) ? `${inst.width}_${inst.unsigned ? 'u' : 's'}` : '';
    e.load(`${type}.load${narrow}` as Mnemonic, inst.mem!);
  }),
  istore(e, inst) {
    const [source] = inst.src;
    const offset = e.address(inst.mem!);
    e.get(source!);
    if (inst.width === 64 && source!.cls === 'int') e.out.op('i64.extend_i32_s');
    const type = source!.cls === 'long' || inst.width === 64 ? 'i64' : 'i32';
    const narrow = inst.width! < (type === 'i64' ? 64 : 32) ? inst.width : '';
    e.access(`${type}.store${narrow}` as Mnemonic, offset);
  },
  extend: plain('i64.extend_i32_s'),
  wrap: plain('i32.wrap_i64'),
  // little-endian: the low half of the 8-byte slot
  loadPointer: value((e, inst) => e.load('i32.load', inst.mem!)),

  laneFromLong: value((e, inst) => {
    e.get(inst.src[0]!);
    e.out.op(byWidth(inst, 'f32.convert_i64_s', 'f64.convert_i64_s')).op(byWidth(inst, 'f32x4.splat', 'f64x2.splat'));
  }),
  laneToLong: value((e, inst) => {
    e.get(inst.src[0]!);
    e.out.op(byWidth(inst, 'f32x4.extract_lane', 'f64x2.extract_lane')).byte(0);
    e.out.op(byWidth(inst, 'i64.trunc_sat_f32_s', 'i64.trunc_sat_f64_s'));
  }),
  laneBits: value((e, inst) => {
    e.get(inst.src[0]!);
    e.out.op(byWidth(inst, 'i32x4.extract_lane', 'i64x2.extract_lane')).byte(0);
    if (elemBytes(inst.elem!) === 4) e.out.op('i64.extend_i32_u');
  }),
  laneFromBits: value((e, inst) => {
    e.vectorConstant('i32', 0);
    e.get(inst.src[0]!);
    if (elemBytes(inst.elem!) === 4) e.out.op('i32.wrap_i64');
    e.out.op(byWidth(inst, 'i32x4.replace_lane', 'i64x2.replace_lane')).byte(0);
  }),

  loop(e) {
    e.open('block', 'exit');
    e.open('loop', 'start');
  },
  next(e, inst) {
    const [counter, limit] = inst.src;
    e.get(counter!);
    e.out.op('i32.const').s32(Number(inst.imm)).op('i32.add').op('local.tee').u32(e.local(inst.dst ?? counter!));
    if (limit) e.get(limit);
    else e.integerConstant('i32', inst.limit!);
    e.out.op('i32.lt_s');
    e.branchIf('start');
  },
  continueIf(e, inst) {
    e.get(inst.src[0]!);
    e.branchIf('start');
  },
  breakIf(e, inst) {
    e.get(inst.src[0]!);
    e.branchIf('exit');
  },
  endLoop: (e) => e.close('start', 'exit'),
  if(e, inst) {
    e.get(inst.src[0]!);
    e.open('if', 'if');
  },
  else(e) {
    e.out.op('else');
  },
  endIf: (e) => e.close('if'),
  return(e, inst) {
    if (e.kernel.returns) {
      if (inst.src.length > 0) e.get(inst.src[0]!);
      else e.integerConstant('i32', 0);
    }
    e.out.op('return');
  },

  call(e, inst) {
    const [fn, a, b] = inst.src;
    e.get(a!);
    e.get(b!);
    e.get(fn!);
    e.out.op('call_indirect').u32(e.types.index(calleeType)).u32(0);
  },
  atomicAdd: value((e, inst) => {
    const offset = e.address(inst.mem!);
    e.integerConstant('i32', inst.imm!);
    e.access('i32.atomic.rmw.add', offset, atomicAlign);
  }),
  atomicLoad: value((e, inst) => e.access('i32.atomic.load', e.address(inst.mem!), atomicAlign)),
  atomicStore(e, inst) {
    const offset = e.address(inst.mem!);
    e.get(inst.src[0]!);
    e.access('i32.atomic.store', offset, atomicAlign);
  },
  /**
   * A branch out of the loop that is never taken: V8 moves nothing across it that either side needs. Each compares with another
   * odd number, or V8 would know the second to be like the first.
   */
  fence(e, inst) {
    e.get(inst.src[0]!);
    e.out.op('i32.const').s32(2 * e.fences++ + 1).op('i32.eq');
    e.branchIf('exit');
  },
  // WebAssembly has neither a spin hint nor a prefetch
  pause() {},
  prefetch() {},
};
