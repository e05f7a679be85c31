// TEMPORARY, by the lead, so that kernels can be tried before the emitters land: helper, replace this whole file.
import type { DType, Node } from '../../../../graph/index.ts';
import type { KernelBuilder, Long, Mask, Mem, Vec } from '../../codegen/index.ts';
export type Lane = { kind: 'vec'; elem: 'f32' | 'f64'; reg: Vec } | { kind: 'mask'; elem: 'f32' | 'f64'; reg: Mask } | { kind: 'long'; reg: Long };
export type EmitMode = { kind: 'vector'; elem: 'f32' | 'f64' } | { kind: 'scalar' };
const table: Record<string, (b: KernelBuilder, x: any, y: any) => Vec> = {
  Add: (b, x, y) => b.add(x.elem, x.reg, y.reg),
  Sub: (b, x, y) => b.sub(x.elem, x.reg, y.reg),
  Mul: (b, x, y) => b.mul(x.elem, x.reg, y.reg),
  Div: (b, x, y) => b.div(x.elem, x.reg, y.reg),
  Max: (b, x, y) => b.max(x.elem, x.reg, y.reg),
  Relu: (b, x) => b.max(x.elem, x.reg, b.splat(x.elem, 0)),
};
export const emittableOps: ReadonlySet<string> = new Set(Object.keys(table));
export const canVectorise = (nodes: readonly Node[]): boolean => nodes.every((n) => n.outputs[0].dtype.startsWith('float'));
export const emitNode = (b: KernelBuilder, _m: EmitMode, node: Node, inputs: readonly Lane[]): Lane => ({ ...(inputs[0] as any), reg: table[node.op](b, inputs[0], inputs[1]) });
export function emitLoad(b: KernelBuilder, mode: EmitMode, dtype: DType, mem: Mem, count?: number): Lane {
  if (dtype === 'float32' || dtype === 'float64') { const elem = dtype === 'float32' ? 'f32' : 'f64'; return { kind: 'vec', elem, reg: b.load(elem, mem, mode.kind === 'scalar' ? 1 : count) }; }
  return { kind: 'long', reg: b.iload('long', mem, dtype === 'int64' ? 64 : dtype === 'int32' ? 32 : 8) };
}
export function emitStore(b: KernelBuilder, mode: EmitMode, dtype: DType, mem: Mem, lane: Lane, count?: number): void {
  if (lane.kind === 'vec') b.store(lane.elem, mem, lane.reg, mode.kind === 'scalar' ? 1 : count);
  else b.istore(mem, lane.reg as Long, dtype === 'int64' ? 64 : dtype === 'int32' ? 32 : 8);
}
