/** Every vector operation of the kernel language, executed, against plain JavaScript; and control, integers, memory. */
import { expect, test } from 'vitest';
import { KernelBuilder } from '../builder.ts';
import { fma32, fma64, roundEven } from '../interpret.ts';
import type { Elem, Int, Mask, Pred, Vec } from '../ir.ts';
import { elemBytes, type Isa, isas, lanesOf } from '../isa.ts';
import { asLane, type Lane, lanesAt, machine, memoryBytes, runnable } from './testing.ts';


const floats = [0, -0, 1, -1, 0.5, 1.5, 2.5, -2.5, 0.1, -7.25, 1e-40, 5e-324, 3.4e38, -3e38, 123456.789, 2 ** 24 + 2, NaN, Infinity, -Infinity, 1e-3];
const ints = [0, 1, -1, 2, -2, 7, 100, -100, 65537, 2 ** 31 - 1, -(2 ** 31), 0x55555555, 0x0f0f0f0f, -3, 12345678, 3];
const longs = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 0x123456789abcdefn, -5n, 2n ** 32n];
const samples: Record<Elem, readonly Lane[]> = { f32: floats, f64: floats, i32: ints, i64: longs };

/** All pairs of samples, and a third operand that is neither. */
function operands(elem: Elem): [Lane, Lane, Lane][] {
  const list = samples[elem];
  return list.flatMap((a, i) => list.map((b, j): [Lane, Lane, Lane] => [a, b, list[(i * 7 + j * 3 + 1) % list.length]!]));
}
const outAt = 40960;

/** Applies `emit` to vectors over all operands and returns the lanes of `result`. */
function applied(
  isa: Isa,
  elem: Elem,
  result: Elem,
  emit: (b: KernelBuilder, a: Vec, second: { vec: Vec; at: Int }, third: Vec) => Vec,
): { rows: [Lane, Lane, Lane][]; got: Lane[] } {
  const rows = operands(elem);
  const size = elemBytes(elem);
  const stride = rows.length * size;
  expect(rows.length % (16 / size)).toBe(0);
  const b = new KernelBuilder('apply', isa);
  const [from, to] = [b.param(), b.param()];
  b.loop(stride, (i) => {
    const at = b.integer('iadd', from, i);
    const out = emit(b, b.load(elem, b.at(at)), { vec: b.load(elem, b.at(at, stride)), at }, b.load(elem, b.at(at, 2 * stride)));
    b.store(result, b.at(to, 0, i), out);
  }, 16);
  const { memory, call } = machine([b.finish({ entry: true })]);
  for (let column = 0; column < 3; column++) {
    const lanes = lanesAt(elem, memory, column * stride, rows.length);
    rows.forEach((row, i) => (lanes[i] = row[column]!));
    // what the typed array rounded is what the kernel sees
    rows.forEach((row, i) => (row[column] = lanes[i]!));
  }
  call(0, 0, outAt);
  return { rows, got: [...lanesAt(result, memory, outAt, stride / elemBytes(result))] };
}
function agree(elem: Elem, got: readonly Lane[], want: readonly Lane[], rows: readonly unknown[]): void {
  const wrong = got.flatMap((value, i) => (Object.is(value, asLane(elem, want[i]!)) ? [] : [{ row: rows[i], value, want: want[i] }]));
  expect(wrong.slice(0, 5)).toEqual([]);
}

const bitsOf = (elem: Elem, value: Lane): bigint => {
  const one = lanesAt(elem, new ArrayBuffer(8), 0, 1);
  one[0] = value;
  return elemBytes(elem) === 8 ? new BigInt64Array(one.buffer)[0]! : BigInt(new Int32Array(one.buffer)[0]!);
};
const ofBits = (elem: Elem, bits: bigint): Lane => lanesAt(elem, new BigInt64Array([bits]).buffer)[0]!;
const number = (f: (a: number, b: number) => number) => (a: Lane, b: Lane): Lane => f(Number(a), Number(b));
const bitwise = (elem: Elem, f: (a: bigint, b: bigint) => bigint) => (a: Lane, b: Lane): Lane => ofBits(elem, f(bitsOf(elem, a), bitsOf(elem, b)));

