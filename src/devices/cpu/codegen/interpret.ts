/**
 * Runs a kernel in plain JavaScript, one instruction at a time: the meaning that every back end's code must agree with.
 * For tests; slow. Addresses are byte offsets into the memory given; lanes that ir.ts leaves unspecified are zero here.
 */
import { fma32, fma64, longToFloat, roundEven } from './exact-float.ts';
import { binary, holds, integer, type Lane, Lanes, read, readBits, setLane, unary, write } from './interpret-lanes.ts';
import type { Elem, Inst, KernelCode, Mem, Reg } from './ir.ts';
import { elemBytes, lanesOf } from './isa.ts';

export { fma32, fma64, roundEven } from './exact-float.ts';

type Value = bigint | Lanes | boolean[];

export interface InterpretOptions {
  /** Runs what `call` calls. */
  call?: (fn: bigint, a: bigint, b: bigint) => void;
  /** Gives up with an error after so many instructions. */
  maxSteps?: number;
}

/** Runs `kernel` over `memory` with integer arguments; returns its result, or undefined when it has none. */
export function interpret(
  kernel: KernelCode,
  memory: ArrayBufferLike,
  args: readonly (number | bigint)[],
  options: InterpretOptions = {},
): bigint | undefined {
  const { isa, body } = kernel;
  const view = new DataView(memory);
  const values: Value[] = new Array(kernel.registers);
  const intBits = isa.name === 'wasm' ? 32 : 64;
  const { loopOf, endOf, elseOf } = regionsOf(body);
  let steps = options.maxSteps ?? 10_000_000;

  const wrap = (reg: Reg, value: bigint): bigint => BigInt.asIntN(reg.cls === 'int' ? intBits : 64, value);
  const int = (reg: Reg): bigint => values[reg.id] as bigint;
  const address = (mem: Mem): number => {
    const index = mem.index ? int(mem.index) * BigInt(mem.scale ?? 1) : 0n;
    return Number(int(mem.base) + index + BigInt(mem.offset));
  };
  const vec = (reg: Reg): Lanes => {
    if (!reg.splat) return values[reg.id] as Lanes;
    const out = new Lanes(isa.vectorBytes);
    const { elem, value } = reg.splat;
    (out[elem] as Lane[] & typeof out.f32).fill((elem === 'i64' ? BigInt(value) : Number(value)) as never);
    return out;
  };
  const lanesAt = (mem: Mem, elem: Elem): Lanes => {
    const out = new Lanes(isa.vectorBytes);
    const at = address(mem);
    const step = mem.splat ? 0 : elemBytes(elem);
    for (let l = 0; l < lanesOf(isa, elem); l++) setLane(out, elem, l, read[elem](view, at + l * step));
    return out;
  };

  kernel.params.forEach((param, k) => (values[param.id] = wrap(param, BigInt(args[k]))));
  for (let pc = 0; pc < body.length; pc++) {
    if (--steps < 0) throw new Error(`interpret: ${kernel.name} did not end`);
    const inst = body[pc];
    const { op, dst, src, mem, imm } = inst;
    const elem = inst.elem ?? 'f32';
    const lanes = lanesOf(isa, elem);
    const set = (value: Value): void => {
      values[dst!.id] = typeof value === 'bigint' ? wrap(dst!, value) : value;
    };
    const map = (f: (l: number) => Lane, count = lanes, into = elem): void => {
      const out = new Lanes(isa.vectorBytes);
      for (let l = 0; l < count; l++) setLane(out, into, l, f(l));
      set(out);
    };
    const truth = (reg: Reg): boolean => int(reg) !== 0n;

    if (op in integer) {
      const b = src.length > 1 ? int(src[1]) : BigInt(imm!);
      set(integer[op as keyof typeof integer](int(src[0]), b));
      continue;
    }
    if (op in binary) {
      const a = vec(src[0])[elem];
      const b = (mem ? lanesAt(mem, elem) : vec(src[1]))[elem];
      map((l) => binary[op as keyof typeof binary](a[l] as never, b[l] as never, elem));
      continue;
    }
    if (op in unary) {
      const a = (mem ? lanesAt(mem, elem) : vec(src[0]))[elem];
      map((l) => unary[op as keyof typeof unary](a[l] as number));
      continue;
    }
    switch (op) {
      case 'load': {
        const whole = mem!.splat ? 0 : elemBytes(elem);
        const at = address(mem!);
        map((l) => read[elem](view, at + l * whole), inst.count ?? lanes);
        break;
      }
      case 'loadStrided': {
        const at = address(mem!);
        map((l) => read[elem](view, at + l * Number(imm)), inst.count ?? lanes);
        break;
      }
      case 'store':
      case 'storeStrided': {
        const at = address(mem!);
        const stride = op === 'store' ? elemBytes(elem) : Number(imm);
        const a = vec(src[0]);
        for (let l = 0; l < (inst.count ?? lanes); l++) write[elem](view, at + l * stride, a, l);
        break;
      }
      case 'move':
        if (src[0].cls === 'vec') {
          const out = new Lanes(isa.vectorBytes);
          out.i32.set(vec(src[0]).i32);
          set(out);
        } else set(values[src[0].id]);
        break;
      case 'fma':
      case 'fnma': {
        const a = vec(src[0])[elem];
        const b = (mem ? lanesAt(mem, elem) : vec(src[1]))[elem];
        const c = vec(src[mem ? 1 : 2])[elem];
        const sign = op === 'fma' ? 1 : -1;
        const round = elem === 'f32' ? Math.fround : (x: number): number => x;
        const fused = elem === 'f32' ? fma32 : fma64;
        map((l) => {
          const [x, y, z] = [sign * (a[l] as number), b[l] as number, c[l] as number];
          return isa.fma ? fused(x, y, z) : round(round(x * y) + z);
        });
        break;
      }
      case 'shl':
      case 'shr':
      case 'sar': {
        const a = vec(src[0])[elem];
        const bits = BigInt(elemBytes(elem) * 8);
        const shift = BigInt(imm!);
        map((l) => {
          const x = BigInt(a[l]);
          const y = op === 'shl' ? x << shift : (op === 'shr' ? BigInt.asUintN(Number(bits), x) : x) >> shift;
          const wrapped = BigInt.asIntN(Number(bits), y);
          return elem === 'i64' ? wrapped : Number(wrapped);
        });
        break;
      }
      case 'toInt': {
        const a = vec(src[0]).f32;
        map((l) => (Math.abs(a[l]) < 2 ** 31 ? roundEven(a[l]) : -(2 ** 31)), lanes, 'i32');
        break;
      }
      case 'toFloat': {
        const a = vec(src[0]).i32;
        map((l) => a[l], lanes, 'f32');
        break;
      }
      case 'widen': {
        const a = vec(src[0]).f32;
        map((l) => a[l], lanes / 2, 'f64');
        break;
      }
      case 'narrow': {
        const a = vec(src[0]).f64;
        map((l) => a[l], lanes, 'f32');
        break;
      }
      case 'reduceAdd':
      case 'reduceMin':
      case 'reduceMax': {
        // Halves are folded onto each other, as the back ends do.
        const folded = [...(vec(src[0])[elem] as Iterable<number>)];
        const combine: (a: number, b: number) => number =
          binary[({ reduceAdd: 'add', reduceMin: 'min', reduceMax: 'max' } as const)[op]];
        const round = elem === 'f32' ? Math.fround : (x: number): number => x;
        for (let half = lanes / 2; half >= 1; half /= 2)
          for (let l = 0; l < half; l++) folded[l] = round(combine(folded[l], folded[l + half]));
        map(() => folded[0]);
        break;
      }
      case 'firstLanes': {
        const a = vec(src[0])[elem];
        map((l) => a[l], inst.count);
        break;
      }
      case 'compare': {
        const a = vec(src[0])[elem];
        const b = (mem ? lanesAt(mem, elem) : vec(src[1]))[elem];
        set(Array.from({ length: lanes }, (_, l) => holds[inst.pred!](a[l], b[l])));
        break;
      }
      case 'maskAnd':
      case 'maskOr': {
        const [a, b] = src.map((reg) => values[reg.id] as boolean[]);
        set(a.map((x, l) => (op === 'maskAnd' ? x && b[l] : x || b[l])));
        break;
      }
      case 'maskNot':
        set((values[src[0].id] as boolean[]).map((x) => !x));
        break;
      case 'select': {
        const mask = values[src[0].id] as boolean[];
        const [b, c] = [vec(src[1])[elem], vec(src[2])[elem]];
        map((l) => (mask[l] ? b[l] : c[l]));
        break;
      }
      case 'maskBits':
        set(BigInt((values[src[0].id] as boolean[]).reduce((bits, x, l) => bits | (Number(x) << l), 0)));
        break;
      case 'constant':
        set(BigInt(imm!));
        break;
      case 'icompare':
        set(BigInt(holds[inst.pred!](int(src[0]), src.length > 1 ? int(src[1]) : BigInt(imm!))));
        break;
      case 'iselect':
        set(truth(src[0]) ? int(src[1]) : int(src[2]));
        break;
      case 'iload': {
        const bits = readBits(view, address(mem!), inst.width!);
        set(inst.unsigned ? bits : BigInt.asIntN(inst.width!, bits));
        break;
      }
      case 'istore':
        for (let k = 0; k < inst.width! / 8; k++)
          view.setUint8(address(mem!) + k, Number((int(src[0]) >> BigInt(8 * k)) & 255n));
        break;
      case 'extend':
      case 'wrap':
        set(int(src[0]));
        break;
      case 'loadPointer':
        set(view.getBigInt64(address(mem!), true));
        break;
      case 'laneFromLong': {
        const a = int(src[0]);
        map(() => (elem === 'f32' ? longToFloat(a) : Number(a)), 1);
        break;
      }
      case 'laneToLong': {
        const a = Math.trunc(vec(src[0])[elem][0] as number);
        set(Math.abs(a) < 2 ** 63 ? BigInt(a) : -(2n ** 63n));
        break;
      }
      case 'laneBits': {
        const a = vec(src[0]);
        set(elemBytes(elem) === 8 ? a.i64[0] : BigInt(a.i32[0] >>> 0));
        break;
      }
      case 'laneFromBits': {
        const out = new Lanes(isa.vectorBytes);
        if (elemBytes(elem) === 8) out.i64[0] = int(src[0]);
        else out.i32[0] = Number(BigInt.asIntN(32, int(src[0])));
        set(out);
        break;
      }
      case 'next':
        set(int(src[0]) + BigInt(imm!));
        if (int(dst!) < (src.length > 1 ? int(src[1]) : BigInt(inst.limit!))) pc = loopOf[pc];
        break;
      case 'continueIf':
        if (truth(src[0])) pc = loopOf[pc];
        break;
      case 'breakIf':
        if (truth(src[0])) pc = endOf[loopOf[pc]];
        break;
      case 'if':
        if (!truth(src[0])) pc = elseOf[pc] ?? endOf[pc];
        break;
      case 'else':
        pc = endOf[pc];
        break;
      case 'return':
        return src.length > 0 ? int(src[0]) : undefined;
      case 'call':
        options.call?.(int(src[0]), int(src[1]), int(src[2]));
        break;
      case 'atomicAdd': {
        const at = address(mem!);
        const before = view.getInt32(at, true);
        view.setInt32(at, before + Number(imm), true);
        set(BigInt(before));
        break;
      }
      case 'atomicLoad':
        set(BigInt(view.getInt32(address(mem!), true)));
        break;
      case 'atomicStore':
        view.setInt32(address(mem!), Number(BigInt.asIntN(32, int(src[0]))), true);
        break;
      default: // loop, endLoop, endIf, pause, prefetch, fence
        break;
    }
  }
  return undefined;
}

/** Where regions begin and end: the loop around each jump, the end of each loop and if, the else of each if. */
function regionsOf(body: readonly Inst[]): { loopOf: number[]; endOf: number[]; elseOf: (number | undefined)[] } {
  const loopOf: number[] = [];
  const endOf: number[] = [];
  const elseOf: (number | undefined)[] = [];
  const open: number[] = [];
  const loops: number[] = [];
  body.forEach(({ op }, k) => {
    if (op === 'loop' || op === 'if') open.push(k);
    if (op === 'loop') loops.push(k);
    if (op === 'else') elseOf[open[open.length - 1]] = k;
    if (op === 'endLoop') loops.pop();
    if (op === 'endLoop' || op === 'endIf') {
      const start = open.pop()!;
      endOf[start] = k;
      if (elseOf[start] !== undefined) endOf[elseOf[start]] = k;
    }
    loopOf[k] = loops[loops.length - 1];
  });
  return { loopOf, endOf, elseOf };
}
