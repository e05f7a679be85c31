/** The kernel language: builder, instruction sets, and the two back ends that turn kernels into machine code. */
export { KernelBuilder, type VecSource } from './builder.ts';
export type { Elem, Inst, Int, KernelCode, Long, Mask, Mem, Op, Pred, Reg, RegClass, Vec } from './ir.ts';
export { elemBytes, type Isa, type IsaName, isas, lanesOf, pairedWasm, relaxedWasm } from './isa.ts';
export { printKernel } from './print.ts';
export { sameCode } from './same.ts';
