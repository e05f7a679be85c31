/** Every vector operation, on every element type, with sources in every place they may be, against the interpreter. */
import { describe, expect, test } from 'vitest';
import type { KernelBuilder } from '../builder.ts';
import type { Elem, Inst, KernelCode, Op, Pred, Reg, Vec } from '../ir.ts';
import { elemBytes } from '../isa.ts';
import { builderFor, difference, missing, x64Isas } from './testing.ts';

const floats = [
  0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3.75, 1e-40, -1e-40, 3e38, -3e38, Infinity, -Infinity, NaN, 16777217, 0.1, -7.3, 2 ** -126,
  123456.789, 1e10, 42,
];
const integers = [0, 1, -1, 2, 7, -8, 2 ** 31 - 1, -(2 ** 31), 0x12345678, -0x1234567, 65535, -65536, 100, 3];
/** Elements of the three sources, each in another order so that all kinds meet. */
const valueOf = (elem: Elem, source: number, lane: number): number | bigint => {
  const table = elem === 'f32' || elem === 'f64' ? floats : integers;
  const value = table[(lane * (1 + 2 * source) + source * 5) % table.length];
  return elem === 'i64' ? BigInt(value) * 0x1_0000_0001n : value;
};
const ELEMENTS = 64;
const SOURCE_BYTES = 512;
const OUT = 3 * SOURCE_BYTES;
const TOTAL = 8192;

function sources(elem: Elem): Uint8Array {
  const bytes = new Uint8Array(TOTAL).fill(0xa5);
  const view = new DataView(bytes.buffer);
  for (let s = 0; s < 3; s++)
    for (let l = 0; l < ELEMENTS; l++) {
      const at = s * SOURCE_BYTES + l * elemBytes(elem);
      const value = valueOf(elem, s, l);
      if (elem === 'f32') view.setFloat32(at, Number(value), true);
      else if (elem === 'f64') view.setFloat64(at, Number(value), true);
      else if (elem === 'i32') view.setInt32(at, Number(value), true);
      else view.setBigInt64(at, BigInt(value), true);
    }
  return bytes;
}

/** Where a source is, and what becomes of it. */
type Place = 'register' | 'constant' | 'memory' | 'splat memory';
interface Variant {
  readonly places: readonly Place[];
  /** The source whose register the result is written into, or -1. */
  readonly into: number;
  /** Whether the sources are still wanted afterwards. */
  readonly keep: boolean;
}

function variants(arity: number, memoryAt: number): Variant[] {
  const out: Variant[] = [];
  const options: Place[][] = Array.from({ length: arity }, (_, k) =>
    k === memoryAt ? ['register', 'constant', 'memory', 'splat memory'] : ['register', 'constant'],
  );
  const combine = (places: Place[]): void => {
    if (places.length < arity) return options[places.length].forEach((place) => combine([...places, place]));
    for (const keep of [false, true]) {
      out.push({ places, into: -1, keep });
      places.forEach((place, into) => place === 'register' && out.push({ places, into, keep }));
    }
  };
  combine([]);
  return out;
}

const constants: Record<Elem, readonly [number | bigint, number | bigint, number | bigint]> = {
  f32: [1.5, -2.25, 0],
  f64: [1.5, -2.25, 0],
  i32: [3, -7, 0],
  i64: [3n, -7n, 0n],
};

/** One instruction, its sources loaded and its result (and what is kept of them) stored. */
function kernelOf(
  b: KernelBuilder,
  op: Op,
  elem: Elem,
  { places, into, keep }: Variant,
  extra: Partial<Inst>,
): KernelCode {
  const base = b.param();
  const regs: Reg[] = [];
  const loaded: Vec[] = [];
  let mem: Inst['mem'];
  places.forEach((place, k) => {
    if (place === 'register') {
      const reg = b.load(elem, b.at(base, k * SOURCE_BYTES));
      loaded.push(reg);
      regs.push(reg);
    } else if (place === 'constant') regs.push(b.splat(elem, constants[elem][k]));
    else {
      const at = k * SOURCE_BYTES + elemBytes(elem) * 2;
      mem = place === 'memory' ? b.at(base, at) : b.splatAt(base, at);
    }
  });
  const dst = into >= 0 ? regs[places.slice(0, into).filter((p) => p === 'register' || p === 'constant').length] : b.variable(elem, 1);
  b.body.push({ op, elem, dst, src: regs, mem, ...extra });
  b.store('i32', b.at(base, OUT), dst as Vec);
  if (keep) loaded.forEach((reg, k) => b.store('i32', b.at(base, OUT + 64 * (k + 1)), reg));
  return b.finish({ entry: true });
}

