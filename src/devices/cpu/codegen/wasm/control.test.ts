/** Integers, memory access, control flow, calls and atomics of the kernel language, executed as WebAssembly. */
import { expect, test } from 'vitest';
import { KernelBuilder } from '../builder.ts';
import type { Int, KernelCode, Pred } from '../ir.ts';
import { isas } from '../isa.ts';
import { compileWasm } from './index.ts';
import { machine } from './testing.ts';

const kernel = (name: string, params: number, write: (b: KernelBuilder, ...params: Int[]) => void, options = {}): KernelCode => {
  const b = new KernelBuilder(name, isas.wasm);
  write(b, ...Array.from({ length: params }, () => b.param()));
  return b.finish(options);
};

const values = [0n, 1n, -1n, 5n, -7n, 1000n, 2n ** 31n - 1n, -(2n ** 31n) + 1n, 2n ** 40n + 3n, -(2n ** 50n), 2n ** 63n - 1n];
const arithmetic = {
  iadd: (a: bigint, b: bigint) => a + b,
  isub: (a: bigint, b: bigint) => a - b,
  imul: (a: bigint, b: bigint) => a * b,
  idiv: (a: bigint, b: bigint) => a / b,
  irem: (a: bigint, b: bigint) => a % b,
  iand: (a: bigint, b: bigint) => a & b,
  ior: (a: bigint, b: bigint) => a | b,
  ixor: (a: bigint, b: bigint) => a ^ b,
};
const predicates: Record<Pred, (a: bigint, b: bigint) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

for (const [cls, bits] of [['int', 32], ['long', 64]] as const) {
  test(`arithmetic and comparison of ${cls}, by register and by constant`, () => {
    const constant = 12;
    const cases: { name: string; f: (a: bigint, b: bigint) => bigint; by: 'register' | 'constant' }[] = [];
    const b = new KernelBuilder('integers', isas.wasm);
    const [from, to] = [b.param(), b.param()];
    const x = b.iload(cls, b.at(from), bits);
    const y = b.iload(cls, b.at(from, 8), bits);
    const record = (name: string, f: (a: bigint, b: bigint) => bigint, write: (operand: typeof y | number) => void): void => {
      for (const by of ['register', 'constant'] as const) {
        write(by === 'register' ? y : constant);
        cases.push({ name, f, by });
      }
    };
    const out = () => b.at(to, 8 * cases.length);
    const op = (name: Parameters<typeof b.integer>[0], f: (a: bigint, b: bigint) => bigint): void =>
      record(name, f, (operand) => b.istore(out(), b.integer(name, x, operand), 64));
    for (const [name, f] of Object.entries(arithmetic)) op(name as keyof typeof arithmetic, f);
    for (const [pred, f] of Object.entries(predicates)) {
      record(pred, (a, c) => BigInt(f(a, c)), (operand) => b.istore(out(), b.icompare(pred as Pred, x, operand), 64));
    }
    record('iselect', (a, c) => (a > c ? a : c), (operand) => {
      const other = typeof operand === 'number' ? b.integer('iadd', b.integer('isub', x, x), operand) : operand;
      b.istore(out(), b.iselect(b.icompare('gt', x, other), x, other), 64);
    });
    for (const amount of [0, 3, bits - 1]) {
      b.istore(out(), b.integer('ishl', x, amount), 64);
      cases.push({ name: `ishl ${amount}`, f: (a) => a << BigInt(amount), by: 'constant' });
      b.istore(out(), b.integer('isar', x, amount), 64);
      cases.push({ name: `isar ${amount}`, f: (a) => a >> BigInt(amount), by: 'constant' });
    }
    const { memory, call } = machine([b.finish()]);
    const words = new BigInt64Array(memory);
    for (const p of values) {
      for (const q of values) {
        const [a, c] = [BigInt.asIntN(bits, p), BigInt.asIntN(bits, q)];
        if (c === 0n || (c === -1n && a === -(2n ** BigInt(bits - 1)))) continue;
        [words[0], words[1]] = [p, q];
        call(0, 0, 64);
        cases.forEach(({ name, f, by }, i) => {
          const want = BigInt.asIntN(bits, f(a, by === 'register' ? c : BigInt(constant)));
          expect(words[8 + i], `${name} ${a} ${by === 'register' ? c : constant}`).toBe(want);
        });
      }
    }
  });

  test(`loads and stores of every width to ${cls}`, () => {
    const bytes = [0xf1, 0xe2, 0xd3, 0xc4, 0xb5, 0xa6, 0x97, 0x88];
    for (const width of [8, 16, 32, 64] as const) {
      for (const unsigned of [false, true]) {
        const load = kernel('load', 2, (b, from, to) => b.istore(b.at(to), b.iload(cls, b.at(from, 3), width, unsigned), 64));
        const store = kernel('store', 2, (b, from, to) => b.istore(b.at(to, 8), b.iload(cls, b.at(from, 3), 64), width));
        const { memory, call } = machine([load, store]);
        const all = new Uint8Array(memory);
        all.set(bytes, 3);
        all.fill(0x77, 64, 96);
        call(0, 0, 64);
        const whole = new DataView(memory).getBigUint64(3, true);
        const loaded = unsigned ? BigInt.asUintN(width, whole) : BigInt.asIntN(width, whole);
        expect(new BigInt64Array(memory)[8]).toBe(BigInt.asIntN(64, BigInt.asIntN(bits, loaded)));
        call(1, 0, 64);
        const stored = Array.from({ length: 8 }, (_, i) => (i < Math.min(width, bits) / 8 ? bytes[i] : i < width / 8 ? 0xff : 0x77));
        expect([...all.subarray(72, 80)]).toEqual(stored);
      }
    }
  });
}

