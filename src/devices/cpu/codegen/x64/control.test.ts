/** Integers, branches, loops, calls, atomics and conventions, against the interpreter. */
import { describe, expect, test } from 'vitest';
import type { KernelBuilder } from '../builder.ts';
import type { Int, KernelCode, Long, Pred } from '../ir.ts';
import { magic } from './lower-integer.ts';
import { alignedCopy, builderFor, difference, missing, runNative, x64Isas } from './testing.ts';

type IntegerOp = Parameters<KernelBuilder['integer']>[0];
const values = [0, 1, -1, 2, -2, 3, 5, 7, -7, 10, 100, -1000, 65535, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 40 + 3, -(2 ** 45) - 1];
const wide = [...values.map(BigInt), 2n ** 63n - 1n, -(2n ** 63n), 0x0123_4567_89ab_cdefn];
const preds: Pred[] = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'];

test('magic division by constants', () => {
  for (const d of [2n, 3n, 5n, 7n, 10n, 641n, 1000003n, -3n, -7n, 2n ** 31n - 1n])
    for (const a of wide) {
      const { multiplier, shift } = magic(d);
      let high = (a * multiplier) >> 64n;
      if (d > 0n && multiplier < 0n) high += a;
      if (d < 0n && multiplier > 0n) high -= a;
      const q = BigInt.asIntN(64, high) >> BigInt(shift);
      expect(q + (q < 0n ? 1n : 0n)).toBe(a / d);
    }
});

