/** Random kernels, as WebAssembly against the interpreter. Random choices are numbers, so that fast-check can shrink them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KernelBuilder } from '../builder.ts';
import { interpret } from '../interpret.ts';
import type { Elem, Int, KernelCode, Long, Mask, Mem, Pred, Vec } from '../ir.ts';
import { elemBytes, type Isa, lanesOf } from '../isa.ts';
import { lanesAt, machine, runnable } from './testing.ts';

const inputBytes = 1024;
const outputAt = 8192;
const elems = ['f32', 'f64', 'i32', 'i64'] as const;
const preds: readonly Pred[] = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'];
const constants = [0, -0, 1, -1, 0.5, 3, 1e-3, 100.25];

interface Choices {
  /** A number in 0..count-1. */
  next(count: number): number;
  readonly done: boolean;
}
function choicesFrom(numbers: readonly number[]): Choices {
  let at = 0;
  return {
    next: (count) => (numbers[at++] ?? 0) % count,
    get done() {
      return at >= numbers.length;
    },
  };
}

/** A kernel of (inputs, outputs) and the element of each 16 bytes that it writes. */
function randomKernel(isa: Isa, numbers: readonly number[]): { code: KernelCode; written: Elem[] } {
  const choices = choicesFrom(numbers);
  const b = new KernelBuilder('random', isa);
  const [from, to] = [b.param(), b.param()];
  let pools = {
    vec: { f32: [] as Vec[], f64: [] as Vec[], i32: [] as Vec[], i64: [] as Vec[] },
    mask: { f32: [] as Mask[], f64: [] as Mask[], i32: [] as Mask[] },
    int: [b.int(3)],
    long: [b.long(5n)],
  };
  const copyPools = (): typeof pools => ({
    vec: { f32: [...pools.vec.f32], f64: [...pools.vec.f64], i32: [...pools.vec.i32], i64: [...pools.vec.i64] },
    mask: { f32: [...pools.mask.f32], f64: [...pools.mask.f64], i32: [...pools.mask.i32] },
    int: [...pools.int],
    long: [...pools.long],
  });
  const pick = <T>(list: readonly T[]): T => list[choices.next(list.length)]!;
  const memory = (): Mem => {
    const offset = 8 * choices.next(80);
    const at = choices.next(3) === 0 ? b.splatAt.bind(b) : b.at.bind(b);
    if (choices.next(4) > 0) return at(from, offset);
    return at(from, offset, b.integer('iand', pick(pools.int), 31), pick([1, 2, 4, 8] as const));
  };
  const vec = (elem: Elem): Vec => {
    const pool = pools.vec[elem];
    if (pool.length > 0 && choices.next(6) > 0) return pick(pool);
    const value = pick(constants);
    return b.splat(elem, elem[0] === 'i' ? (elem === 'i64' ? BigInt(Math.round(value)) : Math.round(value)) : value);
  };
  const source = (elem: Elem): Vec | Mem => (choices.next(4) === 0 ? memory() : vec(elem));
  const float = (): 'f32' | 'f64' => pick(['f32', 'f64'] as const);
  const mask = (elem: 'f32' | 'f64' | 'i32'): Mask => {
    const pool = pools.mask[elem];
    return pool.length > 0 && choices.next(3) > 0 ? pick(pool) : b.compare(elem, pick(preds), vec(elem), source(elem));
  };
  /** A register that may be written again, or none. */
  const into = (elem: Elem): Vec | undefined => (pools.vec[elem].length > 2 && choices.next(4) === 0 ? pick(pools.vec[elem]) : undefined);
  const keep = (elem: Elem, value: Vec): void => void (value.splat || pools.vec[elem].includes(value) || pools.vec[elem].push(value));
  /** Bounded, and no NaN: what conversions to integers are specified for. */
  const bounded = (elem: 'f32' | 'f64'): Vec => b.max(elem, b.splat(elem, -1e6), b.min(elem, b.splat(elem, 1e6), vec(elem)));

  /** What is written inside a region stays there, but for registers that were there before. */
  const region = (write: () => void): void => {
    const outer = pools;
    pools = copyPools();
    write();
    pools = outer;
  };
  const statements = (depth: number): void => {
    for (let count = 1 + choices.next(6); count > 0 && !choices.done; count--) statement(depth);
  };
  const steps: ((depth: number) => void)[] = [
    () => {
      const elem = pick(elems);
      keep(elem, b.load(elem, memory(), 1 + choices.next(lanesOf(isa, elem)), into(elem)));
    },
    () => {
      const elem = float();
      keep(elem, b.loadStrided(elem, b.at(from, 512 + 8 * choices.next(20)), elemBytes(elem) * (choices.next(7) - 3), 1 + choices.next(lanesOf(isa, elem))));
    },
    () => {
      const elem = pick(elems);
      keep(elem, b[pick(['add', 'sub'] as const)](elem, vec(elem), source(elem), into(elem)));
    },
    () => {
      const elem = float();
      keep(elem, b[pick(['mul', 'div', 'min', 'max'] as const)](elem, vec(elem), source(elem), into(elem)));
    },
    () => keep('i32', b[pick(['mul', 'min', 'max'] as const)]('i32', vec('i32'), source('i32'), into('i32'))),
    () => {
      const elem = float();
      keep(elem, b[pick(['fma', 'fnma'] as const)](elem, vec(elem), vec(elem), vec(elem), into(elem)));
    },
    () => {
      const elem = float();
      const sum = b.move(vec(elem));
      b.accumulate(elem, sum, vec(elem), source(elem));
      keep(elem, sum);
    },
    () => {
      const elem = float();
      keep(elem, b.unary(pick(['sqrt', 'floor', 'ceil', 'round', 'trunc'] as const), elem, vec(elem), into(elem)));
    },
    () => {
      const elem = pick(['i32', 'i64'] as const);
      keep(elem, b.bits(pick(['and', 'or', 'xor', 'andNot'] as const), elem, vec(elem), source(elem), into(elem)));
    },
    () => {
      const elem = pick(['i32', 'i64'] as const);
      keep(elem, b.shift(pick(['shl', 'shr'] as const), elem, vec(elem), choices.next(elemBytes(elem) * 8)));
    },
    () => keep('i32', b.shift('sar', 'i32', vec('i32'), choices.next(32))),
    () => keep('i32', b.convert('toInt', bounded('f32'))),
    () => keep('f32', b.convert('toFloat', vec('i32'))),
    () => keep('f64', b.convert('widen', vec('f32'))),
    () => keep('f32', b.convert('narrow', vec('f64'))),
    () => {
      const elem = float();
      keep(elem, b.reduce(pick(['reduceAdd', 'reduceMin', 'reduceMax'] as const), elem, vec(elem)));
    },
    () => {
      const elem = pick(['f32', 'f64', 'i32'] as const);
      pools.mask[elem].push(choices.next(2) ? b.maskNot(mask(elem)) : b.maskLogic(pick(['maskAnd', 'maskOr'] as const), mask(elem), mask(elem)));
    },
    () => {
      const elem = pick(['f32', 'f64', 'i32'] as const);
      keep(elem, b.select(elem, mask(elem), vec(elem), vec(elem), into(elem)));
    },
    () => {
      const elem = pick(['f32', 'f64', 'i32'] as const);
      pools.int.push(b.maskBits(elem, mask(elem)));
    },
    () => pools.int.push(b.iload('int', b.at(from, choices.next(900)), pick([8, 16, 32, 64] as const), choices.next(2) === 0)),
    () => pools.long.push(b.iload('long', b.at(from, choices.next(900)), pick([8, 16, 32, 64] as const), choices.next(2) === 0)),
    () => pools.int.push(b.integer(pick(['iadd', 'isub', 'imul', 'iand', 'ior', 'ixor'] as const), pick(pools.int), choices.next(2) ? pick(pools.int) : choices.next(50) - 25)),
    () => pools.long.push(b.integer(pick(['iadd', 'isub', 'imul', 'iand', 'ior', 'ixor'] as const), pick(pools.long), choices.next(2) ? pick(pools.long) : choices.next(50) - 25)),
    () => pools.int.push(b.integer(pick(['idiv', 'irem'] as const), pick(pools.int), 1 + choices.next(9))),
    () => pools.long.push(b.integer(pick(['ishl', 'isar'] as const), pick(pools.long), choices.next(64))),
    () => pools.int.push(b.icompare(pick(preds), pick(pools.int), pick(pools.int))),
    () => pools.int.push(b.icompare(pick(preds), pick(pools.long), choices.next(9) - 4)),
    () => pools.int.push(b.iselect<Int>(pick(pools.int), pick(pools.int), pick(pools.int))),
    () => pools.long.push(b.iselect<Long>(pick(pools.int), pick(pools.long), pick(pools.long))),
    () => pools.long.push(b.extend(pick(pools.int))),
    () => pools.int.push(b.wrap(pick(pools.long))),
    () => {
      const elem = float();
      keep(elem, b.firstLanes(elem, b.laneFromLong(elem, pick(pools.long)), 1));
    },
    () => pools.long.push(b.laneToLong('f64', bounded('f64'))),
    () => pools.long.push(b.laneBits('i32', vec('i32'))),
    () => keep('i64', b.laneFromBits('i64', pick(pools.long))),
    () => {
      // write to what was there before
      const elem = pick(elems);
      if (pools.vec[elem].length > 0) b.move(vec(elem), pick(pools.vec[elem]));
    },
    () => b.move(pick(pools.int), pick(pools.int)),
    (depth) => {
      if (depth >= 3) return;
      const [rounds, step] = [choices.next(5), 1 + choices.next(2)];
      b.loop(rounds, (i) => region(() => {
        pools.int.push(b.move(i));
        statements(depth + 1);
        // a loop of one round is not written as a loop: nothing to leave
        if (rounds > step && choices.next(3) === 0) b.breakIf(b.icompare('gt', pick(pools.int), choices.next(20)));
      }), step);
    },
    (depth) => {
      if (depth < 3) b.loop(b.integer('iand', pick(pools.int), 3), () => region(() => statements(depth + 1)));
    },
    (depth) => {
      if (depth < 3) b.if(pick(pools.int), () => region(() => statements(depth + 1)), choices.next(2) ? () => region(() => statements(depth + 1)) : undefined);
    },
  ];
  const statement = (depth: number): void => pick(steps)(depth);
  while (!choices.done) statement(0);

  const written: Elem[] = [];
  for (const elem of elems) {
    for (const value of pools.vec[elem]) b.store(elem, b.at(to, 16 * written.push(elem) - 16), value);
  }
  for (const value of [...pools.int, ...pools.long]) b.istore(b.at(to, 16 * written.push('i64') - 16), value, 64);
  return { code: b.finish(), written };
}

