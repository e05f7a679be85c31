/** Random programs, crowded enough to spill, against the interpreter. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KernelBuilder } from '../builder.ts';
import type { Int, KernelCode, Long, Mask, Mem, Pred, Vec } from '../ir.ts';
import { elemBytes } from '../isa.ts';
import { printKernel } from '../print.ts';
import { compileX64 } from './index.ts';
import { builderFor, difference, missing, x64Isas } from './testing.ts';

type VecElem = 'f32' | 'f64' | 'i32';
const INPUT = 2048;
const OUT = 4096;
const TOTAL = OUT + 64 * 160;

/** Writes a program by choices: numbers that say at each fork which way to go. */
class Program {
  readonly b: KernelBuilder;
  readonly base: Int;
  readonly vecs: Record<VecElem, Vec[]> = { f32: [], f64: [], i32: [] };
  readonly masks: Record<VecElem, Mask[]> = { f32: [], f64: [], i32: [] };
  readonly ints: Int[] = [];
  readonly longs: Long[] = [];
  private readonly choices: readonly number[];
  private at = 0;
  private loops = 0;

  constructor(b: KernelBuilder, choices: readonly number[], crowd: number) {
    this.b = b;
    this.choices = choices;
    this.base = b.param();
    this.ints.push(b.param(), b.int(5));
    this.longs.push(b.long(-9n), b.iload('long', b.at(this.base, 16), 64));
    for (const elem of ['f32', 'f64', 'i32'] as const)
      for (let k = 0; k < 2 + crowd; k++) this.vecs[elem].push(b.load(elem, b.at(this.base, this.inputOf(elem) + 8 * k)));
    for (let k = 0; k < crowd; k++) this.ints.push(b.iload('int', b.at(this.base, 8 * k), 8));
  }

  private inputOf(elem: VecElem): number {
    return { f32: 256, f64: 768, i32: 1408 }[elem];
  }
  get isDone(): boolean {
    return this.at >= this.choices.length;
  }
  choose(below: number): number {
    return (this.choices[this.at++] ?? 0) % below;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.choose(list.length)];
  }
  private memory(elem: VecElem): Mem {
    const { b } = this;
    const at = this.inputOf(elem) + elemBytes(elem) * this.choose(8);
    return this.pick([b.at(this.base, at), b.splatAt(this.base, at), b.at(this.base, at), b.splatAt(this.base, at, this.index(), 8)]);
  }
  /** A small number that is not negative. */
  private index(): Int {
    return this.b.integer('iand', this.pick(this.ints), 7);
  }
  private source(elem: VecElem): Vec {
    return this.choose(6) === 0 ? this.b.splat(elem, this.pick([0, 1, -2, 3])) : this.pick(this.vecs[elem]);
  }
  private keep(elem: VecElem, value: Vec, into: Vec | undefined): void {
    if (into === undefined) this.vecs[elem].push(value);
  }

  vector(): void {
    const { b } = this;
    const elem = this.pick(['f32', 'f32', 'f64', 'i32'] as const);
    const into = this.choose(3) === 0 ? this.pick(this.vecs[elem]) : undefined;
    const second = this.choose(4) === 0 ? this.memory(elem) : this.source(elem);
    const kind = this.choose(9);
    if (kind <= 1) this.keep(elem, b[this.pick(['add', 'sub', 'mul', 'min', 'max'] as const)](elem, this.source(elem), second, into), into);
    else if (kind <= 4 && elem !== 'i32') {
      if (this.choose(2)) b.accumulate(elem, this.pick(this.vecs[elem]), this.source(elem), second);
      else this.keep(elem, b[this.pick(['fma', 'fnma'] as const)](elem, this.source(elem), this.source(elem), this.source(elem), into), into);
    } else if (kind === 5 && elem === 'i32') this.keep(elem, b.bits(this.pick(['and', 'or', 'xor', 'andNot'] as const), elem, this.source(elem), second, into), into);
    else if (kind === 5) this.keep(elem, b.unary(this.pick(['floor', 'ceil', 'round', 'trunc'] as const), elem as 'f32', this.source(elem), into), into);
    else if (kind === 6) this.masks[elem].push(b.compare(elem, this.pick<Pred>(['eq', 'ne', 'lt', 'le', 'gt', 'ge']), this.source(elem), second));
    else if (kind === 7 && this.masks[elem].length > 0) {
      const mask = this.pick(this.masks[elem]);
      this.keep(elem, b.select(elem, mask, this.source(elem), this.source(elem), into), into);
      this.masks[elem].push(this.choose(2) ? b.maskNot(mask) : b.maskLogic('maskAnd', mask, this.pick(this.masks[elem])));
      if (this.choose(2)) this.ints.push(b.maskBits(elem, mask));
    } else if (elem === 'f32') this.vecs.i32.push(b.convert('toInt', this.source('f32')));
    else if (elem === 'i32') this.vecs.f32.push(b.convert('toFloat', this.source('i32')));
    else if (this.choose(2)) this.vecs.f64.push(b.convert('widen', this.source('f32')));
    else this.vecs.f32.push(b.convert('narrow', this.source('f64')));
  }

  integer(): void {
    const { b } = this;
    const isLong = this.choose(3) === 0;
    const list = (isLong ? this.longs : this.ints) as Int[];
    const into = this.choose(3) === 0 ? this.pick(list) : undefined;
    const op = this.pick(['iadd', 'isub', 'imul', 'iand', 'ixor', 'idiv', 'irem', 'isar', 'select'] as const);
    if (op === 'select') return void list.push(b.iselect(this.condition(), this.pick(list), this.pick(list)));
    if (op === 'isar') return void list.push(b.integer(op, this.pick(list), this.choose(40)));
    const constant = this.pick([1, 2, 3, 7, 16, -5, 1000]);
    const other = op === 'idiv' || op === 'irem' ? b.integer('ior', this.pick(list), 1) : this.pick(list);
    const result = b.integer(op, this.pick(list), this.choose(2) ? constant : other, into);
    // Products stay small enough for both to agree on what an int holds.
    if (op === 'imul') b.integer('irem', result, 1 << 20, result);
    if (into === undefined) list.push(result);
  }
  private condition(): Int {
    return this.b.icompare(this.pick<Pred>(['eq', 'ne', 'lt', 'ge']), this.pick(this.ints), this.choose(2) ? this.choose(9) : this.pick(this.ints));
  }

  control(depth: number): void {
    const { b } = this;
    const inside = (): void => this.block(depth + 1, 1 + this.choose(5));
    const kind = this.choose(4);
    // Registers written for the first time in a branch may hold nothing behind it: what a region defines stays in it.
    if (kind === 0) b.if(this.condition(), () => this.scoped(inside), this.choose(2) ? () => this.scoped(inside) : undefined);
    else if (kind === 1 && this.loops < 4) {
      this.loops++;
      b.loop(1 + this.choose(4), (i) => {
        this.scoped(() => {
          if (this.choose(2)) this.ints.push(b.integer('iadd', i, 0));
          inside();
        });
      });
    } else if (kind === 2 && this.loops < 4) {
      this.loops++;
      const rounds = b.int(0);
      b.forever(() =>
        this.scoped(() => {
          inside();
          b.breakIf(this.condition());
          b.integer('iadd', rounds, 1, rounds);
          b.breakIf(b.icompare('ge', rounds, 3));
          inside();
        }),
      );
    } else b.loop(this.index(), () => this.scoped(inside), 1 + this.choose(2));
  }
  private scoped(body: () => void): void {
    const lists: unknown[][] = [...Object.values(this.vecs), ...Object.values(this.masks), this.ints, this.longs];
    const lengths = lists.map((list) => list.length);
    body();
    lists.forEach((list, k) => list.splice(lengths[k]));
  }

  block(depth: number, length: number): void {
    for (let k = 0; k < length && !this.isDone; k++) {
      const kind = this.choose(10);
      if (kind === 0 && depth < 4) this.control(depth);
      else if (kind < 4) this.integer();
      else this.vector();
    }
  }

  finish(): KernelCode {
    const { b } = this;
    let at = OUT;
    for (const elem of ['f32', 'f64', 'i32'] as const)
      for (const reg of this.vecs[elem].slice(-40)) {
        b.store(elem, b.at(this.base, at), reg);
        at += 64;
      }
    for (const reg of [...this.ints, ...this.longs].slice(-60)) {
      b.istore(b.at(this.base, at), reg, 64);
      at += 8;
    }
    return b.finish({ entry: true });
  }
}