const binary: { op: 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max'; elems: Elem[]; f: (elem: Elem) => (a: Lane, b: Lane) => Lane }[] = [
  { op: 'add', elems: ['f32', 'f64', 'i32'], f: () => number((a, b) => a + b) },
  { op: 'add', elems: ['i64'], f: () => (a, b) => (a as bigint) + (b as bigint) },
  { op: 'sub', elems: ['f32', 'f64', 'i32'], f: () => number((a, b) => a - b) },
  { op: 'sub', elems: ['i64'], f: () => (a, b) => (a as bigint) - (b as bigint) },
  { op: 'mul', elems: ['f32', 'f64'], f: () => number((a, b) => a * b) },
  { op: 'mul', elems: ['i32'], f: () => number(Math.imul) },
  { op: 'div', elems: ['f32', 'f64'], f: () => number((a, b) => a / b) },
  { op: 'min', elems: ['f32', 'f64', 'i32'], f: () => number((a, b) => (b < a ? b : a)) },
  { op: 'max', elems: ['f32', 'f64', 'i32'], f: () => number((a, b) => (a < b ? b : a)) },
];
const predicates: Record<Pred, (a: Lane, b: Lane) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

for (const isa of runnable) {
  const label = isa.fma ? 'fused' : 'plain';

  for (const { op, elems, f } of binary) {
    for (const elem of elems) {
      test(`${label} ${op} ${elem}: registers, memory, one element of memory`, () => {
        const combine = f(elem);
        const inRegister = applied(isa, elem, elem, (b, x, y) => b[op](elem, x, y.vec));
        agree(elem, inRegister.got, inRegister.rows.map(([x, y]) => combine(x, y)), inRegister.rows);
        const stride = inRegister.rows.length * elemBytes(elem);
        const inMemory = applied(isa, elem, elem, (b, x, y) => b[op](elem, x, b.at(y.at, stride)));
        agree(elem, inMemory.got, inMemory.rows.map(([x, y]) => combine(x, y)), inMemory.rows);
        const lanes = lanesOf(isa, elem);
        const repeated = applied(isa, elem, elem, (b, x, y) => b[op](elem, x, b.splatAt(y.at, stride)));
        const first = repeated.rows.map((_, i) => repeated.rows[i - (i % lanes)]![1]);
        agree(elem, repeated.got, repeated.rows.map(([x], i) => combine(x, first[i]!)), repeated.rows);
      });
    }
  }

  for (const elem of ['f32', 'f64'] as const) {
    test(`${label} fma, fnma ${elem}`, () => {
      const fused = elem === 'f32' ? fma32 : fma64;
      const round = (x: number): number => Number(asLane(elem, x));
      const madd = (a: number, b: number, c: number): number => (isa.fma ? fused(a, b, c) : round(round(a * b) + c));
      const plus = applied(isa, elem, elem, (b, x, y, z) => b.fma(elem, x, y.vec, z));
      agree(elem, plus.got, plus.rows.map((r) => madd(...(r as [number, number, number]))), plus.rows);
      const minus = applied(isa, elem, elem, (b, x, y, z) => b.fnma(elem, x, y.vec, z));
      agree(elem, minus.got, minus.rows.map(([x, y, z]) => madd(-(x as number), y as number, z as number)), minus.rows);
      const stride = plus.rows.length * elemBytes(elem);
      const inMemory = applied(isa, elem, elem, (b, x, y, z) => {
        b.accumulate(elem, z, x, b.at(y.at, stride));
        return z;
      });
      agree(elem, inMemory.got, plus.got, plus.rows);
    });

    test(`${label} square root and rounding ${elem}`, () => {
      const unary = { sqrt: Math.sqrt, floor: Math.floor, ceil: Math.ceil, round: roundEven, trunc: Math.trunc };
      for (const [op, f] of Object.entries(unary)) {
        const { rows, got } = applied(isa, elem, elem, (b, x) => b.unary(op as keyof typeof unary, elem, x));
        agree(elem, got, rows.map(([x]) => f(Number(x))), rows);
      }
    });

    test(`${label} reductions ${elem}`, () => {
      const lanes = lanesOf(isa, elem);
      const folds = {
        reduceAdd: (a: number, b: number) => Number(asLane(elem, a + b)),
        reduceMin: (a: number, b: number) => (b < a ? b : a),
        reduceMax: (a: number, b: number) => (a < b ? b : a),
      };
      for (const [op, f] of Object.entries(folds)) {
        const { rows, got } = applied(isa, elem, elem, (b, x) => b.reduce(op as keyof typeof folds, elem, x));
        const want = rows.map((_, i) => {
          const group = rows.slice(i - (i % lanes), i - (i % lanes) + lanes).map(([x]) => Number(x));
          const [a, b, c, d] = group as [number, number, number, number];
          return lanes === 2 ? f(a, b) : f(f(a, c), f(b, d));
        });
        agree(elem, got, want, rows);
      }
    });
  }

  for (const elem of ['f32', 'f64', 'i32', 'i64'] as const) {
    test(`${label} bits, select, first lanes ${elem}`, () => {
      // on integers of the same width, so that no NaN loses its payload on the way through JavaScript
      const whole = elemBytes(elem) === 8 ? 'i64' : 'i32';
      const logic = {
        and: (a: bigint, b: bigint) => a & b,
        or: (a: bigint, b: bigint) => a | b,
        xor: (a: bigint, b: bigint) => a ^ b,
        andNot: (a: bigint, b: bigint) => ~a & b,
      };
      for (const [op, f] of Object.entries(logic)) {
        const { rows, got } = applied(isa, whole, whole, (b, x, y) => b.bits(op as keyof typeof logic, elem, x, y.vec));
        agree(whole, got, rows.map(([x, y]) => bitwise(whole, f)(x, y)), rows);
        const stride = rows.length * elemBytes(elem);
        const inMemory = applied(isa, whole, whole, (b, x, y) => b.bits(op as keyof typeof logic, elem, x, b.at(y.at, stride)));
        agree(whole, inMemory.got, got, rows);
      }
      const lanes = lanesOf(isa, elem);
      for (let count = 1; count <= lanes; count++) {
        const { rows, got } = applied(isa, elem, elem, (b, x) => b.firstLanes(elem, x, count));
        agree(elem, got, rows.map(([x], i) => (i % lanes < count ? x : asLane(elem, elem === 'i64' ? 0n : 0))), rows);
      }
      if (elem === 'i64') return;
      const { rows, got } = applied(isa, elem, elem, (b, x, y, z) => b.select(elem, b.compare(elem, 'lt', x, y.vec), y.vec, z));
      agree(elem, got, rows.map(([x, y, z]) => (x < y ? y : z)), rows);
    });
  }

  for (const elem of ['f32', 'f64', 'i32'] as const) {
    test(`${label} compare, mask logic, mask bits ${elem}`, () => {
      const lanes = lanesOf(isa, elem);
      const bits = (emit: (b: KernelBuilder, x: Vec, y: { vec: Vec; at: Int }, stride: number) => Mask): { rows: [Lane, Lane, Lane][]; got: Lane[] } => {
        const stride = operands(elem).length * elemBytes(elem);
        return applied(isa, elem, 'i64', (b, x, y) => b.laneFromBits('i64', b.extend(b.maskBits(elem, emit(b, x, y, stride)))));
      };
      const check = ({ rows, got }: { rows: [Lane, Lane, Lane][]; got: Lane[] }, f: (a: Lane, b: Lane) => boolean): void => {
        for (let chunk = 0; chunk * lanes < rows.length; chunk++) {
          const group = rows.slice(chunk * lanes, (chunk + 1) * lanes);
          const want = group.reduce((sum, [x, y], l) => sum | (Number(f(x, y)) << l), 0);
          expect(got[chunk * 2], JSON.stringify(group.map(String))).toBe(BigInt(want));
        }
      };
      for (const [pred, f] of Object.entries(predicates) as [Pred, (a: Lane, b: Lane) => boolean][]) {
        check(bits((b, x, y) => b.compare(elem, pred, x, y.vec)), f);
        check(bits((b, x, y, stride) => b.compare(elem, pred, x, b.at(y.at, stride))), f);
      }
      check(bits((b, x, y) => b.maskLogic('maskAnd', b.compare(elem, 'le', x, y.vec), b.compare(elem, 'ge', x, y.vec))), (a, b) => a === b);
      check(bits((b, x, y) => b.maskLogic('maskOr', b.compare(elem, 'lt', x, y.vec), b.compare(elem, 'eq', x, y.vec))), (a, b) => a <= b);
      check(bits((b, x, y) => b.maskNot(b.move(b.compare(elem, 'lt', x, y.vec)))), (a, b) => !(a < b));
    });
  }

  test(`${label} shifts`, () => {
    for (const amount of [0, 1, 13, 31]) {
      const shl = applied(isa, 'i32', 'i32', (b, x) => b.shift('shl', 'i32', x, amount));
      agree('i32', shl.got, shl.rows.map(([x]) => Number(x) << amount), shl.rows);
      const shr = applied(isa, 'i32', 'i32', (b, x) => b.shift('shr', 'i32', x, amount));
      agree('i32', shr.got, shr.rows.map(([x]) => Number(x) >>> amount), shr.rows);
      const sar = applied(isa, 'i32', 'i32', (b, x) => b.shift('sar', 'i32', x, amount));
      agree('i32', sar.got, sar.rows.map(([x]) => Number(x) >> amount), sar.rows);
    }
    for (const amount of [0, 1, 33, 63]) {
      const shl = applied(isa, 'i64', 'i64', (b, x) => b.shift('shl', 'i64', x, amount));
      agree('i64', shl.got, shl.rows.map(([x]) => (x as bigint) << BigInt(amount)), shl.rows);
      const shr = applied(isa, 'i64', 'i64', (b, x) => b.shift('shr', 'i64', x, amount));
      agree('i64', shr.got, shr.rows.map(([x]) => BigInt.asUintN(64, x as bigint) >> BigInt(amount)), shr.rows);
    }
  });

  test(`${label} conversions`, () => {
    const toInt = applied(isa, 'f32', 'i32', (b, x) => b.convert('toInt', x));
    toInt.rows.forEach(([x], i) => {
      if (Math.abs(Number(x)) < 2 ** 31) expect(toInt.got[i]).toBe(roundEven(Number(x)) | 0);
    });
    const toFloat = applied(isa, 'i32', 'f32', (b, x) => b.convert('toFloat', x));
    agree('f32', toFloat.got, toFloat.rows.map(([x]) => x), toFloat.rows);
    const widen = applied(isa, 'f32', 'f64', (b, x) => b.convert('widen', x));
    const low = widen.rows.map(([x]) => x).filter((_, i) => i % 4 < 2);
    agree('f64', widen.got, low, low);
    const narrow = applied(isa, 'f64', 'f32', (b, x) => b.convert('narrow', x));
    const wide = narrow.got.filter((_, i) => i % 4 < 2);
    agree('f32', wide, narrow.rows.map(([x]) => x), narrow.rows);
  });

  test(`${label} lane 0 and integers`, () => {
    for (const elem of ['f32', 'f64'] as const) {
      const b = new KernelBuilder('lanes', isa);
      const [from, to] = [b.param(), b.param()];
      const a = b.iload('long', b.at(from), 64);
      b.store(elem, b.at(to), b.laneFromLong(elem, a), 1);
      const x = b.load(elem, b.at(from, 8));
      b.istore(b.at(to, 16), b.laneToLong(elem, x), 64);
      b.istore(b.at(to, 24), b.laneBits(elem, x), 64);
      b.store(elem, b.at(to, 32), b.laneFromBits(elem, b.iload('long', b.at(from, 8), 64)));
      const { memory, call } = machine([b.finish()]);
      for (const value of [0n, 7n, -7n, 2n ** 40n + 1n, -(2n ** 53n) - 3n, 2n ** 62n + 2n ** 38n]) {
        for (const float of [0, -0, 1.9, -1.9, 1e6 + 0.5, -(2 ** 40)]) {
          new BigInt64Array(memory)[0] = value;
          new BigInt64Array(memory)[1] = -1n;
          lanesAt(elem, memory, 8, 1)[0] = float;
          call(0, 0, 64);
          const view = new BigInt64Array(memory, 64, 6);
          const seen = Number(asLane(elem, float));
          expect(lanesAt(elem, memory, 64, 1)[0]).toBe(elem === 'f64' ? Number(value) : nearestFloat(value));
          expect(view[2]).toBe(BigInt(Math.trunc(seen)));
          expect(BigInt.asUintN(64, view[3]!)).toBe(BigInt.asUintN(8 * elemBytes(elem), bitsOf(elem, seen)));
          expect(BigInt.asUintN(8 * elemBytes(elem), view[4]!)).toBe(BigInt.asUintN(8 * elemBytes(elem), bitsOf(elem, seen)));
          if (elem === 'f32') expect(view[4]! >> 32n).toBe(0n);
          expect(view[5]).toBe(0n);
        }
      }
    }
  });
}

