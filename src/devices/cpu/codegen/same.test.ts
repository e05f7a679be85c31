import { expect, test } from 'vitest';
import { isas, KernelBuilder, type KernelCode, sameCode } from './index.ts';

/** Stores a constant `offset` bytes after its argument. */
function store(name: string, value: number, offset: number): KernelCode {
  const b = new KernelBuilder(name, isas.avx2);
  b.store('f32', { base: b.param(), offset }, b.splat('f32', value));
  return b.finish();
}

test('kernels are the same whatever their names, and differ by a constant, its sign or an offset', () => {
  const code = store('one', 0, 8);
  expect(sameCode(code, store('two', 0, 8))).toBe(true);
  for (const other of [store('one', 1, 8), store('one', -0, 8), store('one', 0, 16), { ...code, isa: isas.avx512 }, { ...code, entry: !code.entry }]) {
    expect(sameCode(code, other)).toBe(false);
  }
  expect(sameCode(store('nan', NaN, 0), store('nan', NaN, 0))).toBe(true);
});
