import { expect, test } from 'vitest';
import { KernelBuilder } from './builder.ts';
import { isas } from './isa.ts';
import { printKernel } from './print.ts';

test('a kernel as text', () => {
  const b = new KernelBuilder('scale', isas.avx2);
  const base = b.param();
  const sum = b.variable('f32');
  b.loop(4, (i) => {
    b.if(
      b.icompare('lt', i, 2),
      () => b.accumulate('f32', sum, b.load('f32', b.at(base, 64, i, 4), 3), b.splatAt(base, -8)),
      () => b.istore(b.at(base), i, 16),
    );
  });
  b.store('f32', b.at(base), b.max('f32', sum, b.splat('f32', 0.5)));
  expect(printKernel(b.finish({ entry: true }))).toBe(`entry kernel scale(i0) for avx2
  v2 = move 0:f32
  i3 = constant 0
  loop
    i4 = icompare.lt i3, 2
    if i4
      v5 = load.f32 [i0 + i3*4 + 64], 3 lanes
      v2 = fma.f32 v5, v2, [i0 - 8] splat
    else
      istore.16 i3, [i0]
    endIf
    i3 = next i3, 1, below 4
  endLoop
  v7 = max.f32 v2, 0.5:f32
  store.f32 v7, [i0]
`);
});
