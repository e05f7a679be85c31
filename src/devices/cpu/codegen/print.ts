/** A kernel as text: one instruction a line, regions indented. What WHET_DUMP writes beside the machine code. */
import type { Inst, KernelCode, Mem, Reg } from './ir.ts';

const prefix = { int: 'i', long: 'l', vec: 'v', mask: 'm' } as const;

const regText = ({ id, cls, splat }: Reg): string => (splat ? `${splat.value}:${splat.elem}` : `${prefix[cls]}${id}`);

function memText({ base, index, scale = 1, offset, splat }: Mem): string {
  const scaled = index ? ` + ${regText(index)}${scale > 1 ? `*${scale}` : ''}` : '';
  const shifted = offset === 0 ? '' : ` ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`;
  return `[${regText(base)}${scaled}${shifted}]${splat ? ' splat' : ''}`;
}

function instText({ op, elem, dst, src, mem, imm, limit, pred, width, unsigned, count }: Inst): string {
  const name = [op, pred, elem, width && `${unsigned ? 'u' : ''}${width}`].filter(Boolean).join('.');
  const sources = src.map(regText);
  if (mem) sources.push(memText(mem));
  if (imm !== undefined) sources.push(`${imm}`);
  if (limit !== undefined) sources.push(`below ${limit}`);
  if (count !== undefined) sources.push(`${count} lanes`);
  return `${dst ? `${regText(dst)} = ` : ''}${name} ${sources.join(', ')}`.trimEnd();
}

const opens = new Set(['loop', 'if', 'else']);
const closes = new Set(['endLoop', 'endIf', 'else']);

export function printKernel(kernel: KernelCode): string {
  const { name, isa, entry, returns, params, body } = kernel;
  const lines = [`${entry ? 'entry ' : ''}kernel ${name}(${params.map(regText).join(', ')})${returns ? ': int' : ''} for ${isa.name}`];
  let depth = 1;
  for (const inst of body) {
    if (closes.has(inst.op)) depth--;
    lines.push('  '.repeat(depth) + instText(inst));
    if (opens.has(inst.op)) depth++;
  }
  return `${lines.join('\n')}\n`;
}