describe.each(x64Isas)('%s', (isa) => {
  const reason = missing(isa);
  const memory = (): Uint8Array => {
    const bytes = new Uint8Array(16384);
    const view = new DataView(bytes.buffer);
    wide.forEach((value, k) => view.setBigInt64(8 * k, value, true));
    return bytes;
  };
  const check = (kernel: KernelCode, args: number[] = []): void => {
    const found = difference(kernel, memory(), args);
    expect(found && `${kernel.name} ${found}`).toBe(undefined);
  };
  /** Stores each integer given behind the last. */
  const recorder = (b: KernelBuilder, base: Int, from = 1024): ((value: Int | Long) => void) => {
    let at = from;
    return (value) => {
      b.istore(b.at(base, at), value, 64);
      at += 8;
    };
  };

  const shifts: IntegerOp[] = ['ishl', 'isar'];
  const others: IntegerOp[] = ['iadd', 'isub', 'imul', 'iand', 'ior', 'ixor', 'idiv', 'irem'];
  for (const op of [...shifts, ...others])
    test.skipIf(reason)(`${op} with registers and constants, in place and not`, () => {
      const isDivision = op === 'idiv' || op === 'irem';
      const right: (number | 'register')[] = shifts.includes(op) ? [0, 1, 2, 3, 4, 31, 40, 63] : [...values, 9, 8, 4096, 'register'];
      for (const y of right)
        for (const into of ['fresh', 'a', 'b'] as const) {
          if ((isDivision && y === 0) || (into === 'b' && y !== 'register')) continue;
          for (let x = 0; x < wide.length; x += 6) {
            const b = builderFor(isa, `${op} ${y} into ${into}`);
            const base = b.param();
            const record = recorder(b, base);
            for (let k = x; k < Math.min(x + 6, wide.length); k++)
              for (const keep of [false, true]) {
                const a = b.iload('long', b.at(base, 8 * k), 64);
                const c = y === 'register' ? b.iload('long', b.at(base, 8 * ((k * 7 + 3) % wide.length || 1)), 64) : y;
                const dst = into === 'a' ? a : into === 'b' ? (c as Long) : undefined;
                const isRegister = typeof c !== 'number';
                // A zero divisor is the kernel's to avoid.
                const right2 = isDivision && isRegister ? b.integer('ior', c, 1) : c;
                if (isDivision && into === 'b') record(b.integer(op, a, right2, right2 as Long));
                else record(b.integer(op, a, right2, dst));
                if (keep) {
                  record(a);
                  if (isRegister) record(c);
                }
              }
            check(b.finish({ entry: true }));
          }
        }
    });

  test.skipIf(reason)('comparisons: as a value, in a branch, in a select, against registers and constants', () => {
    for (const pred of preds)
      for (const y of [...values, 'register'] as const) {
        const b = builderFor(isa, `icompare ${pred} ${y}`);
        const base = b.param();
        const record = recorder(b, base);
        for (let k = 0; k < wide.length; k++) {
          const a = b.iload('long', b.at(base, 8 * k), 64);
          const c = y === 'register' ? b.iload('long', b.at(base, 8 * ((k * 5 + 2) % wide.length)), 64) : y;
          record(b.icompare(pred, a, c));
          const chosen = b.long(5n);
          b.if(
            b.icompare(pred, a, c),
            () => b.integer('iadd', chosen, 10, chosen),
            () => b.integer('isub', chosen, 10, chosen),
          );
          record(chosen);
          b.if(b.icompare(pred, a, c), () => b.move(a, chosen));
          record(chosen);
          const condition = b.icompare(pred, a, c);
          record(b.iselect(condition, a, chosen));
          record(b.iselect(condition, chosen, a));
          record(b.iselect(b.icompare(pred, a, c), chosen, a));
          record(b.iselect(b.icompare(pred, a, c), a, a));
        }
        check(b.finish({ entry: true }));
      }
  });

  test.skipIf(reason)('loads and stores of every width, with index and scale', () => {
    const b = builderFor(isa, 'widths');
    const base = b.param();
    const record = recorder(b, base);
    const index = b.iload('int', b.at(base, 8 * 6), 8);
    for (const width of [8, 16, 32, 64] as const)
      for (const unsigned of [false, true])
        for (const scale of [1, 2, 4, 8] as const)
          for (let at = 0; at < 100; at += 13) {
            record(b.iload('int', b.at(base, at, index, scale), width, unsigned));
            record(b.wrap(b.extend(b.wrap(b.iload('long', b.at(base, at), width, unsigned)))));
          }
    const a = b.iload('long', b.at(base, 8 * 20), 64);
    const others = Array.from({ length: 12 }, (_, k) => b.iload('long', b.at(base, 8 * k), 64)); // for every register's low byte
    [a, ...others].forEach((value, k) => {
      for (const width of [8, 16, 32, 64] as const) b.istore(b.at(base, 12000 + 40 * k + width / 8, index, 2), value, width);
    });
    check(b.finish({ entry: true }));
  });

  test.skipIf(reason)('constants of every size', () => {
    const b = builderFor(isa, 'constants');
    const record = recorder(b, b.param());
    for (const value of wide) record(b.long(value));
    for (const value of values) record(b.int(value));
    check(b.finish({ entry: true }));
  });

  test.skipIf(reason)('nested loops, breaks, counters that are read and counters that are not', () => {
    for (const limit of [1, 2, 3, 7, 0]) {
      const b = builderFor(isa, `loops to ${limit}`);
      const base = b.param();
      const n = b.param();
      const sum = b.int(0);
      const bump = (by: Int | number): void => void b.integer('iadd', sum, by, sum);
      b.loop(5, () => b.loop(3, () => bump(1)));
      b.loop(10, (i) => b.loop(n, (j) => bump(b.integer('imul', i, j)), 2), 3);
      b.loop(n, () => {
        const inner = b.int(0);
        b.forever(() => {
          b.integer('iadd', inner, 1, inner);
          b.breakIf(b.icompare('ge', inner, 4));
          b.if(b.icompare('eq', b.integer('iand', inner, 1), 0), () => bump(100));
          bump(7);
        });
        bump(inner);
      });
      b.loop(2 ** 33 + 5, (i) => bump(b.integer('isar', i, 30)), 2 ** 30);
      b.istore(b.at(base, 2048), sum, 64);
      b.return(sum);
      check(b.finish({ entry: true, returns: true }), [limit]);
    }
  });

  test.skipIf(reason)('an early return, and none', () => {
    for (const n of [0, 1]) {
      const b = builderFor(isa, 'early');
      const base = b.param();
      const flag = b.param();
      b.if(flag, () => b.return(b.int(11)));
      b.istore(b.at(base, 512), b.int(3), 32);
      b.return(b.integer('iadd', flag, 22));
      check(b.finish({ entry: true, returns: true }), [n]);
    }
  });

  test.skipIf(reason)('arguments in registers and on the stack, unread ones among them', () => {
    for (const count of [1, 3, 6, 9])
      for (const crowd of [0, 20]) {
        const b = builderFor(isa, `${count} arguments, ${crowd} others`);
        const base = b.param();
        const args = Array.from({ length: count }, () => b.param());
        const others = Array.from({ length: crowd }, (_, k) => b.iload('int', b.at(base, 8 * (k % 8)), 32));
        const sum = b.int(0);
        args.forEach((arg, k) => k !== 1 && b.integer('iadd', sum, b.integer('imul', arg, k + 1), sum));
        if (count > 2) b.integer('iadd', sum, b.integer('idiv', args[2], args[0]), sum); // takes rax and rdx
        for (const other of others) b.integer('iadd', sum, other, sum);
        b.return(sum);
        check(
          b.finish({ entry: true, returns: true }),
          args.map((_, k) => 3 + 10 * k),
        );
      }
  });

  test.skipIf(reason)('atomics, pause and prefetch', () => {
    const b = builderFor(isa, 'atomics');
    const base = b.param();
    const record = recorder(b, base);
    record(b.atomicAdd(b.at(base, 24), 5));
    record(b.atomicAdd(b.at(base, 24), -8));
    record(b.atomicAdd(b.at(base, 16), 1));
    record(b.atomicLoad(b.at(base, 16)));
    b.atomicStore(b.at(base, 40), b.int(-3));
    record(b.atomicLoad(b.at(base, 40)));
    b.pause();
    b.prefetch(b.at(base, 64), 1);
    b.prefetch(b.at(base, 64), 2);
    check(b.finish({ entry: true }));
  });

  test.skipIf(reason)('calls keep every live register', () => {
    const caller = builderFor(isa, 'caller');
    const base = caller.param();
    const fn = caller.param();
    const ints = Array.from({ length: 9 }, (_, k) => caller.iload('int', caller.at(base, 8 * k), 64));
    const vecs = Array.from({ length: 20 }, (_, k) => caller.load('f32', caller.at(base, 4 * k)));
    const mask = caller.compare('i32', 'gt', vecs[0], caller.splat('i32', 0));
    caller.loop(3, (i) => {
      caller.call(fn, base, i);
      caller.call(fn, base, caller.integer('iadd', i, 10));
    });
    const last = caller.iload('int', caller.at(base, 16), 64);
    caller.call(fn, base, caller.int(0));
    caller.istore(caller.at(base, 2000), last, 64); // read by the very next instruction
    ints.forEach((reg, k) => caller.istore(caller.at(base, 2048 + 8 * k), reg, 64));
    vecs.forEach((reg, k) => caller.store('i32', caller.at(base, 4096 + 64 * k), reg));
    caller.store('i32', caller.at(base, 8192), caller.select('i32', mask, vecs[1], vecs[2]));
    const kernel = caller.finish({ entry: true });

    // Overwrites all it can, and adds its second argument to memory.
    const callee = builderFor(isa, 'callee');
    const [at, amount] = [callee.param(), callee.param()];
    const many = Array.from({ length: 14 }, (_, k) => callee.integer('iadd', amount, k));
    const noise = Array.from({ length: 33 }, (_, k) => callee.variable('f32', k));
    callee.store('f32', callee.at(at, 12288), noise.reduce((x, y) => callee.add('f32', x, y)));
    const sum = many.reduce((x, y) => callee.integer('iadd', x, y));
    callee.istore(
      callee.at(at, 13000),
      callee.integer('iadd', callee.iload('int', callee.at(at, 13000), 64), sum),
      64,
    );

    const got = alignedCopy(memory());
    runNative([kernel, callee.finish()], got, ([, address]) => [address]);
    const view = new DataView(got.buffer, got.byteOffset);
    const before = memory();
    const original = new DataView(before.buffer);
    expect(view.getBigInt64(2000, true)).toBe(original.getBigInt64(16, true));
    ints.forEach((_, k) => expect(view.getBigInt64(2048 + 8 * k, true)).toBe(original.getBigInt64(8 * k, true)));
    vecs.forEach((_, k) => expect(view.getInt32(4096 + 64 * k + 4, true)).toBe(original.getInt32(4 * k + 4, true)));
    const lanes = caller.lanes('i32');
    for (let l = 0; l < lanes; l++)
      expect(view.getInt32(8192 + 4 * l, true)).toBe(original.getInt32(4 * (l + (original.getInt32(4 * l, true) > 0 ? 1 : 2)), true));
    const each = [0, 10, 1, 11, 2, 12, 0].map((amountOf) => 14 * amountOf + 91);
    expect(view.getBigInt64(13000, true)).toBe(BigInt(each.reduce((x, y) => x + y)));
  });

  test.skipIf(reason)('what nobody reads is not computed', () => {
    const b = builderFor(isa, 'dead');
    const base = b.param();
    b.load('f32', b.at(base, -(2 ** 30))); // would fault
    b.integer('idiv', base, b.integer('isub', base, base));
    b.return(b.int(7));
    expect(Number(runNative([b.finish({ entry: true, returns: true })], alignedCopy(memory()), () => []))).toBe(7);
  });
});