function inputs(): Uint8Array {
  const bytes = new Uint8Array(TOTAL);
  const view = new DataView(bytes.buffer);
  for (let k = 0; k < 256; k += 8) view.setBigInt64(k, BigInt((k * 37) % 101) - 20n, true);
  for (let at = 256; at < 768; at += 4) view.setFloat32(at, ((at * 7) % 23) / 4 - 3, true);
  for (let at = 768; at < 1408; at += 8) view.setFloat64(at, ((at * 5) % 19) / 8 - 1, true);
  for (let at = 1408; at < INPUT; at += 4) view.setInt32(at, ((at * 11) % 31) - 15, true);
  return bytes;
}

describe.each(x64Isas)('%s', (isa) => {
  const reason = missing(isa);
  const property = (crowd: number, length: number) =>
    fc.property(fc.array(fc.nat(0x7fffffff), { minLength: 10, maxLength: length, size: 'max' }), fc.nat(6), (choices, argument) => {
      const program = new Program(builderFor(isa, 'random'), choices, crowd);
      while (!program.isDone) program.block(0, 8);
      const kernel = program.finish();
      const counts = (elem: VecElem): number => Math.min(40, program.vecs[elem].length) * 64;
      const [f32End, f64End] = [OUT + counts('f32'), OUT + counts('f32') + counts('f64')];
      const found = difference(kernel, inputs(), [argument], [
        { elem: 'f32', from: OUT, to: f32End },
        { elem: 'f64', from: f32End, to: f64End },
      ]);
      expect(found && `${found}\n${printKernel(kernel)}`).toBe(undefined);
    });

  test.skipIf(reason)('few registers', () => fc.assert(property(0, 150), { numRuns: 150 }), 60_000);
  test.skipIf(reason)('more registers than there are', () => fc.assert(property(14, 300), { numRuns: 150 }), 60_000);

  test('the crowded programs do spill', () => {
    const program = new Program(builderFor(isa), [...Array(200).keys()].map((k) => k * 7919), 14);
    while (!program.isDone) program.block(0, 8);
    expect(compileX64([program.finish()], { abi: 'sysv' }).spills[0]).toBeGreaterThan(5);
  });
});
