/** Whether two kernels do the same: one instruction list on the same registers. Their names may differ. */
import type { KernelCode } from './ir.ts';

export function sameCode(a: KernelCode, b: KernelCode): boolean {
  return a.body.length === b.body.length && a.entry === b.entry && a.returns === b.returns && equal(a.isa, b.isa) && equal(a.params, b.params) && equal(a.body, b.body);
}

/** Of plain data; 0 and -0 are two, NaN is NaN, and a field left out is one that is undefined. */
function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false;
  for (const key in a) if (!equal(a[key as never], b[key as never])) return false;
  for (const key in b) if (b[key as never] !== undefined && a[key as never] === undefined) return false;
  return true;
}
