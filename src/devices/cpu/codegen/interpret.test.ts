import { expect, test } from 'vitest';
import { KernelBuilder } from './builder.ts';
import { fma32, fma64, interpret, roundEven } from './interpret.ts';
import { isas } from './isa.ts';

test('a fused multiply-add rounds once', () => {
  const e = 2 ** -23;
  expect(fma32(1 + e, 1 - e, -1)).toBe(-(2 ** -46));
  // a product half way between two f32, moved off it by a tiny addend that f64 cannot hold
  expect(fma32(1 + 2 ** -12, 1 + 2 ** -12, 2 ** -80)).toBe(1 + 2 ** -11 + e);
  expect(fma32(1 + 2 ** -12, 1 + 2 ** -12, -(2 ** -80))).toBe(1 + 2 ** -11);
  expect(fma64(1 + 2 ** -52, 1 - 2 ** -52, -1)).toBe(-(2 ** -104));
  expect(fma64(2 ** -1000, 2 ** -74, 0)).toBe(2 ** -1074);
  expect(fma64(2 ** 1000, 2 ** 24, -(2 ** 1023))).toBe(2 ** 1023);
  expect(fma64(2 ** 1000, 2 ** 24, 0)).toBe(Infinity);
  expect(fma64(3, 5, 7)).toBe(22);
});

test('halves go to even', () => {
  expect([0.5, 1.5, 2.5, -0.5, -2.5, 2 ** 53].map(roundEven)).toEqual([0, 2, 2, -0, -2, 2 ** 53]);
});

test('loops, ifs and memory', () => {
  const b = new KernelBuilder('sum of even numbers', isas.avx2);
  const base = b.param();
  const sum = b.int(0);
  b.loop(10, (i) => {
    b.if(b.icompare('eq', b.integer('iand', i, 1), 0), () => b.integer('iadd', sum, i, sum));
  });
  b.forever(() => {
    b.breakIf(b.icompare('gt', sum, 100));
    b.integer('imul', sum, 3, sum);
  });
  b.store('f32', b.at(base, 4), b.splat('f32', 0.5), 3);
  b.return(sum);
  const memory = new ArrayBuffer(32);
  expect(interpret(b.finish({ returns: true }), memory, [0])).toBe(180n);
  expect([...new Float32Array(memory)]).toEqual([0, 0.5, 0.5, 0.5, 0, 0, 0, 0]);
});
