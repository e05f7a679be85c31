/** Every environment variable the CPU runtime obeys, read in this one place; a value that means nothing is an error. */
import type { Precision } from '../../device.ts';
import type { IsaName } from '../codegen/isa.ts';
import { isas } from '../codegen/isa.ts';
import { RuntimeError } from './errors.ts';

export interface Environment {
  /** WHET_ISA: run this instruction set and no other. */
  readonly isa?: IsaName;
  /** WHET_NATIVE=0: no machine code in executable memory; wasm runs instead. */
  readonly native: boolean;
  /** WHET_THREADS: threads of a run that does not say. */
  readonly threads?: number;
  /** WHET_PRECISION: how exact convolutions are that do not say. */
  readonly precision?: Precision;
  /** WHET_VERBOSE=1: a line for every step executed, on stderr. */
  readonly verbose: boolean;
  /** WHET_DUMP: the folder that gets each kernel's code and listing. */
  readonly dump?: string;
}

/** The most threads one run may have. */
export const maxThreads = 256;

/** Reads `variables` (the process's own where left out; none in a browser). Throws RuntimeError on a bad value. */
export function readEnvironment(variables = globalThis.process?.env ?? {}): Environment {
  // Set but empty is how shells and CI files say "unset".
  const of = (name: string): string | undefined => variables[name]?.trim() || undefined;
  const flag = (name: string, otherwise: boolean): boolean => {
    const text = of(name);
    if (text === undefined) return otherwise;
    if (text !== '0' && text !== '1') throw new RuntimeError(name, { expected: '0 or 1', got: JSON.stringify(text) });
    return text === '1';
  };

  const isa = of('WHET_ISA');
  if (isa !== undefined && !Object.hasOwn(isas, isa)) {
    throw new RuntimeError('WHET_ISA', { expected: Object.keys(isas).join(', '), got: JSON.stringify(isa) });
  }
  const threads = of('WHET_THREADS');
  if (threads !== undefined && !(/^\d{1,4}$/.test(threads) && +threads >= 1 && +threads <= maxThreads)) {
    throw new RuntimeError('WHET_THREADS', { expected: `a whole number, 1 to ${maxThreads}`, got: JSON.stringify(threads) });
  }
  const precision = of('WHET_PRECISION');
  if (precision !== undefined && precision !== 'high' && precision !== 'highest') {
    throw new RuntimeError('WHET_PRECISION', { expected: 'high or highest', got: JSON.stringify(precision) });
  }
  const native = flag('WHET_NATIVE', true);
  if (!native && isa !== undefined && isa !== 'wasm') {
    throw new RuntimeError('WHET_NATIVE', {
      got: `0 together with WHET_ISA=${isa}`,
      hint: 'WHET_NATIVE=0 allows wasm alone; unset one of the two',
    });
  }
  return {
    isa: isa as IsaName | undefined,
    native,
    threads: threads === undefined ? undefined : +threads,
    precision,
    verbose: flag('WHET_VERBOSE', false),
    dump: of('WHET_DUMP'),
  };
}