/** The nearest f32 of a long, ties to even, by exact comparison of the neighbours. */
function nearestFloat(value: bigint): number {
  const guess = Math.fround(Number(value));
  const bits = new Int32Array(new Float32Array([guess]).buffer)[0]!;
  const near = [bits - 1, bits, bits + 1].map((b) => new Float32Array(new Int32Array([b]).buffer)[0]!).filter((x) => Number.isFinite(x) && Number.isInteger(x));
  const distance = (x: number): bigint => (BigInt(x) > value ? BigInt(x) - value : value - BigInt(x));
  return near.reduce((best, x) => {
    const [d, e] = [distance(x), distance(best)];
    return d < e || (d === e && (new Int32Array(new Float32Array([x]).buffer)[0]! & 1) === 0) ? x : best;
  });
}

test('partial and strided vectors read and write nothing beyond their lanes', () => {
  for (const elem of ['f32', 'f64', 'i32', 'i64'] as const) {
    const size = elemBytes(elem);
    const lanes = 16 / size;
    for (let count = 1; count <= lanes; count++) {
      for (const stride of elem[0] === 'f' ? [size, 3 * size, -2 * size, 0] : [size]) {
        const b = new KernelBuilder('partial', isas.wasm);
        const [from, to] = [b.param(), b.param()];
        const whole = stride === size;
        const value = whole ? b.load(elem, b.at(from), count) : b.loadStrided(elem, b.at(from), stride, count);
        b.store(elem, b.at(to, 1024), value);
        if (whole) b.store(elem, b.at(to), value, count);
        else b.storeStrided(elem, b.at(to), value, stride, count);
        const { memory, call } = machine([b.finish()]);
        const all = lanesAt(elem, memory);
        // the last byte of memory is the last that may be touched: one more would trap
        const span = stride >= 0 ? (count - 1) * stride + size : size;
        const from0 = memoryBytes - span;
        for (let i = 0; i < 64; i++) all[memoryBytes / size - 64 + i] = elem === 'i64' ? BigInt(i + 1) : i + 1;
        const expected = Array.from({ length: lanes }, (_, l) => (l < count ? all[(from0 + l * stride) / size]! : asLane(elem, elem === 'i64' ? 0n : 0)));
        const to0 = 4096;
        call(0, from0, to0);
        expect([...lanesAt(elem, memory, to0 + 1024, lanes)]).toEqual(expected);
        for (let l = 0; l < count; l++) {
          if (stride !== 0 || l === count - 1) expect(all[(to0 + l * stride) / size]).toEqual(expected[l]);
        }
        if (whole) expect([...new Uint8Array(memory, to0 + count * size, 64)].every((byte) => byte === 0)).toBe(true);
        expect(() => call(0, from0 + (stride >= 0 ? 1 : size), to0)).toThrow(WebAssembly.RuntimeError);
      }
    }
  }
});

