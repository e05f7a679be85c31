/** The `whet` command: its verbs, and what any of them does when it fails. */
import { Command } from 'commander';
import { version } from '../index.ts';
import { exitCodes, report } from './failure.ts';
import type { Terminal } from './terminal.ts';
import { addBench } from './verbs/bench.ts';
import { addClassify } from './verbs/classify.ts';
import { addConvert } from './verbs/convert.ts';
import { addDoctor } from './verbs/doctor.ts';
import { addLab } from './verbs/lab.ts';
import { addStart } from './verbs/start.ts';
import { addTrain } from './verbs/train.ts';
import { addZoo } from './verbs/zoo.ts';

/** In the order that help lists them. */
const verbs = [addStart, addClassify, addTrain, addBench, addConvert, addLab, addZoo, addDoctor];

function makeProgram(terminal: Terminal): Command {
  const program = new Command('whet')
    .description('Neural networks at native speed, on machine code generated for the CPU at hand')
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
    })
    .showHelpAfterError('--help says more.')
    .addHelpText(
      'after',
      `
Environment:
  WHET_ISA=avx512|avx2|wasm  generate code for this instruction set
  WHET_NATIVE=0              no machine code in executable memory: WebAssembly runs
  WHET_THREADS=N             threads of a run that does not say
  WHET_PRECISION=highest     no convolution takes Winograd's algorithm
  WHET_VERBOSE=1             a line on stderr for every kernel executed
  WHET_DUMP=FOLDER           write the generated code there
  WHET_CACHE=FOLDER          where fetched models are kept`,
    );
  for (const add of verbs) add(program, terminal);
  return program;
}

/** Runs `whet` with these arguments; says what went wrong, and returns the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runWhet(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await makeProgram(terminal).parseAsync(args, { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    return report(error, terminal, args.includes('--debug'));
  }
}
