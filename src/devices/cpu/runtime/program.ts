/** What a caller gives the runtime to run: kernels, and the steps that call them over memory. Plain data, checked here. */
import type { KernelCode } from '../codegen/index.ts';
import { maxThreads } from './environment.ts';
import { RuntimeError } from './errors.ts';
import type { Block } from './memory.ts';

/** Where a kernel's argument points. */
export type BufferRef =
  /** `offset` bytes into a block that stays the same. */
  | { readonly block: Block; readonly offset: number }
  /** A byte offset in the execution's own arena; for scratch, thread t has its own, t * perThread bytes further on. */
  | { readonly arena: number; readonly perThread?: number }
  /** `offset` bytes into whatever the execution has bound to this name. */
  | { readonly slot: string; readonly offset: number };

/** What a step does, in words: for WHET_VERBOSE and profiles. */
export interface StepLabel {
  readonly op: string;
  readonly name?: string;
  /** Such as `1x64x56x56 64x64x3x3 -> 1x64x56x56`. */
  readonly shapes?: string;
  readonly layout?: string;
  /** What was fused into the store, such as `bias+relu`. */
  readonly epilogue?: string;
}

/** One call of a kernel for each task 0..tasks-1: kernel(pointer to the args' pointers, task). */
export interface StepSpec {
  /** Index into the kernels loaded. */
  readonly kernel: number;
  readonly tasks: number;
  readonly args: readonly BufferRef[];
  readonly label: StepLabel;
  /** Keep it on one thread although it has several tasks. */
  readonly serial?: boolean;
}

/** How a step went in a profiled run. */
export interface StepRecord extends StepLabel {
  readonly step: number;
  readonly tasks: number;
  readonly threads: number;
  readonly milliseconds: number;
}

/** The most tasks a step may have: their number is 32 bits wide, and signed. */
export const maxTasks = 2 ** 30;

export const isSerial = (step: StepSpec): boolean => step.serial === true || step.tasks <= 1;

/** Throws RuntimeError unless kernels take what the executor gives them: a pointer and a task. */
export function checkKernels(kernels: readonly KernelCode[], isa: string): void {
  for (const { name, isa: its, params, entry, returns } of kernels) {
    const where = `kernel ${name}`;
    if (its.name !== isa) throw new RuntimeError(where, { expected: `code for ${isa}`, got: its.name });
    if (params.length !== 2 || entry || returns) {
      throw new RuntimeError(where, {
        expected: 'kernel(args, task), called by the executor, without a result',
        got: `${params.length} parameters${entry ? ', an entry' : ''}${returns ? ', a result' : ''}`,
      });
    }
  }
}

/** Throws RuntimeError unless each step names a kernel, a sound number of tasks and memory that is there. */
export function checkSteps(steps: readonly StepSpec[], kernels: number, arenaBytes: number, isLive: (block: Block) => boolean, threads = maxThreads): void {
  steps.forEach(({ kernel, tasks, args, label }, index) => {
    const where = `step ${index} (${label.op})`;
    const need = (holds: boolean, expected: string, got: unknown): void => {
      if (!holds) throw new RuntimeError(where, { expected, got: String(got) });
    };
    need(Number.isInteger(kernel) && kernel >= 0 && kernel < kernels, `a kernel below ${kernels}`, kernel);
    need(Number.isInteger(tasks) && tasks >= 0 && tasks <= maxTasks, `0 to ${maxTasks} tasks`, tasks);
    for (const ref of args) {
      if ('arena' in ref) need(inside(ref.arena + (ref.perThread ?? 0) * threads, arenaBytes), `an argument within the arena of ${arenaBytes} bytes`, ref.arena);
      else if ('block' in ref) {
        need(isLive(ref.block), 'arguments in blocks of this runtime', 'one that was freed, or is not its own');
        need(inside(ref.offset, ref.block.bytes), `an argument within its block of ${ref.block.bytes} bytes`, ref.offset);
      } else need(inside(ref.offset, Infinity), 'an offset of 0 or more', ref.offset);
    }
  });
}

const inside = (offset: number, bytes: number): boolean => Number.isSafeInteger(offset) && offset >= 0 && offset <= bytes;