/** Input of every element type in turn, so that a load of one type meets bits of another. */
function fillInput(memory: ArrayBufferLike, seed: number): void {
  const f32 = new Float32Array(memory, 0, inputBytes / 4);
  const f64 = new Float64Array(memory, 0, inputBytes / 8);
  const special = [0, -0, 1, -1, 0.5, NaN, Infinity, -Infinity, 3e38, 1e-39];
  for (let i = 0; i < inputBytes / 16; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    const value = seed % 5 === 0 ? special[(seed >>> 8) % special.length]! : ((seed >>> 8) % 2000) / 16 - 60;
    f64[2 * i] = value;
    f32[4 * i + 2] = value;
    f32[4 * i + 3] = -value / 3;
  }
}

for (const isa of runnable) {
  test(`random kernels agree with the interpreter, ${isa.fma ? 'fused' : 'plain'}`, () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 ** 20), { minLength: 5, maxLength: 400 }), fc.nat(), (numbers, seed) => {
        const { code, written } = randomKernel(isa, numbers);
        const { memory, call } = machine([code]);
        const expected = new ArrayBuffer(memory.byteLength);
        fillInput(memory, seed);
        fillInput(expected, seed);
        interpret(code, expected, [0, outputAt]);
        call(0, 0, outputAt);
        written.forEach((elem, i) => {
          const count = 16 / elemBytes(elem);
          expect([...lanesAt(elem, memory, outputAt + 16 * i, count)]).toEqual([...lanesAt(elem, expected, outputAt + 16 * i, count)]);
        });
      }),
      { numRuns: 400 },
    );
  });
}
