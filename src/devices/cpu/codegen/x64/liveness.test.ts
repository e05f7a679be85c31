/** Registers that are first written in a branch and read in a later round of a loop must keep their place. */
import { describe, expect, test } from 'vitest';
import type { KernelBuilder } from '../builder.ts';
import type { Int } from '../ir.ts';
import { builderFor, difference, missing, x64Isas } from './testing.ts';

describe.each(x64Isas)('%s', (isa) => {
  const reason = missing(isa);
  /** A loop whose body carries x by `body`, then overwrites all registers that are free. */
  const carried = (name: string, body: (b: KernelBuilder, i: Int, sum: Int) => void): void =>
    test.skipIf(reason)(name, () => {
      const b = builderFor(isa, name);
      const base = b.param();
      const sum = b.int(0);
      b.loop(4, (i) => {
        body(b, i, sum);
        const noise = Array.from({ length: 11 }, (_, k) => b.integer('iadd', i, 1000 * (k + 1)));
        noise.forEach((value, k) => b.istore(b.at(base, 64 + 8 * k), value, 64));
      });
      b.istore(b.at(base), sum, 64);
      expect(difference(b.finish({ entry: true }), new Uint8Array(256), [])).toBe(undefined);
    });
  const add = (b: KernelBuilder, sum: Int, x: Int): void => void b.integer('iadd', sum, x, sum);

  carried('written in a branch of the first round', (b, i, sum) => {
    let x!: Int;
    b.if(b.icompare('eq', i, 0), () => (x = b.int(7)));
    add(b, sum, x);
  });
  carried('written in one of two branches', (b, i, sum) => {
    let x!: Int;
    b.if(
      b.icompare('eq', i, 0),
      () => (x = b.int(7)),
      () => add(b, sum, x),
    );
  });
  carried('written in the other branch', (b, i, sum) => {
    let x!: Int;
    b.if(
      b.icompare('gt', i, 0),
      () => add(b, sum, b.int(100)),
      () => (x = b.int(7)),
    );
    add(b, sum, x);
  });
  carried('written in both branches of a branch', (b, i, sum) => {
    let x!: Int;
    b.if(b.icompare('eq', i, 0), () => {
      b.if(
        b.icompare('eq', sum, 0),
        () => (x = b.int(7)),
        () => b.move(b.int(9), x),
      );
    });
    add(b, sum, x);
  });
  carried('written behind the way out of an inner loop', (b, i, sum) => {
    let x!: Int;
    const rounds = b.int(0);
    b.forever(() => {
      b.breakIf(b.icompare('gt', i, 0));
      x = b.int(7);
      b.integer('iadd', rounds, 1, rounds);
      b.breakIf(b.icompare('ge', rounds, 2));
    });
    add(b, sum, x);
  });
  carried('written behind a way out that lies in a branch', (b, i, sum) => {
    let x!: Int;
    const rounds = b.int(0);
    b.forever(() => {
      b.if(b.icompare('eq', rounds, 0), () => {
        b.integer('iadd', rounds, 1, rounds);
        b.breakIf(b.icompare('gt', i, 0));
      });
      x = b.int(7);
      b.breakIf(b.icompare('eq', i, 0));
    });
    add(b, sum, x);
  });
  carried('read before it is written in the same round', (b, i, sum) => {
    const x = b.int(1);
    b.loop(3, () => {
      add(b, sum, x);
      b.integer('iadd', x, i, x);
    });
  });
});
