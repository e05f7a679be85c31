/** Kernels and programs for the runtime's tests: integer arithmetic whose result shows any step out of order. */
import { type Isa, KernelBuilder, type KernelCode } from '../../src/devices/cpu/codegen/index.ts';

/** out[task] = in[task] * 3 + in[(task * 7 + shift) % count], on 32-bit integers; reads what other tasks wrote. */
export function mixKernel(isa: Isa, count: number, shift: number): KernelCode {
  const b = new KernelBuilder(`mix${count}.${shift}`, isa);
  const args = b.param();
  const task = b.param();
  const out = b.loadPointer(b.at(args, 0));
  const input = b.loadPointer(b.at(args, 8));
  const other = b.integer('irem', b.integer('iadd', b.integer('imul', task, 7), shift), count);
  const own = b.integer('imul', b.iload('int', b.at(input, 0, task, 4), 32), 3);
  b.istore(b.at(out, 0, task, 4), b.integer('iadd', own, b.iload('int', b.at(input, 0, other, 4), 32)), 32);
  b.return();
  return b.finish();
}

/** The same in JavaScript. */
export const mix = (input: Int32Array, count: number, shift: number): Int32Array<ArrayBuffer> =>
  Int32Array.from({ length: count }, (_, t) => Math.imul(input[t], 3) + input[(t * 7 + shift) % count]);

/** counter += 1 for each task (not atomically: for serial steps). */
export function countKernel(isa: Isa): KernelCode {
  const b = new KernelBuilder('count', isa);
  const args = b.param();
  b.param();
  const at = b.at(b.loadPointer(b.at(args, 0)), 0);
  b.istore(at, b.integer('iadd', b.iload('int', at, 32), 1), 32);
  b.return();
  return b.finish();
}

/** Keeps a core busy for about `rounds` additions. */
export function busyKernel(isa: Isa, rounds: number): KernelCode {
  const b = new KernelBuilder(`busy${rounds}`, isa);
  const args = b.param();
  const task = b.param();
  const out = b.loadPointer(b.at(args, 0));
  const sum = b.int(0);
  b.loop(rounds, (i) => void b.integer('iadd', b.integer('ixor', sum, i), task, sum));
  b.istore(b.at(out, 0, task, 4), sum, 32);
  b.return();
  return b.finish();
}

/** Traps where there is a bad address: only wasm survives it. */
export function trapKernel(isa: Isa): KernelCode {
  const b = new KernelBuilder('trap', isa);
  b.param();
  const task = b.param();
  b.if(b.icompare('eq', task, 5), () => void b.iload('int', b.at(b.int(-64)), 32));
  b.return();
  return b.finish();
}