interface Case {
  readonly op: Op;
  readonly elems: readonly Elem[];
  readonly arity: number;
  /** Which source may be memory, or -1. */
  readonly memoryAt: number;
  readonly extra?: Partial<Inst>;
  /** Element type of the result, where it is another. */
  readonly result?: Elem;
}
const float: ('f32' | 'f64')[] = ['f32', 'f64'];
const any: Elem[] = ['f32', 'f64', 'i32', 'i64'];
const binary = (op: Op, elems: Elem[]): Case => ({ op, elems, arity: 2, memoryAt: 1 });
const unary = (op: Op, elems: Elem[], extra: Partial<Inst> = {}, result?: Elem): Case => ({ op, elems, arity: 1, memoryAt: -1, extra, result });
const cases: Case[] = [
  binary('add', any),
  binary('sub', any),
  binary('mul', ['f32', 'f64', 'i32']),
  binary('div', float),
  binary('min', ['f32', 'f64', 'i32']),
  binary('max', ['f32', 'f64', 'i32']),
  binary('and', any),
  binary('or', any),
  binary('xor', any),
  binary('andNot', any),
  { op: 'fma', elems: float, arity: 3, memoryAt: 1 },
  { op: 'fnma', elems: float, arity: 3, memoryAt: 1 },
  ...(['sqrt', 'floor', 'ceil', 'round', 'trunc'] as const).map((op) => unary(op, float)),
  ...[0, 1, 13, 31].flatMap((imm) => [unary('shl', ['i32', 'i64'], { imm }), unary('shr', ['i32', 'i64'], { imm }), unary('sar', ['i32'], { imm })]),
  unary('shl', ['i64'], { imm: 52 }),
  unary('shr', ['i64'], { imm: 63 }),
  unary('toInt', ['f32'], {}, 'i32'),
  unary('toFloat', ['i32'], {}, 'f32'),
  unary('widen', ['f32'], {}, 'f64'),
  unary('narrow', ['f64'], {}, 'f32'),
  unary('move', any),
];