test('extend, wrap, pointers', () => {
  const code = kernel('convert', 2, (b, from, to) => {
    b.istore(b.at(to), b.extend(b.iload('int', b.at(from), 32)), 64);
    b.istore(b.at(to, 8), b.wrap(b.iload('long', b.at(from), 64)), 64);
    b.istore(b.at(to, 16), b.iload('int', b.at(b.loadPointer(b.at(from, 8)), 4), 32), 64);
    b.istore(b.at(to, 24), b.long(-(2n ** 62n)), 64);
    b.istore(b.at(to, 32), b.int(-5), 64);
  });
  const { memory, call } = machine([code]);
  const words = new BigInt64Array(memory);
  words[0] = 0x1234_5678_9abc_def0n;
  words[1] = 512n;
  new Int32Array(memory)[129] = -77;
  call(0, 0, 64);
  expect([...words.subarray(8, 13)]).toEqual([-0x65432110n, -0x65432110n, -77n, -(2n ** 62n), -5n]);
});

test('counted loops: constant and run-time limits, steps, nesting', () => {
  const limits = [-3, 0, 1, 2, 7, 16];
  for (const step of [1, 2, 5]) {
    for (const fixed of limits) {
      const code = kernel('loops', 1, (b, n) => {
        const sum = b.int(0);
        b.loop(fixed, (i) => b.loop(n, (j) => {
          b.integer('iadd', sum, b.integer('iadd', b.integer('imul', i, 100), b.integer('iadd', j, 1)), sum);
        }, step), step);
        b.return(sum);
      }, { returns: true });
      const { call } = machine([code]);
      for (const n of limits) {
        let want = 0;
        for (let i = 0; i < fixed; i += step) for (let j = 0; j < n; j += step) want += i * 100 + j + 1;
        expect(call(0, n), `${fixed} ${n} by ${step}`).toBe(want);
      }
    }
  }
});

test('forever, breakIf inside ifs, early return', () => {
  // the number of Collatz steps from n to 1; -1 where there are more than 200
  const code = kernel('collatz', 1, (b, n) => {
    const steps = b.int(0);
    const x = b.move(n);
    b.forever(() => {
      b.breakIf(b.icompare('eq', x, 1));
      b.if(
        b.icompare('eq', b.integer('iand', x, 1), 0),
        () => b.integer('idiv', x, 2, x),
        () => {
          b.integer('iadd', b.integer('imul', x, 3), 1, x);
          b.if(b.icompare('ge', steps, 200), () => b.return(b.int(-1)));
        },
      );
      b.integer('iadd', steps, 1, steps);
    });
    b.return(steps);
  }, { returns: true });
  const { call } = machine([code]);
  const collatz = (n: number): number => {
    let steps = 0;
    for (let x = n; x !== 1; steps++) {
      if (x % 2 === 0) x /= 2;
      else if (steps >= 200) return -1;
      else x = 3 * x + 1;
    }
    return steps;
  };
  for (let n = 1; n < 3000; n++) expect(call(0, n)).toBe(collatz(n));
});

test('breakIf leaves the innermost loop alone', () => {
  const code = kernel('breaks', 0, (b) => {
    const sum = b.int(0);
    b.loop(5, (i) => {
      b.loop(10, (j) => {
        b.if(b.icompare('gt', j, i), () => b.breakIf(b.int(1)));
        b.integer('iadd', sum, 1, sum);
      });
    });
    b.return(sum);
  }, { returns: true });
  expect(machine([code]).call(0)).toBe(1 + 2 + 3 + 4 + 5);
});

