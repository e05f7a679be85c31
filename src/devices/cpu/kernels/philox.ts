/**
 * philox: random numbers from counters, Philox4x32-10 (src/ops/random.ts says what it is). A counter at a time, in 64-bit registers:
 * 2 products of 32 bits by 32 a round. Of the upper halves of registers only what is multiplied next must be zero.
 */
import { type Isa, KernelBuilder, type Long } from '../codegen/index.ts';
import type { TaskedKernel } from './map.ts';
import { loadArguments, maxTasks } from './nest.ts';

export interface PhiloxSpec {
  readonly name: string;
  readonly dtype: 'float32' | 'float64';
  readonly size: number;
}

/** Counters a task takes at least: some tens of microseconds. */
const grain = 4096;

/** Arguments: seed and counter (int64 each), result. */
export function philoxKernel(isa: Isa, { name, dtype, size }: PhiloxSpec): TaskedKernel {
  const b = new KernelBuilder(name, isa);
  const args = b.param();
  const task = b.param();
  const [state, result] = loadArguments(b, args, 2);
  const elem = dtype === 'float32' ? 'f32' : 'f64';
  const bytes = dtype === 'float32' ? 4 : 8;
  const perCounter = dtype === 'float32' ? 4 : 2;
  const whole = Math.floor(size / perCounter);
  const rest = size % perCounter;
  const chunk = Math.max(grain, Math.ceil(whole / maxTasks));
  const tasks = Math.max(1, Math.ceil(whole / chunk));

  const mask = b.long(0xffffffffn);
  const [factorA, factorC] = [b.long(0xd2511f53n), b.long(0xcd9e8d57n)];
  const scale = b.variable(elem, dtype === 'float32' ? 2 ** -24 : 2 ** -53);
  const upper = (x: Long): Long => b.integer('isar', x, 32);
  const low = (x: Long): Long => b.integer('iand', x, mask);
  const seed = b.iload('long', b.at(state), 64);
  const seedUpper = upper(seed);
  const first = b.integer('imul', task, chunk);
  const counter = b.integer('iadd', b.iload('long', b.at(state, 8), 64), b.extend(first));
  const to = b.offset(result, first, perCounter * bytes);

  const numbers = (count: number): void => {
    let [x, y, z, w] = [low(counter), low(upper(counter)), b.long(0n), b.long(0n)];
    let [k, l] = [seed, seedUpper];
    for (let round = 0; round < 10; round++) {
      const productX = b.integer('imul', x, factorA);
      const productZ = b.integer('imul', z, factorC);
      x = low(b.integer('ixor', b.integer('ixor', upper(productZ), y), k));
      z = low(b.integer('ixor', b.integer('ixor', upper(productX), w), l));
      [y, w] = [productZ, productX];
      k = b.integer('iadd', k, 0x9e3779b9 | 0);
      l = b.integer('iadd', l, 0xbb67ae85 | 0);
    }
    const words = [x, low(y), z, low(w)];
    for (let i = 0; i < count; i++) {
      const bits =
        dtype === 'float32'
          ? b.integer('isar', words[i], 8)
          : b.integer('iadd', b.integer('ishl', b.integer('isar', words[2 * i], 5), 26), b.integer('isar', words[2 * i + 1], 6));
      b.store(elem, b.at(to, i * bytes), b.mul(elem, b.laneFromLong(elem, bits), scale), 1);
    }
  };
  const left = b.integer('isub', b.int(whole), first);
  b.loop(tasks === 1 ? whole : b.iselect(b.icompare('lt', left, chunk), left, b.int(chunk)), () => {
    numbers(perCounter);
    b.integer('iadd', counter, 1, counter);
    b.advance(to, perCounter * bytes);
  });
  // The last task ends with what one more counter is needed for.
  if (rest > 0) b.if(b.icompare('eq', task, tasks - 1), () => numbers(rest));
  return { code: b.finish(), tasks };
}
