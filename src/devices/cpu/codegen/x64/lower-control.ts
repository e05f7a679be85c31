/** Loops, branches, calls and what the executor needs. */
import type { Op } from '../ir.ts';
import { fitsInt32 } from './encode.ts';
import { cc, G } from './encode-table.ts';
import type { Emitter, Lowering } from './lower.ts';
import { emitCondition } from './lower-integer.ts';
import { restore, save } from './frame.ts';

const RAX = 0;
const RSI = 6;
const RDI = 7;
/** Loop heads start a fetch block of their own. */
const LOOP_ALIGNMENT = 32;

const innermostLoop = (e: Emitter): { head: number; end: number } => {
  for (let k = e.regions.length - 1; k >= 0; k--) if (e.regions[k].loop) return e.regions[k];
  throw new Error(`kernel ${e.name}: a jump outside any loop`);
};

const loop: Lowering = {
  effect: true,
  emit: (e) => {
    const [head, end] = [e.asm.label(), e.asm.label()];
    e.asm.align(LOOP_ALIGNMENT);
    e.asm.bind(head);
    e.regions.push({ loop: true, head, end, hasElse: false });
  },
};

/** `next` where nobody else reads the counter: it starts at the number of rounds and stops at zero. */
export const countDown: Lowering = {
  effect: true,
  emit: (e, inst) => {
    e.asm.gpr(G.subImm, 0, e.dst(inst), 1);
    e.flush();
    e.asm.jumpIf(cc.ne, innermostLoop(e).head);
  },
};

const next: Lowering = {
  effect: true,
  temps: ({ limit }) => (limit === undefined || fitsInt32(limit) ? '' : 'g'),
  emit: (e, inst) => {
    const { asm } = e;
    const counter = e.dst(inst);
    const { head } = innermostLoop(e);
    asm.gpr(G.addImm, 0, counter, Number(inst.imm));
    e.flush();
    if (inst.limit === undefined) asm.gpr(G.cmp, counter, e.reg(1));
    else if (fitsInt32(inst.limit)) asm.gpr(G.cmpImm, 0, counter, inst.limit);
    else {
      asm.constant(e.temp(0), inst.limit);
      asm.gpr(G.cmp, counter, e.temp(0));
    }
    asm.jumpIf(cc.l, head);
  },
};

const jump = (back: boolean): Lowering => ({
  effect: true,
  emit: (e) => {
    const { head, end } = innermostLoop(e);
    const target = back ? head : end;
    if (e.fused?.op === 'constant') e.asm.jump(target);
    else e.asm.jumpIf(emitCondition(e), target);
  },
});

const endRegion: Lowering = {
  effect: true,
  emit: (e) => {
    const { loop: isLoop, head, end, hasElse } = e.regions.pop()!;
    if (!isLoop && !hasElse) e.asm.bind(head);
    e.asm.bind(end);
  },
};

const call: Lowering = {
  effect: true,
  emit: (e) => {
    const { asm } = e;
    const [fn, a, b] = [e.reg(0), e.reg(1), e.reg(2)];
    for (const place of e.saves) save(e, place);
    asm.gpr(G.push, a);
    asm.gpr(G.push, b);
    asm.move(RAX, fn);
    asm.gpr(G.pop, RSI);
    asm.gpr(G.pop, RDI);
    asm.gpr(G.callReg, 0, RAX);
    for (const place of e.saves) restore(e, place);
  },
};

export const controlRows: Partial<Record<Op, Lowering>> = {
  loop,
  next,
  continueIf: jump(true),
  breakIf: jump(false),
  endLoop: endRegion,
  if: {
    effect: true,
    emit: (e) => {
      const [otherwise, end] = [e.asm.label(), e.asm.label()];
      e.asm.jumpIf(emitCondition(e) ^ 1, otherwise);
      e.regions.push({ loop: false, head: otherwise, end, hasElse: false });
    },
  },
  else: {
    effect: true,
    emit: (e) => {
      const region = e.regions[e.regions.length - 1];
      region.hasElse = true;
      e.asm.jump(region.end);
      e.asm.bind(region.head);
    },
  },
  endIf: endRegion,
  return: {
    effect: true,
    emit: (e, inst) => {
      if (inst.src.length > 0) e.asm.move(RAX, e.reg(0));
      if (!e.isLast) e.asm.jump(e.exit);
    },
  },
  call,
  pause: { effect: true, emit: (e) => e.asm.plain('pause') },
  fence: { effect: true, emit() {} },
  prefetch: {
    effect: true,
    emit: (e, inst) => e.asm.gpr(inst.imm === 1 ? G.prefetcht0 : G.prefetcht1, 0, e.address(inst.mem!)),
  },
};