test('kernels call each other by index in the module', () => {
  const add = kernel('add', 2, (b, at, amount) => b.istore(b.at(at), b.integer('iadd', b.iload('int', b.at(at), 32), amount), 32));
  const double = kernel('double', 2, (b, at) => {
    const before = b.iload('int', b.at(at), 32);
    b.call(b.int(0), at, before);
  });
  const walk = kernel('walk', 3, (b, list, count, at) => {
    b.loop(count, (i) => b.call(b.iload('int', b.at(list, 0, i, 4), 32), at, b.integer('iadd', i, 1)));
  }, { entry: true });
  const bytes = compileWasm([add, double, walk]);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  expect(Object.keys(exports)).toEqual(['k2']);
  const words = new Int32Array(memory.buffer);
  words.set([0, 1, 0, 1], 16);
  words[0] = 10;
  (exports['k2'] as (list: number, count: number, at: number) => void)(64, 4, 0);
  expect(words[0]).toBe(((10 + 1) * 2 + 3) * 2);
});

test('fences are passed, whatever even number they are given', () => {
  const code = kernel('fences', 1, (b, at) => {
    const count = b.int(0);
    b.loop(5, () => {
      b.integer('iadd', count, 2, count);
      b.fence(at);
      b.integer('iadd', count, 10, count);
      b.fence(count);
      b.integer('iadd', count, 2, count);
    });
    b.return(count);
  }, { returns: true });
  expect(machine([code]).call(0, 16)).toBe(70);
});

test('atomics', () => {
  const code = kernel('atomics', 1, (b, at) => {
    const before = b.atomicAdd(b.at(at, 4), -3);
    b.atomicStore(b.at(at, 8), before);
    b.pause();
    b.prefetch(b.at(at), 1);
    b.return(b.atomicLoad(b.at(at, 4)));
  }, { returns: true });
  const { memory, call } = machine([code]);
  new Int32Array(memory).set([0, 0, 0, 50], 2);
  expect(call(0, 16)).toBe(47);
  expect(call(0, 16)).toBe(44);
  expect([...new Int32Array(memory, 16, 3)]).toEqual([0, 44, 47]);
});

test('splat constants of every element, negative zero and all', () => {
  const code = kernel('splats', 1, (b, at) => {
    b.store('f32', b.at(at), b.splat('f32', 0.1));
    b.store('f32', b.at(at, 16), b.splat('f32', -0));
    b.store('f64', b.at(at, 32), b.splat('f64', 0.1));
    b.store('i32', b.at(at, 48), b.splat('i32', 0x80000000));
    b.store('i64', b.at(at, 64), b.splat('i64', -(2n ** 63n)));
    b.store('i32', b.at(at, 80), b.add('i32', b.splat('i32', 5), b.splat('i32', -7)));
    b.store('f32', b.at(at, 96), b.splat('f32', NaN));
  });
  const { memory, call } = machine([code]);
  call(0, 0);
  expect([...new Float32Array(memory, 0, 4)]).toEqual(Array(4).fill(Math.fround(0.1)));
  expect([...new Int32Array(memory, 16, 4)]).toEqual(Array(4).fill(-(2 ** 31)));
  expect([...new Float64Array(memory, 32, 2)]).toEqual([0.1, 0.1]);
  expect([...new Int32Array(memory, 48, 4)]).toEqual(Array(4).fill(-(2 ** 31)));
  expect([...new BigInt64Array(memory, 64, 2)]).toEqual([-(2n ** 63n), -(2n ** 63n)]);
  expect([...new Int32Array(memory, 80, 4)]).toEqual([-2, -2, -2, -2]);
  expect([...new Float32Array(memory, 96, 4)]).toEqual([NaN, NaN, NaN, NaN]);
});

test('kernels that break the rules are refused by name', () => {
  const b = new KernelBuilder('bad one', isas.wasm);
  const at = b.param();
  const body: KernelCode['body'][] = [
    [{ op: 'mul', elem: 'i64', dst: { id: 1, cls: 'vec' }, src: [{ id: 1, cls: 'vec' }, { id: 1, cls: 'vec' }] }],
    [{ op: 'store', elem: 'f32', src: [{ id: 2, cls: 'vec' }], mem: b.at(at) }],
    [{ op: 'loop', src: [] }],
    [{ op: 'breakIf', src: [at] }],
    [{ op: 'if', src: [at] }, { op: 'endLoop', src: [] }],
  ];
  for (const insts of body) expect(() => compileWasm([{ ...b.finish(), registers: 3, body: insts }])).toThrow('bad one');
});