describe.each(x64Isas)('%s', (isa) => {
  const reason = missing(isa);
  const check = (kernel: KernelCode, elem: Elem, result: Elem = elem): void => {
    const found = difference(kernel, sources(elem), [], [{ elem: result, from: OUT, to: TOTAL }]);
    expect(found).toBe(undefined);
  };
  const lanes = (elem: Elem): number => builderFor(isa).lanes(elem);

  for (const { op, elems, arity, memoryAt, extra = {}, result } of cases)
    for (const elem of elems)
      test.skipIf(reason)(`${op} ${elem}${extra.imm === undefined ? '' : ` by ${extra.imm}`}`, () => {
        for (const variant of variants(arity, memoryAt)) {
          const kernel = kernelOf(builderFor(isa, `${op} ${JSON.stringify(variant)}`), op, elem, variant, extra);
          const found = difference(kernel, sources(elem), [], [{ elem: result ?? elem, from: OUT, to: TOTAL }]);
          expect(found && `${kernel.name} ${found}`).toBe(undefined);
        }
      });

  for (const elem of float)
    test.skipIf(reason)(`reductions of ${elem}`, () => {
      for (const op of ['reduceAdd', 'reduceMin', 'reduceMax'] as const)
        for (const offset of [0, 1, 2, 3, 17, 18, 19].map((k) => k * elemBytes(elem))) {
          const b = builderFor(isa, `${op} at ${offset}`);
          const base = b.param();
          // No NaN: in which lanes a minimum keeps it is not specified.
          const x = b.load(elem, b.at(base, SOURCE_BYTES + offset));
          const clean = b.select(elem, b.compare(elem, 'eq', x, x), x, b.splat(elem, -3.5));
          b.store(elem, b.at(base, OUT), b.reduce(op, elem, clean));
          b.store(elem, b.at(base, OUT + 64), clean);
          check(b.finish({ entry: true }), elem);
        }
    });

  for (const elem of ['f32', 'f64', 'i32'] as const)
    test.skipIf(reason)(`compare, mask logic and select of ${elem}`, () => {
      for (const pred of ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as Pred[])
        for (const place of ['register', 'constant', 'memory', 'splat memory', 'constant first'] as const) {
          const b = builderFor(isa, `compare ${pred} ${place}`);
          const base = b.param();
          const x = b.load(elem, b.at(base));
          const y = b.load(elem, b.at(base, SOURCE_BYTES));
          const other = {
            register: y,
            constant: b.splat(elem, elem === 'i32' ? 2 : 0.5),
            memory: b.at(base, 4 * elemBytes(elem)),
            'splat memory': b.splatAt(base, 3 * elemBytes(elem)),
            'constant first': x,
          }[place];
          const first = place === 'constant first' ? b.splat(elem, 1) : x;
          const mask = b.compare(elem, pred, first, other);
          const second = b.compare(elem, 'gt', y, b.splat(elem, 0));
          let at = OUT;
          const keep = (value: Vec): void => {
            b.store(elem, b.at(base, at), value);
            at += 64;
          };
          const zero = b.splat(elem, 0);
          const seven = b.splat(elem, 7);
          keep(b.select(elem, mask, x, y));
          keep(b.select(elem, b.maskNot(mask), x, zero));
          keep(b.select(elem, b.maskLogic('maskAnd', mask, second), zero, y));
          keep(b.select(elem, b.maskLogic('maskOr', mask, second), seven, y));
          keep(b.select(elem, mask, x, seven));
          keep(b.select(elem, mask, seven, zero));
          keep(b.select(elem, mask, zero, seven));
          keep(b.select(elem, mask, zero, zero));
          keep(b.select(elem, mask, x, y, y));
          keep(b.select(elem, b.move(second), x, y, x));
          b.istore(b.at(base, at), b.maskBits(elem, mask), 32);
          b.istore(b.at(base, at + 4), b.maskBits(elem, b.maskNot(second)), 32);
          const found = difference(b.finish({ entry: true }), sources(elem), [], [{ elem, from: OUT, to: at }]);
          expect(found && `${b.name} ${found}`).toBe(undefined);
        }
    });

  for (const elem of any)
    test.skipIf(reason)(`loads and stores of ${elem}, whole and partial`, () => {
      const width = elemBytes(elem);
      for (let count = 1; count <= lanes(elem); count++) {
        const b = builderFor(isa, `${count} lanes`);
        const base = b.param();
        const i = b.int(3);
        let at = OUT;
        const keep = (value: Vec): void => {
          b.store('i32', b.at(base, at), value);
          at += 64;
        };
        const x = b.load(elem, b.at(base, width), count);
        keep(x);
        keep(b.load(elem, b.splatAt(base, width * 5, i, 8), count));
        keep(b.load(elem, b.at(base, 16, i, 4), count));
        keep(b.firstLanes(elem, b.load(elem, b.at(base)), count));
        b.store(elem, b.at(base, at + width), b.load(elem, b.at(base)), count);
        b.store(elem, b.at(base, at + 128, i, 8), b.splat(elem, 2), count);
        b.store(elem, b.at(base, at + 256, i, 8), b.splat(elem, 0), count);
        const found = difference(b.finish({ entry: true }), sources(elem), []);
        expect(found && `${b.name} ${found}`).toBe(undefined);
      }
    });

  for (const elem of float)
    test.skipIf(reason)(`strided loads and stores of ${elem}`, () => {
      const width = elemBytes(elem);
      for (const stride of [width, 2 * width, 3 * width, -width, 40, 0])
        for (let count = 1; count <= lanes(elem); count++) {
          const b = builderFor(isa, `stride ${stride}, ${count} lanes`);
          const base = b.param();
          const i = b.int(2);
          const x = b.loadStrided(elem, b.at(base, 256, i, 2), stride, count);
          b.store(elem, b.at(base, OUT), x);
          if (stride !== 0) b.storeStrided(elem, b.at(base, OUT + 1024, i, 4), x, stride, count);
          const found = difference(b.finish({ entry: true }), sources(elem), []);
          expect(found && `${b.name} ${found}`).toBe(undefined);
        }
    });

  test.skipIf(reason)('lane 0 to and from integers', () => {
    for (const elem of any) {
      const b = builderFor(isa, elem);
      const base = b.param();
      const x = b.load(elem, b.at(base, 3 * elemBytes(elem)));
      const bits = b.laneBits(elem, x);
      b.istore(b.at(base, OUT), bits, 64);
      b.store(elem, b.at(base, OUT + 64), b.laneFromBits(elem, b.integer('ixor', bits, 0x55)));
      if (elem === 'f32' || elem === 'f64') {
        b.istore(b.at(base, OUT + 128), b.laneToLong(elem, x), 64);
        for (const [k, value] of [0n, -5n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, 16777217n, (1n << 40n) + 1n].entries())
          b.store(elem, b.at(base, OUT + 192 + 64 * k), b.laneFromLong(elem, b.long(value)), 1);
      }
      check(b.finish({ entry: true }), elem);
    }
  });

  test.skipIf(reason)('an operation that has no such element is refused by name', () => {
    const b = builderFor(isa, 'wrong');
    const base = b.param();
    b.store('i64', b.at(base), b.mul('i64', b.load('i64', b.at(base)), b.splat('i64', 3n)));
    expect(() => difference(b.finish({ entry: true }), sources('i64'), [])).toThrow('kernel wrong: mul is not defined for i64');
  });
});