test('one element in the first lanes alone', () => {
  for (const elem of ['f32', 'f64', 'i32', 'i64'] as const) {
    const lanes = 16 / elemBytes(elem);
    for (let count = 1; count <= lanes; count++) {
      const b = new KernelBuilder('partial splat', isas.wasm);
      const at = b.param();
      b.store(elem, b.at(at, 16), b.load(elem, b.splatAt(at), count));
      const { memory, call } = machine([b.finish()]);
      const [one, zero] = elem === 'i64' ? [9n, 0n] : [9, 0];
      lanesAt(elem, memory)[0] = one;
      call(0, 0);
      expect([...lanesAt(elem, memory, 16, lanes)]).toEqual(Array.from({ length: lanes }, (_, l) => (l < count ? one : zero)));
    }
  }
});

test('addresses: base, index, scale and offsets of either sign', () => {
  for (const scale of [1, 2, 4, 8] as const) {
    for (const offset of [0, 4, 4096, -4, -4096]) {
      const b = new KernelBuilder('address', isas.wasm);
      const [base, index, to] = [b.param(), b.param(), b.param()];
      b.istore(b.at(to), b.iload('int', b.at(base, offset, index, scale), 32), 32);
      const { memory, call } = machine([b.finish()]);
      const all = new Int32Array(memory).map((_, i) => i);
      new Int32Array(memory).set(all);
      for (const i of [0, 4, 16, -4]) {
        call(0, 8192, i, 0);
        expect(new Int32Array(memory)[0]).toBe((8192 + i * scale + offset) / 4);
      }
    }
  }
});
